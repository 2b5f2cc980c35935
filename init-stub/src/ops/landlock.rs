//! Landlock: rulesets are made before `start` is waited for, and put into force at the end.

use crate::machine::{Machine, c};
use crate::sys::call::{self, AT_FDCWD, O_PATH, PathBeneath};
use crate::sys::{Errno, Failure, Outcome};
use crate::wire::{Malformed, Text};

const RULE_PATH_BENEATH: u32 = 1;
const RULE_NET_PORT: u32 = 2;

/// Which ruleset a rule goes to, and the flags of landlock_add_rule(2).
#[derive(Clone, Copy)]
pub struct Rule {
    /// 0 or 1.
    pub index: u32,
    /// `LANDLOCK_ADD_RULE_*`
    pub flags: u32,
}

/// Makes a ruleset with these attributes. An older kernel has fewer of them, and takes the others if they are 0.
pub fn create(machine: &mut Machine, index: u32, rights: &[u64; 6]) -> Outcome {
    let ruleset = call::landlock_create_ruleset(rights)?;
    let place = machine.rulesets.get_mut(index as usize).ok_or(Malformed)?;
    *place = Some(ruleset);
    Ok(())
}

impl Rule {
    /// landlock_add_rule(2), with the attributes that the rule's kind wants.
    fn add<T>(self, machine: &Machine, kind: u32, attributes: &T) -> Outcome {
        let place = machine.rulesets.get(self.index as usize).ok_or(Malformed)?;
        let ruleset = place.as_ref().ok_or(Malformed)?.raw();
        call::landlock_add_rule(ruleset, kind, attributes, self.flags)
    }
}

/// Allows rights on a path and all below it. The second set is for what is no directory, and so cannot have all.
pub fn path(
    machine: &Machine,
    rule: Rule,
    path: Text<'_>,
    [access, file_access]: [u64; 2],
    optional: bool,
) -> Outcome {
    let file = match call::openat(AT_FDCWD, c(path), O_PATH, 0) {
        Err(failure)
            if matches!(failure.errno(), Errno::NOENT | Errno::NOTDIR | Errno::ACCES)
                && optional =>
        {
            return Ok(());
        }
        result => result?,
    };
    let mut attributes = PathBeneath {
        access,
        parent: file.raw(),
    };
    match rule.add(machine, RULE_PATH_BENEATH, &attributes) {
        Err(failure) if failure.is(Errno::INVAL) && file_access == 0 && optional => Ok(()),
        Err(failure) if failure.is(Errno::INVAL) && file_access != 0 && file_access != access => {
            attributes.access = file_access;
            rule.add(machine, RULE_PATH_BENEATH, &attributes)
        }
        result => result,
    }
}

/// Allows rights on a TCP or UDP port.
pub fn port(machine: &Machine, rule: Rule, access: u64, port: u64) -> Outcome {
    rule.add(machine, RULE_NET_PORT, &[access, port])
}

/// Puts a ruleset into force.
pub fn restrict(machine: &mut Machine, index: u32, flags: u32) -> Outcome {
    let ruleset = machine
        .rulesets
        .get_mut(index as usize)
        .and_then(Option::take);
    let ruleset = ruleset.ok_or(Failure::from(Malformed))?;
    call::landlock_restrict_self(ruleset.raw(), flags)
}
