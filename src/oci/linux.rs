//! config-linux.md, without resources and seccomp.

use super::{IdMapping, Resources, Seccomp, null, text};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Everything that only Linux has.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Linux {
    /// The user ids of the user namespace.
    #[serde(deserialize_with = "null")]
    pub uid_mappings: Vec<IdMapping>,
    /// The group ids of the user namespace.
    #[serde(deserialize_with = "null")]
    pub gid_mappings: Vec<IdMapping>,
    /// Kernel parameters by name, with `.` or `/` between the parts.
    #[serde(deserialize_with = "null")]
    pub sysctl: BTreeMap<String, String>,
    /// The cgroup's limits.
    pub resources: Option<Resources>,
    /// The cgroup: a path, or `slice:prefix:name` for systemd.
    #[serde(deserialize_with = "text")]
    pub cgroups_path: Option<String>,
    /// The namespaces that are made or joined; those not listed are the runtime's own.
    #[serde(deserialize_with = "null")]
    pub namespaces: Vec<Namespace>,
    /// The device nodes that are made.
    #[serde(deserialize_with = "null")]
    pub devices: Vec<Device>,
    /// The network devices that move into the container, by their names outside.
    #[serde(deserialize_with = "null")]
    pub net_devices: BTreeMap<String, NetDevice>,
    /// The system call filter.
    pub seccomp: Option<Seccomp>,
    /// How mounts below the root filesystem propagate.
    pub rootfs_propagation: Option<Propagation>,
    /// Paths inside that cannot be read.
    #[serde(deserialize_with = "null")]
    pub masked_paths: Vec<String>,
    /// Paths inside that cannot be written.
    #[serde(deserialize_with = "null")]
    pub readonly_paths: Vec<String>,
    /// The SELinux label of the mounts.
    #[serde(deserialize_with = "text")]
    pub mount_label: Option<String>,
    /// Intel's cache and memory bandwidth allocation.
    pub intel_rdt: Option<IntelRdt>,
    /// The NUMA memory policy.
    pub memory_policy: Option<MemoryPolicy>,
    /// The execution domain.
    pub personality: Option<Personality>,
    /// The offsets of the time namespace's clocks.
    #[serde(deserialize_with = "null")]
    pub time_offsets: BTreeMap<Clock, TimeOffset>,
}

impl Linux {
    /// The entry for the namespace of this type, when there is one.
    pub fn namespace(&self, kind: NamespaceType) -> Option<&Namespace> {
        self.namespaces
            .iter()
            .find(|namespace| namespace.kind == kind)
    }
}

/// A namespace of the container.
#[derive(Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: NamespaceType,
    /// The namespace file to join; a new namespace is made when there is none.
    #[serde(default, deserialize_with = "text")]
    pub path: Option<String>,
}

/// A type of namespace.
#[allow(missing_docs)] // the names say it: see namespaces(7)
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum NamespaceType {
    Cgroup,
    Ipc,
    Mount,
    Network,
    Pid,
    Time,
    User,
    Uts,
}

impl NamespaceType {
    /// All of them, in the order of their names.
    pub const ALL: [NamespaceType; 8] = [
        NamespaceType::Cgroup,
        NamespaceType::Ipc,
        NamespaceType::Mount,
        NamespaceType::Network,
        NamespaceType::Pid,
        NamespaceType::Time,
        NamespaceType::User,
        NamespaceType::Uts,
    ];

    /// The word of the spec.
    pub fn name(self) -> &'static str {
        match self {
            NamespaceType::Cgroup => "cgroup",
            NamespaceType::Ipc => "ipc",
            NamespaceType::Mount => "mount",
            NamespaceType::Network => "network",
            NamespaceType::Pid => "pid",
            NamespaceType::Time => "time",
            NamespaceType::User => "user",
            NamespaceType::Uts => "uts",
        }
    }
}

/// A device node to make.
#[derive(Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: DeviceType,
    /// Where it is made, as an absolute path inside.
    pub path: String,
    /// The major number; of no meaning for a FIFO.
    #[serde(default, deserialize_with = "null")]
    pub major: i64,
    /// The minor number; of no meaning for a FIFO.
    #[serde(default, deserialize_with = "null")]
    pub minor: i64,
    /// The permission bits.
    pub file_mode: Option<u32>,
    /// The owner, as an id inside.
    pub uid: Option<u32>,
    /// The group, as an id inside.
    pub gid: Option<u32>,
}

