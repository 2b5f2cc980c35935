//! The files of a cgroup, and the limits that are the same on v1 and v2.

use crate::error::{Context, Error, Result};
use crate::oci::{HugepageLimit, Rdma};
use crate::sys::file::{open_to_write, read_text};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes a value in one write(2). The file is never made.
#[inline(never)]
pub fn write(directory: &Path, name: &str, value: &str) -> std::io::Result<()> {
    let mut file = open_to_write(&directory.join(name))?;
    file.write_all(value.as_bytes())
}

/// An error with the field and the file: `linux.resources.pids.limit: write /sys/fs/cgroup/…/pids.max: …`.
#[inline(never)]
pub fn named(result: std::io::Result<()>, directory: &Path, field: &str, name: &str) -> Result<()> {
    let Err(error) = result else {
        return Ok(());
    };
    if error.kind() == ErrorKind::NotFound
        && let Some(controller) = missing_controller(directory, name)
    {
        return Err(Error::new(format!(
            "linux.resources.{field}: {name} can't be set: controller {controller:?} not available in {}: \
             a parent does not have it, or has processes of its own and cannot pass it on",
            directory.display()
        )));
    }
    Err(error).with_context(|| {
        format!(
            "linux.resources.{field}: write {}",
            directory.join(name).display()
        )
    })
}

/// The controller of a file, when it is one that a cgroup of v2 does not have.
pub fn missing_controller<'a>(directory: &Path, name: &'a str) -> Option<&'a str> {
    let available = read_text(&directory.join("cgroup.controllers")).ok()?;
    let (controller, _) = name.split_once('.')?;
    let has = available.split_whitespace().any(|has| has == controller);
    (!has && controller != "cgroup").then_some(controller)
}

/// Writes a limit to its file, with field and file named in an error.
#[inline(never)]
pub fn set(directory: &Path, field: &str, name: &str, value: &dyn Display) -> Result<()> {
    let result = write(directory, name, &value.to_string());
    named(result, directory, field, name)
}

/// A limit that is asked for: 0 is unset.
pub fn asked<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

/// The value of `pids.max`. As runc has it, 0 is 1: the one process that there is cannot make others.
pub fn pids(limit: i64) -> String {
    match limit {
        0 => "1".into(),
        limit if limit < 0 => "max".into(),
        limit => limit.to_string(),
    }
}

/// Huge pages, as used and as reserved, which kernels before 5.7 do not count. `suffix` is the limit's name.
pub fn hugepages(directory: &Path, limits: &[HugepageLimit], suffix: &str) -> Result<()> {
    let field = "hugepageLimits";
    for limit in limits {
        let name = format!("hugetlb.{}.{suffix}", limit.page_size);
        set(directory, field, &name, &limit.limit)?;
        let name = format!("hugetlb.{}.rsvd.{suffix}", limit.page_size);
        match write(directory, &name, &limit.limit.to_string()) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => named(result, directory, field, &name)?,
        }
    }
    Ok(())
}

/// RDMA limits, one line for each device.
pub fn rdma(directory: &Path, limits: &BTreeMap<String, Rdma>) -> Result<()> {
    for (device, limit) in limits {
        let value = rdma_line(device, limit);
        set(directory, &format!("rdma.{device}"), "rdma.max", &value)?;
    }
    Ok(())
}

fn rdma_line(device: &str, limit: &Rdma) -> String {
    let mut line = device.to_string();
    for (key, value) in [
        ("hca_handle", limit.hca_handles),
        ("hca_object", limit.hca_objects),
    ] {
        if let Some(value) = value {
            line += &format!(" {key}={value}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_values() {
        assert_eq!([-1, 0, 7].map(pids), ["max", "1", "7"]);
        let limit = Rdma {
            hca_handles: Some(3),
            hca_objects: Some(10),
        };
        assert_eq!(
            rdma_line("mlx5_1", &limit),
            "mlx5_1 hca_handle=3 hca_object=10"
        );
    }
}
