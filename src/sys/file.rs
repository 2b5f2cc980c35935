//! Files and directories relative to a descriptor, each by one system call.

use super::{c_path, check};
use crate::error::Result;
use crate::path::is_normal;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Opens a directory to work in: O_PATH.
pub fn open_directory(path: &Path) -> std::io::Result<OwnedFd> {
    open(
        libc::AT_FDCWD,
        path,
        libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC,
    )
}

fn open(directory: i32, path: &Path, flags: i32) -> std::io::Result<OwnedFd> {
    open_mode(directory, path, flags, 0)
}

fn open_mode(directory: i32, path: &Path, flags: i32, mode: u32) -> std::io::Result<OwnedFd> {
    let path = c_path(path).map_err(|error| std::io::Error::other(error.to_string()))?;
    let (directory, path) = match directory {
        libc::AT_FDCWD => shortcut(&path),
        directory => (directory, &*path),
    };
    // SAFETY: the path is a C string that outlives the call.
    // musl's own adds an fcntl(2), for kernels before 2.6.23.
    let fd = unsafe { libc::syscall(libc::SYS_openat, directory, path.as_ptr(), flags, mode) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Where the kernel is to begin with a path. Half the price of most calls for a cgroup is the way to it, through three
/// mounts whose entries are checked each time: so that is gone once, and the rest of it is looked up from there.
pub(super) fn shortcut(path: &CStr) -> (i32, &CStr) {
    const CGROUPS: &str = "/sys/fs/cgroup";
    static DIRECTORY: OnceLock<Option<OwnedFd>> = OnceLock::new();

    let below = |rest: &[u8]| matches!(rest, [b'/', first, ..] if *first != b'/');
    if !(path.to_bytes().strip_prefix(CGROUPS.as_bytes())).is_some_and(below) {
        return (libc::AT_FDCWD, path);
    }
    match DIRECTORY.get_or_init(|| open_directory(Path::new(CGROUPS)).ok()) {
        Some(directory) => (directory.as_raw_fd(), &path[CGROUPS.len() + 1..]),
        None => (libc::AT_FDCWD, path),
    }
}

/// Opens a file of a kernel's file system for writing. It is never made.
pub fn open_to_write(path: &Path) -> std::io::Result<File> {
    open(libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_CLOEXEC).map(File::from)
}

/// Makes a file, or empties the one that is there, to write to it.
pub fn create(path: &Path, mode: u32) -> std::io::Result<File> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC;
    open_mode(libc::AT_FDCWD, path, flags, mode).map(File::from)
}

/// Writes the parts one after the other: in one call, if the file takes that much.
pub fn write_parts(file: &mut File, parts: &[&[u8]]) -> std::io::Result<()> {
    let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut written = file.write_vectored(&slices)?;
    for part in parts {
        let done = written.min(part.len());
        written -= done;
        if done < part.len() {
            file.write_all(&part[done..])?;
        }
    }
    Ok(())
}

/// The contents of a file of any kind.
pub fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = open_to_read(path)?;
    let size = size(&file)?;
    let mut contents = vec![0; size + 1];
    let mut length = 0;
    loop {
        match file.read(&mut contents[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        // A regular file tells its size; of what does not, the end must be seen.
        if length == size {
            break;
        }
        if length == contents.len() {
            contents.resize(length + length.max(READ_BYTES), 0);
        }
    }
    contents.truncate(length);
    Ok(contents)
}

/// A regular file's contents, as far as they are needed: until `enough` says so of what was read.
pub fn read_until(path: &Path, enough: impl Fn(&[u8]) -> bool) -> std::io::Result<Vec<u8>> {
    read_on(open_to_read(path)?, &|contents, _| enough(contents))
}

/// Reads on until the end, or until `enough` says so of what was read, and of how much of it came last.
fn read_on(mut file: File, enough: &dyn Fn(&[u8], usize) -> bool) -> std::io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    let mut buffer = [0; READ_BYTES];
    loop {
        let count = match file.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        contents.extend_from_slice(&buffer[..count]);
        if count == 0 || enough(&contents, count) {
            return Ok(contents);
        }
    }
}

/// How much is read at once of what does not tell its size.
const READ_BYTES: usize = 4096;

fn open_to_read(path: &Path) -> std::io::Result<File> {
    open(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC).map(File::from)
}

fn size(file: &File) -> std::io::Result<usize> {
    // SAFETY: all zeroes are a valid structure, which the kernel fills in.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        match libc::fstat(file.as_raw_fd(), &raw mut stat) {
            0 => Ok(stat.st_size as usize),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
}

/// The text of a file of a kernel's file system, which does not tell its size: in few reads, without asking for it.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    read_all(open_to_read(path)?)
}

/// As [`read_text`], for a file in a directory.
pub fn read_text_at(directory: BorrowedFd<'_>, name: &str) -> std::io::Result<String> {
    read_all(File::from(open(
        directory.as_raw_fd(),
        Path::new(name),
        libc::O_RDONLY | libc::O_CLOEXEC,
    )?))
}

