//! Namespaces that are made or joined before the child is there.

use crate::error::{Context, Result};
use crate::oci::{Config, NamespaceType};
use crate::program::{self, CLONE_NEWTIME, Handle, Program, is_new};
use crate::sys::spawn;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};

/// Namespaces that clone3 makes. The cgroup namespace is made inside, once the cgroup is joined.
pub(super) const CLONED: &[(NamespaceType, i32)] = &[
    (NamespaceType::User, libc::CLONE_NEWUSER),
    (NamespaceType::Mount, libc::CLONE_NEWNS),
    (NamespaceType::Network, libc::CLONE_NEWNET),
    (NamespaceType::Ipc, libc::CLONE_NEWIPC),
    (NamespaceType::Uts, libc::CLONE_NEWUTS),
    (NamespaceType::Pid, libc::CLONE_NEWPID),
];

/// Joins what must be joined before the child is made, and is not joined by the program, and returns how to come back: PID
/// and time namespaces, which change only our children, and all others when a new user namespace would lack the right to.
pub(super) fn join_ours(config: &Config, program: &Program) -> Result<Vec<(OwnedFd, i32)>> {
    let linux = &config.linux;
    let open = |path: &str| {
        File::open(path)
            .map(OwnedFd::from)
            .with_context(|| format!("linux.namespaces: open {path}"))
    };
    let mut back = Vec::new();
    let early = [
        (NamespaceType::Ipc, libc::CLONE_NEWIPC, "ipc"),
        (NamespaceType::Uts, libc::CLONE_NEWUTS, "uts"),
        (NamespaceType::Network, libc::CLONE_NEWNET, "net"),
        (NamespaceType::Cgroup, libc::CLONE_NEWCGROUP, "cgroup"),
        (NamespaceType::Pid, libc::CLONE_NEWPID, "pid"),
        (NamespaceType::Time, CLONE_NEWTIME, "time"),
    ];
    for (kind, flag, file) in early {
        let Some(path) = linux
            .namespace(kind)
            .and_then(|namespace| namespace.path.as_deref())
        else {
            continue;
        };
        if program
            .handles
            .contains(&Handle::Namespace(kind, path.into()))
        {
            continue;
        }
        let target = open(path)?;
        back.push((open(&format!("/proc/self/ns/{file}"))?, flag));
        spawn::setns(target.as_fd(), flag)
            .with_context(|| format!("linux.namespaces: {}: setns {path}", kind.name()))?;
    }
    let time = linux.namespace(NamespaceType::Time);
    if is_new(time) && program.made_inside & CLONE_NEWTIME as u32 == 0 {
        back.push((open("/proc/self/ns/time")?, CLONE_NEWTIME));
        spawn::unshare(CLONE_NEWTIME).context("linux.namespaces: time: unshare")?;
        let offsets = program::time_offsets(linux);
        if !offsets.is_empty() {
            fs::write("/proc/self/timens_offsets", offsets)
                .context("linux.timeOffsets: write /proc/self/timens_offsets")?;
        }
    }
    Ok(back)
}
