//! Landlock: rulesets are made before `start` is waited for, and put into force at the end.

use crate::machine::{Failure, Machine, Outcome, Step, c};
use crate::sys::Errno;
use crate::sys::call::{self, AT_FDCWD, O_PATH, PathBeneath};
use crate::wire::{Malformed, Text, call as step};

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
    let ruleset = call::landlock_create_ruleset(rights).step(step::LANDLOCK_CREATE_RULESET)?;
    let place = machine.rulesets.get_mut(index as usize).ok_or(Malformed)?;
    *place = Some(ruleset);
    Ok(())
}

impl Rule {
    /// landlock_add_rule(2), with the attributes that the rule's kind wants.
    fn add<T>(self, machine: &Machine, kind: u32, attributes: &T) -> Outcome<Result<(), Errno>> {
        let place = machine.rulesets.get(self.index as usize).ok_or(Malformed)?;
        let ruleset = place.as_ref().ok_or(Malformed)?.raw();
        Ok(call::landlock_add_rule(
            ruleset, kind, attributes, self.flags,
        ))
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
    let file = match call::openat(AT_FDCWD, c(path)?, O_PATH, 0) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCES) if optional => return Ok(()),
        result => result.step(step::OPEN)?,
    };
    let mut attributes = PathBeneath {
        access,
        parent: file.raw(),
    };
    match rule.add(machine, RULE_PATH_BENEATH, &attributes)? {
        Err(Errno::INVAL) if file_access == 0 && optional => Ok(()),
        Err(Errno::INVAL) if file_access != 0 && file_access != access => {
            attributes.access = file_access;
            rule.add(machine, RULE_PATH_BENEATH, &attributes)?
                .step(step::LANDLOCK_ADD_RULE)
        }
        result => result.step(step::LANDLOCK_ADD_RULE),
    }
}

/// Allows rights on a TCP or UDP port.
pub fn port(machine: &Machine, rule: Rule, access: u64, port: u64) -> Outcome {
    rule.add(machine, RULE_NET_PORT, &[access, port])?
        .step(step::LANDLOCK_ADD_RULE)
}

/// Puts a ruleset into force.
pub fn restrict(machine: &mut Machine, index: u32, flags: u32) -> Outcome {
    let ruleset = machine
        .rulesets
        .get_mut(index as usize)
        .and_then(Option::take);
    let ruleset = ruleset.ok_or(Failure::from(Malformed))?;
    call::landlock_restrict_self(ruleset.raw(), flags).step(step::LANDLOCK_RESTRICT_SELF)
}
