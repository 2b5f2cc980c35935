//! runtime.md, "State", and config-linux.md, "The Container Process State".

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a container, as hooks and engines read it.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The version of the specification.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// Where in its life it is.
    pub status: Status,
    /// The first process, as the runtime's namespace numbers it; 0 (then not written) when there is none.
    #[serde(default)]
    pub pid: i32,
    /// The bundle's directory, as an absolute path.
    pub bundle: String,
    /// The configuration's annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Where in its life a container is.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// `create` is under way.
    Creating,
    /// `create` is done, and the process waits for `start`.
    Created,
    /// The process runs.
    Running,
    /// All processes are frozen: not of the spec, but of every runtime.
    Paused,
    /// The process has ended.
    Stopped,
}

impl Status {
    /// The word of the spec.
    pub fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

/// What a seccomp agent is sent beside the descriptors.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ContainerProcessState {
    /// The version of the specification.
    pub oci_version: String,
    /// The names of the descriptors, in the order of the `SCM_RIGHTS` array: `seccompFd`.
    pub fds: Vec<String>,
    /// The process that the filter is on, as the runtime's namespace numbers it.
    pub pid: i32,
    /// `linux.seccomp.listenerMetadata`, as it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// The container's state.
    pub state: State,
}
