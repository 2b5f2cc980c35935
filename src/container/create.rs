//! Making a container: from the bundle to a process that waits for `start`, or already runs.

use super::bundle::{absolute, facts, load, rootfs};
use super::console::{check_terminal, send_pidfd};
use super::readiness::{self, Readiness};
use super::report::{await_end, follow, note};
use super::store::{self, Record, Store};
use super::stub::start_stub;
use super::{hooks, host, identity, resctrl};
use crate::cgroup::{self, Cgroup, Layout, Manager, Rootless, Wanted};
use crate::error::{Error, Result};
use crate::oci::{Config, NamespaceType, Resources, Status};
use crate::path::is_normal;
use crate::program::{self, is_new};
use crate::sys::{file, mount, process, socket, spawn};
use crate::{check, log};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the command line says of a new container.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The container's id.
    pub id: String,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// The configuration, where it is not the bundle's `config.json`.
    pub config: Option<PathBuf>,
    /// `--pid-file`.
    pub pid_file: Option<PathBuf>,
    /// `--console-socket`.
    pub console_socket: Option<PathBuf>,
    /// `--pidfd-socket`.
    pub pidfd_socket: Option<PathBuf>,
    /// `--no-pivot`.
    pub no_pivot: bool,
    /// `--no-new-keyring`.
    pub no_new_keyring: bool,
    /// `--preserve-fds`.
    pub preserve_fds: u32,
    /// How many sockets the service manager has handed to us for the container: sd_listen_fds(3).
    pub listen_fds: u32,
    /// The process waits for `start`.
    pub await_start: bool,
    /// The runtime does not stay with the process.
    pub detach: bool,
    /// Cgroups that cannot be made are done without.
    pub rootless: Rootless,
    /// Who makes the cgroup.
    pub manager: Manager,
}

impl Options {
    /// Whether nobody stays to copy the terminal.
    pub(super) fn leaves(&self) -> bool {
        self.detach || self.await_start
    }

    /// Whether nobody but us is told when the process has started.
    fn is_private(&self) -> bool {
        let told = [&self.pid_file, &self.pidfd_socket, &self.console_socket];
        !self.leaves() && told.iter().all(|file| file.is_none())
    }
}

/// A container that has been made.
pub struct Created {
    /// As it is in the store.
    pub record: Record,
    /// The process.
    pub child: spawn::Child,
    /// The terminal's master, when the foreground process is to copy it.
    pub console: Option<OwnedFd>,
    /// Where the process says that it is ready, when a service manager wants to know.
    pub readiness: Option<Readiness>,
}

/// What is undone when making the container fails.
pub(super) struct Undo {
    directory: PathBuf,
    pub cgroup: Option<Cgroup>,
    /// The cgroup's directories that were not there before.
    made: Vec<PathBuf>,
    rdt: Option<resctrl::Class>,
    /// Its pid is ours alone until it is waited for.
    pub child: Option<i32>,
    pub done: bool,
}

impl Drop for Undo {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if let Some(pid) = self.child {
            let _ = process::kill(pid, libc::SIGKILL);
            let _ = process::wait(pid);
        }
        if let Some(cgroup) = &self.cgroup {
            let _ = cgroup.kill_all();
            if let Err(error) = cgroup.undo(&self.made) {
                log::warn(&error.to_string());
            }
        }
        if let Some(class) = &self.rdt
            && let Err(error) = class.undo()
        {
            log::warn(&error.to_string());
        }
        if let Err(error) = store::remove_directory(&self.directory) {
            log::warn(&error.to_string());
        }
    }
}

