//! config.md: the configuration as a whole.

use super::{Hooks, Linux, Mount, Process, null, text};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A container's configuration: the whole of `config.json`.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// The version of the specification that the configuration follows.
    #[serde(deserialize_with = "null")]
    pub oci_version: String,
    /// The container's process; without one, the container can be created but not started.
    pub process: Option<Process>,
    /// The container's root filesystem.
    pub root: Option<Root>,
    /// The host name as seen inside.
    #[serde(deserialize_with = "text")]
    pub hostname: Option<String>,
    /// The NIS domain name as seen inside.
    #[serde(deserialize_with = "text")]
    pub domainname: Option<String>,
    /// What is mounted over the root filesystem, in this order.
    #[serde(deserialize_with = "null")]
    pub mounts: Vec<Mount>,
    /// What runs at the turns of the container's life.
    #[serde(deserialize_with = "null")]
    pub hooks: Hooks,
    /// The caller's own notes; some are read by runtimes.
    #[serde(deserialize_with = "null")]
    pub annotations: BTreeMap<String, String>,
    /// Everything that only Linux has.
    #[serde(deserialize_with = "null")]
    pub linux: Linux,
}

impl Config {
    /// Whether the annotation is there and switches something on: crun takes all but `0` for that.
    pub fn set(&self, annotation: &str) -> bool {
        self.annotations
            .get(annotation)
            .is_some_and(|value| value != "0")
    }
}

/// The container's root filesystem.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(default)]
pub struct Root {
    /// Its directory: absolute, or relative to the bundle.
    #[serde(deserialize_with = "null")]
    pub path: String,
    /// Whether it is mounted read-only inside.
    #[serde(deserialize_with = "null")]
    pub readonly: bool,
}
