//! mount(2), for kernels that lack calls of the new mount API.

use super::mounts::{Change, Tree, give_owner, is_missing};
use super::text::{DescriptorPath, Octal};
use super::{copy_up, paths};
use crate::machine::{Failure, Machine, Outcome, Step, c};
use crate::sys::call::{self, O_DIRECTORY, O_NOFOLLOW};
use crate::sys::{Errno, Fd, Result};
use crate::wire::{Text, call as step, create};
use core::ffi::CStr;

/// `MOUNT_ATTR_*` and the `MS_*` flags of mount(2) that mean the same.
const PAIRS: &[(u64, u64)] = &[
    (0x1, 1),
    (0x2, 2),
    (0x4, 4),
    (0x8, 8),
    (0x10, 1024),
    (0x20, 1 << 24),
    (0x80, 2048),
    (0x20_0000, 256),
];
const ATIME_MASK: u64 = 0x70;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;
const MS_RELATIME: u64 = 1 << 21;

/// Attributes as flags of mount(2).
pub fn flags(attributes: u64) -> u64 {
    let pairs = PAIRS.iter().filter(|pair| attributes & pair.0 != 0);
    pairs.fold(0, |all, pair| all | pair.1)
}

/// Flags of mount(2) as attributes.
pub fn attributes(flags: u64) -> u64 {
    let pairs = PAIRS.iter().filter(|pair| flags & pair.1 != 0);
    pairs.fold(0, |all, pair| all | pair.0)
}

/// The field of attributes that must be cleared when these flags of mount(2) ask for a kind of atime.
pub fn atime_mask(flags: u64) -> u64 {
    match attributes(flags) & ATIME_MASK | flags & MS_RELATIME {
        0 => 0,
        _ => ATIME_MASK,
    }
}

/// The attributes of a descriptor's mount: from the `ST_*` flags of statfs(2), which but for two are as those of
/// mount(2).
fn current(mount: i32) -> Result<u64> {
    const ST_RELATIME: u64 = 4096;
    const ST_NOSYMFOLLOW: u64 = 8192;
    const ST_NOATIME: u64 = 1024;
    let flags = call::mount_flags(mount)?;
    let mut found = attributes(flags & (0xf | ST_NOATIME | 2048));
    if flags & ST_NOSYMFOLLOW != 0 {
        found |= NOSYMFOLLOW;
    }
    if flags & (ST_RELATIME | ST_NOATIME) == 0 {
        found |= 0x20;
    }
    Ok(found)
}

/// What of a change can be done where flags of the mount are locked: those in place are kept, unless they are asked to
/// be off; the kind of atime must be what it is.
pub fn within_locks(mount: i32, change: Change) -> Result<(u64, u64)> {
    const LOCKABLE: u64 = 0xf;
    let current = current(mount)?;
    let atime = ATIME_MASK | NODIRATIME;
    let other_atime = change.clear & ATIME_MASK != 0 && change.set & atime != current & atime;
    if current & change.cleared & (LOCKABLE | atime) != 0 || other_atime {
        return Err(Errno::PERM);
    }
    Ok((
        (change.set & !atime) | current & LOCKABLE,
        change.clear & NOSYMFOLLOW,
    ))
}

/// Mounts what the tree describes, and makes its changes.
pub fn attach(machine: &Machine, tree: &Tree, place: &Fd, target: Text<'_>, follow: u8) -> Outcome {
    let recipe = &tree.recipe;
    let under = DescriptorPath::new(place.raw());
    let covered = match recipe.copy_up {
        true => Some(call::openat(place.raw(), c".", O_DIRECTORY, 0).step(step::OPEN)?),
        false => None,
    };
    let mut page = Page::new();
    if let Some(covered) = recipe.covered {
        page.add(b"mode=", Octal::new(covered.mode).c_str().to_bytes())?;
    }
    for option in recipe.options.iter() {
        page.add(b"", option.bytes())?;
    }
    let fstype = recipe.fstype.map(c).transpose()?;
    let mut attributes = 0;
    match call::mount_type(
        Some(c(recipe.source)?),
        under.c_str(),
        fstype,
        recipe.flags,
        page.c_str()?,
    ) {
        Err(Errno::PERM | Errno::BUSY) if let Some(path) = recipe.fallback => {
            let flags = call::MS_BIND | call::MS_REC;
            call::mount(Some(c(path)?), under.c_str(), flags, None).step(step::MOUNT)?;
            attributes = self::attributes(recipe.flags);
        }
        result => result.step(step::MOUNT)?,
    }
    // The descriptor still means what is below the mount: what is above it must be looked up again.
    let mount = paths::target(machine, target, create::NEVER, follow)?;
    if !same_path(&mount, place) {
        return Err(Errno::AGAIN).step(step::MOUNT);
    }
    if let Some(source) = covered {
        copy_up::copy(&source, mount.raw())?;
    }
    give_owner(mount.raw(), recipe)?;
    let inherited = Change {
        set: attributes,
        keep_locked: true,
        ..Change::default()
    };
    change(mount.raw(), inherited)?;
    finish(tree, mount.raw(), 0)
}

