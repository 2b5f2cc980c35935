//! Mounts: a tree is made or taken, changed, and put in place.

use super::paths::{self, Name};
use crate::machine::{Machine, Outcome, Step, c};
use crate::sys::call::{
    self, AT_FDCWD, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW,
};
use crate::sys::call::{O_PATH, O_WRONLY, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use crate::sys::{Errno, Fd};
use crate::wire::{List, Slot, Text, call as step, create};
use core::ffi::CStr;

/// Superblock flags that fsconfig(2) takes by name.
const FLAGS: &[(u64, &CStr)] = &[
    (1, c"ro"),
    (16, c"sync"),
    (64, c"mand"),
    (128, c"dirsync"),
    (1 << 25, c"lazytime"),
    (1 << 23, c"iversion"),
];

/// A new file system instance.
pub fn new(
    machine: &mut Machine,
    fstype: Text<'_>,
    source: Text<'_>,
    options: List<'_>,
    superblock: u64,
    attributes: u64,
) -> Outcome {
    let opened = call::fsopen(c(fstype)?).step(step::FSOPEN)?;
    let context = opened.raw();
    match call::fsconfig(
        context,
        call::FSCONFIG_SET_STRING,
        Some(c"source"),
        Some(c(source)?),
    ) {
        // Some file systems have none.
        Err(Errno::INVAL) => {}
        result => result.step(step::FSCONFIG)?,
    }
    for (_, name) in FLAGS.iter().filter(|(flag, _)| superblock & flag != 0) {
        call::fsconfig(context, call::FSCONFIG_SET_FLAG, Some(name), None).step(step::FSCONFIG)?;
    }
    for option in options.iter() {
        configure(context, option)?;
    }
    call::fsconfig(context, call::FSCONFIG_CMD_CREATE, None, None).step(step::FSCONFIG)?;
    machine.set_tree(call::fsmount(context, attributes).step(step::FSMOUNT)?);
    machine.discard(opened);
    Ok(())
}

/// One option: `key=value` or a flag.
fn configure(context: i32, option: Text<'_>) -> Outcome {
    const KEY_BYTES: usize = 256;
    let Some(equals) = option.bytes().iter().position(|byte| *byte == b'=') else {
        return call::fsconfig(context, call::FSCONFIG_SET_FLAG, Some(c(option)?), None)
            .step(step::FSCONFIG);
    };
    let mut key = [0; KEY_BYTES];
    let given = option.bytes().get(..equals).unwrap_or(&[]);
    match key.get_mut(..given.len()).filter(|_| equals < KEY_BYTES) {
        Some(place) => place.copy_from_slice(given),
        None => return Err(Errno::INVAL).step(step::FSCONFIG),
    }
    let key = CStr::from_bytes_until_nul(&key)
        .map_err(|_| Errno::INVAL)
        .step(step::FSCONFIG)?;
    let value = c(option)?
        .to_bytes_with_nul()
        .get(equals + 1..)
        .unwrap_or(b"\0");
    let value = CStr::from_bytes_with_nul(value)
        .map_err(|_| Errno::INVAL)
        .step(step::FSCONFIG)?;
    call::fsconfig(context, call::FSCONFIG_SET_STRING, Some(key), Some(value)).step(step::FSCONFIG)
}

/// A tree that the runtime opened.
pub fn take(machine: &mut Machine, tree: Slot) -> Outcome {
    let descriptor = machine.descriptor(tree)?;
    machine.set_tree(call::adopt(descriptor));
    Ok(())
}

/// A copy of a tree of the host's.
pub fn copy(machine: &mut Machine, path: Text<'_>, recursive: bool, nofollow: bool) -> Outcome {
    let mut flags = 0;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    if nofollow {
        flags |= AT_SYMLINK_NOFOLLOW;
    }
    machine.set_tree(call::clone_tree(AT_FDCWD, c(path)?, flags).step(step::OPEN_TREE)?);
    Ok(())
}

/// Attributes and propagation of the tree.
pub fn change(
    machine: &mut Machine,
    set: u64,
    clear: u64,
    propagation: u64,
    recursive: bool,
    locked_ok: bool,
) -> Outcome {
    let tree = machine.tree()?;
    let flags = if recursive { AT_RECURSIVE } else { 0 };
    match call::mount_setattr(tree, flags, set, clear, propagation) {
        // A user namespace may add restrictions, but not take away those that it found.
        Err(Errno::PERM) if locked_ok && clear != 0 => {
            call::mount_setattr(tree, flags, set, 0, propagation)
        }
        result => result,
    }
    .step(step::MOUNT_SETATTR)
}

/// Puts the tree in place.
pub fn attach(machine: &mut Machine, target: Text<'static>, create: u8, nofollow: bool) -> Outcome {
    let tree = machine.take_tree()?;
    let (parent, name) = paths::split(target.bytes());
    if create == create::DIRECTORY {
        if parent.is_empty() && attach_at(&tree, machine.root(), name, false) {
            machine.set_place(target.bytes(), tree);
            return Ok(());
        }
        if let Some(place) = machine.place(parent).filter(|_| !nofollow)
            && attach_at(&tree, place, name, true)
        {
            machine.discard(tree);
            return Ok(());
        }
    }
    let place = paths::target(machine, target, create, nofollow)?;
    call::move_mount(tree.raw(), place.raw()).step(step::MOVE_MOUNT)?;
    machine.discard(place);
    machine.set_place(target.bytes(), tree);
    Ok(())
}

/// Puts the tree onto a directory that is an entry of one at hand, made if `make` says so. What is no directory, as a
/// link, is left alone: false, as for every failure; the way by the whole path tells what is wrong.
fn attach_at(tree: &Fd, directory: i32, name: &[u8], make: bool) -> bool {
    let Ok(name) = Name::entry(name) else {
        return false;
    };
    let Ok(name) = name.c_str() else {
        return false;
    };
    if make {
        let _ = call::mkdirat(directory, name, 0o755);
    }
    call::move_mount_at(tree.raw(), directory, name).is_ok()
}

/// mount(2) with MS_REMOUNT on what is mounted at the target.
pub fn remount(machine: &mut Machine, target: Text<'_>, flags: u64, data: Text<'_>) -> Outcome {
    let target = paths::open(machine.root(), c(target)?, O_PATH).step(step::OPENAT2)?;
    if flags & call::MS_BIND != 0 {
        // Attributes of this mount, or with MS_REC of those below it too: what a mount already has is kept.
        let whole = if flags & call::MS_REC != 0 {
            AT_RECURSIVE
        } else {
            0
        };
        return call::mount_setattr(target.raw(), whole, attributes(flags), 0, 0)
            .step(step::MOUNT_SETATTR);
    }
    let path = DescriptorPath::new(target.raw());
    let data = Some(c(data)?).filter(|data| !data.is_empty());
    call::mount(None, path.c_str(), flags | call::MS_REMOUNT, data).step(step::MOUNT)
}

/// `MS_*` flags of mount(2) as `MOUNT_ATTR_*`: the first four are the same.
fn attributes(flags: u64) -> u64 {
    let nosymfollow = if flags & 256 != 0 { 0x20_0000 } else { 0 };
    let noatime = if flags & 1024 != 0 { 0x10 } else { 0 };
    let nodiratime = if flags & 2048 != 0 { 0x80 } else { 0 };
    flags & 0xf | nosymfollow | noatime | nodiratime
}

/// `/proc/self/fd/N`, for calls that take no descriptor.
pub struct DescriptorPath([u8; 32]);

impl DescriptorPath {
    /// The path of this descriptor.
    pub fn new(fd: i32) -> DescriptorPath {
        const PREFIX: &[u8] = b"/proc/self/fd/";
        let mut path = [0; 32];
        let mut digits = Digits::new(fd as u32);
        let text = PREFIX.iter().chain(digits.bytes());
        path.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        DescriptorPath(path)
    }

    /// As a C string.
    pub fn c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"/")
    }
}

