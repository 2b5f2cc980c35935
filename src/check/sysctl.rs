//! `linux.sysctl`: only parameters that belong to a namespace of the container.

use super::{fail, no_nul};
use crate::error::Result;
use crate::oci::{Linux, NamespaceType};

/// The parameters of an IPC namespace, beside all of `fs/mqueue`.
const IPC: [&str; 8] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shm_rmid_forced",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
];

/// The path of a kernel parameter below `/proc/sys`. As with sysctl(8), the first of `.` and `/` in the name is what
/// separates its parts, and the other stands for a `.` in a part: `net.ipv4.conf.eno2/100.rp_filter`.
pub fn sysctl_path(name: &str) -> String {
    if name
        .find(['.', '/'])
        .is_some_and(|at| name.as_bytes()[at] == b'/')
    {
        return name.into();
    }
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    name.chars().map(swap).collect()
}

/// Checks `linux.sysctl`. A network namespace that is joined can still be the host's: that is for the caller who has
/// it open to see.
pub fn check(linux: &Linux) -> Result<()> {
    let has = |kind| linux.namespace(kind).is_some();
    for (name, value) in &linux.sysctl {
        no_nul("linux.sysctl", name)?;
        no_nul(format_args!("linux.sysctl: value of {name:?}"), value)?;
        let path = sysctl_path(name);
        let refuse = |why: &str| fail("linux.sysctl", format_args!("sysctl {name:?} {why}"));
        if path.split('/').any(|part| part == "..") {
            return refuse("leads out of its directory");
        }
        if IPC.contains(&path.as_str()) || path.starts_with("fs/mqueue/") {
            if !has(NamespaceType::Ipc) {
                return refuse(
                    "is not allowed in the hosts ipc namespace: linux.namespaces needs an ipc one",
                );
            }
        } else if path.starts_with("net/") {
            if !has(NamespaceType::Network) {
                return refuse(
                    "not allowed in host network namespace: linux.namespaces needs a network one",
                );
            }
        } else if path.starts_with("user/") {
            if !has(NamespaceType::User) {
                return refuse("is not allowed without a user namespace in linux.namespaces");
            }
        } else if path == "kernel/hostname" && has(NamespaceType::Uts) {
            return refuse(
                "is not allowed as it conflicts with the OCI \"hostname\" field: use that",
            );
        } else if path != "kernel/domainname" || !has(NamespaceType::Uts) {
            return refuse("is not in a separate kernel namespace");
        }
    }
    Ok(())
}
