//! Mounts, devices, masked paths: everything below the rootfs.

use super::compile::{new, text};
use super::options::flag;
use super::options::{self, Bind, Options, attribute};
use super::wire::{List, Op, create};
use super::{Facts, Handle, Program, slices};
use crate::error::{Error, Result};
use crate::oci::{Config, DeviceType, Mount, NamespaceType};
use std::path::{Path, PathBuf};

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

/// The mounts and `/dev`, before the rootfs becomes the root.
pub fn compile(config: &Config, facts: &Facts, program: &mut Program) -> Result<()> {
    let mut late = Vec::new();
    for (index, mount) in config.mounts.iter().enumerate() {
        one(config, facts, index, mount, &mut late, program)?;
    }
    // A container that binds the host's /dev keeps it as it is.
    let host_dev = config
        .mounts
        .iter()
        .any(|mount| clean(&mount.destination) == "/dev" && is_bind(mount));
    if !host_dev {
        devices(config, facts, program)?;
    }
    for (target, flags) in late {
        program.push(Op::Remount {
            target: target.as_str().into(),
            flags,
            data: "".into(),
        });
    }
    if let Some(process) = &config.process
        && process.cwd != "/"
    {
        program.push(Op::MakeDirectory {
            path: process.cwd.as_str().into(),
            mode: 0o755,
        });
    }
    Ok(())
}

/// What comes last, once nothing is written below the rootfs any more.
pub fn finish(config: &Config, program: &mut Program) {
    if config.root.as_ref().is_some_and(|root| root.readonly) {
        program.push(Op::RootReadonly {});
    }
    if !config.linux.readonly_paths.is_empty() {
        program.push(Op::ReadonlyPaths {
            paths: List::Made(&slices(&config.linux.readonly_paths)),
        });
    }
    if !config.linux.masked_paths.is_empty() {
        program.push(Op::Mask {
            paths: List::Made(&slices(&config.linux.masked_paths)),
        });
    }
}

/// What may be mounted below /proc: single files that tell of resources, as runc allows it. Anything else could
/// make a process that writes there for us write elsewhere.
const BELOW_PROC: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/net/dev",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

fn below_proc(index: usize, mount: &Mount, target: &str) -> Result<()> {
    let procfs = mount.kind.as_deref() == Some("proc")
        || is_bind(mount) && mount.source.as_deref() == Some("/proc");
    let inside = target.starts_with("/proc/") && !BELOW_PROC.contains(&target);
    if inside || target == "/proc" && !procfs {
        return Err(Error::new(format!(
            "mounts[{index}].destination: {target:?} cannot be mounted because it is inside /proc"
        )));
    }
    Ok(())
}

fn is_bind(mount: &Mount) -> bool {
    mount.kind.as_deref() == Some("bind") || options::parse(&mount.options).bind.is_some()
}

/// A destination without doubled and trailing slashes, from the root.
fn clean(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    format!("/{}", parts.join("/"))
}

fn one(
    config: &Config,
    facts: &Facts,
    index: usize,
    mount: &Mount,
    late: &mut Vec<(String, u64)>,
    program: &mut Program,
) -> Result<()> {
    let options = options::parse(&mount.options);
    let target = clean(&mount.destination);
    if !mount.destination.starts_with('/') {
        program.warnings.push(format!(
            "mounts[{index}].destination: {:?} is not absolute: taken as {target:?}",
            mount.destination
        ));
    }
    below_proc(index, mount, &target)?;
    if options.remount {
        let flags = legacy_flags(&options) | options.superblock | flag::REMOUNT;
        let bind = if options.bind.is_some() {
            flag::BIND
        } else {
            0
        };
        let data = options.data.join(",");
        program.push(Op::Remount {
            target: target.as_str().into(),
            flags: flags | bind,
            data: data.as_str().into(),
        });
        return Ok(());
    }
    if is_bind(mount) {
        return bind(facts, index, mount, &options, &target, program);
    }
    let kind = mount
        .kind
        .as_deref()
        .filter(|kind| !kind.is_empty())
        .ok_or_else(|| {
            Error::new(format!(
                "mounts[{index}].type: is missing: set a file system type, or the option \"bind\""
            ))
        })?;
    if kind == "cgroup" {
        return cgroup(config, facts, mount, &options, &target, late, program);
    }
    if kind == "sysfs" && shared_network(config) {
        // A sysfs shows the network namespace of whoever mounts it, and that one is not ours to show.
        let host = Mount {
            source: Some("/sys".into()),
            ..mount.clone()
        };
        let tree = Options {
            bind: Some(Bind::Tree),
            data: Vec::new(),
            ..options
        };
        return bind(facts, index, &host, &tree, &target, program);
    }
    let mut attributes = options.set;
    if kind == "tmpfs" && options.set & attribute::RDONLY != 0 {
        // Others may yet be mounted below it, or devices made in it.
        attributes &= !attribute::RDONLY;
        late.push((
            target.clone(),
            legacy_flags(&options) | flag::REMOUNT | flag::BIND,
        ));
    }
    let superblock = match kind {
        "proc" | "sysfs" | "tmpfs" | "mqueue" | "devpts" | "cgroup2" => options.superblock,
        _ if options.set & attribute::RDONLY != 0 => options.superblock | flag::RDONLY,
        _ => options.superblock,
    };
    let data = slices(&options.data);
    program.push(Op::FsTree {
        fstype: kind.into(),
        source: mount.source.as_deref().unwrap_or(kind).into(),
        options: List::Made(&data),
        sb_flags: superblock,
        attributes,
    });
    tree_changes(&options, program);
    if options.copy_up {
        program.push(Op::CopyUp {
            target: target.as_str().into(),
        });
    }
    let strict = matches!(kind, "proc" | "sysfs") || options.target_nofollow;
    program.push(Op::Attach {
        target: target.as_str().into(),
        create: create::DIRECTORY,
        nofollow: strict.into(),
    });
    Ok(())
}

