//! Paths below the rootfs, which belongs to somebody hostile: each is resolved to a descriptor by the kernel,
//! which does not let it leave the root, and all that follows is done on that descriptor.

use super::mounts::is_missing;
use super::walk;
use crate::machine::{Failure, Machine, Outcome, Step};
use crate::sys::call::{
    self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, S_IFLNK, S_IFMT,
};
use crate::sys::call::{RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS};
use crate::sys::{Errno, Fd, Result};
use crate::wire::{Text, call as step, create, follow};
use core::ffi::CStr;

/// The longest path and the longest name, with their NULs: limits.h.
const PATH_BYTES: usize = 4096;
const NAME_BYTES: usize = 256;

/// How often a resolution is tried that a rename elsewhere has disturbed.
const TRIES: usize = 128;

/// How many links a missing target may be reached through.
const LINKS: usize = 40;

/// Opens a path below the rootfs.
pub fn open(root: i32, path: &CStr, flags: u64) -> Result<Fd> {
    open_how(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
}

/// Opens a path below the rootfs on which there is no link at all.
pub fn open_without_links(root: i32, path: &CStr, flags: u64) -> Result<Fd> {
    open_how(
        root,
        path,
        flags,
        RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
    )
}

fn open_how(root: i32, path: &CStr, flags: u64, resolve: u64) -> Result<Fd> {
    for _ in 0..TRIES {
        match call::openat2(root, path, flags, resolve) {
            Err(Errno::AGAIN) => {}
            Err(errno) if is_missing(errno) => {
                return walk::open(root, path.to_bytes(), flags, resolve);
            }
            result => return result,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens a target of a mount, making what is missing. `create` is one of `wire::create`, `follow` of `wire::follow`.
pub fn target(machine: &Machine, path: Text<'_>, create: u8, follow: u8) -> Outcome<Fd> {
    let root = machine.root();
    let strict = follow == follow::NONE;
    let opened = match follow {
        follow::NONE => open_without_links(root, path.c_str()?, O_PATH),
        follow::PARENTS => open(root, path.c_str()?, O_PATH | O_NOFOLLOW),
        _ => open(root, path.c_str()?, O_PATH),
    };
    match opened {
        Err(Errno::NOENT) if create == create::DIRECTORY => {
            directory(root, path.bytes(), 0o755, strict)
        }
        Err(Errno::NOENT) if create == create::FILE => file(root, path.bytes(), strict),
        Err(Errno::LOOP) if strict => Err(Failure::new(step::NOT_DIRECTORY, Errno::LOOP)),
        result => result.step(step::OPENAT2),
    }
}

/// A buffer for one path and its NUL.
pub struct Buffer {
    bytes: [u8; PATH_BYTES],
    length: usize,
}

impl Buffer {
    /// An empty one.
    pub fn new() -> Buffer {
        Buffer {
            bytes: [0; PATH_BYTES],
            length: 0,
        }
    }

    /// Adds to the path.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.length + bytes.len();
        if end >= PATH_BYTES {
            return Err(Errno::NAMETOOLONG);
        }
        self.bytes
            .get_mut(self.length..end)
            .ok_or(Errno::NAMETOOLONG)?
            .copy_from_slice(bytes);
        *self.bytes.get_mut(end).ok_or(Errno::NAMETOOLONG)? = 0;
        self.length = end;
        Ok(())
    }

    /// The path.
    pub fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// The first component, and whether it is the last one too. Those that mean nothing are passed over.
    pub fn first(&self) -> Option<(&[u8], bool)> {
        let mut components = self
            .text()
            .split(|byte| *byte == b'/')
            .filter(|component| !component.is_empty() && *component != b".");
        let first = components.next()?;
        let last = components.next().is_none() && !self.text().ends_with(b"/");
        Some((first, last))
    }

    /// Takes the first component away.
    pub fn drop_first(&mut self) {
        let text = self.text();
        let mut start = 0;
        while let Some((component, rest)) = split_first(text.get(start..).unwrap_or(&[])) {
            start = text.len() - rest.len();
            if !component.is_empty() && component != b"." {
                break;
            }
        }
        self.bytes.copy_within(start..self.length, 0);
        self.length -= start;
    }

    /// Takes the last component away.
    pub fn pop(&mut self) {
        let slash = self.text().iter().rposition(|byte| *byte == b'/');
        self.length = slash.unwrap_or(0);
    }

    /// As a C string.
    pub fn c_str(&self) -> Result<&CStr> {
        let bytes = self.bytes.get(..=self.length).ok_or(Errno::NAMETOOLONG)?;
        CStr::from_bytes_with_nul(bytes).map_err(|_| Errno::INVAL)
    }
}

/// What stands before the first slash, and what behind it; none of an empty path.
fn split_first(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    let slash = path.iter().position(|byte| *byte == b'/');
    let end = slash.unwrap_or(path.len());
    let rest = path.get(end + 1..).unwrap_or(&[]);
    Some((path.get(..end).unwrap_or(&[]), rest))
}

/// A name with its NUL, for the calls that make something in a directory.
pub struct Name([u8; NAME_BYTES]);

impl Name {
    /// The name of an entry of a directory.
    pub fn entry(bytes: &[u8]) -> Result<Name> {
        match bytes {
            b"" | b"." | b".." => Err(Errno::INVAL),
            name => Name::new(name),
        }
    }

    /// The name, which is no longer than names may be.
    pub fn new(bytes: &[u8]) -> Result<Name> {
        let mut name = [0; NAME_BYTES];
        if bytes.len() >= NAME_BYTES {
            return Err(Errno::NAMETOOLONG);
        }
        name.get_mut(..bytes.len())
            .ok_or(Errno::NAMETOOLONG)?
            .copy_from_slice(bytes);
        Ok(Name(name))
    }

    /// As a C string.
    pub fn c_str(&self) -> Result<&CStr> {
        CStr::from_bytes_until_nul(&self.0).map_err(|_| Errno::INVAL)
    }
}

/// Opens a directory below the rootfs, making what is missing of it. A link on the way that leads nowhere has
/// its target made, below the rootfs.
pub fn directory(root: i32, path: &[u8], mode: u32, nofollow: bool) -> Outcome<Fd> {
    let mut whole = Buffer::new();
    whole
        .push(b"/")
        .and_then(|()| whole.push(path))
        .step(step::OPENAT2)?;
    if !nofollow
        && let Ok(there) = open(
            root,
            whole.c_str().step(step::OPENAT2)?,
            O_PATH | O_DIRECTORY,
        )
    {
        return Ok(there);
    }
    let mut links = LINKS;
    make(root, path, mode, nofollow, &mut links)
}

fn make(root: i32, path: &[u8], mode: u32, nofollow: bool, links: &mut usize) -> Outcome<Fd> {
    let mut at = open(root, c"/", O_PATH | O_DIRECTORY).step(step::OPENAT2)?;
    let mut done = Buffer::new();
    for component in path.split(|byte| *byte == b'/') {
        if component.is_empty() || component == b"." {
            continue;
        }
        done.push(b"/")
            .and_then(|()| done.push(component))
            .step(step::MKDIR)?;
        let whole = done.c_str().step(step::MKDIR)?;
        let mut opened = match nofollow {
            true => open_without_links(root, whole, O_PATH | O_DIRECTORY),
            false => open(root, whole, O_PATH | O_DIRECTORY),
        };
        // `..` is the kernel's to resolve: opened from a descriptor it could lead out of the root.
        if opened.as_ref().err() == Some(&Errno::NOENT) && component != b".." {
            let name = Name::new(component).step(step::MKDIR)?;
            let name = name.c_str().step(step::MKDIR)?;
            match call::mkdirat(at.raw(), name, mode) {
                Err(Errno::EXIST) => {}
                result => result.step(step::MKDIR)?,
            }
            // What was made must be a directory, or was a link that leads nowhere.
            opened = call::openat(at.raw(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
            if !nofollow
                && opened
                    .as_ref()
                    .is_err_and(|errno| matches!(*errno, Errno::LOOP | Errno::NOTDIR))
            {
                opened = Ok(follow(root, &at, name, done.text(), mode, links)?);
            }
        }
        at = opened.step(step::OPENAT2)?;
    }
    Ok(at)
}

/// Makes the directory that a dangling link `name` in `at` leads to; `path` is the link's own.
fn follow(
    root: i32,
    at: &Fd,
    name: &CStr,
    path: &[u8],
    mode: u32,
    links: &mut usize,
) -> Outcome<Fd> {
    let mut whole = Buffer::new();
    destination(at, name, path, &mut whole, links)?;
    make(root, whole.text(), mode, false, links)
}

/// Puts into `whole` the path, from the root, that the link `name` in `at` leads to; `path` is the link's own.
fn destination(
    at: &Fd,
    name: &CStr,
    path: &[u8],
    whole: &mut Buffer,
    links: &mut usize,
) -> Outcome {
    *links = links
        .checked_sub(1)
        .ok_or(Failure::new(step::MKDIR, Errno::LOOP))?;
    let link = call::openat(at.raw(), name, O_PATH | O_NOFOLLOW, 0).step(step::OPEN)?;
    let status = call::stat(link.raw()).step(step::STAT)?;
    if status.mode & S_IFMT != S_IFLNK {
        return Err(Failure::new(step::MKDIR, Errno::NOTDIR));
    }
    let mut text = [0; 1024];
    let length = call::readlink(link.raw(), &mut text).step(step::OPEN)?;
    let text = text
        .get(..length)
        .filter(|text| text.len() < 1024)
        .ok_or(Errno::NAMETOOLONG)
        .step(step::OPEN)?;
    if !text.starts_with(b"/") {
        let parent = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        whole
            .push(path.get(..parent).unwrap_or(&[]))
            .and_then(|()| whole.push(b"/"))
            .step(step::MKDIR)?;
    }
    whole.push(text).step(step::MKDIR)
}

/// The path of the directory that holds the path's last component, and that component.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let mut path = path;
    while let Some(shorter) = path.strip_suffix(b"/") {
        path = shorter;
    }
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (
            path.get(..slash).unwrap_or(&[]),
            path.get(slash + 1..).unwrap_or(&[]),
        ),
        None => (&path[..0], path),
    }
}

/// The directory in which the path's last component is to be made, made itself if it is missing; and that component.
/// The directory is kept at hand.
pub fn place(machine: &mut Machine, path: &'static [u8]) -> Outcome<(i32, Name)> {
    let (parent, name) = split(path);
    let name = Name::entry(name).step(step::OPENAT2)?;
    if let Some(place) = machine.place(parent) {
        return Ok((place, name));
    }
    let opened = directory(machine.root(), parent, 0o755, false)?;
    let place = opened.raw();
    machine.set_place(parent, opened);
    Ok((place, name))
}

/// The directory that holds the path's last component, made if it is missing; and that component.
fn parent(root: i32, path: &[u8], nofollow: bool) -> Outcome<(Fd, Name)> {
    let (parent, name) = split(path);
    let name = Name::entry(name).step(step::OPENAT2)?;
    Ok((directory(root, parent, 0o755, nofollow)?, name))
}

/// Opens a file below the rootfs, made empty if it is missing. A link that leads nowhere has its target made, below
/// the rootfs: an image's /etc/resolv.conf is often one.
fn file(root: i32, path: &[u8], nofollow: bool) -> Outcome<Fd> {
    let mut links = LINKS;
    make_file(root, path, nofollow, &mut links)
}

fn make_file(root: i32, path: &[u8], nofollow: bool, links: &mut usize) -> Outcome<Fd> {
    let (directory, name) = parent(root, path, nofollow)?;
    let name = name.c_str().step(step::OPEN)?;
    // Only made anew: what is there already, be it a link or a FIFO, is not opened for writing.
    match call::openat(
        directory.raw(),
        name,
        O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW,
        0o644,
    ) {
        Err(Errno::EXIST) => {}
        result => drop(result.step(step::OPEN)?),
    }
    let made = call::openat(directory.raw(), name, O_PATH | O_NOFOLLOW, 0).step(step::OPEN)?;
    if call::stat(made.raw()).step(step::STAT)?.mode & S_IFMT != S_IFLNK {
        return Ok(made);
    }
    if nofollow {
        return Err(Errno::LOOP).step(step::OPEN);
    }
    let mut whole = Buffer::new();
    destination(&directory, name, path, &mut whole, links)?;
    make_file(root, whole.text(), false, links)
}
