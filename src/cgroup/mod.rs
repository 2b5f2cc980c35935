//! Control groups: made before the container's process, removed after it.

mod blkio;
mod devices;
mod devices_v1;
mod devices_v2;
mod files;
mod freezer;
mod layout;
mod sub;
#[cfg(test)]
mod tests;
mod tree;
mod v1;
mod v2;

pub use layout::Layout;

use files::{hugepages, named, pids, rdma, set, write};

use crate::error::{Context, Error, Result};
use crate::oci::{DeviceRule, Resources};
use crate::program::V1Mount;
use crate::sys::{file, process};
use devices::Policy;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the cgroup of a new container is to be.
pub struct Wanted<'a> {
    /// The container's id.
    pub id: &'a str,
    /// `linux.cgroupsPath`.
    pub path: Option<&'a str>,
}

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
    pub fn plan(layout: &Layout, wanted: &Wanted<'_>) -> Cgroup {
        let directory = |hierarchy: &layout::Hierarchy| {
            let cgroup = layout::resolve(&hierarchy.own, wanted.path, wanted.id, layout.unified);
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

    /// Makes the cgroup and sets its limits. One that is there already must have no processes and not be frozen. With
    /// `optional`, what may not be made is done without, unless a limit needs it. On an error, what was made is removed.
    pub fn make(&mut self, resources: Option<&Resources>, optional: bool) -> Result<()> {
        let mut made = Vec::new();
        let result = self
            .make_directories(optional, &mut made)
            .and_then(|()| self.set_up(resources, optional));
        if result.is_err() {
            for path in made.iter().rev() {
                let _ = fs::remove_dir(path);
            }
        }
        result
    }

    fn make_directories(&mut self, optional: bool, made: &mut Vec<PathBuf>) -> Result<()> {
        let denied = |error: &std::io::Error| {
            matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            )
        };
        let mut found = false;
        let planned = std::mem::take(&mut self.directories);
        for directory in planned {
            let path = &directory.path;
            match tree::make(&directory.mountpoint, path, self.unified, made) {
                Err(error) if optional && denied(&error) => continue,
                result => result
                    .with_context(|| format!("linux.cgroupsPath: mkdir {}", path.display()))?,
            }
            let new = made.last() == Some(path);
            if !new {
                found = true;
                tree::must_be_empty(path)?;
            }
            if directory
                .controllers
                .iter()
                .any(|controller| controller == "cpuset")
            {
                v1::inherit_cpuset(&directory.mountpoint, path, new)?;
            }
            self.directories.push(directory);
        }
        if found && self.frozen()? {
            return Err(Error::new(
                "linux.cgroupsPath: container's cgroup unexpectedly frozen",
            ));
        }
        Ok(())
    }

    /// The limits of a new cgroup. Devices are restricted even where the configuration has no rules.
    fn set_up(&self, resources: Option<&Resources>, optional: bool) -> Result<()> {
        if let Some(resources) = resources {
            self.limit(resources)?;
        }
        let rules = resources.map_or(&[][..], |resources| &resources.devices);
        match self.restrict_devices(rules) {
            // What an unprivileged user cannot restrict, the kernel does not give to it either.
            Err(_) if optional => Ok(()),
            result => result,
        }
    }

    /// Changes the limits to those that are given; what is absent stays. Without device rules, devices stay as they are.
    #[allow(dead_code)]
    pub fn apply(&self, resources: &Resources) -> Result<()> {
        self.limit(resources)?;
        match resources.devices.is_empty() {
            true => Ok(()),
            false => self.restrict_devices(&resources.devices),
        }
    }

    fn limit(&self, resources: &Resources) -> Result<()> {
        match (self.unified, self.directories.first()) {
            (false, _) => v1::apply(self, resources),
            (true, Some(directory)) => v2::apply(&directory.path, resources),
            (true, None) if limits_nothing(resources) => Ok(()),
            (true, None) => Err(Error::new(
                "linux.resources: rootless needs no limits + no cgrouppath when no permission is granted for cgroups",
            )),
        }
    }

    fn restrict_devices(&self, rules: &[DeviceRule]) -> Result<()> {
        let policy = Policy::new(rules)?;
        let directory = match self.unified {
            true => self
                .directories
                .first()
                .map(|directory| directory.path.as_path()),
            false => self.controller("devices"),
        };
        match directory {
            Some(directory) if self.unified => devices_v2::apply(directory, &policy),
            Some(directory) => devices_v1::apply(directory, &policy),
            None if rules.is_empty() => Ok(()),
            None => Err(Error::new(
                "linux.resources.devices: cannot set devices limit: container could not join or create cgroup",
            )),
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
            tree::collect(directory, &mut pids)?;
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
            // On v1 a frozen process does not die.
            let _ = self.thaw();
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Removes the cgroup, with what the container made below it. One that is gone is removed.
    pub fn delete(&self) -> Result<()> {
        for directory in &self.directories {
            tree::remove(&directory.path)
                .with_context(|| format!("rmdir {}", directory.path.display()))?;
        }
        Ok(())
    }
}

/// Whether the resources ask for nothing but devices.
fn limits_nothing(resources: &Resources) -> bool {
    let devices = resources.devices.clone();
    *resources
        == Resources {
            devices,
            ..Resources::default()
        }
}
