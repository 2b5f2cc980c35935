//! Mounts, and the root and working directory.

use super::{AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, O_CLOEXEC, descriptor, done, syscall};
use crate::sys::{Fd, Outcome, Path};

/// fsopen(2).
pub fn fsopen(name: Path<'_>) -> Outcome<Fd> {
    descriptor(syscall!(FSOPEN, FSOPEN, name.as_ptr(), 1))
}

/// The commands of fsconfig(2).
pub const FSCONFIG_SET_FLAG: u32 = 0;
pub const FSCONFIG_SET_STRING: u32 = 1;
pub const FSCONFIG_CMD_CREATE: u32 = 6;

/// fsconfig(2) with a key, and a value if there is one.
pub fn fsconfig(fd: i32, command: u32, key: Option<Path<'_>>, value: Option<Path<'_>>) -> Outcome {
    done(syscall!(
        FSCONFIG,
        FSCONFIG,
        fd,
        command,
        pointer(key),
        pointer(value),
        0
    ))
}

/// fsmount(2).
pub fn fsmount(fd: i32, attributes: u64) -> Outcome<Fd> {
    descriptor(syscall!(FSMOUNT, FSMOUNT, fd, 1, attributes))
}

/// open_tree(2) with OPEN_TREE_CLONE.
pub fn clone_tree(directory: i32, path: Path<'_>, flags: u32) -> Outcome<Fd> {
    descriptor(syscall!(
        OPEN_TREE,
        OPEN_TREE,
        directory,
        path.as_ptr(),
        1 | O_CLOEXEC as u32 | flags
    ))
}

/// open_tree(2) with OPEN_TREE_NAMESPACE: a mount namespace whose root is the tree at the path.
pub fn tree_namespace(path: Path<'_>) -> Outcome<Fd> {
    const OPEN_TREE_NAMESPACE: u32 = 2;
    descriptor(syscall!(
        OPEN_TREE,
        OPEN_TREE,
        AT_FDCWD,
        path.as_ptr(),
        OPEN_TREE_NAMESPACE | O_CLOEXEC as u32 | AT_RECURSIVE
    ))
}

/// move_mount(2) of a descriptor's mount onto another descriptor's place.
pub fn move_mount(from: i32, to: i32) -> Outcome {
    move_mount_at(from, to, Path::EMPTY)
}

/// move_mount(2) of a descriptor's mount onto a path from a directory, whose last component is not followed, or without a
/// path onto the descriptor's place.
pub fn move_mount_at(from: i32, directory: i32, path: Path<'_>) -> Outcome {
    const BOTH_EMPTY_PATH: u32 = 0x44;
    done(syscall!(
        MOVE_MOUNT,
        MOVE_MOUNT,
        from,
        c"".as_ptr(),
        directory,
        path.as_ptr(),
        BOTH_EMPTY_PATH
    ))
}

/// mount_setattr(2) on the mount at a path from a directory, or without a path on the descriptor's.
pub fn mount_setattr(
    directory: i32,
    path: Path<'_>,
    flags: u32,
    set: u64,
    clear: u64,
    propagation: u64,
) -> Outcome {
    let attributes = [set, clear, propagation, 0];
    done(syscall!(
        MOUNT_SETATTR,
        MOUNT_SETATTR,
        directory,
        path.as_ptr(),
        flags | AT_EMPTY_PATH,
        attributes.as_ptr(),
        size_of_val(&attributes)
    ))
}

pub const MS_REMOUNT: u64 = 32;
pub const MS_BIND: u64 = 4096;
pub const MS_MOVE: u64 = 8192;
pub const MS_REC: u64 = 16384;
pub const MS_PRIVATE: u64 = 1 << 18;
pub const MS_SLAVE: u64 = 1 << 19;

/// mount(2) of what needs no file system type.
pub fn mount(
    source: Option<Path<'_>>,
    target: Path<'_>,
    flags: u64,
    data: Option<Path<'_>>,
) -> Outcome {
    mount_type(source, target, None, flags, data)
}

/// mount(2).
pub fn mount_type(
    source: Option<Path<'_>>,
    target: Path<'_>,
    fstype: Option<Path<'_>>,
    flags: u64,
    data: Option<Path<'_>>,
) -> Outcome {
    done(syscall!(
        MOUNT,
        MOUNT,
        pointer(source),
        target.as_ptr(),
        pointer(fstype),
        flags,
        pointer(data)
    ))
}

/// umount2(2) with MNT_DETACH.
pub fn detach(path: Path<'_>) -> Outcome {
    const MNT_DETACH: usize = 2;
    done(syscall!(UMOUNT, UMOUNT2, path.as_ptr(), MNT_DETACH))
}

/// umount2(2) of what is mounted on an entry of the working directory; a link is not followed.
pub fn detach_entry(name: Path<'_>) -> Outcome {
    const MNT_DETACH: usize = 2;
    const UMOUNT_NOFOLLOW: usize = 8;
    done(syscall!(
        UMOUNT,
        UMOUNT2,
        name.as_ptr(),
        MNT_DETACH | UMOUNT_NOFOLLOW
    ))
}

/// pivot_root(2) with both arguments `.`: the new root, over which the old one is put.
pub fn pivot_root() -> Outcome {
    done(syscall!(
        PIVOT_ROOT,
        PIVOT_ROOT,
        c".".as_ptr(),
        c".".as_ptr()
    ))
}

/// chroot(2).
pub fn chroot(path: Path<'_>) -> Outcome {
    done(syscall!(CHROOT, CHROOT, path.as_ptr()))
}

/// chdir(2).
pub fn chdir(path: Path<'_>) -> Outcome {
    done(syscall!(CHDIR, CHDIR, path.as_ptr()))
}

/// fchdir(2).
pub fn fchdir(fd: i32) -> Outcome {
    done(syscall!(CHDIR, FCHDIR, fd))
}

/// getcwd(2): the length of what was put into the buffer.
pub fn getcwd(buffer: &mut [u8]) -> Outcome<u32> {
    syscall!(GETCWD, GETCWD, buffer.as_mut_ptr(), buffer.len())
}

fn pointer(text: Option<Path<'_>>) -> *const u8 {
    text.map_or(core::ptr::null(), Path::as_ptr)
}
