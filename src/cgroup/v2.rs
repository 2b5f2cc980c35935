//! Limits in the files of cgroup v2.

use super::set;
use crate::error::{Error, Result};
use crate::oci::{Cpu, Memory, Resources};
use std::fs;
use std::path::Path;

/// Gives the children every controller that the cgroup has. One that cannot be given is missed, if at all,
/// when its limit is set.
pub fn enable_controllers(path: &Path) {
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
    let enabled = read("cgroup.subtree_control");
    for controller in read("cgroup.controllers").split_whitespace() {
        if !enabled.split_whitespace().any(|known| known == controller) {
            let _ = fs::write(
                path.join("cgroup.subtree_control"),
                format!("+{controller}"),
            );
        }
    }
}

/// Sets all limits.
pub fn apply(path: &Path, resources: &Resources) -> Result<()> {
    if let Some(limits) = &resources.memory {
        memory(path, limits)?;
    }
    if let Some(limits) = &resources.cpu {
        cpu(path, limits)?;
    }
    if let Some(limit) = resources
        .pids
        .and_then(|pids| pids.limit)
        .filter(|limit| *limit != 0)
    {
        set(path, "pids.limit", "pids.max", max(limit))?;
    }
    for limit in &resources.hugepage_limits {
        let name = format!("hugetlb.{}.max", limit.page_size);
        set(path, "hugepageLimits", &name, limit.limit)?;
    }
    for (name, value) in &resources.unified {
        if name.contains('/') {
            return Err(Error::new(format!(
                "linux.resources.unified: {name:?} is not the name of a file"
            )));
        }
        set(path, &format!("unified.{name}"), name, value)?;
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
    if let Some(both) = limits.swap.filter(|swap| *swap != 0) {
        set(
            path,
            "memory.swap",
            "memory.swap.max",
            swap(both, limits.limit.unwrap_or(0))?,
        )?;
    }
    if let Some(limit) = limits.limit.filter(|limit| *limit != 0) {
        set(path, "memory.limit", "memory.max", max(limit))?;
    }
    if let Some(limit) = limits.reservation.filter(|limit| *limit != 0) {
        set(path, "memory.reservation", "memory.low", max(limit))?;
    }
    Ok(())
}

/// v1 limits the sum of memory and swap, v2 swap alone.
fn swap(both: i64, memory: i64) -> Result<String> {
    if both < 0 {
        return Ok("max".into());
    }
    if memory <= 0 {
        return Err(Error::new(
            "linux.resources.memory.swap: needs memory.limit beside it",
        ));
    }
    match both - memory {
        swap if swap >= 0 => Ok(swap.to_string()),
        _ => Err(Error::new(
            "linux.resources.memory.swap: must not be lower than memory.limit",
        )),
    }
}

fn cpu(path: &Path, limits: &Cpu) -> Result<()> {
    if let Some(shares) = limits.shares.filter(|shares| *shares != 0) {
        set(path, "cpu.shares", "cpu.weight", weight(shares))?;
    }
    if limits.quota.is_some_and(|quota| quota != 0)
        || limits.period.is_some_and(|period| period != 0)
    {
        let quota = limits
            .quota
            .filter(|quota| *quota > 0)
            .map_or("max".into(), |quota| quota.to_string());
        let period = limits
            .period
            .filter(|period| *period != 0)
            .unwrap_or(100_000);
        set(path, "cpu.quota", "cpu.max", format!("{quota} {period}"))?;
    }
    if let Some(burst) = limits.burst {
        set(path, "cpu.burst", "cpu.max.burst", burst)?;
    }
    if let Some(idle) = limits.idle {
        set(path, "cpu.idle", "cpu.idle", idle)?;
    }
    if let Some(cpus) = &limits.cpus {
        set(path, "cpu.cpus", "cpuset.cpus", cpus)?;
    }
    if let Some(mems) = &limits.mems {
        set(path, "cpu.mems", "cpuset.mems", mems)?;
    }
    Ok(())
}

/// Shares (2 to 262144, 1024 the default) as a weight (1 to 10000, 100 the default): a quadratic function of the
/// logarithm that meets all three points.
fn weight(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    let log = (shares as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    10f64.powf(exponent).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_weights() {
        assert_eq!([2, 1024, 262_144].map(weight), [1, 100, 10_000]);
    }

    #[test]
    fn swap_is_what_remains() {
        assert_eq!(swap(300, 100).unwrap(), "200");
        assert_eq!(swap(-1, 100).unwrap(), "max");
        assert!(swap(50, 100).is_err());
        assert!(swap(50, 0).is_err());
    }
}
