//! A socket to the kernel's side of networking: netlink(7), rtnetlink(7).

use super::check;
use crate::error::Result;
use std::os::fd::{FromRawFd, OwnedFd};

/// A socket (close-on-exec) of `NETLINK_ROUTE` that acts on the network namespace that we are in now.
pub fn route() -> Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers only.
    let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
