//! `list` and `state`.

use super::parse::Matches;
use super::{Global, print};
use crate::container::Record;
use crate::error::{Error, Result};
use crate::oci::{State, Status};
use serde::Serialize;

/// What runc's `list` and `state` print beside the specification's state.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    state: State,
    rootfs: String,
    created: String,
    owner: String,
}

fn entry(global: &Global, record: &Record) -> Entry {
    Entry {
        state: record.state(global.store.status(record)),
        rootfs: record.rootfs.to_string_lossy().into_owned(),
        created: record.created.clone(),
        owner: owner(record.owner),
    }
}

/// The name of a user, or the number where there is none: passwd(5).
fn owner(uid: u32) -> String {
    let number = uid.to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_string())
    });
    name.unwrap_or_else(|| format!("#{number}"))
}

/// Prints a container's state.
pub fn state(global: &Global, id: &str) -> Result<u8> {
    let record = global.store.load(id)?;
    let json = serde_json::to_string_pretty(&entry(global, &record))
        .map_err(|error| Error::new(error.to_string()))?;
    print(&format!("{json}\n")).map(|()| 0)
}

/// Prints all containers.
pub fn list(global: &Global, matches: &Matches) -> Result<u8> {
    let ids = global.store.ids()?;
    if matches.flag("quiet") {
        let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        return print(&lines).map(|()| 0);
    }
    // A container may be deleted while we look.
    let records = ids.iter().filter_map(|id| global.store.load(id).ok());
    let entries: Vec<Entry> = records.map(|record| entry(global, &record)).collect();
    match matches
        .value("format")
        .map(|format| format.to_string_lossy())
        .as_deref()
    {
        None | Some("table") => print(&table(&entries)).map(|()| 0),
        Some("json") => {
            let json =
                serde_json::to_string(&entries).map_err(|error| Error::new(error.to_string()))?;
            print(&format!("{json}\n")).map(|()| 0)
        }
        Some(other) => Err(Error::new(format!(
            "--format: {other:?} is unknown: use table or json"
        ))),
    }
}

fn table(entries: &[Entry]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from);
    let rows = entries.iter().map(|entry| {
        let state = &entry.state;
        let pid = if state.status == Status::Stopped {
            0
        } else {
            state.pid
        };
        [
            state.id.clone(),
            pid.to_string(),
            state.status.name().into(),
            state.bundle.clone(),
            entry.created.clone(),
            entry.owner.clone(),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
            .max(8)
            + 4
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("{cell:<width$}"));
        }
        text.push_str(&row[5]);
        text.push('\n');
    }
    text
}
