//! The rootfs, and how it becomes the root.

use super::legacy;
use super::mounts::{self, Change, is_missing};
use crate::machine::{Machine, Outcome, Step, c};
use crate::sys::Errno;
use crate::sys::call::{self, AT_FDCWD, AT_RECURSIVE, O_DIRECTORY, O_PATH};
use crate::wire::{Text, call as step};
use core::ffi::CStr;

/// Propagation of the root mount, or, with MS_REC, of all mounts.
pub fn propagation(flags: u64) -> Outcome {
    call::mount(None, c"/", flags, None).step(step::MOUNT)
}

/// The mount that holds the rootfs becomes private: pivot_root(2) refuses to work below a shared one. Which mount
/// that is only shows by trying, from the rootfs upwards.
pub fn parent_private(path: Text<'_>, slave: bool) -> Outcome {
    let kind = if slave {
        call::MS_SLAVE
    } else {
        call::MS_PRIVATE
    };
    let mut buffer = [0; 4096];
    let bytes = path.bytes();
    match buffer.get_mut(..bytes.len()).filter(|_| bytes.len() < 4096) {
        Some(place) => place.copy_from_slice(bytes),
        None => return Err(Errno::NAMETOOLONG).step(step::MOUNT),
    }
    let mut length = bytes.len();
    loop {
        let at = CStr::from_bytes_until_nul(&buffer).unwrap_or(c"/");
        let at = if at.is_empty() { c"/" } else { at };
        match call::mount(None, at, kind, None) {
            // Not a mount point.
            Err(Errno::INVAL) if at.to_bytes().len() > 1 => {}
            result => return result.step(step::MOUNT),
        }
        let slash = buffer
            .iter()
            .take(length)
            .rposition(|byte| *byte == b'/')
            .unwrap_or(0);
        buffer
            .iter_mut()
            .take(length)
            .skip(slash)
            .for_each(|byte| *byte = 0);
        length = slash;
    }
}

/// Binds the rootfs over itself, so that it is a mount of its own.
pub fn open(machine: &mut Machine, path: Text<'_>, recursive: bool) -> Outcome {
    let path = c(path)?;
    let flags = if recursive { AT_RECURSIVE } else { 0 };
    let tree = match call::clone_tree(AT_FDCWD, path, flags) {
        Err(errno) if is_missing(errno) => legacy::root(path, recursive)?,
        tree => {
            let tree = tree.step(step::OPEN_TREE)?;
            match call::move_mount_at(tree.raw(), AT_FDCWD, path) {
                Err(Errno::NOSYS) => legacy::root(path, recursive)?,
                result => result.step(step::MOVE_MOUNT).map(|()| tree)?,
            }
        }
    };
    machine.set_root(tree);
    Ok(())
}

/// Enters a mount namespace that holds the rootfs and what is mounted below it, and nothing else.
pub fn enter(machine: &mut Machine, path: Text<'_>) -> Outcome {
    let namespace = call::tree_namespace(c(path)?).step(step::OPEN_TREE)?;
    call::setns(namespace.raw(), call::CLONE_NEWNS).step(step::SETNS)?;
    machine.discard(namespace);
    take(machine, Text::new(b"/\0"))
}

/// Takes the rootfs as it is.
pub fn take(machine: &mut Machine, path: Text<'_>) -> Outcome {
    machine.set_root(call::openat(AT_FDCWD, c(path)?, O_PATH | O_DIRECTORY, 0).step(step::OPEN)?);
    Ok(())
}

/// The rootfs becomes the root; the old root goes on top of it, and is taken away.
pub fn pivot(machine: &mut Machine, peers: bool) -> Outcome {
    machine.forget_place();
    if peers {
        return pivot_from_shared(machine);
    }
    call::fchdir(machine.root()).step(step::CHDIR)?;
    call::pivot_root().step(step::PIVOT_ROOT)?;
    // The last example of pivot_root(2): the current directory is the new root, and umount2(2) takes what is on top.
    call::detach(c".").step(step::UMOUNT)
}

/// Unmounting the old root must not unmount anything on the host; the new one's volumes keep the propagation that they
/// were given.
fn pivot_from_shared(machine: &Machine) -> Outcome {
    let old = call::openat(AT_FDCWD, c"/", O_PATH | O_DIRECTORY, 0).step(step::OPEN)?;
    call::fchdir(machine.root()).step(step::CHDIR)?;
    call::pivot_root().step(step::PIVOT_ROOT)?;
    call::fchdir(old.raw()).step(step::CHDIR)?;
    call::mount(None, c".", call::MS_SLAVE | call::MS_REC, None).step(step::MOUNT)?;
    call::detach(c".").step(step::UMOUNT)?;
    call::chdir(c"/").step(step::CHDIR)
}

/// On an initramfs, whose root cannot be pivoted: the rootfs is moved over it.
pub fn move_over(machine: &mut Machine) -> Outcome {
    machine.forget_place();
    call::fchdir(machine.root()).step(step::CHDIR)?;
    call::mount(Some(c"."), c"/", call::MS_MOVE, None).step(step::MOVE_MOUNT)?;
    call::chroot(c".").step(step::CHROOT)?;
    call::chdir(c"/").step(step::CHDIR)
}

/// chroot(2): for a container in a mount namespace that is not its own.
pub fn change(machine: &mut Machine) -> Outcome {
    machine.forget_place();
    call::fchdir(machine.root()).step(step::CHDIR)?;
    call::chroot(c".").step(step::CHROOT)?;
    call::chdir(c"/").step(step::CHDIR)
}

/// The root mount becomes read-only.
pub fn read_only(machine: &mut Machine) -> Outcome {
    let change = Change {
        set: 1,
        ..Change::default()
    };
    mounts::change_placed(machine.root(), change)
}
