//! Mounts, masked and read-only paths: everything below the rootfs.

mod bind;
mod cgroup;

pub use bind::{BindSource, bind_source, can_enter_tree, keep_sources, wants_link};

use super::compile::{new, text};
use super::devices::{self, makes_devices};
use super::options::{self, Bind, Options, attribute, flag};
use super::wire::{List, Op, create, entry, follow};
use super::{Facts, Program, slices};
use crate::error::{Error, Result};
use crate::oci::{Config, Mount, NamespaceType};
use crate::path::clean;
use std::path::Path;

/// The mounts and `/dev`, before the rootfs becomes the root.
pub fn compile(config: &Config, facts: &Facts, program: &mut Program) -> Result<()> {
    for (index, mount) in config.mounts.iter().enumerate() {
        one(config, facts, index, mount, program)?;
    }
    if makes_devices(config) {
        devices::compile(config, facts, program);
    }
    if let Some(process) = config.process.as_ref().filter(|process| process.cwd != "/") {
        program.push(Op::MakeDirectory {
            path: process.cwd.as_str().into(),
            mode: 0o755,
        });
    }
    Ok(())
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
            directory: kernels_own(config, &readonly).into(),
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
        if made_writable(config, facts, mount)
            && options::parse(&mount.options).set & flag::RDONLY != 0
        {
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

/// The directory that most paths which are to be read-only are entries of: a new procfs, below whose entries nothing is
/// mounted, and none of which is a link. Empty where there is none.
fn kernels_own<'a>(config: &'a Config, paths: &[&[u8]]) -> &'a str {
    let is_proc = |mount: &&Mount| mount.kind.as_deref() == Some("proc") && !is_bind(mount);
    let Some(proc) = config.mounts.iter().find(is_proc) else {
        return "";
    };
    let is_below = |mount: &Mount| {
        let destination = clean(&mount.destination);
        let below = |path: &&[u8]| {
            let rest = destination.as_bytes().strip_prefix(*path);
            rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        paths.iter().any(below)
    };
    let is_link =
        |path: &&[u8]| [&b"self"[..], b"thread-self", b"net", b"mounts"].contains(&name(path));
    match config.mounts.iter().any(is_below) || paths.iter().any(is_link) {
        true => "",
        false => &proc.destination,
    }
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
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
    if is_bind(mount) || options::has(&mount.options, &["remount"]) {
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

pub fn is_bind(mount: &Mount) -> bool {
    mount.kind.as_deref() == Some("bind") || options::has(&mount.options, &["bind", "rbind"])
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
        if let (true, Some(link)) = (options.copy_symlink, facts.source_link(index)) {
            program.push(Op::ExactLink {
                target: text(link),
                path: target.as_str().into(),
                replace: 0,
            });
            return Ok(());
        }
        return bind::compile(config, facts, index, mount, &options, &target, program);
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
        cgroup::compile(config, facts, index, mount, &options, &target, program);
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
        return bind::compile(config, facts, index, &host, &tree, &target, program);
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
        entry: own_entry(config, facts, index, &options, &target),
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

/// Whether a mount's target lies in a file system that an earlier mount makes, where it needs no looking for: as an entry
/// of a tmpfs, an empty one, in which nobody but we can do anything yet, or where the kernel's sysfs has it. One of
/// [`entry`].
fn own_entry(config: &Config, facts: &Facts, index: usize, options: &Options, target: &str) -> u8 {
    if options.changes_tree() || options.copy_up || !makes_entries(config, facts) {
        return entry::NONE;
    }
    let target = Path::new(target);
    let above = config.mounts[..index].iter().rev().find_map(|mount| {
        let place = destination(facts, mount);
        let remounts = options::has(&mount.options, &["remount"]);
        (target.starts_with(&place) && !remounts).then_some((mount, place))
    });
    let Some((mount, place)) = above.filter(|(mount, _)| !is_bind(mount)) else {
        return entry::NONE;
    };
    let copies = options::has(&mount.options, &["tmpcopyup"]);
    let is_parent = target.parent() == Some(Path::new(&place));
    match mount.kind.as_deref() {
        Some("tmpfs") if is_parent && !copies => entry::NEW,
        Some("sysfs") if place == "/sys" && target == Path::new("/sys/fs/cgroup") => entry::CGROUP,
        _ => entry::NONE,
    }
}

/// Whether the mounts are made in a namespace that is new, by a process whose current directory matters to nobody.
fn makes_entries(config: &Config, facts: &Facts) -> bool {
    let new_namespace = new(config.linux.namespace(NamespaceType::Mount));
    new_namespace && !facts.running && config.hooks.create_container.is_empty()
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
