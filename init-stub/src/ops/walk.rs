//! openat2(2) with RESOLVE_IN_ROOT, by hand, for kernels that lack it: a component at a time, of which none is opened
//! through a link, and each link read and resolved inside the root.

use super::paths::{Buffer, Name};
use crate::sys::call::{self, O_DIRECTORY, O_NOFOLLOW, O_PATH, RESOLVE_NO_SYMLINKS};
use crate::sys::call::{S_IFDIR, S_IFLNK, S_IFMT};
use crate::sys::{Errno, Fd, Result};

/// How many links are followed, as the kernel has it.
const LINKS: usize = 40;

/// Opens a path below the root.
pub fn open(root: i32, path: &[u8], flags: u64, resolve: u64) -> Result<Fd> {
    let mut rest = Buffer::new();
    rest.push(path)?;
    // The part that is resolved, without links: from its start anew, `..` cannot lead above the root.
    let mut done = Buffer::new();
    let mut at = call::openat(root, c".", O_PATH | O_DIRECTORY, 0)?;
    let mut links = LINKS;
    loop {
        let mut name = [0; 256];
        let (component, last) = match rest.first() {
            None => return reopen(at, flags),
            Some((component, last)) => {
                let place = name.get_mut(..component.len());
                place
                    .filter(|_| component.len() < 256)
                    .ok_or(Errno::NAMETOOLONG)?
                    .copy_from_slice(component);
                (component.len(), last)
            }
        };
        rest.drop_first();
        let component = name.get(..component).unwrap_or(&[]);
        if component == b".." {
            done.pop();
            at = walk_down(root, done.text())?;
            continue;
        }
        let named = Name::new(component)?;
        let named = named.c_str()?;
        let found = call::openat(at.raw(), named, O_PATH | O_NOFOLLOW, 0)?;
        let kind = call::stat(found.raw())?.mode & S_IFMT;
        if kind == S_IFLNK && !(last && flags & O_NOFOLLOW != 0) {
            if resolve & RESOLVE_NO_SYMLINKS != 0 {
                return Err(Errno::LOOP);
            }
            links = links.checked_sub(1).ok_or(Errno::LOOP)?;
            let mut text = [0; 4096];
            let length = call::readlink(found.raw(), &mut text)?;
            let text = text.get(..length).unwrap_or(&[]);
            if text.starts_with(b"/") {
                done = Buffer::new();
                at = call::openat(root, c".", O_PATH | O_DIRECTORY, 0)?;
            }
            let mut whole = Buffer::new();
            whole.push(text)?;
            if !last {
                whole.push(b"/")?;
                whole.push(rest.text())?;
            }
            rest = whole;
            continue;
        }
        if last {
            return match flags & O_PATH {
                0 => call::openat(at.raw(), named, flags | O_NOFOLLOW, 0),
                _ if flags & O_DIRECTORY != 0 && kind != S_IFDIR => Err(Errno::NOTDIR),
                _ => Ok(found),
            };
        }
        if kind != S_IFDIR {
            return Err(Errno::NOTDIR);
        }
        done.push(b"/")?;
        done.push(component)?;
        at = found;
    }
}

/// The directory that was come to, with these flags.
fn reopen(at: Fd, flags: u64) -> Result<Fd> {
    match flags & O_PATH {
        0 => call::openat(at.raw(), c".", flags, 0),
        _ => Ok(at),
    }
}

/// Goes down directories that are no links.
fn walk_down(root: i32, path: &[u8]) -> Result<Fd> {
    let mut at = call::openat(root, c".", O_PATH | O_DIRECTORY, 0)?;
    for component in path
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
    {
        let name = Name::new(component)?;
        at = call::openat(
            at.raw(),
            name.c_str()?,
            O_PATH | O_DIRECTORY | O_NOFOLLOW,
            0,
        )?;
    }
    Ok(at)
}
