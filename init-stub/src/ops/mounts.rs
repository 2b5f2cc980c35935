//! Mounts: a tree is made or taken, changed, and put in place.
//!
//! All of it goes by the new mount API where the kernel has that, but for what is mounted in a file system of our own, in
//! which nobody else changes what names mean: there one mount(2) by name is as safe, and does what six calls do. Where a
//! call of it is missing (ENOSYS, or EPERM from the filter of an old engine around us), the tree is only described, and
//! mounted in its place by mount(2):
//! [`super::legacy`].

use super::text::{Buffer, DescriptorPath, Name, Octal};
use super::tree::{Change, Recipe, Tree};
use super::{copy_up, legacy, paths};
use crate::machine::{Machine, c};
use crate::sys::call::{self, AT_FDCWD, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, O_DIRECTORY, O_PATH};
use crate::sys::call::{S_IFDIR, S_IFMT, Status};
use crate::sys::{Errno, Failure, Fd, Outcome, Path, Step, failed};
use crate::wire::{List, Message, Text, call as step, create, entry};

/// Superblock flags that fsconfig(2) takes by name.
const FLAGS: &[(u64, Path<'_>)] = &[
    (1, Path::of(c"ro")),
    (16, Path::of(c"sync")),
    (64, Path::of(c"mand")),
    (128, Path::of(c"dirsync")),
    (1 << 25, Path::of(c"lazytime")),
];

/// One that it does not take: MS_I_VERSION.
const NAMELESS: u64 = 1 << 23;

/// The longest option that fsconfig(2) takes, without its NUL. mount(2) takes all of them in one page.
const LONGEST: usize = 255;

/// statfs(2).
pub const PROC_SUPER_MAGIC: u32 = 0x9fa0;

/// A new file system instance.
pub fn new(
    machine: &mut Machine,
    fstype: Text<'static>,
    source: Text<'static>,
    options: List<'static>,
    (superblock, attributes): (u64, u64),
    entry: u8,
) -> Outcome {
    let covered = machine.covered.take();
    let entry = match covered {
        None => entry,
        Some(_) => entry::NONE,
    };
    let recipe = Recipe {
        fstype: Some(fstype),
        source,
        options,
        flags: superblock | legacy::flags(attributes),
        covered,
        entry,
        copy_up: false,
        fallback: None,
    };
    let long = options.iter().any(|option| option.bytes().len() > LONGEST);
    let fd = match entry != entry::NONE || long || superblock & NAMELESS != 0 {
        true => None,
        false => match call::fsopen(c(fstype)) {
            Err(failure) if failure.is_missing() => None,
            context => {
                let context = context?;
                let mount = make(context.raw(), &recipe, superblock, attributes)?;
                machine.discard(context);
                Some(mount)
            }
        },
    };
    machine.set_tree(fd, recipe);
    Ok(())
}

fn make(context: i32, recipe: &Recipe, superblock: u64, attributes: u64) -> Outcome<Fd> {
    match call::fsconfig(
        context,
        call::FSCONFIG_SET_STRING,
        Some(Path::of(c"source")),
        Some(c(recipe.source)),
    ) {
        // Some file systems have none.
        Err(failure) if failure.is(Errno::INVAL) => {}
        result => result?,
    }
    for (_, name) in FLAGS.iter().filter(|(flag, _)| superblock & flag != 0) {
        call::fsconfig(context, call::FSCONFIG_SET_FLAG, Some(*name), None)?;
    }
    if let Some(covered) = recipe.covered {
        set(
            context,
            Path::of(c"mode"),
            c(Octal::new(covered.mode).text()),
        )?;
    }
    for option in recipe.options.iter() {
        configure(context, option)?;
    }
    call::fsconfig(context, call::FSCONFIG_CMD_CREATE, None, None)?;
    let mount = call::fsmount(context, attributes)?;
    give_owner(mount.raw(), recipe)?;
    Ok(mount)
}

/// The root of a new file system gets the owner of the directory that it covers, unless the options name another.
pub fn give_owner(mount: i32, recipe: &Recipe) -> Outcome {
    /// Stands for an id that the user namespace does not know.
    const NOBODY: u32 = 65534;
    let Some(Status { uid, gid, .. }) = recipe.covered else {
        return Ok(());
    };
    let named = |option: Text<'_>| {
        option.bytes().starts_with(b"uid=") || option.bytes().starts_with(b"gid=")
    };
    if (uid, gid) == (0, 0) || uid == NOBODY || gid == NOBODY || recipe.options.iter().any(named) {
        return Ok(());
    }
    call::chown(mount, uid, gid)
}

