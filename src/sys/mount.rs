//! The new mount API, as far as the runtime itself uses it: fsopen(2), open_tree(2), mount_setattr(2).

use super::{c_path, check};
use crate::error::Result;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

/// `MOUNT_ATTR_RDONLY` of mount_setattr(2).
pub const ATTR_RDONLY: u64 = 0x1;

const OPEN_TREE_CLONE: u32 = 1;
const AT_RECURSIVE: u32 = 0x8000;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const FSOPEN_CLOEXEC: libc::c_uint = 1;

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

fn descriptor(result: libc::c_long) -> Result<OwnedFd> {
    let fd = check(result as libc::c_int)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A detached copy of the mount at the path, with all mounts below it when `recursive`. Not close-on-exec: it is
/// for the stub.
pub fn clone_tree(path: &Path, recursive: bool, nofollow: bool) -> Result<OwnedFd> {
    let mut flags = OPEN_TREE_CLONE;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    if nofollow {
        flags |= libc::AT_SYMLINK_NOFOLLOW as u32;
    }
    let path = c_path(path)?;
    // SAFETY: the path is a C string that outlives the call.
    descriptor(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// Enters a new mount namespace, whose mounts follow those of the old one, but not the other way round.
pub fn enter_own_namespace() -> Result<()> {
    super::spawn::unshare(libc::CLONE_NEWNS)?;
    let (none, flags) = (std::ptr::null(), libc::MS_SLAVE | libc::MS_REC);
    // SAFETY: the path is a C string; a change of propagation takes no other argument.
    check(unsafe { libc::mount(none, c"/".as_ptr(), none, flags, none.cast()) }).map(drop)
}

/// Mounts a file or directory, with all that is mounted below it, over another: mount(2).
pub fn bind(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (c_path(from)?, c_path(to)?);
    let (none, flags) = (std::ptr::null(), libc::MS_BIND | libc::MS_REC);
    // SAFETY: the paths are C strings that outlive the call; a bind takes no other argument.
    check(unsafe { libc::mount(from.as_ptr(), to.as_ptr(), none, flags, none.cast()) }).map(drop)
}

/// Takes what is mounted at the path away, with all mounts below it, and nothing with them that they are peers of:
/// umount2(2).
pub fn detach(path: &Path) -> Result<()> {
    let path = c_path(path)?;
    let (none, flags) = (std::ptr::null(), libc::MS_PRIVATE | libc::MS_REC);
    // SAFETY: the path is a C string that outlives the calls; a change of propagation takes no other argument.
    unsafe {
        check(libc::mount(none, path.as_ptr(), none, flags, none.cast()))?;
        check(libc::umount2(path.as_ptr(), libc::MNT_DETACH)).map(drop)
    }
}

/// Whether the kernel knows `OPEN_TREE_NAMESPACE`: one that does not refuses the flag before it looks at the descriptor.
pub fn knows_tree_namespace() -> bool {
    const OPEN_TREE_NAMESPACE: u32 = 2;
    // SAFETY: the path is a C string; nothing is opened from a descriptor that cannot be.
    let result = unsafe {
        let path = c".".as_ptr();
        libc::syscall(libc::SYS_open_tree, -1, path, OPEN_TREE_NAMESPACE)
    };
    result < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EBADF)
}

/// mount_setattr(2) on a mount by its descriptor; `propagation` is an `MS_*` flag or 0.
pub fn set_attributes(
    mount: BorrowedFd<'_>,
    set: u64,
    clear: u64,
    propagation: u64,
    recursive: bool,
) -> Result<()> {
    apply(
        mount,
        &MountAttr {
            set,
            clear,
            propagation,
            userns: 0,
        },
        recursive,
    )
}

/// Makes a detached mount idmapped by the maps of a user namespace.
pub fn set_idmap(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>, recursive: bool) -> Result<()> {
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let userns = userns.as_raw_fd() as u64;
    apply(
        mount,
        &MountAttr {
            set: MOUNT_ATTR_IDMAP,
            clear: 0,
            propagation: 0,
            userns,
        },
        recursive,
    )
}

fn apply(mount: BorrowedFd<'_>, attributes: &MountAttr, recursive: bool) -> Result<()> {
    let flags = libc::AT_EMPTY_PATH as u32 | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the structure is of the size that is named, and lives through the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const *attributes,
            size_of::<MountAttr>(),
        )
    } as libc::c_int)
    .map(drop)
}

/// A new tmpfs that is mounted nowhere.
pub fn new_tmpfs() -> Result<OwnedFd> {
    // SAFETY: the name is a C string.
    let context =
        descriptor(unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), FSOPEN_CLOEXEC) })?;
    let null = std::ptr::null::<libc::c_char>();
    // SAFETY: this command takes neither key nor value.
    check(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            null,
            null,
            0,
        )
    } as libc::c_int)?;
    // SAFETY: takes numbers only.
    descriptor(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0) })
}
