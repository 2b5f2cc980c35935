//! Id maps of user namespaces: user_namespaces(7).

use super::launch::Launch;
use crate::error::{Context, Error, Result};
use crate::oci::{IdMapping, Process};
use crate::sys;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// Writes the maps of a process's new user namespace: by ourselves where we may, else by newuidmap(1) and
/// newgidmap(1).
pub fn write_maps(pid: i32, uids: &[IdMapping], gids: &[IdMapping]) -> Result<()> {
    if sys::process::euid() == 0 {
        write_map(pid, "uid_map", uids)?;
        return write_map(pid, "gid_map", gids);
    }
    if own_only(uids, sys::process::euid()) {
        write_map(pid, "uid_map", uids)?;
    } else {
        helper("newuidmap", "/etc/subuid", pid, uids)?;
    }
    if own_only(gids, sys::process::egid()) {
        // Whoever could drop a group could get at what that group is denied: user_namespaces(7).
        let path = format!("/proc/{pid}/setgroups");
        fs::write(&path, "deny").with_context(|| format!("write {path}"))?;
        return write_map(pid, "gid_map", gids);
    }
    helper("newgidmap", "/etc/subgid", pid, gids)
}

/// What of a process's limits only the host's root may set, for a process that waits in its new user namespace: the OOM
/// score, and hard limits above ours. All else it sets itself.
pub fn host_limits(pid: i32, process: &Process) -> Result<()> {
    if let Some(score) = process.oom_score_adj {
        let path = format!("/proc/{pid}/oom_score_adj");
        fs::write(&path, score.to_string())
            .with_context(|| format!("process.oomScoreAdj: write {path}"))?;
    }
    for limit in &process.rlimits {
        if let Some(number) = crate::program::rlimit(&limit.kind) {
            sys::process::raise_hard_limit(pid, number, limit.hard).with_context(|| {
                format!(
                    "process.rlimits: error setting rlimits for {} (hard {})",
                    limit.kind, limit.hard
                )
            })?;
        }
    }
    Ok(())
}

fn own_only(map: &[IdMapping], own: u32) -> bool {
    matches!(map, [only] if only.host_id == own && only.size == 1)
}

fn write_map(pid: i32, file: &str, map: &[IdMapping]) -> Result<()> {
    let line =
        |entry: &IdMapping| format!("{} {} {}\n", entry.container_id, entry.host_id, entry.size);
    let text: String = map.iter().map(line).collect();
    let path = format!("/proc/{pid}/{file}");
    let field = if file == "uid_map" {
        "linux.uidMappings"
    } else {
        "linux.gidMappings"
    };
    // The kernel takes a map in one write only.
    fs::write(&path, text).with_context(|| format!("{field}: write {path}"))
}

fn helper(program: &str, allowed: &str, pid: i32, map: &[IdMapping]) -> Result<()> {
    let mut command = Command::new(program);
    command.arg(pid.to_string()).stdin(Stdio::null());
    for entry in map {
        command
            .args([entry.container_id, entry.host_id, entry.size].map(|number| number.to_string()));
    }
    let output = command.output().with_context(|| {
        format!("{program} (needed to map more than the own id; Debian's package uidmap)")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!(
        "{program}: {} (the ranges that you may map are in {allowed})",
        said.trim()
    )))
}

/// A user namespace that has these maps, for idmapped mounts: made by a child that lives only until it is opened.
pub fn namespace_with_maps(uids: &[IdMapping], gids: &[IdMapping]) -> Result<OwnedFd> {
    let (ours, theirs) = sys::socket::pair().context("socketpair")?;
    let maps = |pid| write_maps(pid, uids, gids);
    let launch = Launch {
        namespaces: libc::CLONE_NEWUSER as u64,
        prepare: Some(&maps),
        ..Launch::default()
    };
    let child = super::launch::launch(&crate::program::waiter(), &[theirs], &launch)?;
    let path = format!("/proc/{}/ns/user", child.pid);
    let namespace = File::open(&path)
        .map(OwnedFd::from)
        .with_context(|| format!("open {path}"));
    // The child ends when its socket is closed.
    drop(ours);
    sys::process::wait(child.pid)?;
    namespace
}
