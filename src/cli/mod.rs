//! The command line: argv → command → exit status.

mod commands;
pub mod flags;
mod help;
mod kill;
mod list;
pub mod parse;
mod spec;

use crate::container::Store;
use crate::error::{Error, Result};
use crate::log;
use crate::sys::process;
use parse::{Invocation, Matches};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

/// What the global flags say.
pub struct Global {
    /// The containers.
    pub store: Store,
    /// `--systemd-cgroup`.
    pub systemd_cgroup: bool,
    /// Cgroups that may not be made are done without.
    pub rootless: bool,
}

/// Runs a command line; what it returns is the exit status.
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let Invocation {
        global,
        command,
        matches,
    } = match parse::parse(arguments) {
        Ok(invocation) => invocation,
        Err(error) => {
            let unknown = error.to_string().starts_with("No help topic");
            log::error(&error.to_string());
            return if unknown { 3 } else { 1 };
        }
    };
    let result = if global.flag("version") {
        print(&format!(
            "coracle version {}\nspec: {}\n",
            env!("CARGO_PKG_VERSION"),
            crate::oci::VERSION
        ))
    } else {
        match command {
            Some(command) if matches.flag("help") => print(&help::command(command)),
            None => print(&help::program()),
            Some(_) if global.flag("help") => print(&help::program()),
            Some(command) => {
                let result = checked(command, &matches)
                    .and_then(|()| self::global(&global))
                    .and_then(|global| commands::run(command.name, &global, &matches));
                return match result {
                    Ok(status) => status,
                    Err(error) => {
                        log::error(&error.to_string());
                        1
                    }
                };
            }
        }
    };
    u8::from(result.is_err())
}

fn checked(command: &flags::Command, matches: &Matches) -> Result<()> {
    let (least, most) = command.count;
    let given = matches.arguments.len();
    if given >= least && given <= most {
        return Ok(());
    }
    let wanted = match (least, most) {
        (least, most) if least == most => format!("exactly {least} argument(s)"),
        (least, usize::MAX) => format!("a minimum of {least} argument(s)"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    Err(Error::new(format!(
        "\"coracle {}\" requires {wanted}",
        command.name
    )))
}

fn global(matches: &Matches) -> Result<Global> {
    let json = match matches
        .value("log-format")
        .map(|format| format.to_string_lossy())
    {
        Some(format) if format == "json" => true,
        Some(format) if format != "text" => {
            return Err(Error::new(format!(
                "--log-format: {format:?} is unknown: use text or json"
            )));
        }
        _ => false,
    };
    log::init(matches.path("log").as_deref(), json, matches.flag("debug"))?;
    let root = process::euid() == 0;
    let rootless = match matches
        .value("rootless")
        .map(|value| value.to_string_lossy())
    {
        Some(value) if value == "true" => true,
        Some(value) if value == "false" => false,
        Some(value) if value != "auto" => {
            return Err(Error::new(format!(
                "--rootless: {value:?} is unknown: use true, false or auto"
            )));
        }
        _ => !root,
    };
    let root = match (matches.path("root"), std::env::var_os("XDG_RUNTIME_DIR")) {
        (Some(path), _) if path == std::path::Path::new("/") => {
            return Err(Error::new(
                "--root: / cannot hold states: use a directory of its own",
            ));
        }
        (Some(path), _) => std::path::absolute(&path).unwrap_or(path),
        (None, Some(runtime)) if !root && !runtime.is_empty() => {
            PathBuf::from(runtime).join("coracle")
        }
        (None, _) if !root => PathBuf::from(format!("/tmp/coracle-{}", process::euid())),
        (None, _) => "/run/coracle".into(),
    };
    Ok(Global {
        store: Store { root },
        systemd_cgroup: matches.flag("systemd-cgroup"),
        rootless,
    })
}

/// Prints to standard output. A reader that is gone is no error of ours.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
