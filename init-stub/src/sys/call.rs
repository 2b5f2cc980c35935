//! A thin function for each system call that the stub makes.

use super::instruction::raw;
use super::number as nr;
use super::{Errno, Fd, Result};
use core::ffi::CStr;

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

macro_rules! syscall {
    ($number:expr $(, $argument:expr)* $(,)?) => {{
        let mut arguments = [0usize; 6];
        let given = [$($argument as usize),*];
        let mut index = 0;
        while index < given.len() {
            arguments[index] = given[index];
            index += 1;
        }
        // SAFETY: numbers, or pointers to the function's own borrowed arguments, whose lengths go with them.
        check(unsafe { raw($number, arguments) })
    }};
}

fn check(result: isize) -> Result<usize> {
    if result < 0 {
        Err(Errno(-result as i32))
    } else {
        Ok(result as usize)
    }
}

fn descriptor(result: Result<usize>) -> Result<Fd> {
    result.map(|number| Fd(number as i32))
}

fn done(result: Result<usize>) -> Result<()> {
    result.map(|_| ())
}

/// exit_group(2).
pub fn exit(status: i32) -> ! {
    loop {
        let _ = syscall!(nr::EXIT_GROUP, status);
    }
}

/// close(2): nothing can be done about an error.
pub fn close(fd: i32) {
    let _ = syscall!(nr::CLOSE, fd);
}

/// A descriptor that this process inherited, and now owns.
pub fn adopt(fd: i32) -> Fd {
    Fd(fd)
}

/// rt_sigprocmask(2): no signal is blocked any more.
pub fn unblock_signals() {
    const SIG_SETMASK: usize = 2;
    let none = [0u64; 1];
    let _ = syscall!(
        nr::RT_SIGPROCMASK,
        SIG_SETMASK,
        none.as_ptr(),
        0,
        size_of_val(&none)
    );
}

/// SIGPIPE ends a process again: the runtime, as every Rust program, ignores it, and execve(2) would pass that on.
pub fn restore_sigpipe() {
    const SIGPIPE: usize = 13;
    // struct sigaction, all zero for the default; its mask, the last field, has eight bytes.
    let default = [0u64; 4];
    let _ = syscall!(
        nr::RT_SIGACTION,
        SIGPIPE,
        default.as_ptr(),
        0,
        size_of::<u64>()
    );
}

/// Signals that ask a process to end do end this one, though it is the first of its PID namespace, to which only those
/// are delivered that it handles. execve(2) makes them what they were.
pub fn end_on_signals() {
    const SIGNALS: [usize; 4] = [1, 2, 3, 15];
    const SA_RESTORER: usize = 0x0400_0000;
    extern "C" fn end(signal: i32) -> ! {
        exit(128 + signal)
    }
    // struct sigaction: handler, flags, restorer, mask. What never returns needs no restorer, but x86 wants one.
    let end = end as extern "C" fn(i32) -> ! as usize;
    let action = [end, SA_RESTORER, end, 0, 0];
    for signal in SIGNALS {
        let _ = syscall!(
            nr::RT_SIGACTION,
            signal,
            action.as_ptr(),
            0,
            size_of::<u64>()
        );
    }
}

/// read(2).
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    syscall!(nr::READ, fd, buffer.as_mut_ptr(), buffer.len())
}

/// pread64(2).
pub fn read_at(fd: i32, buffer: &mut [u8], offset: usize) -> Result<usize> {
    // On arm, a 64-bit number stands in two registers, the first of them even.
    #[cfg(target_arch = "arm")]
    return syscall!(
        nr::PREAD64,
        fd,
        buffer.as_mut_ptr(),
        buffer.len(),
        0,
        offset,
        0
    );
    #[cfg(not(target_arch = "arm"))]
    syscall!(nr::PREAD64, fd, buffer.as_mut_ptr(), buffer.len(), offset)
}

/// The size of a file: lseek(2).
pub fn size(fd: i32) -> Result<usize> {
    const SEEK_END: usize = 2;
    syscall!(nr::LSEEK, fd, 0, SEEK_END)
}

/// write(2).
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    syscall!(nr::WRITE, fd, bytes.as_ptr(), bytes.len())
}

/// recv(2).
pub fn receive(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    syscall!(nr::RECVFROM, fd, buffer.as_mut_ptr(), buffer.len(), 0, 0, 0)
}