/// Whether two descriptors have the same path; somebody may have renamed one.
fn same_path(a: &Fd, b: &Fd) -> bool {
    let mut paths = [[0; 4096]; 2];
    let [one, other] = &mut paths;
    let read = |fd: &Fd, buffer: &mut [u8]| {
        call::read_link(DescriptorPath::new(fd.raw()).c_str(), buffer).unwrap_or(0)
    };
    let length = read(a, one);
    length > 0 && length == read(b, other) && one == other
}

/// Makes the tree's changes from that index on, now that it is in place.
pub fn finish(tree: &Tree, mount: i32, from: usize) -> Outcome {
    for change in tree.changes.iter().take(tree.count).skip(from).flatten() {
        self::change(mount, *change)?;
    }
    Ok(())
}

/// Changes a mount that is in place.
pub fn change(mount: i32, wanted: Change) -> Outcome {
    let path = DescriptorPath::new(mount);
    let path = path.c_str();
    if wanted.propagation != 0 {
        let rec = if wanted.recursive { call::MS_REC } else { 0 };
        call::mount(None, path, wanted.propagation | rec, None).step(step::MOUNT)?;
    }
    if wanted.set | wanted.clear == 0 {
        return Ok(());
    }
    if wanted.recursive {
        // Only mount_setattr(2) can.
        return Err(Errno::NOSYS).step(step::MOUNT_SETATTR);
    }
    let current = current(mount).step(step::STAT)?;
    let remount = |attributes: u64, atime: bool| {
        let flags = call::MS_REMOUNT | call::MS_BIND | flags(attributes);
        let relatime = if atime && attributes & ATIME_MASK == 0 {
            MS_RELATIME
        } else {
            0
        };
        call::mount(None, path, flags | relatime, None)
    };
    let atime = (wanted.clear | wanted.set) & (ATIME_MASK | NODIRATIME) != 0;
    let kept = current & !wanted.clear & !(if atime { 0 } else { ATIME_MASK | NODIRATIME });
    match remount(kept | wanted.set, atime) {
        Err(Errno::PERM) if wanted.keep_locked => {
            let (set, clear) = within_locks(mount, wanted).step(step::MOUNT)?;
            remount(current & !clear & 0x20_000f | set, false)
        }
        result => result,
    }
    .step(step::MOUNT)
}

/// Changes a mount, and, of what is asked for the whole tree, those that are mounted on its entries: of a cgroup v1
/// file system this is all.
pub fn change_with_entries(mount: i32, wanted: Change) -> Outcome {
    let change = Change {
        recursive: false,
        ..wanted
    };
    if wanted.recursive {
        let directory = call::openat(mount, c".", O_DIRECTORY, 0).step(step::OPEN)?;
        copy_up::entries(&directory, |name| {
            let entry = call::openat(directory.raw(), name, call::O_PATH | O_NOFOLLOW, 0);
            match self::change(entry.step(step::OPEN)?.raw(), change) {
                // Nothing is mounted there.
                Err(Failure {
                    errno: Errno::INVAL,
                    ..
                }) => Ok(()),
                result => result,
            }
        })?;
    }
    self::change(mount, change)
}

/// The options of mount(2), separated by commas.
struct Page {
    bytes: [u8; 4096],
    length: usize,
}

impl Page {
    fn new() -> Page {
        Page {
            bytes: [0; 4096],
            length: 0,
        }
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> Outcome {
        let comma: &[u8] = if self.length == 0 { b"" } else { b"," };
        for part in [comma, key, value] {
            let end = self.length + part.len();
            // The last byte stays zero.
            let place = self.bytes.get_mut(self.length..end);
            let place = place.filter(|_| end < 4096);
            let place = place.ok_or(Errno(7)).step(step::MOUNT)?;
            place.copy_from_slice(part);
            self.length = end;
        }
        Ok(())
    }

    fn c_str(&self) -> Outcome<Option<&CStr>> {
        let text = CStr::from_bytes_until_nul(&self.bytes)
            .map_err(|_| Errno(7))
            .step(step::MOUNT)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// Binds a directory over itself, and opens that.
pub fn root(path: &CStr, recursive: bool) -> Outcome<Fd> {
    let flags = call::MS_BIND | if recursive { call::MS_REC } else { 0 };
    call::mount(Some(path), path, flags, None).step(step::MOUNT)?;
    // Of the root, only this means what was mounted on it.
    let path = if path == c"/" { c"/.." } else { path };
    call::openat(call::AT_FDCWD, path, call::O_PATH | O_DIRECTORY, 0).step(step::OPEN)
}

/// Binds what the descriptor `from` means over what `to` means; `flags` are those of open_tree(2).
pub fn put(machine: &mut Machine, from: i32, flags: u32, to: &Fd) -> Outcome {
    let tree = match call::clone_tree(from, c"", flags) {
        Err(errno) if is_missing(errno) => None,
        tree => Some(tree.step(step::OPEN_TREE)?),
    };
    if let Some(tree) = tree {
        match call::move_mount(tree.raw(), to.raw()) {
            Err(Errno::NOSYS) => {}
            result => {
                machine.discard(tree);
                return result.step(step::MOVE_MOUNT);
            }
        }
    }
    let (from, to) = (DescriptorPath::new(from), DescriptorPath::new(to.raw()));
    let rec = if flags & call::AT_RECURSIVE != 0 {
        call::MS_REC
    } else {
        0
    };
    let flags = call::MS_BIND | rec;
    call::mount(Some(from.c_str()), to.c_str(), flags, None).step(step::MOUNT)
}
