//! Limits in the files of cgroup v2.

use super::files::{asked, missing_controller};
use super::weight::weight;
use super::{blkio, named, set, write};
use crate::error::{Context, Error, Result};
use crate::log;
use crate::oci::{Cpu, Memory, Network, Resources};
use crate::sys::file::read_text;
use std::io::ErrorKind;
use std::path::Path;

/// Gives the children every controller that the cgroup has. One that cannot be given is missed, if at all,
/// when its limit is set.
pub fn enable_controllers(path: &Path) {
    let available = read_text(&path.join("cgroup.controllers")).unwrap_or_default();
    let all: Vec<String> = available
        .split_whitespace()
        .map(|controller| format!("+{controller}"))
        .collect();
    let name = "cgroup.subtree_control";
    if all.is_empty() || write(path, name, &all.join(" ")).is_ok() {
        return;
    }
    for one in all {
        let _ = write(path, name, &one);
    }
}

/// Sees that a cgroup that lacks controllers can have processes. Where its parent has some itself, it can as a threaded
/// one, to which nothing but CPU time and the number of processes can be limited: cgroups(7), "Thread mode".
pub fn must_host(path: &Path, resources: Option<&Resources>) -> Result<()> {
    let kind = read_text(&path.join("cgroup.type")).unwrap_or_default();
    let kind = kind.trim();
    let invalid = kind == "domain invalid";
    if !invalid && !kind.ends_with("threaded") {
        return Ok(());
    }
    if resources.is_some_and(needs_domain) {
        let state = match invalid {
            true => "an invalid state: its parent has processes, or is threaded",
            false => kind,
        };
        return Err(Error::new(format!(
            "linux.cgroupsPath: cannot enter cgroupv2 {:?} with domain controllers -- it is in {state}{}",
            path.display(),
            if invalid { "" } else { " mode" }
        )));
    }
    match invalid {
        true => set_type(path),
        false => Ok(()),
    }
}

fn needs_domain(resources: &Resources) -> bool {
    let memory = resources.memory.unwrap_or_default();
    let memory = [memory.limit, memory.reservation, memory.swap];
    memory.into_iter().any(|limit| asked(limit).is_some())
        || resources
            .block_io
            .as_ref()
            .is_some_and(|limits| !blkio::is_empty(limits))
        || !resources.hugepage_limits.is_empty()
}

/// Whether anything is asked for that is written to a file.
pub fn needs_controllers(resources: &Resources) -> bool {
    let cpu = |cpu: &Cpu| {
        let text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        asked(cpu.shares).is_some()
            || asked(cpu.quota).is_some()
            || asked(cpu.period).is_some()
            || cpu.burst.is_some()
            || cpu.idle.is_some()
            || text(&cpu.cpus)
            || text(&cpu.mems)
    };
    needs_domain(resources)
        || resources.cpu.as_ref().is_some_and(cpu)
        || resources.pids.is_some_and(|pids| pids.limit.is_some())
        || !resources.rdma.is_empty()
        || !resources.unified.is_empty()
}

fn set_type(path: &Path) -> Result<()> {
    let name = "cgroup.type";
    write(path, name, "threaded").with_context(|| format!("write {}", path.join(name).display()))
}

/// Sets all limits but the devices.
pub fn apply(path: &Path, resources: &Resources) -> Result<()> {
    if let Some(limit) = resources.pids.and_then(|pids| pids.limit) {
        set(path, "pids.limit", "pids.max", &super::pids(limit))?;
    }
    if let Some(limits) = &resources.memory {
        memory(path, limits)?;
    }
    if let Some(limits) = &resources.block_io {
        blkio::v2(path, limits)?;
    }
    if let Some(limits) = &resources.cpu {
        cpu(path, limits)?;
    }
    super::hugepages(path, &resources.hugepage_limits, "max")?;
    super::rdma(path, &resources.rdma)?;
    warn_of_v1(resources);
    for (name, value) in &resources.unified {
        unified(path, name, value)?;
    }
    Ok(())
}

/// What only v1 has is done without, as engines expect, but not silently.
fn warn_of_v1(resources: &Resources) {
    let memory = resources.memory.unwrap_or_default();
    let cpu = resources.cpu.as_ref();
    let io = resources.block_io.as_ref();
    let network = resources.network.as_ref();
    let given = [
        (
            "memory.swappiness",
            memory.swappiness.is_some_and(|value| value != u64::MAX),
        ),
        (
            "memory.disableOOMKiller",
            memory.disable_oom_killer == Some(true),
        ),
        (
            "cpu.realtimeRuntime",
            cpu.is_some_and(|cpu| asked(cpu.realtime_runtime).is_some()),
        ),
        (
            "blockIO.leafWeight",
            io.is_some_and(|io| asked(io.leaf_weight).is_some()),
        ),
        (
            "network",
            network.is_some_and(|network| *network != Network::default()),
        ),
    ];
    for (field, given) in given {
        if given {
            log::warn(
                &[
                    "linux.resources.",
                    field,
                    ": ignored: cgroup v2 has no such limit",
                ]
                .concat(),
            );
        }
    }
}

