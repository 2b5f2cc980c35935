//! A further process in a running container.

use super::create::{check_terminal, console_socket, next_message};
use super::handles::{self, Given};
use super::launch::{Launch, launch};
use super::notify;
use super::store::{self, Record, Store};
use crate::error::{Context, Error, Result};
use crate::oci::{Process, Status};
use crate::program::wire::{Message, stage};
use crate::program::{self, Facts};
use crate::sys::{process, socket, spawn};
use crate::{check, log, oci};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// What the command line says of the process.
#[derive(Debug, Default)]
pub struct Exec {
    /// The container's id.
    pub id: String,
    /// `--process`.
    pub process: Option<PathBuf>,
    /// The command and its arguments.
    pub arguments: Vec<String>,
    /// `--cwd`.
    pub cwd: Option<String>,
    /// `--env`.
    pub env: Vec<String>,
    /// `--tty`.
    pub terminal: bool,
    /// `--user`.
    pub user: Option<String>,
    /// `--additional-gids`.
    pub additional_gids: Vec<String>,
    /// `--cap`.
    pub capabilities: Vec<String>,
    /// `--no-new-privs`.
    pub no_new_privileges: bool,
    /// `--console-socket`.
    pub console_socket: Option<PathBuf>,
    /// `--pidfd-socket`.
    pub pidfd_socket: Option<PathBuf>,
    /// `--pid-file`.
    pub pid_file: Option<PathBuf>,
    /// `--preserve-fds`.
    pub preserve_fds: u32,
    /// `--detach`.
    pub detach: bool,
    /// `--ignore-paused`.
    pub ignore_paused: bool,
}

/// Starts the process; returns it when it runs its program, with the terminal's master if we are to copy it.
pub fn exec(
    store: &Store,
    options: &Exec,
    signals: BorrowedFd<'_>,
) -> Result<(spawn::Child, Option<OwnedFd>)> {
    let record = store.load(&options.id)?;
    match store.status(&record) {
        Status::Stopped => return Err(Error::new("cannot exec in a stopped container")),
        Status::Paused if !options.ignore_paused => {
            return Err(Error::new(
                "cannot exec in a paused container (use --ignore-paused to override)",
            ));
        }
        _ => {}
    }
    let config = store.config(&options.id)?;
    let process = described(options, &config)?;
    check::process(&process)?;
    check_terminal(
        process.terminal,
        options.detach,
        options.console_socket.as_deref(),
    )?;
    start(&record, &process, &config, options, signals)
}

/// The process: from a file, or the container's own with what the flags change.
fn described(options: &Exec, config: &oci::Config) -> Result<Process> {
    if let Some(path) = &options.process {
        let text = fs::read(path).with_context(|| format!("--process: open {}", path.display()))?;
        let mut process: Process = oci::parse(&text, &path.to_string_lossy())?;
        process.terminal |= options.terminal;
        return Ok(process);
    }
    let mut process = config.process.clone().unwrap_or_default();
    if options.arguments.is_empty() {
        return Err(Error::new(
            "process args cannot be empty: name a command, or --process",
        ));
    }
    process.args.clone_from(&options.arguments);
    process.terminal = options.terminal;
    if let Some(cwd) = &options.cwd {
        process.cwd.clone_from(cwd);
    }
    process.env.extend(options.env.iter().cloned());
    process.no_new_privileges |= options.no_new_privileges;
    if let Some(user) = &options.user {
        let (uid, gid) = user
            .split_once(':')
            .map_or((user.as_str(), None), |(uid, gid)| (uid, Some(gid)));
        process.user.uid = id("--user", uid)?;
        if let Some(gid) = gid {
            process.user.gid = id("--user", gid)?;
        }
    }
    for gid in &options.additional_gids {
        process
            .user
            .additional_gids
            .push(id("--additional-gids", gid)?);
    }
    if !options.capabilities.is_empty() {
        let capabilities = process.capabilities.get_or_insert_default();
        for name in &options.capabilities {
            capabilities.bounding.push(name.clone());
            capabilities.effective.push(name.clone());
            capabilities.permitted.push(name.clone());
        }
    }
    Ok(process)
}

fn id(flag: &str, text: &str) -> Result<u32> {
    let number = text.parse().ok().filter(|id| *id <= i32::MAX as u32);
    number.ok_or_else(|| Error::new(format!("{flag}: {text:?} is not an id of 0 to 2147483647")))
}

