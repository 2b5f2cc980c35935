//! The sockets that a process is handed over by: its terminal and its pidfd.

use super::create::Options;
use crate::error::{Context, Error, Result};
use crate::oci::Config;
use crate::sys::socket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// runc's rules about terminals; `leaves` says that nobody stays to copy it.
pub(super) fn check_terminal(terminal: bool, leaves: bool, socket: Option<&Path>) -> Result<()> {
    match (terminal, leaves, socket) {
        (true, true, None) => Err(Error::new(
            "cannot allocate tty if runc will detach without setting console socket",
        )),
        (false, _, Some(_)) | (true, false, Some(_)) => Err(Error::new(
            "cannot use console socket if runc will not detach or allocate tty",
        )),
        _ => Ok(()),
    }
}

/// Where the terminal's master goes: to the console socket; or, over a pair, to us.
pub(super) fn console(
    config: &Config,
    options: &Options,
) -> Result<(Option<OwnedFd>, Option<OwnedFd>)> {
    if !config.terminal() {
        return Ok((None, None));
    }
    console_socket(options.console_socket.as_deref())
}

/// The two ends that [`console`] gives, for a socket's path or none.
pub(super) fn console_socket(path: Option<&Path>) -> Result<(Option<OwnedFd>, Option<OwnedFd>)> {
    match path {
        Some(path) => Ok((None, Some(dial_console(path)?))),
        None => {
            let (ours, theirs) = socket::pair().context("socketpair")?;
            Ok((Some(ours), Some(theirs)))
        }
    }
}

/// Connects to the console socket.
pub(super) fn dial_console(path: &Path) -> Result<OwnedFd> {
    socket::connect_stream(path)
        .with_context(|| format!("--console-socket: dial {}", path.display()))
}

/// `--pidfd-socket`: the process's pidfd, for whoever listens there.
pub(super) fn send_pidfd(path: &Path, pidfd: BorrowedFd<'_>, name: &str) -> Result<()> {
    let what = || format!("--pidfd-socket: dial {}", path.display());
    let socket = socket::connect_stream(path).with_context(what)?;
    socket::send_descriptor(socket.as_fd(), name.as_bytes(), pidfd).with_context(what)
}
