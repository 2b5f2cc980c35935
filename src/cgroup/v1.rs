//! Limits in the files of cgroup v1.

use super::{Cgroup, blkio, set, write};
use crate::error::{Context, Error, Result};
use crate::oci::{Cpu, Memory, Network, Resources};
use crate::sys::file::{read_record, read_text};
use std::io::ErrorKind;
use std::path::Path;

/// A new cpuset is empty, and takes no process until it has the parent's CPUs and memory nodes. Of one that is known to
/// be `new`, the files need not be read.
pub fn inherit_cpuset(mountpoint: &Path, path: &Path, new: bool) -> Result<()> {
    let Some(parent) = path.parent().filter(|_| path != mountpoint) else {
        return Ok(());
    };
    let read = |directory: &Path, name: &str| {
        let file = directory.join(name);
        read_record(&file).with_context(|| format!("open {}", file.display()))
    };
    for name in ["cpuset.cpus", "cpuset.mems"] {
        if !new && !read(path, name)?.trim().is_empty() {
            continue;
        }
        let mut value = read(parent, name)?;
        if value.trim().is_empty() {
            inherit_cpuset(mountpoint, parent, false)?;
            value = read(parent, name)?;
        }
        write(path, name, value.trim())
            .with_context(|| format!("write {}", path.join(name).display()))?;
    }
    Ok(())
}

/// Sets all limits but the devices.
pub fn apply(cgroup: &Cgroup, resources: &Resources) -> Result<()> {
    let need = |controller: &str, field: &str| {
        cgroup.controller(controller).ok_or_else(|| {
            Error::new(format!(
                "linux.resources.{field}: cannot set {controller} limit: container could not join or create cgroup"
            ))
        })
    };
    if !resources.unified.is_empty() {
        return Err(Error::new(
            "linux.resources.unified: invalid configuration: cannot use unified on cgroup v1",
        ));
    }
    if let Some(limits) = &resources.memory
        && *limits != Memory::default()
    {
        memory(need("memory", "memory")?, limits)?;
    }
    if let Some(limits) = &resources.cpu {
        cpu(&need, limits)?;
    }
    if let Some(limit) = resources.pids.and_then(|pids| pids.limit) {
        set(
            need("pids", "pids.limit")?,
            "pids.limit",
            "pids.max",
            super::pids(limit),
        )?;
    }
    if let Some(limits) = &resources.block_io
        && !blkio::is_empty(limits)
    {
        blkio::v1(need("blkio", "blockIO")?, limits)?;
    }
    if !resources.hugepage_limits.is_empty() {
        super::hugepages(
            need("hugetlb", "hugepageLimits")?,
            &resources.hugepage_limits,
            "limit_in_bytes",
        )?;
    }
    if let Some(marks) = &resources.network {
        network(&need, marks)?;
    }
    if !resources.rdma.is_empty() {
        super::rdma(need("rdma", "rdma")?, &resources.rdma)?;
    }
    Ok(())
}

fn memory(directory: &Path, limits: &Memory) -> Result<()> {
    memory_and_swap(directory, limits)?;
    if let Some(value) = limits.reservation.filter(|value| *value != 0) {
        let file = "memory.soft_limit_in_bytes";
        set(directory, "memory.reservation", file, value)?;
    }
    if limits.disable_oom_killer == Some(true) {
        let file = "memory.oom_control";
        set(directory, "memory.disableOOMKiller", file, 1)?;
    }
    match limits.swappiness {
        // −1, as older engines write "the default".
        None | Some(u64::MAX) => Ok(()),
        Some(value @ 0..=100) => set(directory, "memory.swappiness", "memory.swappiness", value),
        Some(value) => Err(Error::new(format!(
            "linux.resources.memory.swappiness: invalid memory swappiness value: {value} (valid range is 0-100)"
        ))),
    }
}

/// The limit on memory may never be above that on memory and swap: which goes first depends on what is there.
fn memory_and_swap(directory: &Path, limits: &Memory) -> Result<()> {
    let swap = |value: i64| {
        let file = "memory.memsw.limit_in_bytes";
        set(directory, "memory.swap", file, value)
    };
    let asked = |value: Option<i64>| value.filter(|value| *value != 0);
    match (asked(limits.limit), asked(limits.swap)) {
        (Some(memory), Some(-1)) => {
            swap(-1)?;
            limit(directory, memory)
        }
        (Some(memory), Some(both)) => match write(directory, LIMIT, &memory.to_string()) {
            Ok(()) => swap(both),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                swap(both)?;
                limit(directory, memory)
            }
            Err(_) => limit(directory, memory).and_then(|()| swap(both)),
        },
        // Without any limit on memory there is none on swap, where the kernel counts it.
        (Some(-1), None) => {
            match write(directory, "memory.memsw.limit_in_bytes", "-1") {
                Err(error) if error.kind() != ErrorKind::NotFound => swap(-1)?,
                _ => {}
            }
            limit(directory, -1)
        }
        (Some(memory), None) => limit(directory, memory),
        (None, Some(both)) => swap(both),
        (None, None) => Ok(()),
    }
}

