//! Mounts, devices, masked paths: everything below the rootfs.

use super::compile::{new, text};
use super::options::flag;
use super::options::{self, Bind, Options, attribute};
use super::wire::{KEPT_TREES, List, Op, create, follow};
use super::{Facts, Program, slices};
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
    for (index, mount) in config.mounts.iter().enumerate() {
        one(config, facts, index, mount, program)?;
    }
    if makes_devices(config) {
        devices(config, facts, program)?;
    }
    if let Some(process) = config.process.as_ref().filter(|process| process.cwd != "/") {
        program.push(Op::MakeDirectory {
            path: process.cwd.as_str().into(),
            mode: 0o755,
        });
    }
    Ok(())
}

/// A container that binds the host's /dev keeps it as it is.
fn makes_devices(config: &Config) -> bool {
    let bound = |mount: &Mount| clean(&mount.destination) == "/dev" && is_bind(mount);
    !config.mounts.iter().any(bound)
}

/// The source of a bind mount.
pub struct BindSource {
    /// As an absolute path.
    pub path: PathBuf,
    /// With all mounts below it.
    pub recursive: bool,
    /// The last component is not followed when it is a link.
    pub nofollow: bool,
    /// Ids are mapped.
    pub idmapped: bool,
    /// They are on all mounts of the tree.
    pub idmap_tree: bool,
}

/// The source of a bind mount, of a bundle in that directory.
pub fn bind_source(mount: &Mount, bundle: &Path) -> BindSource {
    let options = options::parse(&mount.options);
    // One that cannot be mounted anew is the host's.
    let sysfs = mount.kind.as_deref() == Some("sysfs") && !is_bind(mount);
    BindSource {
        path: match sysfs {
            true => "/sys".into(),
            false => bundle.join(mount.source.as_deref().unwrap_or_default()),
        },
        recursive: sysfs || options.bind == Some(Bind::Tree),
        nofollow: options.source_nofollow,
        idmapped: options.idmap.is_some() || !mount.uid_mappings.is_empty(),
        idmap_tree: options.idmap == Some(Bind::Tree),
    }
}

/// Whether nothing of the configuration needs the host's files once the container's mount namespace is there: then that
/// need not begin as a copy of the host's, on a kernel that can make one of the rootfs.
pub fn can_enter_tree(config: &Config, facts: &Facts) -> bool {
    const CAP_MKNOD: u64 = 1 << 27;
    let linux = &config.linux;
    let hooks = &config.hooks;
    let alone = |mount: &Mount| {
        let options = options::parse(&mount.options);
        let source = bind_source(mount, &facts.bundle);
        // Those that are longer, or unknown to it, are not for the new mount API.
        let plain = options.superblock & flag::I_VERSION == 0
            && options.data.iter().all(|option| option.len() < 256);
        let cgroup = mount.kind.as_deref() == Some("cgroup") && !facts.v1_mounts.is_empty();
        let seen = !is_bind(mount) || !source.idmapped && !source.path.starts_with(&facts.rootfs);
        plain && seen && !options.remount && !cgroup
    };
    new(linux.namespace(NamespaceType::Mount))
        && linux.namespace(NamespaceType::User).is_none()
        && linux.rootfs_propagation.is_none()
        && !facts.no_pivot
        && facts.bounding & CAP_MKNOD != 0
        && hooks.prestart.is_empty()
        && hooks.create_runtime.is_empty()
        && hooks.create_container.is_empty()
        && config.mounts.len() <= KEPT_TREES
        && config.mounts.iter().all(alone)
}

/// Takes the sources of bind mounts while the host's files are in reach.
pub fn keep_sources(config: &Config, facts: &Facts, program: &mut Program) {
    for (index, mount) in config.mounts.iter().enumerate() {
        let options = options::parse(&mount.options);
        let link = options.copy_symlink && facts.source_links.contains_key(&index);
        if !is_bind(mount) || link {
            continue;
        }
        let source = bind_source(mount, &facts.bundle);
        program.push(Op::PathTree {
            path: text(&source.path),
            recursive: source.recursive.into(),
            nofollow: source.nofollow.into(),
        });
        program.push(Op::TreeAttributes {
            set: 0,
            clear: 0,
            propagation: flag::SLAVE,
            recursive: 1,
        });
        program.push(Op::KeepTree {
            index: index as u32,
        });
    }
}

