//! Eyes on the host: its processes, cgroups and mounts.

use std::fs;
use std::path::{Path, PathBuf};

/// All processes of the host.
pub fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Whether a process has to do with a test, by its arguments, cgroup, root, directory or descriptors.
pub fn belongs(pid: i32, id: &str) -> bool {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
    if status
        .lines()
        .any(|line| line.starts_with("State:\tZ") || line.starts_with("State:\tX"))
    {
        // Waits only to be reaped by a parent that is not the runtime.
        return false;
    }
    let names =
        |path: &Path| fs::read_link(path).is_ok_and(|link| link.to_string_lossy().contains(id));
    ["cmdline", "cgroup"].iter().any(|file| {
        fs::read(proc.join(file)).is_ok_and(|text| String::from_utf8_lossy(&text).contains(id))
    }) || names(&proc.join("root"))
        || names(&proc.join("cwd"))
        || fs::read_dir(proc.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
            .any(|fd| names(&fd.path()))
}

/// Adds the cgroups below a directory that have the id in their names.
pub fn find_cgroups(dir: &Path, id: &str, depth: u32, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().contains(id) {
            found.push(format!("cgroup {}", entry.path().display()));
        } else if depth > 0 {
            find_cgroups(&entry.path(), id, depth - 1, found);
        }
    }
}

/// The directory of a process's cgroup: of the v1 hierarchy with this controller, or the v2 one.
pub fn cgroup_dir(pid: i32, controller: &str) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let has = |list: &str| list.split(',').any(|name| name == controller);
    let path_in = |wanted: &dyn Fn(&str) -> bool| {
        text.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let list = parts.next()?;
            let path = parts.next()?;
            wanted(list).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount_of = |kind: &str, wanted: &dyn Fn(&str) -> bool| {
        mounts.lines().find_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut right = right.split(' ');
            (right.next()? == kind && wanted(right.nth(1)?))
                .then(|| PathBuf::from(left.split(' ').nth(4).unwrap()))
        })
    };
    if let (Some(path), Some(mount)) = (
        path_in(&|list| has(list)),
        mount_of("cgroup", &|options| has(options)),
    ) {
        return Some(mount.join(path));
    }
    let dir = mount_of("cgroup2", &|_| true)?.join(path_in(&|list| list.is_empty())?);
    let controllers = fs::read_to_string(dir.join("cgroup.controllers")).ok()?;
    controllers
        .split_whitespace()
        .any(|name| name == controller)
        .then_some(dir)
}

/// One line of a process's mountinfo.
#[derive(Debug, Clone)]
pub struct MountLine {
    /// Where it is mounted.
    pub target: String,
    /// The options of this mount.
    pub options: Vec<String>,
    /// `shared:1`, `master:2` and the like.
    pub propagation: Vec<String>,
    /// The filesystem's type.
    pub kind: String,
    /// The options of the filesystem.
    pub super_options: Vec<String>,
}

impl MountLine {
    /// Whether the mount itself or its filesystem has this option.
    pub fn has(&self, option: &str) -> bool {
        self.options
            .iter()
            .chain(&self.super_options)
            .any(|o| o == option)
    }
}

/// Reads a mountinfo text.
pub fn parse_mountinfo(text: &str) -> Vec<MountLine> {
    let list = |text: &str| text.split(',').map(str::to_owned).collect();
    text.lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let left: Vec<&str> = left.split(' ').collect();
            let right: Vec<&str> = right.split(' ').collect();
            Some(MountLine {
                target: left[4].to_owned(),
                options: list(left[5]),
                propagation: left[6..].iter().map(|field| (*field).to_owned()).collect(),
                kind: right[0].to_owned(),
                super_options: list(right.last()?),
            })
        })
        .collect()
}

/// The topmost mount at a target.
#[track_caller]
pub fn mount_at<'a>(mounts: &'a [MountLine], target: &str) -> &'a MountLine {
    let found = mounts.iter().rev().find(|mount| mount.target == target);
    found.unwrap_or_else(|| panic!("nothing is mounted at {target}: {mounts:#?}"))
}