/// A number in decimal.
pub struct Digits {
    digits: [u8; 10],
    start: usize,
}

impl Digits {
    /// The digits of that number.
    pub fn new(mut number: u32) -> Digits {
        let mut text = Digits {
            digits: [b'0'; 10],
            start: 10,
        };
        for (index, digit) in text.digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            text.start = index;
            if number == 0 {
                break;
            }
        }
        text
    }

    /// As text.
    pub fn bytes(&mut self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or(b"0")
    }
}

/// How deep `tmpcopyup` goes.
const DEPTH: usize = 32;

/// Copies what the target holds into the tree.
pub fn copy_up(machine: &mut Machine, target: Text<'_>) -> Outcome {
    let tree = machine.tree()?;
    let source = match paths::open(machine.root(), c(target)?, O_DIRECTORY) {
        Err(Errno::NOENT) => return Ok(()),
        result => result.step(step::OPENAT2)?,
    };
    let status = call::stat(source.raw()).step(step::STAT)?;
    let top = call::openat(tree, c".", O_DIRECTORY, 0).step(step::OPEN)?;
    call::fchmod(top.raw(), status.mode & 0o7777).step(step::CHOWN)?;
    call::chown(top.raw(), status.uid, status.gid).step(step::CHOWN)?;
    copy_directory(&source, &top, DEPTH)
}

