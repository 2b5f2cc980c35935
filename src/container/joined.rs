//! Namespaces that are made or joined before the child is there.

use crate::error::{Context, Result};
use crate::oci::{self, Config, NamespaceType};
use crate::program::{self, is_new};
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

const CLONE_NEWTIME: i32 = 0x80;

/// Joins what must be joined before the child is made, and returns how to come back: PID and time
/// namespaces, which change only our children, and all others when a new user namespace would lack the right to.
pub(super) fn join_ours(config: &Config) -> Result<Vec<(OwnedFd, i32)>> {
    let linux = &config.linux;
    let new_user = is_new(linux.namespace(NamespaceType::User));
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
    let guarded = program::guarded_pid_namespace(config).is_some();
    for (kind, flag, file) in early {
        if guarded && kind == NamespaceType::Pid {
            continue;
        }
        let Some(path) = linux
            .namespace(kind)
            .and_then(|namespace| namespace.path.as_deref())
        else {
            continue;
        };
        if !new_user && !matches!(kind, NamespaceType::Pid | NamespaceType::Time) {
            continue;
        }
        let target = open(path)?;
        back.push((open(&format!("/proc/self/ns/{file}"))?, flag));
        spawn::setns(target.as_fd(), flag)
            .with_context(|| format!("linux.namespaces: {}: setns {path}", kind.name()))?;
    }
    if is_new(linux.namespace(NamespaceType::Time)) {
        back.push((open("/proc/self/ns/time")?, CLONE_NEWTIME));
        spawn::unshare(CLONE_NEWTIME).context("linux.namespaces: time: unshare")?;
        let line = |(clock, offset): (&oci::Clock, &oci::TimeOffset)| {
            format!("{} {} {}\n", clock.name(), offset.secs, offset.nanosecs)
        };
        let offsets: String = linux.time_offsets.iter().map(line).collect();
        if !offsets.is_empty() {
            fs::write("/proc/self/timens_offsets", offsets)
                .context("linux.timeOffsets: write /proc/self/timens_offsets")?;
        }
    }
    Ok(back)
}