/// accept4(2).
pub fn accept(fd: i32) -> Result<Fd> {
    descriptor(syscall!(nr::ACCEPT4, fd, 0, 0, O_CLOEXEC))
}

/// sendmsg(2) of some bytes and one descriptor.
pub fn send_descriptor(socket: i32, bytes: &[u8], passed: i32) -> Result<()> {
    #[repr(C)]
    struct Iovec {
        base: *const u8,
        length: usize,
    }
    #[repr(C)]
    struct Control {
        length: usize,
        level: i32,
        kind: i32,
        descriptor: i32,
    }
    #[repr(C)]
    struct Header {
        name: usize,
        name_length: u32,
        iov: *const Iovec,
        iov_count: usize,
        control: *const Control,
        control_length: usize,
        flags: i32,
    }
    const SOL_SOCKET: i32 = 1;
    const SCM_RIGHTS: i32 = 1;
    const MSG_NOSIGNAL: usize = 0x4000;
    let iov = Iovec {
        base: bytes.as_ptr(),
        length: bytes.len(),
    };
    let length = size_of::<usize>() + 3 * size_of::<i32>();
    let control = Control {
        length,
        level: SOL_SOCKET,
        kind: SCM_RIGHTS,
        descriptor: passed,
    };
    let header = Header {
        name: 0,
        name_length: 0,
        iov: &raw const iov,
        iov_count: 1,
        control: &raw const control,
        control_length: size_of::<Control>(),
        flags: 0,
    };
    done(syscall!(
        nr::SENDMSG,
        socket,
        &raw const header,
        MSG_NOSIGNAL
    ))
}

/// recvmsg(2) of one byte and a descriptor; EBADF when none came.
pub fn receive_descriptor(socket: i32) -> Result<Fd> {
    #[repr(C)]
    struct Iovec {
        base: *mut u8,
        length: usize,
    }
    #[repr(C)]
    struct Control {
        length: usize,
        level: i32,
        kind: i32,
        descriptor: i32,
    }
    #[repr(C)]
    struct Header {
        name: usize,
        name_length: u32,
        iov: *const Iovec,
        iov_count: usize,
        control: *mut Control,
        control_length: usize,
        flags: i32,
    }
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    let mut byte = [0u8; 1];
    let iov = Iovec {
        base: byte.as_mut_ptr(),
        length: 1,
    };
    let mut control = Control {
        length: 0,
        level: 0,
        kind: 0,
        descriptor: -1,
    };
    let mut header = Header {
        name: 0,
        name_length: 0,
        iov: &raw const iov,
        iov_count: 1,
        control: &raw mut control,
        control_length: size_of::<Control>(),
        flags: 0,
    };
    syscall!(nr::RECVMSG, socket, &raw mut header, MSG_CMSG_CLOEXEC)?;
    match header.control_length > 0 && control.descriptor >= 0 {
        true => Ok(Fd(control.descriptor)),
        false => Err(Errno::BADF),
    }
}

/// socket(2) of AF_INET and SOCK_DGRAM, on which interfaces are configured.
pub fn inet_socket() -> Result<Fd> {
    descriptor(syscall!(nr::SOCKET, 2, 2 | O_CLOEXEC, 0))
}

/// ioctl(2) with a number.
pub fn ioctl_number(fd: i32, request: u32, argument: usize) -> Result<usize> {
    syscall!(nr::IOCTL, fd, request, argument)
}

/// ioctl(2) that gives a new descriptor for these open flags.
pub fn ioctl_open(fd: i32, request: u32, flags: u64) -> Result<Fd> {
    descriptor(syscall!(nr::IOCTL, fd, request, flags))
}

/// ioctl(2) with a structure, which must be of the size that the request takes.
pub fn ioctl<T: Copy>(fd: i32, request: u32, argument: &mut T) -> Result<usize> {
    syscall!(nr::IOCTL, fd, request, &raw mut *argument)
}

/// openat(2).
pub fn openat(directory: i32, path: &CStr, flags: u64, mode: u32) -> Result<Fd> {
    descriptor(syscall!(
        nr::OPENAT,
        directory,
        path.as_ptr(),
        flags | O_CLOEXEC,
        mode
    ))
}

