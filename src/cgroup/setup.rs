//! A cgroup's life: made before the container's process, or with it by systemd, and removed after it.

use super::devices::Policy;
use super::systemd::Unit;
use super::{Cgroup, Directory, freezer, layout, owner, tree, v1, v2, write};
use crate::error::{Context, Error, Result};
use crate::oci::Resources;
use crate::sys::{file, process};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::rc::Rc;

impl Cgroup {
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
    pub(super) fn is_systemds(&self, directory: &Directory) -> bool {
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

/// A cgroup that was there already may be frozen.
fn must_run(frozen: bool) -> Result<()> {
    match frozen {
        true => Err(Error::new(
            "linux.cgroupsPath: container's cgroup unexpectedly frozen",
        )),
        false => Ok(()),
    }
}
