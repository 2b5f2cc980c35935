//! config.md, "Mounts".

use super::{null, text};
use serde::Deserialize;

/// One mount over the root filesystem.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Mount {
    /// Where it appears, as a path inside the container.
    #[serde(deserialize_with = "null")]
    pub destination: String,
    /// The filesystem's type as in `/proc/filesystems`; of no meaning for a bind mount.
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: Option<String>,
    /// A device, a name, or for a bind mount a path, absolute or relative to the bundle.
    #[serde(deserialize_with = "text")]
    pub source: Option<String>,
    /// Mount options as of fstab(5).
    #[serde(deserialize_with = "null")]
    pub options: Vec<String>,
    /// The user ids of an idmapped mount.
    #[serde(deserialize_with = "null")]
    pub uid_mappings: Vec<IdMapping>,
    /// The group ids of an idmapped mount.
    #[serde(deserialize_with = "null")]
    pub gid_mappings: Vec<IdMapping>,
}

/// A range of ids inside and the range on the host that it stands for.
#[derive(Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(default)]
pub struct IdMapping {
    /// The first id inside the container.
    #[serde(rename = "containerID")]
    pub container_id: u32,
    /// The first id on the host.
    #[serde(rename = "hostID")]
    pub host_id: u32,
    /// How many ids.
    pub size: u32,
}