/// openat2(2).
pub fn openat2(directory: i32, path: &CStr, flags: u64, resolve: u64) -> Result<Fd> {
    let how = [flags | O_CLOEXEC, 0, resolve];
    descriptor(syscall!(
        nr::OPENAT2,
        directory,
        path.as_ptr(),
        how.as_ptr(),
        size_of_val(&how)
    ))
}

/// mkdirat(2).
pub fn mkdirat(directory: i32, name: &CStr, mode: u32) -> Result<()> {
    done(syscall!(nr::MKDIRAT, directory, name.as_ptr(), mode))
}

/// mknodat(2).
pub fn mknodat(directory: i32, name: &CStr, mode: u32, device: u32) -> Result<()> {
    done(syscall!(
        nr::MKNODAT,
        directory,
        name.as_ptr(),
        mode,
        device
    ))
}

/// symlinkat(2).
pub fn symlinkat(target: &CStr, directory: i32, name: &CStr) -> Result<()> {
    done(syscall!(
        nr::SYMLINKAT,
        target.as_ptr(),
        directory,
        name.as_ptr()
    ))
}

/// readlinkat(2) of a descriptor of the link itself.
pub fn readlink(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    syscall!(
        nr::READLINKAT,
        fd,
        c"".as_ptr(),
        buffer.as_mut_ptr(),
        buffer.len()
    )
}

/// readlinkat(2).
pub fn read_link(path: &CStr, buffer: &mut [u8]) -> Result<usize> {
    syscall!(
        nr::READLINKAT,
        AT_FDCWD,
        path.as_ptr(),
        buffer.as_mut_ptr(),
        buffer.len()
    )
}

/// unlinkat(2) of something that is no directory.
pub fn unlinkat(directory: i32, name: &CStr) -> Result<()> {
    done(syscall!(nr::UNLINKAT, directory, name.as_ptr(), 0))
}

/// fchownat(2) of the descriptor itself.
pub fn chown(fd: i32, uid: u32, gid: u32) -> Result<()> {
    done(syscall!(
        nr::FCHOWNAT,
        fd,
        c"".as_ptr(),
        uid,
        gid,
        AT_EMPTY_PATH
    ))
}

/// fchmod(2).
pub fn fchmod(fd: i32, mode: u32) -> Result<()> {
    done(syscall!(nr::FCHMOD, fd, mode))
}

/// getdents64(2).
pub fn getdents(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    syscall!(nr::GETDENTS64, fd, buffer.as_mut_ptr(), buffer.len())
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
pub fn stat(fd: i32) -> Result<Status> {
    stat_at(fd, c"", AT_EMPTY_PATH)
}

/// statx(2).
pub fn stat_at(directory: i32, path: &CStr, flags: u32) -> Result<Status> {
    const BASIC: u32 = 0x7ff;
    let mut buffer = [0u32; 64];
    syscall!(
        nr::STATX,
        directory,
        path.as_ptr(),
        flags,
        BASIC,
        buffer.as_mut_ptr()
    )?;
    let halves = buffer[7].to_ne_bytes();
    Ok(Status {
        mode: u32::from(u16::from_ne_bytes([halves[0], halves[1]])),
        uid: buffer[5],
        gid: buffer[6],
        device: (buffer[32], buffer[33]),
    })
}

/// The magic number of a descriptor's file system: fstatfs(2).
pub fn filesystem_magic(fd: i32) -> Result<u32> {
    Ok(statfs(fd)?[0] as u32)
}

/// The flags of a descriptor's mount, `ST_*` of statfs(2).
pub fn mount_flags(fd: i32) -> Result<u64> {
    // f_flags: behind eight numbers of 64 bits (on arm of one half each), and two more.
    const AT: usize = if size_of::<usize>() == 8 { 10 } else { 16 };
    Ok(statfs(fd)?[AT] as u64)
}

fn statfs(fd: i32) -> Result<[usize; 32]> {
    let mut buffer = [0usize; 32];
    #[cfg(target_arch = "arm")]
    syscall!(nr::FSTATFS, fd, 84, buffer.as_mut_ptr())?;
    #[cfg(not(target_arch = "arm"))]
    syscall!(nr::FSTATFS, fd, buffer.as_mut_ptr())?;
    Ok(buffer)
}

/// faccessat2(2) with the effective ids: may the file be executed?
pub fn may_execute(path: &CStr) -> Result<()> {
    const X_OK: u32 = 1;
    done(syscall!(
        nr::FACCESSAT2,
        AT_FDCWD,
        path.as_ptr(),
        X_OK,
        AT_EACCESS
    ))
}

/// fsopen(2).
pub fn fsopen(name: &CStr) -> Result<Fd> {
    descriptor(syscall!(nr::FSOPEN, name.as_ptr(), 1))
}

/// The commands of fsconfig(2).
pub const FSCONFIG_SET_FLAG: u32 = 0;
pub const FSCONFIG_SET_STRING: u32 = 1;
pub const FSCONFIG_CMD_CREATE: u32 = 6;

/// fsconfig(2) with a key, and a value if there is one.
pub fn fsconfig(fd: i32, command: u32, key: Option<&CStr>, value: Option<&CStr>) -> Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(core::ptr::null(), CStr::as_ptr);
    done(syscall!(
        nr::FSCONFIG,
        fd,
        command,
        pointer(key),
        pointer(value),
        0
    ))
}