/// A type of device node.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceType {
    /// A character device.
    #[serde(rename = "c")]
    Char,
    /// The same, by its older name: an unbuffered character device.
    #[serde(rename = "u")]
    Unbuffered,
    /// A block device.
    #[serde(rename = "b")]
    Block,
    /// A FIFO.
    #[serde(rename = "p")]
    Fifo,
}

/// What becomes of a network device that moves into the container.
#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(default)]
pub struct NetDevice {
    /// Its name inside; as outside when absent.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
}

/// How mounts propagate. The `r` forms act on everything below, too.
#[allow(missing_docs)] // the names say it: see mount_namespaces(7)
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    Private,
    Rprivate,
    Slave,
    // The empty string is Go's way to say nothing, and this is what happens then.
    #[serde(alias = "")]
    Rslave,
    Shared,
    Rshared,
    Unbindable,
    Runbindable,
}

/// Intel's resource director: a class of service and what it may use.
#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct IntelRdt {
    /// The class, a directory of resctrl; named after the container when absent, and `/` is the default class.
    #[serde(rename = "closID", deserialize_with = "text")]
    pub clos_id: Option<String>,
    /// Lines of the `schemata` file.
    #[serde(deserialize_with = "null")]
    pub schemata: Vec<String>,
    /// L3 cache lines of the `schemata` file.
    #[serde(deserialize_with = "text")]
    pub l3_cache_schema: Option<String>,
    /// Memory bandwidth line of the `schemata` file.
    #[serde(deserialize_with = "text")]
    pub mem_bw_schema: Option<String>,
    /// Whether the container gets its own monitoring group.
    #[serde(deserialize_with = "null")]
    pub enable_monitoring: bool,
}

/// The arguments of set_mempolicy(2).
#[derive(Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// The mode.
    pub mode: MemoryPolicyMode,
    /// The NUMA nodes, as a list like `0-3,7`.
    #[serde(default, deserialize_with = "null")]
    pub nodes: String,
    /// Flags.
    #[serde(default, deserialize_with = "null")]
    pub flags: Vec<MemoryPolicyFlag>,
}

words! {
    /// A NUMA memory policy, in the order of the kernel's numbers: see set_mempolicy(2).
    MemoryPolicyMode {
        Default = "MPOL_DEFAULT",
        Preferred = "MPOL_PREFERRED",
        Bind = "MPOL_BIND",
        Interleave = "MPOL_INTERLEAVE",
        Local = "MPOL_LOCAL",
        PreferredMany = "MPOL_PREFERRED_MANY",
        WeightedInterleave = "MPOL_WEIGHTED_INTERLEAVE",
    }
}

words! {
    /// A flag of set_mempolicy(2).
    MemoryPolicyFlag {
        NumaBalancing = "MPOL_F_NUMA_BALANCING",
        RelativeNodes = "MPOL_F_RELATIVE_NODES",
        StaticNodes = "MPOL_F_STATIC_NODES",
    }
}

/// The argument of personality(2).
#[derive(Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Personality {
    /// The execution domain.
    pub domain: PersonalityDomain,
    /// Further flags: the spec defines none.
    #[serde(default, deserialize_with = "null")]
    pub flags: Vec<String>,
}

/// An execution domain.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonalityDomain {
    /// The machine's own.
    #[serde(rename = "LINUX")]
    Linux,
    /// The 32-bit one: uname(2) names a 32-bit machine.
    #[serde(rename = "LINUX32")]
    Linux32,
}

/// A clock of the time namespace.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// `CLOCK_BOOTTIME`.
    Boottime,
    /// `CLOCK_MONOTONIC`.
    Monotonic,
}

impl Clock {
    /// The word of the spec, and of `/proc/self/timens_offsets`.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Boottime => "boottime",
            Clock::Monotonic => "monotonic",
        }
    }
}

/// How far a clock inside is ahead of the host's.
#[derive(Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(default)]
pub struct TimeOffset {
    /// Whole seconds.
    #[serde(deserialize_with = "null")]
    pub secs: i64,
    /// And nanoseconds.
    #[serde(deserialize_with = "null")]
    pub nanosecs: u32,
}
