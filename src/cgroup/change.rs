//! What `update` changes of a cgroup's limits.
//!
//! Its input is what engines send: of a limit that is not to change they write nothing, or 0.

use crate::oci::{BlockIo, Cpu, HugepageLimit, Memory, Resources, ThrottleDevice, WeightDevice};
use std::mem::replace;

/// The kernel's default of `cpu.period`, in microseconds.
pub const PERIOD_USEC: u64 = 100_000;

/// What an update comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// To be written: what was asked for, and what the kernel or the conversion to v2 must have with it.
    pub write: Resources,
    /// What brings the old limits back; where there was none, the default, as far as there is one that can be written.
    pub undo: Resources,
    /// All limits that hold from then on.
    pub keep: Resources,
}

/// Takes over each of the options that is given, and remembers what it was, or else the kernel's default.
macro_rules! take {
    ($keep:ident $undo:ident $asked:ident: $($field:ident $(= $default:expr)?),+) => {$(
        if $asked.$field.is_some() {
            $undo.$field = replace(&mut $keep.$field, $asked.$field.clone())$(.or(Some($default)))?;
        }
    )+};
}

impl Change {
    /// From the limits that hold, `keep`, to those that are `asked` for.
    pub fn new(mut keep: Resources, mut asked: Resources) -> Change {
        let mut undo = Resources::default();
        if asked.devices == keep.devices {
            // Engines send the rules of the configuration again: what others have added to them since stays.
            asked.devices.clear();
        } else if !asked.devices.is_empty() {
            undo.devices = replace(&mut keep.devices, asked.devices.clone());
        }
        if let Some(asked) = &mut asked.memory {
            memory(
                keep.memory.get_or_insert_default(),
                undo.memory.insert(Memory::default()),
                asked,
            );
        }
        if let Some(asked) = &mut asked.cpu {
            cpu(
                keep.cpu.get_or_insert_default(),
                undo.cpu.insert(Cpu::default()),
                asked,
            );
        }
        if let Some(asked) = &asked.pids {
            let (keep, undo) = (
                keep.pids.get_or_insert_default(),
                undo.pids.get_or_insert_default(),
            );
            take!(keep undo asked: limit = -1);
        }
        if let Some(asked) = &mut asked.block_io {
            block_io(
                keep.block_io.get_or_insert_default(),
                undo.block_io.insert(BlockIo::default()),
                asked,
            );
        }
        for limit in &asked.hugepage_limits {
            let same = |known: &&mut HugepageLimit| known.page_size == limit.page_size;
            match keep.hugepage_limits.iter_mut().rfind(same) {
                Some(known) => undo.hugepage_limits.push(replace(known, limit.clone())),
                None => keep.hugepage_limits.push(limit.clone()),
            }
        }
        if let Some(asked) = &asked.network {
            undo.network = keep.network.replace(asked.clone());
        }
        for (device, limit) in &asked.rdma {
            if let Some(old) = keep.rdma.insert(device.clone(), *limit) {
                undo.rdma.insert(device.clone(), old);
            }
        }
        for (file, value) in &asked.unified {
            if let Some(old) = keep.unified.insert(file.clone(), value.clone()) {
                undo.unified.insert(file.clone(), old);
            }
        }
        Change {
            write: asked,
            undo,
            keep,
        }
    }
}

/// 0 is no limit that one could want: engines mean that they want none changed.
fn unset<T: Default + PartialEq>(value: &mut Option<T>) {
    if value.as_ref() == Some(&T::default()) {
        *value = None;
    }
}

fn memory(keep: &mut Memory, undo: &mut Memory, asked: &mut Memory) {
    unset(&mut asked.limit);
    unset(&mut asked.reservation);
    unset(&mut asked.swap);
    if asked.disable_oom_killer == Some(false) && keep.disable_oom_killer != Some(true) {
        asked.disable_oom_killer = None;
    }
    let (limit, swap) = (keep.limit, keep.swap);
    take!(keep undo asked: limit, reservation, swap, swappiness, disable_oom_killer = false);
    match (asked.limit, asked.swap) {
        // Without a limit on memory there is none on swap either.
        (Some(-1), None) => keep.swap = None,
        (Some(_), None) => asked.swap = swap,
        (None, Some(_)) => asked.limit = limit,
        _ => {}
    }
    if asked.limit.is_some() || asked.swap.is_some() {
        (undo.limit, undo.swap) = (limit.or(Some(-1)), swap.or(asked.swap.map(|_| -1)));
    }
}

