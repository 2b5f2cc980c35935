//! Paths that are hidden, and paths that are read-only.

use super::paths;
use crate::machine::{Failure, Machine, Outcome, Step};
use crate::sys::call::{
    self, AT_EMPTY_PATH, AT_RECURSIVE, O_NOFOLLOW, O_PATH, S_IFCHR, S_IFDIR, S_IFMT,
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
    let mut null: Option<Fd> = None;
    let mut empty: Option<Fd> = None;
    for path in list.iter() {
        let Some(target) = open(machine, path)? else {
            continue;
        };
        let directory = call::stat(target.raw()).step(step::STAT)?.mode & S_IFMT == S_IFDIR;
        let cover = match (directory, &null, &empty) {
            (false, Some(null), _) => clone(null)?,
            (false, None, _) => {
                let device = null_device(machine)?;
                let cover = clone(&device)?;
                null = Some(device);
                cover
            }
            (true, _, Some(empty)) => clone(empty)?,
            (true, _, None) => {
                // Once in place it serves as the model of the others: a mount that is never put anywhere
                // would be waited for when it is closed.
                let cover = empty_directory()?;
                call::move_mount(cover.raw(), target.raw()).step(step::MOVE_MOUNT)?;
                empty = Some(cover);
                machine.discard(target);
                continue;
            }
        };
        call::move_mount(cover.raw(), target.raw()).step(step::MOVE_MOUNT)?;
        machine.discard(cover);
        machine.discard(target);
    }
    for cover in [null, empty].into_iter().flatten() {
        machine.discard(cover);
    }
    Ok(())
}

fn clone(mount: &Fd) -> Outcome<Fd> {
    call::clone_tree(mount.raw(), c"", AT_EMPTY_PATH).step(step::OPEN_TREE)
}

/// The container's null device, if that is what it is: the rootfs may have anything in its place.
fn null_device(machine: &Machine) -> Outcome<Fd> {
    let null =
        paths::open(machine.root(), c"/dev/null", O_PATH | O_NOFOLLOW).step(step::OPENAT2)?;
    let status = call::stat(null.raw()).step(step::STAT)?;
    if status.mode & S_IFMT != S_IFCHR || status.device != (1, 3) {
        return Err(Failure {
            step: step::DIFFERENT_NODE,
            errno: Errno::INVAL,
        });
    }
    Ok(null)
}

fn empty_directory() -> Outcome<Fd> {
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
    call::fsmount(context.raw(), RDONLY).step(step::FSMOUNT)
}

/// Makes paths read-only, each by a copy of its tree over itself.
pub fn read_only(machine: &mut Machine, list: List<'_>) -> Outcome {
    for path in list.iter() {
        let Some(target) = open(machine, path)? else {
            continue;
        };
        let tree = call::clone_tree(target.raw(), c"", AT_EMPTY_PATH | AT_RECURSIVE)
            .step(step::OPEN_TREE)?;
        call::mount_setattr(tree.raw(), 0, RDONLY, 0, 0).step(step::MOUNT_SETATTR)?;
        call::move_mount(tree.raw(), target.raw()).step(step::MOVE_MOUNT)?;
        machine.discard(tree);
        machine.discard(target);
    }
    Ok(())
}
