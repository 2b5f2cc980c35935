//! `tmpcopyup`: a new file system gets what the directory holds that it covers.

use crate::machine::{Outcome, Step};
use crate::sys::call::{self, AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use crate::sys::call::{
    O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_WRONLY,
};
use crate::sys::{Errno, Fd};
use crate::wire::call as step;
use core::ffi::CStr;

/// How deep it goes.
const DEPTH: usize = 32;

/// Copies what the source holds into the root of the mount.
pub fn copy(source: &Fd, mount: i32) -> Outcome {
    let top = call::openat(mount, c".", O_DIRECTORY, 0).step(step::OPEN)?;
    copy_directory(source, &top, DEPTH)
}

fn copy_directory(source: &Fd, target: &Fd, depth: usize) -> Outcome {
    if depth == 0 {
        return Err(Errno::LOOP).step(step::OPEN);
    }
    entries(source, |name| copy_entry(source, target, name, depth))
}

/// Does something with each entry of a directory.
pub fn entries(directory: &Fd, mut deed: impl FnMut(&CStr) -> Outcome) -> Outcome {
    let mut buffer = [0u8; 2048];
    loop {
        let length = call::getdents(directory.raw(), &mut buffer).step(step::READ)?;
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
                deed(name)?;
            }
        }
    }
}

/// Whoever else has the directory may change it: what is opened counts, not what was seen before, and nothing is opened
/// that waits for anybody.
fn copy_entry(source: &Fd, target: &Fd, name: &CStr, depth: usize) -> Outcome {
    let open = |flags| call::openat(source.raw(), name, O_NOFOLLOW | flags, 0).step(step::OPEN);
    let seen = call::stat_at(source.raw(), name, AT_SYMLINK_NOFOLLOW).step(step::STAT)?;
    let (status, made) = match seen.mode & S_IFMT {
        S_IFDIR => {
            let from = open(O_DIRECTORY)?;
            let status = call::stat(from.raw()).step(step::STAT)?;
            call::mkdirat(target.raw(), name, 0o700).step(step::MKDIR)?;
            let to =
                call::openat(target.raw(), name, O_DIRECTORY | O_NOFOLLOW, 0).step(step::OPEN)?;
            copy_directory(&from, &to, depth - 1)?;
            (status, to)
        }
        S_IFREG => {
            let from = open(O_NONBLOCK | O_NOCTTY)?;
            let status = call::stat(from.raw()).step(step::STAT)?;
            if status.mode & S_IFMT != S_IFREG {
                return Ok(());
            }
            let to = call::openat(target.raw(), name, O_CREAT | O_EXCL | O_WRONLY, 0o600)
                .step(step::OPEN)?;
            copy_contents(&from, &to)?;
            (status, to)
        }
        S_IFLNK => {
            let mut text = [0; 4096];
            let link = open(O_PATH)?;
            call::readlink(link.raw(), &mut text).step(step::READ)?;
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
