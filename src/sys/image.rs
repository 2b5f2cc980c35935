//! The executable that the child runs: in memory, and beyond anybody's reach once it is written.

use super::{c_path, check, file};
use crate::error::{Context, Result};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

const MFD_EXEC: libc::c_uint = 0x10;
const SEALS: libc::c_int =
    libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// A descriptor of an executable file with these parts as its contents that nobody can change any more: a sealed memfd, or,
/// where the kernel forbids those to be executed (`vm.memfd_noexec=2`), a file on a read-only tmpfs that is
/// mounted nowhere.
pub fn sealed(parts: &[&[u8]]) -> Result<OwnedFd> {
    match memfd(parts) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => detached(parts).context(
            "the kernel forbids executable memfds (vm.memfd_noexec=2) and a private tmpfs failed too; \
             set vm.memfd_noexec to 0 or 1",
        ),
        result => result.context("sealed memfd"),
    }
}

/// memfd_create(2), with these flags beside `MFD_CLOEXEC`.
pub fn memory_file(flags: libc::c_uint) -> std::io::Result<File> {
    let flags = flags | libc::MFD_CLOEXEC;
    // SAFETY: the name is a C string; the result is checked before it is taken for a descriptor.
    let fd = unsafe { libc::memfd_create(c"coracle-init".as_ptr(), flags) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

fn memfd(parts: &[&[u8]]) -> std::io::Result<OwnedFd> {
    let flags = libc::MFD_ALLOW_SEALING;
    let mut file = match memory_file(flags | MFD_EXEC) {
        // Before Linux 6.3 there is no such flag, and every memfd can be executed.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => memory_file(flags)?,
        result => result?,
    };
    file::write_parts(&mut file, parts)?;
    // SAFETY: takes numbers only.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(file.into())
}

fn detached(parts: &[&[u8]]) -> Result<OwnedFd> {
    let mount = super::mount::new_tmpfs()?;
    let create = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    let file = super::open_at(mount.as_fd(), Path::new("init"), create, 0o555)?;
    file::write_parts(&mut file.into(), parts)?;
    super::mount::set_attributes(mount.as_fd(), super::mount::ATTR_RDONLY, 0, 0, false)?;
    let name = c_path(Path::new("init"))?;
    // SAFETY: the path is a C string that outlives the call.
    let fd = check(unsafe {
        libc::openat(
            mount.as_raw_fd(),
            name.as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    })?;
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
