//! Device nodes, directories and links below the rootfs.

use super::text::{Buffer, Name};
use super::{legacy, paths};
use crate::machine::{Machine, c};
use crate::sys::call::{
    self, AT_EMPTY_PATH, AT_FDCWD, O_NOFOLLOW, O_PATH, O_RDWR, S_IFCHR, S_IFIFO, S_IFMT, Status,
};
use crate::sys::{Errno, Fd, Outcome, Path, Step, failed};
use crate::wire::{Text, call as step, create, follow};

/// A directory, with its parents.
pub fn directory(machine: &Machine, path: Text<'_>, mode: u32) -> Outcome {
    paths::directory(machine.root(), path.bytes(), mode, false).map(drop)
}

/// A symbolic link, unless something is there.
pub fn link(machine: &mut Machine, target: Text<'_>, path: Text<'static>) -> Outcome {
    let mut name = Name::new();
    let place = paths::place(machine, path, &mut name)?;
    match call::symlinkat(c(target), place, name.path()) {
        Err(failure) if failure.is(Errno::EXIST) => Ok(()),
        result => result,
    }
}

/// A symbolic link; what is there already is removed, or must be the same link.
pub fn exact_link(
    machine: &mut Machine,
    target: Text<'_>,
    path: Text<'static>,
    replace: bool,
) -> Outcome {
    let mut name = Name::new();
    let place = paths::place(machine, path, &mut name)?;
    let name = name.path();
    match call::symlinkat(c(target), place, name) {
        Err(failure) if failure.is(Errno::EXIST) && replace => {
            call::unlinkat(place, name)?;
            call::symlinkat(c(target), place, name)
        }
        Err(failure) if failure.is(Errno::EXIST) => {
            let there = call::openat(place, name, O_PATH | O_NOFOLLOW, 0)?;
            let mut text = Buffer::new();
            match text.read_link(&there) {
                Ok(()) if text.bytes() == target.bytes() => Ok(()),
                _ => failed(step::DIFFERENT_NODE, Errno::EXIST),
            }
        }
        result => result,
    }
}

/// Opens the container's null device in place of those standard streams that are the host's.
pub fn reopen_null(machine: &mut Machine, streams: u8) -> Outcome {
    let null = null(machine, O_RDWR)?;
    for stream in 0..3 {
        if streams >> stream & 1 != 0 {
            call::dup_to(null.raw(), stream)?;
        }
    }
    machine.null = Some(null);
    Ok(())
}

/// Opens the container's null device, if that is what it is: the rootfs may have anything in its place.
pub fn null(machine: &Machine, flags: u64) -> Outcome<Fd> {
    let dev = machine.place(b"/dev").unwrap_or(-1);
    let null = match call::openat(dev, Path::of(c"null"), flags | O_NOFOLLOW, 0) {
        Ok(null) => null,
        Err(_) => paths::open(machine.root(), Text::new(b"/dev/null\0"), flags)?,
    };
    match is_node(call::stat(null.raw())?, S_IFCHR, (1, 3)) {
        true => Ok(null),
        false => failed(step::DIFFERENT_NODE, Errno::INVAL),
    }
}

/// Whether it is a file of that kind, with that device number.
fn is_node(status: Status, mode: u32, device: (u32, u32)) -> bool {
    status.mode & S_IFMT == mode & S_IFMT && status.device == device
}

/// A device node or FIFO, unless the same is there already.
pub fn node(
    machine: &mut Machine,
    path: Text<'static>,
    mode: u32,
    device: (u32, u32),
    (uid, gid): (u32, u32),
) -> Outcome {
    let mut name = Name::new();
    let place = paths::place(machine, path, &mut name)?;
    let name = name.path();
    // The kernel's own encoding of device numbers.
    let (major, minor) = device;
    let number = minor & 0xff | major << 8 | (minor & !0xff) << 12;
    match call::mknodat(place, name, mode, number) {
        Err(failure) if failure.is(Errno::EXIST) => {
            let there = call::stat_at(place, name, call::AT_SYMLINK_NOFOLLOW)?;
            if !is_node(there, mode, device) {
                return failed(step::DIFFERENT_NODE, Errno::EXIST);
            }
        }
        // Without the right to make devices there is still the host's.
        Err(failure) if failure.is(Errno::PERM) && mode & S_IFMT != S_IFIFO => {
            let host = call::openat(AT_FDCWD, c(path), O_PATH, 0).at(step::MKNOD)?;
            let place = paths::target(machine, path, create::FILE, follow::ALL)?;
            return legacy::put(host.raw(), AT_EMPTY_PATH, &place).map(drop);
        }
        result => result?,
    }
    if (uid, gid) != (0, 0) {
        // Whoever shares the directory may have put something else in its place.
        let node = call::openat(place, name, O_PATH | O_NOFOLLOW, 0)?;
        if !is_node(call::stat(node.raw())?, mode, device) {
            return failed(step::DIFFERENT_NODE, Errno::EXIST);
        }
        call::chown(node.raw(), uid, gid)?;
    }
    Ok(())
}
