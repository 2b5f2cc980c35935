//! A kernel that answers each call with anything that a real one may answer, and reads and writes all the memory that a
//! real one would: where a pointer is wrong, a sanitizer or Miri sees it.

use crate::sys::number as nr;
use crate::wire::any::Random;
use std::cell::RefCell;
use std::mem::MaybeUninit;

/// How a life ends: unwinding, with the status.
pub struct Exit(pub usize);

struct Kernel {
    random: Random,
    calls: u32,
    /// One in so many calls fails.
    failing: usize,
}

thread_local! {
    static KERNEL: RefCell<Option<Kernel>> = const { RefCell::new(None) };
}

/// Starts anew.
pub fn boot(mut random: Random) {
    let failing = [2, 5, 30, 1000][random.below(4)];
    KERNEL.set(Some(Kernel {
        random,
        calls: 0,
        failing,
    }));
}

/// The memory that a call has to do with, by the numbers of its arguments.
enum Memory {
    Text(usize),
    /// May be null.
    MaybeText(usize),
    /// So many bytes that are read.
    In(usize, usize),
    /// So many bytes that may be written, all or some of them.
    Out(usize, usize),
    /// The result is how many of the bytes were written.
    Filled(usize, usize),
    /// An array of texts, ended by null.
    Texts(usize),
}

use Memory::{Filled, In, MaybeText, Out, Text, Texts};

const EXIST: isize = 17;
const ERRORS: &[isize] = &[
    1, 2, 4, 5, 9, 11, 13, 14, 16, EXIST, 20, 21, 22, 28, 30, 36, 38, 40, 75, 95,
];

/// More calls than any program needs: from here on all of them fail.
const MANY: u32 = 3000;
/// More than one makes that gives up.
const TOO_MANY: u32 = 200_000;

/// The system call instruction.
///
/// # Safety
/// As of the real one.
pub unsafe fn raw(call: usize, a: [usize; 6]) -> isize {
    let result = KERNEL.with_borrow_mut(|kernel| {
        let kernel = kernel.as_mut().expect("the kernel was booted");
        kernel.calls += 1;
        assert!(kernel.calls < TOO_MANY, "it never ends");
        kernel.answer(call, a)
    });
    if call == nr::EXIT_GROUP || call == nr::EXECVE && result == 0 {
        std::panic::resume_unwind(Box::new(Exit(a[0] * usize::from(call == nr::EXIT_GROUP))));
    }
    result
}

