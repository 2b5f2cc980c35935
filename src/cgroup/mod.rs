//! Control groups: made before the container's process, removed after it.

mod layout;
mod v1;
mod v2;

pub use layout::Layout;

use crate::error::{Context, Error, Result};
use crate::oci::Resources;
use crate::program::V1Mount;
use crate::sys::{file, process};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A container's cgroup: a directory in each v1 hierarchy, or one on v2.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cgroup {
    unified: bool,
    directories: Vec<Directory>,
}

/// The cgroup's directory in one hierarchy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Directory {
    /// The v1 controllers of the hierarchy, such as `cpu` and `cpuacct`, or `name=systemd`; none on v2.
    pub controllers: Vec<String>,
    /// As an absolute path.
    pub path: PathBuf,
    /// Where the hierarchy is mounted.
    pub mountpoint: PathBuf,
    /// From the hierarchy's root.
    pub cgroup: String,
}

impl Cgroup {
    /// Where a container's cgroup will be, before it is made.
    pub fn plan(layout: &Layout, cgroups_path: Option<&str>, id: &str) -> Cgroup {
        let directory = |hierarchy: &layout::Hierarchy| {
            let cgroup = layout::resolve(&hierarchy.own, cgroups_path, id, layout.unified);
            Directory {
                controllers: hierarchy.controllers.clone(),
                path: hierarchy.mountpoint.join(cgroup.trim_start_matches('/')),
                mountpoint: hierarchy.mountpoint.clone(),
                cgroup,
            }
        };
        let directories = layout.hierarchies.iter().map(directory).collect();
        Cgroup {
            unified: layout.unified,
            directories,
        }
    }

    /// Makes the cgroup and sets its limits. With `optional`, what may not be made is done without. On an error,
    /// what was made is removed.
    pub fn make(&mut self, resources: Option<&Resources>, optional: bool) -> Result<()> {
        let mut made = 0;
        let result = self
            .make_directories(optional, &mut made)
            .and_then(|()| match resources {
                Some(resources) if !self.directories.is_empty() => self.apply(resources),
                _ => Ok(()),
            });
        if result.is_err() {
            self.directories.truncate(made);
            let _ = self.delete();
        }
        result
    }

