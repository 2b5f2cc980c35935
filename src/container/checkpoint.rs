//! `checkpoint`: the state of a container's processes, saved by criu.

use super::external;
use super::store::Store;
use crate::criu::{self, Feature, Message, Request, Server, option};
use crate::error::{Context, Error, Result};
use crate::json;
use crate::log;
use crate::oci::{Config, Status};
use crate::sys::{file, process};
use std::fs;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What the command line says of images, and of how criu is to write or read them.
#[derive(Debug, Default)]
pub struct Images {
    /// `--image-path`.
    pub directory: PathBuf,
    /// `--work-path`: for criu's log; with the images where absent.
    pub work: Option<PathBuf>,
    /// `--parent-path`: the images of the last pre-dump, as seen from these.
    pub parent: Option<PathBuf>,
    /// Those of [`criu::SWITCHES`] that are on, by their fields.
    pub switches: Vec<u32>,
    /// `--pre-dump`.
    pub pre_dump: bool,
    /// `--manage-cgroups-mode`, as one of [`criu::CGROUP_MODES`].
    pub cgroups_mode: u64,
    /// `--page-server`.
    pub page_server: Option<(String, u16)>,
    /// `--status-fd`.
    pub status_fd: Option<i32>,
    /// `--lsm-profile`.
    pub lsm_profile: Option<String>,
    /// `--lsm-mount-context`.
    pub lsm_mount_context: Option<String>,
}

/// The standard streams of the container's first process, among its images.
pub(super) const DESCRIPTORS: &str = "descriptors.json";

impl Images {
    /// Whether one of criu's switches is on.
    fn is_on(&self, switch: u32) -> bool {
        self.switches.contains(&switch)
    }

    /// Where criu writes its log.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.work.as_ref().unwrap_or(&self.directory).join(name)
    }

    /// Opens the directories of the images and of the log for criu, as the process `pid` sees them: one that has a mount
    /// namespace of its own cannot mount anything in a directory that it was handed from another. They are to stay open
    /// while criu works.
    pub(super) fn open(&self, pid: i32, options: &mut Message) -> Result<Vec<OwnedFd>> {
        let mut directories = Vec::new();
        let mut open = |flag: &str, field, path: &Path| -> Result<()> {
            // In that process's root, an absolute link on the way would lead back to ours.
            let directory = fs::canonicalize(path)
                .map(|path| PathBuf::from(format!("/proc/{pid}/root{}", path.display())))
                .and_then(|path| file::open_directory(&path))
                .with_context(|| format!("{flag}: open {}", path.display()))?;
            options.number(field, directory.as_raw_fd() as u64);
            directories.push(directory);
            Ok(())
        };
        open("--image-path", option::IMAGES_DIR_FD, &self.directory)?;
        if let Some(work) = &self.work {
            make_directory("--work-path", work)?;
            open("--work-path", option::WORK_DIR_FD, work)?;
        }
        Ok(directories)
    }

    /// What criu is told about the images and its log, whether it saves or restores.
    pub(super) fn options(&self, config: &Config, log: &str) -> Message {
        let mut options = Message::default();
        options.number(option::LOG_LEVEL, 4);
        options.text(option::LOG_FILE, log);
        for switch in &self.switches {
            options.number(*switch, 1);
        }
        for field in [
            option::MANAGE_CGROUPS,
            option::NOTIFY_SCRIPTS,
            option::ORPHAN_PTS_MASTER,
        ] {
            options.number(field, 1);
        }
        options.number(option::MANAGE_CGROUPS_MODE, self.cgroups_mode);
        // Network devices are whoever's who has set them up.
        options.number(option::EMPTY_NS, libc::CLONE_NEWNET as u64);
        // The file may be missing. It overrides what we say.
        let file = config.annotations.get("org.criu.config");
        let file = file.map_or("/etc/criu/runc.conf", String::as_str);
        if !file.is_empty() {
            options.text(option::CONFIG_FILE, file);
        }
        options
    }

    /// Checks the directory of the last pre-dump.
    fn check_parent(&self) -> Result<()> {
        let Some(parent) = &self.parent else {
            return Ok(());
        };
        if parent.is_absolute() {
            return Err(Error::new("--parent-path must be relative"));
        }
        make_directory("--image-path", &self.directory)?;
        let whole = self.directory.join(parent);
        let wrong = match fs::metadata(&whole) {
            Ok(metadata) if metadata.is_dir() => return Ok(()),
            Ok(_) => std::io::Error::from_raw_os_error(libc::ENOTDIR),
            Err(error) => error,
        };
        let what = format!("invalid --parent-path: stat {}", whole.display());
        Err(Error::from(wrong).wrap(what))
    }
}

