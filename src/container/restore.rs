//! `restore`: a container whose processes criu makes from what `checkpoint` has saved.

use super::bundle::load;
use super::checkpoint::{DESCRIPTORS, Images, warn_of_user};
use super::console::dial_console;
use super::create::{Created, Options, Prepared, Undo, places, prepare};
use super::store::{self, Record, Store};
use super::{external, hooks};
use crate::cgroup::Cgroup;
use crate::check;
use crate::criu::{self, Message, Notification, Request, Server, option};
use crate::error::{Context, Error, Result};
use crate::json;
use crate::oci::{Config, Status};
use crate::sys::{file, mount, process, socket, spawn};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The place, in the container's directory, where criu sees the rootfs: it wants it to be a mount.
const ROOT: &str = "criu-root";

/// Makes a container of a bundle and the images of one. On an error nothing of it is left.
pub fn restore(store: &Store, options: &Options, images: &Images) -> Result<Created> {
    warn_of_user("restore");
    check::id(&options.id)?;
    let (text, config) = load(options)?;
    let (bundle, rootfs) = places(options, &config)?;
    let streams = streams(&images.directory)?;
    let version = criu::version()?;
    let mut request = request(images, &config, version)?;
    let socket = options.console_socket.as_deref();
    let socket = socket.map(dial_console).transpose()?;
    external::make_mount_points(&config, &bundle, &rootfs)?;

    let Prepared {
        mut undo,
        mut record,
        mut cgroup,
        ..
    } = prepare(store, options, &text, &config, &bundle, &rootfs)?;
    let directory = store.directory(&options.id);
    let root = directory.join(ROOT);
    file::make_directory(&root).with_context(|| format!("mkdir {}", root.display()))?;
    let criu = &mut request;
    criu.text(option::ROOT, &root.to_string_lossy());
    external::find_mounts(&config, (&bundle, &cgroup), &directory, criu)?;
    for (number, name) in streams.iter().enumerate() {
        if name.contains("pipe:") {
            external::inherit(name, number as i32, criu);
        }
    }
    let namespaces = external::find_namespaces(&config, criu)?;
    let server = Server::start(Some((&rootfs, &root)))?;
    drop(namespaces);
    let _directories = images.open(server.pid(), criu)?;
    enter(server.pid(), &config, &mut cgroup, &mut undo, criu)?;
    if let Some(class) = &record.rdt {
        class.add(server.pid())?;
    }
    record.cgroup = cgroup;

    let mut console = None;
    let result = server.perform(Request::Restore, criu, &mut |notification| {
        follow(notification, store, &config, &mut record, &mut undo, |it| {
            match &socket {
                Some(socket) => {
                    socket::send_descriptor(socket.as_fd(), b"orphan-pts-master", it.as_fd())?;
                }
                None => console = Some(it),
            }
            Ok(())
        })
    });
    if result.is_err() {
        criu::quote_log(&images.log("restore.log"));
    }
    result?;
    let pidfd = process::pidfd_open(record.pid).context("pidfd_open")?;
    let _ = fs::remove_dir(&root);
    store::write_pid_file(options.pid_file.as_deref(), record.pid)?;
    undo.done = true;
    Ok(Created {
        child: spawn::Child {
            pid: record.pid,
            start_ticks: Some(record.start_time),
            pidfd,
        },
        record,
        console,
        readiness: None,
    })
}

/// What criu is asked for, but for the directories.
fn request(images: &Images, config: &Config, version: u32) -> Result<Message> {
    let mut options = images.options(config, "restore.log");
    options.number(option::EVASIVE_DEVICES, 1);
    // The restored process is our child, not criu's.
    options.number(option::RST_SIBLING, 1);
    for (flag, field, text) in [
        ("--lsm-profile", option::LSM_PROFILE, &images.lsm_profile),
        (
            "--lsm-mount-context",
            option::LSM_MOUNT_CONTEXT,
            &images.lsm_mount_context,
        ),
    ] {
        match text {
            Some(_) if version < 31600 => {
                return Err(Error::new(format!("{flag} requires at least CRIU 3.16")));
            }
            Some(text) => options.text(field, text),
            None => {}
        }
    }
    Ok(options)
}

/// What the standard streams of the first process were.
fn streams(images: &Path) -> Result<Vec<String>> {
    let path = images.join(DESCRIPTORS);
    let text =
        file::read(&path).with_context(|| format!("--image-path: open {}", path.display()))?;
    json::parse(&text, &path.to_string_lossy())
}

/// Puts criu, and with it what it restores, into the container's cgroup, and tells it which one that is.
fn enter(
    pid: i32,
    config: &Config,
    cgroup: &mut Cgroup,
    undo: &mut Undo,
    criu: &mut Message,
) -> Result<()> {
    match cgroup.has_unit() {
        true => {
            cgroup.adopt(pid, config.linux.resources.as_ref())?;
            undo.cgroup = Some(cgroup.clone());
        }
        false => cgroup.place(pid)?,
    }
    let path = format!("/proc/{pid}/cgroup");
    let text = file::read_text(Path::new(&path)).with_context(|| format!("open {path}"))?;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(names), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        for name in names.split(',') {
            criu.pair(option::CG_ROOT, name.as_bytes(), path.as_bytes());
        }
    }
    Ok(())
}

/// Makes the root of a process read-only again: criu does not, as the root is the one mount that it is given.
fn protect_root(pid: i32) -> Result<()> {
    process::in_child(|| {
        let path = format!("/proc/{pid}/ns/mnt");
        let namespace = fs::File::open(&path).with_context(|| format!("open {path}"))?;
        spawn::setns(namespace.as_fd(), libc::CLONE_NEWNS).context("setns")?;
        let root = file::open_directory(Path::new("/")).context("open /")?;
        mount::set_attributes(root.as_fd(), mount::ATTR_RDONLY, 0, 0, false)
            .context("mount_setattr")
    })
}

/// Does what is to be done at one of criu's steps.
fn follow(
    notification: Notification<'_>,
    store: &Store,
    config: &Config,
    record: &mut Record,
    undo: &mut Undo,
    take_console: impl FnOnce(OwnedFd) -> Result<()>,
) -> Result<()> {
    match notification.step {
        b"setup-namespaces" => {
            record.pid = notification.pid;
            let state = record.state(Status::Creating);
            hooks::run_all("prestart", &config.hooks.prestart, &state)?;
            hooks::run_all("createRuntime", &config.hooks.create_runtime, &state)
        }
        b"post-restore" => {
            record.pid = notification.pid;
            record.start_time = store::stat(record.pid).map_or(0, |(_, start)| start);
            undo.child = Some(record.pid);
            if config.root.as_ref().is_some_and(|root| root.readonly) {
                protect_root(record.pid).context("root.readonly")?;
            }
            store.save(record)
        }
        b"orphan-pts-master" => notification.descriptor.map_or(Ok(()), take_console),
        _ => Ok(()),
    }
}
