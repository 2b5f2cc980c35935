//! This process, its namespaces, settings and children.

use super::{descriptor, done, syscall};
use crate::sys::{Errno, Fd, Outcome, failed};
use crate::wire::call as step;

/// exit_group(2).
pub fn exit(status: i32) -> ! {
    loop {
        let _ = syscall!(DECODE, EXIT_GROUP, status);
    }
}

/// rt_sigprocmask(2): no signal is blocked any more.
pub fn unblock_signals() {
    const SIG_SETMASK: usize = 2;
    let none = [0u64; 1];
    let _ = syscall!(
        DECODE,
        RT_SIGPROCMASK,
        SIG_SETMASK,
        none.as_ptr(),
        0,
        size_of_val(&none)
    );
}

/// SIGPIPE ends a process again: the runtime, as every Rust program, ignores it, and execve(2) would pass that on.
pub fn restore_sigpipe() {
    const SIGPIPE: usize = 13;
    // struct sigaction, all zero for the default; its mask, the last field, has eight bytes.
    let default = [0u64; 4];
    let _ = syscall!(
        DECODE,
        RT_SIGACTION,
        SIGPIPE,
        default.as_ptr(),
        0,
        size_of::<u64>()
    );
}

/// Signals that ask a process to end do end this one, though it is the first of its PID namespace, to which only those
/// are delivered that it handles. execve(2) makes them what they were.
pub fn end_on_signals() {
    const SIGNALS: [usize; 4] = [1, 2, 3, 15];
    const SA_RESTORER: usize = 0x0400_0000;
    extern "C" fn end(signal: i32) -> ! {
        exit(128 + signal)
    }
    // struct sigaction: handler, flags, restorer, mask. What never returns needs no restorer, but x86 wants one.
    let end = end as extern "C" fn(i32) -> ! as usize;
    let action = [end, SA_RESTORER, end, 0, 0];
    for signal in SIGNALS {
        let _ = syscall!(
            DECODE,
            RT_SIGACTION,
            signal,
            action.as_ptr(),
            0,
            size_of::<u64>()
        );
    }
}

pub const CLONE_NEWNS: u32 = 0x2_0000;

/// setns(2).
pub fn setns(fd: i32, flags: u32) -> Outcome {
    done(syscall!(SETNS, SETNS, fd, flags))
}

/// unshare(2).
pub fn unshare(flags: u32) -> Outcome {
    done(syscall!(UNSHARE, UNSHARE, flags))
}

/// setsid(2).
pub fn setsid() -> Outcome {
    done(syscall!(SETSID, SETSID))
}

/// umask(2).
pub fn umask(mask: u32) {
    let _ = syscall!(DECODE, UMASK, mask);
}

/// getpid(2).
pub fn getpid() -> u32 {
    syscall!(DECODE, GETPID).unwrap_or(0)
}

/// sethostname(2).
pub fn sethostname(name: &[u8]) -> Outcome {
    done(syscall!(
        SETHOSTNAME,
        SETHOSTNAME,
        name.as_ptr(),
        name.len()
    ))
}

/// setdomainname(2).
pub fn setdomainname(name: &[u8]) -> Outcome {
    done(syscall!(
        SETDOMAINNAME,
        SETDOMAINNAME,
        name.as_ptr(),
        name.len()
    ))
}

/// prlimit(2) of this process.
pub fn prlimit(resource: u32, soft: u64, hard: u64) -> Outcome {
    let limits = [soft, hard];
    done(syscall!(
        PRLIMIT,
        PRLIMIT64,
        0,
        resource,
        limits.as_ptr(),
        0
    ))
}

/// sched_setattr(2) of this process, with a structure whose first field is its own size.
pub fn sched_setattr(attributes: &[u8]) -> Outcome {
    let size = attributes.first_chunk().copied().map(u32::from_ne_bytes);
    if size.map(|size| size as usize) != Some(attributes.len()) {
        return failed(step::SCHED_SETATTR, Errno::INVAL);
    }
    done(syscall!(
        SCHED_SETATTR,
        SCHED_SETATTR,
        0,
        attributes.as_ptr(),
        0
    ))
}

/// ioprio_set(2) of this process.
pub fn ioprio_set(value: u32) -> Outcome {
    const WHO_PROCESS: u32 = 1;
    done(syscall!(IOPRIO_SET, IOPRIO_SET, WHO_PROCESS, 0, value))
}

/// sched_setaffinity(2) of this process.
pub fn sched_setaffinity(mask: &[u8]) -> Outcome {
    done(syscall!(
        SCHED_SETAFFINITY,
        SCHED_SETAFFINITY,
        0,
        mask.len(),
        mask.as_ptr()
    ))
}

/// set_mempolicy(2). The kernel reads whole words of `nodes`.
pub fn set_mempolicy(mode: u32, nodes: &[u8]) -> Outcome {
    if !nodes.len().is_multiple_of(size_of::<usize>()) {
        return failed(step::SET_MEMPOLICY, Errno::INVAL);
    }
    let pointer = if nodes.is_empty() {
        core::ptr::null()
    } else {
        nodes.as_ptr()
    };
    // The kernel takes the number of bits to be one less than it is.
    let bits = if nodes.is_empty() {
        0
    } else {
        nodes.len() * 8 + 1
    };
    done(syscall!(SET_MEMPOLICY, SET_MEMPOLICY, mode, pointer, bits))
}

/// personality(2).
pub fn personality(domain: u64) -> Outcome {
    done(syscall!(PERSONALITY, PERSONALITY, domain))
}

/// fork(2) that gives the child this process's own parent; its pid, and 0 in the child.
pub fn fork_sibling() -> Outcome<u32> {
    const CLONE_PARENT: usize = 0x8000;
    syscall!(FORK, CLONE, CLONE_PARENT, 0, 0, 0, 0)
}

/// fork(2): 0 in the child.
pub fn fork() -> Outcome<u32> {
    const SIGCHLD: usize = 17;
    syscall!(FORK, CLONE, SIGCHLD, 0, 0, 0, 0)
}

/// Waits for a child, and returns its wait status: wait4(2).
pub fn wait(pid: u32) -> Outcome<i32> {
    let mut status = 0i32;
    syscall!(FORK, WAIT4, pid, &raw mut status, 0, 0)?;
    Ok(status)
}

/// kill(2) with SIGKILL.
pub fn kill(pid: u32) {
    let _ = syscall!(DECODE, KILL, pid, 9);
}

/// pidfd_open(2).
pub fn pidfd_open(pid: u32) -> Outcome<Fd> {
    descriptor(syscall!(FORK, PIDFD_OPEN, pid, 0))
}

/// Waits until the descriptor can be read; false when the time, in milliseconds, is over: ppoll(2).
pub fn wait_readable(fd: i32, timeout_msec: u32) -> Outcome<bool> {
    #[repr(C)]
    struct Poll {
        fd: i32,
        events: u16,
        result: u16,
    }
    let mut poll = Poll {
        fd,
        events: 1,
        result: 0,
    };
    let time = [
        (timeout_msec / 1000) as usize,
        (timeout_msec % 1000) as usize * 1_000_000,
    ];
    Ok(syscall!(FORK, PPOLL, &raw mut poll, 1, time.as_ptr(), 0, 0)? > 0)
}