fn read_all(file: File) -> std::io::Result<String> {
    Ok(into_text(&read_on(file, &|_, _| false)?))
}

/// The text of a file of a kernel's file system that holds one record: the kernel gives it whole, so that a read(2)
/// which could have given more was the last.
pub fn read_record(path: &Path) -> std::io::Result<String> {
    let file = open_to_read(path)?;
    Ok(into_text(&read_on(file, &|_, count| count < READ_BYTES)?))
}

/// Names of processes and paths of mounts in it may be any bytes, put there by anybody: they hide nothing else.
fn into_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The path of a directory without links, from the root: as realpath(3), which asks for each component.
pub fn canonical_directory(path: &Path) -> std::io::Result<PathBuf> {
    if is_canonical_directory(path) {
        return Ok(path.into());
    }
    let directory = open_directory(path)?;
    let link = format!("/proc/self/fd/{}\0", directory.as_raw_fd());
    let mut buffer = [0u8; libc::PATH_MAX as usize];
    // SAFETY: the path is a C string, and the buffer is as long as it is said to be.
    let length = unsafe {
        libc::readlink(
            link.as_ptr().cast(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    if length < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(OsStr::from_bytes(&buffer[..length as usize]).into())
}

/// Whether it is certain that a path is one of a directory that [`canonical_directory`] would return as it is.
pub fn is_canonical_directory(path: &Path) -> bool {
    const RESOLVE_NO_SYMLINKS: u64 = 0x04;
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    is_normal(path.as_os_str().as_bytes())
        && open_how(libc::AT_FDCWD, path, flags, RESOLVE_NO_SYMLINKS).is_ok()
}

/// Opens a path for its sake alone, with links and `..` meaning what they mean to one whose root the directory is:
/// openat2(2) with RESOLVE_IN_ROOT.
pub fn open_in_root(root: BorrowedFd<'_>, path: &Path) -> std::io::Result<OwnedFd> {
    const RESOLVE_IN_ROOT: u64 = 0x10;
    open_how(root.as_raw_fd(), path, libc::O_PATH, RESOLVE_IN_ROOT)
}

/// openat2(2), close-on-exec.
fn open_how(directory: i32, path: &Path, flags: i32, resolve: u64) -> std::io::Result<OwnedFd> {
    let path = c_path(path).map_err(|error| std::io::Error::other(error.to_string()))?;
    let how = [(flags | libc::O_CLOEXEC) as u64, 0, resolve];
    // SAFETY: the path is a C string, and `struct open_how` is three of these; both outlive the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            directory,
            path.as_ptr(),
            &raw const how,
            size_of_val(&how),
        )
    };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// unlink(2); one that is not there is gone.
pub fn remove(path: &Path) -> std::io::Result<()> {
    let path = c_path(path).map_err(|error| std::io::Error::other(error.to_string()))?;
    // SAFETY: the path is a C string that outlives the call.
    match unsafe { libc::unlink(path.as_ptr()) } {
        0 => Ok(()),
        _ => match std::io::Error::last_os_error() {
            error if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            error => Err(error),
        },
    }
}

/// mkdir(2) with mode 0755.
pub fn make_directory(path: &Path) -> std::io::Result<()> {
    let path = c_path(path).map_err(|error| std::io::Error::other(error.to_string()))?;
    let (directory, path) = shortcut(&path);
    // SAFETY: the path is a C string that outlives the call.
    match unsafe { libc::mkdirat(directory, path.as_ptr(), 0o755) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// rmdir(2).
pub fn remove_directory(path: &Path) -> std::io::Result<()> {
    let path = c_path(path).map_err(|error| std::io::Error::other(error.to_string()))?;
    let (directory, path) = shortcut(&path);
    // SAFETY: the path is a C string that outlives the call.
    match unsafe { libc::unlinkat(directory, path.as_ptr(), libc::AT_REMOVEDIR) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// The magic number of the file system that the path is on: statfs(2).
pub fn filesystem_magic(path: &Path) -> Result<u64> {
    let path = c_path(path)?;
    // SAFETY: all zeroes are a valid structure, which the kernel fills in.
    unsafe {
        let mut stat: libc::statfs = std::mem::zeroed();
        check(libc::statfs(path.as_ptr(), &raw mut stat))?;
        Ok(stat.f_type as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_cgroups_is_gone_once() {
        for path in [
            c"/sys/fs/cgroup",
            c"/sys/fs/cgroup/",
            c"/sys/fs/cgroups/a",
            c"/sys/fs/cgroup//a",
        ] {
            assert_eq!(shortcut(path), (libc::AT_FDCWD, path));
        }
        if Path::new("/sys/fs/cgroup").is_dir() {
            assert_eq!(shortcut(c"/sys/fs/cgroup/a/b").1, c"a/b");
        }
    }
}
