//! What happens to a container after it is made: start, kill, delete.

use super::readiness::Readiness;
use super::store::{self, Record, START_SOCKET, Store};
use super::{hooks, host, notify, report};
use crate::error::{Context, Error, Result};
use crate::oci::Status;
use crate::program;
use crate::program::wire::{Message, stage};
use crate::sys::{process, socket};
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};

/// Lets a created container's program run, and returns when it does.
pub fn start(store: &Store, id: &str) -> Result<()> {
    let record = store.load(id)?;
    match store.status(&record) {
        Status::Created => {}
        Status::Stopped => return Err(Error::new("cannot start a container that has stopped")),
        Status::Running => return Err(Error::new("cannot start an already running container")),
        status => {
            return Err(Error::new(format!(
                "cannot start a container in the {} state",
                status.name()
            )));
        }
    }
    let directory = store.directory(id);
    let opened = File::open(&directory).with_context(|| format!("open {}", directory.display()))?;
    let readiness = Readiness::bind(&directory)?;
    let connection = match socket::connect_in(opened.as_fd(), START_SOCKET) {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ECONNREFUSED | libc::ENOENT)
            ) =>
        {
            return Err(Error::new("cannot start an already running container"));
        }
        result => result.context("start.sock")?,
    };
    let mut output = None;
    loop {
        let message = report::receive(connection.as_fd(), &mut output).context("start.sock")?;
        let _ = fs::remove_file(directory.join(START_SOCKET));
        let Some(message) = message else { break };
        if message.kind == Message::OUTPUT {
            continue;
        }
        if let (Message::STAGE, stage::LISTENER) = (message.kind, message.op) {
            let handed = hand_over(store, &record, connection.as_fd(), message.call);
            if handed.is_err() {
                // It waits for an agent that will never answer.
                let _ = end(&record);
            }
            handed?;
            continue;
        }
        return Err(program::explain_start(
            message,
            &record.program,
            output.as_deref(),
        ));
    }
    let result = hooks::run_all(
        "poststart",
        &record.poststart,
        &record.state(Status::Running),
    );
    if result.is_err() {
        // The spec: stop the container as if it had been killed.
        let _ = end(&record);
        remove(store, &record)?;
    }
    // A process that has ended already says no more.
    if let (Ok(()), Some(readiness), Ok(pidfd)) =
        (&result, readiness, process::pidfd_open(record.pid))
    {
        readiness.wait(record.pid, pidfd.as_fd(), None)?;
    }
    result
}

/// Hands on the listener of the filter that the process has just installed.
fn hand_over(store: &Store, record: &Record, report: BorrowedFd<'_>, listener: u32) -> Result<()> {
    let pidfd = process::pidfd_open(record.pid).context("pidfd_open")?;
    let process = notify::Notifying {
        pid: record.pid,
        pidfd: pidfd.as_fd(),
        report,
    };
    let config = store.config(&record.id)?;
    notify::hand_over(&config, &process, listener, record.state(Status::Created))
}

/// Sends a signal to the container's first process, or to all of its processes.
pub fn kill(store: &Store, id: &str, signal: i32, all: bool) -> Result<()> {
    let record = store.load(id)?;
    if all && !record.own_pid_namespace && !record.cgroup.is_none() {
        return record
            .cgroup
            .signal_all(signal)
            .context("unable to signal the container's processes");
    }
    let status = store.status(&record);
    if status == Status::Stopped {
        if all || !record.own_pid_namespace && signal == libc::SIGKILL {
            return record.cgroup.signal_all(signal);
        }
        return Err(Error::new("container not running"));
    }
    let pidfd = process::pidfd_open(record.pid).context("unable to signal init")?;
    // The pid may have gone to another process since it was looked at.
    if !record.is_alive() {
        return Err(Error::new("container not running"));
    }
    match process::signal(pidfd.as_fd(), signal) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
            return Err(Error::new("container not running"));
        }
        result => result.context("unable to signal init")?,
    }
    // Without a PID namespace, the others outlive the first process.
    if signal == libc::SIGKILL && !record.own_pid_namespace {
        record.cgroup.signal_all(signal)?;
    }
    if signal == libc::SIGKILL && status == Status::Paused {
        record.cgroup.thaw()?;
    }
    Ok(())
}

/// Removes a container. `force` kills it first, and takes a container that is not there for removed.
pub fn delete(store: &Store, id: &str, force: bool) -> Result<()> {
    let record = match store.load(id) {
        Ok(record) => record,
        Err(error) => return delete_remains(store, id, force, error),
    };
    let status = store.status(&record);
    match status {
        Status::Stopped => {}
        Status::Created => end(&record)?,
        _ if force => {
            if status == Status::Paused {
                let _ = process::kill(record.pid, libc::SIGKILL);
                record.cgroup.thaw()?;
            }
            end(&record)?;
        }
        status => {
            return Err(Error::new(format!(
                "cannot delete container {id} that is not stopped: {}",
                status.name()
            )));
        }
    }
    remove(store, &record)
}

/// What a command that was killed has left: a directory without a record.
fn delete_remains(store: &Store, id: &str, force: bool, error: Error) -> Result<()> {
    if !force {
        return Err(error);
    }
    crate::check::id(id)?;
    store::remove_directory(&store.directory(id))
}

/// Kills the first process and waits until it is gone.
fn end(record: &Record) -> Result<()> {
    let Ok(pidfd) = process::pidfd_open(record.pid) else {
        return Ok(());
    };
    if !record.is_alive() {
        return Ok(());
    }
    let _ = process::signal(pidfd.as_fd(), libc::SIGKILL);
    if !process::poll(&[Some(pidfd.as_fd())], 10_000)?[0] {
        return Err(Error::new(format!(
            "process {} did not end within 10 s of SIGKILL",
            record.pid
        )));
    }
    Ok(())
}

/// Removes what a stopped container has: remaining processes, cgroup, directory; then runs its poststop hooks, whose
/// failures are logged, as the spec says.
pub fn remove(store: &Store, record: &Record) -> Result<()> {
    // A record without a pid was left by a command that was killed while it made the container.
    if !record.own_pid_namespace || record.pid == 0 {
        record.cgroup.kill_all()?;
    }
    record.cgroup.delete()?;
    if let Some(class) = &record.rdt {
        class.remove()?;
    }
    host::take_mounts_away(record)?;
    store::remove_directory(&store.directory(&record.id))?;
    hooks::poststop(record);
    Ok(())
}
