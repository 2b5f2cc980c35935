//! Safe wrappers over libc and raw system calls, each a few lines. All `unsafe` of the runtime is here.

pub mod bpf;
pub mod file;
pub mod filter;
pub mod image;
pub mod mount;
pub mod process;
pub mod socket;
pub mod spawn;
pub mod terminal;
#[cfg(not(debug_assertions))]
mod unwind;

use crate::error::{Error, Result};
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A libc result: negative is the error in errno.
fn check(result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 {
        Err(Error::last_os())
    } else {
        Ok(result)
    }
}

/// A path for the kernel.
fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(format!("{path:?}: a path holds a NUL byte")))
}

/// openat(2), close-on-exec.
pub fn open_at(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: libc::c_int,
    mode: u32,
) -> Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: the path is a C string that outlives the call.
    let fd = check(unsafe {
        libc::openat(
            directory.as_raw_fd(),
            path.as_ptr(),
            flags | libc::O_CLOEXEC,
            mode,
        )
    })?;
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// open(2), inherited by the stub: not close-on-exec.
pub fn open_inherited(path: &Path, flags: libc::c_int) -> std::io::Result<OwnedFd> {
    let path = c_path(path).map_err(|error| std::io::Error::other(error.to_string()))?;
    // SAFETY: the path is a C string that outlives the call.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the descriptor is of a procfs: statfs(2).
pub fn is_procfs(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: all zeroes are a valid structure, which the kernel fills in.
    unsafe {
        let mut stat: libc::statfs = std::mem::zeroed();
        libc::fstatfs(fd.as_raw_fd(), &raw mut stat) == 0
            && stat.f_type as u64 == libc::PROC_SUPER_MAGIC as u64
    }
}

/// Makes sure that descriptors 0, 1 and 2 are open, so that nothing else is ever taken for them.
pub fn ensure_stdio() {
    let closed = |fd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    let mut fds = [closed(0), closed(1), closed(2)];
    // SAFETY: three entries, and paths that are C strings; open(2) returns the lowest free descriptor.
    unsafe {
        if libc::poll(fds.as_mut_ptr(), 3, 0) > 0 {
            for entry in fds
                .iter()
                .filter(|entry| entry.revents & libc::POLLNVAL != 0)
            {
                let opened = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
                if opened >= 0 && opened != entry.fd {
                    libc::close(opened);
                }
            }
        }
    }
}

/// Standard input, output or error as a file, without std's buffers. It must not be closed: keep it in a
/// `ManuallyDrop`.
pub fn standard(number: i32) -> std::fs::File {
    // SAFETY: the three are open from start to end of the process (`ensure_stdio`).
    unsafe { std::fs::File::from_raw_fd(number) }
}

/// Lets the stub inherit a descriptor: it is not close-on-exec any more.
pub fn inherit(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) }).map(drop)
}
