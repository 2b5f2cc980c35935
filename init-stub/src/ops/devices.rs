//! Device nodes, directories and links below the rootfs.

use super::paths;
use crate::machine::{Failure, Machine, Outcome, Step, c};
use crate::sys::Errno;
use crate::sys::call::{self, O_NOFOLLOW, O_PATH, S_IFMT};
use crate::wire::{Text, call as step};

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
                return Err(Failure {
                    step: step::DIFFERENT_NODE,
                    errno: Errno::EXIST,
                });
            }
        }
        result => result.step(step::MKNOD)?,
    }
    if (uid, gid) != (0, 0) {
        let node = call::openat(place, name, O_PATH | O_NOFOLLOW, 0).step(step::OPEN)?;
        call::chown(node.raw(), uid, gid).step(step::CHOWN)?;
    }
    Ok(())
}
