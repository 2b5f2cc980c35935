//! `mounts` and `linux.devices`: what appears in the root filesystem.

use super::namespaces::mappings;
use super::{fail, no_nul, no_nul_in, no_nuls};
use crate::error::Result;
use crate::oci::{Config, Mount, NamespaceType};
use std::fmt::Arguments;

/// Checks every mount and every device node.
pub fn check(config: &Config) -> Result<()> {
    for (i, mount) in config.mounts.iter().enumerate() {
        let field = format_args!("mounts[{i}]");
        strings(field, mount)?;
        id_mapped(field, mount, config)?;
    }
    for (i, device) in config.linux.devices.iter().enumerate() {
        let field = format_args!("linux.devices[{i}].path");
        no_nul(field, &device.path)?;
        if !device.path.starts_with('/') {
            return fail(
                field,
                format_args!("{:?} must be an absolute path", device.path),
            );
        }
    }
    Ok(())
}

fn strings(field: Arguments<'_>, mount: &Mount) -> Result<()> {
    // A relative destination is deprecated, not refused: it is taken from the root.
    if mount.destination.is_empty() {
        return fail(
            format_args!("{field}.destination"),
            "missing: it must be a path in the container",
        );
    }
    no_nul(format_args!("{field}.destination"), &mount.destination)?;
    no_nul_in(format_args!("{field}.source"), &mount.source)?;
    no_nul_in(format_args!("{field}.type"), &mount.kind)?;
    no_nuls(format_args!("{field}.options"), &mount.options)
}

fn id_mapped(field: Arguments<'_>, mount: &Mount, config: &Config) -> Result<()> {
    let (uids, gids) = (&mount.uid_mappings, &mount.gid_mappings);
    let option = |names: [&str; 2]| {
        mount
            .options
            .iter()
            .any(|option| names.contains(&option.as_str()))
    };
    let asked = option(["idmap", "ridmap"]);
    let mapped = !uids.is_empty() || !gids.is_empty();
    if !asked && !mapped {
        return Ok(());
    }
    if !option(["bind", "rbind"]) {
        return fail(
            field,
            "id-mapped mounts are only supported for bind-mounts: options need `bind` or `rbind`",
        );
    }
    if mapped && (uids.is_empty() || gids.is_empty()) {
        return fail(
            field,
            "id-mapped mounts must have both uid and gid mappings specified",
        );
    }
    // Without mappings of its own, such a mount has those of the container's user namespace.
    if !mapped && config.linux.namespace(NamespaceType::User).is_none() {
        return fail(
            field,
            "an id-mapped mount needs uidMappings and gidMappings, or a user namespace",
        );
    }
    mappings(&format!("{field}.uidMappings"), uids)?;
    mappings(&format!("{field}.gidMappings"), gids)
}
