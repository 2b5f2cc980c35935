//! The command line: argv → command → exit status.

mod commands;
mod completion;
mod criu;
mod descriptors;
mod events;
mod features;
pub mod flags;
mod help;
mod kill;
mod list;
mod man;
pub mod parse;
mod ps;
mod regex;
mod spec;
mod table;
mod update;

use crate::cgroup::{Manager, Rootless};
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
    /// `--root` was given: the directory must exist.
    pub root_given: bool,
    /// Who makes cgroups.
    pub manager: Manager,
    /// `--rootless`: whether cgroups that may not be made are done without.
    pub rootless: Rootless,
}

/// Runs a command line; what it returns is the exit status.
pub fn run(arguments: Vec<OsString>) -> u8 {
    let Invocation {
        global,
        command,
        matches,
    } = match parse::parse(arguments.iter().cloned()) {
        Ok(invocation) => invocation,
        Err(error) => {
            // The engine reads the log also for this.
            let _ = start_log(&parse::globals(arguments.into_iter()));
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
                let kept = descriptors::keep(command.name, &matches);
                let result = self::global(&global).and_then(|global| {
                    log::debug(format_args!("{}", command.name));
                    checked(command, &matches)?;
                    kept?;
                    commands::run(command.name, &global, &matches)
                });
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

fn start_log(matches: &Matches) -> Result<()> {
    let json = match matches
        .value("log-format")
        .map(|format| format.to_string_lossy())
    {
        Some(format) if format == "json" => true,
        Some(format) if format != "text" && !format.is_empty() => {
            return Err(Error::new(format!(
                "--log-format: {format:?} is unknown: use text or json"
            )));
        }
        _ => false,
    };
    log::init(matches.path("log").as_deref(), json, matches.flag("debug"))
}

fn global(matches: &Matches) -> Result<Global> {
    start_log(matches)?;
    let manager = match matches
        .value("cgroup-manager")
        .map(|it| it.as_encoded_bytes())
    {
        None | Some(b"cgroupfs") if !matches.flag("systemd-cgroup") => Manager::Files,
        None | Some(b"cgroupfs" | b"systemd") => Manager::Systemd,
        Some(b"disabled") => Manager::None,
        Some(_) => {
            return Err(Error::new(
                "--cgroup-manager: use cgroupfs, systemd or disabled",
            ));
        }
    };
    let root = process::euid() == 0;
    let rootless = match matches
        .value("rootless")
        .map(|value| value.to_string_lossy())
    {
        Some(value) if value == "true" => Rootless::Yes,
        Some(value) if value == "false" => Rootless::No,
        Some(value) if value != "auto" => {
            return Err(Error::new(format!(
                "--rootless: {value:?} is unknown: use true, false or auto"
            )));
        }
        _ if root => Rootless::Detect,
        _ => Rootless::Yes,
    };
    let mut in_tmp = false;
    let root = match (matches.path("root"), std::env::var_os("XDG_RUNTIME_DIR")) {
        (Some(path), _) if path == std::path::Path::new("/") => {
            return Err(Error::new(
                "--root: / cannot hold states: use a directory of its own",
            ));
        }
        (Some(path), _) => std::path::absolute(&path).unwrap_or(path),
        // Root of a user namespace has no rights over the host's /run: Podman calls us so.
        (None, Some(runtime)) if !runtime.is_empty() && (!root || unprivileged_root()) => {
            PathBuf::from(runtime).join("coracle")
        }
        (None, _) if !root => {
            in_tmp = true;
            PathBuf::from(format!("/tmp/coracle-{}", process::euid()))
        }
        (None, _) => "/run/coracle".into(),
    };
    let store = Store { root, in_tmp };
    if in_tmp {
        store.check()?;
    }
    Ok(Global {
        store,
        root_given: matches.path("root").is_some(),
        manager,
        rootless,
    })
}

/// Whether we are root in a user namespace alone; runc tells it so.
fn unprivileged_root() -> bool {
    std::env::var_os("USER").is_none_or(|user| user != "root") && process::in_user_namespace()
}

/// Prints to standard output. A reader that is gone is no error of ours.
pub fn print(text: &str) -> Result<()> {
    match crate::sys::standard(1).write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
