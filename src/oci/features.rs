//! features.md and features-linux.md: what the runtime can do, as `features` prints it.

use crate::json::object;
use std::collections::BTreeMap;

object! {
    /// What the runtime recognises and implements, whatever the host allows.
    #[derive(Debug, Clone, Default)]
    pub struct Features {
        /// The lowest version of the specification that is understood.
        pub oci_version_min: String = "ociVersionMin",
        /// The highest version of the specification that is understood.
        pub oci_version_max: String = "ociVersionMax",
        /// The names of the hooks.
        pub hooks: Vec<String> = always "hooks",
        /// The mount options.
        pub mount_options: Vec<String> = always "mountOptions",
        /// What only Linux has.
        pub linux: LinuxFeatures = "linux",
        /// The runtime's own notes.
        pub annotations: BTreeMap<String, String> = "annotations",
        /// Annotations of a configuration that can change how the container is run; one ending in `.` is a prefix.
        pub potentially_unsafe_config_annotations: Vec<String> = "potentiallyUnsafeConfigAnnotations",
    }
}

object! {
    /// The features that only Linux has.
    #[derive(Debug, Clone, Default)]
    pub struct LinuxFeatures {
        /// The namespace types.
        pub namespaces: Vec<String> = always "namespaces",
        /// The capabilities.
        pub capabilities: Vec<String> = always "capabilities",
        /// Cgroup managers.
        pub cgroup: CgroupFeatures = "cgroup",
        /// System call filters.
        pub seccomp: SeccompFeatures = "seccomp",
        /// AppArmor.
        pub apparmor: Enabled = "apparmor",
        /// SELinux.
        pub selinux: Enabled = "selinux",
        /// Intel's resource director.
        pub intel_rdt: IntelRdtFeatures = "intelRdt",
        /// NUMA memory policies.
        pub memory_policy: MemoryPolicyFeatures = "memoryPolicy",
        /// Extensions of mounts.
        pub mount_extensions: MountExtensions = "mountExtensions",
        /// Moving network devices into the container.
        pub net_devices: Enabled = "netDevices",
    }
}

object! {
    /// Whether a feature is compiled in.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Enabled {
        /// Whether it is.
        pub enabled: bool = "enabled",
    }
}

object! {
    /// The cgroup managers that are compiled in.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct CgroupFeatures {
        /// Cgroup v1.
        pub v1: bool = "v1",
        /// Cgroup v2.
        pub v2: bool = "v2",
        /// systemd's system manager.
        pub systemd: bool = "systemd",
        /// systemd's user manager.
        pub systemd_user: bool = "systemdUser",
        /// The RDMA controller.
        pub rdma: bool = "rdma",
    }
}

object! {
    /// What of seccomp is implemented.
    #[derive(Debug, Clone, Default)]
    pub struct SeccompFeatures {
        /// Whether it is at all.
        pub enabled: bool = "enabled",
        /// Actions.
        pub actions: Vec<String> = "actions",
        /// Comparisons.
        pub operators: Vec<String> = "operators",
        /// Architectures.
        pub archs: Vec<String> = "archs",
        /// Flags that are recognised.
        pub known_flags: Vec<String> = "knownFlags",
        /// Flags that the kernel also has.
        pub supported_flags: Vec<String> = "supportedFlags",
    }
}

object! {
    /// What of Intel's resource director is implemented.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct IntelRdtFeatures {
        /// Whether it is at all.
        pub enabled: bool = "enabled",
        /// `linux.intelRdt.schemata`.
        pub schemata: bool = "schemata",
        /// `linux.intelRdt.enableMonitoring`.
        pub monitoring: bool = "monitoring",
    }
}

object! {
    /// Which NUMA memory policies are implemented.
    #[derive(Debug, Clone, Default)]
    pub struct MemoryPolicyFeatures {
        /// Modes.
        pub modes: Vec<String> = "modes",
        /// Flags.
        pub flags: Vec<String> = "flags",
    }
}

object! {
    /// Extensions of mounts.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct MountExtensions {
        /// Idmapped mounts.
        pub idmap: Enabled = "idmap",
    }
}
