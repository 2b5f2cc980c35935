//! Device nodes, directories and links below the rootfs.

use super::{legacy, paths};
use crate::machine::{Machine, Outcome, Step, c};
use crate::sys::Errno;
use crate::sys::call::{
    self, AT_EMPTY_PATH, AT_FDCWD, O_NOFOLLOW, O_PATH, O_RDWR, S_IFCHR, S_IFIFO, S_IFMT,
};
use crate::wire::{Text, call as step, create, follow};

/// A directory, with its parents.
pub fn directory(machine: &Machine, path: Text<'_>, mode: u32) -> Outcome {
    paths::directory(machine.root(), path.bytes(), mode, false).map(drop)
}

/// A symbolic link, unless something is there.
pub fn link(machine: &mut Machine, target: Text<'_>, path: Text<'static>) -> Outcome {
    let (place, name) = paths::place(machine, path.bytes())?;
    match call::symlinkat(c(target)?, place, name.c_str().step(step::SYMLINK)?) {
        Err(Errno::EXIST) => Ok(()),
        result => result.step(step::SYMLINK),
    }
}

/// A symbolic link; what is there already is removed, or must be the same link.
pub fn exact_link(
    machine: &mut Machine,
    target: Text<'_>,
    path: Text<'static>,
    replace: bool,
) -> Outcome {
    let (place, name) = paths::place(machine, path.bytes())?;
    let name = name.c_str().step(step::SYMLINK)?;
    match call::symlinkat(c(target)?, place, name) {
        Err(Errno::EXIST) if replace => {
            call::unlinkat(place, name).step(step::UNLINK)?;
            call::symlinkat(c(target)?, place, name).step(step::SYMLINK)
        }
        Err(Errno::EXIST) => {
            let there = call::openat(place, name, O_PATH | O_NOFOLLOW, 0).step(step::OPEN)?;
            let mut text = [0; 4096];
            let length = call::readlink(there.raw(), &mut text).unwrap_or(0);
            match text.get(..length) == Some(target.bytes()) {
                true => Ok(()),
                false => Err(Errno::EXIST).step(step::DIFFERENT_NODE),
            }
        }
        result => result.step(step::SYMLINK),
    }
}

/// Opens the container's null device in place of those standard streams that are the host's.
pub fn reopen_null(machine: &mut Machine, streams: u8) -> Outcome {
    let null = paths::open(machine.root(), c"/dev/null", O_RDWR).step(step::OPENAT2)?;
    let status = call::stat(null.raw()).step(step::STAT)?;
    if status.mode & S_IFMT != S_IFCHR || status.device != (1, 3) {
        return Err(Errno::INVAL).step(step::DIFFERENT_NODE);
    }
    for stream in 0..3 {
        if streams >> stream & 1 != 0 {
            call::dup_to(null.raw(), stream).step(step::OPEN)?;
        }
    }
    machine.null = Some(null);
    Ok(())
}

/// A device node or FIFO, unless the same is there already.
pub fn node(
    machine: &mut Machine,
    path: Text<'static>,
    mode: u32,
    (major, minor): (u32, u32),
    (uid, gid): (u32, u32),
) -> Outcome {
    let (place, name) = paths::place(machine, path.bytes())?;
    let name = name.c_str().step(step::MKNOD)?;
    // The kernel's own encoding of device numbers.
    let device = minor & 0xff | major << 8 | (minor & !0xff) << 12;
    match call::mknodat(place, name, mode, device) {
        Err(Errno::EXIST) => {
            let there = call::stat_at(place, name, call::AT_SYMLINK_NOFOLLOW).step(step::STAT)?;
            if there.mode & S_IFMT != mode & S_IFMT || there.device != (major, minor) {
                return Err(Errno::EXIST).step(step::DIFFERENT_NODE);
            }
        }
        // Without the right to make devices there is still the host's.
        Err(Errno::PERM) if mode & S_IFMT != S_IFIFO => {
            let host = call::openat(AT_FDCWD, c(path)?, O_PATH, 0).step(step::MKNOD)?;
            let place = paths::target(machine, path, create::FILE, follow::ALL)?;
            return legacy::put(machine, host.raw(), AT_EMPTY_PATH, &place);
        }
        result => result.step(step::MKNOD)?,
    }
    if (uid, gid) != (0, 0) {
        // Whoever shares the directory may have put something else in its place.
        let node = call::openat(place, name, O_PATH | O_NOFOLLOW, 0).step(step::OPEN)?;
        let status = call::stat(node.raw()).step(step::STAT)?;
        if status.mode & S_IFMT != mode & S_IFMT || status.device != (major, minor) {
            return Err(Errno::EXIST).step(step::DIFFERENT_NODE);
        }
        call::chown(node.raw(), uid, gid).step(step::CHOWN)?;
    }
    Ok(())
}
