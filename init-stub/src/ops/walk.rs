//! openat2(2) with RESOLVE_IN_ROOT, by hand, for kernels that lack it: a component at a time, of which none is opened
//! through a link, and each link read and resolved inside the root.

use super::text::{Buffer, Name};
use crate::sys::call::{self, O_DIRECTORY, O_NOFOLLOW, O_PATH, RESOLVE_NO_SYMLINKS};
use crate::sys::call::{S_IFDIR, S_IFLNK, S_IFMT};
use crate::sys::{Errno, Failure, Fd, Outcome, Path, failed};
use crate::wire::call as step;

/// How many links are followed, as the kernel has it.
const LINKS: usize = 40;

/// Opens a path below the root.
pub fn open(root: i32, path: &[u8], flags: u64, resolve: u64) -> Outcome<Fd> {
    let mut rest = Buffer::new();
    rest.push(&[path])?;
    // The part that is resolved, without links: from its start anew, `..` cannot lead above the root.
    let mut done = Buffer::new();
    let mut at = walk_down(root, &[])?;
    let mut links = LINKS;
    let mut name = Name::new();
    while let Some((component, behind)) = first(rest.bytes()) {
        let last = behind.is_empty();
        let used = rest.bytes().len() - behind.len();
        name.set(component)?;
        if component == b".." {
            rest.drop_front(used);
            done.pop();
            at = walk_down(root, done.bytes())?;
            continue;
        }
        let found = call::openat(at.raw(), name.path(), O_PATH | O_NOFOLLOW, 0)?;
        let kind = call::stat(found.raw())?.mode & S_IFMT;
        if kind == S_IFLNK && !(last && flags & O_NOFOLLOW != 0) {
            if resolve & RESOLVE_NO_SYMLINKS != 0 {
                return failed(step::OPEN, Errno::LOOP);
            }
            links = links
                .checked_sub(1)
                .ok_or(Failure::new(step::OPEN, Errno::LOOP))?;
            let mut text = Buffer::new();
            text.read_link(&found)?;
            if text.bytes().starts_with(b"/") {
                done.clear();
                at = walk_down(root, &[])?;
            }
            text.push(&[behind])?;
            rest = text;
            continue;
        }
        if last {
            return match flags & O_PATH {
                0 => call::openat(at.raw(), name.path(), flags | O_NOFOLLOW, 0),
                _ if flags & O_DIRECTORY != 0 && kind != S_IFDIR => {
                    failed(step::OPEN, Errno::NOTDIR)
                }
                _ => Ok(found),
            };
        }
        if kind != S_IFDIR {
            return failed(step::OPEN, Errno::NOTDIR);
        }
        done.push(&[b"/", component])?;
        rest.drop_front(used);
        at = found;
    }
    match flags & O_PATH {
        0 => call::openat(at.raw(), Path::HERE, flags, 0),
        _ => Ok(at),
    }
}

/// The first component that means something, and what stands behind it.
fn first(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = path;
    while !rest.is_empty() {
        let slash = rest.iter().position(|byte| *byte == b'/');
        let (component, behind) = rest.split_at_checked(slash.unwrap_or(rest.len()))?;
        if !matches!(component, b"" | b".") {
            return Some((component, behind));
        }
        rest = behind.get(1..).unwrap_or(&[]);
    }
    None
}

/// Goes down directories that are no links.
fn walk_down(root: i32, path: &[u8]) -> Outcome<Fd> {
    let mut at = call::openat(root, Path::HERE, O_PATH | O_DIRECTORY, 0)?;
    let mut rest = path;
    let mut name = Name::new();
    while let Some((component, behind)) = first(rest) {
        name.set(component)?;
        let flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
        at = call::openat(at.raw(), name.path(), flags, 0)?;
        rest = behind;
    }
    Ok(at)
}
