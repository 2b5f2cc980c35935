//! Namespaces, and the fields that ask for one.

use super::{fail, list, no_nul, no_nul_in, no_nuls};
use crate::error::Result;
use crate::oci::{Config, IdMapping, Linux, MemoryPolicyMode, NamespaceType};

/// Checks `linux.namespaces` and all that lives inside one.
pub fn check(config: &Config) -> Result<()> {
    let linux = &config.linux;
    for (i, namespace) in linux.namespaces.iter().enumerate() {
        no_nul_in(format_args!("linux.namespaces[{i}].path"), &namespace.path)?;
        if linux.namespaces[..i]
            .iter()
            .any(|earlier| earlier.kind == namespace.kind)
        {
            let what = format_args!(
                "duplicated ns {:?}: there can be one of each",
                namespace.kind.name()
            );
            return fail(format_args!("linux.namespaces[{i}].type"), what);
        }
    }
    let has = |kind| linux.namespace(kind).is_some();
    for (name, value) in [
        ("hostname", &config.hostname),
        ("domainname", &config.domainname),
    ] {
        if value.is_some() && !has(NamespaceType::Uts) {
            let what = format_args!(
                "unable to set {name} without a private UTS namespace in linux.namespaces"
            );
            return fail(name, what);
        }
        no_nul_in(name, value)?;
    }
    for (name, paths) in [
        ("maskedPaths", &linux.masked_paths),
        ("readonlyPaths", &linux.readonly_paths),
    ] {
        let field = format_args!("linux.{name}");
        if !paths.is_empty() && !has(NamespaceType::Mount) {
            let what = "unable to restrict sys entries without a private MNT namespace in linux.namespaces";
            return fail(field, what);
        }
        no_nuls(field, paths)?;
    }
    // Neither can the kernel do, whatever is mounted.
    if let Some(user) = linux.namespace(NamespaceType::User) {
        match linux.namespace(NamespaceType::Mount) {
            None if !config.mounts.is_empty() => {
                let what = "need a mount namespace in linux.namespaces: a user namespace has no rights over the host's";
                return fail("mounts", what);
            }
            Some(mount) if mount.path.is_some() && user.path.is_none() => {
                let what =
                    "a new user namespace has no rights over a mount namespace that is joined";
                return fail("linux.namespaces", what);
            }
            _ => {}
        }
    }
    user(config)?;
    time(linux)?;
    net_devices(linux)?;
    no_nul_in("linux.cgroupsPath", &linux.cgroups_path)?;
    no_nul_in("linux.mountLabel", &linux.mount_label)?;
    if let Some(seccomp) = &linux.seccomp {
        no_nul_in("linux.seccomp.listenerPath", &seccomp.listener_path)?;
    }
    intel_rdt(linux)?;
    memory_policy(linux)
}

fn user(config: &Config) -> Result<()> {
    let linux = &config.linux;
    mappings("linux.uidMappings", &linux.uid_mappings)?;
    mappings("linux.gidMappings", &linux.gid_mappings)?;
    let mapped = !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty();
    // Both a path and mappings is what containerd and CRI-O write; whether they agree is seen once it is
    // joined.
    match linux.namespace(NamespaceType::User) {
        None if mapped => fail(
            if linux.uid_mappings.is_empty() {
                "linux.gidMappings"
            } else {
                "linux.uidMappings"
            },
            "user namespace mappings specified, but user namespace isn't enabled in linux.namespaces",
        ),
        _ => mapped_ids(config),
    }
}

/// In a new user namespace, the process can only be somebody who is there.
fn mapped_ids(config: &Config) -> Result<()> {
    let linux = &config.linux;
    let new = linux
        .namespace(NamespaceType::User)
        .is_some_and(|namespace| namespace.path.is_none());
    let Some(process) = config.process.as_ref().filter(|_| new) else {
        return Ok(());
    };
    let unmapped = |id: u32, map: &[IdMapping]| {
        !map.iter().any(|range| {
            id.checked_sub(range.container_id)
                .is_some_and(|at| at < range.size)
        })
    };
    let user = &process.user;
    if unmapped(user.uid, &linux.uid_mappings) {
        let what = format_args!(
            "cannot setuid to unmapped uid {} in user namespace: it is not in linux.uidMappings",
            user.uid
        );
        return fail("process.user.uid", what);
    }
    let groups = std::iter::once(("process.user.gid", user.gid)).chain(
        user.additional_gids
            .iter()
            .map(|gid| ("process.user.additionalGids", *gid)),
    );
    for (field, gid) in groups {
        if unmapped(gid, &linux.gid_mappings) {
            let what = format_args!(
                "cannot setgid to unmapped gid {gid} in user namespace: it is not in linux.gidMappings"
            );
            return fail(field, what);
        }
    }
    Ok(())
}