/// The source that a mount wants copied rather than mounted when it is a symbolic link.
pub fn wants_link(mount: &Mount) -> Option<&str> {
    let wanted = mount.options.iter().any(|option| option == "copy-symlink");
    mount.source.as_deref().filter(|_| wanted)
}

/// What comes once the rootfs is the root: standard streams that are the host's null device become the container's
/// own, which is what it may open again, and what can be checkpointed.
pub fn streams(config: &Config, facts: &Facts, program: &mut Program) {
    let terminal = config
        .process
        .as_ref()
        .is_some_and(|process| process.terminal);
    if facts.null_streams != 0 && !terminal && makes_devices(config) {
        program.push(Op::ReopenNull {
            streams: facts.null_streams,
        });
    }
}

/// What comes last, once nothing is written below the rootfs any more.
pub fn finish(config: &Config, facts: &Facts, program: &mut Program) {
    make_read_only(config, facts, program);
    if config.root.as_ref().is_some_and(|root| root.readonly) {
        program.push(Op::RootReadonly {});
    }
    let readonly = unique(&config.linux.readonly_paths);
    if !readonly.is_empty() {
        program.push(Op::ReadonlyPaths {
            paths: List::Made(&readonly),
        });
    }
    let masked = unique(&config.linux.masked_paths);
    if !masked.is_empty() {
        program.push(Op::Mask {
            paths: List::Made(&masked),
        });
    }
}

/// The mounts of a configuration, in a container that runs.
pub fn add(config: &Config, facts: &Facts, program: &mut Program) -> Result<()> {
    for (index, mount) in config.mounts.iter().enumerate() {
        one(config, facts, index, mount, program)?;
    }
    make_read_only(config, facts, program);
    Ok(())
}

/// Takes them away, the last one first.
pub fn remove(config: &Config, facts: &Facts, program: &mut Program) {
    for mount in config.mounts.iter().rev() {
        program.push(Op::Unmount {
            target: destination(facts, mount).as_str().into(),
        });
    }
}

/// Read-only file systems that had to be writable until now.
fn make_read_only(config: &Config, facts: &Facts, program: &mut Program) {
    for mount in &config.mounts {
        let options = options::parse(&mount.options);
        if options.set & flag::RDONLY != 0 && made_writable(config, facts, mount) {
            let tree = match mount.kind.as_deref() {
                Some("cgroup") => flag::REC | flag::NOSUID | flag::NODEV | flag::NOEXEC,
                _ => 0,
            };
            program.push(Op::Remount {
                target: destination(facts, mount).as_str().into(),
                flags: flag::RDONLY | flag::REMOUNT | flag::BIND | tree,
                data: "".into(),
            });
        }
    }
}

/// The paths, each once.
fn unique(paths: &[String]) -> Vec<&[u8]> {
    let mut kept: Vec<&[u8]> = Vec::with_capacity(paths.len());
    for path in paths.iter().map(String::as_bytes) {
        if !kept.contains(&path) {
            kept.push(path);
        }
    }
    kept
}