/// A parameter of a file system that is being made.
pub fn set(context: i32, key: Path<'_>, value: Path<'_>) -> Outcome {
    call::fsconfig(context, call::FSCONFIG_SET_STRING, Some(key), Some(value))
}

/// One option: `key=value` or a flag.
fn configure(context: i32, option: Text<'_>) -> Outcome {
    let Some(equals) = option.bytes().iter().position(|byte| *byte == b'=') else {
        return call::fsconfig(context, call::FSCONFIG_SET_FLAG, Some(c(option)), None);
    };
    let (key, value) = option.with_nul().split_at(equals);
    let mut name = Name::new();
    name.set(key).at(step::FSCONFIG)?;
    set(
        context,
        name.path(),
        Path::new(value.get(1..).unwrap_or(&[])),
    )
}

/// Notes what the next file system covers; nothing when that is yet to be made.
pub fn cover(machine: &mut Machine, target: Text<'_>) -> Outcome {
    machine.covered = match paths::open(machine.root(), target, O_PATH) {
        Err(failure) if failure.is(Errno::NOENT) => None,
        result => Some(call::stat(result?.raw())?),
    };
    Ok(())
}

/// A bind mount that is described.
fn bound(path: Text<'static>, recursive: bool) -> Recipe {
    let flags = call::MS_BIND | if recursive { call::MS_REC } else { 0 };
    Recipe {
        fstype: None,
        source: path,
        options: List::Made(&[]),
        flags,
        covered: None,
        entry: entry::NONE,
        copy_up: false,
        fallback: None,
    }
}

/// A copy of a tree of the host's.
pub fn copy(
    machine: &mut Machine,
    path: Text<'static>,
    (recursive, nofollow): (bool, bool),
    entry: u8,
) -> Outcome {
    let mut recipe = bound(path, recursive);
    recipe.entry = entry;
    if entry != entry::NONE {
        machine.set_tree(None, recipe);
        return Ok(());
    }
    let mut flags = 0;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    if nofollow {
        flags |= AT_SYMLINK_NOFOLLOW;
    }
    let fd = match call::clone_tree(AT_FDCWD, c(path), flags) {
        // mount(2) always follows.
        Err(failure) if failure.is_missing() && !nofollow => None,
        result => Some(result?),
    };
    machine.set_tree(fd, recipe);
    Ok(())
}

/// Puts the tree aside.
pub fn keep(machine: &mut Machine, index: u32) -> Outcome {
    let fd = machine.tree()?.fd.take();
    let fd = fd.ok_or(Failure::new(step::OPEN_TREE, Errno::NOSYS))?;
    let place = machine.kept.get_mut(index as usize);
    *place.ok_or(Failure::new(step::OPEN_TREE, Errno::INVAL))? = Some(fd);
    Ok(())
}

/// Takes a tree that was put aside.
pub fn kept(machine: &mut Machine, index: u32, path: Text<'static>) -> Outcome {
    let fd = machine.kept.get_mut(index as usize).and_then(Option::take);
    let fd = fd.ok_or(Failure::new(step::OPEN_TREE, Errno::INVAL))?;
    machine.set_tree(Some(fd), bound(path, true));
    Ok(())
}

/// A copy of a tree that may be out of our reach: then the runtime makes it.
pub fn ask(
    machine: &mut Machine,
    index: u32,
    path: Text<'static>,
    (recursive, nofollow): (bool, bool),
    privileged: bool,
) -> Outcome {
    if !privileged {
        match copy(machine, path, (recursive, nofollow), entry::NONE) {
            Err(failure) if failure.is(Errno::ACCES) => {}
            result => return result,
        }
    }
    machine.tell(Message::TREE, index, 0)?;
    let Ok(tree) = call::receive_descriptor(machine.report) else {
        // A runtime that has no answer tells of the reason itself.
        call::exit(1);
    };
    machine.set_tree(Some(tree), bound(path, recursive));
    Ok(())
}

/// A new cgroup v2 file system, or where that is forbidden the host's.
pub fn cgroup2(
    machine: &mut Machine,
    source: Text<'static>,
    options: List<'static>,
    attributes: u64,
    fallback: Text<'static>,
) -> Outcome {
    const TYPE: Text<'static> = Text::new(b"cgroup2\0");
    match new(machine, TYPE, source, options, (0, attributes), entry::NONE) {
        Err(failure) if matches!(failure.errno(), Errno::PERM | Errno::BUSY) => {
            copy(machine, fallback, (true, false), entry::NONE)?;
            change(
                machine,
                Change {
                    set: attributes,
                    keep_locked: true,
                    ..Change::default()
                },
            )
        }
        result => {
            result?;
            machine.tree()?.recipe.fallback = Some(fallback);
            Ok(())
        }
    }
}

