//! features.md and features-linux.md: what the runtime can do, as `features` prints it.

use serde::Serialize;
use std::collections::BTreeMap;

/// What the runtime recognises and implements, whatever the host allows.
#[derive(Serialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    /// The lowest version of the specification that is understood.
    pub oci_version_min: String,
    /// The highest version of the specification that is understood.
    pub oci_version_max: String,
    /// The names of the hooks.
    pub hooks: Vec<String>,
    /// The mount options.
    pub mount_options: Vec<String>,
    /// What only Linux has.
    pub linux: LinuxFeatures,
    /// The runtime's own notes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Annotations of a configuration that can change how the container is run; one ending in `.` is a prefix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub potentially_unsafe_config_annotations: Vec<String>,
}

/// The features that only Linux has.
#[derive(Serialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase")]
pub struct LinuxFeatures {
    /// The namespace types.
    pub namespaces: Vec<String>,
    /// The capabilities.
    pub capabilities: Vec<String>,
    /// Cgroup managers.
    pub cgroup: CgroupFeatures,
    /// System call filters.
    pub seccomp: SeccompFeatures,
    /// AppArmor.
    pub apparmor: Enabled,
    /// SELinux.
    pub selinux: Enabled,
    /// Intel's resource director.
    pub intel_rdt: IntelRdtFeatures,
    /// NUMA memory policies.
    pub memory_policy: MemoryPolicyFeatures,
    /// Extensions of mounts.
    pub mount_extensions: MountExtensions,
    /// Moving network devices into the container.
    pub net_devices: Enabled,
}

/// Whether a feature is compiled in.
#[derive(Serialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enabled {
    /// Whether it is.
    pub enabled: bool,
}

/// The cgroup managers that are compiled in.
#[derive(Serialize, Debug, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
pub struct CgroupFeatures {
    /// Cgroup v1.
    pub v1: bool,
    /// Cgroup v2.
    pub v2: bool,
    /// systemd's system manager.
    pub systemd: bool,
    /// systemd's user manager.
    pub systemd_user: bool,
    /// The RDMA controller.
    pub rdma: bool,
}

/// What of seccomp is implemented.
#[derive(Serialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase")]
pub struct SeccompFeatures {
    /// Whether it is at all.
    pub enabled: bool,
    /// Actions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Comparisons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<String>,
    /// Architectures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub archs: Vec<String>,
    /// Flags that are recognised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known_flags: Vec<String>,
    /// Flags that the kernel also has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supported_flags: Vec<String>,
}

/// What of Intel's resource director is implemented.
#[derive(Serialize, Debug, Clone, Copy, Default)]
pub struct IntelRdtFeatures {
    /// Whether it is at all.
    pub enabled: bool,
    /// `linux.intelRdt.schemata`.
    pub schemata: bool,
    /// `linux.intelRdt.enableMonitoring`.
    pub monitoring: bool,
}

/// Which NUMA memory policies are implemented.
#[derive(Serialize, Debug, Clone, Default)]
pub struct MemoryPolicyFeatures {
    /// Modes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<String>,
    /// Flags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// Extensions of mounts.
#[derive(Serialize, Debug, Clone, Copy, Default)]
pub struct MountExtensions {
    /// Idmapped mounts.
    pub idmap: Enabled,
}
