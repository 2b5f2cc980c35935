//! config-linux.md, without resources and seccomp.

use super::{IdMapping, Resources, Seccomp};
use crate::json::{object, words};
use std::collections::BTreeMap;

object! {
    /// Everything that only Linux has.
    #[derive(Debug, Clone, Default)]
    pub struct Linux {
        /// The user ids of the user namespace.
        pub uid_mappings: Vec<IdMapping> = "uidMappings",
        /// The group ids of the user namespace.
        pub gid_mappings: Vec<IdMapping> = "gidMappings",
        /// Kernel parameters by name, with `.` or `/` between the parts.
        pub sysctl: BTreeMap<String, String> = "sysctl",
        /// The cgroup's limits.
        pub resources: Option<Resources> = "resources",
        /// The cgroup: a path, or `slice:prefix:name` for systemd.
        pub cgroups_path: Option<String> = "cgroupsPath",
        /// The namespaces that are made or joined; those not listed are the runtime's own.
        pub namespaces: Vec<Namespace> = "namespaces",
        /// The device nodes that are made.
        pub devices: Vec<Device> = "devices",
        /// The network devices that move into the container, by their names outside.
        pub net_devices: BTreeMap<String, NetDevice> = "netDevices",
        /// The system call filter.
        pub seccomp: Option<Seccomp> = "seccomp",
        /// How mounts below the root filesystem propagate.
        pub rootfs_propagation: Option<Propagation> = "rootfsPropagation",
        /// Paths inside that cannot be read.
        pub masked_paths: Vec<String> = "maskedPaths",
        /// Paths inside that cannot be written.
        pub readonly_paths: Vec<String> = "readonlyPaths",
        /// The SELinux label of the mounts.
        pub mount_label: Option<String> = "mountLabel",
        /// Intel's cache and memory bandwidth allocation.
        pub intel_rdt: Option<IntelRdt> = "intelRdt",
        /// The NUMA memory policy.
        pub memory_policy: Option<MemoryPolicy> = "memoryPolicy",
        /// The execution domain.
        pub personality: Option<Personality> = "personality",
        /// The offsets of the time namespace's clocks.
        pub time_offsets: BTreeMap<Clock, TimeOffset> = "timeOffsets",
    }
}

impl Linux {
    /// The entry for the namespace of this type, when there is one.
    pub fn namespace(&self, kind: NamespaceType) -> Option<&Namespace> {
        self.namespaces
            .iter()
            .find(|namespace| namespace.kind == kind)
    }
}

object! {
    /// A namespace of the container.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Namespace {
        /// Its type.
        pub kind: NamespaceType = required "type",
        /// The namespace file to join; a new namespace is made when there is none.
        pub path: Option<String> = "path",
    }
}

words! {
    /// A type of namespace.
    NamespaceType {
        Cgroup = "cgroup",
        Ipc = "ipc",
        Mount = "mount",
        Network = "network",
        Pid = "pid",
        Time = "time",
        User = "user",
        Uts = "uts",
    }
}

object! {
    /// A device node to make.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Device {
        /// Its type.
        pub kind: DeviceType = required "type",
        /// Where it is made, as an absolute path inside.
        pub path: String = required "path",
        /// The major number; of no meaning for a FIFO.
        pub major: i64 = "major",
        /// The minor number; of no meaning for a FIFO.
        pub minor: i64 = "minor",
        /// The permission bits.
        pub file_mode: Option<u32> = "fileMode",
        /// The owner, as an id inside.
        pub uid: Option<u32> = "uid",
        /// The group, as an id inside.
        pub gid: Option<u32> = "gid",
    }
}

words! {
    /// A type of device node.
    DeviceType {
        /// A character device.
        Char = "c",
        /// The same, by its older name: an unbuffered character device.
        Unbuffered = "u",
        /// A block device.
        Block = "b",
        /// A FIFO.
        Fifo = "p",
    }
}

object! {
    /// What becomes of a network device that moves into the container.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct NetDevice {
        /// Its name inside; as outside when absent.
        pub name: Option<String> = "name",
    }
}

words! {
    /// How mounts propagate. The `r` forms act on everything below, too.
    Propagation {
        Private = "private",
        Rprivate = "rprivate",
        Slave = "slave",
        // The empty string is Go's way to say nothing, and this is what happens then.
        Rslave = "rslave" | "",
        Shared = "shared",
        Rshared = "rshared",
        Unbindable = "unbindable",
        Runbindable = "runbindable",
    }
}

object! {
    /// Intel's resource director: a class of service and what it may use.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct IntelRdt {
        /// The class, a directory of resctrl; named after the container when absent, and `/` is the default class.
        pub clos_id: Option<String> = "closID",
        /// Lines of the `schemata` file.
        pub schemata: Vec<String> = "schemata",
        /// L3 cache lines of the `schemata` file.
        pub l3_cache_schema: Option<String> = "l3CacheSchema",
        /// Memory bandwidth line of the `schemata` file.
        pub mem_bw_schema: Option<String> = "memBwSchema",
        /// Whether the container gets its own monitoring group.
        pub enable_monitoring: bool = "enableMonitoring",
    }
}

object! {
    /// The arguments of set_mempolicy(2).
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct MemoryPolicy {
        /// The mode.
        pub mode: MemoryPolicyMode = required "mode",
        /// The NUMA nodes, as a list like `0-3,7`.
        pub nodes: String = "nodes",
        /// Flags.
        pub flags: Vec<MemoryPolicyFlag> = "flags",
    }
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

object! {
    /// The argument of personality(2).
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Personality {
        /// The execution domain.
        pub domain: PersonalityDomain = required "domain",
        /// Further flags: the spec defines none.
        pub flags: Vec<String> = "flags",
    }
}

words! {
    /// An execution domain.
    PersonalityDomain {
        /// The machine's own.
        Linux = "LINUX",
        /// The 32-bit one: uname(2) names a 32-bit machine.
        Linux32 = "LINUX32",
    }
}

words! {
    /// A clock of the time namespace.
    Clock {
        /// `CLOCK_BOOTTIME`.
        Boottime = "boottime",
        /// `CLOCK_MONOTONIC`.
        Monotonic = "monotonic",
    }
}

object! {
    /// How far a clock inside is ahead of the host's.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct TimeOffset {
        /// Whole seconds.
        pub secs: i64 = "secs",
        /// And nanoseconds.
        pub nanosecs: u32 = "nanosecs",
    }
}
