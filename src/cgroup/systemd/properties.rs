//! Limits as properties of a unit: systemd.resource-control(5). Systemd writes them into the same files as we do, and
//! again whenever it is reloaded: without the properties it would undo the limits then.
//!
//! What systemd has no property for is in the files alone.

use super::super::change::PERIOD_USEC;
use super::super::devices::{self, Exception, Policy};
use super::super::v2;
use super::super::weight::weight;
use super::value::Value;
use crate::error::{Context, Error, Result};
use crate::log;
use crate::oci::{Cpu, Resources};

/// A property.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// As on D-Bus, which is not always as in unit files.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// Done without where systemd is too old for it: the files have it too.
    pub optional: bool,
}

const INFINITY: u64 = u64::MAX;

#[derive(Default)]
struct List(Vec<Property>);

impl List {
    fn add(&mut self, name: &'static str, value: Value) {
        self.0.push(Property {
            name,
            value,
            optional: false,
        });
    }

    fn number(&mut self, name: &'static str, number: u64) {
        self.add(name, Value::number(number));
    }

    fn optional(&mut self, name: &'static str, value: Value) {
        self.0.push(Property {
            name,
            value,
            optional: true,
        });
    }
}

/// The properties that the limits come to. A CPU quota is rounded up to what systemd can express, in the resources too.
pub fn of(
    resources: &mut Resources,
    policy: Option<&Policy>,
    unified: bool,
) -> Result<Vec<Property>> {
    let mut list = List::default();
    if let Some(policy) = policy {
        device_rules(&mut list, policy);
    }
    if let Some(memory) = &resources.memory {
        let limit = memory.limit.filter(|limit| *limit != 0);
        if let Some(limit) = limit {
            let name = if unified { "MemoryMax" } else { "MemoryLimit" };
            list.number(name, amount(limit));
        }
        if unified {
            if let Some(low) = memory.reservation.filter(|low| *low != 0) {
                list.number("MemoryLow", amount(low));
            }
            if let Some(swap) = v2::swap(memory.swap.unwrap_or(0), limit.unwrap_or(0))? {
                list.number(
                    "MemorySwapMax",
                    maximum(&swap).context("linux.resources.memory.swap")?,
                );
            }
        }
    }
    if let Some(cpu) = &mut resources.cpu {
        self::cpu(&mut list, cpu, unified)?;
    }
    if let Some(weight) = resources.block_io.as_ref().and_then(|io| io.weight)
        && !unified
        && weight != 0
    {
        list.number("BlockIOWeight", weight.into());
    }
    if let Some(limit) = resources.pids.and_then(|pids| pids.limit) {
        list.number("TasksMax", if limit == 0 { 1 } else { amount(limit) });
    }
    if unified {
        let idle = resources.unified.get("cpu.idle");
        if idle.is_some_and(|idle| idle.trim() == "1")
            && resources.unified.remove("cpu.weight").is_some()
        {
            log::warn(
                "unable to apply both cpu.weight and cpu.idle to systemd, ignoring cpu.weight",
            );
        }
        for (file, value) in &resources.unified {
            self::unified(&mut list, file, value.trim())
                .map_err(|error| error.wrap(format_args!("linux.resources.unified.{file}")))?;
        }
    }
    Ok(list.0)
}

fn amount(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(INFINITY)
}

fn cpu(list: &mut List, cpu: &mut Cpu, unified: bool) -> Result<()> {
    let idle = unified && cpu.idle == Some(1);
    if idle {
        // This is how to say it to systemd.
        list.optional("CPUWeight", Value::number(0));
    }
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
        match unified {
            false => list.number("CPUShares", shares),
            true if idle => {
                log::warn(
                    "unable to apply both cpu.shares and cpu.idle to systemd, ignoring cpu.shares",
                );
                cpu.shares = None;
            }
            true => list.number("CPUWeight", weight(shares)),
        }
    }
    let (quota, period) = (cpu.quota.unwrap_or(0), cpu.period.unwrap_or(0));
    let rounded = cpu_quota(list, quota, period);
    if rounded != quota {
        cpu.quota = Some(rounded);
    }
    for (field, name, value) in [
        ("cpus", "AllowedCPUs", &cpu.cpus),
        ("mems", "AllowedMemoryNodes", &cpu.mems),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            let bits =
                bits(value).with_context(|| format!("linux.resources.cpu.{field}={value:?}"))?;
            list.optional(name, Value::bytes(&bits));
        }
    }
    Ok(())
}

