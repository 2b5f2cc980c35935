//! `ps`: the processes of a container, as ps(1) shows them.

use super::parse::Matches;
use super::{Global, print};
use crate::container;
use crate::error::{Context, Error, Result};
use crate::json;
use crate::sys::command;
use std::os::unix::ffi::OsStrExt;

/// Prints the processes' ids as JSON, or those lines of ps(1) that are theirs.
pub fn ps(global: &Global, matches: &Matches) -> Result<u8> {
    let record = global.store.load(matches.argument(0)?)?;
    let pids = container::processes(&record)?;
    let format = matches
        .value("format")
        .map(|format| format.to_string_lossy());
    match format.as_deref() {
        None | Some("table") => {}
        Some("json") => {
            return print(&json::line(&pids)).map(|()| 0);
        }
        Some(other) => {
            return Err(Error::new(format!(
                "invalid format option {other:?}: use table or json"
            )));
        }
    }
    let mut arguments: Vec<&[u8]> = vec![b"ps"];
    match &matches.arguments[1..] {
        [] => arguments.push(b"-ef"),
        options => arguments.extend(options.iter().map(|option| option.as_bytes())),
    }
    let (ended, table, errors) =
        command::output("ps", arguments).context("ps (Debian's package procps)")?;
    if let Some(why) = ended.failure() {
        return Err(Error::new(format!("ps: {why}: {table}{errors}")));
    }
    print(&of_these(&table, &pids)?).map(|()| 0)
}

/// The head of a table and its lines about these processes.
fn of_these(table: &str, pids: &[i32]) -> Result<String> {
    let head = table.lines().next().unwrap_or_default();
    let column = head
        .split_whitespace()
        .position(|title| title == "PID")
        .ok_or_else(|| Error::new("couldn't find PID field in ps output"))?;
    let mut text = format!("{head}\n");
    for line in table.lines().skip(1) {
        let pid = line.split_whitespace().nth(column);
        if pid
            .and_then(|pid| pid.parse().ok())
            .is_some_and(|pid| pids.contains(&pid))
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::of_these;

    #[test]
    fn lines_are_chosen_by_their_pid_column() {
        let table = "USER   PID  PPID CMD\nroot    12     1 a 13\nroot    13     1 b\n";
        assert_eq!(
            of_these(table, &[13, 99]).unwrap(),
            "USER   PID  PPID CMD\nroot    13     1 b\n"
        );
        assert!(of_these("CMD\nx\n", &[1]).is_err());
    }
}