/// fsmount(2).
pub fn fsmount(fd: i32, attributes: u64) -> Result<Fd> {
    descriptor(syscall!(nr::FSMOUNT, fd, 1, attributes))
}

/// open_tree(2) with OPEN_TREE_CLONE.
pub fn clone_tree(directory: i32, path: &CStr, flags: u32) -> Result<Fd> {
    descriptor(syscall!(
        nr::OPEN_TREE,
        directory,
        path.as_ptr(),
        1 | O_CLOEXEC as u32 | flags
    ))
}

/// open_tree(2) with OPEN_TREE_NAMESPACE: a mount namespace whose root is the tree at the path.
pub fn tree_namespace(path: &CStr) -> Result<Fd> {
    const OPEN_TREE_NAMESPACE: u32 = 2;
    descriptor(syscall!(
        nr::OPEN_TREE,
        AT_FDCWD,
        path.as_ptr(),
        OPEN_TREE_NAMESPACE | O_CLOEXEC as u32 | AT_RECURSIVE
    ))
}

/// move_mount(2) of a descriptor's mount onto another descriptor's place.
pub fn move_mount(from: i32, to: i32) -> Result<()> {
    const T_EMPTY_PATH: u32 = 0x40;
    move_mount_how(from, to, c"", T_EMPTY_PATH)
}

/// move_mount(2) of a descriptor's mount onto a path from a directory, whose last component is not followed.
pub fn move_mount_at(from: i32, directory: i32, path: &CStr) -> Result<()> {
    move_mount_how(from, directory, path, 0)
}

fn move_mount_how(from: i32, directory: i32, path: &CStr, flags: u32) -> Result<()> {
    const F_EMPTY_PATH: u32 = 0x4;
    done(syscall!(
        nr::MOVE_MOUNT,
        from,
        c"".as_ptr(),
        directory,
        path.as_ptr(),
        F_EMPTY_PATH | flags
    ))
}

/// mount_setattr(2) on a descriptor's mount.
pub fn mount_setattr(fd: i32, flags: u32, set: u64, clear: u64, propagation: u64) -> Result<()> {
    let attributes = [set, clear, propagation, 0];
    let flags = flags | AT_EMPTY_PATH;
    done(syscall!(
        nr::MOUNT_SETATTR,
        fd,
        c"".as_ptr(),
        flags,
        attributes.as_ptr(),
        size_of_val(&attributes)
    ))
}

pub const MS_REMOUNT: u64 = 32;
pub const MS_BIND: u64 = 4096;
pub const MS_MOVE: u64 = 8192;
pub const MS_REC: u64 = 16384;
pub const MS_PRIVATE: u64 = 1 << 18;
pub const MS_SLAVE: u64 = 1 << 19;

/// mount(2) of what needs no file system type.
pub fn mount(source: Option<&CStr>, target: &CStr, flags: u64, data: Option<&CStr>) -> Result<()> {
    mount_type(source, target, None, flags, data)
}

/// mount(2).
pub fn mount_type(
    source: Option<&CStr>,
    target: &CStr,
    fstype: Option<&CStr>,
    flags: u64,
    data: Option<&CStr>,
) -> Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(core::ptr::null(), CStr::as_ptr);
    done(syscall!(
        nr::MOUNT,
        pointer(source),
        target.as_ptr(),
        pointer(fstype),
        flags,
        pointer(data)
    ))
}

