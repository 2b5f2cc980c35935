//! Control groups: made before the container's process, removed after it.
//!
//! There are three managers: the files of v1, those of v2, and systemd, which makes the cgroup of one of its units and
//! leaves the rest to the files.

mod blkio;
mod change;
mod devices;
mod devices_v1;
mod devices_v2;
mod files;
mod freezer;
#[cfg(test)]
pub mod fuzz;
mod layout;
mod limits;
mod oom;
mod owner;
mod processes;
mod stats;
mod sub;
mod systemd;
#[cfg(test)]
mod tests;
mod tree;
mod v1;
mod v2;
mod weight;

pub use change::Change;
pub use layout::Layout;
pub use oom::OutOfMemory;
pub use owner::owner;

use crate::json::object;
use files::{hugepages, named, pids, rdma, set, write};

use crate::error::{Context, Error, Result};
use crate::oci::Resources;
use crate::program::V1Mount;
use crate::sys::{file, process};
use devices::Policy;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use systemd::Unit;

/// Whether a cgroup that may not be made is done without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rootless {
    /// It is an error.
    #[default]
    No,
    /// It is done without.
    Yes,
    /// It depends on whether we are root of a user namespace or of the host: asked only when it matters.
    Detect,
}

impl Rootless {
    /// The answer.
    pub fn applies(self) -> bool {
        match self {
            Rootless::No => false,
            Rootless::Yes => true,
            Rootless::Detect => process::in_user_namespace(),
        }
    }
}

/// Who makes cgroups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manager {
    /// We do, in the file system.
    #[default]
    Files,
    /// Systemd, for its unit.
    Systemd,
    /// Nobody: containers stay in the cgroup of their maker.
    None,
}

/// What cannot be done without a cgroup, and how an ordinary user comes to one.
fn without(what: &str) -> Error {
    let how = match process::euid() {
        0 => "",
        _ => {
            " (an ordinary user needs one that is delegated: --systemd-cgroup on cgroup v2, or linux.cgroupsPath)"
        }
    };
    Error::new(format!("{what}{how}"))
}

/// What the cgroup of a new container is to be.
pub struct Wanted<'a> {
    /// The container's id.
    pub id: &'a str,
    /// `linux.cgroupsPath`.
    pub path: Option<&'a str>,
    /// Who is to make it. For systemd, the path is `slice:prefix:name`.
    pub manager: Manager,
    /// Without the rights of root: the user's systemd is asked, not the system's.
    pub rootless: Rootless,
    /// The user to whom it is given on v2.
    pub owner: Option<u32>,
    /// The configuration's: they may have unit properties.
    pub annotations: &'a BTreeMap<String, String>,
}

object! {
    /// A container's cgroup: a directory in each v1 hierarchy, or one on v2.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Cgroup {
        unified: bool = required "unified",
        /// On v2 with systemd, they are known once the unit is there.
        directories: Vec<Rc<Directory>> = required "directories",
        /// The systemd unit whose cgroup it is.
        unit: Option<Unit> = "unit",
        ;
        /// Whose it is to be.
        owner: Option<u32>,
        /// What may not be done with it is done without.
        rootless: Rootless,
        /// It was asked for by its path: then none of it is done without.
        given: bool,
        /// Where on v2 systemd is expected to make it.
        expected: PathBuf,
        /// The hierarchies may be elsewhere: only what is below a cgroup that is there is made.
        presumed: bool,
    }
}

object! {
    /// The cgroup's directory in one hierarchy.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Directory {
        /// The v1 controllers of the hierarchy, such as `cpu` and `cpuacct`, or `name=systemd`; none on v2, of a hybrid host
        /// too.
        pub controllers: Vec<String> = required "controllers",
        /// As an absolute path.
        pub path: PathBuf = required "path",
        /// Where the hierarchy is mounted.
        pub mountpoint: PathBuf = required "mountpoint",
        /// From the hierarchy's root.
        pub cgroup: String = required "cgroup",
    }
}

/// A cgroup that was there already may be frozen.
fn must_run(frozen: bool) -> Result<()> {
    match frozen {
        true => Err(Error::new(
            "linux.cgroupsPath: container's cgroup unexpectedly frozen",
        )),
        false => Ok(()),
    }
}