/// Quota and period, in microseconds; 0 where there is none. Systemd knows whole percents of a CPU only: returns the
/// quota rounded up to that.
fn cpu_quota(list: &mut List, quota: i64, period: u64) -> i64 {
    const PERCENT: u64 = 10_000;
    if period != 0 {
        list.optional("CPUQuotaPeriodUSec", Value::number(period));
    }
    if quota == 0 && period == 0 {
        return quota;
    }
    let mut rounded = quota;
    let mut per_second = INFINITY;
    if let Ok(quota @ 1..) = u64::try_from(quota) {
        let period = if period == 0 { PERIOD_USEC } else { period };
        per_second = quota.saturating_mul(1_000_000) / period;
        if !per_second.is_multiple_of(PERCENT) {
            per_second = per_second.next_multiple_of(PERCENT);
            rounded = (per_second.saturating_mul(period) / 1_000_000) as i64;
        }
    }
    list.number("CPUQuotaPerSecUSec", per_second);
    rounded
}

/// A file of cgroup v2, as far as systemd has a property for it.
fn unified(list: &mut List, file: &str, value: &str) -> Result<()> {
    if file.contains('/') {
        return Err(Error::new(format!(
            "unified resource {file:?} must be a file name (no slashes)"
        )));
    }
    if file.find('.').is_none_or(|at| at == 0) {
        return Err(Error::new(format!(
            "unified resource {file:?} must be in the form CONTROLLER.PARAMETER"
        )));
    }
    match file {
        "cpu.idle" if value == "1" => list.optional("CPUWeight", Value::number(0)),
        "cpu.weight" => list.number("CPUWeight", maximum(value)?),
        "cpu.max" => {
            let mut fields = value.split_whitespace();
            let quota = match fields.next() {
                Some("max") => 0,
                Some(quota) => maximum(quota).context("quota")? as i64,
                None => return Err(Error::new("a quota, and maybe a period")),
            };
            let period = fields
                .next()
                .map_or(Ok(PERIOD_USEC), maximum)
                .context("period")?;
            cpu_quota(list, quota, period);
        }
        "cpuset.cpus" => list.optional("AllowedCPUs", Value::bytes(&bits(value)?)),
        "cpuset.mems" => list.optional("AllowedMemoryNodes", Value::bytes(&bits(value)?)),
        "memory.high" => list.number("MemoryHigh", maximum(value)?),
        "memory.low" => list.number("MemoryLow", maximum(value)?),
        "memory.min" => list.number("MemoryMin", maximum(value)?),
        "memory.max" => list.number("MemoryMax", maximum(value)?),
        "memory.swap.max" => list.number("MemorySwapMax", maximum(value)?),
        "pids.max" => list.number("TasksMax", maximum(value)?.max(1)),
        _ => {}
    }
    Ok(())
}

/// A number, or `max`.
fn maximum(text: &str) -> Result<u64> {
    match text {
        "max" => Ok(INFINITY),
        text => text
            .parse()
            .map_err(|_| Error::new(format!("{text:?} is no number"))),
    }
}

/// What can only be said of a unit when it is made: whether all of it is killed with the one that has no memory.
pub fn at_start(resources: &Resources) -> Option<Property> {
    let policy = match resources.unified.get("memory.oom.group")?.trim() {
        "0" => "continue",
        "1" => "kill",
        _ => return None,
    };
    Some(Property {
        name: "OOMPolicy",
        value: Value::text(policy),
        optional: true,
    })
}

/// A list of CPUs or memory nodes, such as `0-3,7`, as a set of bits with the lowest first.
fn bits(list: &str) -> Result<Vec<u8>> {
    /// More than the kernel can be built for.
    const MOST: usize = 1 << 16;
    let mut bits = Vec::new();
    for range in list
        .split(',')
        .map(str::trim)
        .filter(|range| !range.is_empty())
    {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
            return Err(Error::new(format!("{range:?} is no number and no range")));
        };
        if first > last || last >= MOST {
            return Err(Error::new(format!("invalid range: {range}")));
        }
        if bits.len() <= last / 8 {
            bits.resize(last / 8 + 1, 0);
        }
        for bit in first..=last {
            bits[bit / 8] |= 1 << (bit % 8);
        }
    }
    match bits.is_empty() {
        true => Err(Error::new("empty value")),
        false => Ok(bits),
    }
}