/// umount2(2) with MNT_DETACH.
pub fn detach(path: &CStr) -> Result<()> {
    const MNT_DETACH: usize = 2;
    done(syscall!(nr::UMOUNT2, path.as_ptr(), MNT_DETACH))
}

/// umount2(2) of what is mounted on an entry of the working directory; a link is not followed.
pub fn detach_entry(name: &CStr) -> Result<()> {
    const MNT_DETACH: usize = 2;
    const UMOUNT_NOFOLLOW: usize = 8;
    done(syscall!(
        nr::UMOUNT2,
        name.as_ptr(),
        MNT_DETACH | UMOUNT_NOFOLLOW
    ))
}

/// pivot_root(2) with both arguments `.`: the new root, over which the old one is put.
pub fn pivot_root() -> Result<()> {
    done(syscall!(nr::PIVOT_ROOT, c".".as_ptr(), c".".as_ptr()))
}

/// chroot(2).
pub fn chroot(path: &CStr) -> Result<()> {
    done(syscall!(nr::CHROOT, path.as_ptr()))
}

/// chdir(2).
pub fn chdir(path: &CStr) -> Result<()> {
    done(syscall!(nr::CHDIR, path.as_ptr()))
}

/// fchdir(2).
pub fn fchdir(fd: i32) -> Result<()> {
    done(syscall!(nr::FCHDIR, fd))
}

/// getcwd(2): the length of what was put into the buffer.
pub fn getcwd(buffer: &mut [u8]) -> Result<usize> {
    syscall!(nr::GETCWD, buffer.as_mut_ptr(), buffer.len())
}

/// setns(2).
pub const CLONE_NEWNS: u32 = 0x2_0000;

pub fn setns(fd: i32, flags: u32) -> Result<()> {
    done(syscall!(nr::SETNS, fd, flags))
}

/// unshare(2).
pub fn unshare(flags: u32) -> Result<()> {
    done(syscall!(nr::UNSHARE, flags))
}

/// setsid(2).
pub fn setsid() -> Result<()> {
    done(syscall!(nr::SETSID))
}

/// umask(2).
pub fn umask(mask: u32) {
    let _ = syscall!(nr::UMASK, mask);
}

/// getpid(2).
pub fn getpid() -> u32 {
    syscall!(nr::GETPID).unwrap_or(0) as u32
}

/// sethostname(2).
pub fn sethostname(name: &[u8]) -> Result<()> {
    done(syscall!(nr::SETHOSTNAME, name.as_ptr(), name.len()))
}

/// setdomainname(2).
pub fn setdomainname(name: &[u8]) -> Result<()> {
    done(syscall!(nr::SETDOMAINNAME, name.as_ptr(), name.len()))
}

/// prctl(2) with numbers.
pub fn prctl(option: u32, a: usize, b: usize) -> Result<usize> {
    syscall!(nr::PRCTL, option, a, b, 0, 0)
}

/// setgroups(2); each id has four bytes.
pub fn setgroups(ids: &[u8]) -> Result<()> {
    done(syscall!(nr::SETGROUPS, ids.len() / 4, ids.as_ptr()))
}

/// setresgid(2), all three.
pub fn setgid(gid: u32) -> Result<()> {
    done(syscall!(nr::SETRESGID, gid, gid, gid))
}

/// setresuid(2), all three.
pub fn setuid(uid: u32) -> Result<()> {
    done(syscall!(nr::SETRESUID, uid, uid, uid))
}

/// capset(2), version 3.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Result<()> {
    let header = [0x2008_0522u32, 0];
    let low = |set: u64| set as u32;
    let high = |set: u64| (set >> 32) as u32;
    let data = [
        low(effective),
        low(permitted),
        low(inheritable),
        high(effective),
        high(permitted),
        high(inheritable),
    ];
    done(syscall!(nr::CAPSET, header.as_ptr(), data.as_ptr()))
}

/// prlimit(2) of this process.
pub fn prlimit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limits = [soft, hard];
    done(syscall!(nr::PRLIMIT64, 0, resource, limits.as_ptr(), 0))
}

