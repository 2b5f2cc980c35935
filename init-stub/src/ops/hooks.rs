//! Hooks that run inside the container: config.md, "createContainer" and "startContainer".

use super::exec::fill;
use super::mounts::Digits;
use crate::machine::{Failure, Machine, Outcome, Step, c};
use crate::sys::Errno;
use crate::sys::call;
use crate::wire::{List, Slot, Text, call as step};

/// A hook.
pub struct Hook<'a> {
    pub path: Text<'a>,
    pub argv: List<'a>,
    pub envp: List<'a>,
    pub timeout_msec: u32,
    pub state_head: Text<'a>,
    pub state_tail: Text<'a>,
}

/// Sets where the output of hooks goes.
pub fn output(machine: &mut Machine, number: u32, file: Slot) -> Outcome {
    let file = machine.descriptor(file)?;
    if number == 2 {
        machine.hook_stderr = file;
    } else {
        machine.hook_stdout = file;
    }
    Ok(())
}

/// Runs the hook as a child, and waits for it.
pub fn run(machine: &mut Machine, hook: &Hook<'static>) -> Outcome {
    // A file, not a pipe: a hook that reads none of it blocks nobody, and its timeout holds.
    let mut pid = Digits::new(call::getpid());
    let state = call::memory_file(&[
        hook.state_head.bytes(),
        pid.bytes(),
        hook.state_tail.bytes(),
    ])
    .step(step::WRITE)?;
    let (argv, envp) = fill(machine, hook.argv, hook.envp)?;
    let child = call::fork().step(step::FORK)?;
    if child == 0 {
        let _ = call::dup_to(state.raw(), 0);
        for (from, to) in [(machine.hook_stdout, 1), (machine.hook_stderr, 2)] {
            if from >= 0 {
                let _ = call::dup_to(from, to);
            }
        }
        call::restore_sigpipe();
        let _ = call::close_on_exec_from(3);
        let path = c(hook.path).unwrap_or(c"");
        let errno = machine.pointers.execve(path, argv, envp);
        call::exit(errno.0.clamp(1, 125));
    }
    drop(state);
    if hook.timeout_msec > 0 {
        let pidfd = call::pidfd_open(child).step(step::FORK)?;
        if !call::wait_readable(pidfd.raw(), hook.timeout_msec).step(step::FORK)? {
            call::kill(child);
            call::wait(child).step(step::FORK)?;
            return Err(Failure {
                step: step::TIMEOUT,
                errno: Errno(110),
            });
        }
    }
    let status = call::wait(child).step(step::FORK)?;
    let signal = status & 0x7f;
    // A negative one is a signal.
    let code = if signal == 0 {
        status >> 8 & 0xff
    } else {
        -signal
    };
    if code == 0 {
        Ok(())
    } else {
        Err(Failure {
            step: step::HOOK,
            errno: Errno(code),
        })
    }
}
