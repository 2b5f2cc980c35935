//! The proxy of `NOTIFY_SOCKET`, sd_notify(3): the container gets a socket of its own, and what it says there of being
//! ready goes on to the service manager, with the pid that is to be watched.

use crate::error::{Context, Result};
use crate::log;
use crate::oci::{Config, Mount};
use crate::sys::{process, socket};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directory of the socket, below the container's; and where the container sees it.
pub(super) const DIRECTORY: &str = "notify";
pub(super) const INSIDE: &str = "/run/notify";
const NAME: &str = "notify.sock";

/// The service manager's socket, when there is one.
pub fn manager() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())
}

/// Lets the container have the socket of this directory.
pub fn add_to(config: &mut Config, directory: &Path) -> Result<()> {
    let source = directory.join(DIRECTORY);
    fs::DirBuilder::new()
        .mode(0o755)
        .create(&source)
        .with_context(|| format!("mkdir {}", source.display()))?;
    config.mounts.push(Mount {
        destination: INSIDE.into(),
        source: Some(source.to_string_lossy().into_owned()),
        options: ["bind", "nosuid", "noexec", "nodev", "ro"]
            .map(String::from)
            .into(),
        ..Mount::default()
    });
    if let Some(process) = &mut config.process {
        process.env.push(format!("NOTIFY_SOCKET={INSIDE}/{NAME}"));
    }
    Ok(())
}

/// The container's socket, and the service manager's.
pub struct Readiness {
    socket: OwnedFd,
    manager: PathBuf,
}

impl Readiness {
    /// Binds the socket of the container that has this directory, when there is a service manager and the container
    /// was made for it.
    pub fn bind(directory: &Path) -> Result<Option<Readiness>> {
        let place = directory.join(DIRECTORY);
        let Some(manager) = manager().filter(|_| place.is_dir()) else {
            return Ok(None);
        };
        let opened = File::open(&place).with_context(|| format!("open {}", place.display()))?;
        let socket = socket::bind_datagram(opened.as_fd(), NAME).context("NOTIFY_SOCKET: bind")?;
        // The process may be of any user.
        let path = place.join(NAME);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))
            .with_context(|| format!("chmod {}", path.display()))?;
        Ok(Some(Readiness {
            socket,
            manager: manager.into(),
        }))
    }

    /// Readable when the container has said something.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Passes on what has been said, if it is that the service is ready: then there is no more to do. `main` is the pid
    /// to be watched from then on, ours when there is none.
    pub fn pass_on(&self, main: Option<i32>) -> bool {
        let mut buffer = [0; 4096];
        let length = match socket::receive(self.socket.as_fd(), &mut buffer) {
            Ok((length, _)) => length,
            Err(_) => return true,
        };
        let mut lines = buffer[..length].split(|byte| *byte == b'\n');
        let Some(ready) = lines.find(|line| line.starts_with(b"READY=")) else {
            return false;
        };
        if let Err(error) = self.tell(ready, main) {
            log::warn(&format!(
                "NOTIFY_SOCKET: {}: {error}",
                self.manager.display()
            ));
        }
        true
    }

    fn tell(&self, ready: &[u8], main: Option<i32>) -> Result<()> {
        // As long as systemd's own clients wait.
        const PATIENCE_MSEC: i32 = 30_000;
        let manager = socket::connect_datagram(&self.manager)?;
        socket::send(manager.as_fd(), &[ready, b"\n"].concat())?;
        let pid = main.unwrap_or(std::process::id() as i32);
        socket::send(manager.as_fd(), format!("MAINPID={pid}\n").as_bytes())?;
        // The manager closes the pipe once it has read what came before: sd_notify_barrier(3).
        let (end, theirs) = socket::pipe()?;
        socket::send_descriptor(manager.as_fd(), b"BARRIER=1", theirs.as_fd())?;
        drop(theirs);
        process::poll(&[Some(end.as_fd())], PATIENCE_MSEC).map(drop)
    }

    /// Waits until the process says that it is ready, ends, or a signal tells us to stop.
    pub fn wait(
        &self,
        pid: i32,
        pidfd: BorrowedFd<'_>,
        signals: Option<BorrowedFd<'_>>,
    ) -> Result<()> {
        loop {
            let ready = process::poll(&[Some(self.socket.as_fd()), Some(pidfd), signals], -1)?;
            if ready[0] && self.pass_on(Some(pid)) || ready[1] || ready[2] {
                return Ok(());
            }
        }
    }
}
