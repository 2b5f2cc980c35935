//! Bind mounts that the stub cannot make: their source is out of a user namespace's reach, or they are idmapped.
//!
//! At creation the tree is cloned inside the container's mount namespace, so that mounts of earlier entries are seen, and flags
//! that are locked there stay so.

use super::identity;
use super::store::Record;
use crate::error::{Context, Error, Result};
use crate::oci::{Config, Mount, NamespaceType};
use crate::program::{BindSource, bind_source};
use crate::sys::{mount, process, socket, spawn};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Opens the tree of the mount of this index, and sends it to the stub.
/// `inside` says that the source is one of the container's mount namespace, not of ours.
pub fn send(
    config: &Config,
    record: &Record,
    index: u32,
    inside: bool,
    report: BorrowedFd<'_>,
) -> Result<()> {
    let asked = config.mounts.get(index as usize);
    let asked = asked.ok_or_else(|| Error::new("internal: no such mount"))?;
    let source = bind_source(asked, &record.bundle);
    let what = || {
        format!(
            "error mounting {:?} to rootfs at {:?}",
            source.path, asked.destination
        )
    };
    let userns = match source.idmapped {
        true => Some(id_maps(asked, config).with_context(what)?),
        false => None,
    };
    if !inside {
        return open(&source, userns.as_ref(), report).with_context(what);
    }
    let path = format!("/proc/{}/ns/mnt", record.pid);
    let namespace = File::open(&path).with_context(|| format!("open {path}"))?;
    // In a child: joining a mount namespace changes the root and the working directory.
    let joined = || {
        spawn::setns(namespace.as_fd(), libc::CLONE_NEWNS).context("setns")?;
        open(&source, userns.as_ref(), report)
    };
    process::in_child(joined).with_context(what)
}

fn open(source: &BindSource, userns: Option<&OwnedFd>, report: BorrowedFd<'_>) -> Result<()> {
    let tree =
        mount::clone_tree(&source.path, source.recursive, source.nofollow).context("open_tree")?;
    if let Some(userns) = userns {
        mount::set_idmap(tree.as_fd(), userns.as_fd(), source.idmap_tree)
            .context("mount_setattr of uidMappings and gidMappings")?;
    }
    socket::send_descriptor(report, b"t", tree.as_fd())
}

/// A user namespace with the maps of an idmapped mount: its own, or the container's.
fn id_maps(mount: &Mount, config: &Config) -> Result<OwnedFd> {
    if !mount.uid_mappings.is_empty() {
        return identity::namespace_with_maps(&mount.uid_mappings, &mount.gid_mappings);
    }
    let joined = config.linux.namespace(NamespaceType::User);
    if let Some(path) = joined.and_then(|namespace| namespace.path.as_ref()) {
        let file = File::open(path).with_context(|| format!("open {path}"))?;
        return Ok(file.into());
    }
    identity::namespace_with_maps(&config.linux.uid_mappings, &config.linux.gid_mappings)
}
