//! The state directory: a directory for each container, in which `start.sock` is there until `start`, and `state.json`
//! says all that later commands must know. Its first line is the process, blank until there is one; the second is the
//! record; the rest is the configuration's text as it was at create.

use super::resctrl::Class;
use crate::cgroup::Cgroup;
use crate::error::{Context, Error, Result};
use crate::json::{self, object};
use crate::oci::{self, Config, Hook, Resources, State, Status};
use crate::sys::{self, file};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The version of `state.json`. A record of another version is refused, never guessed at.
const FORMAT: u32 = 3;

const RECORD: &str = "state.json";

/// The length of the file's first line, with its end: the greatest numbers fit.
const PROCESS_BYTES: usize = 64;

/// The name of the socket that exists from `create` to `start`.
pub const START_SOCKET: &str = "start.sock";

/// The containers of one `--root`.
#[derive(Debug, Clone)]
pub struct Store {
    /// The directory that holds theirs.
    pub root: PathBuf,
    /// It is in `/tmp`, where others may have made it before us.
    pub in_tmp: bool,
}

object! {
    /// What is kept of a container.
    #[derive(Debug, Clone, Default)]
    pub struct Record {
        format: u32 = required "format",
        /// Of the configuration.
        pub oci_version: String = required "ociVersion",
        /// The container's id.
        pub id: String = required "id",
        /// When the container was made: RFC 3339, UTC.
        pub created: String = required "created",
        /// The bundle, as an absolute path.
        pub bundle: PathBuf = required "bundle",
        /// The rootfs, as an absolute path.
        pub rootfs: PathBuf = required "rootfs",
        /// Of the configuration.
        pub annotations: BTreeMap<String, String> = "annotations",
        /// The cgroup.
        pub cgroup: Cgroup = required "cgroup",
        /// Its limits since `update` has changed them; those of the configuration until then.
        pub resources: Option<Resources> = "resources",
        /// Hooks that are yet to be run.
        pub poststart: Vec<Hook> = "poststart",
        /// See `poststart`.
        pub poststop: Vec<Hook> = "poststop",
        /// The first process has a PID namespace of its own: nothing of the container outlives it.
        pub own_pid_namespace: bool = required "ownPidNamespace",
        /// The name of the program, for messages.
        pub program: String = "program",
        /// `--no-new-keyring`: processes keep the session keyring of the runtime's caller.
        pub no_new_keyring: bool = "noNewKeyring",
        /// The user who made the container.
        pub owner: u32 = required "owner",
        /// Of a container without a mount namespace of its own: the id of the mount that the rootfs was in before.
        pub mount_before: Option<u64> = "mountBefore",
        /// Its class of cache and memory bandwidth.
        pub rdt: Option<Class> = "intelRdt",
        ;
        /// Of the first process, as the host sees it.
        pub pid: i32,
        /// When that process started, in clock ticks since boot: tells it from another that got its pid.
        pub start_time: u64,
    }
}

object! {
    /// The first line of the file.
    #[derive(Default)]
    struct FirstProcess {
        pid: i32 = required "pid",
        start_time: u64 = required "startTime",
    }
}

fn missing() -> Error {
    Error::new("container does not exist")
}

impl Record {
    /// A record of a container whose process is yet to be started.
    pub fn new(id: &str, config: &Config, bundle: &Path, rootfs: &Path, cgroup: Cgroup) -> Record {
        let pid_namespace = config.linux.namespace(oci::NamespaceType::Pid);
        Record {
            format: FORMAT,
            oci_version: config.oci_version.clone(),
            id: id.to_string(),
            pid: 0,
            start_time: 0,
            created: crate::log::now_nanosec(),
            bundle: bundle.to_path_buf(),
            rootfs: rootfs.to_path_buf(),
            annotations: config.annotations.clone(),
            cgroup,
            resources: None,
            poststart: config.hooks.poststart.clone(),
            poststop: config.hooks.poststop.clone(),
            own_pid_namespace: crate::program::is_new(pid_namespace),
            program: config
                .process
                .as_ref()
                .and_then(|process| process.args.first().cloned())
                .unwrap_or_default(),
            no_new_keyring: false,
            owner: sys::process::euid(),
            mount_before: None,
            rdt: None,
        }
    }