fn start(
    record: &Record,
    process: &Process,
    config: &oci::Config,
    options: &Exec,
    signals: BorrowedFd<'_>,
) -> Result<(spawn::Child, Option<OwnedFd>)> {
    // From here on the container's pid is never looked up again: it may end, and its number be another's.
    let target = process::pidfd_open(record.pid).context("pidfd_open")?;
    if !record.is_alive() {
        return Err(Error::new("cannot exec in a stopped container"));
    }
    let tasks = record.cgroup.join_fds()?;
    let namespaces = namespaces(record.pid)?;
    let facts = Facts {
        id: record.id.clone(),
        bounding: process::permitted_capabilities(),
        hierarchies: tasks.len(),
        unprivileged: process::euid() != 0,
        keep_groups: config.set(oci::annotation::KEEP_GROUPS),
        preserve_fds: options.preserve_fds,
        ..Facts::default()
    };
    let before_clone = namespaces & libc::CLONE_NEWPID as u32;
    let program = program::exec(process, config, namespaces & !before_clone, &facts)?;
    super::create::note(&program);
    program
        .warnings
        .iter()
        .for_each(|warning| log::warn(warning));

    let (report, theirs) = socket::pair().context("socketpair")?;
    let (ours, console) = match process.terminal {
        true => console_socket(options.console_socket.as_deref())?,
        false => (None, None),
    };
    let inherited = target.try_clone().context("dup")?;
    crate::sys::inherit(inherited.as_fd())?;
    let given = Given {
        report: Some(theirs),
        tasks,
        console,
        process: Some(inherited),
        ..Given::default()
    };
    let descriptors = handles::open(&program.handles, given)?;
    let cgroup = record.cgroup.dir_fd()?;
    if before_clone != 0 {
        spawn::setns(target.as_fd(), libc::CLONE_NEWPID)
            .context("joining the container's PID namespace")?;
    }
    let how = Launch {
        cgroup: cgroup.as_ref().map(AsFd::as_fd),
        ..Launch::default()
    };
    let child = launch(&program, descriptors, &how)?;
    let process = notify::Notifying {
        pid: child.pid,
        pidfd: child.pidfd.as_fd(),
        report: report.as_fd(),
    };
    if let Err(error) = follow(&program, &process, signals, options, (record, config)) {
        let _ = process::signal(child.pidfd.as_fd(), libc::SIGKILL);
        let _ = process::wait(child.pid);
        return Err(error);
    }
    if let Some(path) = &options.pidfd_socket {
        super::create::send_pidfd(path, child.pidfd.as_fd())?;
    }
    let master = match ours {
        Some(socket) => socket::receive(socket.as_fd(), &mut [0; 64])?.1,
        None => None,
    };
    Ok((child, master))
}

/// Waits until the program is executed, and writes the pid file.
fn follow(
    program: &program::Program,
    process: &notify::Notifying<'_>,
    signals: BorrowedFd<'_>,
    options: &Exec,
    (record, config): (&Record, &oci::Config),
) -> Result<()> {
    while let Some(message) = next_message(process.report, signals)? {
        if let (Message::STAGE, stage::LISTENER) = (message.kind, message.op) {
            notify::hand_over(config, process, message.call, record.state(Status::Running))?;
            continue;
        }
        return Err(program::explain(program, message)
            .wrap("exec failed: unable to start container process"));
    }
    match &options.pid_file {
        Some(path) => store::write_atomically(path, process.pid.to_string().as_bytes(), 0o644)
            .context("--pid-file"),
        None => Ok(()),
    }
}

/// The `CLONE_NEW*` flags of the namespaces in which the process differs from us.
fn namespaces(pid: i32) -> Result<u32> {
    const NAMESPACES: &[(&str, i32)] = &[
        ("user", libc::CLONE_NEWUSER),
        ("ipc", libc::CLONE_NEWIPC),
        ("uts", libc::CLONE_NEWUTS),
        ("net", libc::CLONE_NEWNET),
        ("pid", libc::CLONE_NEWPID),
        ("mnt", libc::CLONE_NEWNS),
        ("cgroup", libc::CLONE_NEWCGROUP),
        ("time", 0x80),
    ];
    let mut flags = 0;
    for (name, flag) in NAMESPACES {
        let theirs = fs::read_link(format!("/proc/{pid}/ns/{name}"));
        let own = fs::read_link(format!("/proc/self/ns/{name}"));
        match (theirs, own) {
            (Ok(theirs), Ok(own)) if theirs != own => flags |= *flag as u32,
            (Err(error), Ok(_)) => {
                return Err(error).with_context(|| format!("open /proc/{pid}/ns/{name}"));
            }
            _ => {}
        }
    }
    Ok(flags)
}
