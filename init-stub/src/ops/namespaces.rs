//! Namespaces, what belongs to them, and cgroups.

use super::process;
use crate::machine::Machine;
use crate::sys::call;
use crate::sys::{Errno, Outcome};
use crate::wire::{Slot, Text};

/// The process moves itself: no lock of the whole system is taken.
pub fn join_cgroup(machine: &mut Machine, tasks: Slot) -> Outcome {
    let tasks = call::adopt(machine.descriptor(tasks)?);
    call::write(tasks.raw(), b"0")?;
    machine.discard(tasks);
    Ok(())
}

/// setns(2).
pub fn join(machine: &Machine, namespace: Slot, flags: u32) -> Outcome {
    if machine.joined & flags != 0 {
        return Ok(());
    }
    let namespace = call::adopt(machine.descriptor(namespace)?);
    call::setns(namespace.raw(), flags)
}

/// setns(2), which may be tried again when there are more rights.
pub fn join_early(machine: &mut Machine, namespace: Slot, flags: u32) -> Outcome {
    let number = machine.descriptor(namespace)?;
    match call::setns(number, flags) {
        Err(failure) if failure.is(Errno::PERM) => return Ok(()),
        result => result?,
    }
    machine.joined |= flags;
    machine.discard(call::adopt(number));
    Ok(())
}

/// unshare(2).
pub fn unshare(flags: u32) -> Outcome {
    call::unshare(flags)
}

/// A time namespace for the children. The file with its offsets is that of the host's root as long as nobody may look
/// at this process.
pub fn time(machine: &Machine, proc: Slot, offsets: Text<'_>) -> Outcome {
    const CLONE_NEWTIME: u32 = 0x80;
    unshare(CLONE_NEWTIME)?;
    if offsets.bytes().is_empty() {
        return Ok(());
    }
    process::set_dumpable(true)?;
    process::write_proc(machine, proc, Text::new(b"self/timens_offsets\0"), offsets)?;
    process::set_dumpable(false)
}

/// sethostname(2).
pub fn hostname(name: Text<'_>) -> Outcome {
    call::sethostname(name.bytes())
}

/// setdomainname(2).
pub fn domainname(name: Text<'_>) -> Outcome {
    call::setdomainname(name.bytes())
}

/// Sets IFF_UP on `lo`: netdevice(7).
pub fn loopback_up(machine: &mut Machine) -> Outcome {
    const SIOCSIFFLAGS: u32 = 0x8914;
    const IFF_UP: u16 = 1;
    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: u16,
        rest: [u8; 22],
    }
    let mut request = Request {
        name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        flags: IFF_UP,
        rest: [0; 22],
    };
    let socket = call::inet_socket()?;
    call::ioctl(socket.raw(), SIOCSIFFLAGS, &mut request)?;
    machine.discard(socket);
    Ok(())
}