    /// The record that a file of the store holds.
    pub fn parse(text: &[u8], file: &str) -> Result<Record> {
        let (process, rest) = text.split_at_checked(PROCESS_BYTES).ok_or_else(missing)?;
        // A line that has no end yet is being written.
        let end = rest.iter().position(|byte| *byte == b'\n');
        let mut record: Record = json::parse(&rest[..end.ok_or_else(missing)?], file)?;
        if record.format != FORMAT {
            return Err(Error::new(format!(
                "{file}: format {} is not that of this version of coracle, {FORMAT}",
                record.format
            )));
        }
        let process = process.trim_ascii_end();
        if process.ends_with(b"}") {
            let process: FirstProcess = json::parse(process, file)?;
            (record.pid, record.start_time) = (process.pid, process.start_time);
        }
        Ok(record)
    }

    /// The state document of the spec.
    pub fn state(&self, status: Status) -> State {
        State {
            oci_version: oci::VERSION.to_string(),
            id: self.id.clone(),
            status,
            pid: if status == Status::Stopped {
                0
            } else {
                self.pid
            },
            bundle: self.bundle.to_string_lossy().into_owned(),
            annotations: self.annotations.clone(),
        }
    }

    /// Whether the first process is still the one that was started, and has not ended.
    pub fn is_alive(&self) -> bool {
        self.pid > 0
            && matches!(stat(self.pid), Some((state, start)) if start == self.start_time && !"ZX".contains(state))
    }
}

/// The state letter and the start time of a process: fields 3 and 22 of `/proc/PID/stat`, proc_pid_stat(5).
pub fn stat(pid: i32) -> Option<(char, u64)> {
    let text = file::read_record(Path::new(&format!("/proc/{pid}/stat"))).ok()?;
    // The second field may hold anything, spaces and parentheses too.
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Whether a process has begun to end, after which no other can be made in its PID namespace, or has ended: `PF_EXITING`
/// in field 9.
pub fn is_ending(pid: i32) -> bool {
    const EXITING: u32 = 4;
    let text = file::read_record(Path::new(&format!("/proc/{pid}/stat"))).unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default();
    let flags = fields.split_ascii_whitespace().nth(6);
    flags.is_none_or(|flags| flags.parse().is_ok_and(|flags: u32| flags & EXITING != 0))
}

/// Whether our child has executed the user's program, once it has closed its end of the report socket: it may also
/// have been killed. Then it is not yet waited for, and still has its name.
pub fn has_executed(child: &sys::spawn::Child) -> bool {
    // Before it exits, the stub tells why.
    let killed = |ended: sys::process::Ended| ended.signal().is_some();
    if !sys::process::fate(child.pid).is_some_and(killed) {
        return true;
    }
    let name = file::read_text(Path::new(&format!("/proc/{}/comm", child.pid))).unwrap_or_default();
    let name = name.trim_end();
    // Before Linux 6.14, what is executed by a descriptor is named after its number.
    !name.starts_with("memfd:coracle") && !name.bytes().all(|byte| byte.is_ascii_digit())
}

impl Store {
    /// Refuses a directory that is not ours alone: who writes states has our rights.
    pub fn check(&self) -> Result<()> {
        let Ok(metadata) = fs::symlink_metadata(&self.root) else {
            return Ok(());
        };
        let own = metadata.is_dir() && metadata.uid() == sys::process::euid();
        if !self.in_tmp || own && metadata.mode() & 0o022 == 0 {
            return Ok(());
        }
        Err(Error::new(format!(
            "{}: is not a directory of yours alone: name another one with --root or XDG_RUNTIME_DIR",
            self.root.display()
        )))
    }

    /// The directory of a container.
    pub fn directory(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// Makes a container's directory: this is the lock on its id.
    pub fn claim(&self, id: &str) -> Result<PathBuf> {
        let directory = self.directory(id);
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o711);
        match builder.create(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Error::new("container with given ID already exists"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("mkdir {}", directory.display()));
            }
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .with_context(|| format!("mkdir {}", self.root.display()))?;
        self.check()?;
        builder
            .create(&directory)
            .with_context(|| format!("mkdir {}", directory.display()))?;
        Ok(directory)
    }

    /// Writes the record of a container that is about to be made, and the text of its configuration. Returns the open
    /// file: see [`add_process`].
    pub fn begin(&self, record: &Record, config: &[u8]) -> Result<File> {
        let path = self.path(&record.id);
        let write = || {
            let mut file = file::create(&path, 0o600)?;
            file::write_parts(&mut file, &[&head(record), config]).map(|()| file)
        };
        write().with_context(|| format!("open {}", path.display()))
    }

    /// Writes a container's record so that a reader sees the old one or the new one, whole.
    pub fn save(&self, record: &Record) -> Result<()> {
        let contents = [head(record), self.config_text(&record.id)?].concat();
        write_atomically(&self.path(&record.id), &contents, 0o600)
    }

    /// A container's record.
    pub fn load(&self, id: &str) -> Result<Record> {
        crate::check::id(id)?;
        let path = self.path(id);
        let is_whole = |text: &[u8]| text.iter().skip(PROCESS_BYTES).any(|byte| *byte == b'\n');
        let text = match file::read_until(&path, is_whole) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                return Err(missing());
            }
            result => result.with_context(|| format!("open {}", path.display()))?,
        };
        Record::parse(&text, &path.to_string_lossy())
    }

    /// The configuration as it was when the container was made.
    pub fn config(&self, id: &str) -> Result<Config> {
        oci::parse(&self.config_text(id)?, "config.json")
    }

    fn config_text(&self, id: &str) -> Result<Vec<u8>> {
        let path = self.path(id);
        let mut text = file::read(&path).with_context(|| format!("open {}", path.display()))?;
        let mut lines = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let (end, _) = lines.nth(1).ok_or_else(missing)?;
        text.drain(..=end);
        Ok(text)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory(id).join(RECORD)
    }

    /// What a container is doing.
    pub fn status(&self, record: &Record) -> Status {
        if record.pid == 0 {
            return Status::Creating;
        }
        if !record.is_alive() {
            return Status::Stopped;
        }
        if record.cgroup.frozen().unwrap_or(false) {
            return Status::Paused;
        }
        if self.directory(&record.id).join(START_SOCKET).exists() {
            Status::Created
        } else {
            Status::Running
        }
    }

    /// The ids of all containers, sorted. The directory that holds them need not exist, unless it `must`.
    pub fn ids(&self, must: bool) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must => {
                return Ok(Vec::new());
            }
            result => result.with_context(|| format!("open {}", self.root.display()))?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<String> = names
            .filter(|name| self.directory(name).join(RECORD).exists())
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }
}

