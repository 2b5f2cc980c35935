//! Messages to the user and to the engine: runc's log formats, which are logrus's.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;

use crate::error::{Context, Result};
use crate::sys::process::since_epoch;

struct Log {
    file: Option<File>,
    json: bool,
    debug: bool,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Opens the log, once, before anything is said.
pub fn init(path: Option<&Path>, json: bool, debug: bool) -> Result<()> {
    let file = match path {
        Some(path) => {
            let mut options = File::options();
            let options = options.append(true).create(true).mode(0o644);
            let file = options.open(path);
            Some(file.with_context(|| format!("--log: open {}", path.display()))?)
        }
        None => None,
    };
    let _ = LOG.set(Log { file, json, debug });
    Ok(())
}

/// Whether [`debug`] says anything.
pub fn debugs() -> bool {
    LOG.get().is_some_and(|log| log.debug)
}

/// What only `--debug` shows.
pub fn debug(message: std::fmt::Arguments<'_>) {
    if debugs() {
        write("debug", &message.to_string());
    }
}

/// What went another way than asked for, without being an error.
pub fn warn(message: &str) {
    write("warning", message);
}

/// What ends the command. It goes to standard error too when the log is a file.
pub fn error(message: &str) {
    write("error", message);
    if LOG.get().is_some_and(|log| log.file.is_some()) {
        let _ = writeln!(std::io::stderr(), "{message}");
    }
}

fn write(level: &str, message: &str) {
    let log = LOG.get();
    let line = line(log.is_some_and(|log| log.json), level, message, &now());
    // Nobody can be told that this failed.
    let _ = match log.and_then(|log| log.file.as_ref()) {
        Some(mut file) => file.write_all(line.as_bytes()),
        None => std::io::stderr().write_all(line.as_bytes()),
    };
}

fn line(json: bool, level: &str, message: &str, time: &str) -> String {
    let quoted = crate::json::quoted(message);
    if json {
        format!("{{\"level\":\"{level}\",\"msg\":{quoted},\"time\":\"{time}\"}}\n")
    } else {
        format!("time=\"{time}\" level={level} msg={quoted}\n")
    }
}

/// The time as RFC 3339 has it, UTC, to the second.
pub fn now() -> String {
    rfc3339(since_epoch().as_secs())
}

/// The same to the nanosecond, without trailing zeros.
pub fn now_nanosec() -> String {
    let since = since_epoch();
    let fraction = format!("{:09}", since.subsec_nanos());
    let fraction = fraction.trim_end_matches('0');
    let time = rfc3339(since.as_secs());
    match fraction {
        "" => time,
        fraction => format!("{}.{fraction}Z", time.trim_end_matches('Z')),
    }
}

fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar counted from March of year 0, in eras of 400 years.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (date, month) = (
        day - (153 * month + 2) / 5 + 1,
        if month < 10 { month + 3 } else { month - 9 },
    );
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::{line, rfc3339};

    #[test]
    fn lines_are_those_of_logrus() {
        assert_eq!(
            line(true, "error", "a \"b\"\n", "T"),
            "{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\\n\",\"time\":\"T\"}\n"
        );
        assert_eq!(
            line(false, "warning", "a b", "T"),
            "time=\"T\" level=warning msg=\"a b\"\n"
        );
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_767_225_599), "2025-12-31T23:59:59Z");
    }
}
