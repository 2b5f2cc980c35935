//! Starting the stub: one system call that makes the child, one in the child that executes the image.

use super::check;
use crate::error::{Context, Error, Result};
use std::arch::asm;
use std::ffi::CStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

/// `struct clone_args` of clone3(2), version 2.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Whether a kernel or a profile knows no clone3(2), or (5.3 to 5.6) none that can start a child in a cgroup.
fn lacks_clone3(error: i32) -> bool {
    matches!(error, libc::ENOSYS | libc::E2BIG)
}

impl CloneArgs {
    /// For a child whose pidfd goes to `pidfd`, which must outlive the call.
    fn new(spawn: &Spawn<'_>, flags: u64, pidfd: &mut libc::c_int) -> CloneArgs {
        let into_cgroup = spawn.cgroup.map_or(0, |_| CLONE_INTO_CGROUP);
        CloneArgs {
            flags: flags | into_cgroup,
            pidfd: &raw mut *pidfd as u64,
            exit_signal: libc::SIGCHLD as u64,
            cgroup: spawn.cgroup.map_or(0, |cgroup| cgroup.as_raw_fd() as u64),
            ..Default::default()
        }
    }
}

/// How to start a child.
pub struct Spawn<'a> {
    /// The executable, by descriptor.
    pub image: BorrowedFd<'a>,
    /// `CLONE_NEW*` flags.
    pub namespaces: u64,
    /// The cgroup v2 to start in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Called with the pid of the child, which waits until this is done: for what must be there before it executes
    /// the image, such as the maps of a new user namespace.
    pub prepare: Option<&'a dyn Fn(i32) -> Result<()>>,
    /// Whether the child may share memory until it executes the image. A child in another time namespace
    /// than ours may not on kernels before 6.0.
    pub share_memory: bool,
    /// Whether a child with a new user namespace keeps our supplementary groups.
    pub keep_groups: bool,
}

/// A child process: its pid and its pidfd.
pub struct Child {
    /// As the host sees it.
    pub pid: i32,
    /// When it started, where the clock was in the same tick before and after that: as field 22 of
    /// proc_pid_stat(5), which takes three system calls.
    pub start_ticks: Option<u64>,
    /// Readable when the child has ended.
    pub pidfd: OwnedFd,
}

/// Starts the child and returns when it has executed the image. One that cannot is waited for: an error. The child gets
/// every descriptor that is not close-on-exec, and an empty environment.
pub fn spawn(spawn: &Spawn<'_>) -> Result<Child> {
    if spawn.prepare.is_some() || !spawn.share_memory {
        return spawn_prepared(spawn);
    }
    let before = super::process::boot_ticks();
    let mut pidfd: libc::c_int = -1;
    let flags = libc::CLONE_PIDFD | libc::CLONE_VFORK | libc::CLONE_VM;
    let flags = flags as u64 | spawn.namespaces;
    let args = CloneArgs::new(spawn, flags, &mut pidfd);
    let clone3 = [&raw const args as usize, size_of::<CloneArgs>(), 0, 0, 0];
    // SAFETY: the arguments point to live memory that outlasts the call; see `clone_exec` for the child.
    let (mut pid, mut failure) =
        unsafe { clone_exec(libc::SYS_clone3 as usize, clone3, spawn.image) };
    if lacks_clone3(-pid as i32) {
        if spawn.cgroup.is_some() {
            return spawn_prepared(spawn);
        }
        let clone = [
            (flags | libc::SIGCHLD as u64) as usize,
            0,
            &raw mut pidfd as usize,
            0,
            0,
        ];
        // SAFETY: as above; with CLONE_PIDFD the third argument is where the pidfd goes.
        (pid, failure) = unsafe { clone_exec(libc::SYS_clone as usize, clone, spawn.image) };
    }
    if pid < 0 {
        return Err(std::io::Error::from_raw_os_error(-pid as i32)).context("clone3");
    }
    // SAFETY: the kernel has just made this descriptor for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    executed(pid as i32, failure)?;
    Ok(Child {
        pid: pid as i32,
        start_ticks: before.filter(|_| before == super::process::boot_ticks()),
        pidfd,
    })
}

/// What the error of a child that could not execute its image begins with.
pub const EXECUTING: &str = "execveat of container init";

/// What becomes of a child whose execveat(2) has failed with that errno; 0 if it has not.
fn executed(pid: i32, errno: i32) -> Result<()> {
    if errno == 0 {
        return Ok(());
    }
    super::process::wait(pid)?;
    Err(std::io::Error::from_raw_os_error(errno)).context(EXECUTING)
}