/// What the file of a container holds before the configuration.
fn head(record: &Record) -> Vec<u8> {
    let process = match record.pid {
        0 => vec![b' '; PROCESS_BYTES - 1],
        _ => first_line(record),
    };
    [&process, &b"\n"[..], &json::text(record), b"\n"].concat()
}

fn first_line(record: &Record) -> Vec<u8> {
    let mut line = json::text(&FirstProcess {
        pid: record.pid,
        start_time: record.start_time,
    });
    line.resize(PROCESS_BYTES - 1, b' ');
    line
}

/// Adds the process to a record that was begun.
pub(super) fn add_process(file: &File, record: &Record) -> Result<()> {
    file.write_all_at(&first_line(record), 0)
        .with_context(|| format!("write {RECORD}"))
}

/// `--pid-file`, if it is given.
pub fn write_pid_file(path: Option<&Path>, pid: i32) -> Result<()> {
    match path {
        Some(path) => {
            write_atomically(path, pid.to_string().as_bytes(), 0o644).context("--pid-file")
        }
        None => Ok(()),
    }
}

/// Writes a file beside its place and moves it there.
pub fn write_atomically(path: &Path, contents: &[u8], mode: u32) -> Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let temporary = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        file::create(&temporary, mode)?.write_all(contents)?;
        fs::rename(&temporary, path)
    };
    let result = write().with_context(|| format!("open {}", path.display()));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// A container's directory while it is being made.
pub(super) fn remove_directory(directory: &Path) -> Result<()> {
    // All that is there of a container that has run.
    let _ = file::remove(&directory.join(RECORD));
    if fs::remove_dir(directory).is_ok() {
        return Ok(());
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}
