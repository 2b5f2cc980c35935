//! config-linux.md, "Control groups": the limits of a container's cgroup.
//!
//! These are written as well as read: the state directory keeps them, and `update` changes them.

use super::{null, text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The limits of a container's cgroup.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// Which devices can be used: the last rule that matches decides.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceRule>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// CPU time and placement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// The number of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<Pids>,
    /// Disk input and output.
    #[serde(rename = "blockIO", skip_serializing_if = "Option::is_none")]
    pub block_io: Option<BlockIo>,
    /// Huge pages, for each size.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub hugepage_limits: Vec<HugepageLimit>,
    /// Network traffic's class and priorities: cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// RDMA resources, by device.
    #[serde(deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub rdma: BTreeMap<String, Rdma>,
    /// Files of cgroup v2 and what is written to each.
    #[serde(deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub unified: BTreeMap<String, String>,
}

/// A rule on the use of devices.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceRule {
    /// Whether it allows or denies.
    #[serde(deserialize_with = "null")]
    pub allow: bool,
    /// Which type of device.
    #[serde(rename = "type", deserialize_with = "null")]
    pub kind: DeviceRuleType,
    /// The major number; any when absent or −1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    /// The minor number; any when absent or −1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// Of `r` (read), `w` (write) and `m` (mknod).
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
}

/// Which devices a rule is on.
#[derive(Deserialize, Serialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceRuleType {
    /// All: the numbers and the access of the rule do not matter.
    #[default]
    #[serde(rename = "a", alias = "")]
    All,
    /// Character devices.
    #[serde(rename = "c")]
    Char,
    /// Block devices.
    #[serde(rename = "b")]
    Block,
}

/// Memory limits.
#[derive(Deserialize, Serialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// Memory, in bytes; −1 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The soft limit, in bytes; −1 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation: Option<i64>,
    /// Memory and swap together, in bytes; −1 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<i64>,
    /// Kernel memory, in bytes: deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<i64>,
    /// Kernel memory of TCP buffers, in bytes: cgroup v1 only.
    #[serde(rename = "kernelTCP", skip_serializing_if = "Option::is_none")]
    pub kernel_tcp: Option<i64>,
    /// How readily memory is swapped out, 0 to 100: cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<u64>,
    /// Whether processes wait rather than die without memory: cgroup v1 only.
    #[serde(rename = "disableOOMKiller", skip_serializing_if = "Option::is_none")]
    pub disable_oom_killer: Option<bool>,
    /// Whether children are accounted here, too: deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_hierarchy: Option<bool>,
    /// Whether `update` refuses a limit that is below the present use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_before_update: Option<bool>,
}

/// CPU limits.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Cpu {
    /// The relative share: 1024 is the kernel's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shares: Option<u64>,
    /// CPU time in each period, in microseconds; −1 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<i64>,
    /// CPU time that can be saved up beyond the quota, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// The period, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
    /// Real-time scheduling in each period, in microseconds: cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realtime_runtime: Option<i64>,
    /// The period of real-time scheduling, in microseconds: cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realtime_period: Option<u64>,
    /// The CPUs to run on, as a list like `0-3,7`.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    /// The memory nodes to use, as a list like `0-3,7`.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub mems: Option<String>,
    /// 1 makes the cgroup idle (`SCHED_IDLE`), 0 does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<i64>,
}

/// The limit on processes.
#[derive(Deserialize, Serialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Pids {
    /// How many tasks; −1 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// Disk limits.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockIo {
    /// The relative weight, 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// The weight of the cgroup's own tasks against its children: cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_weight: Option<u16>,
    /// Weights for single devices.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub weight_device: Vec<WeightDevice>,
    /// Most bytes read in a second.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Most bytes written in a second.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Most reads in a second.
    #[serde(
        rename = "throttleReadIOPSDevice",
        deserialize_with = "null",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Most writes in a second.
    #[serde(
        rename = "throttleWriteIOPSDevice",
        deserialize_with = "null",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub throttle_write_iops_device: Vec<ThrottleDevice>,
}

/// The weight of one block device.
#[derive(Deserialize, Serialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct WeightDevice {
    /// The device's major number.
    #[serde(deserialize_with = "null")]
    pub major: i64,
    /// The device's minor number.
    #[serde(deserialize_with = "null")]
    pub minor: i64,
    /// The relative weight, 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// The weight of the cgroup's own tasks against its children: cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_weight: Option<u16>,
}

/// The most that one block device may do.
#[derive(Deserialize, Serialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ThrottleDevice {
    /// The device's major number.
    #[serde(deserialize_with = "null")]
    pub major: i64,
    /// The device's minor number.
    #[serde(deserialize_with = "null")]
    pub minor: i64,
    /// Bytes or operations in a second.
    #[serde(deserialize_with = "null")]
    pub rate: u64,
}

/// The limit on huge pages of one size.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct HugepageLimit {
    /// The size, as `2MB` or `1GB`.
    #[serde(deserialize_with = "null", alias = "pagesize")]
    pub page_size: String,
    /// In bytes.
    #[serde(deserialize_with = "null")]
    pub limit: u64,
}

/// Marks on network traffic: cgroup v1 only.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Network {
    /// The class of `tc`.
    #[serde(rename = "classID", skip_serializing_if = "Option::is_none")]
    pub class_id: Option<u32>,
    /// The priority on each interface.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<InterfacePriority>,
}

/// The priority of traffic on one interface.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct InterfacePriority {
    /// The interface, as the runtime's namespace names it.
    #[serde(deserialize_with = "null")]
    pub name: String,
    /// The priority.
    #[serde(deserialize_with = "null")]
    pub priority: u32,
}

/// The limits on one RDMA device.
#[derive(Deserialize, Serialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Rdma {
    /// How many handles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hca_handles: Option<u32>,
    /// How many objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hca_objects: Option<u32>,
}
