//! mount(2), for kernels that lack calls of the new mount API.

use super::mounts::{PROC_SUPER_MAGIC, give_owner};
use super::text::{Buffer, DescriptorPath, Octal};
use super::tree::{Change, Recipe, Tree};
use super::{copy_up, paths};
use crate::machine::{Machine, c};
use crate::sys::call::{self, AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_PATH};
use crate::sys::{Errno, Failure, Fd, Outcome, Path, Step, failed};
use crate::wire::{Text, call as step, create};

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
fn current(mount: i32) -> Outcome<u64> {
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
pub fn within_locks(mount: i32, change: Change) -> Outcome<(u64, u64)> {
    const LOCKABLE: u64 = 0xf;
    let current = current(mount)?;
    let atime = ATIME_MASK | NODIRATIME;
    let other_atime = change.clear & ATIME_MASK != 0 && change.set & atime != current & atime;
    if current & change.cleared & (LOCKABLE | atime) != 0 || other_atime {
        return failed(step::MOUNT_SETATTR, Errno::PERM);
    }
    Ok((
        (change.set & !atime) | current & LOCKABLE,
        change.clear & NOSYMFOLLOW,
    ))
}

/// Mounts what is described.
#[inline(never)]
pub fn mount(recipe: &Recipe, place: Path<'_>) -> Outcome {
    // The options, of which each brings its comma.
    let mut page = Buffer::new();
    let mut add = |key: &[u8], value: &[u8]| {
        let comma: &[u8] = if page.bytes().is_empty() { b"" } else { b"," };
        let added = page.push(&[comma, key, value]);
        added.map_err(|_| Failure::new(step::MOUNT, Errno::TOOBIG))
    };
    if let Some(covered) = recipe.covered {
        add(b"mode=", Octal::new(covered.mode).text().bytes())?;
    }
    for option in recipe.options.iter() {
        add(b"", option.bytes())?;
    }
    call::mount_type(
        Some(c(recipe.source)),
        place,
        recipe.fstype.map(c),
        recipe.flags,
        Some(page.path()).filter(|_| !page.bytes().is_empty()),
    )
}

/// Mounts what the tree describes, and makes its changes. Where it is not called, its room on the stack is not touched.
#[inline(never)]
pub fn attach(machine: &mut Machine, place: &Fd, target: Text<'_>, follow: u8) -> Outcome {
    let recipe = machine.tree()?.recipe;
    let under = DescriptorPath::new(place.raw());
    let covered = match recipe.copy_up {
        true => Some(call::openat(place.raw(), Path::HERE, O_DIRECTORY, 0)?),
        false => None,
    };
    let mut attributes = 0;
    match mount(&recipe, under.path()) {
        Err(failure)
            if matches!(failure.errno(), Errno::PERM | Errno::BUSY)
                && let Some(path) = recipe.fallback =>
        {
            let flags = call::MS_BIND | call::MS_REC;
            call::mount(Some(c(path)), under.path(), flags, None)?;
            attributes = self::attributes(recipe.flags);
        }
        result => result?,
    }
    // The descriptor still means what is below the mount: what is above it must be looked up again.
    let mount = paths::target(machine, target, create::NEVER, follow)?;
    if !same_path(&mount, place) {
        return failed(step::MOUNT, Errno::AGAIN);
    }
    if let Some(source) = covered {
        copy_up::copy(&source, mount.raw())?;
    }
    give_owner(mount.raw(), &recipe)?;
    let inherited = Change {
        set: attributes,
        keep_locked: true,
        ..Change::default()
    };
    change(mount.raw(), inherited)?;
    finish(machine.tree()?, mount.raw(), 0)
}

/// Whether two descriptors have the same path; somebody may have renamed one.
fn same_path(a: &Fd, b: &Fd) -> bool {
    let mut paths = [[0; 4096]; 2];
    let [one, other] = &mut paths;
    let read = |fd: &Fd, buffer: &mut [u8]| {
        call::readlink(AT_FDCWD, DescriptorPath::new(fd.raw()).path(), buffer).unwrap_or(0)
    };
    let length = read(a, one);
    length > 0 && length == read(b, other) && one == other
}

/// Makes the tree's changes from that index on, now that it is in place.
pub fn finish(tree: &Tree, mount: i32, from: usize) -> Outcome {
    for change in tree.changes_from(from) {
        self::change(mount, *change)?;
    }
    Ok(())
}

/// How mount(2) comes to what descriptors mean, as long as this is kept. After the pivot /proc is what the rootfs has, and
/// could lead anywhere: it must be a procfs, unless the one descriptor is a directory, which can be gone to.
pub struct Way {
    back: Fd,
    here: bool,
}

impl Way {
    /// To this descriptor; to any, when there is none.
    pub fn to(descriptor: Option<i32>) -> Outcome<Way> {
        let back = call::openat(AT_FDCWD, Path::HERE, O_PATH, 0)?;
        let here = descriptor.is_some_and(|directory| call::fchdir(directory).is_ok());
        if !here {
            let flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
            let proc = call::openat(AT_FDCWD, Path::of(c"/proc"), flags, 0)?;
            if call::filesystem_magic(proc.raw())? != PROC_SUPER_MAGIC {
                return failed(step::NOT_PROC, Errno::INVAL);
            }
            call::fchdir(proc.raw())?;
        }
        Ok(Way { back, here })
    }

    /// The path of a descriptor.
    pub fn path(&self, descriptor: i32) -> DescriptorPath {
        match self.here {
            true => DescriptorPath::HERE,
            false => DescriptorPath::in_proc(descriptor),
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = call::fchdir(self.back.raw());
    }
}

/// Changes a mount that is in place.
pub fn change(mount: i32, wanted: Change) -> Outcome {
    let way = Way::to(Some(mount))?;
    let path = way.path(mount);
    let path = path.path();
    if wanted.propagation != 0 {
        let rec = if wanted.recursive { call::MS_REC } else { 0 };
        call::mount(None, path, wanted.propagation | rec, None)?;
    }
    if wanted.set | wanted.clear == 0 {
        return Ok(());
    }
    if wanted.recursive {
        // Only mount_setattr(2) can.
        return failed(step::MOUNT_SETATTR, Errno::NOSYS);
    }
    let current = current(mount)?;
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
        Err(failure) if failure.is(Errno::PERM) && wanted.keep_locked => {
            let (set, clear) = within_locks(mount, wanted).at(step::MOUNT)?;
            remount(current & !clear & 0x20_000f | set, false)
        }
        result => result,
    }
}

/// Changes a mount, and, of what is asked for the whole tree, those that are mounted on its entries: of a cgroup v1
/// file system this is all.
pub fn change_with_entries(mount: i32, wanted: Change) -> Outcome {
    let change = Change {
        recursive: false,
        ..wanted
    };
    if wanted.recursive {
        let directory = call::openat(mount, Path::HERE, O_DIRECTORY, 0)?;
        copy_up::entries(&directory, |name| {
            let entry = call::openat(directory.raw(), name, O_PATH | O_NOFOLLOW, 0);
            match self::change(entry?.raw(), change) {
                // Nothing is mounted there.
                Err(failure) if failure.is(Errno::INVAL) => Ok(()),
                result => result,
            }
        })?;
    }
    self::change(mount, change)
}

/// Binds a directory over itself, and opens that.
pub fn root(text: Text<'_>, recursive: bool) -> Outcome<Fd> {
    let path = c(text);
    let flags = call::MS_BIND | if recursive { call::MS_REC } else { 0 };
    call::mount(Some(path), path, flags, None)?;
    // Of the root, only this means what was mounted on it.
    let path = match text.bytes() {
        b"/" => Path::of(c"/.."),
        _ => path,
    };
    call::openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0)
}

/// Binds what the descriptor `from` means over what `to` means; `flags` are those of open_tree(2). Gives the mount, if there
/// is a descriptor of it.
pub fn put(from: i32, flags: u32, to: &Fd) -> Outcome<Option<Fd>> {
    let tree = match call::clone_tree(from, Path::EMPTY, flags) {
        Err(failure) if failure.is_missing() => None,
        tree => Some(tree?),
    };
    if let Some(tree) = tree {
        match call::move_mount(tree.raw(), to.raw()) {
            Err(failure) if failure.is(Errno::NOSYS) => {}
            result => return result.map(|()| Some(tree)),
        }
    }
    let way = Way::to(Some(from).filter(|from| *from == to.raw()))?;
    let (from, to) = (way.path(from), way.path(to.raw()));
    let rec = if flags & call::AT_RECURSIVE != 0 {
        call::MS_REC
    } else {
        0
    };
    let flags = call::MS_BIND | rec;
    call::mount(Some(from.path()), to.path(), flags, None).map(|()| None)
}
