//! Which devices a container may use: the rules of the configuration and runc's own, as what they come to.
//!
//! cgroup v1 keeps either a list of what is allowed or one of what is denied. Rules are brought into that form for v2
//! as well, so that a configuration means the same on both.

use crate::error::{Error, Result};
use crate::oci::{DeviceRule, DeviceRuleType};

/// mknod(2), as the kernel numbers it in `BPF_DEVCG_ACC_*`.
pub const MKNOD: u8 = 1;
/// Opening for reading.
pub const READ: u8 = 2;
/// Opening for writing.
pub const WRITE: u8 = 4;

/// A device, or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception {
    /// A block device, not a character device.
    pub block: bool,
    /// The major number; any when absent.
    pub major: Option<u32>,
    /// The minor number; any when absent.
    pub minor: Option<u32>,
    /// Of [`MKNOD`], [`READ`] and [`WRITE`].
    pub access: u8,
}

/// What the rules come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether a device that is no exception may be used.
    pub allow: bool,
    /// What may not be used where all else may, or may where nothing else may.
    pub exceptions: Vec<Exception>,
}

const fn character(major: Option<u32>, minor: Option<u32>, access: u8) -> Exception {
    Exception {
        block: false,
        major,
        minor,
        access,
    }
}

/// What every container may use whatever its configuration says, as runc has it: mknod of anything, null, random,
/// full, tty, zero, urandom, the terminals of devpts, ptmx, and net/tun.
const ALWAYS: &[Exception] = &[
    character(None, None, MKNOD),
    Exception {
        block: true,
        major: None,
        minor: None,
        access: MKNOD,
    },
    character(Some(1), Some(3), READ | WRITE | MKNOD),
    character(Some(1), Some(8), READ | WRITE | MKNOD),
    character(Some(1), Some(7), READ | WRITE | MKNOD),
    character(Some(5), Some(0), READ | WRITE | MKNOD),
    character(Some(1), Some(5), READ | WRITE | MKNOD),
    character(Some(1), Some(9), READ | WRITE | MKNOD),
    character(Some(136), None, READ | WRITE | MKNOD),
    character(Some(5), Some(2), READ | WRITE | MKNOD),
    character(Some(10), Some(200), READ | WRITE | MKNOD),
];

impl Policy {
    /// The rules in their order, then what every container may use. Without rules, nothing else is allowed.
    pub fn new(rules: &[DeviceRule]) -> Result<Policy> {
        let mut policy = Policy {
            allow: false,
            exceptions: Vec::new(),
        };
        for (i, rule) in rules.iter().enumerate() {
            policy
                .rule(rule)
                .map_err(|error| error.wrap(format_args!("linux.resources.devices[{i}]")))?;
        }
        match policy.allow {
            // As in v1's lists, a denial of more than the one device stands.
            true => policy.take(|known| ALWAYS.iter().find(|always| known.same(always)).copied()),
            false => ALWAYS
                .iter()
                .try_for_each(|exception| policy.add(true, *exception))?,
        }
        Ok(policy)
    }

    fn rule(&mut self, rule: &DeviceRule) -> Result<()> {
        let block = match rule.kind {
            DeviceRuleType::All => {
                self.allow = rule.allow;
                self.exceptions.clear();
                return Ok(());
            }
            DeviceRuleType::Char => false,
            DeviceRuleType::Block => true,
        };
        let number = |name: &str, number: Option<i64>| match number {
            None | Some(-1) => Ok(None),
            Some(number) => u32::try_from(number)
                .ok()
                .filter(|number| *number <= i32::MAX as u32)
                .map(Some)
                .ok_or_else(|| Error::new(format!("{name}: {number} is no device number"))),
        };
        let mut access = 0;
        for letter in rule.access.as_deref().unwrap_or("rwm").chars() {
            access |= match letter {
                'r' => READ,
                'w' => WRITE,
                'm' => MKNOD,
                // runc takes it, and it adds nothing.
                'a' => 0,
                _ => {
                    return Err(Error::new(format!(
                        "access: {letter:?} must be `r`, `w` or `m`"
                    )));
                }
            };
        }
        if access == 0 {
            return Ok(());
        }
        let exception = Exception {
            block,
            major: number("major", rule.major)?,
            minor: number("minor", rule.minor)?,
            access,
        };
        self.add(rule.allow, exception)
    }

    /// Adds to the exceptions, or takes from them what a rule that agrees with all else covers.
    fn add(&mut self, allow: bool, rule: Exception) -> Result<()> {
        if allow != self.allow {
            match self.exceptions.iter_mut().find(|known| known.same(&rule)) {
                Some(known) => known.access |= rule.access,
                None => self.exceptions.push(rule),
            }
            return Ok(());
        }
        let wider = |known: &&Exception| {
            !rule.covers(known) && known.meets(&rule) && known.access & rule.access != 0
        };
        if let Some(known) = self.exceptions.iter().find(wider) {
            return Err(Error::new(format!(
                "`{rule}` cannot make a hole in the wildcard rule `{known}`: name the devices one by one"
            )));
        }
        self.take(|known| rule.covers(known).then_some(rule));
        Ok(())
    }

