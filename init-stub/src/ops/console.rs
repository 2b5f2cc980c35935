//! The terminal: made in the container's own devpts, its master sent out, its slave made the standard streams.

use super::{legacy, paths};
use crate::machine::Machine;
use crate::sys::call::{self, AT_EMPTY_PATH, O_NOCTTY, O_RDWR};
use crate::sys::{Errno, Fd, Outcome, failed};
use crate::wire::{Slot, Text, call as step, create, follow};

const TCGETS: u32 = 0x5401;
const TCSETS: u32 = 0x5402;
const TIOCSCTTY: u32 = 0x540e;
const TIOCSWINSZ: u32 = 0x5414;
const TIOCSPTLCK: u32 = 0x4004_5431;
const TIOCGPTPEER: u32 = 0x5441;
const DEVPTS_MAGIC: u32 = 0x1cd1;
const ONLCR: u32 = 4;

/// Opens a terminal, and makes it the process's.
pub fn open(
    machine: &mut Machine,
    socket: Slot,
    name: Text<'_>,
    (columns, rows): (u32, u32),
    uid: u32,
    mount: bool,
) -> Outcome {
    let path = Text::new(b"/dev/pts/ptmx\0");
    let master = paths::open(machine.root(), path, O_RDWR | O_NOCTTY)?;
    if call::filesystem_magic(master.raw())? != DEVPTS_MAGIC {
        return failed(step::DIFFERENT_NODE, Errno::INVAL);
    }
    let mut unlocked = 0i32;
    call::ioctl(master.raw(), TIOCSPTLCK, &mut unlocked)?;
    // By descriptor: no path that could be tampered with.
    let slave = call::ioctl_open(master.raw(), TIOCGPTPEER, O_RDWR | O_NOCTTY)?;
    keep_newlines(&master)?;
    if columns != 0 || rows != 0 {
        let mut size = [rows as u16, columns as u16, 0, 0];
        call::ioctl(master.raw(), TIOCSWINSZ, &mut size)?;
    }
    if uid != 0 {
        let gid = call::stat(slave.raw())?.gid;
        match call::chown(slave.raw(), uid, gid) {
            Err(failure) if matches!(failure.errno(), Errno::PERM | Errno::INVAL) => {}
            result => result?,
        }
    }
    let socket = call::adopt(machine.descriptor(socket)?);
    call::send_descriptor(socket.raw(), name.bytes(), master.raw())?;
    if mount {
        bind(machine, &slave)?;
    }
    call::ioctl_number(slave.raw(), TIOCSCTTY, 0)?;
    for standard in 0..3 {
        call::dup_to(slave.raw(), standard)?;
    }
    Ok(())
}

/// The container's newlines come out as they are: as runc does, and as its users compare.
fn keep_newlines(master: &Fd) -> Outcome {
    let mut settings = [0u32; 15];
    call::ioctl(master.raw(), TCGETS, &mut settings)?;
    settings[1] &= !ONLCR;
    call::ioctl(master.raw(), TCSETS, &mut settings).map(drop)
}

/// Shows the terminal as /dev/console. What is there already must not be a link.
fn bind(machine: &mut Machine, slave: &Fd) -> Outcome {
    let path = Text::new(b"/dev/console\0");
    let target = paths::target(machine, path, create::FILE, follow::NONE)?;
    legacy::put(slave.raw(), AT_EMPTY_PATH, &target).map(drop)
}