fn bind(
    facts: &Facts,
    index: usize,
    mount: &Mount,
    options: &Options,
    target: &str,
    program: &mut Program,
) -> Result<()> {
    let source = mount
        .source
        .as_deref()
        .filter(|source| !source.is_empty())
        .ok_or_else(|| {
            Error::new(format!(
                "mounts[{index}].source: is missing: a bind mount needs the path that it shows"
            ))
        })?;
    let source = facts.bundle.join(source);
    let recursive = options.bind == Some(Bind::Tree);
    let nofollow = options.source_nofollow;
    let idmapped = options.idmap.is_some() || !mount.uid_mappings.is_empty();
    if facts.unprivileged && !idmapped {
        let path = text(&source);
        program.push(Op::PathTree {
            path,
            recursive: recursive.into(),
            nofollow: nofollow.into(),
        });
    } else {
        let idmap = idmapped.then_some(index);
        let tree = program.slot(Handle::Tree {
            path: source,
            recursive,
            nofollow,
            idmap,
        });
        program.push(Op::SlotTree { tree });
    }
    if options.set | options.clear != 0 {
        program.push(Op::TreeAttributes {
            set: options.set,
            clear: options.clear,
            propagation: 0,
            recursive: 0,
            locked_ok: 1,
        });
    }
    tree_changes(options, program);
    let directory = facts
        .source_is_directory
        .get(index)
        .copied()
        .unwrap_or(true);
    let create = if directory {
        create::DIRECTORY
    } else {
        create::FILE
    };
    program.push(Op::Attach {
        target: target.into(),
        create,
        nofollow: options.target_nofollow.into(),
    });
    Ok(())
}

/// Attributes of the whole tree, and propagation, which a plain bind mount and a new file system share.
fn tree_changes(options: &Options, program: &mut Program) {
    if options.set_tree | options.clear_tree != 0 {
        program.push(Op::TreeAttributes {
            set: options.set_tree,
            clear: options.clear_tree,
            propagation: 0,
            recursive: 1,
            locked_ok: 0,
        });
    }
    for flags in &options.propagation {
        program.push(Op::TreeAttributes {
            set: 0,
            clear: 0,
            propagation: flags & !flag::REC,
            recursive: (flags & flag::REC != 0).into(),
            locked_ok: 0,
        });
    }
}

/// A network namespace that belongs to another user namespace than the container's: sysfs cannot be mounted then.
fn shared_network(config: &Config) -> bool {
    let user = config.linux.namespace(NamespaceType::User).is_some();
    user && !new(config.linux.namespace(NamespaceType::Network))
}