fn make_directory(flag: &str, path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("{flag}: mkdir {}", path.display()))
}

/// Warns of what nobody has tried.
pub(super) fn warn_of_user(command: &str) {
    if process::euid() != 0 || process::in_user_namespace() {
        log::warn(&format!(
            "{command} is untested with rootless containers: criu wants to be root"
        ));
    }
}

/// Saves a container's processes, and removes the container unless it is to go on.
pub fn checkpoint(store: &Store, id: &str, images: &Images) -> Result<()> {
    warn_of_user("checkpoint");
    let record = store.load(id)?;
    let status = store.status(&record);
    if !matches!(status, Status::Running | Status::Paused) {
        return Err(Error::new(format!(
            "Container cannot be checkpointed in {} state",
            status.name()
        )));
    }
    images.check_parent()?;
    criu::version()?;
    let config = store.config(id)?;
    make_directory("--image-path", &images.directory)?;
    let mut options = images.options(&config, "dump.log");
    let _directories = images.open(std::process::id() as i32, &mut options)?;
    options.number(option::PID, record.pid as u64);
    options.text(option::ROOT, &record.rootfs.to_string_lossy());
    if let Some(path) = record.cgroup.freezer_path() {
        options.text(option::FREEZE_CGROUP, &path.to_string_lossy());
    }
    if let Some((address, port)) = &images.page_server {
        let mut server = Message::default();
        server.text(1, address);
        server.number(2, u64::from(*port));
        options.bytes(option::PAGE_SERVER, &server.0);
    }
    if let Some(parent) = &images.parent {
        options.text(option::PARENT_IMG, &parent.to_string_lossy());
        options.number(option::TRACK_MEM, 1);
    }
    external::leave_namespaces(&config, &mut options)?;
    let mut status_fd = None;
    if images.is_on(option::LAZY_PAGES) {
        criu::require(Feature::LazyPages)?;
        if let Some(number) = images.status_fd {
            let taken = crate::sys::take_writable(number);
            let what = || format!("invalid --status-fd argument {number}");
            status_fd = Some(taken.with_context(what)?);
        }
    }
    let kind = match images.pre_dump {
        true => {
            criu::require(Feature::MemTrack)?;
            Request::PreDump
        }
        false => {
            let places = (&*record.bundle, &record.cgroup);
            external::leave_mounts(&config, places, record.pid, &mut options)?;
            write_descriptors(record.pid, &images.directory)?;
            Request::Dump
        }
    };
    let result = Server::start(None)?.perform(kind, &options, &mut |notification| {
        // The lazy pages can be fetched.
        if notification.step == b"status-ready"
            && let Some(file) = status_fd.take()
        {
            let _ = fs::File::from(file).write_all(&[0]);
        }
        Ok(())
    });
    if result.is_err() {
        criu::quote_log(&images.log("dump.log"));
    }
    result?;
    if !images.pre_dump
        && !images.is_on(option::LEAVE_RUNNING)
        && let Err(error) = super::life::delete(store, id, true)
    {
        log::warn(&error.to_string());
    }
    Ok(())
}

/// Writes down what the standard streams are: pipes, which others hold the ends of, are given anew at the restore.
fn write_descriptors(pid: i32, directory: &Path) -> Result<()> {
    let name = |number: i32| {
        let link = fs::read_link(format!("/proc/{pid}/fd/{number}"));
        link.map(|link| link.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let names = [0, 1, 2].map(name).to_vec();
    let path = directory.join(DESCRIPTORS);
    file::create(&path, 0o600)
        .and_then(|mut file| file.write_all(json::line(&names).trim_end().as_bytes()))
        .with_context(|| format!("write {}", path.display()))
}
