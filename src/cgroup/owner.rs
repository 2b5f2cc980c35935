//! Whose a cgroup is: on v2 a container that may write in its cgroup gets it as its own. config-linux.md, "Cgroup
//! ownership".

use crate::error::{Context, Result};
use crate::oci::{Config, NamespaceType};
use crate::program::is_new;
use crate::sys::{file, process};
use std::io::ErrorKind;
use std::os::unix::fs::chown;
use std::path::Path;

/// The host's id of the user to whom the cgroup is to be given, where that is another than we.
pub fn owner(config: &Config) -> Option<u32> {
    let linux = &config.linux;
    let writable = |mount: &crate::oci::Mount| {
        mount.source.as_deref() == Some("cgroup")
            && mount.destination.trim_end_matches('/') == "/sys/fs/cgroup"
            && mount.options.iter().all(|option| option != "ro")
    };
    if !is_new(linux.namespace(NamespaceType::Cgroup)) || !config.mounts.iter().any(writable) {
        return None;
    }
    let user = config.process.as_ref()?.user.uid;
    let host = match linux.namespace(NamespaceType::User) {
        None => user,
        Some(_) => linux.uid_mappings.iter().find_map(|map| {
            let offset = user.checked_sub(map.container_id)?;
            (offset < map.size).then(|| map.host_id.wrapping_add(offset))
        })?,
    };
    (host != process::euid()).then_some(host)
}

/// Gives the directory to the user, with those of its files that the kernel lists for this: cgroups(7), "Delegation".
pub fn give(path: &Path, user: u32) -> Result<()> {
    let listed = file::read_text(Path::new("/sys/kernel/cgroup/delegate"));
    let names = listed
        .as_deref()
        .unwrap_or("cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n");
    for name in std::iter::once("").chain(names.lines()) {
        let path = path.join(name);
        match chown(&path, Some(user), None) {
            Err(error) if error.kind() == ErrorKind::NotFound && !name.is_empty() => {}
            result => result.with_context(|| format!("chown {}", path.display()))?,
        }
    }
    Ok(())
}
