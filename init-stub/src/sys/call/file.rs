//! Files and descriptors.

use super::{descriptor, done, syscall};
use crate::sys::{Fd, Outcome, Path};

pub const AT_FDCWD: i32 = -100;
pub const AT_EMPTY_PATH: u32 = 0x1000;
pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
pub const AT_RECURSIVE: u32 = 0x8000;
pub const AT_EACCESS: u32 = 0x200;

// O_DIRECTORY and O_NOFOLLOW differ on arm.
#[cfg(any(target_arch = "arm", target_arch = "aarch64"))]
mod open_flags {
    pub const DIRECTORY: u64 = 0x4000;
    pub const NOFOLLOW: u64 = 0x8000;
}
#[cfg(not(any(target_arch = "arm", target_arch = "aarch64")))]
mod open_flags {
    pub const DIRECTORY: u64 = 0x10000;
    pub const NOFOLLOW: u64 = 0x20000;
}
pub const O_DIRECTORY: u64 = open_flags::DIRECTORY;
pub const O_NOFOLLOW: u64 = open_flags::NOFOLLOW;
pub const O_WRONLY: u64 = 0x1;
pub const O_RDWR: u64 = 0x2;
pub const O_CREAT: u64 = 0x40;
pub const O_EXCL: u64 = 0x80;
pub const O_NOCTTY: u64 = 0x100;
pub const O_NONBLOCK: u64 = 0x800;
pub const O_CLOEXEC: u64 = 0x80000;
pub const O_PATH: u64 = 0x20_0000;

pub const RESOLVE_NO_XDEV: u64 = 0x01;
pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
pub const RESOLVE_BENEATH: u64 = 0x08;
pub const RESOLVE_IN_ROOT: u64 = 0x10;

pub const S_IFMT: u32 = 0o170000;
pub const S_IFDIR: u32 = 0o040000;
pub const S_IFREG: u32 = 0o100000;
pub const S_IFLNK: u32 = 0o120000;
pub const S_IFCHR: u32 = 0o020000;
pub const S_IFIFO: u32 = 0o010000;

/// close(2): nothing can be done about an error.
pub fn close(fd: i32) {
    let _ = syscall!(DECODE, CLOSE, fd);
}

/// A descriptor that this process inherited, and now owns.
pub fn adopt(fd: i32) -> Fd {
    Fd::new(fd)
}

/// read(2).
pub fn read(fd: i32, buffer: &mut [u8]) -> Outcome<u32> {
    syscall!(READ, READ, fd, buffer.as_mut_ptr(), buffer.len())
}

/// pread64(2).
pub fn read_at(fd: i32, buffer: &mut [u8], offset: usize) -> Outcome<u32> {
    // On arm, a 64-bit number stands in two registers, the first of them even.
    #[cfg(target_arch = "arm")]
    return syscall!(
        READ,
        PREAD64,
        fd,
        buffer.as_mut_ptr(),
        buffer.len(),
        0,
        offset
    );
    #[cfg(not(target_arch = "arm"))]
    syscall!(READ, PREAD64, fd, buffer.as_mut_ptr(), buffer.len(), offset)
}

/// The size of a file: statx(2).
pub fn size(fd: i32) -> Outcome<usize> {
    let buffer = statx(fd, Path::EMPTY, AT_EMPTY_PATH)?;
    Ok((u64::from(buffer[11]) << 32 | u64::from(buffer[10])) as usize)
}

/// write(2).
pub fn write(fd: i32, bytes: &[u8]) -> Outcome<u32> {
    syscall!(WRITE, WRITE, fd, bytes.as_ptr(), bytes.len())
}

/// write(2) until all is written.
pub fn write_all(fd: i32, bytes: &[u8]) -> Outcome {
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = write(fd, rest)?;
        rest = rest.get(written as usize..).unwrap_or(&[]);
    }
    Ok(())
}

/// openat(2).
pub fn openat(directory: i32, path: Path<'_>, flags: u64, mode: u32) -> Outcome<Fd> {
    descriptor(syscall!(
        OPEN,
        OPENAT,
        directory,
        path.as_ptr(),
        flags | O_CLOEXEC,
        mode
    ))
}

/// openat2(2).
pub fn openat2(directory: i32, path: Path<'_>, flags: u64, resolve: u64) -> Outcome<Fd> {
    let how = [flags | O_CLOEXEC, 0, resolve];
    descriptor(syscall!(
        OPENAT2,
        OPENAT2,
        directory,
        path.as_ptr(),
        how.as_ptr(),
        size_of_val(&how)
    ))
}

/// mkdirat(2).
pub fn mkdirat(directory: i32, name: Path<'_>, mode: u32) -> Outcome {
    done(syscall!(MKDIR, MKDIRAT, directory, name.as_ptr(), mode))
}

/// mknodat(2).
pub fn mknodat(directory: i32, name: Path<'_>, mode: u32, device: u32) -> Outcome {
    done(syscall!(
        MKNOD,
        MKNODAT,
        directory,
        name.as_ptr(),
        mode,
        device
    ))
}