/// Writes what the configuration gives for a file, line by line, as the kernel takes it.
fn unified(path: &Path, name: &str, value: &str) -> Result<()> {
    let field = "linux.resources.unified";
    if name.contains('/') {
        return Err(Error::new(format!(
            "{field}: unified resource {name:?} must be a file name (no slashes)"
        )));
    }
    let lines = value.lines().filter(|line| !line.is_empty());
    for line in lines {
        let Err(error) = write(path, name, line) else {
            continue;
        };
        if matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied
        ) {
            if !name.contains('.') {
                return Err(Error::new(format!(
                    "{field}: unified resource {name:?} must be in the form CONTROLLER.PARAMETER"
                )));
            }
            if let Some(controller) = missing_controller(path, name) {
                return Err(Error::new(format!(
                    "{field}: unified resource {name:?} can't be set: controller {controller:?} not available"
                )));
            }
        }
        named(Err(error), path, &format!("unified.{name}"), name)?;
    }
    Ok(())
}

fn max(limit: i64) -> String {
    if limit < 0 {
        "max".into()
    } else {
        limit.to_string()
    }
}

fn memory(path: &Path, limits: &Memory) -> Result<()> {
    let memory = limits.limit.unwrap_or(0);
    let both = limits.swap.unwrap_or(0);
    check_use(path, limits)?;
    if let Some(value) = swap(both, memory)? {
        match write(path, "memory.swap.max", &value) {
            // A kernel without swap need not be told not to, or to use as much as there is.
            Err(error)
                if error.kind() == ErrorKind::NotFound && (value == "max" || value == "0") => {}
            result => named(result, path, "memory.swap", "memory.swap.max")?,
        }
    }
    if memory != 0 {
        set(path, "memory.limit", "memory.max", &max(memory))?;
    }
    if let Some(limit) = asked(limits.reservation) {
        set(path, "memory.reservation", "memory.low", &max(limit))?;
    }
    Ok(())
}

/// v2 kills to get below a limit: `checkBeforeUpdate` asks to be refused instead.
pub fn check_use(path: &Path, limits: &Memory) -> Result<()> {
    if limits.check_before_update != Some(true) {
        return Ok(());
    }
    let (memory, both) = (limits.limit.unwrap_or(0), limits.swap.unwrap_or(0));
    let text = read_text(&path.join("memory.current")).unwrap_or_default();
    let Ok(usage) = text.trim().parse::<i64>() else {
        return Ok(());
    };
    for (field, what, limit) in [("swap", "memory+swap", both), ("limit", "memory", memory)] {
        if limit > 0 && limit <= usage {
            return Err(Error::new(format!(
                "linux.resources.memory.{field}: rejecting {what} limit {limit} <= usage {usage}"
            )));
        }
    }
    Ok(())
}

/// v1 limits the sum of memory and swap, v2 swap alone. 0 is unset. Nothing is to be written where there is no result.
pub fn swap(both: i64, memory: i64) -> Result<Option<String>> {
    let fail = |what: &str| Err(Error::new(format!("linux.resources.memory.swap: {what}")));
    match (both, memory) {
        // As on v1: no limit on memory is none on swap.
        (0, -1) | (-1, _) => Ok(Some("max".into())),
        (0, _) => Ok(None),
        (_, -1) => Ok(Some(max(both))),
        (_, 0) => fail("unable to set swap limit without memory limit"),
        (_, memory) if memory < 0 => fail(&format!("invalid memory value: {memory}")),
        (both, memory) if both < memory => fail("memory+swap limit should be >= memory limit"),
        (both, memory) => Ok(Some((both - memory).to_string())),
    }
}

fn cpu(path: &Path, limits: &Cpu) -> Result<()> {
    // An idle cgroup takes no weight: what ends that goes before the weight, and what begins it behind.
    let idle = |wanted: bool| match limits.idle.filter(|idle| (*idle == 1) == wanted) {
        Some(idle) => set(path, "cpu.idle", "cpu.idle", &idle),
        None => Ok(()),
    };
    idle(false)?;
    if let Some(shares) = asked(limits.shares) {
        set(path, "cpu.shares", "cpu.weight", &weight(shares))?;
    }
    idle(true)?;
    let quota = asked(limits.quota);
    let period = asked(limits.period);
    let mut late = None;
    if let Some(burst) = limits.burst {
        match write(path, "cpu.max.burst", &burst.to_string()) {
            // A burst above the quota that is there must wait for the new one.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && quota.is_some() => {
                late = Some(burst);
            }
            result => named(result, path, "cpu.burst", "cpu.max.burst")?,
        }
    }
    let value = match (quota, period) {
        (None, None) => None,
        // The period that is there stays.
        (Some(quota), None) => Some(max(quota)),
        (quota, Some(period)) => Some(format!("{} {period}", max(quota.unwrap_or(-1)))),
    };
    if let Some(value) = value {
        set(path, "cpu.quota", "cpu.max", &value)?;
    }
    if let Some(burst) = late {
        set(path, "cpu.burst", "cpu.max.burst", &burst)?;
    }
    for (field, name, value) in [
        ("cpu.cpus", "cpuset.cpus", &limits.cpus),
        ("cpu.mems", "cpuset.mems", &limits.mems),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            set(path, field, name, value)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_is_what_remains() {
        let is = |text: &str| Some(text.to_string());
        assert_eq!(swap(300, 100).unwrap(), is("200"));
        assert_eq!(swap(100, 100).unwrap(), is("0"));
        assert_eq!(swap(-1, 100).unwrap(), is("max"));
        assert_eq!(swap(0, -1).unwrap(), is("max"));
        assert_eq!(swap(300, -1).unwrap(), is("300"));
        assert_eq!(swap(0, 100).unwrap(), None);
        assert!(swap(50, 100).is_err());
        assert!(swap(50, 0).is_err());
        assert!(swap(50, -2).is_err());
    }
}
