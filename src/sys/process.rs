//! Processes and signals: pidfds, waiting, signal masks, and a few facts about ourselves.

use super::check;
use crate::error::{Error, Result, signal_text};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, SystemTime};

/// pidfd_open(2).
pub fn pidfd_open(pid: i32) -> std::io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// pidfd_send_signal(2).
pub fn signal(pidfd: BorrowedFd<'_>, signal: i32) -> std::io::Result<()> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo stands for that of kill(2).
    match unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            info,
            0,
        )
    } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// pidfd_getfd(2): the process's descriptor of that number, close-on-exec.
pub fn pidfd_getfd(pidfd: BorrowedFd<'_>, number: u32) -> std::io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// kill(2) for one process by its pid.
pub fn kill(pid: i32, signal: i32) -> std::io::Result<()> {
    // SAFETY: takes numbers only.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// How a process has ended, as wait(2) tells it.
#[derive(Debug, Clone, Copy)]
pub struct Ended(libc::c_int);

impl Ended {
    /// Its exit status, unless a signal ended it.
    pub fn code(self) -> Option<i32> {
        libc::WIFEXITED(self.0).then(|| libc::WEXITSTATUS(self.0))
    }

    /// The signal that ended it.
    pub fn signal(self) -> Option<i32> {
        libc::WIFSIGNALED(self.0).then(|| libc::WTERMSIG(self.0))
    }

    /// Why that is a failure, in runc's words; none where it is not.
    pub fn failure(self) -> Option<String> {
        match (self.code(), self.signal()) {
            (Some(0), _) => None,
            (Some(code), _) => Some(format!("exit status {code}")),
            (_, signal) => Some(format!("signal: {}", signal_text(signal.unwrap_or(0)))),
        }
    }
}

/// Waits for our child to end.
pub fn ended(pid: i32) -> std::io::Result<Ended> {
    let mut status = 0;
    loop {
        // SAFETY: the status is a live integer.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } >= 0 {
            return Ok(Ended(status));
        }
        let error = std::io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}

/// The same, as a shell tells it: the exit status, or 128 + n when a signal ended it.
pub fn wait(pid: i32) -> Result<u8> {
    let ended = ended(pid)?;
    let status = ended.signal().map(|signal| 128 + signal).or(ended.code());
    Ok(status.unwrap_or(0) as u8)
}

/// How our child has ended, if it has. It stays to be waited for: waitid(2).
pub fn fate(pid: i32) -> Option<Ended> {
    // SAFETY: all zeroes are a valid structure, which the kernel fills in; its status is there for a child that ended.
    let (code, status) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let result = libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, flags);
        if result != 0 || info.si_pid() != pid {
            return None;
        }
        (info.si_code, info.si_status())
    };
    Some(Ended(match code {
        libc::CLD_EXITED => status << 8,
        _ => status,
    }))
}

/// Reaps every child that has ended but this one, without waiting.
pub fn reap_others(child: i32) {
    loop {
        // SAFETY: all zeroes are a valid structure, which the kernel fills in; WNOWAIT leaves the child as it is.
        let pid = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            if libc::waitid(libc::P_ALL, 0, &raw mut info, flags) != 0 {
                return;
            }
            info.si_pid()
        };
        if pid == 0 || pid == child {
            return;
        }
        // SAFETY: a null status is allowed.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
    }
}

/// Something to read, or an end.
pub const READ: i16 = libc::POLLIN;
/// Room to write.
pub const WRITE: i16 = libc::POLLOUT;

/// poll(2): what of the wanted, [`READ`] or [`WRITE`], each descriptor is ready for; not 0 also when it has ended.
/// `timeout_msec` is -1 for none.
pub fn poll_for(wanted: &[(Option<BorrowedFd<'_>>, i16)], timeout_msec: i32) -> Result<Vec<i16>> {
    let entry = |(fd, events): &(Option<BorrowedFd<'_>>, i16)| libc::pollfd {
        fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
        events: *events,
        revents: 0,
    };
    let mut polled: Vec<libc::pollfd> = wanted.iter().map(entry).collect();
    // SAFETY: the array is live and of that length.
    let result = unsafe {
        libc::poll(
            polled.as_mut_ptr(),
            polled.len() as libc::nfds_t,
            timeout_msec,
        )
    };
    if result < 0 {
        let error = std::io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error.into());
        }
    }
    Ok(polled.iter().map(|entry| entry.revents).collect())
}

