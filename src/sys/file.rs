//! Files and directories relative to a descriptor, each by one system call.

use super::{c_path, check};
use crate::error::Result;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;

/// Opens a directory to work in: O_PATH.
pub fn open_directory(path: &Path) -> std::io::Result<OwnedFd> {
    open(
        libc::AT_FDCWD,
        path,
        libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC,
    )
}

fn open(directory: i32, path: &Path, flags: i32) -> std::io::Result<OwnedFd> {
    let path = c_path(path).map_err(|error| std::io::Error::other(error.to_string()))?;
    // SAFETY: the path is a C string that outlives the call.
    let fd = unsafe { libc::openat(directory, path.as_ptr(), flags) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// mkdir(2) with mode 0755.
pub fn make_directory(path: &Path) -> std::io::Result<()> {
    let path = c_path(path).map_err(|error| std::io::Error::other(error.to_string()))?;
    // SAFETY: the path is a C string that outlives the call.
    match unsafe { libc::mkdir(path.as_ptr(), 0o755) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// The magic number of the file system that the path is on: statfs(2).
pub fn filesystem_magic(path: &Path) -> Result<u64> {
    let path = c_path(path)?;
    // SAFETY: all zeroes are a valid structure, which the kernel fills in.
    unsafe {
        let mut stat: libc::statfs = std::mem::zeroed();
        check(libc::statfs(path.as_ptr(), &raw mut stat))?;
        Ok(stat.f_type as u64)
    }
}