/// symlinkat(2).
pub fn symlinkat(target: Path<'_>, directory: i32, name: Path<'_>) -> Outcome {
    done(syscall!(
        SYMLINK,
        SYMLINKAT,
        target.as_ptr(),
        directory,
        name.as_ptr()
    ))
}

/// readlinkat(2); with an empty path, of a descriptor of the link itself.
pub fn readlink(directory: i32, path: Path<'_>, buffer: &mut [u8]) -> Outcome<u32> {
    syscall!(
        READLINK,
        READLINKAT,
        directory,
        path.as_ptr(),
        buffer.as_mut_ptr(),
        buffer.len()
    )
}

/// unlinkat(2) of something that is no directory.
pub fn unlinkat(directory: i32, name: Path<'_>) -> Outcome {
    done(syscall!(UNLINK, UNLINKAT, directory, name.as_ptr(), 0))
}

/// fchownat(2) of the descriptor itself.
pub fn chown(fd: i32, uid: u32, gid: u32) -> Outcome {
    done(syscall!(
        CHOWN,
        FCHOWNAT,
        fd,
        c"".as_ptr(),
        uid,
        gid,
        AT_EMPTY_PATH
    ))
}

/// fchmod(2).
pub fn fchmod(fd: i32, mode: u32) -> Outcome {
    done(syscall!(CHMOD, FCHMOD, fd, mode))
}

/// getdents64(2).
pub fn getdents(fd: i32, buffer: &mut [u8]) -> Outcome<u32> {
    syscall!(READ, GETDENTS64, fd, buffer.as_mut_ptr(), buffer.len())
}

/// What statx(2) tells of a file, as far as it is needed here.
#[derive(Clone, Copy)]
pub struct Status {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub device: (u32, u32),
}

/// statx(2) of a descriptor.
pub fn stat(fd: i32) -> Outcome<Status> {
    stat_at(fd, Path::EMPTY, AT_EMPTY_PATH)
}

/// statx(2).
pub fn stat_at(directory: i32, path: Path<'_>, flags: u32) -> Outcome<Status> {
    let buffer = statx(directory, path, flags)?;
    Ok(Status {
        mode: buffer[7] & 0xffff,
        uid: buffer[5],
        gid: buffer[6],
        device: (buffer[32], buffer[33]),
    })
}

fn statx(directory: i32, path: Path<'_>, flags: u32) -> Outcome<[u32; 64]> {
    const BASIC: u32 = 0x7ff;
    let mut buffer = [0; 64];
    syscall!(
        STAT,
        STATX,
        directory,
        path.as_ptr(),
        flags,
        BASIC,
        buffer.as_mut_ptr()
    )?;
    Ok(buffer)
}

/// The magic number of a descriptor's file system: fstatfs(2).
pub fn filesystem_magic(fd: i32) -> Outcome<u32> {
    Ok(statfs(fd)?[0] as u32)
}

/// The flags of a descriptor's mount, `ST_*` of statfs(2).
pub fn mount_flags(fd: i32) -> Outcome<u64> {
    // f_flags: behind eight numbers of 64 bits (on arm of one half each), and two more.
    const AT: usize = if size_of::<usize>() == 8 { 10 } else { 16 };
    Ok(statfs(fd)?[AT] as u64)
}

fn statfs(fd: i32) -> Outcome<[usize; 32]> {
    let mut buffer = [0usize; 32];
    #[cfg(target_arch = "arm")]
    syscall!(STAT, FSTATFS, fd, 84, buffer.as_mut_ptr())?;
    #[cfg(not(target_arch = "arm"))]
    syscall!(STAT, FSTATFS, fd, buffer.as_mut_ptr())?;
    Ok(buffer)
}

/// faccessat2(2) with the effective ids: may the file be executed?
pub fn may_execute(path: Path<'_>) -> Outcome {
    const X_OK: u32 = 1;
    done(syscall!(
        LOOKUP,
        FACCESSAT2,
        AT_FDCWD,
        path.as_ptr(),
        X_OK,
        AT_EACCESS
    ))
}

/// dup3(2) without flags.
pub fn dup_to(fd: i32, to: i32) -> Outcome {
    done(syscall!(DUP, DUP3, fd, to, 0))
}

/// A file in memory that holds these parts, to be read from its start: memfd_create(2).
pub fn memory_file(parts: &[&[u8]]) -> Outcome<Fd> {
    const CLOEXEC: usize = 1;
    const SEEK_SET: usize = 0;
    let file = descriptor(syscall!(WRITE, MEMFD_CREATE, c"state".as_ptr(), CLOEXEC))?;
    for part in parts {
        write_all(file.raw(), part)?;
    }
    syscall!(WRITE, LSEEK, file.raw(), 0, SEEK_SET)?;
    Ok(file)
}

/// close_range(2): nothing can be done about an error.
pub fn close_range(first: u32, last: u32) {
    let _ = syscall!(CLOSE_RANGE, CLOSE_RANGE, first, last, 0);
}

/// close_range(2) that makes all descriptors from `first` on close-on-exec.
pub fn close_on_exec_from(first: u32) -> Outcome {
    const CLOEXEC: u32 = 4;
    done(syscall!(CLOSE_RANGE, CLOSE_RANGE, first, u32::MAX, CLOEXEC))
}
