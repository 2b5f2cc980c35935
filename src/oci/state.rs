//! runtime.md, "State", and config-linux.md, "The Container Process State".

use crate::json::{object, words};
use std::collections::BTreeMap;

object! {
    /// The state of a container, as hooks and engines read it.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct State {
        /// The version of the specification.
        pub oci_version: String = required "ociVersion",
        /// The container's id.
        pub id: String = required "id",
        /// Where in its life it is.
        pub status: Status = required "status",
        /// The first process, as the runtime's namespace numbers it; 0 (then not written) when there is none.
        pub pid: i32 = "pid",
        /// The bundle's directory, as an absolute path.
        pub bundle: String = required "bundle",
        /// The configuration's annotations.
        pub annotations: BTreeMap<String, String> = "annotations",
    }
}

words! {
    /// Where in its life a container is.
    Status {
        /// `create` is under way.
        Creating = "creating",
        /// `create` is done, and the process waits for `start`.
        Created = "created",
        /// The process runs.
        Running = "running",
        /// All processes are frozen: not of the spec, but of every runtime.
        Paused = "paused",
        /// The process has ended.
        Stopped = "stopped",
    }
}

object! {
    /// What a seccomp agent is sent beside the descriptors.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct ContainerProcessState {
        /// The version of the specification.
        pub oci_version: String = "ociVersion",
        /// The names of the descriptors, in the order of the `SCM_RIGHTS` array: `seccompFd`.
        pub fds: Vec<String> = always "fds",
        /// The process that the filter is on, as the runtime's namespace numbers it.
        pub pid: i32 = "pid",
        /// `linux.seccomp.listenerMetadata`, as it is.
        pub metadata: Option<String> = "metadata",
        /// The container's state.
        pub state: State = "state",
    }
}
