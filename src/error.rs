//! The one error type: a line of text that names what failed and why.
//!
//! Engines match on runc's wording, which is Go's: causes are lower-case and joined by `: `
//! (`open /x: permission denied`).

use std::fmt;

/// A failure, as the one line that the user reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with this text, which should name the field, flag or path and what would be right.
    pub fn new(text: impl Into<String>) -> Error {
        Error(text.into())
    }

    /// The errno of the last failed libc call as an error.
    pub fn last_os() -> Error {
        Error::from(std::io::Error::last_os_error())
    }

    /// This error, with what was being done put before it.
    pub fn wrap(self, what: impl fmt::Display) -> Error {
        Error(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        match error.raw_os_error() {
            Some(errno) => Error(errno_text(errno)),
            None => Error(error.to_string()),
        }
    }
}

/// The text of an errno as Go prints it: engines look for `no such file or directory` and the like.
pub fn errno_text(errno: i32) -> String {
    match errno {
        libc::EBUSY => return "device or resource busy".into(),
        libc::ENOTSUP => return "operation not supported".into(),
        libc::ENOSYS => return "function not implemented".into(),
        libc::ELOOP => return "too many levels of symbolic links".into(),
        libc::ENOMEM => return "cannot allocate memory".into(),
        libc::ETXTBSY => return "text file busy".into(),
        libc::EXDEV => return "invalid cross-device link".into(),
        libc::EBADF => return "bad file descriptor".into(),
        libc::EIO => return "input/output error".into(),
        _ => {}
    }
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => format!("errno {errno}"),
    }
}

/// What a signal means, as Go prints it.
pub fn signal_text(signal: i32) -> String {
    const TEXTS: [&str; 31] = [
        "hangup",
        "interrupt",
        "quit",
        "illegal instruction",
        "trace/breakpoint trap",
        "aborted",
        "bus error",
        "floating point exception",
        "killed",
        "user defined signal 1",
        "segmentation fault",
        "user defined signal 2",
        "broken pipe",
        "alarm clock",
        "terminated",
        "stack fault",
        "child exited",
        "continued",
        "stopped (signal)",
        "stopped",
        "stopped (tty input)",
        "stopped (tty output)",
        "urgent I/O condition",
        "CPU time limit exceeded",
        "file size limit exceeded",
        "virtual timer expired",
        "profiling timer expired",
        "window changed",
        "I/O possible",
        "power failure",
        "bad system call",
    ];
    usize::try_from(signal - 1)
        .ok()
        .and_then(|at| TEXTS.get(at))
        .map_or_else(|| format!("signal {signal}"), |text| (*text).to_string())
}

/// Puts the deed before the cause: `open("/x").context("open /x")?`.
pub trait Context<T> {
    /// Wraps the error in `what: …`.
    fn context(self, what: impl fmt::Display) -> Result<T>;
    /// As [`Context::context`], with text that is only made when it is needed.
    fn with_context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().wrap(what))
    }

    fn with_context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| error.into().wrap(what()))
    }
}
