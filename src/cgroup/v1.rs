//! Limits in the files of cgroup v1.

use super::files::asked;
use super::{Cgroup, blkio, set, write};
use crate::error::{Context, Error, Result};
use crate::oci::{Cpu, Memory, Network, Resources};
use crate::sys::file::{read_record, read_text};
use std::io::ErrorKind;
use std::path::Path;

const CPUSET: [(&str, &str); 2] = [("cpu.cpus", "cpuset.cpus"), ("cpu.mems", "cpuset.mems")];

/// A new cpuset is empty, and takes no process until it has CPUs and memory nodes: those that are asked for, or else the
/// parent's, which may be too many where a cpuset beside it has some for itself. Of one that is known to be `new`, the
/// files need not be read.
pub fn fill_cpuset(mountpoint: &Path, path: &Path, new: bool, asked: Option<&Cpu>) -> Result<()> {
    let Some(parent) = path.parent().filter(|_| path != mountpoint) else {
        return Ok(());
    };
    let read = |directory: &Path, name: &str| {
        let file = directory.join(name);
        read_record(&file).with_context(|| format!("open {}", file.display()))
    };
    let asked = asked.map_or([None, None], |cpu| [cpu.cpus.as_ref(), cpu.mems.as_ref()]);
    for ((field, name), asked) in CPUSET.iter().zip(asked) {
        if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
            if let Err(error) = set(path, field, name, &asked) {
                // A parent that was made on the way has none to give yet.
                if !read(parent, name)?.trim().is_empty() {
                    return Err(error);
                }
                fill_cpuset(mountpoint, parent, false, None)?;
                set(path, field, name, &asked)?;
            }
            continue;
        }
        if !new && !read(path, name)?.trim().is_empty() {
            continue;
        }
        let mut value = read(parent, name)?;
        if value.trim().is_empty() {
            fill_cpuset(mountpoint, parent, false, None)?;
            value = read(parent, name)?;
        }
        write(path, name, value.trim())
            .with_context(|| format!("write {}", path.join(name).display()))?;
    }
    Ok(())
}

