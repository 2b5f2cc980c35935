//! criu, which saves processes to files and makes them anew: criu(8), and its protocol (images/rpc.proto there).
//!
//! It is started as `criu swrk N`, and serves one request over the socket that it has for descriptor N.

mod wire;

pub use wire::{Field, Fields, Message};

use crate::error::{Context, Error, Result};
use crate::log;
use crate::sys::command::Command;
use crate::sys::{mount, process, socket};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

/// The fields of `criu_opts`.
pub mod option {
    #![allow(missing_docs)] // criu's documentation has them
    pub const IMAGES_DIR_FD: u32 = 1;
    pub const PID: u32 = 2;
    pub const LEAVE_RUNNING: u32 = 3;
    pub const EVASIVE_DEVICES: u32 = 6;
    pub const LOG_LEVEL: u32 = 9;
    pub const LOG_FILE: u32 = 10;
    pub const PAGE_SERVER: u32 = 11;
    pub const NOTIFY_SCRIPTS: u32 = 12;
    pub const ROOT: u32 = 13;
    pub const PARENT_IMG: u32 = 14;
    pub const TRACK_MEM: u32 = 15;
    pub const WORK_DIR_FD: u32 = 17;
    pub const EXT_MNT: u32 = 23;
    pub const MANAGE_CGROUPS: u32 = 24;
    pub const CG_ROOT: u32 = 25;
    pub const RST_SIBLING: u32 = 26;
    pub const INHERIT_FD: u32 = 27;
    pub const MANAGE_CGROUPS_MODE: u32 = 34;
    pub const EXTERNAL: u32 = 37;
    pub const EMPTY_NS: u32 = 38;
    pub const JOIN_NS: u32 = 39;
    pub const FREEZE_CGROUP: u32 = 44;
    pub const LAZY_PAGES: u32 = 48;
    pub const ORPHAN_PTS_MASTER: u32 = 50;
    pub const CONFIG_FILE: u32 = 51;
    pub const LSM_PROFILE: u32 = 53;
    pub const LSM_MOUNT_CONTEXT: u32 = 63;
}

/// The flags of the command line that are switches of criu's, with their fields of `criu_opts`.
pub const SWITCHES: &[(&str, u32)] = &[
    ("leave-running", option::LEAVE_RUNNING),
    ("ext-unix-sk", 4),
    ("tcp-established", 5),
    ("shell-job", 7),
    ("file-locks", 8),
    ("auto-dedup", 16),
    ("link-remap", 18),
    ("tcp-skip-in-flight", 46),
    ("lazy-pages", option::LAZY_PAGES),
];

/// The words of `--manage-cgroups-mode`, with their numbers of `criu_cg_mode`.
pub const CGROUP_MODES: &[(&str, u64)] = &[
    ("", 6),
    ("ignore", 0),
    ("soft", 3),
    ("full", 4),
    ("strict", 5),
];

/// What criu is asked for: `criu_req_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Request {
    Dump = 1,
    Restore = 2,
    PreDump = 4,
    FeatureCheck = 9,
    Version = 10,
}

impl Request {
    fn name(self) -> &'static str {
        match self {
            Request::Dump => "DUMP",
            Request::Restore => "RESTORE",
            Request::PreDump => "PRE_DUMP",
            Request::FeatureCheck => "FEATURE_CHECK",
            Request::Version => "VERSION",
        }
    }
}

const NOTIFY: u64 = 6;

/// The fields of `criu_req`.
mod request {
    pub const TYPE: u32 = 1;
    pub const OPTIONS: u32 = 2;
    pub const NOTIFY_SUCCESS: u32 = 3;
    pub const FEATURES: u32 = 5;
}

/// The fields of `criu_resp`.
mod response {
    pub const TYPE: u32 = 1;
    pub const SUCCESS: u32 = 2;
    pub const NOTIFY: u32 = 5;
    pub const ERRNO: u32 = 7;
    pub const FEATURES: u32 = 8;
    pub const ERROR_TEXT: u32 = 9;
    pub const VERSION: u32 = 10;
}

/// What kernel and criu may lack: the fields of `criu_features`.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Feature {
    MemTrack = 1,
    LazyPages = 2,
}

/// A step that criu has come to, and waits at.
pub struct Notification<'a> {
    /// Which it is.
    pub step: &'a [u8],
    /// The first process, once there is one.
    pub pid: i32,
    /// What came with it: the master of a terminal.
    pub descriptor: Option<OwnedFd>,
}

/// A criu that serves us.
pub struct Server {
    /// 0 when it was waited for.
    pid: i32,
    socket: Option<OwnedFd>,
}