impl Kernel {
    fn answer(&mut self, call: usize, a: [usize; 6]) -> isize {
        let memory = match call {
            nr::OPENAT
            | nr::MKDIRAT
            | nr::MKNODAT
            | nr::UNLINKAT
            | nr::FACCESSAT2
            | nr::FCHOWNAT
            | nr::OPEN_TREE => {
                vec![Text(1)]
            }
            nr::OPENAT2 => vec![Text(1), In(2, a[3])],
            nr::READLINKAT => vec![Text(1), Filled(2, a[3])],
            nr::SYMLINKAT => vec![Text(0), Text(2)],
            nr::STATX => vec![Text(1), Out(4, 256)],
            nr::FSTATFS => vec![Out(1, 120)],
            nr::READ | nr::PREAD64 => vec![Filled(1, a[2])],
            nr::GETDENTS64 => return self.entries(a),
            nr::GETCWD => vec![Filled(0, a[1])],
            nr::WRITE => vec![In(1, a[2])],
            nr::SENDMSG | nr::RECVMSG => return self.message(call == nr::RECVMSG, a),
            nr::RT_SIGPROCMASK => vec![In(1, 8)],
            nr::RT_SIGACTION => vec![In(1, 32)],
            nr::SETHOSTNAME | nr::SETDOMAINNAME => vec![In(0, a[1])],
            nr::FSOPEN | nr::CHROOT | nr::CHDIR | nr::MEMFD_CREATE | nr::UMOUNT2 => vec![Text(0)],
            nr::FSCONFIG => vec![MaybeText(2), MaybeText(3)],
            nr::MOVE_MOUNT => vec![Text(1), Text(3)],
            nr::MOUNT_SETATTR => vec![Text(1), In(3, a[4])],
            nr::MOUNT => vec![MaybeText(0), Text(1), MaybeText(2), MaybeText(4)],
            nr::PIVOT_ROOT => vec![Text(0), Text(1)],
            nr::SETGROUPS => vec![In(1, a[0] * 4)],
            nr::CAPSET => vec![In(0, 8), In(1, 24)],
            nr::PRLIMIT64 => vec![In(2, 16)],
            nr::SCHED_SETAFFINITY => vec![In(2, a[1])],
            nr::SCHED_SETATTR => return self.attributes(a),
            nr::SET_MEMPOLICY => match a[1] {
                0 => vec![],
                // The last bit does not count.
                _ => vec![In(1, (a[2] - 1).div_ceil(64) * 8)],
            },
            nr::SECCOMP => {
                // struct sock_fprog.
                let length = usize::from(u16::from_ne_bytes(bytes(a[2], 2).try_into().unwrap()));
                read(word(a[2] + 8), length * 8);
                vec![]
            }
            nr::LANDLOCK_CREATE_RULESET => vec![In(0, a[1])],
            nr::LANDLOCK_ADD_RULE => vec![In(2, if a[1] == 1 { 12 } else { 16 })],
            nr::KEYCTL if a[0] == 1 => vec![Text(1)],
            nr::PPOLL => vec![Out(0, 8), In(2, 16)],
            nr::WAIT4 => vec![Out(1, 4)],
            nr::EXECVE => vec![Text(0), Texts(1), Texts(2)],
            nr::IOCTL => match a[1] {
                // TCGETS, TCSETS, TIOCSWINSZ, TIOCSPTLCK, SIOCSIFFLAGS
                0x5401 => vec![Out(2, 36)],
                0x5402 => vec![In(2, 36)],
                0x5414 => vec![In(2, 8)],
                0x4004_5431 => vec![In(2, 4)],
                0x8914 => vec![In(2, 40)],
                _ => vec![],
            },
            nr::KEYCTL
            | nr::CLOSE
            | nr::CLOSE_RANGE
            | nr::LSEEK
            | nr::ACCEPT4
            | nr::SOCKET
            | nr::FSMOUNT
            | nr::FCHMOD
            | nr::FCHDIR
            | nr::SETNS
            | nr::UNSHARE
            | nr::SETSID
            | nr::UMASK
            | nr::GETPID
            | nr::PRCTL
            | nr::SETRESGID
            | nr::SETRESUID
            | nr::IOPRIO_SET
            | nr::PERSONALITY
            | nr::LANDLOCK_RESTRICT_SELF
            | nr::DUP3
            | nr::CLONE
            | nr::KILL
            | nr::PIDFD_OPEN
            | nr::EXIT_GROUP => vec![],
            _ => panic!("what memory has call {call} to do with?"),
        };
        let failed = self.fails();
        let mut filled = None;
        for part in memory {
            match part {
                Text(index) => text(a[index]),
                MaybeText(index) if a[index] == 0 => {}
                MaybeText(index) => text(a[index]),
                In(index, length) => read(a[index], length),
                // What failed may have written as well.
                Out(index, length) => self.write(a[index], length),
                Filled(index, length) => filled = Some(self.fill(a[index], length)),
                Texts(index) => texts(a[index]),
            }
        }
        match failed {
            Some(errno) => -errno,
            None => self.success(call, filled),
        }
    }

    fn fails(&mut self) -> Option<isize> {
        let fails = self.calls > MANY || self.random.once_in(self.failing);
        fails.then(|| match self.calls > MANY {
            true => 5,
            false => ERRORS[self.random.below(ERRORS.len())],
        })
    }

    fn success(&mut self, call: usize, filled: Option<usize>) -> isize {
        let random = &mut self.random;
        match call {
            nr::OPENAT
            | nr::OPENAT2
            | nr::OPEN_TREE
            | nr::FSOPEN
            | nr::FSMOUNT
            | nr::ACCEPT4
            | nr::SOCKET
            | nr::MEMFD_CREATE
            | nr::LANDLOCK_CREATE_RULESET
            | nr::PIDFD_OPEN
            | nr::IOCTL
            | nr::SECCOMP => random.below(if self.failing > 100 { 100_000 } else { 80 }) as isize,
            nr::LSEEK => (random.edge() >> 1) as isize,
            nr::GETPID | nr::CLONE | nr::WAIT4 | nr::KEYCTL => random.below(4) as isize * 1000,
            nr::PPOLL | nr::PRCTL => random.below(2) as isize,
            // More than was to be written is no answer; less is.
            nr::WRITE => random.below(3) as isize + 1,
            _ => filled.unwrap_or(0) as isize,
        }
    }

    /// Writes anything to all the bytes.
    fn write(&mut self, pointer: usize, length: usize) {
        for index in 0..length {
            // Small numbers more often: kinds of files, and the like.
            let byte = match self.random.below(4) {
                0 => self.random.number() as u8,
                1 => [0o100, 0o040, 0o020, 0o120][self.random.below(4)],
                _ => 0,
            };
            // SAFETY: the caller of `raw` gives memory that is as large as the call takes it to be.
            unsafe {
                (std::ptr::with_exposed_provenance_mut::<u8>(pointer + index)).write_volatile(byte)
            };
        }
    }

