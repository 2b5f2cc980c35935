//! Paths below the rootfs, which belongs to somebody hostile: each is resolved to a descriptor by the kernel,
//! which does not let it leave the root, and all that follows is done on that descriptor.

use super::text::{Buffer, Name};
use super::walk;
use crate::machine::{Machine, c};
use crate::sys::call::{
    self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, S_IFLNK, S_IFMT,
};
use crate::sys::call::{RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS};
use crate::sys::{Errno, Failure, Fd, Outcome, Path, Step, failed};
use crate::wire::{Text, call as step, create, follow};

/// How often a resolution is tried that a rename elsewhere has disturbed.
const TRIES: usize = 128;

/// How many links a missing target may be reached through.
const LINKS: usize = 40;

/// Opens a path below the rootfs.
pub fn open(root: i32, path: Text<'_>, flags: u64) -> Outcome<Fd> {
    open_how(root, path, flags, false)
}

/// Opens a path below the rootfs; where it is `strict`, one on which there is no link at all.
fn open_how(root: i32, path: Text<'_>, flags: u64, strict: bool) -> Outcome<Fd> {
    let mut resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    if strict {
        resolve |= RESOLVE_NO_SYMLINKS;
    }
    for _ in 0..TRIES {
        match call::openat2(root, c(path), flags, resolve) {
            Err(failure) if failure.is(Errno::AGAIN) => {}
            Err(failure) if failure.is_missing() => {
                return walk::open(root, path.bytes(), flags, resolve).at(step::OPENAT2);
            }
            result => return result,
        }
    }
    failed(step::OPENAT2, Errno::AGAIN)
}

/// Opens a target of a mount, making what is missing. `create` is one of `wire::create`, `follow` of `wire::follow`.
pub fn target(machine: &mut Machine, path: Text<'_>, create: u8, follow: u8) -> Outcome<Fd> {
    let root = machine.root();
    let strict = follow == follow::NONE;
    let flags = match follow {
        follow::PARENTS => O_PATH | O_NOFOLLOW,
        _ => O_PATH,
    };
    machine.straight = true;
    let mut opened = open_how(root, path, flags, true);
    if let Err(failure) = opened
        && failure.is(Errno::LOOP)
    {
        if strict {
            return Err(failure.at(step::NOT_DIRECTORY));
        }
        // It may lead to a directory that is at hand, or above one.
        machine.forget_places();
        opened = open_how(root, path, flags, false);
    }
    match opened {
        Err(failure) if failure.is(Errno::NOENT) && create == create::DIRECTORY => {
            directory(root, path.bytes(), 0o755, strict)
        }
        Err(failure) if failure.is(Errno::NOENT) && create == create::FILE => {
            make_file(root, path.bytes(), strict, &mut { LINKS })
        }
        result => result,
    }
}

/// Opens a directory below the rootfs, making what is missing of it. A link on the way that leads nowhere has
/// its target made, below the rootfs.
pub fn directory(root: i32, path: &[u8], mode: u32, nofollow: bool) -> Outcome<Fd> {
    let mut whole = Buffer::new();
    whole.push(&[b"/", path])?;
    if !nofollow && let Ok(there) = open(root, whole.text(), O_PATH | O_DIRECTORY) {
        return Ok(there);
    }
    make(root, path, mode, nofollow, &mut { LINKS })
}

fn make(root: i32, path: &[u8], mode: u32, nofollow: bool, links: &mut usize) -> Outcome<Fd> {
    let mut at = open(root, Text::new(b"/\0"), O_PATH | O_DIRECTORY)?;
    let mut done = Buffer::new();
    for component in path.split(|byte| *byte == b'/') {
        if component.is_empty() || component == b"." {
            continue;
        }
        done.push(&[b"/", component])?;
        let mut opened = open_how(root, done.text(), O_PATH | O_DIRECTORY, nofollow);
        // `..` is the kernel's to resolve: opened from a descriptor it could lead out of the root.
        if let Err(failure) = opened
            && failure.is(Errno::NOENT)
            && component != b".."
        {
            let mut name = Name::new();
            name.set(component)?;
            let name = name.path();
            match call::mkdirat(at.raw(), name, mode) {
                Err(failure) if failure.is(Errno::EXIST) => {}
                result => result?,
            }
            // What was made must be a directory, or was a link that leads nowhere.
            opened = call::openat(at.raw(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
            if let Err(failure) = opened
                && matches!(failure.errno(), Errno::LOOP | Errno::NOTDIR)
                && !nofollow
            {
                let mut whole = Buffer::new();
                destination(&at, name, done.bytes(), &mut whole, links)?;
                opened = make(root, whole.bytes(), mode, false, links);
            }
        }
        at = opened?;
    }
    Ok(at)
}

/// Puts into `whole` the path, from the root, that the link `name` in `at` leads to; `path` is the link's own.
fn destination(
    at: &Fd,
    name: Path<'_>,
    path: &[u8],
    whole: &mut Buffer,
    links: &mut usize,
) -> Outcome {
    *links = links
        .checked_sub(1)
        .ok_or(Failure::new(step::MKDIR, Errno::LOOP))?;
    let link = call::openat(at.raw(), name, O_PATH | O_NOFOLLOW, 0)?;
    if call::stat(link.raw())?.mode & S_IFMT != S_IFLNK {
        return failed(step::MKDIR, Errno::NOTDIR);
    }
    let mut text = Buffer::new();
    text.read_link(&link)?;
    if !text.bytes().starts_with(b"/") {
        let (parent, _) = split(path);
        whole.push(&[parent, b"/"])?;
    }
    whole.push(&[text.bytes()])
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
        None => (&[], path),
    }
}

/// The directory that the path's last component, `name`, is an entry of, if it is at hand.
pub fn beside(machine: &Machine, path: Text<'_>, name: &mut Name) -> Option<i32> {
    let (parent, last) = split(path.bytes());
    name.set_entry(last).ok()?;
    machine.place(parent)
}

/// The directory in which the path's last component, `name`, is to be made; made itself if it is missing. The directory
/// is kept at hand.
pub fn place(machine: &mut Machine, path: Text<'static>, name: &mut Name) -> Outcome<i32> {
    if let Some(place) = beside(machine, path, name) {
        return Ok(place);
    }
    let (parent, last) = split(path.bytes());
    name.set_entry(last)?;
    let opened = directory(machine.root(), parent, 0o755, false)?;
    let place = opened.raw();
    machine.set_place(parent, opened);
    Ok(place)
}

/// Opens a file below the rootfs, made empty if it is missing. A link that leads nowhere has its target made, below
/// the rootfs: an image's /etc/resolv.conf is often one.
fn make_file(root: i32, path: &[u8], nofollow: bool, links: &mut usize) -> Outcome<Fd> {
    let (parent, last) = split(path);
    let mut name = Name::new();
    name.set_entry(last)?;
    let name = name.path();
    let directory = directory(root, parent, 0o755, nofollow)?;
    // Only made anew: what is there already, be it a link or a FIFO, is not opened for writing.
    match call::openat(
        directory.raw(),
        name,
        O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW,
        0o644,
    ) {
        Err(failure) if failure.is(Errno::EXIST) => {}
        result => drop(result?),
    }
    let made = call::openat(directory.raw(), name, O_PATH | O_NOFOLLOW, 0)?;
    if call::stat(made.raw())?.mode & S_IFMT != S_IFLNK {
        return Ok(made);
    }
    if nofollow {
        return failed(step::OPEN, Errno::LOOP);
    }
    let mut whole = Buffer::new();
    destination(&directory, name, path, &mut whole, links)?;
    make_file(root, whole.bytes(), false, links)
}