fn copy_directory(source: &Fd, target: &Fd, depth: usize) -> Outcome {
    if depth == 0 {
        return Err(Errno::LOOP).step(step::OPEN);
    }
    let mut buffer = [0u8; 2048];
    loop {
        let length = call::getdents(source.raw(), &mut buffer).step(step::READ)?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..length).unwrap_or(&[]);
        // struct linux_dirent64: inode, offset, u16 length, type, name with NUL.
        while let Some(bytes) = rest.get(16..18) {
            let size = usize::from(u16::from_ne_bytes(bytes.try_into().unwrap_or([0; 2])));
            let name = rest
                .get(19..size)
                .and_then(|name| CStr::from_bytes_until_nul(name).ok());
            rest = rest.get(size.max(19)..).unwrap_or(&[]);
            if let Some(name) = name.filter(|name| !matches!(name.to_bytes(), b"." | b"..")) {
                copy_entry(source, target, name, depth)?;
            }
        }
    }
}

fn copy_entry(source: &Fd, target: &Fd, name: &CStr, depth: usize) -> Outcome {
    let entry = call::openat(source.raw(), name, O_PATH | O_NOFOLLOW, 0).step(step::OPEN)?;
    let status = call::stat(entry.raw()).step(step::STAT)?;
    let made = match status.mode & S_IFMT {
        S_IFDIR => {
            call::mkdirat(target.raw(), name, 0o700).step(step::MKDIR)?;
            let from =
                call::openat(source.raw(), name, O_DIRECTORY | O_NOFOLLOW, 0).step(step::OPEN)?;
            let to =
                call::openat(target.raw(), name, O_DIRECTORY | O_NOFOLLOW, 0).step(step::OPEN)?;
            copy_directory(&from, &to, depth - 1)?;
            to
        }
        S_IFREG => {
            let from = call::openat(source.raw(), name, O_NOFOLLOW, 0).step(step::OPEN)?;
            let to = call::openat(target.raw(), name, O_CREAT | O_EXCL | O_WRONLY, 0o600)
                .step(step::OPEN)?;
            copy_contents(&from, &to)?;
            to
        }
        S_IFLNK => {
            let mut text = [0; 4096];
            call::readlink(entry.raw(), &mut text).step(step::READ)?;
            let text = CStr::from_bytes_until_nul(&text)
                .map_err(|_| Errno::NAMETOOLONG)
                .step(step::SYMLINK)?;
            return call::symlinkat(text, target.raw(), name).step(step::SYMLINK);
        }
        _ => return Ok(()),
    };
    call::chown(made.raw(), status.uid, status.gid).step(step::CHOWN)?;
    call::fchmod(made.raw(), status.mode & 0o7777).step(step::CHOWN)
}

fn copy_contents(from: &Fd, to: &Fd) -> Outcome {
    let mut buffer = [0; 4096];
    loop {
        let length = call::read(from.raw(), &mut buffer).step(step::READ)?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..length).unwrap_or(&[]);
        while !rest.is_empty() {
            let written = call::write(to.raw(), rest).step(step::WRITE)?;
            rest = rest.get(written..).unwrap_or(&[]);
        }
    }
}