    fn make_directories(&mut self, optional: bool, made: &mut usize) -> Result<()> {
        let denied = |error: &std::io::Error| {
            matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            )
        };
        let planned = std::mem::take(&mut self.directories);
        for directory in planned {
            let path = &directory.path;
            match make_path(&directory.mountpoint, path, self.unified) {
                Err(error) if optional && denied(&error) => continue,
                result => result
                    .with_context(|| format!("linux.cgroupsPath: mkdir {}", path.display()))?,
            }
            if directory
                .controllers
                .iter()
                .any(|controller| controller == "cpuset")
            {
                v1::inherit_cpuset(&directory.mountpoint, path)?;
            }
            self.directories.push(directory);
            *made = self.directories.len();
        }
        Ok(())
    }

    /// Sets the limits.
    pub fn apply(&self, resources: &Resources) -> Result<()> {
        match self.directories.first() {
            Some(directory) if self.unified => v2::apply(&directory.path, resources),
            _ => v1::apply(self, resources),
        }
    }

    /// The directory of the v1 hierarchy that has the controller.
    fn controller(&self, name: &str) -> Option<&Path> {
        let has = |directory: &&Directory| {
            directory
                .controllers
                .iter()
                .any(|controller| controller == name)
        };
        self.directories
            .iter()
            .find(has)
            .map(|directory| directory.path.as_path())
    }

    /// On v1, the `tasks` files, in which the stub moves itself. Not close-on-exec: they are for the stub.
    pub fn join_fds(&self) -> Result<Vec<OwnedFd>> {
        if self.unified {
            return Ok(Vec::new());
        }
        let open = |directory: &Directory| {
            let tasks = directory.path.join("tasks");
            crate::sys::open_inherited(&tasks, libc::O_WRONLY)
                .with_context(|| format!("open {}", tasks.display()))
        };
        self.directories.iter().map(open).collect()
    }

    /// On v2, the directory, in which the child is made.
    pub fn dir_fd(&self) -> Result<Option<OwnedFd>> {
        let Some(directory) = self.directories.first().filter(|_| self.unified) else {
            return Ok(None);
        };
        let path = &directory.path;
        file::open_directory(path)
            .map(Some)
            .with_context(|| format!("open {}", path.display()))
    }

    /// The v1 hierarchies, for a container that mounts them.
    pub fn v1_mounts(&self) -> Vec<V1Mount> {
        if self.unified {
            return Vec::new();
        }
        let mount = |directory: &Directory| {
            let mut options = directory.controllers.clone();
            if options
                .iter()
                .any(|controller| controller.starts_with("name="))
            {
                options.insert(0, "none".into());
            }
            Some(V1Mount {
                name: directory
                    .mountpoint
                    .file_name()?
                    .to_string_lossy()
                    .into_owned(),
                options,
                mountpoint: directory.mountpoint.clone(),
                cgroup: directory.cgroup.clone(),
            })
        };
        self.directories.iter().filter_map(mount).collect()
    }

    /// The processes in the cgroup and below it.
    pub fn procs(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        let directory = self
            .controller("pids")
            .or_else(|| self.directories.first().map(|first| first.path.as_path()));
        if let Some(directory) = directory {
            collect(directory, &mut pids)?;
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Sends a signal to every process.
    pub fn signal_all(&self, signal: i32) -> Result<()> {
        for pid in self.procs()? {
            match process::kill(pid, signal) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => result.with_context(|| format!("kill {pid}"))?,
            }
        }
        Ok(())
    }

    /// Kills every process, also those that are made meanwhile.
    pub fn kill_all(&self) -> Result<()> {
        if let Some(directory) = self.directories.first().filter(|_| self.unified)
            && fs::write(directory.path.join("cgroup.kill"), "1").is_ok()
        {
            return Ok(());
        }
        const ROUNDS: usize = 100;
        for _ in 0..ROUNDS {
            if self.procs()?.is_empty() {
                return Ok(());
            }
            self.signal_all(libc::SIGKILL)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn freezer(&self) -> Option<PathBuf> {
        match self.unified {
            true => self
                .directories
                .first()
                .map(|directory| directory.path.join("cgroup.freeze")),
            false => self
                .controller("freezer")
                .map(|path| path.join("freezer.state")),
        }
    }

    /// Whether the cgroup is frozen.
    pub fn frozen(&self) -> Result<bool> {
        let Some(path) = self.freezer() else {
            return Ok(false);
        };
        match fs::read_to_string(&path) {
            Ok(text) => Ok(matches!(text.trim(), "1" | "FROZEN" | "FREEZING")),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => {
                Ok(false)
            }
            Err(error) => Err(error).with_context(|| format!("open {}", path.display())),
        }
    }

    /// Freezes every process, and returns when they are.
    pub fn freeze(&self) -> Result<()> {
        self.set_frozen(true)?;
        const ROUNDS: usize = 1000;
        let path = self.freezer().unwrap_or_default();
        for _ in 0..ROUNDS {
            let done = match self.unified {
                true => fs::read_to_string(path.with_file_name("cgroup.events"))
                    .is_ok_and(|text| text.contains("frozen 1")),
                false => fs::read_to_string(&path).is_ok_and(|text| text.trim() == "FROZEN"),
            };
            if done {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.thaw()?;
        Err(Error::new(
            "unable to freeze: processes did not stop within a second",
        ))
    }

    /// Lets them run again.
    pub fn thaw(&self) -> Result<()> {
        self.set_frozen(false)
    }

    fn set_frozen(&self, frozen: bool) -> Result<()> {
        let path = self
            .freezer()
            .ok_or_else(|| Error::new("there is no freezer cgroup"))?;
        let value = match (self.unified, frozen) {
            (true, true) => "1",
            (true, false) => "0",
            (false, true) => "FROZEN",
            (false, false) => "THAWED",
        };
        fs::write(&path, value).with_context(|| format!("write {}", path.display()))
    }

    /// Removes the cgroup, with what the container made below it. One that is gone is removed.
    pub fn delete(&self) -> Result<()> {
        for directory in &self.directories {
            remove(&directory.path)
                .with_context(|| format!("rmdir {}", directory.path.display()))?;
        }
        Ok(())
    }
}

/// Makes a cgroup's directory, and its parents as far as they are missing; on v2 with every controller that the
/// parents have.
fn make_path(mountpoint: &Path, path: &Path, unified: bool) -> std::io::Result<()> {
    let make = |path: &Path| match file::make_directory(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        result => result,
    };
    if unified {
        let below = path.strip_prefix(mountpoint).unwrap_or(path);
        let mut at = mountpoint.to_path_buf();
        for component in below.components() {
            v2::enable_controllers(&at);
            at.push(component);
            make(&at)?;
        }
        return Ok(());
    }
    match make(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        result => return result,
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| parent.starts_with(mountpoint))
    {
        make_path(mountpoint, parent, unified)?;
    }
    make(path)
}

fn collect(directory: &Path, pids: &mut Vec<i32>) -> Result<()> {
    let path = directory.join("cgroup.procs");
    match fs::read_to_string(&path) {
        Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => {
            return Ok(());
        }
        Err(error) => return Err(error).with_context(|| format!("open {}", path.display())),
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), pids)?;
        }
    }
    Ok(())
}

/// rmdir(2), depth first where there is something below. A cgroup stays busy for a moment after its last process
/// has ended.
fn remove(path: &Path) -> std::io::Result<()> {
    const ROUNDS: u32 = 8;
    let mut wait = Duration::from_micros(500);
    for round in 0.. {
        match fs::remove_dir(path) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && round < ROUNDS => {
                for entry in fs::read_dir(path)?.flatten() {
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        remove(&entry.path())?;
                    }
                }
                std::thread::sleep(wait);
                wait *= 2;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            result => return result,
        }
    }
    Ok(())
}

/// Writes a limit to its file, with both named in the error.
fn set(directory: &Path, field: &str, name: &str, value: impl ToString) -> Result<()> {
    let path = directory.join(name);
    let value = value.to_string();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes()))
        .with_context(|| {
            format!(
                "linux.resources.{field}: write {value:?} to {}",
                path.display()
            )
        })
}
