//! A further process in a running container.

use super::bundle::window;
use super::console::{check_terminal, console_socket, send_pidfd};
use super::described::described;
use super::handles::{self, Given};
use super::launch::{Launch, is_denied, launch};
use super::report::next_message;
use super::store::{self, Record, Store};
use super::{notify, stdio};
use crate::cgroup::Cgroup;
use crate::error::{Context, Error, Result};
use crate::oci::{Process, Status};
use crate::program::wire::{Message, call, stage};
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
    pub no_new_privileges: Option<bool>,
    /// `--apparmor`.
    pub apparmor: Option<String>,
    /// `--process-label`.
    pub process_label: Option<String>,
    /// `--cgroup`.
    pub cgroups: Vec<String>,
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
        Status::Stopped => return Err(stopped()),
        Status::Paused if !options.ignore_paused => {
            return Err(Error::new(
                "cannot exec in a paused container (use --ignore-paused to override)",
            ));
        }
        _ => {}
    }
    let mut config = store.config(&options.id)?;
    config.take_landlock()?;
    let mut process = described(options, &config)?;
    restrict(&mut process, &config);
    check::process(&process)?;
    check_terminal(
        process.terminal,
        options.detach,
        options.console_socket.as_deref(),
    )?;
    start(&record, &process, &config, options, signals)
}

/// A process that is described by itself is restricted as the container is, but where it says how.
fn restrict(process: &mut Process, config: &oci::Config) {
    let of_container = config
        .process
        .iter()
        .flat_map(|process| &process.landlock.0);
    let own = !process.landlock.0.is_empty();
    let missing: Vec<oci::Landlock> = of_container
        .filter(|landlock| !own || landlock.annotated)
        .filter(|landlock| !process.landlock.0.contains(landlock))
        .cloned()
        .collect();
    process.landlock.0.extend(missing);
    process.no_new_privileges |= !process.landlock.0.is_empty();
}

fn start(
    record: &Record,
    process: &Process,
    config: &oci::Config,
    options: &Exec,
    signals: BorrowedFd<'_>,
) -> Result<(spawn::Child, Option<OwnedFd>)> {
    // From here on the container's pid is never looked up again: it may end, and its number be another's.
    let target = process::pidfd_open(record.pid).context("pidfd_open");
    if !record.is_alive() {
        return Err(stopped());
    }
    let target = target?;
    let cgroup = record.cgroup.below(&options.cgroups)?;
    let tasks = cgroup
        .join_fds()
        .context("error adding pid of the process to cgroups")?;
    let namespaces = namespaces(record.pid)?;
    let bounding = process::permitted_capabilities();
    let facts = Facts {
        id: record.id.clone(),
        rootfs: record.rootfs.clone(),
        bounding,
        hierarchies: tasks.len(),
        unprivileged: process::is_unprivileged(bounding),
        keep_groups: config.set(oci::annotation::KEEP_GROUPS),
        window: window(process.terminal, options.detach),
        no_new_keyring: record.no_new_keyring,
        landlock_abi: super::bundle::landlock_abi(Some(process)),
        preserve_fds: options.preserve_fds,
        ..Facts::default()
    };
    // Who may trace us in there must not meet a process that still is the runtime; and without rights of our own, we have
    // none over that PID namespace before we are in its user namespace. The stub joins it then.
    let user = namespaces & libc::CLONE_NEWUSER as u32 != 0;
    let guarded = match user {
        true => facts.unprivileged,
        false => traces(config),
    };
    let before_clone = match guarded {
        true => 0,
        false => namespaces & libc::CLONE_NEWPID as u32,
    };
    let program = program::exec(process, config, namespaces & !before_clone, &facts)?;
    super::report::note(&program);

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
    let mut descriptors = handles::open(&program.handles, given)?;
    let maps = user.then(|| stdio::map_of_process(record.pid, "uid_map"));
    stdio::give_to(process, maps.as_deref(), options.detach);
    initial_affinity(process)?;
    if before_clone != 0 {
        let joined = spawn::setns(target.as_fd(), libc::CLONE_NEWPID);
        joined
            .map_err(|error| ended(record, error.wrap("joining the container's PID namespace")))?;
    }
    let child = launch_in(
        &program,
        &mut descriptors,
        &cgroup,
        record,
        options,
        report.as_fd(),
    )
    .map_err(|error| ended(record, error))?;
    let process = notify::Notifying {
        pid: child.pid,
        pidfd: child.pidfd.as_fd(),
        report: report.as_fd(),
    };
    let followed = follow(
        &program,
        &process,
        signals,
        options,
        (record, config),
        &child,
        target.as_fd(),
    );
    if let Err(error) = followed {
        let _ = process::signal(child.pidfd.as_fd(), libc::SIGKILL);
        let _ = process::wait(child.pid);
        return Err(error);
    }
    let master = match ours {
        Some(socket) => socket::receive(socket.as_fd(), &mut [0; 64])?.1,
        None => None,
    };
    Ok((child, master))
}

