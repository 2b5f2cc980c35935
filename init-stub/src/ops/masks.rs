//! Paths that are hidden, and paths that are read-only.

use super::text::Name;
use super::tree::Change;
use super::{devices, legacy, mounts, paths};
use crate::machine::Machine;
use crate::sys::call::{self, AT_EMPTY_PATH, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW};
use crate::sys::call::{O_NOFOLLOW, O_PATH, S_IFDIR, S_IFLNK, S_IFMT};
use crate::sys::{Errno, Failure, Fd, Outcome, Path, failed};
use crate::wire::{List, Text, call as step};

const RDONLY: u64 = 1;

const READ_ONLY: Change = Change {
    set: RDONLY,
    ..Change::NONE
};

/// Opens a path that may be missing.
fn open(machine: &Machine, path: Text<'_>) -> Outcome<Option<Fd>> {
    match paths::open(machine.root(), path, O_PATH) {
        Err(failure) if matches!(failure.errno(), Errno::NOENT | Errno::NOTDIR) => Ok(None),
        result => result.map(Some),
    }
}

/// Hides what the name in a directory is, or without a name the descriptor itself.
fn hide(machine: &mut Machine, at: i32, name: Path<'_>, empty: &mut Option<Fd>) -> Outcome {
    let status = call::stat_at(at, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let cover = match (status.mode & S_IFMT, &empty) {
        (S_IFLNK, _) => return failed(step::STAT, Errno::LOOP),
        (S_IFDIR, Some(empty)) => empty.raw(),
        (S_IFDIR, None) => {
            // Once in place it serves as the model of the others: a mount that is never put anywhere would be waited for
            // when it is closed.
            let first = empty_directory(machine)?;
            call::move_mount_at(first.raw(), at, name)?;
            *empty = Some(first);
            return Ok(());
        }
        _ => null_device(machine)?,
    };
    let tree = call::clone_tree(cover, Path::EMPTY, AT_EMPTY_PATH)?;
    call::move_mount_at(tree.raw(), at, name)?;
    machine.discard(tree);
    Ok(())
}

/// The same by mount(2).
fn hide_by_path(machine: &mut Machine, target: &Fd) -> Outcome {
    if call::stat(target.raw())?.mode & S_IFMT != S_IFDIR {
        let null = null_device(machine)?;
        return legacy::put(null, AT_EMPTY_PATH, target).map(drop);
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
}

/// Hides files under the null device, and directories under one empty, read-only tmpfs.
pub fn mask(machine: &mut Machine, list: List<'_>) -> Outcome {
    let mut name = Name::new();
    let mut empty: Option<Fd> = None;
    for path in list.iter() {
        if let Some(directory) = paths::beside(machine, path, &mut name) {
            match hide(machine, directory, name.path(), &mut empty) {
                Err(failure) if !failure.is(Errno::NOENT) => {}
                _ => continue,
            }
        }
        let Some(target) = open(machine, path)? else {
            continue;
        };
        machine.forget_places();
        match hide(machine, target.raw(), Path::EMPTY, &mut empty) {
            Err(failure) if failure.is_missing() => hide_by_path(machine, &target)?,
            result => result?,
        }
        machine.discard(target);
    }
    for cover in [machine.null.take(), empty].into_iter().flatten() {
        machine.discard(cover);
    }
    Ok(())
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

/// Makes an entry of a directory, which is no link, read-only.
fn read_only_entry(machine: &mut Machine, directory: i32, name: Path<'_>) -> Outcome {
    machine.go_to(directory)?;
    call::mount(Some(name), name, call::MS_BIND | call::MS_REC, None)?;
    match call::mount_setattr(directory, name, 0, RDONLY, 0, 0) {
        Err(failure) if failure.is(Errno::NOSYS) => {
            legacy::change(call::openat(directory, name, O_PATH, 0)?.raw(), READ_ONLY)
        }
        result => result,
    }
}

/// Makes paths read-only, each by a copy of its tree over itself.
pub fn read_only(machine: &mut Machine, directory: Text<'_>, list: List<'_>) -> Outcome {
    let mut name = Name::new();
    for path in list.iter() {
        if !directory.bytes().is_empty()
            && directory.bytes() == paths::split(path.bytes()).0
            && let Some(directory) = paths::beside(machine, path, &mut name)
        {
            match read_only_entry(machine, directory, name.path()) {
                Err(failure) if !failure.is(Errno::NOENT) => {}
                _ => continue,
            }
        }
        let Some(target) = open(machine, path)? else {
            continue;
        };
        machine.forget_places();
        let flags = AT_EMPTY_PATH | AT_RECURSIVE;
        let mount = match legacy::put(target.raw(), flags, &target)? {
            Some(mount) => mount,
            None => open(machine, path)?.ok_or(Failure::new(step::MOUNT, Errno::NOENT))?,
        };
        mounts::change_placed(mount.raw(), READ_ONLY)?;
        machine.discard(mount);
        machine.discard(target);
    }
    // Where the program may begin.
    machine.go_to(machine.root())
}
