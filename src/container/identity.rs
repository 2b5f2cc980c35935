//! Id maps of user namespaces: user_namespaces(7).

use super::launch::Launch;
use super::stdio::map_of_process;
use super::subordinate::{self, Kind, default_map};
use crate::error::{Context, Error, Result, errno_text};
use crate::oci::{Config, IdMapping, Linux, NamespaceType, Process};
use crate::sys::{self, file};
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Completes a configuration that wants a new user namespace without saying which ids it maps.
pub fn complete(config: &mut Config) {
    let user = config.linux.namespace(NamespaceType::User);
    if !crate::program::is_new(user) {
        return;
    }
    let (uid, gid) = config
        .process
        .as_ref()
        .map_or((0, 0), |process| (process.user.uid, process.user.gid));
    let linux = &mut config.linux;
    if linux.uid_mappings.is_empty() {
        linux.uid_mappings = default_map(Kind::User, uid, sys::process::euid());
    }
    if linux.gid_mappings.is_empty() {
        linux.gid_mappings = default_map(Kind::Group, gid, sys::process::egid());
    }
}

/// Refuses groups that the kernel will not let us set: who maps only the own group may not drop any, either.
pub fn check_groups(config: &Config) -> Result<()> {
    let groups = config
        .process
        .as_ref()
        .map_or(&[][..], |process| &process.user.additional_gids);
    let new_user = crate::program::is_new(config.linux.namespace(NamespaceType::User));
    let own = new_user && own_only(&config.linux.gid_mappings, sys::process::egid());
    if groups.is_empty() || !own || sys::process::euid() == 0 {
        return Ok(());
    }
    Err(Error::new(
        "process.user.additionalGids: cannot set any additional groups in a rootless container whose \
         linux.gidMappings hold the own group alone: map a range of groups too",
    ))
}

/// Writes the maps of a process's new user namespace: by ourselves where we may, else by newuidmap(1) and
/// newgidmap(1).
pub fn write_maps(pid: i32, uids: &[IdMapping], gids: &[IdMapping]) -> Result<()> {
    if sys::process::euid() == 0 {
        write_map(Kind::User, pid, uids)?;
        // A container's root may have no more rights than an ordinary user.
        return write_map(Kind::Group, pid, gids).or_else(|error| {
            match own_only(gids, sys::process::egid()) {
                true => write_own_group(pid, gids),
                false => Err(error),
            }
        });
    }
    if own_only(uids, sys::process::euid()) {
        write_map(Kind::User, pid, uids)?;
    } else {
        subordinate::write_map(Kind::User, pid, uids)?;
    }
    if own_only(gids, sys::process::egid()) {
        return write_own_group(pid, gids);
    }
    subordinate::write_map(Kind::Group, pid, gids)
}

/// Refuses a user namespace that was joined, and has other maps than the configuration says.
pub fn check_joined(pid: i32, linux: &Linux) -> Result<()> {
    let maps = [
        ("uid_map", &linux.uid_mappings),
        ("gid_map", &linux.gid_mappings),
    ];
    for (file, given) in maps {
        let has = map_of_process(pid, file);
        // The kernel gives many of them in another order.
        let same = given.len() == has.len() && given.iter().all(|entry| has.contains(entry));
        if !given.is_empty() && !same {
            return Err(Error::new(
                "linux.namespaces: user namespaces enabled, but both namespace path and non-matching mapping specified \
                 -- you may only provide one",
            ));
        }
    }
    Ok(())
}