/// `process.execCPUAffinity.initial`: the child begins with it, and so do we, as it may be that no other CPU is to be
/// disturbed.
fn initial_affinity(process: &Process) -> Result<()> {
    let affinity = process.exec_cpu_affinity.as_ref();
    let Some(cpus) = affinity.and_then(|affinity| affinity.initial.as_deref()) else {
        return Ok(());
    };
    let field = "process.execCPUAffinity.initial";
    let mask = program::bit_mask(cpus).context(field)?;
    process::set_affinity(&mask).with_context(|| format!("{field}: sched_setaffinity {cpus}"))?;
    let mut first = [0; 8];
    first.copy_from_slice(&mask[..8]);
    log::debug(format_args!(
        "nsexec: affinity: {:#x}",
        u64::from_le_bytes(first)
    ));
    Ok(())
}

/// Starts the stub in the cgroup; on v2 in that of the container's first process, when the container's own cannot be
/// used and no other was asked for. Where we may not, systemd moves it.
fn launch_in(
    program: &program::Program,
    descriptors: &mut Vec<OwnedFd>,
    cgroup: &Cgroup,
    record: &Record,
    options: &Exec,
    report: BorrowedFd<'_>,
) -> Result<spawn::Child> {
    let mut start = |cgroup: &Cgroup, attach: bool| {
        let directory = cgroup.dir_fd().context("can't open cgroup")?;
        let in_cgroup = directory.is_some();
        let join = |pid| {
            if attach {
                record.cgroup.attach(cgroup, pid)?;
            }
            record.rdt.as_ref().map_or(Ok(()), |class| class.add(pid))
        };
        let how = Launch {
            prepare: (attach || record.rdt.is_some()).then_some(&join),
            cgroup: directory.filter(|_| !attach),
            needs_cgroup: cgroup.is_unified(),
            ..Launch::default()
        };
        let child = launch(program, descriptors, how, report);
        match child {
            Err(error) if in_cgroup && !error.to_string().starts_with(spawn::EXECUTING) => {
                Err(error.wrap("error adding pid of the process to cgroups"))
            }
            child => child,
        }
    };
    let mut start = |cgroup: &Cgroup| match start(cgroup, false) {
        Err(error) if record.cgroup.has_unit() && is_denied(&error) => start(cgroup, true),
        result => result,
    };
    let first = start(cgroup);
    let Err(error) = &first else {
        return first;
    };
    let current = match options.cgroups.is_empty() {
        true => record.cgroup.current_of(record.pid),
        false => None,
    };
    let Some(current) = current else {
        return first;
    };
    log::debug(format_args!(
        "{error}: trying the cgroup of the container's init"
    ));
    start(&current).or(first)
}

/// The error, unless the container's first process ends, or has: then that is the reason.
fn ended(record: &Record, error: Error) -> Error {
    match store::is_ending(record.pid) {
        true => stopped(),
        false => error,
    }
}

fn stopped() -> Error {
    Error::new("cannot exec in a stopped container")
}

/// Waits until the program is executed, and tells who wants to know of the process.
fn follow(
    program: &program::Program,
    process: &notify::Notifying<'_>,
    signals: BorrowedFd<'_>,
    options: &Exec,
    (record, config): (&Record, &oci::Config),
    child: &spawn::Child,
    target: BorrowedFd<'_>,
) -> Result<()> {
    while let Some(message) = next_message(process.report, signals, &mut None)? {
        if let (Message::STAGE, stage::LISTENER) = (message.kind, message.op) {
            notify::hand_over(config, process, message.call, record.state(Status::Running))?;
            continue;
        }
        // The container's first process has begun to end.
        if message.call == call::SETNS && message.errno == libc::ESRCH {
            return Err(stopped());
        }
        return Err(
            program::explain(program, message, None).wrap("unable to start container process")
        );
    }
    if !store::has_executed(child) {
        return match process::poll(&[Some(target)], 0)?[0] {
            true => Err(stopped()),
            false => Err(Error::new(
                "unable to start container process: killed before it could execute its program",
            )),
        };
    }
    log::debug(format_args!("setns_init: about to exec"));
    store::write_pid_file(options.pid_file.as_deref(), child.pid)?;
    match &options.pidfd_socket {
        Some(path) => send_pidfd(path, child.pidfd.as_fd(), "setns"),
        None => Ok(()),
    }
}

/// Whether the container's processes may trace one of ours that has come into their PID namespace: with
/// CAP_SYS_PTRACE, or with no less rights than ours.
fn traces(config: &oci::Config) -> bool {
    let process = config.process.as_ref();
    let Some(capabilities) = process.and_then(|process| process.capabilities.as_ref()) else {
        return false;
    };
    let theirs = program::any_of(capabilities);
    let ours = process::permitted_capabilities();
    theirs & program::SYS_PTRACE != 0 || ours & !theirs == 0
}

/// The `CLONE_NEW*` flags of the namespaces in which the process differs from us.
pub(super) fn namespaces(pid: i32) -> Result<u32> {
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
            // Those of a process that is about to end belong to nobody any more: permission denied.
            (Err(_), Ok(_)) if store::is_ending(pid) => return Err(stopped()),
            (Err(error), Ok(_)) => {
                return Err(error).with_context(|| format!("open /proc/{pid}/ns/{name}"));
            }
            _ => {}
        }
    }
    Ok(flags)
}
