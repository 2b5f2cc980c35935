//! The rootfs, and how it becomes the root.

use super::text::Buffer;
use super::tree::Change;
use super::{legacy, mounts};
use crate::machine::{Machine, c};
use crate::sys::call::{self, AT_FDCWD, AT_RECURSIVE, O_DIRECTORY, O_PATH};
use crate::sys::{Errno, Outcome, Path, Step};
use crate::wire::{Text, call as step};

/// Propagation of the root mount, or, with MS_REC, of all mounts.
pub fn propagation(flags: u64) -> Outcome {
    call::mount(None, Path::ROOT, flags, None)
}

/// The mount that holds the rootfs becomes private: pivot_root(2) refuses to work below a shared one. Which mount
/// that is only shows by trying, from the rootfs upwards.
pub fn parent_private(path: Text<'_>, slave: bool) -> Outcome {
    let kind = if slave {
        call::MS_SLAVE
    } else {
        call::MS_PRIVATE
    };
    let mut at = Buffer::new();
    at.push(&[path.bytes()]).at(step::MOUNT)?;
    loop {
        let (path, last) = match at.bytes() {
            b"" | b"/" => (Path::ROOT, true),
            _ => (at.path(), false),
        };
        match call::mount(None, path, kind, None) {
            // Not a mount point.
            Err(failure) if failure.is(Errno::INVAL) && !last => {}
            result => return result,
        }
        at.pop();
    }
}

/// Binds the rootfs over itself, so that it is a mount of its own.
pub fn open(machine: &mut Machine, path: Text<'_>, recursive: bool) -> Outcome {
    let flags = if recursive { AT_RECURSIVE } else { 0 };
    let tree = match call::clone_tree(AT_FDCWD, c(path), flags) {
        Err(failure) if failure.is_missing() => legacy::root(path, recursive)?,
        tree => {
            let tree = tree?;
            match call::move_mount_at(tree.raw(), AT_FDCWD, c(path)) {
                Err(failure) if failure.is(Errno::NOSYS) => legacy::root(path, recursive)?,
                result => result.map(|()| tree)?,
            }
        }
    };
    machine.set_root(tree);
    Ok(())
}

/// Enters a mount namespace that holds the rootfs and what is mounted below it, and nothing else.
pub fn enter(machine: &mut Machine, path: Text<'_>) -> Outcome {
    let namespace = call::tree_namespace(c(path))?;
    call::setns(namespace.raw(), call::CLONE_NEWNS)?;
    machine.discard(namespace);
    take(machine, Text::new(b"/\0"))
}

/// Takes the rootfs as it is.
pub fn take(machine: &mut Machine, path: Text<'_>) -> Outcome {
    machine.set_root(call::openat(AT_FDCWD, c(path), O_PATH | O_DIRECTORY, 0)?);
    Ok(())
}

/// The rootfs becomes the root; the old root goes on top of it, and is taken away.
pub fn pivot(machine: &mut Machine, peers: bool) -> Outcome {
    if peers {
        return pivot_from_shared(machine);
    }
    machine.go_to(machine.root())?;
    call::pivot_root()?;
    // The last example of pivot_root(2): the current directory is the new root, and umount2(2) takes what is on top.
    call::detach(Path::HERE)
}

/// Unmounting the old root must not unmount anything on the host; the new one's volumes keep the propagation that they
/// were given.
fn pivot_from_shared(machine: &mut Machine) -> Outcome {
    let old = call::openat(AT_FDCWD, Path::ROOT, O_PATH | O_DIRECTORY, 0)?;
    machine.go_to(machine.root())?;
    call::pivot_root()?;
    call::fchdir(old.raw())?;
    call::mount(None, Path::HERE, call::MS_SLAVE | call::MS_REC, None)?;
    call::detach(Path::HERE)?;
    call::chdir(Path::ROOT)
}

/// On an initramfs, whose root cannot be pivoted: the rootfs is moved over it.
pub fn move_over(machine: &mut Machine) -> Outcome {
    machine.go_to(machine.root())?;
    call::mount(Some(Path::HERE), Path::ROOT, call::MS_MOVE, None)?;
    call::chroot(Path::HERE)?;
    call::chdir(Path::ROOT)
}

/// chroot(2): for a container in a mount namespace that is not its own.
pub fn change(machine: &mut Machine) -> Outcome {
    machine.go_to(machine.root())?;
    call::chroot(Path::HERE)?;
    call::chdir(Path::ROOT)
}

/// The root mount becomes read-only.
pub fn read_only(machine: &mut Machine) -> Outcome {
    let change = Change {
        set: 1,
        ..Change::default()
    };
    mounts::change_placed(machine.root(), change)
}