/// Refuses ranges that the kernel answers with a bare EINVAL.
pub fn mappings(field: &str, mappings: &[IdMapping]) -> Result<()> {
    for (i, mapping) in mappings.iter().enumerate() {
        if mapping.size == 0 {
            return fail(format_args!("{field}[{i}].size"), "must be above 0");
        }
        for (name, first) in [
            ("containerID", mapping.container_id),
            ("hostID", mapping.host_id),
        ] {
            if first.checked_add(mapping.size).is_none() {
                let what = format_args!(
                    "{first} with a size of {} goes beyond the last id",
                    mapping.size
                );
                return fail(format_args!("{field}[{i}].{name}"), what);
            }
        }
    }
    Ok(())
}

fn time(linux: &Linux) -> Result<()> {
    if linux.time_offsets.is_empty() {
        return Ok(());
    }
    let Some(namespace) = linux.namespace(NamespaceType::Time) else {
        let what = "time namespace offsets specified, but time namespace isn't enabled in linux.namespaces";
        return fail("linux.timeOffsets", what);
    };
    if namespace.path.is_some() {
        let what = "only a new time namespace can have offsets, not one that is joined by its path";
        return fail("linux.timeOffsets", what);
    }
    for (clock, offset) in &linux.time_offsets {
        if offset.nanosecs >= 1_000_000_000 {
            let field = format_args!("linux.timeOffsets.{}.nanosecs", clock.name());
            return fail(
                field,
                format_args!("{} must be below 1000000000", offset.nanosecs),
            );
        }
    }
    Ok(())
}

fn net_devices(linux: &Linux) -> Result<()> {
    if linux.net_devices.is_empty() {
        return Ok(());
    }
    if linux.namespace(NamespaceType::Network).is_none() {
        let what = "unable to move network devices without a network namespace in linux.namespaces";
        return fail("linux.netDevices", what);
    }
    for (outside, device) in &linux.net_devices {
        let inside = device.name.as_ref().unwrap_or(outside);
        for name in [outside, inside] {
            if !is_device_name(name) {
                let what = format_args!(
                    "invalid network device name {name:?}: 1 to 15 bytes without `/`, `:` and blanks are allowed"
                );
                return fail("linux.netDevices", what);
            }
        }
    }
    Ok(())
}

/// The kernel's own rule (dev_valid_name): 16 bytes with the final NUL.
fn is_device_name(name: &str) -> bool {
    let allowed = |c: u8| c != b'/' && c != b':' && c != 0 && c != 0x0b && !c.is_ascii_whitespace();
    (1..=15).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(allowed)
}

fn intel_rdt(linux: &Linux) -> Result<()> {
    let Some(rdt) = &linux.intel_rdt else {
        return Ok(());
    };
    let class = rdt.clos_id.as_deref().unwrap_or_default();
    // "/" alone is the default class.
    if class == "." || class == ".." || class.len() > 1 && class.contains('/') {
        let what = format_args!(
            "invalid intelRdt.ClosID {class:?}: it must be a file name, or `/` for the default"
        );
        return fail("linux.intelRdt.closID", what);
    }
    no_nul("linux.intelRdt.closID", class)
}

fn memory_policy(linux: &Linux) -> Result<()> {
    let Some(policy) = &linux.memory_policy else {
        return Ok(());
    };
    let field = "linux.memoryPolicy.nodes";
    let ranges = match list(&policy.nodes) {
        Ok(ranges) => ranges,
        Err(error) => {
            return fail(
                field,
                format_args!("invalid memory policy nodes {:?}: {error}", policy.nodes),
            );
        }
    };
    let sizes = ranges
        .iter()
        .map(|(first, last)| u64::from(last - first + 1));
    let count: u64 = sizes.sum();
    use MemoryPolicyMode::{Default, Local, Preferred};
    match policy.mode {
        Default | Local if count > 0 => fail(
            field,
            format_args!("memory policy mode requires 0 nodes but got {count}"),
        ),
        Default | Local | Preferred => Ok(()),
        _ if count == 0 => fail(
            field,
            "memory policy mode requires at least one node but got 0: it is a list like `0-3,7`",
        ),
        _ => Ok(()),
    }
}