/// The same for a child that waits for us: a plain fork. Who has no id in a new user namespace loses all capabilities
/// on executing something: so the child becomes root there before that.
fn spawn_prepared(spawn: &Spawn<'_>) -> Result<Child> {
    let (ours, theirs) = super::socket::pair()?;
    let mut pidfd: libc::c_int = -1;
    let args = CloneArgs::new(
        spawn,
        libc::CLONE_PIDFD as u64 | spawn.namespaces,
        &mut pidfd,
    );
    // SAFETY: the structure is live and of that size; without CLONE_VM this is a fork, and we have no threads.
    let mut pid =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    let mut enters = None;
    if pid < 0
        && std::io::Error::last_os_error()
            .raw_os_error()
            .is_some_and(lacks_clone3)
    {
        enters = spawn.cgroup;
        let flags = (libc::CLONE_PIDFD | libc::SIGCHLD) as u64 | spawn.namespaces;
        // SAFETY: as above; with CLONE_PIDFD the third argument is where the pidfd goes.
        pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    }
    if pid < 0 {
        return Err(Error::last_os().wrap("clone3"));
    }
    if pid == 0 {
        // SAFETY: the child makes system calls with live arguments, and ends in one of them.
        unsafe {
            libc::close(ours.as_raw_fd());
            let mut go = 0u8;
            if libc::recv(theirs.as_raw_fd(), (&raw mut go).cast(), 1, 0) != 1 {
                libc::_exit(1);
            }
            libc::fcntl(theirs.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
            if spawn.namespaces & libc::CLONE_NEWUSER as u64 != 0 {
                // Denied where setgroups(2) is, and harmless then.
                if !spawn.keep_groups {
                    libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<u32>());
                }
                libc::syscall(libc::SYS_setresgid, 0, 0, 0);
                libc::syscall(libc::SYS_setresuid, 0, 0, 0);
            }
            let argv = [c"coracle-init".as_ptr(), std::ptr::null()];
            let envp = [std::ptr::null::<libc::c_char>()];
            let (fd, flags) = (spawn.image.as_raw_fd(), libc::AT_EMPTY_PATH);
            libc::syscall(
                libc::SYS_execveat,
                fd,
                c"".as_ptr(),
                argv.as_ptr(),
                envp.as_ptr(),
                flags,
            );
            let errno = *libc::__errno_location();
            libc::write(
                theirs.as_raw_fd(),
                (&raw const errno).cast(),
                size_of_val(&errno),
            );
            libc::_exit(1);
        }
    }
    drop(theirs);
    // SAFETY: the kernel has just made this descriptor for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = pid as i32;
    let entered = enters.map_or(Ok(()), |cgroup| enter(cgroup, pid));
    if let Err(error) = entered
        .and_then(|()| spawn.prepare.map_or(Ok(()), |prepare| prepare(pid)))
        .and_then(|()| super::socket::send(ours.as_fd(), b"g"))
    {
        drop(ours);
        super::process::wait(pid)?;
        return Err(error);
    }
    // Its end is closed when it executes the image: then nothing comes.
    let mut errno = [0; size_of::<i32>()];
    super::socket::receive(ours.as_fd(), &mut errno)?;
    executed(pid, i32::from_ne_bytes(errno))?;
    Ok(Child {
        pid,
        start_ticks: None,
        pidfd,
    })
}

/// Moves a child into a cgroup v2: dearer than a start in it, and all that is left without clone3(2).
fn enter(cgroup: BorrowedFd<'_>, pid: i32) -> Result<()> {
    let file = super::open_at(cgroup, Path::new("cgroup.procs"), libc::O_WRONLY, 0);
    let write = |file: OwnedFd| Ok(File::from(file).write_all(pid.to_string().as_bytes())?);
    file.and_then(write).context("cgroup.procs")
}

