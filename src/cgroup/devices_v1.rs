//! The devices controller of cgroup v1: `devices.allow` and `devices.deny`.

use super::devices::Policy;
use crate::error::{Context, Result};
use crate::sys::file::open_to_write;
use std::io::Write;
use std::path::Path;

/// Sets the policy: one rule for everything, then one write for each exception.
pub fn apply(directory: &Path, policy: &Policy) -> Result<()> {
    let (all, other) = match policy.allow {
        true => ("devices.allow", "devices.deny"),
        false => ("devices.deny", "devices.allow"),
    };
    write_each(directory, all, &["a".into()])?;
    let lines: Vec<String> = policy.exceptions.iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        return Ok(());
    }
    write_each(directory, other, &lines)
}

/// The file takes one rule in each write(2), but needs to be opened only once.
fn write_each(directory: &Path, name: &str, lines: &[String]) -> Result<()> {
    let path = directory.join(name);
    let what = || format!("linux.resources.devices: write {}", path.display());
    let mut file = open_to_write(&path).with_context(what)?;
    for line in lines {
        file.write_all(line.as_bytes())
            .with_context(|| format!("{}: {line:?}", what()))?;
    }
    Ok(())
}
