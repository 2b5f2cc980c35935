//! `kill`, and the names of signals: signal(7).

use super::Global;
use super::parse::Matches;
use super::regex;
use crate::container;
use crate::error::{Error, Result};

const SIGNALS: &[(&str, i32)] = &[
    ("ABRT", libc::SIGABRT),
    ("ALRM", libc::SIGALRM),
    ("BUS", libc::SIGBUS),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("FPE", libc::SIGFPE),
    ("HUP", libc::SIGHUP),
    ("ILL", libc::SIGILL),
    ("INT", libc::SIGINT),
    ("IO", libc::SIGIO),
    ("IOT", libc::SIGIOT),
    ("KILL", libc::SIGKILL),
    ("PIPE", libc::SIGPIPE),
    ("POLL", libc::SIGPOLL),
    ("PROF", libc::SIGPROF),
    ("PWR", libc::SIGPWR),
    ("QUIT", libc::SIGQUIT),
    ("SEGV", libc::SIGSEGV),
    ("STKFLT", libc::SIGSTKFLT),
    ("STOP", libc::SIGSTOP),
    ("SYS", libc::SIGSYS),
    ("TERM", libc::SIGTERM),
    ("TRAP", libc::SIGTRAP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("VTALRM", libc::SIGVTALRM),
    ("WINCH", libc::SIGWINCH),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
];

/// As the kernel counts them; a libc keeps the first for itself.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// Sends a signal.
pub fn kill(global: &Global, matches: &Matches) -> Result<u8> {
    let name = if matches.arguments.len() > 1 {
        matches.argument(1)?
    } else {
        "SIGTERM"
    };
    let signal = signal(name)?;
    let all = matches.flag("all");
    regex::each(global, matches, |id| {
        container::kill(&global.store, id, signal, all)
    })
}

/// A signal by its number or its name, with or without SIG.
fn signal(name: &str) -> Result<i32> {
    let unknown = || {
        Error::new(format!(
            "unknown signal {name:?}: use a name such as SIGTERM, or 1 to 64"
        ))
    };
    if let Ok(number) = name.parse::<i32>() {
        return if (0..=RTMAX).contains(&number) {
            Ok(number)
        } else {
            Err(unknown())
        };
    }
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = SIGNALS.iter().find(|(known, _)| *known == short) {
        return Ok(*number);
    }
    let offset = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse::<i32>().ok()
        }
    };
    let number = if let Some(rest) = short.strip_prefix("RTMIN") {
        offset(rest).map(|offset| RTMIN + offset)
    } else {
        short
            .strip_prefix("RTMAX")
            .and_then(offset)
            .map(|offset| RTMAX + offset)
    };
    number
        .filter(|number| (RTMIN..=RTMAX).contains(number))
        .ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::signal;

    #[test]
    fn signals_have_names_and_numbers() {
        for name in ["9", "KILL", "SIGKILL", "sigkill"] {
            assert_eq!(signal(name).unwrap(), 9);
        }
        assert_eq!(signal("SIGRTMIN+3").unwrap(), 37);
        assert_eq!(signal("RTMAX-1").unwrap(), 63);
        assert!(signal("NOSUCH").is_err() && signal("65").is_err() && signal("RTMIN+40").is_err());
    }
}
