//! Opening what a program's handles stand for: the descriptors that the stub inherits.

use crate::error::{Context, Error, Result};
use crate::program::Handle;
use crate::sys::{self, socket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Descriptors that come from elsewhere than a path.
#[derive(Default)]
pub struct Given<'a> {
    /// The stub's end of the report socket.
    pub report: Option<OwnedFd>,
    /// The container's directory.
    pub directory: Option<BorrowedFd<'a>>,
    /// The `tasks` files of the v1 hierarchies.
    pub tasks: Vec<OwnedFd>,
    /// Where the terminal's master goes.
    pub console: Option<OwnedFd>,
    /// The process whose namespaces are joined.
    pub process: Option<OwnedFd>,
}

/// Opens every handle, in order.
pub fn open(handles: &[Handle], mut given: Given<'_>) -> Result<Vec<OwnedFd>> {
    let mut tasks = std::mem::take(&mut given.tasks).into_iter();
    handles
        .iter()
        .map(|handle| open_one(handle, &mut given, &mut tasks))
        .collect()
}

fn open_one(
    handle: &Handle,
    given: &mut Given<'_>,
    tasks: &mut impl Iterator<Item = OwnedFd>,
) -> Result<OwnedFd> {
    let missing = || Error::new(format!("internal: nothing was opened for {handle}"));
    match handle {
        Handle::Report => given.report.take().ok_or_else(missing),
        Handle::StartListener => {
            let directory = given.directory.ok_or_else(missing)?;
            socket::listen_in(directory, super::store::START_SOCKET).context("start.sock")
        }
        Handle::Proc => {
            let proc = sys::open_inherited(Path::new("/proc"), libc::O_PATH | libc::O_DIRECTORY)
                .context("open /proc")?;
            if !sys::is_procfs(proc.as_fd()) {
                return Err(Error::new(
                    "/proc: is not a proc file system: mount one there",
                ));
            }
            Ok(proc)
        }
        Handle::Tasks(_) => tasks.next().ok_or_else(missing),
        Handle::Namespace(kind, path) => sys::open_inherited(path, libc::O_RDONLY)
            .with_context(|| format!("linux.namespaces: {}: open {}", kind.name(), path.display())),
        Handle::Process => given.process.take().ok_or_else(missing),
        Handle::HookOutput(path) => {
            let file = OwnedFd::from(super::hooks::open_output(path)?);
            sys::inherit(file.as_fd())?;
            Ok(file)
        }
        Handle::Console => given.console.take().ok_or_else(missing),
    }
}

/// The numbers of the descriptors.
pub fn numbers(descriptors: &[OwnedFd]) -> Vec<i32> {
    descriptors.iter().map(AsRawFd::as_raw_fd).collect()
}
