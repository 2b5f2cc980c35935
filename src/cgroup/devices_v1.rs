//! The devices controller of cgroup v1: `devices.allow` and `devices.deny`.

use super::devices::{Exception, Policy};
use crate::error::{Context, Result};
use crate::sys::file::{open_to_write, read_text};
use std::io::Write;
use std::path::Path;

/// Sets the policy of a `new` cgroup, or changes it.
pub fn apply(directory: &Path, policy: &Policy, new: bool) -> Result<()> {
    let (all, other) = match policy.allow {
        true => ("devices.allow", "devices.deny"),
        false => ("devices.deny", "devices.allow"),
    };
    let old = match new || policy.allow {
        true => None,
        false => allowed(directory)?,
    };
    // One rule for everything, then one write for each exception; but what is allowed before and after stays so
    // meanwhile.
    let (from, old) = match old {
        Some(old) => (less(&old, &policy.exceptions), old),
        None => (vec!["a".into()], Vec::new()),
    };
    write_each(directory, all, &from)?;
    write_each(directory, other, &less(&policy.exceptions, &old))
}

/// What the cgroup allows, where that is a list. All but some has none that could be read.
fn allowed(directory: &Path) -> Result<Option<Vec<Exception>>> {
    let path = directory.join("devices.list");
    let text = read_text(&path)
        .with_context(|| format!("linux.resources.devices: open {}", path.display()))?;
    Ok(text.lines().map(Exception::parse).collect())
}

/// The lines for what is in the one list and not in the other.
fn less(list: &[Exception], other: &[Exception]) -> Vec<String> {
    let rest = list.iter().filter_map(|exception| {
        let same = other.iter().filter(|other| other.same(exception));
        let access = same.fold(exception.access, |access, same| access & !same.access);
        (access != 0).then(|| {
            let rest = Exception {
                access,
                ..*exception
            };
            rest.to_string()
        })
    });
    rest.collect()
}

/// The file takes one rule in each write(2), but needs to be opened only once.
fn write_each(directory: &Path, name: &str, lines: &[String]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let path = directory.join(name);
    let what = || format!("linux.resources.devices: write {}", path.display());
    let mut file = open_to_write(&path).with_context(what)?;
    for line in lines {
        file.write_all(line.as_bytes())
            .with_context(|| format!("{}: {line:?}", what()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[&str]) -> Vec<Exception> {
        lines
            .iter()
            .filter_map(|line| Exception::parse(line))
            .collect()
    }

    #[test]
    fn only_what_changes_is_written() {
        let old = list(&["c 1:3 rwm", "c 9:9 rw", "b *:* m"]);
        let new = list(&["c 1:3 rwm", "c 9:9 wm", "c 5:* r"]);
        assert_eq!(less(&old, &new), ["c 9:9 r", "b *:* m"]);
        assert_eq!(less(&new, &old), ["c 9:9 m", "c 5:* r"]);
        assert!(Exception::parse("a *:* rwm").is_none());
    }
}
