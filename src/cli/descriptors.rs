//! Descriptors that we were started with: those for the container, and all others, which it must not get.

use super::parse::Matches;
use crate::error::{Error, Result};
use crate::sys;

/// The first descriptor after the standard streams.
const FIRST: i32 = 3;

/// How many sockets the service manager has opened for us: sd_listen_fds(3).
pub fn listening() -> u32 {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    match number("LISTEN_PID") {
        Some(pid) if pid == std::process::id() => number("LISTEN_FDS").unwrap_or(0),
        _ => 0,
    }
}

/// `--status-fd`; -1 is none.
pub fn status_fd(matches: &Matches) -> Result<Option<i32>> {
    match matches.value("status-fd").filter(|value| *value != "-1") {
        Some(_) => Ok(Some(matches.number("status-fd")? as i32)),
        None => Ok(None),
    }
}

/// Makes sure that those which the command hands on are there, before we open any ourselves, and that no others reach
/// the container.
pub fn keep(command: &str, matches: &Matches) -> Result<()> {
    let listening = match command {
        "create" | "run" => listening(),
        "checkpoint" | "restore" => {
            // Before another gets that number.
            if let Some(number) = status_fd(matches)?.filter(|number| !sys::is_open(*number)) {
                return Err(Error::new(format!(
                    "invalid --status-fd argument {number}: bad file descriptor"
                )));
            }
            0
        }
        "exec" => 0,
        _ => return Ok(()),
    };
    let preserved = matches.number("preserve-fds")?;
    let end = FIRST.saturating_add_unsigned(listening.saturating_add(preserved));
    if let Some(missing) = (FIRST..end).find(|number| !sys::is_open(*number)) {
        let flag = match missing < FIRST.saturating_add_unsigned(listening) {
            true => "LISTEN_FDS",
            false => "--preserve-fds",
        };
        return Err(Error::new(format!(
            "{flag}: descriptor {missing} is not open: {} are to be passed on, from {FIRST}",
            end - FIRST
        )));
    }
    sys::close_on_exec_from(end);
    Ok(())
}
