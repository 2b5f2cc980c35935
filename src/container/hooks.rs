//! Hooks that the spec runs in the runtime's namespaces: config.md, "POSIX-platform Hooks".

use crate::error::{Context, Error, Result, signal_text};
use crate::oci::{Hook, State, annotation};
use crate::sys::process;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the hooks in their order, each with the state on its standard input; the first that fails ends it.
pub fn run_all(kind: &str, hooks: &[Hook], state: &State) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let json =
        serde_json::to_vec(state).map_err(|error| Error::new(format!("hooks.{kind}: {error}")))?;
    for (index, hook) in hooks.iter().enumerate() {
        run(hook, state, &json)
            .with_context(|| format!("error running {kind} hook #{index}: {}", hook.path))?;
    }
    Ok(())
}

/// Opens a file that the output of hooks is added to, as crun does.
pub fn open_output(path: &Path) -> Result<File> {
    let mut options = File::options();
    let options = options.append(true).create(true).mode(0o700);
    options
        .open(path)
        .with_context(|| format!("annotations: run.oci.hooks: open {}", path.display()))
}

/// Sets where the hook's output goes.
fn redirect(command: &mut Command, state: &State) -> Result<()> {
    let [stdout, stderr] = annotation::HOOK_OUTPUT.map(|name| state.annotations.get(name));
    if let Some(path) = stdout {
        command.stdout(open_output(path.as_ref())?);
    }
    if let Some(path) = stderr {
        command.stderr(open_output(path.as_ref())?);
    }
    Ok(())
}

fn run(hook: &Hook, state: &State, json: &[u8]) -> Result<()> {
    let mut command = Command::new(&hook.path);
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    command.env_clear().stdin(Stdio::piped());
    redirect(&mut command, state)?;
    for (name, value) in hook.env.iter().filter_map(|entry| entry.split_once('=')) {
        command.env(name, value);
    }
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook need not read its standard input.
        let _ = stdin.write_all(json);
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
        (_, signal) => {
            let text = signal_text(signal.unwrap_or_default());
            Err(Error::new(format!("signal: {text}")))
        }
    }
}
