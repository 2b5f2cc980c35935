//! `features`: what this build can do, and what of it the running kernel has.

use super::print;
use crate::error::Result;
use crate::json;
use crate::oci::*;
use crate::program;
use crate::sys;
use std::collections::BTreeMap;

/// Annotations of a configuration that change how a container is run; those with a dot at the end are prefixes.
const UNSAFE_ANNOTATIONS: [&str; 5] = [
    "bundle",
    "org.coracle.",
    "org.criu.config",
    "org.systemd.property.",
    "run.oci.",
];

/// The release of runc whose behaviour this one's is compared with.
const RUNC_VERSION: &str = "1.5.0";

/// Prints the features document of the specification.
pub fn features() -> Result<u8> {
    print(&json::lines(&document())).map(|()| 0)
}

fn document() -> Features {
    let mut annotations = BTreeMap::new();
    // One by one: to collect them would sort them first, with three kilobytes of code.
    for (name, value) in [
        ("org.coracle.version", env!("CARGO_PKG_VERSION").to_string()),
        (
            "org.coracle.landlock.abi",
            sys::filter::landlock_abi().to_string(),
        ),
        ("org.opencontainers.runc.checkpoint.enabled", "true".into()),
        ("org.opencontainers.runc.version", RUNC_VERSION.to_string()),
    ] {
        annotations.insert(name.to_string(), value);
    }
    Features {
        oci_version_min: "1.0.0".into(),
        oci_version_max: VERSION.into(),
        hooks: owned(Hooks::default().lists().map(|(name, _)| name)),
        mount_options: program::mount_options(),
        linux: linux(),
        annotations,
        potentially_unsafe_config_annotations: owned(UNSAFE_ANNOTATIONS),
    }
}

fn linux() -> LinuxFeatures {
    let yes = Enabled { enabled: true };
    LinuxFeatures {
        namespaces: owned(NamespaceType::ALL.iter().map(|word| word.name())),
        capabilities: program::capability_names(),
        cgroup: CgroupFeatures {
            v1: true,
            v2: true,
            systemd: true,
            systemd_user: true,
            rdma: true,
        },
        seccomp: SeccompFeatures {
            enabled: true,
            actions: owned(SeccompAction::ALL.iter().map(|word| word.name())),
            operators: owned(SeccompOperator::ALL.iter().map(|word| word.name())),
            archs: owned(SeccompArch::ALL.iter().map(|word| word.name())),
            known_flags: owned(SeccompFlag::ALL.iter().map(|word| word.name())),
            supported_flags: owned(
                SeccompFlag::ALL
                    .iter()
                    .filter(|flag| sys::filter::has_flag(program::seccomp::flag_bit(**flag)))
                    .map(|word| word.name()),
            ),
        },
        apparmor: yes,
        selinux: yes,
        intel_rdt: IntelRdtFeatures {
            enabled: true,
            schemata: true,
            monitoring: true,
        },
        memory_policy: MemoryPolicyFeatures {
            modes: owned(MemoryPolicyMode::ALL.iter().map(|word| word.name())),
            flags: owned(MemoryPolicyFlag::ALL.iter().map(|word| word.name())),
        },
        mount_extensions: MountExtensions { idmap: yes },
        net_devices: yes,
    }
}

fn owned<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words.into_iter().map(str::to_string).collect()
}
