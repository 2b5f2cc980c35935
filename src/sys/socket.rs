//! Unix sockets: the stub's report socket, the start socket, and descriptors passed over them.

use super::check;
use crate::error::{Context, Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

/// A connected pair of `SOCK_SEQPACKET` sockets: the first is ours (close-on-exec), the second the stub's, with the lower
/// number: what is opened for the stub before it is closed with it.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: the array has room for two descriptors.
    check(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, fds.as_mut_ptr()) })?;
    // SAFETY: both descriptors are new and ours.
    let (theirs, ours) = unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) };
    // SAFETY: takes numbers only.
    check(unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok((ours, theirs))
}

fn address(path: &Path) -> Result<(libc::sockaddr_un, libc::socklen_t)> {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: all zeroes are a valid address of no family.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    let is_abstract = bytes.first() == Some(&b'@');
    if bytes.len() >= address.sun_path.len() {
        return Err(Error::new(format!(
            "{}: path of a socket is longer than 107 bytes",
            path.display()
        )));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let mut length = std::mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    if is_abstract {
        // A name without a file, written as unix(7) has it; it is as long as it is said to be.
        address.sun_path[0] = 0;
        length -= 1;
    }
    Ok((address, length as libc::socklen_t))
}

fn socket(kind: libc::c_int) -> Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = check(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A `SOCK_SEQPACKET` socket that listens at `name` in the directory, which may have a path of any length. Not
/// close-on-exec: it is for the stub.
pub fn listen_in(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let listener = socket(libc::SOCK_SEQPACKET)?;
    let (address, length) = address(Path::new(&format!(
        "/proc/self/fd/{}/{name}",
        directory.as_raw_fd()
    )))?;
    // SAFETY: the address is valid for that length.
    check(unsafe { libc::bind(listener.as_raw_fd(), (&raw const address).cast(), length) })?;
    // SAFETY: takes numbers only.
    check(unsafe { libc::listen(listener.as_raw_fd(), 1) })?;
    Ok(listener)
}

/// Connects to the `SOCK_SEQPACKET` socket `name` in the directory.
pub fn connect_in(directory: BorrowedFd<'_>, name: &str) -> std::io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
    connect(Path::new(&path), libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC)
}

/// A datagram socket (close-on-exec) that is bound to `name` in the directory.
pub fn bind_datagram(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let socket = socket(libc::SOCK_DGRAM | libc::SOCK_CLOEXEC)?;
    let (address, length) = address(Path::new(&format!(
        "/proc/self/fd/{}/{name}",
        directory.as_raw_fd()
    )))?;
    // SAFETY: the address is valid for that length.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket)
}

/// Connects to a datagram socket (close-on-exec) by its path; `@name` is one without a file.
pub fn connect_datagram(path: &Path) -> std::io::Result<OwnedFd> {
    connect(path, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC)
}

/// A pipe (close-on-exec): its end to read, and its end to write.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: the array has room for two descriptors.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: both descriptors are new and ours.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Connects to a stream socket by its path. Not close-on-exec: it is for the stub.
pub fn connect_stream(path: &Path) -> std::io::Result<OwnedFd> {
    connect(path, libc::SOCK_STREAM)
}

/// Connects to the stream socket of an agent: by its path or, after an `@`, by its abstract name. An agent that does
/// not take connections or bytes for ten seconds is an error.
pub fn connect_agent(path: &str) -> Result<OwnedFd> {
    let socket = socket(libc::SOCK_STREAM | libc::SOCK_CLOEXEC)?;
    let patience = libc::timeval {
        tv_sec: 10,
        tv_usec: 0,
    };
    // SAFETY: the option's value is live and of that size.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            (&raw const patience).cast(),
            size_of_val(&patience) as libc::socklen_t,
        )
    })?;
    let (address, length) = address(Path::new(path))?;
    connect_to(socket, &address, length).with_context(|| format!("{path}: connect"))
}

fn connect(path: &Path, kind: libc::c_int) -> std::io::Result<OwnedFd> {
    let other = |error: Error| std::io::Error::other(error.to_string());
    let socket = socket(kind).map_err(other)?;
    let (address, length) = address(path).map_err(other)?;
    connect_to(socket, &address, length)
}