const LIMIT: &str = "memory.limit_in_bytes";

fn limit(directory: &Path, value: i64) -> Result<()> {
    match write(directory, LIMIT, &value.to_string()) {
        // The use could not be brought below it.
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            let read = |name: &str| {
                let text = read_text(&directory.join(name)).unwrap_or_default();
                text.trim().to_string()
            };
            Err(Error::new(format!(
                "linux.resources.memory.limit: unable to set memory limit to {value} (current usage: {}, peak usage: {})",
                read("memory.usage_in_bytes"),
                read("memory.max_usage_in_bytes")
            )))
        }
        result => super::named(result, directory, "memory.limit", LIMIT),
    }
}

fn cpu<'a>(need: &impl Fn(&str, &str) -> Result<&'a Path>, limits: &Cpu) -> Result<()> {
    let time = Cpu {
        cpus: None,
        mems: None,
        ..limits.clone()
    };
    if time != Cpu::default() {
        cpu_time(need("cpu", "cpu")?, limits)?;
    }
    for (field, name, value) in [
        ("cpu.cpus", "cpuset.cpus", &limits.cpus),
        ("cpu.mems", "cpuset.mems", &limits.mems),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            set(need("cpuset", field)?, field, name, value)?;
        }
    }
    Ok(())
}

/// The kernel's bounds of `cpu.shares`, to which it brings other values silently.
const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;

fn cpu_time(directory: &Path, limits: &Cpu) -> Result<()> {
    // Before a process in a real-time class joins.
    pair(
        directory,
        ("cpu.realtimePeriod", "cpu.rt_period_us"),
        limits.realtime_period.filter(|value| *value != 0),
        ("cpu.realtimeRuntime", "cpu.rt_runtime_us"),
        limits.realtime_runtime.filter(|value| *value != 0),
    )?;
    // An idle cgroup takes no shares: what ends that goes before them, and what begins it behind.
    let idle = |wanted: bool| match limits.idle.filter(|idle| (*idle == 1) == wanted) {
        Some(idle) => set(directory, "cpu.idle", "cpu.idle", idle),
        None => Ok(()),
    };
    idle(false)?;
    if let Some(shares) = limits.shares.filter(|value| *value != 0) {
        let (most, least) = (SHARES.end(), SHARES.start());
        let wrong = match shares {
            _ if shares > *most => Some(format!("the maximum allowed cpu-shares is {most}")),
            _ if shares < *least => Some(format!("the minimum allowed cpu-shares is {least}")),
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(Error::new(format!("linux.resources.cpu.shares: {wrong}")));
        }
        set(directory, "cpu.shares", "cpu.shares", shares)?;
    }
    idle(true)?;
    let quota = limits.quota.filter(|value| *value != 0);
    // A burst above the quota that is there must wait for the new one.
    let burst = limits.burst.map(|burst| burst.to_string());
    let mut late = None;
    if let Some(burst) = burst {
        match write(directory, "cpu.cfs_burst_us", &burst) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && quota.is_some() => {
                late = Some(burst);
            }
            // Kernels before 5.14 do not have it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => super::named(result, directory, "cpu.burst", "cpu.cfs_burst_us")?,
        }
    }
    pair(
        directory,
        ("cpu.period", "cpu.cfs_period_us"),
        limits.period.filter(|value| *value != 0),
        ("cpu.quota", "cpu.cfs_quota_us"),
        quota,
    )?;
    if let Some(burst) = late {
        set(directory, "cpu.burst", "cpu.cfs_burst_us", burst)?;
    }
    Ok(())
}

/// A period and the time in it. The kernel refuses the period when the time that is there does not go with it: then
/// the time goes first.
fn pair(
    directory: &Path,
    period: (&str, &str),
    period_value: Option<u64>,
    time: (&str, &str),
    time_value: Option<i64>,
) -> Result<()> {
    let mut late = None;
    if let Some(value) = period_value {
        match write(directory, period.1, &value.to_string()) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && time_value.is_some() => {
                late = Some(value);
            }
            result => super::named(result, directory, period.0, period.1)?,
        }
    }
    if let Some(value) = time_value {
        set(directory, time.0, time.1, value)?;
    }
    if let Some(value) = late {
        set(directory, period.0, period.1, value)?;
    }
    Ok(())
}

fn network<'a>(need: &impl Fn(&str, &str) -> Result<&'a Path>, marks: &Network) -> Result<()> {
    if let Some(class) = marks.class_id.filter(|class| *class != 0) {
        let field = "network.classID";
        set(need("net_cls", field)?, field, "net_cls.classid", class)?;
    }
    for marked in &marks.priorities {
        let field = "network.priorities";
        let line = format!("{} {}", marked.name, marked.priority);
        set(need("net_prio", field)?, field, "net_prio.ifpriomap", line)?;
    }
    Ok(())
}
