//! The owner of the standard streams: who opens `/dev/stdout` again needs the right to.

use crate::oci::{Config, IdMapping, NamespaceType, Process};
use crate::program::is_new;
use crate::sys::file::read_text;
use crate::sys::{self, standard};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Gives pipes and sockets that are standard streams to the user of the process; and files, when nobody of ours `leaves`
/// them to the container. A terminal of its own needs none of this. What may not be given away is kept.
pub fn give_to(process: &Process, maps: Option<&[IdMapping]>, leaves: bool) {
    let uid = match maps {
        Some(maps) => match on_host(maps, process.user.uid) {
            Some(uid) => uid,
            None => return,
        },
        None => process.user.uid,
    };
    if process.terminal || uid == sys::process::euid() {
        return;
    }
    for number in 0..3 {
        let stream = standard(number);
        let Ok(metadata) = stream.metadata() else {
            continue;
        };
        let kind = metadata.file_type();
        let ours = kind.is_fifo() || kind.is_socket() || kind.is_file() && leaves;
        if ours && metadata.uid() != uid {
            sys::give_to_user(stream.as_fd(), uid);
        }
    }
}

/// The maps of a new container's user namespace: none where it has none of its own.
pub fn maps_of(config: &Config) -> Option<&[IdMapping]> {
    let user = config.linux.namespace(NamespaceType::User)?;
    // Of one that is joined, they are not known: then nothing is given away.
    let maps = is_new(Some(user)).then_some(config.linux.uid_mappings.as_slice());
    Some(maps.unwrap_or_default())
}

/// A map of a process's user namespace, `uid_map` or `gid_map`, as user_namespaces(7) has them.
pub fn map_of_process(pid: i32, file: &str) -> Vec<IdMapping> {
    let text = read_text(Path::new(&format!("/proc/{pid}/{file}"))).unwrap_or_default();
    let entry = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
        Some(IdMapping {
            container_id: numbers.next()??,
            host_id: numbers.next()??,
            size: numbers.next()??,
        })
    };
    text.lines().filter_map(entry).collect()
}

fn on_host(maps: &[IdMapping], uid: u32) -> Option<u32> {
    maps.iter().find_map(|map| {
        let offset = uid.checked_sub(map.container_id)?;
        (offset < map.size).then(|| map.host_id.wrapping_add(offset))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_looked_up() {
        let map = |container_id, host_id, size| IdMapping {
            container_id,
            host_id,
            size,
        };
        let maps = [map(0, 1000, 1), map(1, 100_000, 65536)];
        assert_eq!(on_host(&maps, 0), Some(1000));
        assert_eq!(on_host(&maps, 33), Some(100_032));
        assert_eq!(on_host(&maps, 65_537), None);
        assert_eq!(
            map_of_process(std::process::id() as i32, "uid_map").len(),
            1
        );
    }
}
