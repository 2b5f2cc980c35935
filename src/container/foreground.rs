//! Staying with a process in the foreground: signals are forwarded, the terminal is copied, its end is awaited.

use super::readiness::Readiness;
use crate::error::Result;
use crate::sys::process::{self, READ, WRITE};
use crate::sys::{memory, spawn::Child, standard, terminal};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes on their way from one side to the other: at most what a pipe that has any room takes without blocking.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    sent: usize,
}

impl Buffer {
    const SIZE: usize = 4096;

    fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Reads anew, once all is sent; false at the end, or when there is nothing for now.
    fn fill(&mut self, from: &mut File) -> std::io::Result<bool> {
        self.bytes.resize(Buffer::SIZE, 0);
        self.sent = 0;
        let result = from.read(&mut self.bytes);
        self.bytes.truncate(*result.as_ref().unwrap_or(&0));
        result.map(|length| length > 0)
    }

    /// Sends what the other side takes. What a side that is gone does not take is dropped: nobody is to wait for it.
    fn send(&mut self, to: &mut File) {
        match to.write(&self.bytes[self.sent..]) {
            Ok(count) => self.sent += count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.sent = self.bytes.len(),
        }
    }
}

/// The user's terminal in raw mode, restored when this is dropped; and the container's, whose bytes are copied.
pub struct Terminal {
    master: File,
    settings: Option<terminal::Settings>,
    /// There may be more to read from standard input.
    input: bool,
    /// Nobody in the container has the terminal open, but somebody may open it again.
    closed: bool,
    typed: Buffer,
    written: Buffer,
}

impl Terminal {
    /// Takes over the user's terminal, if standard input is one.
    pub fn new(master: OwnedFd) -> Result<Terminal> {
        terminal::set_nonblocking(master.as_fd())?;
        let mut terminal = Terminal {
            master: master.into(),
            settings: None,
            input: true,
            closed: false,
            typed: Buffer::default(),
            written: Buffer::default(),
        };
        terminal.resize();
        let stdin = std::io::stdin();
        if terminal::is_terminal(stdin.as_fd()) {
            terminal.settings = Some(terminal::make_raw(stdin.as_fd())?);
        }
        Ok(terminal)
    }

    fn resize(&self) {
        if let Some(number) = terminal::ours() {
            terminal::copy_window_size(standard(number).as_fd(), self.master.as_fd());
        }
    }

    /// Takes what the container has written.
    fn read_master(&mut self) {
        // A terminal whose other side is closed gives EIO.
        match self.written.fill(&mut self.master) {
            Ok(_) => self.closed = false,
            Err(error) => self.closed = error.raw_os_error() == Some(libc::EIO),
        }
    }

    /// What the process wrote just before it ended.
    fn drain(&mut self) {
        loop {
            while !self.written.is_empty() {
                let stdout = standard(1);
                if process::poll_for(&[(Some(stdout.as_fd()), WRITE)], -1).is_err() {
                    return;
                }
                self.written.send(&mut standard(1));
            }
            match self.written.fill(&mut self.master) {
                Ok(true) => {}
                _ => return,
            }
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

/// A container that has not ended by then is one that stays.
pub(super) const SOON_MSEC: i32 = 100;

/// Waits for the child, forwarding every signal that we get and its word that it is ready; returns its exit status.
/// `stays` is called once it has not ended soon.
pub fn wait(
    child: &Child,
    signals: BorrowedFd<'_>,
    mut console: Option<Terminal>,
    mut readiness: Option<Readiness>,
    stays: &dyn Fn(),
) -> Result<u8> {
    // How often to look for somebody who has opened the terminal again.
    const AGAIN_MSEC: i32 = 100;
    let mut idle = false;
    loop {
        let (stdin, stdout) = (standard(0), standard(1));
        let mut wanted = [
            (Some(child.pidfd.as_fd()), READ),
            (Some(signals), READ),
            (readiness.as_ref().map(Readiness::socket), READ),
            (None, 0),
            (None, 0),
            (None, 0),
        ];
        let mut timeout = -1;
        if let Some(terminal) = &console {
            let reads = terminal.written.is_empty() && !terminal.closed;
            let writes = !terminal.typed.is_empty();
            let events = (i16::from(reads) * READ) | (i16::from(writes) * WRITE);
            wanted[3] = ((events != 0).then(|| terminal.master.as_fd()), events);
            wanted[4] = ((terminal.input && !writes).then(|| stdin.as_fd()), READ);
            let output = (!terminal.written.is_empty()).then(|| stdout.as_fd());
            wanted[5] = (output, WRITE);
            timeout = if terminal.closed { AGAIN_MSEC } else { -1 };
        }
        let ready = match idle {
            true => process::poll_for(&wanted, timeout)?,
            // What lives for long is waited for with little memory; what does not is not delayed by that.
            false => {
                let soon = if timeout < 0 { SOON_MSEC } else { timeout };
                let ready = process::poll_for(&wanted, soon)?;
                if ready.iter().all(|events| *events == 0) {
                    idle = true;
                    stays();
                    memory::release_code();
                    continue;
                }
                ready
            }
        };
        if ready[0] != 0 && console.is_none() && readiness.is_none() {
            return process::wait(child.pid);
        }
        while let Some(signal) = process::next_signal(signals) {
            forward(signal, child, console.as_ref());
        }
        if ready[2] != 0 && readiness.as_ref().is_some_and(|one| one.pass_on(None)) {
            readiness = None;
        }
        if let Some(terminal) = &mut console {
            if ready[5] != 0 {
                terminal.written.send(&mut standard(1));
            }
            if terminal.written.is_empty() && (terminal.closed || ready[3] & !WRITE != 0) {
                terminal.read_master();
            }
            if ready[3] & WRITE != 0 {
                terminal.typed.send(&mut terminal.master);
            }
            if ready[4] != 0 {
                terminal.input = terminal
                    .typed
                    .fill(&mut standard(0))
                    .unwrap_or_else(|error| {
                        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
                    });
            }
        }
        if ready[0] != 0 {
            if let Some(terminal) = &mut console {
                terminal.drain();
            }
            return process::wait(child.pid);
        }
    }
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