/// Whoever could drop a group could get at what that group is denied: user_namespaces(7).
fn write_own_group(pid: i32, gids: &[IdMapping]) -> Result<()> {
    let path = format!("/proc/{pid}/setgroups");
    fs::write(&path, "deny").with_context(|| format!("write {path}"))?;
    write_map(Kind::Group, pid, gids)
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

/// Whether we may write this map without a helper.
fn own_only(map: &[IdMapping], own: u32) -> bool {
    matches!(map, [only] if only.host_id == own && only.size == 1)
}

fn write_map(kind: Kind, pid: i32, map: &[IdMapping]) -> Result<()> {
    let line =
        |entry: &IdMapping| format!("{} {} {}\n", entry.container_id, entry.host_id, entry.size);
    let text: String = map.iter().map(line).collect();
    let file = match kind {
        Kind::User => "uid_map",
        Kind::Group => "gid_map",
    };
    let path = format!("/proc/{pid}/{file}");
    // The kernel takes a map in one write only.
    fs::write(&path, text).map_err(|error| {
        let rights = match error.raw_os_error() {
            Some(libc::EPERM) if sys::process::euid() == 0 => {
                " (root needs CAP_SETFCAP to map itself, and CAP_SETUID and CAP_SETGID to map others)"
            }
            Some(libc::EINVAL) => {
                " (the kernel takes up to 340 entries, of less than 4096 bytes together, which do not overlap)"
            }
            _ => "",
        };
        Error::new(format!("{}: write {path}: {}{rights}", kind.field(), Error::from(error)))
    })
}

/// Says which setting of the host forbids new user namespaces, when that is why one could not be made or used.
pub fn explain_refusal(error: Error) -> Error {
    let setting = |name: &str| {
        let text = file::read_text(Path::new(&format!("/proc/sys/{name}"))).ok()?;
        text.trim().parse::<u64>().ok()
    };
    match refusal(&error.to_string(), sys::process::euid() != 0, setting) {
        Some(why) => Error::new(format!(
            "linux.namespaces: no user namespace can be made: {why}: {error}"
        )),
        None => error,
    }
}

fn refusal(
    error: &str,
    ordinary: bool,
    setting: impl Fn(&str) -> Option<u64>,
) -> Option<&'static str> {
    let denied = [libc::EPERM, libc::EACCES].map(errno_text);
    let denied = denied.iter().any(|text| error.ends_with(text)) && !error.contains("exec");
    if error.contains("cgroup") {
        return None;
    }
    if error.contains("clone") {
        if ordinary && setting("kernel/unprivileged_userns_clone") == Some(0) {
            return Some(
                "kernel.unprivileged_userns_clone is 0, which forbids them to ordinary users: set it to 1",
            );
        }
        if setting("user/max_user_namespaces") == Some(0) {
            return Some("user.max_user_namespaces is 0, which forbids them: raise it");
        }
        if error.ends_with(&errno_text(libc::ENOSPC)) {
            return Some(
                "there are as many as user.max_user_namespaces allows, or 32 inside each other",
            );
        }
    }
    // There, one can be made, but gives no rights.
    if denied && ordinary && setting("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Some(
            "kernel.apparmor_restrict_unprivileged_userns is 1, which denies them all rights: give coracle an AppArmor \
             profile with `userns,`, or set it to 0",
        );
    }
    (denied && error.contains("clone")).then_some(
        "it is forbidden, as by a chroot, or by a container's seccomp filter or AppArmor profile",
    )
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
    let child = super::launch::launch(
        &crate::program::waiter(),
        &mut vec![theirs],
        launch,
        ours.as_fd(),
    )?;
    let path = format!("/proc/{}/ns/user", child.pid);
    let namespace = File::open(&path)
        .map(OwnedFd::from)
        .with_context(|| format!("open {path}"));
    // The child ends when its socket is closed.
    drop(ours);
    sys::process::wait(child.pid)?;
    namespace
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn a_refusal_names_the_setting() {
        let why = |error, ordinary, name: &str, value| {
            refusal(error, ordinary, |asked| (asked == name).then_some(value)).unwrap_or_default()
        };
        let (clone, mount) = (
            "clone3: operation not permitted",
            "mount: permission denied",
        );
        let name = "kernel/unprivileged_userns_clone";
        assert!(why(clone, true, name, 0).starts_with("kernel.unprivileged_userns_clone is 0"));
        assert!(why(clone, false, name, 0).starts_with("it is forbidden"));
        assert_eq!(why(mount, true, name, 0), "");
        let name = "user/max_user_namespaces";
        let full = "clone3: no space left on device";
        assert!(why(full, true, name, 0).starts_with("user.max_user_namespaces is 0"));
        assert!(why(full, false, name, 9).starts_with("there are as many"));
        let name = "kernel/apparmor_restrict_unprivileged_userns";
        for error in [clone, mount] {
            assert!(why(error, true, name, 1).starts_with("kernel.apparmor_restrict"));
        }
        assert_eq!(why(mount, true, name, 0), "");
        assert_eq!(why("mount: invalid argument", true, name, 1), "");
    }
}
