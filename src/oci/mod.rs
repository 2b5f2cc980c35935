//! The OCI runtime specification (1.3.0) as types: one file per page of the spec.
//!
//! Field names are the spec's in snake case. A `null` counts as absent and an unknown field is ignored, as Go's
//! programs expect; an unknown *value* of a closed set is an error. Rules that span fields stand in
//! [`crate::check`].

/// Makes an enum of the words of a closed set, with the list of all and each one's word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[allow(missing_docs)] // the words say it
        #[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $(#[serde(rename = $word)] $variant,)* }

        impl $name {
            /// All of them, in the spec's order.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word of the spec.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }
    };
}

mod config;
mod features;
mod hooks;
mod linux;
mod mounts;
mod parse;
mod process;
mod resources;
mod seccomp;
mod state;

pub use config::*;
pub use features::*;
pub use hooks::*;
pub use linux::*;
pub use mounts::*;
pub use parse::parse;
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
    /// crun's: a filter's BPF program in base64, in the place of `linux.seccomp`.
    pub const SECCOMP_BPF: &str = "run.oci.seccomp_bpf_data";
    /// crun's: the same as `linux.seccomp.listenerPath`.
    pub const SECCOMP_RECEIVER: &str = "run.oci.seccomp.receiver";
    /// crun's: a syscall that is unknown is an error, unless it is `0`.
    pub const SECCOMP_STRICT: &str = "run.oci.seccomp_fail_unknown_syscall";
}

/// The version of the specification that these types follow.
pub const VERSION: &str = "1.3.0";

use serde::de::{Deserialize, Deserializer};

/// Reads a `null` as the default: Go writes its empty slices and maps so.
fn null<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// Reads the empty string, which is what Go has for an absent one, as `None`.
fn text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(d)?.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests;
