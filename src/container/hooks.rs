//! Hooks that the spec runs in the runtime's namespaces: config.md, "POSIX-platform Hooks".

use super::store::Record;
use crate::error::{Context, Error, Result};
use crate::json;
use crate::log;
use crate::oci::{Hook, State, Status, annotation};
use crate::sys::command::Command;
use crate::sys::{image, process};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Runs the hooks in their order, each with the state on its standard input; the first that fails ends it.
pub fn run_all(kind: &str, hooks: &[Hook], state: &State) -> Result<()> {
    each(kind, hooks, state, |outcome| outcome)
}

/// The hooks of a container that is gone: their failures are logged, and the others run all the same.
pub fn poststop(record: &Record) {
    let log = |outcome: Result<()>| {
        let _ = outcome.map_err(|error| log::warn(&error.to_string()));
        Ok(())
    };
    let state = record.state(Status::Stopped);
    let _ = each("poststop", &record.poststop, &state, log);
}

fn each(
    kind: &str,
    hooks: &[Hook],
    state: &State,
    judge: impl Fn(Result<()>) -> Result<()>,
) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let json = json::text(state);
    for (index, hook) in hooks.iter().enumerate() {
        let outcome = run(kind, hook, state, &json);
        judge(outcome.with_context(|| format!("error running {kind} hook #{index}")))?;
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

/// What a hook has as its standard input, output and error, and where the output is read that goes to no file of the
/// user's. No pipes: a hook that does not read, or whose own children go on writing, blocks nobody.
fn streams(state: &State, json: &[u8]) -> Result<([File; 3], File)> {
    let mut stdin = image::memory_file(0)?;
    stdin.write_all(json)?;
    stdin.rewind()?;
    let output = image::memory_file(0)?;
    let to = |name| match state.annotations.get(name) {
        Some(path) => open_output(path.as_ref()),
        None => Ok(output.try_clone()?),
    };
    let [stdout, stderr] = annotation::HOOK_OUTPUT.map(to);
    Ok(([stdin, stdout?, stderr?], output))
}

fn run(kind: &str, hook: &Hook, state: &State, json: &[u8]) -> Result<()> {
    let ([stdin, stdout, stderr], output) = streams(state, json)?;
    let mut arguments: Vec<&[u8]> = hook.args.iter().map(|text| text.as_bytes()).collect();
    if arguments.is_empty() {
        arguments.push(hook.path.as_bytes());
    }
    let command = Command {
        program: &hook.path,
        arguments,
        // One that names no environment has the runtime's, as with runc.
        environment: (!hook.env.is_empty()).then(|| environment(&hook.env)),
        // Where runc is while it creates.
        directory: matches!(kind, "prestart" | "createRuntime").then_some(state.bundle.as_ref()),
        streams: [&stdin, &stdout, &stderr].map(|file| Some(file.as_fd())),
        begin: None,
    };
    let pid = command.start();
    let pid = pid.with_context(|| format!("fork/exec {}", hook.path))?;
    let outcome = outcome(pid, hook.timeout);
    outcome.map_err(|error| match printed(&output) {
        text if text.is_empty() => error,
        text => Error::new(format!("{error}, output: {text}")),
    })
}

/// The entries that are variables; of those of one name the last.
fn environment(entries: &[String]) -> Vec<&[u8]> {
    let name = |entry: &String| entry.split_once('=').map(|(name, _)| name.len() + 1);
    let mut left = entries.iter();
    let mut variables = Vec::new();
    while let Some(entry) = left.next() {
        if let Some(length) = name(entry)
            && !left
                .clone()
                .any(|later| later.starts_with(&entry[..length]))
        {
            variables.push(entry.as_bytes());
        }
    }
    variables
}

/// Waits for the hook, and kills it when it takes longer than that.
fn outcome(pid: i32, timeout_sec: Option<i64>) -> Result<()> {
    if let Some(seconds) = timeout_sec {
        let pidfd = process::pidfd_open(pid).context("pidfd_open")?;
        let msec = seconds.saturating_mul(1000).try_into().unwrap_or(i32::MAX);
        if !process::poll(&[Some(pidfd.as_fd())], msec)?[0] {
            let _ = process::kill(pid, libc::SIGKILL);
            let _ = process::ended(pid);
            return Err(Error::new(format!(
                "hook ran past specified timeout of {seconds}.0s"
            )));
        }
    }
    match process::ended(pid)?.failure() {
        None => Ok(()),
        Some(why) => Err(Error::new(why)),
    }
}

/// The end of what a hook has printed.
fn printed(output: &File) -> String {
    const MOST: u64 = 2048;
    let mut text = Vec::new();
    let size = output.metadata().map_or(0, |metadata| metadata.len());
    let mut output = output;
    if output
        .seek(SeekFrom::Start(size.saturating_sub(MOST)))
        .is_ok()
    {
        let _ = output.take(MOST).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).trim().into()
}
