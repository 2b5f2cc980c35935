//! Who the process is and what it may do: ids, capabilities.

use crate::sys::call;
use crate::sys::{Errno, Outcome};
use crate::wire::{Bytes, SAME_ID};

const PR_SET_KEEPCAPS: u32 = 8;
const PR_CAPBSET_READ: u32 = 23;
const PR_CAPBSET_DROP: u32 = 24;
const PR_SET_NO_NEW_PRIVS: u32 = 38;
const PR_CAP_AMBIENT: u32 = 47;
const PR_CAP_AMBIENT_RAISE: usize = 2;

/// All ids become those of the user namespace's root.
pub fn become_root(keep_groups: bool) -> Outcome {
    if !keep_groups {
        match call::setgroups(&[]) {
            // The namespace denies it: user_namespaces(7).
            Err(failure) if failure.is(Errno::PERM) => {}
            result => result?,
        }
    }
    call::setgid(0)?;
    call::setuid(0)
}

/// Drops from the bounding set what is not to be kept.
pub fn bound(keep: u64) -> Outcome {
    for capability in (0..64).filter(|bit| keep >> bit & 1 == 0) {
        match call::prctl(PR_CAPBSET_DROP, capability, 0) {
            Ok(_) => {}
            // The kernel knows no more of them.
            Err(failure) if failure.is(Errno::INVAL) => return Ok(()),
            // Without CAP_SETPCAP nothing can be dropped; what is not there need not be.
            Err(_) if call::prctl(PR_CAPBSET_READ, capability, 0) == Ok(0) => {}
            result => return result.map(drop),
        }
    }
    Ok(())
}

/// The user's ids; permitted capabilities are kept, for the operations that follow. Who stays root keeps them anyway.
pub fn change(uid: u32, gid: u32, set_groups: bool, groups: Bytes<'_>) -> Outcome {
    let loses_capabilities = uid != 0 && uid != SAME_ID;
    if loses_capabilities {
        call::prctl(PR_SET_KEEPCAPS, 1, 0)?;
    }
    if set_groups {
        match call::setgroups(groups.0) {
            Err(failure) if failure.is(Errno::PERM) && groups.0.is_empty() => {}
            result => result?,
        }
    }
    if gid != SAME_ID {
        call::setgid(gid)?;
    }
    if uid != SAME_ID {
        call::setuid(uid)?;
    }
    if loses_capabilities {
        call::prctl(PR_SET_KEEPCAPS, 0, 0)?;
    }
    Ok(())
}

/// capset(2).
pub fn capabilities(effective: u64, permitted: u64, inheritable: u64) -> Outcome {
    call::capset(effective, permitted, inheritable)
}

/// Raises ambient capabilities.
pub fn ambient(set: u64) -> Outcome {
    for capability in (0..64).filter(|bit| set >> bit & 1 == 1) {
        call::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)?;
    }
    Ok(())
}

/// prctl(PR_SET_NO_NEW_PRIVS).
pub fn no_new_privileges() -> Outcome {
    call::prctl(PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}
