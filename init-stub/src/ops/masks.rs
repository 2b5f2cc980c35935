//! Paths that are hidden, and paths that are read-only.

use super::mounts::{Change, is_missing};
use super::text::DescriptorPath;
use super::{legacy, paths};
use crate::machine::{Failure, Machine, Outcome, Step};
use crate::sys::call::{
    self, AT_EMPTY_PATH, AT_RECURSIVE, O_DIRECTORY, O_NOFOLLOW, O_PATH, S_IFCHR, S_IFMT,
};
use crate::sys::{Errno, Fd};
use crate::wire::{List, Text, call as step};

const RDONLY: u64 = 1;

/// Opens a path that may be missing.
fn open(machine: &Machine, path: Text<'_>) -> Outcome<Option<Fd>> {
    match paths::open(machine.root(), path.c_str()?, O_PATH) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        result => result.step(step::OPENAT2).map(Some),
    }
}

/// Hides files under the null device, and directories under one empty, read-only tmpfs.
pub fn mask(machine: &mut Machine, list: List<'_>) -> Outcome {
    let mut empty: Option<Fd> = None;
    for path in list.iter() {
        let root = machine.root();
        let target = match paths::open(root, path.c_str()?, O_PATH | O_DIRECTORY) {
            Err(Errno::NOENT) => continue,
            // A file, or below one.
            Err(Errno::NOTDIR) => {
                let Some(target) = open(machine, path)? else {
                    continue;
                };
                let null = null_device(machine)?;
                legacy::put(machine, null, AT_EMPTY_PATH, &target)?;
                target
            }
            target => {
                let target = target.step(step::OPENAT2)?;
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
        Err(Failure { errno, .. }) if is_missing(errno) => {}
        cover => {
            let cover = cover?;
            match call::move_mount(cover.raw(), target.raw()) {
                Err(Errno::NOSYS) => {}
                result => return result.step(step::MOVE_MOUNT).map(|()| Some(cover)),
            }
        }
    }
    let place = DescriptorPath::new(target.raw());
    let tmpfs = |data| {
        let name = Some(c"tmpfs");
        call::mount_type(name, place.c_str(), name, RDONLY, Some(data))
    };
    // An Ubuntu kernel wants one inode more.
    tmpfs(c"nr_blocks=1,nr_inodes=1")
        .or_else(|_| tmpfs(c"nr_blocks=1,nr_inodes=2"))
        .step(step::MOUNT)
        .map(|()| None)
}

/// The container's null device, if that is what it is: the rootfs may have anything in its place.
fn null_device(machine: &mut Machine) -> Outcome<i32> {
    if let Some(null) = &machine.null {
        return Ok(null.raw());
    }
    let null =
        paths::open(machine.root(), c"/dev/null", O_PATH | O_NOFOLLOW).step(step::OPENAT2)?;
    let status = call::stat(null.raw()).step(step::STAT)?;
    if status.mode & S_IFMT != S_IFCHR || status.device != (1, 3) {
        return Err(Failure::new(step::DIFFERENT_NODE, Errno::INVAL));
    }
    Ok(machine.null.insert(null).raw())
}

fn empty_directory(machine: &mut Machine) -> Outcome<Fd> {
    let context = call::fsopen(c"tmpfs").step(step::FSOPEN)?;
    for (key, value) in [(c"nr_blocks", c"1"), (c"nr_inodes", c"1")] {
        call::fsconfig(
            context.raw(),
            call::FSCONFIG_SET_STRING,
            Some(key),
            Some(value),
        )
        .step(step::FSCONFIG)?;
    }
    call::fsconfig(context.raw(), call::FSCONFIG_CMD_CREATE, None, None).step(step::FSCONFIG)?;
    let mount = call::fsmount(context.raw(), RDONLY).step(step::FSMOUNT)?;
    machine.discard(context);
    Ok(mount)
}

/// Makes paths read-only, each by a copy of its tree over itself.
pub fn read_only(machine: &mut Machine, list: List<'_>) -> Outcome {
    for path in list.iter() {
        let Some(target) = open(machine, path)? else {
            continue;
        };
        let tree = match call::clone_tree(target.raw(), c"", AT_EMPTY_PATH | AT_RECURSIVE) {
            Err(errno) if is_missing(errno) => None,
            tree => Some(tree.step(step::OPEN_TREE)?),
        };
        let attached = match &tree {
            Some(tree) => call::mount_setattr(tree.raw(), 0, RDONLY, 0, 0)
                .and_then(|()| call::move_mount(tree.raw(), target.raw())),
            None => Err(Errno::NOSYS),
        };
        if attached == Err(Errno::NOSYS) {
            drop(tree);
            legacy::put(machine, target.raw(), AT_EMPTY_PATH | AT_RECURSIVE, &target)?;
            let Some(mount) = open(machine, path)? else {
                return Err(Errno::NOENT).step(step::MOUNT);
            };
            let change = Change {
                set: RDONLY,
                ..Change::default()
            };
            legacy::change(mount.raw(), change)?;
            continue;
        }
        attached.step(step::MOVE_MOUNT)?;
        if let Some(tree) = tree {
            machine.discard(tree);
        }
        machine.discard(target);
    }
    Ok(())
}
