//! `tmpcopyup`: a new file system gets what the directory holds that it covers.

use super::text::{Buffer, filled};
use crate::sys::call::{self, AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use crate::sys::call::{
    O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_WRONLY,
};
use crate::sys::{Errno, Fd, Outcome, Path, failed};
use crate::wire::call as step;

/// How deep it goes.
const DEPTH: usize = 32;

/// Copies what the source holds into the root of the mount.
pub fn copy(source: &Fd, mount: i32) -> Outcome {
    let top = call::openat(mount, Path::HERE, O_DIRECTORY, 0)?;
    copy_directory(source, &top, DEPTH)
}

fn copy_directory(source: &Fd, target: &Fd, depth: usize) -> Outcome {
    if depth == 0 {
        return failed(step::OPEN, Errno::LOOP);
    }
    entries(source, |name| copy_entry(source, target, name, depth))
}

/// Does something with each entry of a directory.
pub fn entries(directory: &Fd, mut deed: impl FnMut(Path<'_>) -> Outcome) -> Outcome {
    let mut buffer = [0u8; 2048];
    loop {
        let length = call::getdents(directory.raw(), &mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = filled(&buffer, length);
        // struct linux_dirent64: inode, offset, u16 length, type, name with NUL.
        while let Some(bytes) = rest.get(16..18) {
            let size = usize::from(u16::from_ne_bytes(bytes.try_into().unwrap_or([0; 2])));
            let padded = rest.get(19..size).unwrap_or(&[]);
            let nul = padded.iter().position(|byte| *byte == 0);
            let name = nul.and_then(|nul| padded.get(..=nul));
            rest = rest.get(size.max(19)..).unwrap_or(&[]);
            if let Some(name) = name.filter(|name| !matches!(*name, b".\0" | b"..\0")) {
                deed(Path::new(name))?;
            }
        }
    }
}

/// Whoever else has the directory may change it: what is opened counts, not what was seen before, and nothing is opened
/// that waits for anybody.
fn copy_entry(source: &Fd, target: &Fd, name: Path<'_>, depth: usize) -> Outcome {
    let open = |flags| call::openat(source.raw(), name, O_NOFOLLOW | flags, 0);
    let seen = call::stat_at(source.raw(), name, AT_SYMLINK_NOFOLLOW)?;
    let (status, made) = match seen.mode & S_IFMT {
        S_IFDIR => {
            let from = open(O_DIRECTORY)?;
            let status = call::stat(from.raw())?;
            call::mkdirat(target.raw(), name, 0o700)?;
            let to = call::openat(target.raw(), name, O_DIRECTORY | O_NOFOLLOW, 0)?;
            copy_directory(&from, &to, depth - 1)?;
            (status, to)
        }
        S_IFREG => {
            let from = open(O_NONBLOCK | O_NOCTTY)?;
            let status = call::stat(from.raw())?;
            if status.mode & S_IFMT != S_IFREG {
                return Ok(());
            }
            let to = call::openat(target.raw(), name, O_CREAT | O_EXCL | O_WRONLY, 0o600)?;
            copy_contents(&from, &to)?;
            (status, to)
        }
        S_IFLNK => {
            let mut text = Buffer::new();
            text.read_link(&open(O_PATH)?)?;
            return call::symlinkat(text.path(), target.raw(), name);
        }
        _ => return Ok(()),
    };
    call::chown(made.raw(), status.uid, status.gid)?;
    call::fchmod(made.raw(), status.mode & 0o7777)
}

fn copy_contents(from: &Fd, to: &Fd) -> Outcome {
    let mut buffer = [0; 4096];
    loop {
        let length = call::read(from.raw(), &mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        call::write_all(to.raw(), filled(&buffer, length))?;
    }
}