/// Makes a child with the given system call; the child executes `image` or exits. The result is that of the call, and the
/// errno of a child that could not execute the image, or 0.
///
/// # Safety
/// `arguments` must be sound for that call, and ask that the child shares our memory and that we wait for it: CLONE_VM
/// and CLONE_VFORK. It touches nothing of the memory but for that errno, as it makes its system calls out of registers alone.
unsafe fn clone_exec(call: usize, arguments: [usize; 5], image: BorrowedFd<'_>) -> (isize, i32) {
    let mut errno = 0i32;
    const NAME: &CStr = c"coracle-init";
    let argv = [NAME.as_ptr(), std::ptr::null()];
    let envp = [std::ptr::null::<libc::c_char>()];
    let empty = c"".as_ptr();
    let result: isize;
    // SAFETY: only declared registers are written, and `errno`; memory outlives the child's execveat, since the parent is
    // suspended until then (CLONE_VFORK), and the child leaves this block by no other way than exec or exit.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, r12",
            "mov rsi, r13",
            "mov rdx, r14",
            "mov r10, r15",
            "mov r8d, {at_empty_path}",
            "mov eax, {execveat}",
            "syscall",
            "neg eax",
            "mov [r9], eax",
            "mov edi, 1",
            "mov eax, {exit_group}",
            "syscall",
            "ud2",
            "2:",
            execveat = const libc::SYS_execveat,
            exit_group = const libc::SYS_exit_group,
            at_empty_path = const libc::AT_EMPTY_PATH,
            inlateout("rax") call as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") &raw mut errno,
            in("r12") image.as_raw_fd() as usize,
            in("r13") empty,
            in("r14") argv.as_ptr(),
            in("r15") envp.as_ptr(),
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    // SAFETY: as for x86_64.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x0, x20",
            "mov x1, x21",
            "mov x2, x22",
            "mov x3, x23",
            "mov x4, {at_empty_path}",
            "mov x8, {execveat}",
            "svc #0",
            "neg w0, w0",
            "str w0, [x24]",
            "mov x0, 1",
            "mov x8, {exit_group}",
            "svc #0",
            "brk #1",
            "2:",
            execveat = const libc::SYS_execveat,
            exit_group = const libc::SYS_exit_group,
            at_empty_path = const libc::AT_EMPTY_PATH,
            in("x8") call,
            inlateout("x0") arguments[0] as isize => result,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            in("x4") arguments[4],
            in("x20") image.as_raw_fd() as usize,
            in("x21") empty,
            in("x22") argv.as_ptr(),
            in("x23") envp.as_ptr(),
            in("x24") &raw mut errno,
        );
    }
    // SAFETY: as for x86_64.
    #[cfg(target_arch = "riscv64")]
    unsafe {
        asm!(
            "ecall",
            "bnez a0, 2f",
            "mv a0, s2",
            "mv a1, s3",
            "mv a2, s4",
            "mv a3, s5",
            "li a4, {at_empty_path}",
            "li a7, {execveat}",
            "ecall",
            "neg a0, a0",
            "sw a0, 0(s6)",
            "li a0, 1",
            "li a7, {exit_group}",
            "ecall",
            "unimp",
            "2:",
            execveat = const libc::SYS_execveat,
            exit_group = const libc::SYS_exit_group,
            at_empty_path = const libc::AT_EMPTY_PATH,
            in("a7") call,
            inlateout("a0") arguments[0] as isize => result,
            in("a1") arguments[1],
            in("a2") arguments[2],
            in("a3") arguments[3],
            in("a4") arguments[4],
            in("s2") image.as_raw_fd() as usize,
            in("s3") empty,
            in("s4") argv.as_ptr(),
            in("s5") envp.as_ptr(),
            in("s6") &raw mut errno,
        );
    }
    // SAFETY: as for x86_64.
    #[cfg(target_arch = "arm")]
    unsafe {
        let exec = [
            image.as_raw_fd() as usize,
            empty as usize,
            argv.as_ptr() as usize,
            envp.as_ptr() as usize,
        ];
        asm!(
            "svc #0",
            "cmp r0, #0",
            "bne 2f",
            "ldm r5, {{r0, r1, r2, r3}}",
            "mov r4, #{at_empty_path}",
            "movw r7, #{execveat}",
            "svc #0",
            "rsb r0, r0, #0",
            "str r0, [r8]",
            "mov r0, #1",
            "movw r7, #{exit_group}",
            "svc #0",
            "udf #0",
            "2:",
            execveat = const libc::SYS_execveat,
            exit_group = const libc::SYS_exit_group,
            at_empty_path = const libc::AT_EMPTY_PATH,
            in("r7") call,
            inlateout("r0") arguments[0] as isize => result,
            in("r1") arguments[1],
            in("r2") arguments[2],
            in("r3") arguments[3],
            in("r4") arguments[4],
            in("r5") exec.as_ptr(),
            in("r8") &raw mut errno,
        );
    }
    (result, errno)
}

/// Joins a PID or time namespace, which changes only the children made from here on: setns(2).
pub fn setns(namespace: BorrowedFd<'_>, kind: libc::c_int) -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::setns(namespace.as_raw_fd(), kind) }).map(drop)
}

/// unshare(2).
pub fn unshare(flags: libc::c_int) -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::unshare(flags) }).map(drop)
}