    /// Takes the access of a rule from each exception for which there is one.
    fn take(&mut self, rule: impl Fn(&Exception) -> Option<Exception>) {
        for known in &mut self.exceptions {
            if let Some(rule) = rule(known) {
                known.access &= !rule.access;
            }
        }
        self.exceptions.retain(|known| known.access != 0);
    }
}

impl Exception {
    /// From a line as [`Exception::fmt`] writes it; none for all devices.
    pub fn parse(line: &str) -> Option<Exception> {
        let mut words = line.split(' ');
        let block = match words.next()? {
            "b" => true,
            "c" => false,
            _ => return None,
        };
        let (major, minor) = words.next()?.split_once(':')?;
        let number = |text: &str| match text {
            "*" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let letter = |letter| match letter {
            'r' => READ,
            'w' => WRITE,
            _ => MKNOD,
        };
        Some(Exception {
            block,
            major: number(major)?,
            minor: number(minor)?,
            access: words.next()?.chars().map(letter).fold(0, |a, b| a | b),
        })
    }

    /// Whether it is on the same devices.
    pub fn same(&self, other: &Exception) -> bool {
        (self.block, self.major, self.minor) == (other.block, other.major, other.minor)
    }

    /// Whether it is on every device that the other one is on.
    fn covers(&self, other: &Exception) -> bool {
        self.block == other.block
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }

    /// Whether there is a device that both are on.
    fn meets(&self, other: &Exception) -> bool {
        let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.block == other.block && meet(self.major, other.major) && meet(self.minor, other.minor)
    }
}

impl std::fmt::Display for Exception {
    /// As v1's files take it: `c 1:3 rwm`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.block { "b " } else { "c " })?;
        for (number, end) in [(self.major, ":"), (self.minor, " ")] {
            match number {
                Some(number) => number.fmt(f)?,
                None => f.write_str("*")?,
            }
            f.write_str(end)?;
        }
        for (bit, letter) in [(READ, "r"), (WRITE, "w"), (MKNOD, "m")] {
            if self.access & bit != 0 {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A rule from `+c 1:3 rwm` or `-a`.
    pub fn rule(text: &str) -> DeviceRule {
        let mut words = text[1..].split(' ');
        let kind = match words.next() {
            Some("c") => DeviceRuleType::Char,
            Some("b") => DeviceRuleType::Block,
            _ => DeviceRuleType::All,
        };
        let (major, minor) = words
            .next()
            .and_then(|numbers| numbers.split_once(':'))
            .unwrap_or(("*", "*"));
        DeviceRule {
            allow: text.starts_with('+'),
            kind,
            major: major.parse().ok(),
            minor: minor.parse().ok(),
            access: words.next().map(String::from),
        }
    }

    fn policy(rules: &[&str]) -> Result<Policy> {
        Policy::new(&rules.iter().map(|text| rule(text)).collect::<Vec<_>>())
    }

    #[test]
    fn without_rules_only_the_usual_devices_are_allowed() {
        for rules in [&[][..], &["-a"], &["+c 9:9 r", "-a"]] {
            let policy = policy(rules).unwrap();
            assert!(!policy.allow);
            assert_eq!(policy.exceptions, ALWAYS);
        }
    }

    #[test]
    fn a_later_rule_decides() {
        let policy = policy(&["-a", "+c 9:9 rw", "-c 9:9 w", "+b 8:0 r", "+b 8:0 w"]).unwrap();
        let text: Vec<String> = policy.exceptions.iter().map(|e| e.to_string()).collect();
        assert_eq!(text[..2], ["c 9:9 r", "b 8:0 rw"]);
    }

    #[test]
    fn all_but_some() {
        let policy = policy(&["+a", "-b 8:* rwm", "-c 1:3 w"]).unwrap();
        assert!(policy.allow);
        assert_eq!(policy.exceptions.len(), 1);
        assert_eq!(policy.exceptions[0].to_string(), "b 8:* rwm");
    }

    #[test]
    fn no_holes_in_wildcards() {
        let error = policy(&["-a", "+c 9:* rw", "-c 9:9 w"]).unwrap_err();
        assert!(
            error.to_string().contains("linux.resources.devices[2]"),
            "{error}"
        );
        assert!(policy(&["-a", "+c 9:* rw", "-c 9:9 m"]).is_ok());
        assert!(policy(&["-a", "+c 9:* rw", "-c *:9 w"]).is_err());
        let wider = policy(&["-a", "+c 9:9 rw", "-c 9:* rw"]).unwrap();
        assert_eq!(wider.exceptions, ALWAYS);
    }

    #[test]
    fn values_that_are_none() {
        assert!(policy(&["+c 9:9 x"]).is_err());
        let mut bad = rule("+c 9:9 r");
        bad.major = Some(-2);
        assert!(Policy::new(&[bad]).is_err());
    }
}