/// poll(2) for input on the descriptors: which of them can be read, or have ended. `timeout_msec` is -1 for none.
pub fn poll(fds: &[Option<BorrowedFd<'_>>], timeout_msec: i32) -> Result<Vec<bool>> {
    let wanted: Vec<_> = fds.iter().map(|fd| (*fd, READ)).collect();
    let ready = poll_for(&wanted, timeout_msec)?;
    Ok(ready.into_iter().map(|events| events != 0).collect())
}

/// Blocks every signal and returns a signalfd (close-on-exec) on which they arrive.
pub fn signalfd() -> Result<OwnedFd> {
    // SAFETY: the set is initialised by sigfillset before it is read.
    let fd = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        check(libc::sigprocmask(
            libc::SIG_BLOCK,
            &raw const all,
            std::ptr::null_mut(),
        ))?;
        check(libc::signalfd(
            -1,
            &raw const all,
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        ))?
    };
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The next signal that has arrived, if any.
pub fn next_signal(signalfd: BorrowedFd<'_>) -> Option<i32> {
    // SAFETY: all zeroes are a valid structure; read(2) fills it in whole or not at all.
    unsafe {
        let mut info: libc::signalfd_siginfo = std::mem::zeroed();
        let size = size_of_val(&info);
        let read = libc::read(signalfd.as_raw_fd(), (&raw mut info).cast(), size);
        (read == size as isize).then_some(info.ssi_signo as i32)
    }
}

/// Makes a process's hard limit at least as high as `hard`: prlimit(2).
pub fn raise_hard_limit(pid: i32, resource: u32, hard: u64) -> Result<()> {
    let mut limit = [0u64; 2];
    // SAFETY: `struct rlimit64` is two of these, soft and hard; a null pointer stands for no new or no old limit.
    let prlimit = |new: *const [u64; 2], old: *mut [u64; 2]| unsafe {
        check(libc::syscall(libc::SYS_prlimit64, pid, resource, new, old) as libc::c_int)
    };
    prlimit(std::ptr::null(), &raw mut limit)?;
    if limit[1] >= hard {
        return Ok(());
    }
    limit[1] = hard;
    prlimit(&raw const limit, std::ptr::null_mut()).map(drop)
}

/// sched_setaffinity(2) for ourselves; the mask has a bit for each CPU.
pub fn set_affinity(mask: &[u8]) -> Result<()> {
    // SAFETY: the mask is valid for its length.
    check(unsafe { libc::sched_setaffinity(0, mask.len(), mask.as_ptr().cast()) }).map(drop)
}

/// Whether we are in another user namespace than the host's first, whose map is of all ids: user_namespaces(7).
pub fn in_user_namespace() -> bool {
    let map = super::file::read_text(std::path::Path::new("/proc/self/uid_map"));
    map.is_ok_and(|map| !map.split_whitespace().eq(["0", "0", "4294967295"]))
}

/// The effective user id, as it was at the start: we never change it.
pub fn euid() -> u32 {
    // SAFETY: always succeeds, without asking the kernel, which has told it at exec.
    unsafe { libc::getauxval(libc::AT_EUID) as u32 }
}

/// The effective group id, as it was at the start.
pub fn egid() -> u32 {
    // SAFETY: as for `euid`.
    unsafe { libc::getauxval(libc::AT_EGID) as u32 }
}

/// Makes us the parent of orphans among our descendants: prctl(PR_SET_CHILD_SUBREAPER).
pub fn become_subreaper() -> Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Our permitted capabilities, as a bit set: capget(2).
pub fn permitted_capabilities() -> u64 {
    let header = [0x2008_0522u32, 0];
    let mut data = [0u32; 6];
    // SAFETY: version 3 takes a header of two and data of six words.
    unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) };
    u64::from(data[1]) | u64::from(data[4]) << 32
}

/// Whether we, with these capabilities, have no rights over the host's namespaces: as an ordinary user, or as the root
/// of a container that has been given few.
pub fn is_unprivileged(permitted: u64) -> bool {
    const SYS_ADMIN: u64 = 1 << 21;
    euid() != 0 || permitted & SYS_ADMIN == 0
}

/// Does something in a child of its own, with a copy of all that we have, and waits for it. Only the error's text
/// comes back.
pub fn in_child(deed: impl FnOnce() -> Result<()>) -> Result<()> {
    let (ours, theirs) = super::socket::pair()?;
    // SAFETY: we have no threads, so the child may do all that we may; it ends here.
    match unsafe { libc::fork() } {
        0 => {
            let status = match deed() {
                Ok(()) => 0,
                Err(error) => {
                    let _ = super::socket::send(theirs.as_fd(), error.to_string().as_bytes());
                    1
                }
            };
            // SAFETY: ends the child without touching what it shares with us.
            unsafe { libc::_exit(status) }
        }
        pid if pid < 0 => Err(Error::last_os()),
        pid => {
            drop(theirs);
            let mut text = [0; 1024];
            let (length, _) = super::socket::receive(ours.as_fd(), &mut text)?;
            match wait(pid)? {
                0 => Ok(()),
                _ => Err(Error::new(String::from_utf8_lossy(&text[..length]))),
            }
        }
    }
}

/// Whether the real, effective and saved ids of user and group are all 0, as the kernel told the program when it began:
/// getauxval(3).
pub fn is_root() -> bool {
    let ids = [libc::AT_UID, libc::AT_EUID, libc::AT_GID, libc::AT_EGID];
    // SAFETY: takes numbers only. All four are always there.
    ids.iter().all(|id| unsafe { libc::getauxval(*id) } == 0)
}

/// The time since boot in clock ticks, of which there are a hundred in a second: as field 22 of proc_pid_stat(5) counts
/// them.
pub fn boot_ticks() -> Option<u64> {
    const TICK_MSEC: u128 = 10;
    clock(libc::CLOCK_BOOTTIME).map(|since| (since.as_millis() / TICK_MSEC) as u64)
}

/// The time since 1970.
pub fn since_epoch() -> Duration {
    // The C library's 32 bits end in 2038.
    if cfg!(target_pointer_width = "32") {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        return since.unwrap_or_default();
    }
    clock(libc::CLOCK_REALTIME).unwrap_or_default()
}

/// clock_gettime(2), by the system call: the one that needs none is to be looked up in the vDSO first, and touches two pages
/// more. That pays for whoever asks more than once or twice.
fn clock(clock: libc::clockid_t) -> Option<Duration> {
    let mut now: [libc::c_long; 2] = [0; 2];
    // SAFETY: `struct timespec` is two of these in this call, also where the C library's has a longer time.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, &raw mut now) };
    let [sec, nsec] = now;
    (result == 0).then(|| Duration::new(sec as u64, nsec as u32))
}