/// sched_setattr(2) of this process, with a structure whose first field is its own size.
pub fn sched_setattr(attributes: &[u8]) -> Result<()> {
    let size = attributes.first_chunk().copied().map(u32::from_ne_bytes);
    if size.map(|size| size as usize) != Some(attributes.len()) {
        return Err(Errno::INVAL);
    }
    done(syscall!(nr::SCHED_SETATTR, 0, attributes.as_ptr(), 0))
}

/// ioprio_set(2) of this process.
pub fn ioprio_set(value: u32) -> Result<()> {
    const WHO_PROCESS: u32 = 1;
    done(syscall!(nr::IOPRIO_SET, WHO_PROCESS, 0, value))
}

/// sched_setaffinity(2) of this process.
pub fn sched_setaffinity(mask: &[u8]) -> Result<()> {
    done(syscall!(
        nr::SCHED_SETAFFINITY,
        0,
        mask.len(),
        mask.as_ptr()
    ))
}

/// set_mempolicy(2). The kernel reads whole words of `nodes`.
pub fn set_mempolicy(mode: u32, nodes: &[u8]) -> Result<()> {
    if !nodes.len().is_multiple_of(size_of::<usize>()) {
        return Err(Errno::INVAL);
    }
    let pointer = if nodes.is_empty() {
        core::ptr::null()
    } else {
        nodes.as_ptr()
    };
    // The kernel takes the number of bits to be one less than it is.
    let bits = if nodes.is_empty() {
        0
    } else {
        nodes.len() * 8 + 1
    };
    done(syscall!(nr::SET_MEMPOLICY, mode, pointer, bits))
}

/// personality(2).
pub fn personality(domain: u64) -> Result<()> {
    done(syscall!(nr::PERSONALITY, domain))
}

/// seccomp(2): installs a filter, of eight bytes an instruction.
pub fn seccomp(flags: u32, filter: &[u8]) -> Result<usize> {
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const u8,
    }
    const SET_MODE_FILTER: u32 = 1;
    let length = u16::try_from(filter.len() / 8).map_err(|_| Errno::INVAL)?;
    let program = Program {
        length,
        filter: filter.as_ptr(),
    };
    syscall!(nr::SECCOMP, SET_MODE_FILTER, flags, &raw const program)
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
pub struct PathBeneath {
    pub access: u64,
    pub parent: i32,
}

/// landlock_create_ruleset(2), with the fields of `struct landlock_ruleset_attr`.
pub fn landlock_create_ruleset(attributes: &[u64; 6]) -> Result<Fd> {
    descriptor(syscall!(
        nr::LANDLOCK_CREATE_RULESET,
        attributes.as_ptr(),
        size_of_val(attributes),
        0
    ))
}

/// landlock_add_rule(2), with the attributes that the rule's kind wants.
pub fn landlock_add_rule<T>(ruleset: i32, kind: u32, attributes: &T, flags: u32) -> Result<()> {
    done(syscall!(
        nr::LANDLOCK_ADD_RULE,
        ruleset,
        kind,
        &raw const *attributes,
        flags
    ))
}

/// landlock_restrict_self(2).
pub fn landlock_restrict_self(ruleset: i32, flags: u32) -> Result<()> {
    done(syscall!(nr::LANDLOCK_RESTRICT_SELF, ruleset, flags))
}

/// keyctl(KEYCTL_JOIN_SESSION_KEYRING): the keyring's serial number.
pub fn join_keyring(name: &CStr) -> Result<usize> {
    syscall!(nr::KEYCTL, 1, name.as_ptr())
}

/// keyctl(KEYCTL_SETPERM).
pub fn set_key_permissions(keyring: usize, permissions: u32) -> Result<()> {
    done(syscall!(nr::KEYCTL, 5, keyring, permissions))
}

/// dup3(2) without flags.
pub fn dup_to(fd: i32, to: i32) -> Result<()> {
    done(syscall!(nr::DUP3, fd, to, 0))
}

/// A file in memory that holds these parts, to be read from its start: memfd_create(2).
pub fn memory_file(parts: &[&[u8]]) -> Result<Fd> {
    const CLOEXEC: usize = 1;
    const SEEK_SET: usize = 0;
    let file = descriptor(syscall!(nr::MEMFD_CREATE, c"state".as_ptr(), CLOEXEC))?;
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            let written = write(file.raw(), rest)?;
            rest = rest.get(written..).unwrap_or(&[]);
        }
    }
    syscall!(nr::LSEEK, file.raw(), 0, SEEK_SET)?;
    Ok(file)
}

