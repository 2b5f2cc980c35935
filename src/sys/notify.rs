//! Being told of events: eventfd(2) and inotify(7).

use super::check;
use crate::error::Result;
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A new counter, at 0: eventfd(2).
pub fn eventfd() -> Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor that can be read when the file has been modified.
pub fn on_modification(path: &Path) -> Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
    // SAFETY: the descriptor is new and ours.
    let inotify = unsafe { OwnedFd::from_raw_fd(fd) };
    let path = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    // SAFETY: the path is a C string that outlives the call.
    check(unsafe { libc::inotify_add_watch(inotify.as_raw_fd(), path.as_ptr(), libc::IN_MODIFY) })?;
    Ok(inotify)
}

/// Takes what there is to be read, so that the descriptor can be waited for again.
pub fn drain(fd: BorrowedFd<'_>) {
    let mut buffer = [0u8; 1024];
    // SAFETY: the buffer is live and of that size; the descriptor does not block.
    while unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) }
        == buffer.len() as isize
    {}
}
