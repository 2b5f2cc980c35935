//! bpf(2), as far as the device programs of cgroups need it.

use super::check;
use crate::error::Result;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `struct bpf_insn`. The nibbles of `registers` lie as on little-endian machines: the lower one is the destination.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// The operation.
    pub code: u8,
    /// The destination in the lower, the source in the upper four bits.
    pub registers: u8,
    /// Of a jump in instructions, of a load in bytes.
    pub offset: i16,
    /// The constant.
    pub value: i32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
const F_ALLOW_MULTI: u32 = 2;
const F_REPLACE: u32 = 4;
/// The most programs that the kernel attaches to one cgroup.
const MOST: usize = 64;

#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
    replaced: u32,
}

#[repr(C)]
struct Query {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    reserved: u32,
}

/// bpf(2) with one of the structures above, whose pointers must be valid.
fn call<T>(command: libc::c_int, attributes: &mut T) -> Result<libc::c_int> {
    // SAFETY: the structure is a prefix of `union bpf_attr` without padding, valid for its size, and its callers'
    // pointers outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    check(result as libc::c_int)
}

fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the descriptor is new and ours; the kernel makes it close-on-exec.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Loads a program of the type `BPF_PROG_TYPE_CGROUP_DEVICE`.
pub fn load_device_program(program: &[Instruction]) -> Result<OwnedFd> {
    let mut attributes = Load {
        kind: PROG_TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as usize as u64,
        license: c"Apache-2.0".as_ptr() as usize as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    call(PROG_LOAD, &mut attributes).map(owned)
}

fn attachment(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>, flags: u32) -> Attach {
    Attach {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: CGROUP_DEVICE,
        flags,
        replaced: 0,
    }
}

/// Attaches a program to a cgroup, beside others: a device may be used when all allow it. The cgroup's descriptor must
/// not be `O_PATH`.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    call(PROG_ATTACH, &mut attachment(cgroup, program, F_ALLOW_MULTI)).map(drop)
}

/// Attaches a program in place of another, at once. Kernels before 5.6 cannot.
pub fn replace_device_program(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    old: BorrowedFd<'_>,
) -> Result<()> {
    let mut attach = attachment(cgroup, program, F_ALLOW_MULTI | F_REPLACE);
    attach.replaced = old.as_raw_fd() as u32;
    call(PROG_ATTACH, &mut attach).map(drop)
}

/// Takes a program off a cgroup.
pub fn detach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    call(PROG_DETACH, &mut attachment(cgroup, program, 0)).map(drop)
}

/// The programs that are attached to this cgroup itself, but those that a security module keeps from us: programs can
/// only restrict further.
pub fn attached_device_programs(cgroup: BorrowedFd<'_>) -> Result<Vec<OwnedFd>> {
    let mut ids = [0u32; MOST];
    let mut query = Query {
        target: cgroup.as_raw_fd() as u32,
        kind: CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as usize as u64,
        count: MOST as u32,
        reserved: 0,
    };
    call(PROG_QUERY, &mut query)?;
    let mut programs = Vec::new();
    for id in ids.iter().take(query.count as usize) {
        // id, next_id, open_flags
        match call(PROG_GET_FD_BY_ID, &mut [*id, 0, 0]) {
            Ok(fd) => programs.push(owned(fd)),
            Err(error) => {
                let errno = std::io::Error::last_os_error().raw_os_error();
                if !matches!(errno, Some(libc::EPERM | libc::EACCES | libc::ENOENT)) {
                    return Err(error);
                }
            }
        }
    }
    Ok(programs)
}