impl Cgroup {
    /// Where a container's cgroup will be, before it is made.
    pub fn plan(layout: &Layout, wanted: &Wanted<'_>) -> Result<Cgroup> {
        let unit = match wanted.manager {
            Manager::Systemd => Some(Unit::plan(wanted)?),
            _ => None,
        };
        if unit.as_ref().is_some_and(|unit| unit.user) && !layout.unified {
            return Err(Error::new(
                "cannot use rootless systemd cgroups manager on cgroup v1",
            ));
        }
        let path = match &unit {
            Some(unit) => Some(unit.cgroup()?),
            None => wanted.path.map(String::from),
        };
        let directory = |hierarchy: &layout::Hierarchy| {
            let cgroup =
                layout::resolve(&hierarchy.own, path.as_deref(), wanted.id, layout.unified);
            Rc::new(Directory {
                controllers: hierarchy.controllers.clone(),
                path: hierarchy.mountpoint.join(cgroup.trim_start_matches('/')),
                mountpoint: hierarchy.mountpoint.clone(),
                cgroup,
            })
        };
        // Systemd decides where its unit is on v2. A unit of that name may be another's until we have made ours.
        let known = match wanted.manager {
            Manager::Files => true,
            Manager::Systemd => !layout.unified,
            Manager::None => false,
        };
        let expected = match (&unit, layout.hierarchies.first()) {
            (Some(unit), Some(hierarchy)) if layout.unified => {
                let place = unit.base(&hierarchy.own).to_owned() + &unit.cgroup()?;
                hierarchy.mountpoint.join(place.trim_start_matches('/'))
            }
            _ => PathBuf::new(),
        };
        let hierarchies = layout.hierarchies.iter().filter(|_| known);
        Ok(Cgroup {
            unified: layout.unified,
            directories: hierarchies.map(directory).collect(),
            unit,
            owner: wanted.owner.filter(|_| layout.unified),
            rootless: wanted.rootless,
            given: wanted.path.is_some(),
            expected,
            presumed: layout.presumed,
        })
    }

    /// Whether systemd makes it, once there is a process to be in it: then [`Cgroup::adopt`] follows.
    pub fn has_unit(&self) -> bool {
        self.unit.is_some()
    }

    /// Whether the container has none: all of its hierarchies are done without.
    pub fn is_none(&self) -> bool {
        self.directories.is_empty() && self.unit.is_none()
    }

    /// Whether no hierarchy is done without.
    pub fn is_in_all(&self, layout: &Layout) -> bool {
        self.directories.len() == layout.hierarchies.len()
    }

    /// Prepares for [`Cgroup::adopt`].
    pub fn dial(&self) {
        if let Some(unit) = &self.unit {
            unit.dial();
        }
    }

    /// Prepares for it to stay: [`Cgroup::delete`] will not follow soon.
    pub fn hang_up(&self) {
        if let Some(unit) = &self.unit {
            unit.hang_up();
        }
    }

    /// What there is of it before [`Cgroup::adopt`].
    pub fn without_unit(&self) -> Cgroup {
        Cgroup {
            unit: None,
            ..self.clone()
        }
    }

    /// Makes the cgroup and sets its limits. One that is there already must have no processes and not be frozen. What an
    /// ordinary user may not make is done without, unless a limit needs it. On an error, what was made is removed.
    /// With systemd, only those v1 directories are made that it may not know of. The result is for [`Cgroup::undo`].
    pub fn make(&mut self, resources: Option<&Resources>) -> Result<Vec<PathBuf>> {
        let mut made = Vec::new();
        if self.unified && self.unit.is_some() {
            // Systemd would take it, and remove it with the unit that is refused.
            return freezer::is_frozen(&self.expected.join("cgroup.freeze"))
                .and_then(must_run)
                .map(|()| made);
        }
        if self.unit.is_none() && self.directories.is_empty() {
            return self.must_do_without(resources).map(|()| made);
        }
        let mut result = self.make_directories(resources, &mut made);
        if let Ok(new) = result
            && self.unit.is_none()
        {
            result = self.set_up(resources, new).map(|()| new);
        }
        match result {
            Ok(_) => Ok(made),
            Err(error) => {
                tree::take_back(&made);
                Err(error)
            }
        }
    }