fn connect_to(
    socket: OwnedFd,
    address: &libc::sockaddr_un,
    length: libc::socklen_t,
) -> std::io::Result<OwnedFd> {
    // SAFETY: the address is valid for that length.
    match unsafe { libc::connect(socket.as_raw_fd(), (&raw const *address).cast(), length) } {
        0 => Ok(socket),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Receives one packet into the buffer, and a descriptor if one came with it (close-on-exec). Returns the
/// packet's length: 0 when the other side has closed its end.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    let (length, message) = receive_with(socket, buffer)?;
    match message {
        Some(Ancillary::Descriptor(fd)) => Ok((length, Some(fd))),
        _ => Ok((length, None)),
    }
}

/// What came with a packet.
enum Ancillary {
    Descriptor(OwnedFd),
    Sender(i32),
}

fn receive_with(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Option<Ancillary>)> {
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut control = [0u64; 4];
    // SAFETY: all zeroes are a valid, empty header.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    let length = loop {
        // SAFETY: the header points to a live buffer and live control space of the lengths that it names.
        let length =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
        if length >= 0 {
            break length as usize;
        }
        let error = std::io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECONNRESET) => break 0,
            _ => return Err(error.into()),
        }
    };
    // SAFETY: the header is as the kernel filled it in.
    let message = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    // SAFETY: a control header that is not null lies wholly in the control space.
    let kind = (!message.is_null()).then(|| unsafe { (*message).cmsg_type });
    if kind == Some(libc::SCM_CREDENTIALS) {
        // SAFETY: SCM_CREDENTIALS carries this structure.
        let sender = unsafe {
            libc::CMSG_DATA(message)
                .cast::<libc::ucred>()
                .read_unaligned()
        };
        return Ok((length, Some(Ancillary::Sender(sender.pid))));
    }
    if kind != Some(libc::SCM_RIGHTS) {
        return Ok((length, None));
    }
    // SAFETY: SCM_RIGHTS carries at least one descriptor, which is now ours.
    let fd = unsafe {
        OwnedFd::from_raw_fd(
            libc::CMSG_DATA(message)
                .cast::<libc::c_int>()
                .read_unaligned(),
        )
    };
    Ok((length, Some(Ancillary::Descriptor(fd))))
}

/// Has the kernel tell the sender of each packet from now on: SO_PASSCRED of unix(7).
pub fn tell_senders(socket: BorrowedFd<'_>) -> Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option takes an integer of that size.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PASSCRED,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    })
    .map(drop)
}

/// Receives one packet, and the pid of its sender: 0 where the kernel does not tell ([`tell_senders`]).
pub fn receive_from(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, i32)> {
    let (length, message) = receive_with(socket, buffer)?;
    match message {
        Some(Ancillary::Sender(pid)) => Ok((length, pid)),
        _ => Ok((length, 0)),
    }
}

/// Sends one packet; a receiver that is gone is an error, not a signal.
pub fn send(socket: BorrowedFd<'_>, packet: &[u8]) -> Result<()> {
    // SAFETY: the buffer is valid for its length.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            packet.as_ptr().cast(),
            packet.len(),
            libc::MSG_NOSIGNAL,
        )
    };
    check(sent as libc::c_int).map(drop)
}

/// Sends some bytes with one descriptor: SCM_RIGHTS of unix(7).
pub fn send_descriptor(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptor: BorrowedFd<'_>,
) -> Result<()> {
    let mut iov = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut control = [0u64; 4];
    // SAFETY: the header points to live buffers; the control space holds one descriptor's message, which the macros
    // lay out in it.
    let sent = unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut iov;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::c_int>() as u32) as _;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        (*message).cmsg_level = libc::SOL_SOCKET;
        (*message).cmsg_type = libc::SCM_RIGHTS;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::c_int>() as u32) as _;
        libc::CMSG_DATA(message)
            .cast::<libc::c_int>()
            .write_unaligned(descriptor.as_raw_fd());
        libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL)
    };
    match check(sent as libc::c_int)? as usize == bytes.len() {
        true => Ok(()),
        false => Err(Error::new("sent in part only: the receiver is too slow")),
    }
}
