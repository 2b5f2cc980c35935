//! The ids that a user may map beside the own one: subuid(5) and subgid(5).

use crate::error::{Context, Error, Result};
use crate::oci::IdMapping;
use crate::sys::{self, command, file};
use std::path::Path;

/// The two kinds of ids, and what belongs to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// User ids.
    User,
    /// Group ids.
    Group,
}

impl Kind {
    /// The configuration's field that maps them.
    pub fn field(self) -> &'static str {
        match self {
            Kind::User => "linux.uidMappings",
            Kind::Group => "linux.gidMappings",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Kind::User => "/etc/subuid",
            Kind::Group => "/etc/subgid",
        }
    }

    fn helper(self) -> &'static str {
        match self {
            Kind::User => "newuidmap",
            Kind::Group => "newgidmap",
        }
    }
}

/// Ids that stand in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u32,
    size: u32,
}

/// A map for a namespace that the configuration gives none for, as crun makes it: the container's `id` is the user's
/// own, and all others are the user's subordinate ones, as far as they go.
pub fn default_map(kind: Kind, id: u32, own: u32) -> Vec<IdMapping> {
    map_from(id, own, &ranges(kind).1)
}

fn map_from(id: u32, own: u32, ranges: &[Range]) -> Vec<IdMapping> {
    let entry = |container_id, host_id, size| IdMapping {
        container_id,
        host_id,
        size,
    };
    let mut map = Vec::new();
    let mut next = 0;
    for &Range {
        mut first,
        mut size,
    } in ranges
    {
        while size > 0 {
            if next == id {
                map.push(entry(id, own, 1));
                next += 1;
            }
            let taken = if next < id { size.min(id - next) } else { size };
            map.push(entry(next, first, taken));
            (next, first, size) = (next + taken, first + taken, size - taken);
        }
    }
    if next <= id {
        map.push(entry(id, own, 1));
    }
    map
}

/// Has newuidmap(1) or newgidmap(1) write the map of a process's user namespace.
pub fn write_map(kind: Kind, pid: i32, map: &[IdMapping]) -> Result<()> {
    let program = kind.helper();
    let mut line = format!("{program} {pid}");
    for entry in map {
        let (inside, outside, size) = (entry.container_id, entry.host_id, entry.size);
        line += &format!(" {inside} {outside} {size}");
    }
    let arguments = line.split(' ').map(str::as_bytes).collect();
    let (ended, _, said) = command::output(program, arguments).with_context(|| {
        format!(
            "{}: to map more than the own id, {program} is needed (Debian's package uidmap)",
            kind.field()
        )
    })?;
    if ended.failure().is_none() {
        return Ok(());
    }
    let why = refused(kind, map).unwrap_or_else(|| format!("see {}", kind.file()));
    Err(Error::new(format!(
        "{}: {} ({why})",
        kind.field(),
        said.trim()
    )))
}

/// The first entry of a map that the user has no right to, and which ids there are for that user.
fn refused(kind: Kind, map: &[IdMapping]) -> Option<String> {
    let (name, ranges) = ranges(kind);
    let own = match kind {
        Kind::User => sys::process::euid(),
        Kind::Group => sys::process::egid(),
    };
    let entry = map.iter().find(|entry| !may_map(entry, own, &ranges))?;
    let last = u64::from(entry.host_id) + u64::from(entry.size) - 1;
    let given = ranges
        .iter()
        .map(|range| format!("{} to {}", range.first, range.first + (range.size - 1)))
        .collect::<Vec<_>>();
    Some(format!(
        "{} does not give host ids {} to {last} to user {name}, but {}",
        kind.file(),
        entry.host_id,
        match given.is_empty() {
            true => "none".to_string(),
            false => given.join(", "),
        }
    ))
}

fn may_map(entry: &IdMapping, own: u32, ranges: &[Range]) -> bool {
    let within = |range: &Range| {
        entry.host_id >= range.first
            && u64::from(entry.host_id) + u64::from(entry.size)
                <= u64::from(range.first) + u64::from(range.size)
    };
    entry.host_id == own && entry.size == 1 || ranges.iter().any(within)
}

/// The name of our user, and the ids that the file gives to it, by name or number.
fn ranges(kind: Kind) -> (String, Vec<Range>) {
    let uid = sys::process::euid().to_string();
    let passwd = file::read_text(Path::new("/etc/passwd")).unwrap_or_default();
    let name = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&uid.as_str()))
        .map_or_else(|| uid.clone(), |fields| fields[0].to_string());
    let text = file::read_text(Path::new(kind.file())).unwrap_or_default();
    let ranges = parse(&text, &name, &uid);
    (name, ranges)
}

fn parse(text: &str, name: &str, uid: &str) -> Vec<Range> {
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let first: u32 = fields.next()?.parse().ok()?;
        let size: u32 = fields.next()?.parse().ok()?;
        first.checked_add(size)?;
        (size > 0 && (owner == name || owner == uid)).then_some(Range { first, size })
    };
    text.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "bob:100000:65536\nalice:200000:10\n1000:300000:5\nalice:bad:1\nalice:4294967295:2\n";

    fn entries(id: u32, ranges: &[Range]) -> Vec<(u32, u32, u32)> {
        let map = map_from(id, 1000, ranges);
        map.iter()
            .map(|entry| (entry.container_id, entry.host_id, entry.size))
            .collect()
    }

    #[test]
    fn ranges_are_given_by_name_and_by_number() {
        let ranges = parse(FILE, "alice", "1000");
        let expected = [(200_000, 10), (300_000, 5)];
        assert_eq!(ranges, expected.map(|(first, size)| Range { first, size }));
        assert!(parse(FILE, "carol", "1002").is_empty());
    }

    #[test]
    fn a_default_map_has_the_own_id_in_its_place() {
        let ranges = parse(FILE, "alice", "1000");
        assert_eq!(entries(0, &[]), [(0, 1000, 1)]);
        assert_eq!(entries(7, &[]), [(7, 1000, 1)]);
        assert_eq!(
            entries(0, &ranges),
            [(0, 1000, 1), (1, 200_000, 10), (11, 300_000, 5)]
        );
        assert_eq!(
            entries(3, &ranges),
            [
                (0, 200_000, 3),
                (3, 1000, 1),
                (4, 200_003, 7),
                (11, 300_000, 5)
            ]
        );
        assert_eq!(
            entries(99, &ranges),
            [(0, 200_000, 10), (10, 300_000, 5), (99, 1000, 1)]
        );
    }

    #[test]
    fn what_may_be_mapped() {
        let ranges = parse(FILE, "alice", "1000");
        let entry = |host_id, size| IdMapping {
            container_id: 0,
            host_id,
            size,
        };
        assert!(may_map(&entry(1000, 1), 1000, &ranges));
        assert!(may_map(&entry(200_003, 7), 1000, &ranges));
        assert!(!may_map(&entry(200_003, 8), 1000, &ranges));
        assert!(!may_map(&entry(1000, 2), 1000, &ranges));
        assert!(!may_map(&entry(0, 1), 1000, &ranges));
    }
}