impl Server {
    /// Starts it, in a mount namespace of its own where the first directory is to be seen at the second.
    pub fn start(bind: Option<(&Path, &Path)>) -> Result<Server> {
        let (ours, theirs) = socket::pair().context("socketpair")?;
        let number = theirs.as_raw_fd().to_string();
        // Nobody else sees it there, and it is gone with the namespace.
        let begin = || match bind {
            Some((from, to)) => mount::enter_own_namespace().and_then(|()| mount::bind(from, to)),
            None => Ok(()),
        };
        let command = Command {
            program: "criu",
            arguments: vec![b"criu", b"swrk", number.as_bytes()],
            begin: Some(&begin),
            ..Command::default()
        };
        let pid = command.start().map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(
                "exec: \"criu\": executable file not found in $PATH: install criu 3.15 or later",
            ),
            _ => Error::from(error).wrap("fork/exec criu"),
        })?;
        Ok(Server {
            pid,
            socket: Some(ours),
        })
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Asks for something, and returns criu's answer. At each of its steps, `notified` is called, whose error makes
    /// criu give up.
    fn ask(
        &self,
        kind: Request,
        field: u32,
        content: &Message,
        notified: &mut dyn FnMut(Notification<'_>) -> Result<()>,
    ) -> Result<Vec<u8>> {
        const ANSWER_BYTES: usize = 40 << 10;
        let ended = || Error::new("criu ended unexpectedly");
        let socket = self.socket.as_ref().ok_or_else(ended)?.as_fd();
        let mut message = Message::default();
        message.number(request::TYPE, kind as u64);
        if !content.0.is_empty() {
            message.bytes(field, &content.0);
        }
        socket::send(socket, &message.0).context("criu")?;
        let mut buffer = vec![0; ANSWER_BYTES];
        loop {
            let (length, descriptor) = socket::receive(socket, &mut buffer).context("criu")?;
            if length == 0 {
                return Err(ended());
            }
            let answer = &buffer[..length];
            let number = |wanted| find(answer, wanted).map_or(0, |field| field.number());
            if number(response::SUCCESS) == 0 {
                let text = find(answer, response::ERROR_TEXT).map_or(&[][..], |it| it.bytes());
                let text = String::from_utf8_lossy(text.trim_ascii());
                return Err(Error::new(format!(
                    "criu failed: type {} errno {}{}{text}",
                    kind.name(),
                    number(response::ERRNO),
                    if text.is_empty() { "" } else { ": " },
                )));
            }
            if number(response::TYPE) != NOTIFY {
                return Ok(answer.to_vec());
            }
            let notify = find(answer, response::NOTIFY).map_or(&[][..], |field| field.bytes());
            let step = find(notify, 1).map_or(&[][..], |field| field.bytes());
            log::debug(format_args!("criu: {}", String::from_utf8_lossy(step)));
            notified(Notification {
                step,
                pid: find(notify, 2).map_or(0, |field| field.number() as i32),
                descriptor,
            })?;
            let mut message = Message::default();
            message.number(request::TYPE, NOTIFY);
            message.number(request::NOTIFY_SUCCESS, 1);
            socket::send(socket, &message.0).context("criu")?;
        }
    }

    /// Has criu do what the options say, and waits until it has ended.
    pub fn perform(
        mut self,
        kind: Request,
        options: &Message,
        notified: &mut dyn FnMut(Notification<'_>) -> Result<()>,
    ) -> Result<()> {
        log::debug(format_args!("Using CRIU in {} mode", kind.name()));
        self.ask(kind, request::OPTIONS, options, notified)?;
        self.socket = None;
        let ended = process::ended(std::mem::take(&mut self.pid)).context("criu")?;
        match ended.failure() {
            // After a pre-dump it waits for the dump, which is for another criu.
            Some(why) if kind != Request::PreDump => Err(Error::new(format!("criu failed: {why}"))),
            _ => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Without us it gives up, and undoes what it has done.
        self.socket = None;
        if self.pid != 0 {
            let _ = process::ended(self.pid);
        }
    }
}

/// The last field of that number.
fn find(message: &[u8], wanted: u32) -> Option<Field<'_>> {
    let mut fields = Fields(message).filter(|(number, _)| *number == wanted);
    fields.next().map(|(_, field)| field)
}

/// The version, as 31500 for 3.15: older ones are refused.
pub fn version() -> Result<u32> {
    const LEAST: u32 = 31500;
    let asked = Server::start(None).and_then(|server| {
        let nothing = Message::default();
        server.ask(
            Request::Version,
            request::OPTIONS,
            &nothing,
            &mut |_| Ok(()),
        )
    });
    let answer = asked.context("CRIU version check failed")?;
    let version = find(&answer, response::VERSION).map_or(&[][..], |field| field.bytes());
    let part = |number| find(version, number).map_or(0, |field| field.number() as u32);
    let number = part(1) * 10000 + part(2) * 100 + part(4);
    log::debug(format_args!("Using CRIU {number}"));
    match number >= LEAST {
        true => Ok(number),
        false => Err(Error::new(format!(
            "CRIU version {number} must be {LEAST} or higher"
        ))),
    }
}

/// Whether criu and the kernel have what is needed.
pub fn require(feature: Feature) -> Result<()> {
    let mut features = Message::default();
    features.number(feature as u32, 1);
    let server = Server::start(None)?;
    let answer = server
        .ask(
            Request::FeatureCheck,
            request::FEATURES,
            &features,
            &mut |_| Ok(()),
        )
        .context("CRIU feature check failed")?;
    let found = find(&answer, response::FEATURES).map_or(&[][..], |field| field.bytes());
    match find(found, feature as u32).map(|field| field.number()) {
        Some(1) => Ok(()),
        _ => Err(Error::new(format!(
            "criu is missing features: [{feature:?}]: {}",
            match feature {
                Feature::MemTrack => "the kernel does not track dirty memory",
                Feature::LazyPages => "the kernel has no userfaultfd for this",
            }
        ))),
    }
}

/// Quotes the errors of criu's log as warnings, each with the lines that lead to it.
pub fn quote_log(path: &Path) {
    const BEFORE: usize = 5;
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            let error = Error::from(error).wrap(format_args!("open {}", path.display()));
            return log::warn(&error.to_string());
        }
    };
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let mut quoted = 0;
    for at in (0..lines.len()).filter(|at| lines[*at].contains("Error")) {
        match quoted {
            0 => log::warn(&format!("--- Quoting {:?}", path.display().to_string())),
            _ if at > quoted + BEFORE => log::warn("..."),
            _ => {}
        }
        let first = quoted.max(at.saturating_sub(BEFORE));
        for (line, number) in lines[first..=at].iter().zip(first + 1..) {
            log::warn(&format!("{number}:{line}"));
        }
        quoted = at + 1;
    }
    if quoted > 0 {
        log::warn("---");
    }
}