/// Attributes and propagation of the tree.
pub fn change(machine: &mut Machine, change: Change) -> Outcome {
    let tree = machine.tree()?;
    tree.add(change)?;
    match &tree.fd {
        Some(fd) if tree.late == 0 => match apply(fd.raw(), change) {
            Err(failure) if failure.is(Errno::NOSYS) => tree.late = 1,
            result => return result,
        },
        _ => tree.late += 1,
    }
    Ok(())
}

fn apply(tree: i32, change: Change) -> Outcome {
    let Change {
        set,
        clear,
        propagation,
        recursive,
        ..
    } = change;
    let flags = if recursive { AT_RECURSIVE } else { 0 };
    match call::mount_setattr(tree, Path::EMPTY, flags, set, clear, propagation) {
        // A user namespace may add restrictions, but not take away those that it found.
        Err(failure) if failure.is(Errno::PERM) && change.keep_locked => {
            let (set, clear) = legacy::within_locks(tree, change)?;
            call::mount_setattr(tree, Path::EMPTY, flags, set, clear, propagation)
        }
        result => result,
    }
}

/// Changes a mount that is in place.
pub fn change_placed(mount: i32, change: Change) -> Outcome {
    match apply(mount, change) {
        Err(failure) if failure.is(Errno::NOSYS) => legacy::change(mount, change),
        result => result,
    }
}

/// The tree must be a procfs.
pub fn require_proc(machine: &mut Machine) -> Outcome {
    let tree = machine.tree()?;
    let magic = match &tree.fd {
        Some(fd) => call::filesystem_magic(fd.raw()),
        None => call::openat(AT_FDCWD, c(tree.recipe.source), O_PATH, 0)
            .and_then(|source| call::filesystem_magic(source.raw())),
    };
    match magic? {
        PROC_SUPER_MAGIC => Ok(()),
        _ => failed(step::NOT_PROC, Errno::INVAL),
    }
}

/// Puts the tree in place.
pub fn attach(machine: &mut Machine, target: Text<'static>, create: u8, follow: u8) -> Outcome {
    machine.cover(target.bytes());
    let tree = machine.tree()?;
    let whole = tree.late == 0 && create == create::DIRECTORY && tree.fd.is_some();
    if (whole || tree.recipe.entry != entry::NONE) && attach_beside(machine, target).is_ok() {
        machine.forget_tree();
        return Ok(());
    }
    let first = if create == create::LIKE_TREE {
        create::NEVER
    } else {
        create
    };
    let place = match paths::target(machine, target, first, follow) {
        Err(failure) if failure.is(Errno::NOENT) && create == create::LIKE_TREE => {
            let kind = kind(machine.tree()?)?;
            paths::target(machine, target, kind, follow)?
        }
        result => result?,
    };
    let tree = machine.tree()?;
    if let Some(fd) = tree.fd.take() {
        match call::move_mount(fd.raw(), place.raw()) {
            Err(failure) if failure.is(Errno::NOSYS) => {}
            // What mount(2) says, and engines know, of a directory and a file.
            Err(failure)
                if failure.is(Errno::INVAL)
                    && is_directory(fd.raw()) != is_directory(place.raw()) =>
            {
                return failed(step::MOVE_MOUNT, Errno::NOTDIR);
            }
            result => {
                result?;
                legacy::finish(tree, fd.raw(), tree.made())?;
                machine.discard(place);
                match create {
                    create::DIRECTORY if machine.straight => machine.add_place(target.bytes(), fd),
                    _ => machine.discard(fd),
                }
                machine.forget_tree();
                return Ok(());
            }
        }
    }
    legacy::attach(machine, &place, target, follow)?;
    machine.forget_tree();
    Ok(())
}

