//! Mounts that come and go while a container runs, as crun has them.

use super::bundle::facts_of;
use super::exec::namespaces;
use super::handles::{self, Given};
use super::launch::{Launch, launch};
use super::report::next_message;
use super::store::{Record, Store};
use super::trees;
use crate::error::{Context, Error, Result};
use crate::oci::{Config, Mount, Status};
use crate::program::wire::{Message, Op, call};
use crate::program::{self, Program};
use crate::sys::{process, socket};
use crate::{check, log};
use std::os::fd::{AsFd, BorrowedFd};

/// Adds the mounts to a container, or takes them away. When one cannot be added, none is.
pub fn mounts(
    store: &Store,
    id: &str,
    mounts: Vec<Mount>,
    add: bool,
    signals: BorrowedFd<'_>,
) -> Result<()> {
    let record = store.load(id)?;
    if matches!(store.status(&record), Status::Creating | Status::Stopped) {
        return Err(Error::new("container not running"));
    }
    let mut config = store.config(id)?;
    config.mounts = mounts;
    check::mounts(&config)?;
    // It may have ended meanwhile.
    let stopped = || Error::new("container not running");
    let target = process::pidfd_open(record.pid).map_err(|_| stopped())?;
    if !record.is_alive() {
        return Err(stopped());
    }
    let flags = namespaces(record.pid)?;
    let run = |program: &Program| execute(program, &config, &record, target.as_fd(), signals);
    let program = program::change_mounts(&config, flags, &facts_of(&record)?, add)?;
    program.warnings.iter().for_each(|text| log::warn(text));
    let Err((error, failed)) = run(&program) else {
        return Ok(());
    };
    if let (true, Some(failed)) = (add, failed) {
        run(&program.undone(failed)).map_err(|(error, _)| error)?;
    }
    Err(error)
}

/// Runs the program among the container's processes; a failure comes with the index of the operation that it was in.
fn execute(
    program: &Program,
    config: &Config,
    record: &Record,
    target: BorrowedFd<'_>,
    signals: BorrowedFd<'_>,
) -> Result<(), (Error, Option<u32>)> {
    let start = || {
        let (report, theirs) = socket::pair().context("socketpair")?;
        let inherited = target.try_clone_to_owned().context("dup")?;
        crate::sys::inherit(inherited.as_fd())?;
        let given = Given {
            report: Some(theirs),
            process: Some(inherited),
            ..Given::default()
        };
        let mut descriptors = handles::open(&program.handles, given)?;
        let child = launch(program, &mut descriptors, Launch::default(), report.as_fd())?;
        Ok((report, child))
    };
    let (report, child) = start().map_err(|error| (error, None))?;
    let mut followed = Ok(());
    while followed.is_ok() {
        followed = match next_message(report.as_fd(), signals, &mut None) {
            Ok(None) => break,
            Ok(Some(Message {
                kind: Message::TREE,
                op,
                ..
            })) => trees::send(config, record, op, false, report.as_fd())
                .map_err(|error| (error, asked(program, op))),
            Ok(Some(message)) => {
                let error = program::explain(program, message, None);
                let error = match message.call {
                    // The stub has no /proc here that mount(2) could be told a descriptor by.
                    call::MOUNT => error.wrap(
                        "a running container needs the mount API of Linux 5.2, \
                         and options of no more than 255 characters",
                    ),
                    _ => error,
                };
                Err((error, Some(message.op)))
            }
            Err(error) => Err((error, None)),
        };
    }
    if followed.is_err() {
        let _ = process::signal(child.pidfd.as_fd(), libc::SIGKILL);
    }
    match (process::wait(child.pid), followed) {
        (_, Err(failed)) => Err(failed),
        (Ok(0), _) => Ok(()),
        (Ok(status), _) => {
            let text = format!("the process in the container ended with status {status}");
            Err((Error::new(text), None))
        }
        (Err(error), _) => Err((error, None)),
    }
}

/// The operation that asks for the tree of the mount of that index.
fn asked(program: &Program, mount: u32) -> Option<u32> {
    let asks = |op| matches!(op, Op::AskTree { index, .. } if index == mount);
    program.ops().position(asks).map(|position| position as u32)
}
