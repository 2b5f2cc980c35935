//! config.md: the configuration as a whole.

use super::{Hooks, Linux, Mount, Process, annotation, landlock};
use crate::error::Result;
use crate::json::object;
use std::collections::BTreeMap;

object! {
    /// A container's configuration: the whole of `config.json`.
    #[derive(Debug, Clone, Default)]
    pub struct Config {
        /// The version of the specification that the configuration follows.
        pub oci_version: String = "ociVersion",
        /// The container's process; without one, the container can be created but not started.
        pub process: Option<Process> = "process",
        /// The container's root filesystem.
        pub root: Option<Root> = "root",
        /// The host name as seen inside.
        pub hostname: Option<String> = "hostname",
        /// The NIS domain name as seen inside.
        pub domainname: Option<String> = "domainname",
        /// What is mounted over the root filesystem, in this order.
        pub mounts: Vec<Mount> = "mounts",
        /// What runs at the turns of the container's life.
        pub hooks: Hooks = "hooks",
        /// The caller's own notes; some are read by runtimes.
        pub annotations: BTreeMap<String, String> = "annotations",
        /// Everything that only Linux has.
        pub linux: Linux = "linux",
    }
}

impl Config {
    /// Whether the process wants a terminal.
    pub fn terminal(&self) -> bool {
        let process = self.process.as_ref();
        process.is_some_and(|process| process.terminal)
    }

    /// Adds the ruleset of the annotation to the process's own: both are enforced. The kernel wants a process that it
    /// restricts to gain no privileges.
    pub fn take_landlock(&mut self) -> Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        if let Some(json) = self.annotations.get(annotation::LANDLOCK) {
            process.landlock.0.push(landlock::annotated(json)?);
        }
        process.no_new_privileges |= !process.landlock.0.is_empty();
        Ok(())
    }

    /// Whether the annotation is there and switches something on: crun takes all but `0` for that.
    pub fn set(&self, annotation: &str) -> bool {
        self.annotations
            .get(annotation)
            .is_some_and(|value| value != "0")
    }
}

object! {
    /// The container's root filesystem.
    #[derive(Debug, Clone, Default)]
    pub struct Root {
        /// Its directory: absolute, or relative to the bundle.
        pub path: String = "path",
        /// Whether it is mounted read-only inside.
        pub readonly: bool = "readonly",
    }
}
