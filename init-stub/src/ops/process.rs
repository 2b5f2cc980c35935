//! The process's own settings, and its talks with the runtime.

use super::mounts::{PROC_SUPER_MAGIC, is_missing};
use super::walk;
use crate::machine::{Machine, Outcome, Step, c};
use crate::sys::Errno;
use crate::sys::call::{self, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV};
use crate::wire::{Bytes, Slot, Text, call as step};

/// Tells the runtime the stage, and waits for its word. A runtime that is gone has given up.
pub fn rendezvous(machine: &mut Machine, stage: u32) -> Outcome {
    machine.forget_place();
    machine.report_stage(stage)?;
    let mut answer = [0; 1];
    loop {
        match call::receive(machine.report, &mut answer) {
            Err(Errno::INTR) => {}
            Ok(0) => call::exit(1),
            result => return result.step(step::RECV).map(drop),
        }
    }
}

/// Lets go of the runtime, and waits for `start`, which is told of what fails from here on.
pub fn await_start(machine: &mut Machine, listener: Slot) -> Outcome {
    machine.forget_root();
    drop(call::adopt(machine.report));
    let listener = call::adopt(machine.descriptor(listener)?);
    call::end_on_signals();
    loop {
        match call::accept(listener.raw()) {
            Err(Errno::INTR) => {}
            result => {
                machine.report = result.step(step::ACCEPT)?.leak();
                return Ok(());
            }
        }
    }
}

/// Goes on as a child in the PID namespace that was joined. The runtime is its parent, and learns its pid from the
/// kernel, with the message.
pub fn go_on_as_child(machine: &mut Machine) -> Outcome {
    machine.close_discarded();
    if call::fork_sibling().step(step::FORK)? != 0 {
        call::exit(0);
    }
    machine.report_fork()
}

/// prctl(PR_SET_DUMPABLE).
pub fn set_dumpable(dumpable: bool) -> Outcome {
    const PR_SET_DUMPABLE: u32 = 4;
    call::prctl(PR_SET_DUMPABLE, dumpable.into(), 0)
        .step(step::PRCTL)
        .map(drop)
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
    let last = kept.into_iter().fold(listener, i32::max);
    for number in machine.close_from as i32..last {
        if !kept.contains(&number) {
            call::close(number);
        }
    }
    call::close_range(last as u32 + 1, u32::MAX);
    set_dumpable(true)
}

/// Another session keyring; a kernel or a filter that knows none is no error.
pub fn keyring(name: Text<'_>, permissions: u32) -> Outcome {
    let keyring = match call::join_keyring(c(name)?) {
        Err(Errno::NOSYS | Errno::PERM | Errno::ACCES) => return Ok(()),
        result => result.step(step::KEYCTL)?,
    };
    if permissions != 0 {
        call::set_key_permissions(keyring, permissions).step(step::KEYCTL)?;
    }
    Ok(())
}

/// setsid(2).
pub fn session() -> Outcome {
    call::setsid().step(step::SETSID)
}

/// Writes to a file of a procfs that the runtime has verified; nothing that is mounted over it is followed.
pub fn write_proc(machine: &Machine, proc: Slot, path: Text<'_>, value: Text<'_>) -> Outcome {
    let proc = machine.descriptor(proc)?;
    let resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
    let file = match call::openat2(proc, c(path)?, O_WRONLY, resolve) {
        Err(errno) if is_missing(errno) => {
            let file = walk::open(proc, path.bytes(), O_WRONLY, resolve);
            let file = file.step(step::OPEN)?;
            if call::filesystem_magic(file.raw()).step(step::STAT)? != PROC_SUPER_MAGIC {
                return Err(Errno::INVAL).step(step::NOT_PROC);
            }
            file
        }
        file => file.step(step::OPENAT2)?,
    };
    call::write(file.raw(), value.bytes())
        .step(step::WRITE)
        .map(drop)
}

/// prlimit(2).
pub fn limit(resource: u32, soft: u64, hard: u64) -> Outcome {
    call::prlimit(resource, soft, hard).step(step::PRLIMIT)
}

/// umask(2).
pub fn umask(mask: u32) -> Outcome {
    call::umask(mask);
    Ok(())
}

/// sched_setattr(2).
pub fn scheduler(attributes: Bytes<'_>) -> Outcome {
    call::sched_setattr(attributes.0).step(step::SCHED_SETATTR)
}

/// ioprio_set(2).
pub fn io_priority(value: u32) -> Outcome {
    call::ioprio_set(value).step(step::IOPRIO_SET)
}

/// sched_setaffinity(2).
pub fn affinity(mask: Bytes<'_>) -> Outcome {
    call::sched_setaffinity(mask.0).step(step::SCHED_SETAFFINITY)
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
    call::set_mempolicy(mode, nodes.0).step(step::SET_MEMPOLICY)
}

/// personality(2).
pub fn personality(domain: u64) -> Outcome {
    call::personality(domain).step(step::PERSONALITY)
}
