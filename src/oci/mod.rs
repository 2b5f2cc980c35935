//! The OCI runtime specification (1.3.0) as types: one file per page of the spec.
//!
//! Field names are the spec's in snake case. An unknown *value* of a closed set is an error; [`crate::json`] says how the
//! rest is read. Rules that span fields stand in [`crate::check`].

use crate::json::{object, words};

mod config;
mod features;
mod hooks;
mod landlock;
mod linux;
mod mounts;
mod process;
mod resources;
mod seccomp;
mod state;

pub use crate::json::{parse, parse_into};
pub use config::*;
pub use features::*;
pub use hooks::*;
pub use landlock::*;
pub use linux::*;
pub use mounts::*;
pub use process::*;
pub use resources::*;
pub use seccomp::*;
pub use state::*;

/// Annotations that say how a container is run.
pub mod annotation {
    /// crun's: files that the standard output and error of hooks are added to.
    pub const HOOK_OUTPUT: [&str; 2] = ["run.oci.hooks.stdout", "run.oci.hooks.stderr"];
    /// crun's: the supplementary groups are those of the runtime's caller, unless it is `0`.
    pub const KEEP_GROUPS: &str = "run.oci.keep_original_groups";
    /// What `process.landlock` is, as JSON, for engines that do not let that through.
    pub const LANDLOCK: &str = "org.coracle.landlock";
    /// crun's: a filter's BPF program in base64, in the place of `linux.seccomp`.
    pub const SECCOMP_BPF: &str = "run.oci.seccomp_bpf_data";
    /// crun's: the same as `linux.seccomp.listenerPath`.
    pub const SECCOMP_RECEIVER: &str = "run.oci.seccomp.receiver";
    /// crun's: a syscall that is unknown is an error, unless it is `0`.
    pub const SECCOMP_STRICT: &str = "run.oci.seccomp_fail_unknown_syscall";
}

/// The version of the specification that these types follow.
pub const VERSION: &str = "1.3.0";

#[cfg(test)]
mod tests;