/// The cgroup file system: on v2 one mount, on v1 a tmpfs with a mount for each hierarchy.
fn cgroup(
    config: &Config,
    facts: &Facts,
    mount: &Mount,
    options: &Options,
    target: &str,
    late: &mut Vec<(String, u64)>,
    program: &mut Program,
) -> Result<()> {
    let own_namespace = config.linux.namespace(NamespaceType::Cgroup).is_some();
    let attach = |target: &str, program: &mut Program| {
        program.push(Op::Attach {
            target: target.into(),
            create: create::DIRECTORY,
            nofollow: 0,
        });
    };
    if facts.v1_mounts.is_empty() {
        program.push(Op::FsTree {
            fstype: "cgroup2".into(),
            source: mount.source.as_deref().unwrap_or("cgroup").into(),
            options: List::Made(&slices(&options.data)),
            sb_flags: 0,
            attributes: options.set,
        });
        tree_changes(options, program);
        attach(target, program);
        return Ok(());
    }
    program.push(Op::FsTree {
        fstype: "tmpfs".into(),
        source: "tmpfs".into(),
        options: List::Made(&[b"mode=755"]),
        sb_flags: 0,
        attributes: options.set & !attribute::RDONLY,
    });
    attach(target, program);
    // Restrictions alone can be put on all of the mounts together, once they are there.
    let restricted_late = options.set & attribute::RDONLY != 0 && options.set & !RESTRICTIONS == 0;
    for hierarchy in &facts.v1_mounts {
        let below = format!("{target}/{}", hierarchy.name);
        if own_namespace {
            program.push(Op::FsTree {
                fstype: "cgroup".into(),
                source: "cgroup".into(),
                options: List::Made(&slices(&hierarchy.options)),
                sb_flags: 0,
                attributes: options.set,
            });
        } else {
            let path = join(&hierarchy.mountpoint, &hierarchy.cgroup);
            let tree = program.slot(Handle::Tree {
                path,
                recursive: false,
                nofollow: false,
                idmap: None,
            });
            program.push(Op::SlotTree { tree });
            if !restricted_late {
                program.push(Op::TreeAttributes {
                    set: options.set,
                    clear: 0,
                    propagation: 0,
                    recursive: 0,
                    locked_ok: 1,
                });
            }
        }
        attach(&below, program);
        for part in hierarchy
            .name
            .split(',')
            .filter(|part| *part != hierarchy.name)
        {
            let link = format!("{target}/{part}");
            program.push(Op::Symlink {
                target: hierarchy.name.as_str().into(),
                path: link.as_str().into(),
            });
        }
    }
    if options.set & attribute::RDONLY != 0 {
        late.push((
            target.to_string(),
            legacy_flags(options) | flag::REMOUNT | flag::BIND | flag::REC,
        ));
    }
    Ok(())
}

/// What a mount only loses by.
const RESTRICTIONS: u64 =
    attribute::RDONLY | attribute::NOSUID | attribute::NODEV | attribute::NOEXEC;

fn join(mountpoint: &Path, cgroup: &str) -> PathBuf {
    mountpoint.join(cgroup.trim_start_matches('/'))
}

/// Device nodes and links in `/dev`.
fn devices(config: &Config, facts: &Facts, program: &mut Program) -> Result<()> {
    let bound = config.linux.namespace(NamespaceType::User).is_some();
    let wanted = &config.linux.devices;
    for &(path, major, minor) in DEVICES {
        if !wanted.iter().any(|device| clean(&device.path) == path) {
            node(
                path,
                libc::S_IFCHR | 0o666,
                (major, minor),
                (0, 0),
                bound,
                facts,
                program,
            );
        }
    }
    for device in wanted {
        let format = match device.kind {
            DeviceType::Char | DeviceType::Unbuffered => libc::S_IFCHR,
            DeviceType::Block => libc::S_IFBLK,
            DeviceType::Fifo => libc::S_IFIFO,
        };
        let mode = format | device.file_mode.unwrap_or(0o666) & 0o7777;
        let number = (device.major as u32, device.minor as u32);
        let owner = (device.uid.unwrap_or(0), device.gid.unwrap_or(0));
        let bound = bound && device.kind != DeviceType::Fifo;
        node(
            &clean(&device.path),
            mode,
            number,
            owner,
            bound,
            facts,
            program,
        );
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
    program.push(Op::Symlink {
        target: "pts/ptmx".into(),
        path: "/dev/ptmx".into(),
    });
    Ok(())
}

/// A device node, or, where a user namespace forbids those, the host's node bound in its place.
fn node(
    path: &str,
    mode: u32,
    (major, minor): (u32, u32),
    (uid, gid): (u32, u32),
    bound: bool,
    facts: &Facts,
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
    if facts.unprivileged {
        program.push(Op::PathTree {
            path: path.into(),
            recursive: 0,
            nofollow: 0,
        });
    } else {
        let handle = Handle::Tree {
            path: path.into(),
            recursive: false,
            nofollow: false,
            idmap: None,
        };
        let tree = program.slot(handle);
        program.push(Op::SlotTree { tree });
    }
    program.push(Op::Attach {
        target: path.into(),
        create: create::FILE,
        nofollow: 0,
    });
}

/// `MOUNT_ATTR_*` as the `MS_*` flags of mount(2).
fn legacy_flags(options: &Options) -> u64 {
    let pairs = [
        (attribute::RDONLY, flag::RDONLY),
        (attribute::NOSUID, flag::NOSUID),
        (attribute::NODEV, flag::NODEV),
        (attribute::NOEXEC, flag::NOEXEC),
        (attribute::NODIRATIME, flag::NODIRATIME),
        (attribute::NOATIME, flag::NOATIME),
        (attribute::STRICTATIME, flag::STRICTATIME),
        (attribute::NOSYMFOLLOW, 256),
    ];
    pairs
        .iter()
        .filter(|(attribute, _)| options.set & attribute != 0)
        .map(|(_, flag)| flag)
        .sum()
}
