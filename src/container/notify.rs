//! Seccomp agents: config-linux.md, "Seccomp" (`listenerPath`).

use crate::error::{Context, Result};
use crate::json;
use crate::oci::{Config, ContainerProcessState, State, VERSION};
use crate::program::seccomp;
use crate::sys::{process, socket};
use std::os::fd::{AsFd, BorrowedFd};

/// A process whose filter notifies, and which waits until its listener is in our hands.
pub struct Notifying<'a> {
    /// As the host sees it.
    pub pid: i32,
    /// The same.
    pub pidfd: BorrowedFd<'a>,
    /// Our end of the socket on which it reports.
    pub report: BorrowedFd<'a>,
}

/// Takes the listener of that number from the process, sends it to the agent with the state, and lets the process
/// go on. The caller kills the process when this fails.
pub fn hand_over(
    config: &Config,
    notifying: &Notifying<'_>,
    number: u32,
    state: State,
) -> Result<()> {
    let listener = process::pidfd_getfd(notifying.pidfd, number)
        .with_context(|| format!("get fd {number} from child failed: pidfd_getfd"))?;
    let path = seccomp::listener(config).unwrap_or_default();
    let agent = socket::connect_agent(path).context(
        "failed to connect with seccomp agent specified in the seccomp profile: dial unix",
    )?;
    let seccomp = config.linux.seccomp.as_ref();
    let state = ContainerProcessState {
        oci_version: VERSION.into(),
        fds: vec!["seccompFd".into()],
        pid: notifying.pid,
        metadata: seccomp.and_then(|seccomp| seccomp.listener_metadata.clone()),
        state,
    };
    let json = json::text(&state);
    socket::send_descriptor(agent.as_fd(), &json, listener.as_fd())
        .with_context(|| format!("cannot send seccomp fd to {path}"))?;
    socket::send(notifying.report, b"g").context("container init")
}
