//! Setting a cgroup's limits, and changing them.

use super::devices::Policy;
use super::{Cgroup, Change, devices_v1, devices_v2, v1, v2};
use crate::error::{Error, Result};
use crate::log;
use crate::oci::{DeviceRule, Resources};
use crate::sys::process;

impl Cgroup {
    /// Changes limits. When one cannot be set, those that were are set back.
    pub fn change(&self, change: &Change) -> Result<()> {
        let result = self.apply(&change.write);
        if result.is_err() && !self.is_none() {
            self.change_back(change);
        }
        result
    }

    /// Sets the limits back to what they were before a change.
    pub fn change_back(&self, change: &Change) {
        if let Err(error) = self.apply(&change.undo) {
            log::warn(&format!(
                "the former limits could not be set again: {error}"
            ));
        }
    }

    /// Changes the limits to those that are given; what is absent stays. Without device rules, devices stay as they are.
    pub(super) fn apply(&self, resources: &Resources) -> Result<()> {
        let mut rounded;
        let mut resources = resources;
        if let Some(unit) = &self.unit {
            let policy = match resources.devices.is_empty() {
                true => None,
                false => Some(Policy::new(&resources.devices)?),
            };
            rounded = resources.clone();
            if self.unified
                && let (Some(memory), Some(directory)) = (&rounded.memory, self.directories.first())
            {
                v2::check_use(&directory.path, memory)?;
            }
            unit.set(&mut rounded, policy.as_ref(), self.unified)?;
            resources = &rounded;
        }
        self.limit(resources, true)?;
        match resources.devices.is_empty() {
            true => Ok(()),
            false => self.restrict_devices(&resources.devices, false),
        }
    }

    /// Sets all but the devices, at first or in an `update`.
    pub(super) fn limit(&self, resources: &Resources, update: bool) -> Result<()> {
        match (self.unified, self.directories.first()) {
            (false, _) => v1::apply(self, resources, update),
            (true, Some(directory)) => v2::apply(&directory.path, resources),
            (true, None) if !v2::needs_controllers(resources) => Ok(()),
            (true, None) => Err(super::without(
                "linux.resources: rootless needs no limits + no cgrouppath when no permission is granted for cgroups",
            )),
        }
    }

    /// Of a container that has none: it has no limits either. Devices are as they are for its maker.
    pub(super) fn must_do_without(&self, resources: Option<&Resources>) -> Result<()> {
        match resources.is_some_and(v2::needs_controllers) {
            true => Err(Error::new(
                "linux.resources: limits need a cgroup: use another --cgroup-manager than disabled, or no limits",
            )),
            false => Ok(()),
        }
    }

    pub(super) fn restrict_devices(&self, rules: &[DeviceRule], new: bool) -> Result<()> {
        let policy = Policy::new(rules)?;
        let directory = match self.unified {
            true => self
                .directories
                .first()
                .map(|directory| directory.path.as_path()),
            false => self.controller("devices"),
        };
        let apply = match self.unified {
            true => devices_v2::apply,
            false => devices_v1::apply,
        };
        match directory {
            Some(directory) => match apply(directory, &policy, new) {
                // What an unprivileged user cannot restrict, the kernel does not give to it either.
                Err(_) if process::euid() != 0 || process::in_user_namespace() => Ok(()),
                result => result,
            },
            None if rules.is_empty() => Ok(()),
            None => Err(super::without(
                "linux.resources.devices: cannot set devices limit: container could not join or create cgroup",
            )),
        }
    }
}
