//! Limits in the files of cgroup v1.

use super::{Cgroup, set};
use crate::error::{Context, Error, Result};
use crate::oci::{Cpu, DeviceRule, DeviceRuleType, Memory, Resources};
use std::fs;
use std::path::Path;

/// The devices that every container may use beside those of its configuration, as runc has them.
const DEFAULT_DEVICES: &[&str] = &[
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:8 rwm",
    "c 1:7 rwm",
    "c 5:0 rwm",
    "c 1:5 rwm",
    "c 1:9 rwm",
    "c 136:* rwm",
    "c 5:2 rwm",
];

/// A new cpuset is empty, and takes no process until it has the parent's CPUs and memory nodes.
pub fn inherit_cpuset(mountpoint: &Path, path: &Path) -> Result<()> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let file = path.join(name);
        let own = fs::read_to_string(&file).with_context(|| format!("open {}", file.display()))?;
        if !own.trim().is_empty() || path == mountpoint {
            continue;
        }
        let Some(parent) = path.parent() else {
            continue;
        };
        inherit_cpuset(mountpoint, parent)?;
        let from = parent.join(name);
        let value =
            fs::read_to_string(&from).with_context(|| format!("open {}", from.display()))?;
        fs::write(&file, value.trim()).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// Sets all limits.
pub fn apply(cgroup: &Cgroup, resources: &Resources) -> Result<()> {
    let need = |controller: &str, field: &str| {
        cgroup.controller(controller).ok_or_else(|| {
            Error::new(format!(
                "linux.resources.{field}: this host has no {controller} cgroup: remove the field"
            ))
        })
    };
    if let Some(limits) = &resources.memory
        && *limits != Memory::default()
    {
        memory(need("memory", "memory")?, limits)?;
    }
    if let Some(limits) = &resources.cpu
        && *limits != Cpu::default()
    {
        cpu(&need, limits)?;
    }
    if let Some(limit) = resources.pids.and_then(|pids| pids.limit) {
        let value = if limit > 0 {
            limit.to_string()
        } else {
            "max".into()
        };
        if limit != 0 {
            set(need("pids", "pids")?, "pids.limit", "pids.max", value)?;
        }
    }
    for limit in &resources.hugepage_limits {
        let directory = need("hugetlb", "hugepageLimits")?;
        let name = format!("hugetlb.{}.limit_in_bytes", limit.page_size);
        set(directory, "hugepageLimits", &name, limit.limit)?;
    }
    if !resources.unified.is_empty() {
        return Err(Error::new(
            "linux.resources.unified: needs cgroup v2: this host has v1",
        ));
    }
    if let Some(directory) = cgroup.controller("devices") {
        devices(directory, &resources.devices)?;
    }
    Ok(())
}

fn memory(directory: &Path, limits: &Memory) -> Result<()> {
    let limit = |value: i64| set(directory, "memory.limit", "memory.limit_in_bytes", value);
    let swap = |value: i64| {
        set(
            directory,
            "memory.swap",
            "memory.memsw.limit_in_bytes",
            value,
        )
    };
    match (
        limits.limit.filter(|limit| *limit != 0),
        limits.swap.filter(|swap| *swap != 0),
    ) {
        (Some(memory), Some(both)) => {
            // The sum may never be the lower of the two: which goes first depends on what is there.
            if limit(memory).is_ok() {
                swap(both)?;
            } else {
                swap(both)?;
                limit(memory)?;
            }
        }
        (Some(memory), None) => limit(memory)?,
        (None, Some(both)) => swap(both)?,
        (None, None) => {}
    }
    if let Some(value) = limits.reservation.filter(|value| *value != 0) {
        set(
            directory,
            "memory.reservation",
            "memory.soft_limit_in_bytes",
            value,
        )?;
    }
    if let Some(value) = limits.swappiness {
        set(directory, "memory.swappiness", "memory.swappiness", value)?;
    }
    if limits.disable_oom_killer == Some(true) {
        set(
            directory,
            "memory.disableOOMKiller",
            "memory.oom_control",
            1,
        )?;
    }
    Ok(())
}

fn cpu<'a>(need: &impl Fn(&str, &str) -> Result<&'a Path>, limits: &Cpu) -> Result<()> {
    if let Some(value) = limits.shares.filter(|value| *value != 0) {
        set(need("cpu", "cpu")?, "cpu.shares", "cpu.shares", value)?;
    }
    if let Some(value) = limits.period.filter(|value| *value != 0) {
        set(
            need("cpu", "cpu")?,
            "cpu.period",
            "cpu.cfs_period_us",
            value,
        )?;
    }
    if let Some(value) = limits.quota.filter(|value| *value != 0) {
        set(need("cpu", "cpu")?, "cpu.quota", "cpu.cfs_quota_us", value)?;
    }
    if let Some(value) = limits.burst {
        set(need("cpu", "cpu")?, "cpu.burst", "cpu.cfs_burst_us", value)?;
    }
    if let Some(value) = limits.realtime_period.filter(|value| *value != 0) {
        set(
            need("cpu", "cpu")?,
            "cpu.realtimePeriod",
            "cpu.rt_period_us",
            value,
        )?;
    }
    if let Some(value) = limits.realtime_runtime.filter(|value| *value != 0) {
        set(
            need("cpu", "cpu")?,
            "cpu.realtimeRuntime",
            "cpu.rt_runtime_us",
            value,
        )?;
    }
    if let Some(value) = limits.idle {
        set(need("cpu", "cpu")?, "cpu.idle", "cpu.idle", value)?;
    }
    if let Some(value) = &limits.cpus {
        set(need("cpuset", "cpu")?, "cpu.cpus", "cpuset.cpus", value)?;
    }
    if let Some(value) = &limits.mems {
        set(need("cpuset", "cpu")?, "cpu.mems", "cpuset.mems", value)?;
    }
    Ok(())
}

/// Device rules in their order, and those that every container has.
fn devices(directory: &Path, rules: &[DeviceRule]) -> Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    for rule in rules {
        let name = if rule.allow {
            "devices.allow"
        } else {
            "devices.deny"
        };
        set(directory, "devices", name, line(rule))?;
    }
    // A configuration that allows everything needs no more.
    let everything = |rule: &DeviceRule| rule.kind == DeviceRuleType::All && rule.major.is_none();
    if rules
        .iter()
        .rev()
        .find(|rule| everything(rule))
        .is_some_and(|rule| rule.allow)
    {
        return Ok(());
    }
    DEFAULT_DEVICES
        .iter()
        .try_for_each(|line| set(directory, "devices", "devices.allow", line))
}

fn line(rule: &DeviceRule) -> String {
    let number = |number: Option<i64>| match number {
        Some(number) if number >= 0 => number.to_string(),
        _ => "*".into(),
    };
    let kind = match rule.kind {
        DeviceRuleType::All => return "a".into(),
        DeviceRuleType::Char => 'c',
        DeviceRuleType::Block => 'b',
    };
    let access = rule.access.as_deref().unwrap_or("rwm");
    format!(
        "{kind} {}:{} {access}",
        number(rule.major),
        number(rule.minor)
    )
}