/// Sets all limits but the devices, at first or in an `update`.
pub fn apply(cgroup: &Cgroup, resources: &Resources, update: bool) -> Result<()> {
    let need = |controller: &str, field: &str| need(cgroup, controller, field);
    if !resources.unified.is_empty() {
        return Err(Error::new(
            "linux.resources.unified: invalid configuration: cannot use unified on cgroup v1",
        ));
    }
    // What engines write for "none" needs no controller.
    if let Some(limits) = &resources.memory {
        let limits = Memory {
            limit: asked(limits.limit),
            reservation: asked(limits.reservation),
            swap: asked(limits.swap),
            // A new cgroup has its killer, and engines write so where there is no controller, too.
            disable_oom_killer: limits
                .disable_oom_killer
                .filter(|disable| *disable || update),
            // −1, as older engines write "the default".
            swappiness: limits.swappiness.filter(|value| *value != u64::MAX),
            ..Memory::default()
        };
        if limits != Memory::default() {
            memory(need("memory", "memory")?, &limits)?;
        }
    }
    if let Some(limits) = &resources.cpu {
        cpu(&need, limits)?;
    }
    if let Some(limit) = resources.pids.and_then(|pids| pids.limit) {
        set(
            need("pids", "pids.limit")?,
            "pids.limit",
            "pids.max",
            &super::pids(limit),
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

#[inline(never)]
fn need<'a>(cgroup: &'a Cgroup, controller: &str, field: &str) -> Result<&'a Path> {
    cgroup.controller(controller).ok_or_else(|| {
        super::without(&format!(
            "linux.resources.{field}: cannot set {controller} limit: container could not join or create cgroup"
        ))
    })
}

fn memory(directory: &Path, limits: &Memory) -> Result<()> {
    memory_and_swap(directory, limits)?;
    if let Some(value) = limits.reservation {
        let file = "memory.soft_limit_in_bytes";
        set(directory, "memory.reservation", file, &value)?;
    }
    if let Some(disable) = limits.disable_oom_killer {
        let file = "memory.oom_control";
        set(
            directory,
            "memory.disableOOMKiller",
            file,
            &u8::from(disable),
        )?;
    }
    match limits.swappiness {
        None => Ok(()),
        Some(value @ 0..=100) => set(directory, "memory.swappiness", "memory.swappiness", &value),
        Some(value) => Err(Error::new(format!(
            "linux.resources.memory.swappiness: invalid memory swappiness value: {value} (valid range is 0-100)"
        ))),
    }
}

/// The limit on memory may never be above that on memory and swap: which goes first depends on what is there.
fn memory_and_swap(directory: &Path, limits: &Memory) -> Result<()> {
    let swap = |value: i64| {
        let file = "memory.memsw.limit_in_bytes";
        set(directory, "memory.swap", file, &value)
    };
    match (limits.limit, limits.swap) {
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
        shares: asked(limits.shares),
        quota: asked(limits.quota),
        period: asked(limits.period),
        realtime_runtime: asked(limits.realtime_runtime),
        realtime_period: asked(limits.realtime_period),
        burst: limits.burst,
        idle: limits.idle,
        ..Cpu::default()
    };
    if time != Cpu::default() {
        cpu_time(need("cpu", "cpu")?, &time)?;
    }
    for ((field, name), value) in CPUSET.into_iter().zip([&limits.cpus, &limits.mems]) {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            set(need("cpuset", field)?, field, name, &value)?;
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
        limits.realtime_period,
        ("cpu.realtimeRuntime", "cpu.rt_runtime_us"),
        limits.realtime_runtime,
    )?;
    // An idle cgroup takes no shares: what ends that goes before them, and what begins it behind.
    let idle = |wanted: bool| match limits.idle.filter(|idle| (*idle == 1) == wanted) {
        Some(idle) => set(directory, "cpu.idle", "cpu.idle", &idle),
        None => Ok(()),
    };
    idle(false)?;
    if let Some(shares) = limits.shares {
        let (most, least) = (SHARES.end(), SHARES.start());
        let wrong = match shares {
            _ if shares > *most => Some(format!("the maximum allowed cpu-shares is {most}")),
            _ if shares < *least => Some(format!("the minimum allowed cpu-shares is {least}")),
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(Error::new(format!("linux.resources.cpu.shares: {wrong}")));
        }
        set(directory, "cpu.shares", "cpu.shares", &shares)?;
    }
    idle(true)?;
    let quota = limits.quota;
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
        limits.period,
        ("cpu.quota", "cpu.cfs_quota_us"),
        quota,
    )?;
    if let Some(burst) = late {
        set(directory, "cpu.burst", "cpu.cfs_burst_us", &burst)?;
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
        set(directory, time.0, time.1, &value)?;
    }
    if let Some(value) = late {
        set(directory, period.0, period.1, &value)?;
    }
    Ok(())
}

fn network<'a>(need: &impl Fn(&str, &str) -> Result<&'a Path>, marks: &Network) -> Result<()> {
    if let Some(class) = asked(marks.class_id) {
        let field = "network.classID";
        set(need("net_cls", field)?, field, "net_cls.classid", &class)?;
    }
    for marked in &marks.priorities {
        let field = "network.priorities";
        let line = format!("{} {}", marked.name, marked.priority);
        set(need("net_prio", field)?, field, "net_prio.ifpriomap", &line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn cpus_that_are_asked_for_come_first() {
        let root = std::env::temp_dir().join(format!("coracle-unit-cpuset-{}", std::process::id()));
        let child = root.join("child");
        fs::create_dir_all(&child).unwrap();
        for (directory, text) in [(&root, "0-3"), (&child, "")] {
            for name in ["cpuset.cpus", "cpuset.mems"] {
                fs::write(directory.join(name), text).unwrap();
            }
        }
        let asked = Cpu {
            cpus: Some("1".into()),
            mems: Some(String::new()),
            ..Cpu::default()
        };
        let result = fill_cpuset(&root, &child, true, Some(&asked));
        let read = |name: &str| fs::read_to_string(child.join(name)).unwrap();
        let values = (read("cpuset.cpus"), read("cpuset.mems"));
        fs::remove_dir_all(&root).unwrap();
        result.unwrap();
        assert_eq!(values, ("1".into(), "0-3".into()));
    }
}
