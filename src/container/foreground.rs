//! Staying with a process in the foreground: signals are forwarded, the terminal is copied, its end is awaited.

use crate::error::Result;
use crate::sys::{process, spawn::Child, standard, terminal};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The user's terminal in raw mode, restored when this is dropped; and the container's, whose bytes are copied.
pub struct Terminal {
    master: File,
    settings: Option<terminal::Settings>,
}

impl Terminal {
    /// Takes over the user's terminal, if standard input is one.
    pub fn new(master: OwnedFd) -> Result<Terminal> {
        let stdin = std::io::stdin();
        let mut settings = None;
        if terminal::is_terminal(stdin.as_fd()) {
            terminal::copy_window_size(stdin.as_fd(), master.as_fd());
            settings = Some(terminal::make_raw(stdin.as_fd())?);
        }
        Ok(Terminal {
            master: master.into(),
            settings,
        })
    }

    fn resize(&self) {
        terminal::copy_window_size(std::io::stdin().as_fd(), self.master.as_fd());
    }

    /// Copies what the container has written; false when there will be no more.
    fn copy_out(&mut self) -> bool {
        let mut buffer = [0; 8192];
        // A terminal whose other side is closed gives EIO.
        match self.master.read(&mut buffer) {
            Ok(0) | Err(_) => false,
            Ok(length) => standard(1).write_all(&buffer[..length]).is_ok(),
        }
    }

    /// Copies what the user has typed; false at its end.
    fn copy_in(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match standard(0).read(&mut buffer) {
            Ok(0) | Err(_) => false,
            Ok(length) => self.master.write_all(&buffer[..length]).is_ok(),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(settings) = &self.settings {
            terminal::restore(std::io::stdin().as_fd(), settings);
        }
    }
}

/// Waits for the child, forwarding every signal that we get; returns its exit status.
pub fn wait(child: &Child, signals: BorrowedFd<'_>, mut console: Option<Terminal>) -> Result<u8> {
    let mut input = true;
    loop {
        let master = console.as_ref().map(|console| console.master.as_fd());
        let stdin = std::io::stdin();
        let typed = master.filter(|_| input).map(|_| stdin.as_fd());
        let ready = process::poll(
            &[Some(child.pidfd.as_fd()), Some(signals), master, typed],
            -1,
        )?;
        if ready[0] {
            drain(console);
            return process::wait(child.pid);
        }
        while let Some(signal) = process::next_signal(signals) {
            forward(signal, child, console.as_ref());
        }
        if let Some(terminal) = &mut console {
            if ready[3] {
                input = terminal.copy_in();
            }
            if ready[2] && !terminal.copy_out() {
                console = None;
            }
        }
    }
}

/// What the process wrote just before it ended.
fn drain(console: Option<Terminal>) {
    let Some(mut terminal) = console else {
        return;
    };
    while process::poll(&[Some(terminal.master.as_fd())], 0).is_ok_and(|ready| ready[0])
        && terminal.copy_out()
    {}
}

fn forward(signal: i32, child: &Child, console: Option<&Terminal>) {
    match signal {
        // Orphans that came to us; the child itself is seen through its pidfd.
        libc::SIGCHLD => process::reap_others(child.pid),
        libc::SIGWINCH => {
            if let Some(console) = console {
                console.resize();
            }
        }
        // Go's runtime sends this one to its own threads; runc does not forward it, nor do we.
        libc::SIGURG | libc::SIGPIPE => {}
        signal => {
            let _ = process::signal(child.pidfd.as_fd(), signal);
        }
    }
}