/// Makes a container. On an error nothing of it is left.
pub fn create(store: &Store, options: &Options, signals: BorrowedFd<'_>) -> Result<Created> {
    check::id(&options.id)?;
    let (text, mut config) = load(options)?;
    let (bundle, rootfs) = places(options, &config)?;
    host::check_sysctls(&config)?;
    let mut facts = facts(&config, options, &bundle, rootfs);

    let prepared = prepare(store, options, &text, &config, &bundle, &facts.rootfs)?;
    let Prepared {
        mut undo,
        mut record,
        file,
        mut cgroup,
        tasks,
        layout,
    } = prepared;
    let directory = store.directory(&options.id);
    if readiness::manager().is_some() {
        readiness::add_to(&mut config, &directory)?;
    }
    if let Some(process) = config.process.as_mut().filter(|_| options.listen_fds > 0) {
        let count = options.listen_fds;
        process.env.push(format!("LISTEN_FDS={count}"));
        process.env.push("LISTEN_PID=1".into());
    }
    facts.hierarchies = tasks.len();
    if config
        .mounts
        .iter()
        .any(|mount| mount.kind.as_deref() == Some("cgroup"))
    {
        facts.v1_mounts = cgroup.v1_mounts(&layout);
        facts.cgroup2 = cgroup.v2_path();
    }
    facts.tree_namespace =
        program::can_enter_tree(&config, &facts) && mount::knows_tree_namespace();
    let program = program::container(&config, &facts)?;
    note(&program);

    let readiness = match options.await_start {
        true => None,
        false => Readiness::bind(&directory)?,
    };
    let started = start_stub(
        &program,
        &config,
        &directory,
        tasks,
        options,
        &mut cgroup,
        record.rdt.as_ref(),
    )?;
    undo.cgroup = Some(cgroup.clone());
    let whole = record.cgroup == cgroup;
    record.cgroup = cgroup;
    undo.child = Some(started.child.pid);
    record.pid = started.child.pid;
    let started_at = || store::stat(record.pid).map_or(0, |(_, start)| start);
    record.start_time = started.child.start_ticks.unwrap_or_else(started_at);
    match whole {
        true => store::add_process(&file, &record)?,
        false => store.save(&record)?,
    }

    let unseen = options.is_private() && readiness.is_none() && record.poststart.is_empty();
    if unseen && !program.asks {
        await_end(&started, signals)?;
    }
    if let Err(error) = follow(&program, &config, &record, &started, signals) {
        // The spec's steps 12 and 13: what was made is undone, and then the hooks are told.
        drop(undo);
        host::take_mounts_away(&record)?;
        hooks::poststop(&record);
        return Err(match is_new(config.linux.namespace(NamespaceType::User)) {
            true => identity::explain_refusal(error),
            false => error,
        });
    }
    log::debug(format_args!("init: closing the pipe to signal completion"));
    store::write_pid_file(options.pid_file.as_deref(), record.pid)?;
    if let Some(path) = &options.pidfd_socket {
        send_pidfd(path, started.child.pidfd.as_fd(), "standard")?;
    }
    let console = match started.console {
        Some(socket) => socket::receive(socket.as_fd(), &mut [0; 64])?.1,
        None => None,
    };
    undo.done = true;
    let created = Created {
        record,
        child: started.child,
        console,
        readiness,
    };
    if !options.await_start {
        poststart(store, &created)?;
    }
    // Piece by piece they would only go back to a heap that the kernel has no part of back: the process ends soon, or waits.
    std::mem::forget((text, config, facts, program));
    Ok(created)
}

/// The bundle and its rootfs, as absolute paths, once it is clear that the container may be made of them.
pub(super) fn places(options: &Options, config: &Config) -> Result<(PathBuf, PathBuf)> {
    let socket = options.console_socket.as_deref();
    check_terminal(config.terminal(), options.leaves(), socket)?;
    identity::check_groups(config)?;
    let path = rootfs(config, &options.bundle);
    // The way to what is below the bundle is through it.
    let bundle = options.bundle.as_os_str().as_bytes();
    let below = is_normal(bundle) && path.starts_with(&options.bundle);
    if below && file::is_canonical_directory(&path) {
        return Ok((options.bundle.clone(), path));
    }
    let bundle = absolute(&options.bundle)?;
    let rootfs = rootfs(config, &bundle);
    let rootfs = file::canonical_directory(&rootfs).map_err(|_| {
        Error::new(format!(
            "root.path: {} is not a directory",
            rootfs.display()
        ))
    })?;
    Ok((bundle, rootfs))
}

