//! What this process may do.

use super::{descriptor, done, syscall};
use crate::sys::{Errno, Fd, Outcome, Path, failed};
use crate::wire::call as step;

/// prctl(2) with numbers.
pub fn prctl(option: u32, a: usize, b: usize) -> Outcome<u32> {
    syscall!(PRCTL, PRCTL, option, a, b, 0, 0)
}

/// setgroups(2); each id has four bytes.
pub fn setgroups(ids: &[u8]) -> Outcome {
    done(syscall!(SETGROUPS, SETGROUPS, ids.len() / 4, ids.as_ptr()))
}

/// setresgid(2), all three.
pub fn setgid(gid: u32) -> Outcome {
    done(syscall!(SETGID, SETRESGID, gid, gid, gid))
}

/// setresuid(2), all three.
pub fn setuid(uid: u32) -> Outcome {
    done(syscall!(SETUID, SETRESUID, uid, uid, uid))
}

/// capset(2), version 3.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Outcome {
    let header = [0x2008_0522u32, 0];
    let low = |set: u64| set as u32;
    let high = |set: u64| (set >> 32) as u32;
    let data = [
        low(effective),
        low(permitted),
        low(inheritable),
        high(effective),
        high(permitted),
        high(inheritable),
    ];
    done(syscall!(CAPSET, CAPSET, header.as_ptr(), data.as_ptr()))
}

/// seccomp(2): installs a filter, of eight bytes an instruction.
pub fn seccomp(flags: u32, filter: &[u8]) -> Outcome<u32> {
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const u8,
    }
    const SET_MODE_FILTER: u32 = 1;
    let Ok(length) = u16::try_from(filter.len() / 8) else {
        return failed(step::SECCOMP, Errno::INVAL);
    };
    let program = Program {
        length,
        filter: filter.as_ptr(),
    };
    syscall!(SECCOMP, SECCOMP, SET_MODE_FILTER, flags, &raw const program)
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
pub struct PathBeneath {
    pub access: u64,
    pub parent: i32,
}

/// landlock_create_ruleset(2), with the fields of `struct landlock_ruleset_attr`.
pub fn landlock_create_ruleset(attributes: &[u64; 6]) -> Outcome<Fd> {
    descriptor(syscall!(
        LANDLOCK_CREATE_RULESET,
        LANDLOCK_CREATE_RULESET,
        attributes.as_ptr(),
        size_of_val(attributes),
        0
    ))
}

/// landlock_add_rule(2), with the attributes that the rule's kind wants.
pub fn landlock_add_rule<T>(ruleset: i32, kind: u32, attributes: &T, flags: u32) -> Outcome {
    done(syscall!(
        LANDLOCK_ADD_RULE,
        LANDLOCK_ADD_RULE,
        ruleset,
        kind,
        &raw const *attributes,
        flags
    ))
}

/// landlock_restrict_self(2).
pub fn landlock_restrict_self(ruleset: i32, flags: u32) -> Outcome {
    done(syscall!(
        LANDLOCK_RESTRICT_SELF,
        LANDLOCK_RESTRICT_SELF,
        ruleset,
        flags
    ))
}

/// keyctl(KEYCTL_JOIN_SESSION_KEYRING): the keyring's serial number.
pub fn join_keyring(name: Path<'_>) -> Outcome<u32> {
    syscall!(KEYCTL, KEYCTL, 1, name.as_ptr())
}

/// keyctl(KEYCTL_SETPERM).
pub fn set_key_permissions(keyring: u32, permissions: u32) -> Outcome {
    done(syscall!(KEYCTL, KEYCTL, 5, keyring, permissions))
}
