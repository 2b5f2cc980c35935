//! What the compiler must know of the host's files.

use super::store::Record;
use crate::check::sysctl_path;
use crate::error::{Context, Error, Result};
use crate::oci::{Config, NamespaceType};
use crate::program::wants_link;
use crate::sys::{self, file, mount};
use std::fs;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// For mounts with `copy-symlink` whose source is a symbolic link: what it leads to.
pub fn source_links(config: &Config, bundle: &Path) -> Vec<(usize, PathBuf)> {
    let link = |(index, mount)| {
        let source = wants_link(mount)?;
        Some((index, fs::read_link(bundle.join(source)).ok()?))
    };
    config.mounts.iter().enumerate().filter_map(link).collect()
}

/// Which of the standard streams (bits 0 to 2) are the host's null device.
pub fn null_streams() -> u8 {
    let is_null = |number: i32| {
        let stream = ManuallyDrop::new(sys::standard(number));
        stream.metadata().is_ok_and(|metadata| {
            metadata.file_type().is_char_device() && metadata.rdev() == libc::makedev(1, 3)
        })
    };
    (0..3).fold(0, |found, number| {
        found | u8::from(is_null(number)) << number
    })
}

/// The id of the mount that a directory is in: proc_pid_fdinfo(5).
pub fn mount_id(directory: &Path) -> Option<u64> {
    let opened = sys::open_inherited(directory, libc::O_PATH | libc::O_CLOEXEC).ok()?;
    let path = format!("/proc/self/fdinfo/{}", opened.as_raw_fd());
    let text = file::read_text(Path::new(&path)).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    line.trim().parse().ok()
}

/// Takes away the mounts of a container that has none but the host's namespace for them.
pub fn take_mounts_away(record: &Record) -> Result<()> {
    let Some(before) = record.mount_before else {
        return Ok(());
    };
    if mount_id(&record.rootfs).is_none_or(|id| id == before) {
        return Ok(());
    }
    mount::detach(&record.rootfs)
        .with_context(|| format!("root.path: unmount {}", record.rootfs.display()))
}

/// A network namespace that is joined may be the host's own, whose parameters are nobody's to set.
pub fn check_sysctls(config: &Config) -> Result<()> {
    let linux = &config.linux;
    let network = linux.namespace(NamespaceType::Network);
    let mut names = linux.sysctl.keys();
    let (Some(path), Some(name)) = (
        network.and_then(|namespace| namespace.path.as_deref()),
        names.find(|name| sysctl_path(name).starts_with("net/")),
    ) else {
        return Ok(());
    };
    let number = |path: &str| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    match number(path).ok() == number("/proc/self/ns/net").ok() {
        true => Err(Error::new(format!(
            "linux.sysctl: sysctl {name:?} not allowed in host network namespace: {path:?} is the host's own"
        ))),
        false => Ok(()),
    }
}

/// Where whole proc and sysfs file systems are mounted outside the rootfs, for a container that is not pivoted.
pub fn full_mounts(no_pivot: bool, rootfs: &Path) -> Vec<PathBuf> {
    if !no_pivot {
        return Vec::new();
    }
    let mounts = file::read_text(Path::new("/proc/self/mountinfo")).unwrap_or_default();
    mounts
        .lines()
        .filter_map(full_mount)
        .filter(|mount| !mount.starts_with(rootfs))
        .collect()
}

/// The mount point of a line of mountinfo, if a whole proc or sysfs is mounted there: proc_pid_mountinfo(5).
fn full_mount(line: &str) -> Option<PathBuf> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let kind = filesystem.split(' ').next()?;
    let mut fields = mount.split(' ').skip(3);
    let (root, mount_point) = (fields.next()?, fields.next()?);
    (matches!(kind, "proc" | "sysfs") && root == "/").then(|| unescape(mount_point))
}

/// A path of mountinfo, in which a backslash and three octal digits stand for a byte.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|_| *first == b'\\');
        let digits = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_pseudo_file_systems_are_found() {
        let find = |line| full_mount(line).map(|path| path.to_string_lossy().into_owned());
        let line = r"25 1 0:5 / /mnt/a\040b\134c rw shared:2 - proc proc rw";
        assert_eq!(find(line).as_deref(), Some("/mnt/a b\\c"));
        assert_eq!(find("26 1 0:5 /sys /proc/sys ro - proc proc rw"), None);
        assert_eq!(find("27 1 0:6 / /dev rw - devtmpfs dev rw"), None);
    }
}
