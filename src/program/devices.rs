//! Device nodes and links in `/dev`.

use super::mounts::is_bind;
use super::wire::{Op, create, entry, follow};
use super::{Facts, Program};
use crate::oci::{Config, DeviceType, Mount, NamespaceType};
use crate::path::clean;

/// The devices that every container has: name, major, minor.
const DEVICES: &[(&str, u32, u32)] = &[
    ("/dev/null", 1, 3),
    ("/dev/random", 1, 8),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/zero", 1, 5),
    ("/dev/urandom", 1, 9),
];

const LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// A container that binds the host's /dev keeps it as it is.
pub fn makes_devices(config: &Config) -> bool {
    let bound = |mount: &Mount| clean(&mount.destination) == "/dev" && is_bind(mount);
    !config.mounts.iter().any(bound)
}

/// The devices, those of every container first, and the links.
pub fn compile(config: &Config, facts: &Facts, program: &mut Program) {
    let bound = config.linux.namespace(NamespaceType::User).is_some() || facts.unprivileged;
    let wanted = &config.linux.devices;
    for &(path, major, minor) in DEVICES {
        if !wanted.iter().any(|device| clean(&device.path) == path) {
            let mode = libc::S_IFCHR | 0o666;
            node(path, mode, (major, minor), (0, 0), bound, program);
        }
    }
    for device in wanted {
        let path = clean(&device.path);
        // Always the link to that of the container's own devpts.
        if path == "/dev/ptmx" {
            continue;
        }
        let format = match device.kind {
            DeviceType::Char | DeviceType::Unbuffered => libc::S_IFCHR,
            DeviceType::Block => libc::S_IFBLK,
            DeviceType::Fifo => libc::S_IFIFO,
        };
        let mode = format | device.file_mode.unwrap_or(0o666) & 0o7777;
        let number = (device.major as u32, device.minor as u32);
        let owner = (device.uid.unwrap_or(0), device.gid.unwrap_or(0));
        let bound = bound && device.kind != DeviceType::Fifo;
        node(&path, mode, number, owner, bound, program);
    }
    for (target, path) in LINKS {
        program.push(Op::Symlink {
            target: (*target).into(),
            path: (*path).into(),
        });
    }
    program.push(Op::Symlink {
        target: "/proc/kcore".into(),
        path: "/dev/core".into(),
    });
    program.push(Op::ExactLink {
        target: "pts/ptmx".into(),
        path: "/dev/ptmx".into(),
        replace: 1,
    });
}

/// A device node, or, where a user namespace forbids those, the host's node bound in its place.
fn node(
    path: &str,
    mode: u32,
    (major, minor): (u32, u32),
    (uid, gid): (u32, u32),
    bound: bool,
    program: &mut Program,
) {
    if !bound {
        return program.push(Op::MakeDevice {
            path: path.into(),
            mode,
            major,
            minor,
            uid,
            gid,
        });
    }
    program.push(Op::PathTree {
        path: path.into(),
        recursive: 0,
        nofollow: 0,
        entry: entry::NONE,
    });
    program.push(Op::Attach {
        target: path.into(),
        create: create::FILE,
        follow: follow::ALL,
    });
}

/// What comes once the rootfs is the root: standard streams that are the host's null device become the container's
/// own, which is what it may open again, and what can be checkpointed.
pub fn streams(config: &Config, facts: &Facts, program: &mut Program) {
    if facts.null_streams != 0 && !config.terminal() && makes_devices(config) {
        program.push(Op::ReopenNull {
            streams: facts.null_streams,
        });
    }
}