    /// Fills a part of the bytes, and tells how many.
    fn fill(&mut self, pointer: usize, length: usize) -> usize {
        let used = match self.random.below(4) {
            0 => 0,
            1 => length,
            _ => self.random.below(length + 1),
        };
        const TEXT: &[u8] = b"root:x:0:0::/root:/bin/sh\n1000:/:";
        match self.random.once_in(2) {
            true => self.write(pointer, used.min(4096)),
            false => (0..used.min(4096)).for_each(|index| {
                // SAFETY: as above.
                unsafe {
                    std::ptr::with_exposed_provenance_mut::<u8>(pointer + index)
                        .write_volatile(TEXT[index % TEXT.len()]);
                }
            }),
        }
        used.min(4096)
    }

    /// getdents64(2): entries, or any bytes.
    fn entries(&mut self, a: [usize; 6]) -> isize {
        if let Some(errno) = self.fails() {
            return -errno;
        }
        if self.random.once_in(2) {
            return 0;
        }
        if self.random.once_in(4) {
            return self.fill(a[1], a[2]) as isize;
        }
        let mut entries = Vec::new();
        for name in ["a", "..", "b\u{1}c", "long-name-of-a-file"]
            .iter()
            .take(self.random.below(5))
        {
            let start = entries.len();
            entries.resize(start + (20 + name.len()).next_multiple_of(8), 0);
            let size = (entries.len() - start) as u16;
            entries[start + 16..start + 18].copy_from_slice(&size.to_ne_bytes());
            entries[start + 19..start + 19 + name.len()].copy_from_slice(name.as_bytes());
        }
        for (index, byte) in entries.iter().enumerate() {
            assert!(index < a[2], "the buffer holds no directory");
            // SAFETY: as above.
            unsafe {
                std::ptr::with_exposed_provenance_mut::<u8>(a[1] + index).write_volatile(*byte)
            };
        }
        entries.len() as isize
    }

    /// sched_setattr(2): the structure's size is its first field.
    fn attributes(&mut self, a: [usize; 6]) -> isize {
        let size = u32::from_ne_bytes(bytes(a[1], 4).try_into().unwrap());
        match size {
            0..48 | 4097.. => -7,
            _ => {
                read(a[1], size as usize);
                self.fails().map_or(0, |errno| -errno)
            }
        }
    }

    /// sendmsg(2) and recvmsg(2): struct msghdr, its one iovec, its control message.
    fn message(&mut self, receives: bool, a: [usize; 6]) -> isize {
        let at = |index: usize| word(a[1] + 8 * index);
        let iov = (word(at(2)), word(at(2) + 8));
        let control = (at(4), at(5));
        assert_eq!(at(3), 1, "one part is enough");
        if !receives {
            read(iov.0, iov.1);
            read(control.0, control.1);
            return self.fails().map_or(iov.1 as isize, |errno| -errno);
        }
        if let Some(errno) = self.fails() {
            return -errno;
        }
        self.write(iov.0, iov.1);
        let length = self.random.below(2) * control.1;
        self.write(control.0, length);
        for (index, byte) in length.to_ne_bytes().iter().enumerate() {
            // SAFETY: as above.
            unsafe {
                std::ptr::with_exposed_provenance_mut::<u8>(a[1] + 40 + index).write_volatile(*byte)
            };
        }
        1
    }
}

fn byte(pointer: usize) -> u8 {
    // SAFETY: the caller of `raw` gives memory that is as large as the call takes it to be.
    unsafe { std::ptr::with_exposed_provenance::<u8>(pointer).read_volatile() }
}

fn bytes(pointer: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| byte(pointer + index)).collect()
}

/// A number, or the address of what a pointer points to.
fn word(pointer: usize) -> usize {
    let word = std::ptr::with_exposed_provenance::<*const u8>(pointer);
    // SAFETY: as above; each number is a pointer's address.
    unsafe { word.read_unaligned() }.expose_provenance()
}

/// Reads the bytes, which may be the padding of a structure.
fn read(pointer: usize, length: usize) {
    for index in 0..length {
        let byte = std::ptr::with_exposed_provenance::<MaybeUninit<u8>>(pointer + index);
        // SAFETY: as above; any byte is one that may not be initialized.
        let _ = unsafe { byte.read_volatile() };
    }
}

fn text(pointer: usize) {
    assert_ne!(pointer, 0);
    let mut length = 0;
    while byte(pointer + length) != 0 {
        length += 1;
    }
}

fn texts(pointer: usize) {
    if pointer == 0 {
        return;
    }
    let mut index = 0;
    while word(pointer + 8 * index) != 0 {
        text(word(pointer + 8 * index));
        index += 1;
    }
}