/// Puts the tree onto a directory that is an entry of one at hand, made but in the root. What is no directory, as a link, is
/// left alone: after each failure the way by the whole path tells what is wrong.
fn attach_beside(machine: &mut Machine, target: Text<'static>) -> Outcome {
    let tree = machine.tree()?;
    let entry = tree.recipe.entry;
    let fd = tree.fd.as_ref().map_or(-1, Fd::raw);
    let mut name = Name::new();
    let directory = match entry {
        entry::CGROUP => {
            name.set(b"fs/cgroup")?;
            machine.place(b"/sys")
        }
        _ => paths::beside(machine, target, &mut name),
    };
    let Some(directory) = directory else {
        return failed(step::MOUNT, Errno::NOENT);
    };
    let name = name.path();
    if directory != machine.root() && entry != entry::CGROUP {
        match call::mkdirat(directory, name, 0o755) {
            Err(failure) if entry == entry::NEW => return Err(failure),
            _ => {}
        }
    }
    if fd >= 0 {
        call::move_mount_at(fd, directory, name)?;
    } else {
        machine.go_to(directory)?;
        legacy::mount(&machine.tree()?.recipe, name)?;
    }
    let tree = machine.tree()?;
    if entry == entry::CGROUP {
        tree.fd = call::openat(directory, name, O_PATH, 0).ok();
    }
    if let Some(mount) = tree.fd.take() {
        machine.add_place(target.bytes(), mount);
    }
    Ok(())
}

fn is_directory(fd: i32) -> bool {
    call::stat(fd).is_ok_and(|status| status.mode & S_IFMT == S_IFDIR)
}

/// Whether the tree's root wants a directory or a file to be mounted on.
fn kind(tree: &Tree) -> Outcome<u8> {
    let status = match &tree.fd {
        Some(fd) => call::stat(fd.raw()),
        None => call::stat_at(AT_FDCWD, c(tree.recipe.source), 0),
    };
    let directory = status?.mode & S_IFMT == S_IFDIR;
    Ok(if directory {
        create::DIRECTORY
    } else {
        create::FILE
    })
}

/// Copies what the target holds into the tree.
pub fn copy_into(machine: &mut Machine, target: Text<'_>) -> Outcome {
    let root = machine.root();
    let tree = machine.tree()?;
    let Some(fd) = &tree.fd else {
        tree.recipe.copy_up = true;
        return Ok(());
    };
    match paths::open(root, target, O_DIRECTORY) {
        Err(failure) if failure.is(Errno::NOENT) => Ok(()),
        source => copy_up::copy(&source?, fd.raw()),
    }
}

/// mount(2) with MS_REMOUNT on what is mounted at the target.
pub fn remount(machine: &mut Machine, target: Text<'_>, flags: u64, data: Text<'_>) -> Outcome {
    let (mount, _opened) = match machine.place(target.bytes()) {
        Some(mount) => (mount, None),
        None => {
            let opened = paths::open(machine.root(), target, O_PATH)?;
            (opened.raw(), Some(opened))
        }
    };
    if flags & call::MS_BIND != 0 {
        // Attributes of this mount, or with MS_REC of those below it too: what a mount already has is kept.
        let change = Change {
            set: legacy::attributes(flags),
            clear: legacy::atime_mask(flags),
            recursive: flags & call::MS_REC != 0,
            ..Change::default()
        };
        match apply(mount, change) {
            Err(failure) if failure.is(Errno::NOSYS) => legacy::change_with_entries(mount, change)?,
            result => result?,
        }
        return Ok(());
    }
    let path = DescriptorPath::new(mount);
    let data = Some(c(data)).filter(|_| !data.bytes().is_empty());
    call::mount(None, path.path(), flags | call::MS_REMOUNT, data)
}

/// Takes away what is mounted at the target.
pub fn unmount(machine: &Machine, target: Text<'_>) -> Outcome {
    let there = paths::open(machine.root(), target, O_PATH)?;
    // By no path of the container's /proc, in which the stub may not even be.
    if call::fchdir(there.raw()).is_ok() {
        return call::detach(Path::HERE);
    }
    let (parent, name) = paths::split(target.bytes());
    let mut entry = Name::new();
    entry.set_entry(name)?;
    let mut path = Buffer::new();
    path.push(&[b"/", parent])?;
    let parent = paths::open(machine.root(), path.text(), O_PATH)?;
    call::fchdir(parent.raw())?;
    call::detach_entry(entry.path())
}

/// Takes a mount of the host's out of this namespace, or covers it.
pub fn hide(path: Text<'_>) -> Outcome {
    let path = c(path);
    match call::mount(None, path, call::MS_SLAVE | call::MS_REC, None) {
        // Gone with one that it was below.
        Err(failure) if matches!(failure.errno(), Errno::NOENT | Errno::INVAL) => return Ok(()),
        result => result?,
    }
    match call::detach(path) {
        Err(failure) if matches!(failure.errno(), Errno::INVAL | Errno::PERM) => call::mount_type(
            Some(Path::of(c"tmpfs")),
            path,
            Some(Path::of(c"tmpfs")),
            0,
            None,
        ),
        result => result,
    }
}