/// close_range(2): nothing can be done about an error.
pub fn close_range(first: u32, last: u32) {
    let _ = syscall!(nr::CLOSE_RANGE, first, last, 0);
}

/// close_range(2) that makes all descriptors from `first` on close-on-exec.
pub fn close_on_exec_from(first: u32) -> Result<()> {
    const CLOEXEC: u32 = 4;
    done(syscall!(nr::CLOSE_RANGE, first, u32::MAX, CLOEXEC))
}

/// fork(2) that gives the child this process's own parent; its pid, and 0 in the child.
pub fn fork_sibling() -> Result<usize> {
    const CLONE_PARENT: usize = 0x8000;
    syscall!(nr::CLONE, CLONE_PARENT, 0, 0, 0, 0)
}

/// fork(2): 0 in the child.
pub fn fork() -> Result<usize> {
    const SIGCHLD: usize = 17;
    syscall!(nr::CLONE, SIGCHLD, 0, 0, 0, 0)
}

/// Waits for a child, and returns its wait status: wait4(2).
pub fn wait(pid: usize) -> Result<i32> {
    let mut status = 0i32;
    loop {
        match syscall!(nr::WAIT4, pid, &raw mut status, 0, 0) {
            Err(Errno::INTR) => {}
            result => return result.map(|_| status),
        }
    }
}

/// kill(2) with SIGKILL.
pub fn kill(pid: usize) {
    let _ = syscall!(nr::KILL, pid, 9);
}

/// pidfd_open(2).
pub fn pidfd_open(pid: usize) -> Result<Fd> {
    descriptor(syscall!(nr::PIDFD_OPEN, pid, 0))
}

/// Waits until the descriptor can be read; false when the time, in milliseconds, is over: ppoll(2).
pub fn wait_readable(fd: i32, timeout_msec: u32) -> Result<bool> {
    #[repr(C)]
    struct Poll {
        fd: i32,
        events: u16,
        result: u16,
    }
    let mut poll = Poll {
        fd,
        events: 1,
        result: 0,
    };
    let time = [
        (timeout_msec / 1000) as usize,
        (timeout_msec % 1000) as usize * 1_000_000,
    ];
    Ok(syscall!(nr::PPOLL, &raw mut poll, 1, time.as_ptr(), 0, 0)? > 0)
}

/// The null-terminated arrays of pointers that execve(2) takes, built in the program's scratch space.
pub struct Pointers {
    words: &'static mut [usize],
    used: usize,
}

impl Pointers {
    /// Arrays in that space, which is zeroed.
    pub fn new(words: &'static mut [usize]) -> Pointers {
        Pointers { words, used: 0 }
    }

    /// Begins anew: what was built before is forgotten.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Where the next array begins.
    pub fn mark(&self) -> usize {
        self.used
    }

    /// Adds a text, which lives as long as the program does.
    pub fn add(&mut self, text: &CStr) -> Result<()> {
        self.put(text.as_ptr() as usize)
    }

    /// Ends an array.
    pub fn end(&mut self) -> Result<()> {
        self.put(0)
    }

    /// Puts one more text before the end of the last array. The text must live until execve(2).
    pub fn replace_end(&mut self, text: &[u8]) -> Result<()> {
        self.used = self.used.checked_sub(1).ok_or(Errno::INVAL)?;
        self.put(text.as_ptr() as usize)?;
        self.end()
    }

    fn put(&mut self, word: usize) -> Result<()> {
        *self.words.get_mut(self.used).ok_or(Errno::INVAL)? = word;
        self.used += 1;
        Ok(())
    }

    /// execve(2) with two arrays by where they begin. Returns only when it fails.
    pub fn execve(&self, path: &CStr, argv: usize, envp: usize) -> Errno {
        let at = |mark: usize| {
            self.words
                .get(mark..)
                .map_or(core::ptr::null(), <[usize]>::as_ptr)
        };
        match syscall!(nr::EXECVE, path.as_ptr(), at(argv), at(envp)) {
            Err(errno) => errno,
            Ok(_) => Errno::INVAL,
        }
    }
}
