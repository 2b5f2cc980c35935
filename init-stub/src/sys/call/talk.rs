//! Sockets and terminals.

use super::{O_CLOEXEC, descriptor, done, syscall};
use crate::sys::{Errno, Fd, Outcome, failed};
use crate::wire::call as step;

/// recv(2), which is read(2) where it has no flags.
pub fn receive(fd: i32, buffer: &mut [u8]) -> Outcome<u32> {
    syscall!(RECV, READ, fd, buffer.as_mut_ptr(), buffer.len())
}

/// accept4(2).
pub fn accept(fd: i32) -> Outcome<Fd> {
    descriptor(syscall!(ACCEPT, ACCEPT4, fd, 0, 0, O_CLOEXEC))
}

#[repr(C)]
struct Iovec {
    base: *mut u8,
    length: usize,
}

/// A control message with one descriptor: cmsg(3).
#[repr(C)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    descriptor: i32,
}

/// `struct msghdr`.
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

impl Header {
    fn new(iov: &Iovec, control: &mut Control) -> Header {
        Header {
            name: 0,
            name_length: 0,
            iov,
            iov_count: 1,
            control,
            control_length: size_of::<Control>(),
            flags: 0,
        }
    }
}

/// sendmsg(2) of some bytes and one descriptor.
pub fn send_descriptor(socket: i32, bytes: &[u8], passed: i32) -> Outcome {
    const SOL_SOCKET: i32 = 1;
    const SCM_RIGHTS: i32 = 1;
    const MSG_NOSIGNAL: usize = 0x4000;
    let iov = Iovec {
        base: bytes.as_ptr().cast_mut(),
        length: bytes.len(),
    };
    let mut control = Control {
        length: size_of::<usize>() + 3 * size_of::<i32>(),
        level: SOL_SOCKET,
        kind: SCM_RIGHTS,
        descriptor: passed,
    };
    let header = Header::new(&iov, &mut control);
    done(syscall!(
        SENDMSG,
        SENDMSG,
        socket,
        &raw const header,
        MSG_NOSIGNAL
    ))
}

/// recvmsg(2) of one byte and a descriptor; EBADF when none came.
pub fn receive_descriptor(socket: i32) -> Outcome<Fd> {
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    let mut byte = 0;
    let iov = Iovec {
        base: &raw mut byte,
        length: 1,
    };
    let mut control = Control {
        length: 0,
        level: 0,
        kind: 0,
        descriptor: -1,
    };
    let mut header = Header::new(&iov, &mut control);
    syscall!(RECV, RECVMSG, socket, &raw mut header, MSG_CMSG_CLOEXEC)?;
    match header.control_length > 0 && control.descriptor >= 0 {
        true => Ok(Fd::new(control.descriptor)),
        false => failed(step::RECV, Errno::BADF),
    }
}

/// socket(2) of AF_INET and SOCK_DGRAM, on which interfaces are configured.
pub fn inet_socket() -> Outcome<Fd> {
    descriptor(syscall!(SOCKET, SOCKET, 2, 2 | O_CLOEXEC, 0))
}

/// ioctl(2) with a number.
pub fn ioctl_number(fd: i32, request: u32, argument: usize) -> Outcome<u32> {
    syscall!(IOCTL, IOCTL, fd, request, argument)
}

/// ioctl(2) that gives a new descriptor for these open flags.
pub fn ioctl_open(fd: i32, request: u32, flags: u64) -> Outcome<Fd> {
    descriptor(syscall!(IOCTL, IOCTL, fd, request, flags))
}

/// ioctl(2) with a structure, which must be of the size that the request takes.
pub fn ioctl<T: Copy>(fd: i32, request: u32, argument: &mut T) -> Outcome<u32> {
    syscall!(IOCTL, IOCTL, fd, request, &raw mut *argument)
}