/// Which devices may be used. Systemd cannot say that all but some may: then nothing may, until our own rules replace
/// its.
fn device_rules(list: &mut List, policy: &Policy) {
    const ALLOW: &str = "DeviceAllow";
    let allowed = |entries| Value::Array("(ss)".into(), entries);
    list.add(ALLOW, allowed(Vec::new()));
    if policy.allow && policy.exceptions.is_empty() {
        return list.add("DevicePolicy", Value::text("auto"));
    }
    list.add("DevicePolicy", Value::text("strict"));
    if !policy.allow {
        let entries = policy.exceptions.iter().filter_map(device);
        list.add(ALLOW, allowed(entries.collect()));
    }
}

/// One device or several, as systemd names them. It cannot name a minor number of any major.
fn device(exception: &Exception) -> Option<Value> {
    let kind = if exception.block { "block" } else { "char" };
    let name = match (exception.major, exception.minor) {
        (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
        (Some(major), None) => format!("{kind}-{major}"),
        (None, None) => format!("{kind}-*"),
        (None, Some(_)) => return None,
    };
    let letters = [
        (devices::READ, 'r'),
        (devices::WRITE, 'w'),
        (devices::MKNOD, 'm'),
    ];
    let access: String = letters
        .iter()
        .filter(|(bit, _)| exception.access & bit != 0)
        .map(|(_, letter)| *letter)
        .collect();
    Some(Value::Struct(vec![
        Value::text(&name),
        Value::text(&access),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(json: &str) -> (Vec<(&'static str, Value)>, Resources) {
        let mut resources: Resources = crate::json::parse(json.as_bytes(), "").unwrap();
        let list = of(&mut resources, None, true).unwrap();
        let pairs = list
            .into_iter()
            .map(|property| (property.name, property.value));
        (pairs.collect(), resources)
    }

    #[test]
    fn limits_become_properties() {
        let (list, resources) = properties(
            r#"{"memory": {"limit": 1000, "swap": 3000, "reservation": 500}, "pids": {"limit": 0},
                "cpu": {"shares": 1024, "quota": 4001, "period": 10000, "cpus": "0,9-10"}}"#,
        );
        assert_eq!(
            list,
            [
                ("MemoryMax", Value::number(1000)),
                ("MemoryLow", Value::number(500)),
                ("MemorySwapMax", Value::number(2000)),
                ("CPUWeight", Value::number(100)),
                ("CPUQuotaPeriodUSec", Value::number(10000)),
                ("CPUQuotaPerSecUSec", Value::number(410_000)),
                ("AllowedCPUs", Value::bytes(&[1, 6])),
                ("TasksMax", Value::number(1)),
            ]
        );
        assert_eq!(resources.cpu.unwrap().quota, Some(4100));
    }

    #[test]
    fn files_become_properties() {
        let (list, _) = properties(
            r#"{"unified": {"cpu.idle": "1", "cpu.weight": "5", "cpu.max": "max 20000", "memory.high": "max",
                "pids.max": "0", "hugetlb.2MB.max": "1"}}"#,
        );
        assert_eq!(
            list,
            [
                ("CPUWeight", Value::number(0)),
                ("CPUQuotaPeriodUSec", Value::number(20000)),
                ("CPUQuotaPerSecUSec", Value::number(INFINITY)),
                ("MemoryHigh", Value::number(INFINITY)),
                ("TasksMax", Value::number(1)),
            ]
        );
        for wrong in [
            r#"{"unified": {"a/b.c": "1"}}"#,
            r#"{"unified": {"nodot": "1"}}"#,
            r#"{"unified": {"memory.max": "much"}}"#,
            r#"{"cpu": {"cpus": "3-1"}}"#,
            r#"{"cpu": {"mems": "a"}}"#,
        ] {
            let mut resources: Resources = crate::json::parse(wrong.as_bytes(), "").unwrap();
            assert!(of(&mut resources, None, true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn device_rules_become_properties() {
        let names = |allow, exceptions| {
            let mut list = List::default();
            device_rules(&mut list, &Policy { allow, exceptions });
            let text = |property: &Property| format!("{:?}", property.value);
            list.0.iter().map(text).collect::<String>()
        };
        assert!(names(true, Vec::new()).contains("auto"));
        let zero = Exception {
            block: false,
            major: Some(1),
            minor: Some(5),
            access: devices::READ | devices::MKNOD,
        };
        let all = names(
            false,
            vec![
                zero,
                Exception {
                    minor: None,
                    ..zero
                },
            ],
        );
        assert!(
            all.contains("/dev/char/1:5") && all.contains("\"rm\"") && all.contains("char-1\"")
        );
        assert!(!names(true, vec![zero]).contains("/dev/char"));
    }
}
