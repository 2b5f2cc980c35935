//! The process's own settings, and its talks with the runtime.

use super::mounts::PROC_SUPER_MAGIC;
use super::walk;
use crate::machine::{Machine, c};
use crate::sys::call::{self, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV};
use crate::sys::{Errno, Outcome, failed};
use crate::wire::{Bytes, Slot, Text, call as step};

/// Tells the runtime the stage, and waits for its word. A runtime that is gone has given up.
pub fn rendezvous(machine: &mut Machine, stage: u32) -> Outcome {
    machine.forget_places();
    machine.report_stage(stage)?;
    machine.await_answer()
}

/// Lets go of the runtime, and waits for `start`, which is told of what fails from here on.
pub fn await_start(machine: &mut Machine, listener: Slot) -> Outcome {
    machine.forget_root();
    drop(call::adopt(machine.report));
    let listener = call::adopt(machine.descriptor(listener)?);
    call::end_on_signals();
    machine.report = call::accept(listener.raw())?.leak();
    Ok(())
}

/// Goes on as a child in the PID namespace that was joined. The runtime is its parent, and learns its pid from the
/// kernel, with the message.
pub fn go_on_as_child(machine: &mut Machine) -> Outcome {
    machine.close_discarded();
    if call::fork_sibling()? != 0 {
        call::exit(0);
    }
    machine.report_fork()
}

/// prctl(PR_SET_DUMPABLE).
pub fn set_dumpable(dumpable: bool) -> Outcome {
    const PR_SET_DUMPABLE: u32 = 4;
    call::prctl(PR_SET_DUMPABLE, dumpable.into(), 0).map(drop)
}

/// Lets whoever has the rights in the user namespace look at this process, where nothing of the host is left to be found.
pub fn show(machine: &mut Machine, listener: Slot) -> Outcome {
    machine.forget_root();
    let listener = machine.descriptor(listener)?;
    let kept = [
        listener,
        machine.report,
        machine.hook_stdout,
        machine.hook_stderr,
    ];
    let mut from = machine.close_from;
    loop {
        // What is not there is -1, which comes last.
        let kept = kept.iter().map(|number| *number as u32);
        let next = kept.filter(|number| *number >= from).min();
        let next = next.unwrap_or(u32::MAX);
        if from < next {
            call::close_range(from, next - 1);
        }
        if next == u32::MAX {
            return set_dumpable(true);
        }
        from = next + 1;
    }
}

/// Another session keyring; a kernel or a filter that knows none is no error.
pub fn keyring(name: Text<'_>, permissions: u32) -> Outcome {
    let keyring = match call::join_keyring(c(name)) {
        Err(failure) if matches!(failure.errno(), Errno::NOSYS | Errno::PERM | Errno::ACCES) => {
            return Ok(());
        }
        result => result?,
    };
    if permissions != 0 {
        call::set_key_permissions(keyring, permissions)?;
    }
    Ok(())
}

/// setsid(2).
pub fn session() -> Outcome {
    call::setsid()
}

/// Writes to a file of a procfs that the runtime has verified; nothing that is mounted over it is followed.
pub fn write_proc(machine: &Machine, proc: Slot, path: Text<'_>, value: Text<'_>) -> Outcome {
    let proc = machine.descriptor(proc)?;
    let resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
    let file = match call::openat2(proc, c(path), O_WRONLY, resolve) {
        Err(failure) if failure.is_missing() => {
            let file = walk::open(proc, path.bytes(), O_WRONLY, resolve)?;
            if call::filesystem_magic(file.raw())? != PROC_SUPER_MAGIC {
                return failed(step::NOT_PROC, Errno::INVAL);
            }
            file
        }
        file => file?,
    };
    call::write(file.raw(), value.bytes()).map(drop)
}

/// prlimit(2).
pub fn limit(resource: u32, soft: u64, hard: u64) -> Outcome {
    call::prlimit(resource, soft, hard)
}

/// umask(2).
pub fn umask(mask: u32) -> Outcome {
    call::umask(mask);
    Ok(())
}

/// sched_setattr(2).
pub fn scheduler(attributes: Bytes<'_>) -> Outcome {
    call::sched_setattr(attributes.0)
}

/// ioprio_set(2).
pub fn io_priority(value: u32) -> Outcome {
    call::ioprio_set(value)
}

/// sched_setaffinity(2).
pub fn affinity(mask: Bytes<'_>) -> Outcome {
    call::sched_setaffinity(mask.0)
}

/// The same with as many CPUs as Linux can have. The kernel takes of them what there is and the cgroup allows; a process
/// that may not change it keeps what it has.
pub fn all_cpus() -> Outcome {
    const MOST_CPUS: usize = 8192;
    let _ = call::sched_setaffinity(&[0xff; MOST_CPUS / 8]);
    Ok(())
}

/// set_mempolicy(2).
pub fn memory_policy(mode: u32, nodes: Bytes<'_>) -> Outcome {
    call::set_mempolicy(mode, nodes.0)
}

/// personality(2).
pub fn personality(domain: u64) -> Outcome {
    call::personality(domain)
}
