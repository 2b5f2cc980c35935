//! From a program to a process: descriptors opened, the image sealed, one child cloned.

use super::handles;
use crate::error::{Context, Error, Result, errno_text};
use crate::log;
use crate::program::wire::Message;
use crate::program::{self, Program};
use crate::sys::{close_all, image, process, socket, spawn};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The stub's ELF image, as build.rs made it.
pub const STUB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init-stub"));

/// How the child is made.
#[derive(Default)]
pub struct Launch<'a> {
    /// `CLONE_NEW*` flags.
    pub namespaces: u64,
    /// The cgroup v2 to start in.
    pub cgroup: Option<OwnedFd>,
    /// The limits are in that cgroup: without it the child must not start.
    pub needs_cgroup: bool,
    /// Given the pid of the child, which waits meanwhile: writes the maps of its new user namespace, for one.
    pub prepare: Option<&'a dyn Fn(i32) -> Result<()>>,
    /// The child gets a time namespace that is not ours.
    pub own_time: bool,
    /// The child keeps our supplementary groups in its new user namespace.
    pub keep_groups: bool,
}

/// Starts the stub on the program, with the handles opened as these descriptors. `report` is our end of its socket. Once
/// it is started, the descriptors are its own: our copies are closed, or the socket would never tell its end.
pub fn launch(
    program: &Program,
    descriptors: &mut Vec<OwnedFd>,
    launch: Launch<'_>,
    report: BorrowedFd<'_>,
) -> Result<spawn::Child> {
    let forks = program.forks;
    if forks {
        socket::tell_senders(report).context("setsockopt")?;
    }
    let code = program.encode(&handles::numbers(descriptors));
    let image = sealed_image(&code, program.scratch_bytes())?;
    // runc's words for its stages: whoever looks for them in a log finds them.
    log::debug(format_args!("nsexec container setup"));
    let spawn = |cgroup| {
        spawn::spawn(&spawn::Spawn {
            image: image.as_fd(),
            namespaces: launch.namespaces,
            cgroup,
            prepare: launch.prepare,
            share_memory: !launch.own_time,
            keep_groups: launch.keep_groups,
        })
    };
    let child = match spawn(launch.cgroup.as_ref().map(AsFd::as_fd)) {
        // On a hybrid host, a kernel before 5.7, or a profile without clone3, leaves the child in our own.
        Err(_) if launch.cgroup.is_some() && !launch.needs_cgroup => spawn(None)?,
        Err(error) if launch.needs_cgroup && process::euid() != 0 && is_denied(&error) => {
            return Err(error.wrap(
                "joining the cgroup needs the right to write to the cgroup.procs of the one above both it and our own",
            ));
        }
        child => child?,
    };
    descriptors.extend(launch.cgroup);
    descriptors.push(image);
    close_all(std::mem::take(descriptors));
    let child = match forks {
        true => successor(program, &child, report)?,
        false => child,
    };
    log::debug(format_args!("child process in init(): pid {}", child.pid));
    Ok(child)
}

/// Whether an error is that we may not.
pub fn is_denied(error: &Error) -> bool {
    error.to_string().ends_with(&errno_text(libc::EACCES))
}

/// Waits for the child in whose place another goes on, and returns that: [`program::wire::Op::Fork`].
fn successor(
    program: &Program,
    first: &spawn::Child,
    report: BorrowedFd<'_>,
) -> Result<spawn::Child> {
    let mut buffer = [0; Message::SIZE];
    let (length, sender) = socket::receive_from(report, &mut buffer).context("container init")?;
    // It has nothing left to do, whatever came.
    process::wait(first.pid)?;
    match Message::from_bytes(&buffer[..length]) {
        Ok(message) if message.kind == Message::FORKED && sender > 0 => {
            // Our child, not waited for yet: the pid is nobody else's.
            let pidfd = process::pidfd_open(sender).context("pidfd_open")?;
            Ok(spawn::Child {
                pid: sender,
                start_ticks: None,
                pidfd,
            })
        }
        Ok(message) => {
            Err(program::explain(program, message, None).wrap("unable to start container process"))
        }
        Err(_) => Err(Error::new(
            "unable to start container process: container init ended early",
        )),
    }
}

/// The stub with the program as its last segment and zeroed memory behind it, in a file that nobody can change.
fn sealed_image(program: &[u8], scratch_bytes: usize) -> Result<OwnedFd> {
    let segment = last_segment(STUB)
        .filter(|segment| segment.offset <= STUB.len())
        .ok_or_else(|| Error::new("internal: the stub has no program segment"))?;
    let (headers, rest) = STUB[..segment.offset].split_at(segment.headers_end);
    let mut headers = headers.to_vec();
    put(&mut headers, segment.file_size_at, program.len());
    let size = program.len() + scratch_bytes;
    put(&mut headers, segment.memory_size_at, size);
    image::sealed(&[&headers, rest, program])
}

struct Segment {
    offset: usize,
    headers_end: usize,
    file_size_at: usize,
    memory_size_at: usize,
}

/// Finds the last `PT_LOAD` program header: elf(5).
fn last_segment(elf: &[u8]) -> Option<Segment> {
    const WIDE: bool = size_of::<usize>() == 8;
    const PT_LOAD: u32 = 1;
    let (headers_at, entry_size_at, count_at) = if WIDE { (32, 54, 56) } else { (28, 42, 44) };
    let (offset, file_size, memory_size) = if WIDE { (8, 32, 40) } else { (4, 16, 20) };
    let start = word(elf, headers_at)?;
    let size = usize::from(half(elf, entry_size_at)?);
    let count = usize::from(half(elf, count_at)?);
    let mut headers = (0..count).rev().map(|index| start + index * size);
    let header = headers.find(|&at| {
        elf.get(at..at + 4)
            .is_some_and(|kind| kind == PT_LOAD.to_ne_bytes())
    })?;
    Some(Segment {
        offset: word(elf, header + offset)?,
        headers_end: start + count * size,
        file_size_at: header + file_size,
        memory_size_at: header + memory_size,
    })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from_ne_bytes(
        bytes.get(at..at + size_of::<usize>())?.try_into().ok()?,
    ))
}

fn put(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + size_of::<usize>()].copy_from_slice(&value.to_ne_bytes());
}
