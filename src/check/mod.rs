//! The rules of the specification, as functions from its types to one error that names the field.
//!
//! Nothing here looks at the system: what depends on the host (whether a path exists, a kernel has a feature, a
//! joined namespace is the host's own) is found out where it is used. What runc accepts is accepted.

mod hooks;
mod id;
mod list;
mod mounts;
mod namespaces;
mod process;
mod resources;
mod sysctl;
mod version;

pub use id::id;
pub use list::list;
pub use mounts::check as mounts;
pub use process::process;
pub use resources::resources;
pub use sysctl::sysctl_path;

use crate::error::{Error, Result};
use crate::oci::Config;
use std::fmt::Display;

/// Checks a whole configuration, with its process when it has one.
pub fn config(config: &Config) -> Result<()> {
    version::check(&config.oci_version)?;
    root(config)?;
    if let Some(process) = &config.process {
        self::process(process)?;
    }
    namespaces::check(config)?;
    sysctl::check(&config.linux)?;
    mounts::check(config)?;
    hooks::check(&config.hooks)?;
    if let Some(resources) = &config.linux.resources {
        self::resources(resources)?;
    }
    Ok(())
}

fn root(config: &Config) -> Result<()> {
    let Some(root) = &config.root else {
        return fail("root", "missing: it must name the root filesystem");
    };
    if root.path.is_empty() {
        return fail(
            "root.path",
            "missing: it must name the root filesystem's directory",
        );
    }
    no_nul("root.path", &root.path)
}

/// The error that a field is wrong, and what would be right.
fn fail<T>(field: impl Display, what: impl Display) -> Result<T> {
    Err(Error::new(format!("{field}: {what}")))
}

/// Refuses a string that the kernel would take for a shorter one.
fn no_nul(field: impl Display, text: &str) -> Result<()> {
    if text.contains('\0') {
        return fail(
            field,
            "contains a NUL byte (\\0), which no string for the kernel can",
        );
    }
    Ok(())
}

/// As [`no_nul`], for each of a list.
fn no_nuls(field: impl Display, texts: &[String]) -> Result<()> {
    texts
        .iter()
        .enumerate()
        .try_for_each(|(i, text)| no_nul(format_args!("{field}[{i}]"), text))
}

/// As [`no_nul`], for what may be absent.
fn no_nul_in(field: impl Display, text: &Option<String>) -> Result<()> {
    no_nul(field, text.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests;
