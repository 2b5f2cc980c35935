//! Terminals: raw mode, window size.

use super::check;
use crate::error::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The settings of a terminal, to be restored later.
pub struct Settings(libc::termios);

/// Whether the descriptor is a terminal.
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: takes a number only.
    unsafe { libc::isatty(fd.as_raw_fd()) == 1 }
}

/// Puts the terminal into raw mode and returns the settings from before.
pub fn make_raw(fd: BorrowedFd<'_>) -> Result<Settings> {
    // SAFETY: tcgetattr fills the structure in before it is read.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        check(libc::tcgetattr(fd.as_raw_fd(), &raw mut settings))?;
        let mut raw = settings;
        libc::cfmakeraw(&raw mut raw);
        raw.c_oflag |= settings.c_oflag & libc::OPOST;
        check(libc::tcsetattr(
            fd.as_raw_fd(),
            libc::TCSANOW,
            &raw const raw,
        ))?;
        Ok(Settings(settings))
    }
}

/// Restores settings; a terminal that is gone needs none.
pub fn restore(fd: BorrowedFd<'_>, settings: &Settings) {
    // SAFETY: the settings came from tcgetattr.
    unsafe { libc::tcsetattr(fd.as_raw_fd(), libc::TCSANOW, &raw const settings.0) };
}

/// Gives `to` the window size of `from`; anything else than two terminals is passed over.
pub fn copy_window_size(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    // SAFETY: the structure is filled in by the first call before the second reads it.
    unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        if libc::ioctl(from.as_raw_fd(), libc::TIOCGWINSZ as _, &raw mut size) == 0 {
            libc::ioctl(to.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size);
        }
    }
}

/// The number of the standard stream that is a terminal: the user may have redirected some.
pub fn ours() -> Option<i32> {
    // SAFETY: takes a number only.
    (0..3).find(|number| unsafe { libc::isatty(*number) == 1 })
}

/// Reads and writes return at once: O_NONBLOCK. For a descriptor that nobody else has.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe {
        libc::fcntl(
            fd.as_raw_fd(),
            libc::F_SETFL,
            libc::O_RDWR | libc::O_NONBLOCK,
        )
    })
    .map(drop)
}

/// Columns and rows of a terminal.
pub fn window_size(fd: BorrowedFd<'_>) -> Option<(u32, u32)> {
    // SAFETY: the structure is filled in before it is read, or not read.
    unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        let known = libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ as _, &raw mut size) == 0;
        known.then(|| (size.ws_col.into(), size.ws_row.into()))
    }
}
