//! The commands, each from its flags to what it does.

use super::parse::Matches;
use super::{
    Global, completion, criu, events, features, kill, list, man, print, ps, regex, spec, update,
};
use crate::container::{self, Created, Options, Readiness, Terminal};
use crate::error::{Context, Error, Result};
use crate::log;
use crate::oci::{self, Status};
use crate::sys::process;
use std::os::fd::{AsFd, OwnedFd};

/// Runs the command of that name; returns its exit status.
pub fn run(name: &str, global: &Global, matches: &Matches) -> Result<u8> {
    // Called by its address, each has a stack of its own: together they would touch three pages for any of them.
    let command: fn(&Global, &Matches) -> Result<u8> = match name {
        "create" => |global, matches| create(global, matches).context("runc create failed"),
        "run" => |global, matches| run_container(global, matches).context("runc run failed"),
        "exec" => exec,
        "start" => {
            |global, matches| container::start(&global.store, matches.argument(0)?).map(|()| 0)
        }
        "state" => |global, matches| list::state(global, matches.argument(0)?),
        "list" => list::list,
        "kill" => kill::kill,
        "ps" => ps::ps,
        "delete" => delete,
        "pause" => |global, matches| freeze(global, matches.argument(0)?, true),
        "resume" => |global, matches| freeze(global, matches.argument(0)?, false),
        "events" => events::events,
        "update" => update::update,
        "mounts" => |global, matches| mounts(global, matches).map(|()| 0),
        "plan" => {
            |global, matches| print(&container::plan(&options(global, matches)?)?).map(|()| 0)
        }
        "spec" => |_, matches| spec::spec(matches),
        "completion" => |_, matches| print(&completion::script(matches.argument(0)?)?).map(|()| 0),
        "features" => |_, _| features::features(),
        "man" => |_, matches| print(&man::page(matches)?).map(|()| 0),
        "checkpoint" => criu::checkpoint,
        "restore" => criu::restore,
        other => return Err(Error::new(format!("internal: no command {other}"))),
    };
    command(global, matches)
}

pub(super) fn options(global: &Global, matches: &Matches) -> Result<Options> {
    let id = if matches.arguments.is_empty() {
        ""
    } else {
        matches.argument(0)?
    };
    Ok(Options {
        id: id.to_string(),
        bundle: matches.path("bundle").unwrap_or_else(|| ".".into()),
        config: matches.path("config"),
        pid_file: matches.path("pid-file"),
        console_socket: matches.path("console-socket"),
        pidfd_socket: matches.path("pidfd-socket"),
        no_pivot: matches.flag("no-pivot"),
        no_new_keyring: matches.flag("no-new-keyring"),
        preserve_fds: matches.number("preserve-fds")?,
        listen_fds: super::descriptors::listening(),
        await_start: false,
        detach: matches.flag("detach"),
        rootless: global.rootless,
        manager: global.manager,
    })
}

fn create(global: &Global, matches: &Matches) -> Result<u8> {
    let options = Options {
        await_start: true,
        ..options(global, matches)?
    };
    let signals = process::signalfd()?;
    container::create(&global.store, &options, signals.as_fd())?;
    Ok(0)
}

fn run_container(global: &Global, matches: &Matches) -> Result<u8> {
    let options = options(global, matches)?;
    let signals = process::signalfd()?;
    if !options.detach && !matches.flag("no-subreaper") {
        process::become_subreaper()?;
    }
    let created = container::create(&global.store, &options, signals.as_fd())?;
    if options.detach {
        if let Some(readiness) = created.readiness {
            let child = &created.child;
            readiness.wait(child.pid, child.pidfd.as_fd(), Some(signals.as_fd()))?;
        }
        return Ok(0);
    }
    stay(global, created, signals, matches.flag("keep"))
}

/// Stays with a container's process until it has ended, and removes the container, unless it is kept.
pub(super) fn stay(global: &Global, created: Created, signals: OwnedFd, keep: bool) -> Result<u8> {
    let stays = || created.record.cgroup.hang_up();
    let status = foreground(
        &created.child,
        signals,
        created.console,
        created.readiness,
        &stays,
    )?;
    if !keep {
        container::remove(&global.store, &created.record)?;
    }
    Ok(status)
}