/// Whether a read-only mount is first made writable, as others may yet be mounted below it, or devices made in it.
fn made_writable(config: &Config, facts: &Facts, mount: &Mount) -> bool {
    let options = options::parse(&mount.options);
    if is_bind(mount) || options.remount {
        return false;
    }
    match mount.kind.as_deref() {
        Some("tmpfs") => true,
        Some("cgroup") => !facts.v1_mounts.is_empty(),
        _ => clean(&mount.destination) == "/dev" && makes_devices(config),
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
    // Whether what is bound is a procfs, the stub sees.
    let procfs = mount.kind.as_deref() == Some("proc") || is_bind(mount);
    let inside = target.starts_with("/proc/") && !BELOW_PROC.contains(&target);
    if target == "/proc" && !procfs {
        return Err(Error::new(format!(
            "mounts[{index}].destination: {target:?} cannot be mounted because it is not of type proc"
        )));
    }
    if inside {
        return Err(Error::new(format!(
            "mounts[{index}].destination: {target:?} cannot be mounted because it is inside /proc"
        )));
    }
    Ok(())
}

/// Where a mount is put, from the root: a path of the host's below the rootfs means what it means there, as with runc.
fn destination(facts: &Facts, mount: &Mount) -> String {
    let whole = clean(&mount.destination);
    match Path::new(&whole).strip_prefix(&facts.rootfs) {
        Ok(below) if facts.rootfs != Path::new("/") => format!("/{}", below.display()),
        _ => whole,
    }
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
    program: &mut Program,
) -> Result<()> {
    let options = options::parse(&mount.options);
    let target = destination(facts, mount);
    if !mount.destination.starts_with('/') {
        program.warnings.push(format!(
            "mounts[{index}].destination: {:?}: relative destination path is **deprecated**, using it as {target:?}",
            mount.destination
        ));
    }
    if target == "/" && !options.remount {
        return Err(Error::new(format!(
            "mounts[{index}].destination: {:?} is on the top of the rootfs: use root.path for that",
            mount.destination
        )));
    }
    below_proc(index, mount, &target)?;
    if options.remount {
        let bind = options.bind.map_or(0, |_| flag::BIND);
        let data = options.data.join(",");
        program.push(Op::Remount {
            target: target.as_str().into(),
            flags: options.set | options.superblock | flag::REMOUNT | bind,
            data: data.as_str().into(),
        });
        return Ok(());
    }
    if is_bind(mount) {
        if let (true, Some(link)) = (options.copy_symlink, facts.source_links.get(&index)) {
            program.push(Op::ExactLink {
                target: text(link),
                path: target.as_str().into(),
                replace: 0,
            });
            return Ok(());
        }
        return bind(config, facts, index, mount, &options, &target, program);
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
        cgroup(config, facts, mount, &options, &target, program);
        return Ok(());
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
        return bind(config, facts, index, &host, &tree, &target, program);
    }
    let mut attributes = options.attributes();
    if made_writable(config, facts, mount) {
        attributes &= !attribute::RDONLY;
    }
    let superblock = match kind {
        "proc" | "sysfs" | "tmpfs" | "mqueue" | "devpts" | "cgroup2" => options.superblock,
        _ => options.superblock | options.set & flag::RDONLY,
    };
    if kind == "tmpfs"
        && !options
            .data
            .iter()
            .any(|option| option.starts_with("mode="))
    {
        program.push(Op::Covered {
            target: target.as_str().into(),
        });
    }
    let mut data = slices(&options.data);
    let context;
    if let (Some(label), true) = (&config.linux.mount_label, labelled(kind)) {
        context = format!("context={label}");
        data.push(context.as_bytes());
    }
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
    let strict = matches!(kind, "proc" | "sysfs");
    program.push(Op::Attach {
        target: target.as_str().into(),
        create: create::DIRECTORY,
        follow: if strict {
            follow::NONE
        } else {
            follows(&options)
        },
    });
    Ok(())
}

/// Which links are followed to a mount's target.
fn follows(options: &Options) -> u8 {
    if options.target_nofollow {
        follow::PARENTS
    } else {
        follow::ALL
    }
}

/// Whether `linux.mountLabel` is given to file systems of this type.
fn labelled(kind: &str) -> bool {
    !matches!(kind, "proc" | "sysfs" | "mqueue" | "cgroup2")
}

fn bind(
    config: &Config,
    facts: &Facts,
    index: usize,
    mount: &Mount,
    options: &Options,
    target: &str,
    program: &mut Program,
) -> Result<()> {
    if mount.source.as_deref().is_none_or(str::is_empty) {
        return Err(Error::new(format!(
            "mounts[{index}].source: is missing: a bind mount needs the path that it shows"
        )));
    }
    let source = bind_source(mount, &facts.bundle);
    let path = text(&source.path);
    // The sysfs fallback is a tree without saying so.
    let recursive = (options.bind == Some(Bind::Tree)).into();
    let nofollow = source.nofollow.into();
    let idmapped = source.idmapped;
    if idmapped && facts.unprivileged {
        return Err(Error::new(format!(
            "mounts[{index}]: id-mapped mounts are not supported for rootless containers"
        )));
    }
    let foreign = config.linux.namespace(NamespaceType::User).is_some();
    if facts.tree_namespace {
        let index = index as u32;
        program.push(Op::KeptTree { index, path });
    } else if idmapped || facts.running || foreign && !facts.unprivileged {
        program.push(Op::AskTree {
            index: index as u32,
            path,
            recursive,
            nofollow,
            privileged: (idmapped || facts.running).into(),
        });
    } else {
        program.push(Op::PathTree {
            path,
            recursive,
            nofollow,
        });
    }
    if target == "/proc" {
        program.push(Op::RequireProc {});
    }
    if let Some((set, clear, cleared)) = options.bind_change() {
        program.push(Op::BindAttributes {
            set,
            clear,
            cleared,
        });
    }
    tree_changes(options, program);
    program.push(Op::Attach {
        target: target.into(),
        create: create::LIKE_TREE,
        follow: follows(options),
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
        });
    }
    for flags in &options.propagation {
        program.push(Op::TreeAttributes {
            set: 0,
            clear: 0,
            propagation: flags & !flag::REC,
            recursive: (flags & flag::REC != 0).into(),
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
    program: &mut Program,
) {
    let own_namespace = config.linux.namespace(NamespaceType::Cgroup).is_some();
    let attach = |target: &str, program: &mut Program| {
        program.push(Op::Attach {
            target: target.into(),
            create: create::DIRECTORY,
            follow: follow::ALL,
        });
    };
    if facts.v1_mounts.is_empty() {
        let whole = PathBuf::from("/sys/fs/cgroup");
        let own = facts.cgroup2.as_ref().filter(|_| own_namespace);
        program.push(Op::Cgroup2Tree {
            source: mount.source.as_deref().unwrap_or("cgroup").into(),
            options: List::Made(&slices(&options.data)),
            attributes: options.attributes(),
            fallback: text(own.unwrap_or(&whole)),
        });
        tree_changes(options, program);
        return attach(target, program);
    }
    // As runc has it, whatever the options say.
    let always = attribute::NOSUID | attribute::NODEV | attribute::NOEXEC;
    program.push(Op::FsTree {
        fstype: "tmpfs".into(),
        source: "tmpfs".into(),
        options: List::Made(&[b"mode=755"]),
        sb_flags: 0,
        attributes: always,
    });
    tree_changes(options, program);
    attach(target, program);
    // A read-only one is remounted with all mounts below it in the end.
    let restricted_late = options.set & flag::RDONLY != 0;
    for hierarchy in &facts.v1_mounts {
        let set = options.attributes() | always;
        if own_namespace {
            program.push(Op::FsTree {
                fstype: "cgroup".into(),
                source: "cgroup".into(),
                options: List::Made(&slices(&hierarchy.options)),
                sb_flags: 0,
                attributes: set & !attribute::RDONLY,
            });
        } else {
            program.push(Op::PathTree {
                path: text(&join(&hierarchy.mountpoint, &hierarchy.cgroup)),
                recursive: 0,
                nofollow: 0,
            });
            // With the others, once all are there.
            if !restricted_late {
                program.push(Op::BindAttributes {
                    set,
                    clear: 0,
                    cleared: 0,
                });
            }
        }
        tree_changes(options, program);
        attach(&format!("{target}/{}", hierarchy.name), program);
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
}

fn join(mountpoint: &Path, cgroup: &str) -> PathBuf {
    mountpoint.join(cgroup.trim_start_matches('/'))
}

/// Device nodes and links in `/dev`.
fn devices(config: &Config, facts: &Facts, program: &mut Program) -> Result<()> {
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
    Ok(())
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
    });
    program.push(Op::Attach {
        target: path.into(),
        create: create::FILE,
        follow: follow::ALL,
    });
}
