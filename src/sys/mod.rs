//! Safe wrappers over libc and raw system calls, each a few lines. All `unsafe` of the runtime is here.

pub mod bpf;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod bytes;
pub mod command;
#[cfg(not(test))]
mod entry;
pub mod file;
pub mod filter;
pub mod image;
pub mod memory;
pub mod mount;
pub mod netlink;
pub mod notify;
pub mod process;
pub mod socket;
pub mod spawn;
pub mod terminal;
#[cfg(not(debug_assertions))]
mod unwind;

use crate::error::{Error, Result};
use std::ffi::CString;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
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
    let (directory, path) = file::shortcut(&path);
    // SAFETY: the path is a C string that outlives the call.
    let fd = unsafe { libc::openat(directory, path.as_ptr(), flags) };
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

/// Standard input, output or error as a file, without std's buffers, which nobody would empty at the end.
pub fn standard(number: i32) -> ManuallyDrop<std::fs::File> {
    // SAFETY: the three are open from start to end of the process (see `entry`), and are not closed here.
    ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(number) })
}

/// Closes descriptors, those with adjoining numbers in one call: close_range(2).
pub fn close_all(descriptors: Vec<OwnedFd>) {
    let mut numbers: Vec<i32> = descriptors.into_iter().map(OwnedFd::into_raw_fd).collect();
    numbers.sort_unstable();
    for run in numbers.chunk_by(|a, b| a + 1 == *b) {
        // SAFETY: all of them were owned, and are nobody's now. Kernels before 5.9 do not have the call.
        unsafe {
            if libc::syscall(libc::SYS_close_range, run[0], run[run.len() - 1], 0) != 0 {
                run.iter().for_each(|fd| drop(OwnedFd::from_raw_fd(*fd)));
            }
        }
    }
}

/// Makes a user the owner of what a descriptor stands for, if we may: fchown(2).
pub fn give_to_user(fd: BorrowedFd<'_>, uid: u32) {
    // SAFETY: takes numbers only; -1 leaves the group alone.
    unsafe { libc::fchown(fd.as_raw_fd(), uid, u32::MAX) };
}

/// Whether there is a descriptor of this number.
pub fn is_open(number: i32) -> bool {
    // SAFETY: takes numbers only.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// The descriptor of that number, which was open when we were started, if it can be written to. It is ours now.
pub fn take_writable(number: i32) -> Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFL) })?;
    match flags & libc::O_ACCMODE {
        libc::O_RDONLY => Err(Error::new("not writable")),
        // SAFETY: it is open, and nobody else of ours knows of it.
        _ => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
    }
}

/// Makes all descriptors from this number on close-on-exec: close_range(2). Kernels before 5.11 cannot.
pub fn close_on_exec_from(first: i32) {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: takes numbers only.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) };
}

/// Lets the stub inherit a descriptor: it is not close-on-exec any more.
pub fn inherit(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) }).map(drop)
}
