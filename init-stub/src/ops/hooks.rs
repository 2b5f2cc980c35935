//! Hooks that run inside the container: config.md, "createContainer" and "startContainer".

use super::exec::fill;
use super::text::Digits;
use crate::machine::{Machine, c};
use crate::sys::call;
use crate::sys::{Errno, Failure, Fd, Outcome, failed};
use crate::wire::{List, Message, Slot, Text, call as step};

/// A hook.
pub struct Hook<'a> {
    pub name: Text<'a>,
    pub path: Text<'a>,
    pub argv: List<'a>,
    pub envp: List<'a>,
    pub home: bool,
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
    ])?;
    let output = call::memory_file(&[])?;
    let reason = call::memory_file(&[])?;
    let (argv, envp) = fill(machine, hook.argv, hook.envp, hook.home)?;
    machine.forget_places();
    let child = call::fork()?;
    if child == 0 {
        let _ = call::dup_to(state.raw(), 0);
        for (given, to) in [(machine.hook_stdout, 1), (machine.hook_stderr, 2)] {
            let from = if given >= 0 { given } else { output.raw() };
            let _ = call::dup_to(from, to);
        }
        // Before the rootfs is the root, it is still the working directory.
        let _ = call::fchdir(machine.root());
        call::restore_sigpipe();
        let _ = call::close_on_exec_from(3);
        if let Err(failure) = machine.pointers.execve(c(hook.path), argv, envp) {
            let _ = call::write(reason.raw(), &failure.errno().0.to_ne_bytes());
        }
        call::exit(127);
    }
    drop(state);
    let result = outcome(child, hook.timeout_msec, &reason);
    if result.is_err() {
        report(machine, hook.name, &output);
    }
    result
}

/// Waits for the hook; `reason` holds an errno if it could not be executed.
fn outcome(child: u32, timeout_msec: u32, reason: &Fd) -> Outcome {
    if timeout_msec > 0 {
        let pidfd = call::pidfd_open(child)?;
        if !call::wait_readable(pidfd.raw(), timeout_msec)? {
            call::kill(child);
            call::wait(child)?;
            let tenths = (timeout_msec / 100).min(Failure::MOST as u32);
            return failed(step::TIMEOUT, Errno(tenths as i32));
        }
    }
    let status = call::wait(child)?;
    let mut errno = [0; 4];
    if call::read_at(reason.raw(), &mut errno, 0) == Ok(4) {
        return failed(step::EXECVE, Errno(i32::from_ne_bytes(errno)));
    }
    let signal = status & 0x7f;
    // A negative one is a signal.
    match (signal, status >> 8 & 0xff) {
        (0, 0) => Ok(()),
        (0, code) => failed(step::HOOK, Errno(code)),
        _ => failed(step::HOOK, Errno(-signal)),
    }
}

/// Tells the name of a hook that failed, and the end of what it printed.
fn report(machine: &Machine, name: Text<'_>, output: &Fd) {
    let message = Message {
        kind: Message::OUTPUT,
        op: 0,
        call: 0,
        errno: 0,
    };
    let mut packet = [0; Message::SIZE + Message::OUTPUT_SIZE];
    let (head, rest) = packet.split_at_mut(Message::SIZE);
    head.copy_from_slice(&message.to_bytes());
    let name = name.bytes();
    // Behind the name there is a NUL.
    let Some((place, rest)) = rest.split_at_mut_checked(name.len() + 1) else {
        return;
    };
    place
        .iter_mut()
        .zip(name)
        .for_each(|(to, from)| *to = *from);
    let size = call::size(output.raw()).unwrap_or(0);
    let from = size.saturating_sub(rest.len());
    let length = call::read_at(output.raw(), rest, from).unwrap_or(0);
    let end = Message::SIZE + name.len() + 1 + length as usize;
    let _ = call::write(machine.report, packet.get(..end).unwrap_or(&[]));
}
