//! Hooks that the spec runs in the runtime's namespaces: config.md, "POSIX-platform Hooks".

use crate::error::{Context, Error, Result};
use crate::oci::{Hook, State};
use crate::sys::process;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

/// Runs the hooks in their order, each with the state on its standard input; the first that fails ends it.
pub fn run_all(kind: &str, hooks: &[Hook], state: &State) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let state =
        serde_json::to_vec(state).map_err(|error| Error::new(format!("hooks.{kind}: {error}")))?;
    for (index, hook) in hooks.iter().enumerate() {
        run(hook, &state)
            .with_context(|| format!("error running {kind} hook #{index}: {}", hook.path))?;
    }
    Ok(())
}

fn run(hook: &Hook, state: &[u8]) -> Result<()> {
    let mut command = Command::new(&hook.path);
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    command.env_clear().stdin(Stdio::piped());
    for (name, value) in hook.env.iter().filter_map(|entry| entry.split_once('=')) {
        command.env(name, value);
    }
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook need not read its standard input.
        let _ = stdin.write_all(state);
    }
    if let Some(seconds) = hook.timeout {
        let pidfd = process::pidfd_open(child.id() as i32).context("pidfd_open")?;
        let msec = seconds.saturating_mul(1000).try_into().unwrap_or(i32::MAX);
        if !process::poll(&[Some(pidfd.as_fd())], msec)?[0] {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::new(format!(
                "timed out after {seconds} s and was killed"
            )));
        }
    }
    let status = child.wait()?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(Error::new(format!("exit status {code}"))),
        (_, signal) => Err(Error::new(format!("signal {}", signal.unwrap_or_default()))),
    }
}
