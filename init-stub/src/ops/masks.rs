//! Paths that are hidden, and paths that are read-only.

use super::text::Name;
use super::tree::Change;
use super::{devices, legacy, mounts, paths};
use crate::machine::Machine;
use crate::sys::call::{self, AT_EMPTY_PATH, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW};
use crate::sys::call::{O_DIRECTORY, O_NOFOLLOW, O_PATH, S_IFDIR, S_IFLNK, S_IFMT};
use crate::sys::{Errno, Fd, Outcome, Path, failed};
use crate::wire::{List, Text, call as step};

const RDONLY: u64 = 1;

/// Opens a path that may be missing.
fn open(machine: &Machine, path: Text<'_>) -> Outcome<Option<Fd>> {
    match paths::open(machine.root(), path, O_PATH) {
        Err(failure) if matches!(failure.errno(), Errno::NOENT | Errno::NOTDIR) => Ok(None),
        result => result.map(Some),
    }
}

/// The directory, if the path is an entry of it; its name goes to `name`.
fn entry(
    machine: &mut Machine,
    directory: Text<'_>,
    path: Text<'static>,
    name: &mut Name,
) -> Option<i32> {
    let (parent, _) = paths::split(path.bytes());
    let is_entry = !parent.is_empty() && parent == directory.bytes();
    is_entry.then(|| paths::place(machine, path, name).ok())?
}

/// Whether all is done: if not, another way may do.
fn is_done(outcome: Outcome) -> bool {
    match outcome {
        Ok(()) => true,
        Err(failure) => failure.is(Errno::NOENT),
    }
}

/// Hides an entry of a directory.
fn mask_entry(
    machine: &mut Machine,
    directory: i32,
    name: Path<'_>,
    empty: &mut Option<Fd>,
) -> Outcome {
    let cover = match call::stat_at(directory, name, AT_SYMLINK_NOFOLLOW)?.mode & S_IFMT {
        S_IFLNK => return failed(step::STAT, Errno::LOOP),
        S_IFDIR => match empty {
            Some(empty) => empty.raw(),
            None => {
                let first = empty_directory(machine)?;
                call::move_mount_at(first.raw(), directory, name)?;
                *empty = Some(first);
                return Ok(());
            }
        },
        _ => null_device(machine)?,
    };
    let tree = call::clone_tree(cover, Path::EMPTY, AT_EMPTY_PATH)?;
    call::move_mount_at(tree.raw(), directory, name)?;
    machine.discard(tree);
    Ok(())
}

/// Hides files under the null device, and directories under one empty, read-only tmpfs.
pub fn mask(machine: &mut Machine, directory: Text<'_>, list: List<'static>) -> Outcome {
    let mut name = Name::new();
    let mut empty: Option<Fd> = None;
    for path in list.iter() {
        if let Some(directory) = entry(machine, directory, path, &mut name)
            && is_done(mask_entry(machine, directory, name.path(), &mut empty))
        {
            continue;
        }
        let root = machine.root();
        let target = match paths::open(root, path, O_PATH | O_DIRECTORY) {
            Err(failure) if failure.is(Errno::NOENT) => continue,
            // A file, or below one.
            Err(failure) if failure.is(Errno::NOTDIR) => {
                let Some(target) = open(machine, path)? else {
                    continue;
                };
                let null = null_device(machine)?;
                legacy::put(machine, null, AT_EMPTY_PATH, &target)?;
                target
            }
            target => {
                let target = target?;
                match &empty {
                    Some(empty) => legacy::put(machine, empty.raw(), AT_EMPTY_PATH, &target)?,
                    // Once in place it serves as the model of the others: a mount that is never put anywhere would be
                    // waited for when it is closed.
                    None => empty = cover(machine, &target)?,
                }
                target
            }
        };
        machine.discard(target);
    }
    for cover in [machine.null.take(), empty].into_iter().flatten() {
        machine.discard(cover);
    }
    Ok(())
}

/// Puts an empty directory in the target's place; gives it back where it can serve again.
fn cover(machine: &mut Machine, target: &Fd) -> Outcome<Option<Fd>> {
    match empty_directory(machine) {
        Err(failure) if failure.is_missing() => {}
        cover => {
            let cover = cover?;
            match call::move_mount(cover.raw(), target.raw()) {
                Err(failure) if failure.is(Errno::NOSYS) => {}
                result => return result.map(|()| Some(cover)),
            }
        }
    }
    let way = legacy::Way::to(Some(target.raw()))?;
    let place = way.path(target.raw());
    let tmpfs = |data| {
        let name = Some(Path::of(c"tmpfs"));
        call::mount_type(name, place.path(), name, RDONLY, Some(data))
    };
    // An Ubuntu kernel wants one inode more.
    tmpfs(Path::of(c"nr_blocks=1,nr_inodes=1"))
        .or_else(|_| tmpfs(Path::of(c"nr_blocks=1,nr_inodes=2")))
        .map(|()| None)
}

/// The container's null device.
fn null_device(machine: &mut Machine) -> Outcome<i32> {
    if let Some(null) = &machine.null {
        return Ok(null.raw());
    }
    let null = devices::null(machine, O_PATH | O_NOFOLLOW)?;
    Ok(machine.null.insert(null).raw())
}

fn empty_directory(machine: &mut Machine) -> Outcome<Fd> {
    let context = call::fsopen(Path::of(c"tmpfs"))?;
    for key in [c"nr_blocks", c"nr_inodes"] {
        mounts::set(context.raw(), Path::of(key), Path::of(c"1"))?;
    }
    call::fsconfig(context.raw(), call::FSCONFIG_CMD_CREATE, None, None)?;
    let mount = call::fsmount(context.raw(), RDONLY)?;
    machine.discard(context);
    Ok(mount)
}

/// Makes an entry of a directory read-only.
fn read_only_entry(machine: &mut Machine, directory: i32, name: Path<'_>) -> Outcome {
    let tree = call::clone_tree_with(directory, name, RDONLY)?;
    call::move_mount_at(tree.raw(), directory, name)?;
    machine.discard(tree);
    Ok(())
}

/// Makes paths read-only, each by a copy of its tree over itself.
pub fn read_only(machine: &mut Machine, directory: Text<'_>, list: List<'static>) -> Outcome {
    let mut name = Name::new();
    for path in list.iter() {
        if let Some(directory) = entry(machine, directory, path, &mut name)
            && is_done(read_only_entry(machine, directory, name.path()))
        {
            continue;
        }
        let Some(target) = open(machine, path)? else {
            continue;
        };
        let tree = match call::clone_tree(target.raw(), Path::EMPTY, AT_EMPTY_PATH | AT_RECURSIVE) {
            Err(failure) if failure.is_missing() => None,
            tree => Some(tree?),
        };
        let attached = match &tree {
            Some(tree) => call::mount_setattr(tree.raw(), 0, RDONLY, 0, 0)
                .and_then(|()| call::move_mount(tree.raw(), target.raw())),
            None => failed(step::OPEN_TREE, Errno::NOSYS),
        };
        if let Err(failure) = attached
            && failure.is(Errno::NOSYS)
        {
            drop(tree);
            legacy::put(machine, target.raw(), AT_EMPTY_PATH | AT_RECURSIVE, &target)?;
            let Some(mount) = open(machine, path)? else {
                return failed(step::MOUNT, Errno::NOENT);
            };
            let change = Change {
                set: RDONLY,
                ..Change::default()
            };
            legacy::change(mount.raw(), change)?;
            continue;
        }
        attached?;
        if let Some(tree) = tree {
            machine.discard(tree);
        }
        machine.discard(target);
    }
    Ok(())
}
