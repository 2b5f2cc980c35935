//! The processes of a container.

use super::store::Record;
use crate::error::{Context, Error, Result};
use std::fs;
use std::path::PathBuf;

/// The processes' ids, sorted: those in the cgroup, or without one, those in the PID namespace, if it is not ours too.
pub fn processes(record: &Record) -> Result<Vec<i32>> {
    if !record.cgroup.is_none() {
        return record.cgroup.procs();
    }
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    if !record.is_alive() {
        return Ok(Vec::new());
    }
    let own: Option<PathBuf> = namespace(&record.pid.to_string());
    if own.is_none() || own == namespace("self") {
        return Err(Error::new(
            "unable to get all container pids: the container has neither a cgroup nor a PID namespace of its own",
        ));
    }
    let entries = fs::read_dir("/proc").context("open /proc")?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut pids: Vec<i32> = names
        .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
        .filter(|name| namespace(name) == own)
        .filter_map(|name| name.parse().ok())
        .collect();
    pids.sort_unstable();
    Ok(pids)
}
