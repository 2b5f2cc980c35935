//! Landlock: rulesets are made before `start` is waited for, and put into force at the end.

use crate::machine::{Failure, Machine, Outcome, Step, c};
use crate::sys::Errno;
use crate::sys::call::{self, AT_FDCWD, O_PATH, PathBeneath};
use crate::wire::{Malformed, Text, call as step};

const RULE_PATH_BENEATH: u32 = 1;
const RULE_NET_PORT: u32 = 2;

/// Makes a ruleset that handles these rights.
pub fn create(machine: &mut Machine, index: u32, handled: [u64; 3]) -> Outcome {
    let ruleset = call::landlock_create_ruleset(&handled).step(step::LANDLOCK_CREATE_RULESET)?;
    let place = machine.rulesets.get_mut(index as usize).ok_or(Malformed)?;
    *place = Some(ruleset);
    Ok(())
}

fn ruleset(machine: &Machine, index: u32) -> Outcome<i32> {
    let place = machine.rulesets.get(index as usize).ok_or(Malformed)?;
    Ok(place.as_ref().ok_or(Malformed)?.raw())
}

/// Allows rights on a path and all below it. The second set is for what is no directory, and so cannot have all.
pub fn path(
    machine: &Machine,
    index: u32,
    path: Text<'_>,
    [access, file_access]: [u64; 2],
    optional: bool,
) -> Outcome {
    let ruleset = ruleset(machine, index)?;
    let file = match call::openat(AT_FDCWD, c(path)?, O_PATH, 0) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCES) if optional => return Ok(()),
        result => result.step(step::OPEN)?,
    };
    let mut rule = PathBeneath {
        access,
        parent: file.raw(),
    };
    match call::landlock_add_rule(ruleset, RULE_PATH_BENEATH, &rule) {
        Err(Errno::INVAL) if file_access == 0 && optional => Ok(()),
        Err(Errno::INVAL) if file_access != 0 && file_access != access => {
            rule.access = file_access;
            call::landlock_add_rule(ruleset, RULE_PATH_BENEATH, &rule).step(step::LANDLOCK_ADD_RULE)
        }
        result => result.step(step::LANDLOCK_ADD_RULE),
    }
}

/// Allows rights on a TCP port.
pub fn port(machine: &Machine, index: u32, access: u64, port: u64) -> Outcome {
    let ruleset = ruleset(machine, index)?;
    call::landlock_add_rule(ruleset, RULE_NET_PORT, &[access, port]).step(step::LANDLOCK_ADD_RULE)
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