fn cpu(keep: &mut Cpu, undo: &mut Cpu, asked: &mut Cpu) {
    unset(&mut asked.shares);
    unset(&mut asked.quota);
    unset(&mut asked.period);
    unset(&mut asked.realtime_runtime);
    unset(&mut asked.realtime_period);
    let (quota, period) = (keep.quota, keep.period);
    take!(keep undo asked: shares = 1024, quota = -1, burst = 0, period = PERIOD_USEC, realtime_runtime,
        realtime_period, cpus, mems, idle = 0);
    // v2 takes the period together with the quota, and systemd the quota together with the period.
    match (asked.quota, asked.period) {
        (None, Some(_)) => (asked.quota, undo.quota) = (quota, quota),
        (Some(_), None) => (asked.period, undo.period) = (period, period),
        _ => {}
    }
}

fn block_io(keep: &mut BlockIo, undo: &mut BlockIo, asked: &mut BlockIo) {
    unset(&mut asked.weight);
    unset(&mut asked.leaf_weight);
    take!(keep undo asked: weight, leaf_weight);
    for asked in &asked.weight_device {
        let same =
            |known: &&mut WeightDevice| (known.major, known.minor) == (asked.major, asked.minor);
        match keep.weight_device.iter_mut().rfind(same) {
            Some(keep) => {
                let mut undo_one = WeightDevice {
                    major: asked.major,
                    minor: asked.minor,
                    ..WeightDevice::default()
                };
                let old = &mut undo_one;
                take!(keep old asked: weight, leaf_weight);
                undo.weight_device.push(undo_one);
            }
            None => keep.weight_device.push(*asked),
        }
    }
    for (keep, undo, asked) in [
        (
            &mut keep.throttle_read_bps_device,
            &mut undo.throttle_read_bps_device,
            &asked.throttle_read_bps_device,
        ),
        (
            &mut keep.throttle_write_bps_device,
            &mut undo.throttle_write_bps_device,
            &asked.throttle_write_bps_device,
        ),
        (
            &mut keep.throttle_read_iops_device,
            &mut undo.throttle_read_iops_device,
            &asked.throttle_read_iops_device,
        ),
        (
            &mut keep.throttle_write_iops_device,
            &mut undo.throttle_write_iops_device,
            &asked.throttle_write_iops_device,
        ),
    ] {
        for device in asked {
            let same = |known: &&mut ThrottleDevice| {
                (known.major, known.minor) == (device.major, device.minor)
            };
            match keep.iter_mut().rfind(same) {
                Some(known) => undo.push(replace(known, *device)),
                None => {
                    keep.push(*device);
                    // A rate of 0 is none.
                    undo.push(ThrottleDevice { rate: 0, ..*device });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(keep: &str, asked: &str) -> Change {
        let read = |text: &str| crate::json::parse(text.as_bytes(), "").unwrap();
        Change::new(read(keep), read(asked))
    }

    fn text(resources: &Resources) -> String {
        String::from_utf8(crate::json::text(resources)).unwrap()
    }

    #[test]
    fn zeroes_change_nothing() {
        let keep = r#"{"memory":{"limit":100},"cpu":{"shares":7}}"#;
        let docker = r#"{"memory":{"limit":0,"reservation":0,"swap":0,"kernel":0},
            "cpu":{"shares":0,"quota":0,"period":0,"cpus":"","mems":""},"blockIO":{"weight":0}}"#;
        let change = change(keep, docker);
        assert_eq!(change.keep.memory.unwrap().limit, Some(100));
        assert_eq!(change.keep.cpu.unwrap().shares, Some(7));
        let write = change.write;
        assert_eq!(
            text(&write),
            r#"{"memory":{"kernel":0},"cpu":{},"blockIO":{}}"#
        );
    }

    #[test]
    fn memory_and_swap_go_together() {
        let keep = r#"{"memory":{"limit":100,"swap":200}}"#;
        let both = |asked: &str| {
            let change = change(keep, asked);
            let of = |resources: Resources| {
                let memory = resources.memory.unwrap();
                (memory.limit, memory.swap)
            };
            [of(change.write), of(change.undo), of(change.keep)]
        };
        let old = (Some(100), Some(200));
        let raised = (Some(150), Some(200));
        assert_eq!(both(r#"{"memory":{"limit":150}}"#), [raised, old, raised]);
        let more = (Some(100), Some(300));
        assert_eq!(both(r#"{"memory":{"swap":300}}"#), [more, old, more]);
        let none = (Some(-1), None);
        assert_eq!(both(r#"{"memory":{"limit":-1}}"#), [none, old, none]);
        assert_eq!(
            both(r#"{"memory":{"reservation":5}}"#),
            [(None, None), (None, None), old]
        );
    }

    #[test]
    fn a_period_brings_the_quota_along() {
        let change = change(
            r#"{"cpu":{"quota":500,"period":1000}}"#,
            r#"{"cpu":{"period":900}}"#,
        );
        assert_eq!(text(&change.write), r#"{"cpu":{"quota":500,"period":900}}"#);
        assert_eq!(text(&change.undo), r#"{"cpu":{"quota":500,"period":1000}}"#);
        assert_eq!(change.keep, change.write);
    }

    #[test]
    fn a_device_is_updated_or_added() {
        let keep = r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":5},{"major":8,"minor":0,"rate":6}]}}"#;
        let asked = r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":7},{"major":8,"minor":1,"rate":9}]}}"#;
        let change = change(keep, asked);
        let rates = |resources: Resources| -> Vec<u64> {
            let devices = resources.block_io.unwrap().throttle_read_bps_device;
            devices.iter().map(|device| device.rate).collect()
        };
        assert_eq!(rates(change.keep), [5, 7, 9]);
        assert_eq!(rates(change.write), [7, 9]);
        assert_eq!(rates(change.undo), [6, 0]);
    }

    #[test]
    fn what_had_no_limit_gets_the_default_back() {
        let undo = |keep: &str, asked: &str| text(&change(keep, asked).undo);
        assert_eq!(
            undo(
                "{}",
                r#"{"cpu":{"shares":5,"quota":5,"burst":5,"period":5,"idle":1},"pids":{"limit":5}}"#
            ),
            r#"{"cpu":{"shares":1024,"quota":-1,"burst":0,"period":100000,"idle":0},"pids":{"limit":-1}}"#
        );
        assert_eq!(
            undo("{}", r#"{"memory":{"limit":5}}"#),
            r#"{"memory":{"limit":-1}}"#
        );
        let known = r#"{"memory":{"limit":5}}"#;
        assert_eq!(
            undo(known, r#"{"memory":{"limit":6,"swap":7}}"#),
            r#"{"memory":{"limit":5,"swap":-1}}"#
        );
    }

    #[test]
    fn an_oom_killer_is_only_brought_back_where_there_is_none() {
        let killer = |keep: &str| change(keep, r#"{"memory":{"disableOOMKiller":false}}"#).write;
        let memory = |resources: Resources| resources.memory.unwrap().disable_oom_killer;
        assert_eq!(memory(killer("{}")), None);
        let disabled = r#"{"memory":{"disableOOMKiller":true}}"#;
        assert_eq!(memory(killer(disabled)), Some(false));
    }

    #[test]
    fn devices_that_are_sent_again_are_left_alone() {
        let rules = r#"{"devices":[{"allow":false,"access":"rwm"}]}"#;
        assert_eq!(change(rules, rules).write, Resources::default());
        assert_eq!(change("{}", rules).write, change("{}", rules).keep);
    }
}
