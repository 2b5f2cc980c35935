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
mod setup;
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
use crate::program::V1Mount;
use crate::sys::{file, process};
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
}