    /// Whether no directory was there before.
    fn make_directories(
        &mut self,
        resources: Option<&Resources>,
        made: &mut Vec<PathBuf>,
    ) -> Result<bool> {
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
            if self.is_systemds(&directory) {
                self.directories.push(directory);
                continue;
            }
            let made_all = match self.presumed {
                true => tree::make_one(path, made).map(|()| true),
                false => tree::make(&directory.mountpoint, path, self.unified, made),
            };
            let whole = match made_all {
                Err(error) if denied(&error) && self.may_miss(&directory) => continue,
                Err(error) => {
                    let how = match denied(&error) && !self.given {
                        true => " (`--rootless true` does without cgroups)",
                        false => "",
                    };
                    return Err(Error::new(format!(
                        "unable to apply cgroup configuration: linux.cgroupsPath: mkdir {}: {}{how}",
                        path.display(),
                        Error::from(error)
                    )));
                }
                Ok(whole) => whole,
            };
            if !whole {
                v2::must_host(path, resources)?;
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
                let cpu = resources.and_then(|resources| resources.cpu.as_ref());
                v1::fill_cpuset(&directory.mountpoint, path, new, cpu)?;
            }
            self.directories.push(directory);
        }
        if found {
            must_run(self.frozen()?)?;
        }
        Ok(!found)
    }

    /// Whether that directory may be done without. The v2 hierarchy of a hybrid host has nearly no limits: who is given a
    /// cgroup seldom has one there.
    fn may_miss(&self, directory: &Directory) -> bool {
        let spare = !self.unified && directory.controllers.is_empty();
        (spare || !self.given) && self.rootless.applies()
    }

    /// Whether it is a hierarchy of v1, or of a hybrid host, in which systemd keeps its own processes.
    fn is_systemds(&self, directory: &Directory) -> bool {
        let controllers = &directory.controllers;
        self.unit.is_some()
            && (controllers.is_empty() || controllers.iter().any(|name| name == "name=systemd"))
    }

    /// Has systemd make the unit with the process, which waits meanwhile, and sets the limits. On an error, the unit
    /// and its processes are gone.
    pub fn adopt(&mut self, pid: i32, resources: Option<&Resources>) -> Result<()> {
        let Some(unit) = self.unit.clone() else {
            return Ok(());
        };
        let mut resources = resources.cloned().unwrap_or_default();
        let policy = Policy::new(&resources.devices)?;
        unit.start(pid, &mut resources, &policy, self.unified)?;
        let result = self
            .settle(pid, &unit)
            .and_then(|()| must_run(self.frozen()?))
            .and_then(|()| self.set_up(Some(&resources), false));
        if result.is_err() {
            // It would not heed the signal with which systemd stops a unit.
            let _ = process::kill(pid, libc::SIGKILL);
            let _ = unit.stop();
        }
        result
    }

    /// Finds the unit's cgroup on v2, where systemd has put it, and moves the process below it if it is to be there.
    fn settle(&mut self, pid: i32, unit: &Unit) -> Result<()> {
        if !self.unified {
            return Ok(());
        }
        let layout::Hierarchy {
            mountpoint, own, ..
        } = layout::unified(&format!("/proc/{pid}/cgroup"))?;
        let path = mountpoint.join(own.trim_start_matches('/'));
        // Systemd passes on those that it has properties for: not huge pages, for one.
        if !unit.user {
            tree::complete(&mountpoint, &path);
        }
        if let Some(subgroup) = &unit.subgroup {
            let below = path.join(subgroup);
            file::make_directory(&below).with_context(|| format!("mkdir {}", below.display()))?;
            write(&below, "cgroup.procs", &pid.to_string())
                .with_context(|| format!("write {}", below.join("cgroup.procs").display()))?;
            // Not before: with a process in it, it would become threaded.
            v2::enable_controllers(&path);
        }
        self.directories = vec![Rc::new(Directory {
            controllers: Vec::new(),
            path,
            mountpoint,
            cgroup: own,
        })];
        Ok(())
    }

    /// The first limits. Devices are restricted even where the configuration has no rules.
    fn set_up(&self, resources: Option<&Resources>, new: bool) -> Result<()> {
        if let (Some(owner), Some(path)) = (self.owner, self.processes()) {
            owner::give(&path, owner)?;
        }
        if let Some(resources) = resources {
            self.limit(resources, false)?;
        }
        let rules = resources.map_or(&[][..], |resources| &resources.devices);
        match self.restrict_devices(rules, new) {
            Err(_) if self.rootless.applies() => Ok(()),
            result => result,
        }
    }

    /// The directory of the v1 hierarchy that has the controller.
    fn controller(&self, name: &str) -> Option<&Path> {
        let has = |directory: &&Rc<Directory>| {
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
        let open = |directory: &Rc<Directory>| {
            let tasks = directory.path.join("tasks");
            match crate::sys::open_inherited(&tasks, libc::O_WRONLY) {
                // Of a new unit, which systemd has yet to make, with the process in it.
                Err(error)
                    if error.kind() == ErrorKind::NotFound && self.is_systemds(directory) =>
                {
                    None
                }
                result => Some(result.with_context(|| format!("open {}", tasks.display()))),
            }
        };
        let v1 = |directory: &&Rc<Directory>| !directory.controllers.is_empty();
        self.directories
            .iter()
            .filter(v1)
            .filter_map(open)
            .collect()
    }

    /// On v2, also of a hybrid host, the directory that the processes are in: below the unit's where it has a subgroup.
    fn processes(&self) -> Option<PathBuf> {
        let v2 = |directory: &&Rc<Directory>| directory.controllers.is_empty();
        let path = &self.directories.iter().rfind(v2)?.path;
        let subgroup = self.unit.as_ref().and_then(|unit| unit.subgroup.as_ref());
        Some(subgroup.map_or_else(|| path.clone(), |subgroup| path.join(subgroup)))
    }

    /// On v2, also of a hybrid host, the directory, in which the child is made.
    pub fn dir_fd(&self) -> Result<Option<OwnedFd>> {
        let Some(path) = self.processes() else {
            return Ok(None);
        };
        match file::open_directory(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && !self.unified => Ok(None),
            result => result
                .map(Some)
                .with_context(|| format!("open {}", path.display())),
        }
    }

    /// Whether its limits are on v2: a process that is not in [`Cgroup::dir_fd`] would go without.
    pub fn is_unified(&self) -> bool {
        self.unified
    }

    /// The directory on v2.
    pub fn v2_path(&self) -> Option<PathBuf> {
        let own = self.directories.first().filter(|_| self.unified)?;
        Some(own.path.clone())
    }

    /// The v1 hierarchies, for a container that mounts them. It sees our cgroup of those in which it has none of its own.
    pub fn v1_mounts(&self, layout: &Layout) -> Vec<V1Mount> {
        if self.unified {
            return Vec::new();
        }
        let mount = |hierarchy: &layout::Hierarchy| {
            let mut options = hierarchy.controllers.clone();
            if options.iter().any(|option| option.starts_with("name=")) {
                options.insert(0, "none".into());
            }
            let joined = self.directories.iter().find(|directory| {
                directory.mountpoint.as_os_str() == hierarchy.mountpoint.as_os_str()
            });
            Some(V1Mount {
                name: hierarchy
                    .mountpoint
                    .file_name()?
                    .to_string_lossy()
                    .into_owned(),
                options,
                mountpoint: hierarchy.mountpoint.clone(),
                cgroup: joined
                    .map_or(&hierarchy.own, |directory| &directory.cgroup)
                    .clone(),
            })
        };
        let v1 = |hierarchy: &&layout::Hierarchy| !hierarchy.controllers.is_empty();
        layout
            .hierarchies
            .iter()
            .filter(v1)
            .filter_map(mount)
            .collect()
    }

    /// Removes what [`Cgroup::make`] made, with what is below it, and the unit: what was there before stays.
    pub fn undo(&self, made: &[PathBuf]) -> Result<()> {
        if let Some(unit) = &self.unit {
            unit.stop()?;
        }
        for directory in &self.directories {
            if made.contains(&directory.path) {
                tree::remove(&directory.path)
                    .with_context(|| format!("rmdir {}", directory.path.display()))?;
            }
        }
        tree::take_back(made);
        Ok(())
    }

    /// Removes the cgroup, with what the container made below it. One that is gone is removed.
    pub fn delete(&self) -> Result<()> {
        let mut directories = self.directories.iter();
        if let Some(unit) = &self.unit
            && (directories.any(|directory| directory.path.exists()) || !unit.is_forgotten())
        {
            unit.stop()?;
        }
        for directory in &self.directories {
            tree::remove(&directory.path)
                .with_context(|| format!("rmdir {}", directory.path.display()))?;
        }
        Ok(())
    }
}
