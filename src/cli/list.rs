//! `list` and `state`.

use super::parse::Matches;
use super::{Global, print};
use crate::container::Record;
use crate::error::{Error, Result};
use crate::json::{self, object};
use crate::log;
use crate::oci::Status;
use crate::sys::file::read_text;
use std::collections::BTreeMap;
use std::path::Path;

object! {
    /// What runc's `list` and `state` print: the specification's state and more, in runc's order.
    #[derive(Default)]
    struct Entry {
        oci_version: String = "ociVersion",
        id: String = "id",
        pid: i32 = "pid",
        status: Status = "status",
        bundle: String = "bundle",
        rootfs: String = "rootfs",
        created: String = "created",
        annotations: BTreeMap<String, String> = "annotations",
        owner: String = "owner",
    }
}

fn entry(global: &Global, record: &Record) -> Entry {
    let state = record.state(global.store.status(record));
    Entry {
        oci_version: state.oci_version,
        id: state.id,
        pid: state.pid,
        status: state.status,
        bundle: state.bundle,
        rootfs: record.rootfs.to_string_lossy().into_owned(),
        created: record.created.clone(),
        annotations: state.annotations,
        owner: owner(record.owner),
    }
}

/// The name of a user, or the number where there is none: passwd(5).
fn owner(uid: u32) -> String {
    let number = uid.to_string();
    let passwd = read_text(Path::new("/etc/passwd")).unwrap_or_default();
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
    print(&json::lines(&entry(global, &record))).map(|()| 0)
}

/// Prints all containers.
pub fn list(global: &Global, matches: &Matches) -> Result<u8> {
    let ids = global.store.ids(global.root_given)?;
    if matches.flag("quiet") {
        let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        return print(&lines).map(|()| 0);
    }
    let mut entries = Vec::new();
    for id in &ids {
        match global.store.load(id) {
            Ok(record) => entries.push(entry(global, &record)),
            // It was deleted while we looked.
            Err(_) if !global.store.directory(id).exists() => {}
            Err(error) => log::warn(&format!("load container {id}: {error}")),
        }
    }
    match matches
        .value("format")
        .map(|format| format.to_string_lossy())
        .as_deref()
    {
        None | Some("table") => print(&table(&entries)).map(|()| 0),
        Some("json") => print(&json::line(&entries)).map(|()| 0),
        Some(other) => Err(Error::new(format!(
            "invalid format option {other:?}: use table or json"
        ))),
    }
}

fn table(entries: &[Entry]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from);
    let rows = entries.iter().map(|entry| {
        [
            entry.id.clone(),
            entry.pid.to_string(),
            entry.status.name().into(),
            entry.bundle.clone(),
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
            .max(9)
            + 3
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
