//! config-linux.md, "Control groups": the limits of a container's cgroup.
//!
//! These are written as well as read: the state directory keeps them, and `update` changes them.

use crate::json::{object, words};
use std::collections::BTreeMap;

object! {
    /// The limits of a container's cgroup.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Resources {
        /// Which devices can be used: the last rule that matches decides.
        pub devices: Vec<DeviceRule> = "devices",
        /// Memory.
        pub memory: Option<Memory> = "memory",
        /// CPU time and placement.
        pub cpu: Option<Cpu> = "cpu",
        /// The number of processes.
        pub pids: Option<Pids> = "pids",
        /// Disk input and output.
        pub block_io: Option<BlockIo> = "blockIO",
        /// Huge pages, for each size.
        pub hugepage_limits: Vec<HugepageLimit> = "hugepageLimits",
        /// Network traffic's class and priorities: cgroup v1 only.
        pub network: Option<Network> = "network",
        /// RDMA resources, by device.
        pub rdma: BTreeMap<String, Rdma> = "rdma",
        /// Files of cgroup v2 and what is written to each.
        pub unified: BTreeMap<String, String> = "unified",
    }
}

object! {
    /// A rule on the use of devices.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct DeviceRule {
        /// Whether it allows or denies.
        pub allow: bool = "allow",
        /// Which type of device.
        pub kind: DeviceRuleType = "type",
        /// The major number; any when absent or −1.
        pub major: Option<i64> = "major",
        /// The minor number; any when absent or −1.
        pub minor: Option<i64> = "minor",
        /// Of `r` (read), `w` (write) and `m` (mknod).
        pub access: Option<String> = "access",
    }
}

words! {
    /// Which devices a rule is on.
    DeviceRuleType {
        /// All: the numbers and the access of the rule do not matter.
        All = "a" | "",
        /// Character devices.
        Char = "c",
        /// Block devices.
        Block = "b",
    }
}

object! {
    /// Memory limits.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Memory {
        /// Memory, in bytes; −1 is no limit.
        pub limit: Option<i64> = "limit",
        /// The soft limit, in bytes; −1 is no limit.
        pub reservation: Option<i64> = "reservation",
        /// Memory and swap together, in bytes; −1 is no limit.
        pub swap: Option<i64> = "swap",
        /// Kernel memory, in bytes: deprecated.
        pub kernel: Option<i64> = "kernel",
        /// Kernel memory of TCP buffers, in bytes: cgroup v1 only.
        pub kernel_tcp: Option<i64> = "kernelTCP",
        /// How readily memory is swapped out, 0 to 100: cgroup v1 only.
        pub swappiness: Option<u64> = "swappiness",
        /// Whether processes wait rather than die without memory: cgroup v1 only.
        pub disable_oom_killer: Option<bool> = "disableOOMKiller",
        /// Whether children are accounted here, too: deprecated.
        pub use_hierarchy: Option<bool> = "useHierarchy",
        /// Whether `update` refuses a limit that is below the present use.
        pub check_before_update: Option<bool> = "checkBeforeUpdate",
    }
}

object! {
    /// CPU limits.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Cpu {
        /// The relative share: 1024 is the kernel's default.
        pub shares: Option<u64> = "shares",
        /// CPU time in each period, in microseconds; −1 is no limit.
        pub quota: Option<i64> = "quota",
        /// CPU time that can be saved up beyond the quota, in microseconds.
        pub burst: Option<u64> = "burst",
        /// The period, in microseconds.
        pub period: Option<u64> = "period",
        /// Real-time scheduling in each period, in microseconds: cgroup v1 only.
        pub realtime_runtime: Option<i64> = "realtimeRuntime",
        /// The period of real-time scheduling, in microseconds: cgroup v1 only.
        pub realtime_period: Option<u64> = "realtimePeriod",
        /// The CPUs to run on, as a list like `0-3,7`.
        pub cpus: Option<String> = "cpus",
        /// The memory nodes to use, as a list like `0-3,7`.
        pub mems: Option<String> = "mems",
        /// 1 makes the cgroup idle (`SCHED_IDLE`), 0 does not.
        pub idle: Option<i64> = "idle",
    }
}

object! {
    /// The limit on processes.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Pids {
        /// How many tasks; −1 is no limit.
        pub limit: Option<i64> = "limit",
    }
}

object! {
    /// Disk limits.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct BlockIo {
        /// The relative weight, 10 to 1000.
        pub weight: Option<u16> = "weight",
        /// The weight of the cgroup's own tasks against its children: cgroup v1 only.
        pub leaf_weight: Option<u16> = "leafWeight",
        /// Weights for single devices.
        pub weight_device: Vec<WeightDevice> = "weightDevice",
        /// Most bytes read in a second.
        pub throttle_read_bps_device: Vec<ThrottleDevice> = "throttleReadBpsDevice",
        /// Most bytes written in a second.
        pub throttle_write_bps_device: Vec<ThrottleDevice> = "throttleWriteBpsDevice",
        /// Most reads in a second.
        pub throttle_read_iops_device: Vec<ThrottleDevice> = "throttleReadIOPSDevice",
        /// Most writes in a second.
        pub throttle_write_iops_device: Vec<ThrottleDevice> = "throttleWriteIOPSDevice",
    }
}

object! {
    /// The weight of one block device.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct WeightDevice {
        /// The device's major number.
        pub major: i64 = "major",
        /// The device's minor number.
        pub minor: i64 = "minor",
        /// The relative weight, 10 to 1000.
        pub weight: Option<u16> = "weight",
        /// The weight of the cgroup's own tasks against its children: cgroup v1 only.
        pub leaf_weight: Option<u16> = "leafWeight",
    }
}

object! {
    /// The most that one block device may do.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct ThrottleDevice {
        /// The device's major number.
        pub major: i64 = "major",
        /// The device's minor number.
        pub minor: i64 = "minor",
        /// Bytes or operations in a second.
        pub rate: u64 = "rate",
    }
}

object! {
    /// The limit on huge pages of one size.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct HugepageLimit {
        /// The size, as `2MB` or `1GB`.
        pub page_size: String = "pageSize" | "pagesize",
        /// In bytes.
        pub limit: u64 = "limit",
    }
}

object! {
    /// Marks on network traffic: cgroup v1 only.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Network {
        /// The class of `tc`.
        pub class_id: Option<u32> = "classID",
        /// The priority on each interface.
        pub priorities: Vec<InterfacePriority> = "priorities",
    }
}

object! {
    /// The priority of traffic on one interface.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct InterfacePriority {
        /// The interface, as the runtime's namespace names it.
        pub name: String = "name",
        /// The priority.
        pub priority: u32 = "priority",
    }
}

object! {
    /// The limits on one RDMA device.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Rdma {
        /// How many handles.
        pub hca_handles: Option<u32> = "hcaHandles",
        /// How many objects.
        pub hca_objects: Option<u32> = "hcaObjects",
    }
}
