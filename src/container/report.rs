//! What the stub reports over its socket, and what is done about it.

use super::foreground::SOON_MSEC;
use super::store::{self, Record};
use super::stub::Started;
use super::{hooks, identity, notify, trees};
use crate::error::{Context, Error, Result};
use crate::log;
use crate::oci::{Config, Status};
use crate::program::wire::{Message, Op, stage};
use crate::program::{self, Handle, Program};
use crate::sys::{process, socket};
use std::os::fd::{AsFd, BorrowedFd};

/// Tells the user of a program's warnings and, with `--debug`, of what it comes to.
pub(super) fn note(program: &Program) {
    program
        .warnings
        .iter()
        .for_each(|warning| log::warn(warning));
    if !log::debugs() {
        return;
    }
    log::debug(format_args!(
        "program of {} operations",
        program.ops().count()
    ));
    for op in program.ops() {
        if let Op::Seccomp { flags, .. } | Op::SeccompListener { flags, .. } = op {
            log::debug(format_args!("seccomp filter flags: {flags}"));
        }
    }
}

/// Waits for the end of a process of which nobody wants to know that it has started: a short one is waited for once then,
/// not twice. A long one, or a signal, is not: [`follow`] sees at once what has become of it.
pub(super) fn await_end(started: &Started, signals: BorrowedFd<'_>) -> Result<()> {
    let ends = [Some(started.child.pidfd.as_fd()), Some(signals)];
    process::poll(&ends, SOON_MSEC).map(drop)
}

/// Follows the stub through its stages, until it waits for `start` or executes the program.
pub(super) fn follow(
    program: &Program,
    config: &Config,
    record: &Record,
    started: &Started,
    signals: BorrowedFd<'_>,
) -> Result<()> {
    let report = started.report.as_fd();
    let waits = program.handles.contains(&Handle::StartListener);
    let mut output = None;
    loop {
        let Some(message) = next_message(report, signals, &mut output)? else {
            return match waits || !store::has_executed(&started.child) {
                true => Err(ended_early(record)),
                false => Ok(()),
            };
        };
        match message {
            Message {
                kind: Message::FAILED,
                ..
            } => {
                return Err(program::explain(program, message, output.as_deref())
                    .wrap("unable to start container process: error during container init"));
            }
            Message {
                kind: Message::TREE,
                op,
                ..
            } => trees::send(config, record, op, true, report)?,
            Message {
                op: stage::LISTENER,
                call: number,
                ..
            } => {
                let process = notify::Notifying {
                    pid: record.pid,
                    pidfd: started.child.pidfd.as_fd(),
                    report,
                };
                notify::hand_over(config, &process, number, record.state(Status::Creating))?;
            }
            Message {
                op: stage::MAPS, ..
            } => {
                identity::check_joined(record.pid, &config.linux)?;
                socket::send(report, b"g").context("container init")?;
            }
            Message {
                op: stage::RUNTIME_HOOKS,
                ..
            } => {
                let state = record.state(Status::Creating);
                hooks::run_all("prestart", &config.hooks.prestart, &state)?;
                hooks::run_all("createRuntime", &config.hooks.create_runtime, &state)?;
                socket::send(report, b"g").context("container init")?;
            }
            _ => return Ok(()),
        }
    }
}

fn ended_early(record: &Record) -> Error {
    let end = process::wait(record.pid).map_or_else(
        |error| error.to_string(),
        |status| match status {
            137 => "killed (does linux.resources.memory.limit leave it room?)".into(),
            status => format!("exit status {status}"),
        },
    );
    Error::new(format!(
        "unable to start container process: container init ended early: {end}"
    ))
}

/// One message of the stub's; none when it has closed its end. What follows the fixed part goes to `output`.
pub(super) fn receive(
    from: BorrowedFd<'_>,
    output: &mut Option<Vec<u8>>,
) -> Result<Option<Message>> {
    let mut buffer = [0; Message::SIZE + Message::OUTPUT_SIZE];
    let (length, _) = socket::receive(from, &mut buffer)?;
    if length == 0 {
        return Ok(None);
    }
    let message = Message::from_bytes(&buffer[..length])
        .map_err(|_| Error::new("internal: malformed message from container init"))?;
    if message.kind == Message::OUTPUT {
        *output = Some(buffer[Message::SIZE..length].to_vec());
    }
    Ok(Some(message))
}

/// The stub's next message; none when it has closed its end. What a failed hook printed goes to `output`. A signal
/// that asks us to stop is an error.
pub(super) fn next_message(
    report: BorrowedFd<'_>,
    signals: BorrowedFd<'_>,
    output: &mut Option<Vec<u8>>,
) -> Result<Option<Message>> {
    loop {
        let ready = process::poll(&[Some(report), Some(signals)], -1)?;
        if ready[0] {
            match receive(report, output).context("container init")? {
                Some(message) if message.kind == Message::OUTPUT => continue,
                message => return Ok(message),
            }
        }
        while let Some(signal) = process::next_signal(signals) {
            if matches!(
                signal,
                libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT
            ) {
                return Err(Error::new(format!("interrupted by signal {signal}")));
            }
        }
    }
}