/// A container that has all but its process.
pub(super) struct Prepared {
    pub undo: Undo,
    pub record: Record,
    /// See [`Store::begin`].
    pub file: File,
    /// As it is to be.
    pub cgroup: Cgroup,
    /// See [`Cgroup::join_fds`].
    pub tasks: Vec<OwnedFd>,
    pub layout: Layout,
}

/// Makes the container's directory, its record, and its cgroup.
pub(super) fn prepare(
    store: &Store,
    options: &Options,
    text: &[u8],
    config: &Config,
    bundle: &Path,
    rootfs: &Path,
) -> Result<Prepared> {
    let directory = store.claim(&options.id)?;
    let mut undo = Undo {
        directory: directory.clone(),
        cgroup: None,
        made: Vec::new(),
        rdt: None,
        child: None,
        done: false,
    };
    let linux = &config.linux;
    let mut layout = match options.manager {
        Manager::Files => Layout::usual()?,
        _ => Layout::detect()?,
    };
    let wanted = Wanted {
        id: &options.id,
        path: linux.cgroups_path.as_deref(),
        manager: options.manager,
        rootless: options.rootless,
        owner: cgroup::owner(config),
        annotations: &config.annotations,
    };
    let mut cgroup = Cgroup::plan(&layout, &wanted)?;
    cgroup.dial();
    let mut record = Record::new(&options.id, config, bundle, rootfs, cgroup.clone());
    record.no_new_keyring = options.no_new_keyring;
    if program::mounts_for_host(config) {
        record.mount_before = host::mount_id(rootfs);
    }
    record.rdt = resctrl::plan(linux, &options.id)?;
    // Before anything is made, so that `delete --force` finds it all should we be killed.
    let mut file = store.begin(&record, text)?;
    if let Some(class) = &record.rdt {
        undo.rdt = Some(class.clone());
        class.make(linux)?;
    }
    let resources = linux.resources.as_ref();
    let mut made = make_cgroup(&mut cgroup, resources);
    if layout.presumed && !(made.is_ok() && cgroup.is_in_all(&layout)) {
        if let Ok((made, _)) = &made {
            cgroup.undo(made)?;
        }
        layout = Layout::detect()?;
        cgroup = Cgroup::plan(&layout, &wanted)?;
        record.cgroup = cgroup.clone();
        file = store.begin(&record, text)?;
        made = make_cgroup(&mut cgroup, resources);
    }
    let (made, tasks) = made?;
    undo.made = made;
    if cgroup.is_none() && !record.own_pid_namespace {
        log::warn(
            "a container with neither a cgroup nor a PID namespace of its own: not all of its processes can be found, \
             to be killed or listed. Such configuration is strongly discouraged",
        );
    }
    undo.cgroup = Some(cgroup.without_unit());
    Ok(Prepared {
        undo,
        record,
        file,
        cgroup,
        tasks,
        layout,
    })
}

/// Makes the cgroup and opens what it is joined by. On an error, nothing of it is left.
fn make_cgroup(
    cgroup: &mut Cgroup,
    resources: Option<&Resources>,
) -> Result<(Vec<PathBuf>, Vec<OwnedFd>)> {
    let made = cgroup.make(resources)?;
    match cgroup.join_fds() {
        Ok(tasks) => Ok((made, tasks)),
        Err(error) => {
            cgroup.undo(&made)?;
            Err(error)
        }
    }
}

/// Poststart hooks: a failing one stops the container, as the spec says.
fn poststart(store: &Store, created: &Created) -> Result<()> {
    let record = &created.record;
    let result = hooks::run_all(
        "poststart",
        &record.poststart,
        &record.state(Status::Running),
    );
    if result.is_err() {
        let _ = process::signal(created.child.pidfd.as_fd(), libc::SIGKILL);
        let _ = process::wait(created.child.pid);
        super::life::remove(store, record)?;
    }
    result
}
