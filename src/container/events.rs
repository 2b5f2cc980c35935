//! Watching a container: its statistics, and when it runs out of memory.

use super::resctrl_stats;
use super::store::{self, Record, Store};
use crate::cgroup::OutOfMemory;
use crate::error::{Context, Error, Result};
use crate::log;
use crate::oci::Status;
use crate::sys::process;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Gives `print` a line of JSON for each event, until the container has ended or `print` says that nobody listens: the
/// statistics each `interval`, or at once and no more without one.
pub fn events(
    store: &Store,
    id: &str,
    interval: Option<Duration>,
    print: &mut dyn FnMut(&str) -> bool,
) -> Result<()> {
    let record = store.load(id)?;
    let stopped = || Error::new(format!("container with id {id} is not running"));
    if matches!(store.status(&record), Status::Creating | Status::Stopped) {
        return Err(stopped());
    }
    let Some(interval) = interval else {
        print(&stats(&record)?);
        return Ok(());
    };
    let pidfd = process::pidfd_open(record.pid).map_err(|_| stopped())?;
    // The number may have gone to another process since it was looked at.
    if !record.is_alive() {
        return Err(stopped());
    }
    let mut memory = match OutOfMemory::watch(&record.cgroup) {
        Ok(memory) => Some(memory),
        Err(error) => {
            log::warn(&format!("no events of memory running out: {error}"));
            None
        }
    };
    let mut due = Instant::now() + interval;
    loop {
        let left = due.saturating_duration_since(Instant::now());
        // Rounded up, so as not to wake just before the time.
        let left = left
            .as_micros()
            .div_ceil(1000)
            .try_into()
            .unwrap_or(i32::MAX);
        let fds = [memory.as_ref().map(OutOfMemory::fd), Some(pidfd.as_fd())];
        let ready = process::poll(&fds, left)?;
        // The process may have been ended by its lack of memory: that is told first.
        if let Some(memory) = &mut memory
            && (ready[0] || ready[1])
            && memory.take()?
            && !print(&format!("{{\"type\":\"oom\",\"id\":\"{id}\"}}\n"))
        {
            return Ok(());
        }
        if ready[1] {
            return Ok(());
        }
        if Instant::now() < due {
            continue;
        }
        due = (due + interval).max(Instant::now());
        match stats(&record) {
            Ok(line) if print(&line) => {}
            Ok(_) => return Ok(()),
            // It is removed while it is looked at, as soon as no process is in it: that is before its last one has ended.
            Err(_) if store::is_ending(record.pid) || !record.is_alive() => return Ok(()),
            Err(error) => log::error(&error.to_string()),
        }
    }
}

fn stats(record: &Record) -> Result<String> {
    let rdt = resctrl_stats::json(record.rdt.as_ref()).context("unable to get Intel RDT stats")?;
    let stats = record.cgroup.stats(&rdt)?;
    let id = &record.id;
    Ok(format!(
        "{{\"type\":\"stats\",\"id\":\"{id}\",\"data\":{stats}}}\n"
    ))
}