/// `mounts add` and `mounts remove`, with a file that holds the mounts as config.json does, or only their array.
fn mounts(global: &Global, matches: &Matches) -> Result<()> {
    let add = match matches.argument(0)? {
        "add" => true,
        "remove" => false,
        other => {
            let text = format!("mounts: {other:?} is neither \"add\" nor \"remove\"");
            return Err(Error::new(text));
        }
    };
    let path = matches.argument(2)?;
    let text = std::fs::read(path).with_context(|| format!("open {path}"))?;
    let mounts = match text.trim_ascii_start().starts_with(b"[") {
        true => oci::parse(&text, path)?,
        false => oci::parse::<oci::Config>(&text, path)?.mounts,
    };
    if mounts.is_empty() {
        let text = format!(
            "{path}: mounts: is missing or empty: nothing to {}",
            matches.argument(0)?
        );
        return Err(Error::new(text));
    }
    let signals = process::signalfd()?;
    container::mounts(
        &global.store,
        matches.argument(1)?,
        mounts,
        add,
        signals.as_fd(),
    )
}

fn foreground(
    child: &crate::sys::spawn::Child,
    signals: OwnedFd,
    console: Option<OwnedFd>,
    readiness: Option<Readiness>,
    stays: &dyn Fn(),
) -> Result<u8> {
    let terminal = console.map(Terminal::new).transpose()?;
    container::wait(child, signals.as_fd(), terminal, readiness, stays)
}

/// `exec`, whose own failures have a status that few programs return.
fn exec(global: &Global, matches: &Matches) -> Result<u8> {
    const FAILED: u8 = 255;
    exec_process(global, matches).or_else(|error| {
        log::error(&error.wrap("exec failed").to_string());
        Ok(FAILED)
    })
}

fn exec_process(global: &Global, matches: &Matches) -> Result<u8> {
    let text = |flag: &str| {
        let value = matches.value(flag).filter(|value| !value.is_empty());
        value.map(|value| value.to_string_lossy().into_owned())
    };
    let exec = container::Exec {
        id: matches.argument(0)?.to_string(),
        process: matches.path("process"),
        arguments: matches.arguments[1..]
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect(),
        cwd: text("cwd"),
        env: matches.values("env"),
        terminal: matches.flag("tty"),
        user: text("user"),
        additional_gids: matches.values("additional-gids"),
        capabilities: matches.values("cap"),
        no_new_privileges: matches
            .value("no-new-privs")
            .map(|_| matches.flag("no-new-privs")),
        apparmor: text("apparmor"),
        process_label: text("process-label"),
        cgroups: matches.values("cgroup"),
        console_socket: matches.path("console-socket"),
        pid_file: matches.path("pid-file"),
        pidfd_socket: matches.path("pidfd-socket"),
        preserve_fds: matches.number("preserve-fds")?,
        detach: matches.flag("detach"),
        ignore_paused: matches.flag("ignore-paused"),
    };
    let signals = process::signalfd()?;
    let (child, console) = container::exec(&global.store, &exec, signals.as_fd())?;
    if exec.detach {
        return Ok(0);
    }
    foreground(&child, signals, console, None, &|| {})
}

fn delete(global: &Global, matches: &Matches) -> Result<u8> {
    let force = matches.flag("force");
    regex::each(global, matches, |id| {
        container::delete(&global.store, id, force)
    })
}

fn freeze(global: &Global, id: &str, frozen: bool) -> Result<u8> {
    let record = global.store.load(id)?;
    match (global.store.status(&record), frozen) {
        (Status::Running | Status::Created, true) => {
            record.cgroup.freeze().context("unable to freeze")?
        }
        (Status::Paused, false) => record.cgroup.thaw().context("unable to thaw")?,
        (_, true) => return Err(Error::new("container not running")),
        (_, false) => return Err(Error::new("container not paused")),
    }
    Ok(0)
}
