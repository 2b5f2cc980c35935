//! Files and directories relative to a descriptor, each by one system call.

use super::{c_path, check};
use crate::error::Result;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
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
    // musl's own adds an fcntl(2), for kernels before 2.6.23.
    let fd = unsafe { libc::syscall(libc::SYS_openat, directory, path.as_ptr(), flags, 0) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Opens a file of a kernel's file system for writing. It is never made.
pub fn open_to_write(path: &Path) -> std::io::Result<File> {
    open(libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_CLOEXEC).map(File::from)
}

/// The text of a file of a kernel's file system, which does not tell its size: in few reads, without asking for it.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    read_all(open(
        libc::AT_FDCWD,
        path,
        libc::O_RDONLY | libc::O_CLOEXEC,
    )?)
}

/// As [`read_text`], for a file in a directory.
pub fn read_text_at(directory: BorrowedFd<'_>, name: &str) -> std::io::Result<String> {
    read_all(open(
        directory.as_raw_fd(),
        Path::new(name),
        libc::O_RDONLY | libc::O_CLOEXEC,
    )?)
}

fn read_all(file: OwnedFd) -> std::io::Result<String> {
    let mut file = File::from(file);
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    String::from_utf8(text).map_err(|_| std::io::ErrorKind::InvalidData.into())
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
