//! The machine's registers, and how it tells of failures.

use crate::ops::{Recipe, Tree};
use crate::sys::call::{self, Pointers, Status};
use crate::sys::{Failure, Fd, Outcome, Path};
use crate::wire::{Header, KEPT_TREES, Malformed, Message, Slot, Text, stage};

/// How many roots of file systems are kept at hand; a power of two.
const MOUNTS: usize = 8;

/// How many descriptors are closed together. A process begins with room for 64; some are in use.
const DISCARDED: u32 = 58;

/// What the operations share.
pub struct Machine {
    descriptors: &'static [u8],
    /// The first descriptor that the user's program must not inherit.
    pub close_from: u32,
    /// Where failures are told: the runtime's socket, later the connection of `start`.
    pub report: i32,
    /// The rootfs.
    root: Option<Fd>,
    /// The tree register.
    tree: Tree,
    /// Trees that are kept for later.
    pub kept: [Option<Fd>; KEPT_TREES],
    /// The directory that the next file system covers.
    pub covered: Option<Status>,
    /// Directories at hand, by their paths; no path and -1 for none. The first is that in which something was made last: what
    /// follows is most often made beside it. The others are the roots of file systems that the program has made.
    places: [(&'static [u8], i32); 1 + MOUNTS],
    /// How many of those there were.
    mounts: usize,
    /// Whether the last target was found on a path without links.
    pub straight: bool,
    /// The descriptor of the current directory, if it is the one at hand; else -1.
    pub here: i32,
    /// A set of descriptors that are done with: most have adjoining numbers, and one call closes those.
    discarded: u64,
    /// Which namespaces were joined before the user namespace: `CLONE_NEW*`.
    pub joined: u32,
    /// The container's null device, once it was seen to be that.
    pub null: Option<Fd>,
    /// Landlock rulesets that are not in force yet.
    pub rulesets: [Option<Fd>; 2],
    /// The standard output of hooks; -1 for a file that is told of when one fails.
    pub hook_stdout: i32,
    /// The standard error of hooks; -1 for that file.
    pub hook_stderr: i32,
    /// The program to execute.
    pub program: Option<Text<'static>>,
    /// `HOME=…` with its NUL, when it was looked up.
    pub home: [u8; 1024],
    /// The length of `home`, without the NUL; 0 for none.
    pub home_length: usize,
    /// Room for the arrays of execve(2).
    pub pointers: Pointers,
}

impl Machine {
    /// A machine at the beginning of a program; its first descriptor is the report socket.
    pub fn new(
        header: &Header,
        descriptors: &'static [u8],
        scratch: &'static mut [usize],
    ) -> Machine {
        let mut machine = Machine {
            descriptors,
            close_from: header.close_from,
            report: -1,
            root: None,
            tree: Tree::NONE,
            kept: [const { None }; KEPT_TREES],
            places: [(b"", -1); 1 + MOUNTS],
            mounts: 0,
            straight: false,
            here: -1,
            discarded: 0,
            joined: 0,
            null: None,
            rulesets: [None, None],
            hook_stdout: -1,
            hook_stderr: -1,
            covered: None,
            program: None,
            home: [0; 1024],
            home_length: 0,
            pointers: Pointers::new(scratch),
        };
        machine.report = machine.descriptor(Slot(0)).unwrap_or(-1);
        machine
    }

    /// The number of a slot's descriptor.
    pub fn descriptor(&self, slot: Slot) -> Outcome<i32> {
        let at = 4 * slot.0 as usize;
        let bytes = self.descriptors.get(at..at + 4).ok_or(Malformed)?;
        Ok(i32::from_ne_bytes(bytes.try_into().map_err(|_| Malformed)?))
    }

    /// The rootfs's descriptor; before there is one, the current directory's stands for it.
    pub fn root(&self) -> i32 {
        self.root.as_ref().map_or(call::AT_FDCWD, Fd::raw)
    }

    /// Sets the rootfs.
    pub fn set_root(&mut self, root: Fd) {
        self.root = Some(root);
    }

    /// Lets go of the rootfs and of what was to be mounted: from here on nothing of them is needed.
    pub fn forget_root(&mut self) {
        self.forget_places();
        self.close_discarded();
        self.root = None;
        self.tree.clear();
        self.null = None;
    }

    /// The descriptor of the directory of that path, if it is one at hand: the rootfs, which has no path, always is.
    pub fn place(&self, path: &[u8]) -> Option<i32> {
        if path.is_empty() {
            return Some(self.root());
        }
        let known = self.places.iter().find(|(known, _)| *known == path);
        known.map(|(_, directory)| *directory)
    }

    /// The current directory becomes the one of a descriptor that is at hand.
    pub fn go_to(&mut self, directory: i32) -> Outcome {
        if self.here != directory {
            call::fchdir(directory)?;
            self.here = directory;
        }
        Ok(())
    }

    /// Keeps the directory below the rootfs in which something is made at hand, until something is mounted.
    pub fn set_place(&mut self, path: &'static [u8], directory: Fd) {
        self.keep(0, path, directory.leak());
    }

    /// Keeps the root of a new file system at hand, that is mounted at that path, on which there are no links.
    pub fn add_place(&mut self, path: &'static [u8], directory: Fd) {
        self.keep(1 + self.mounts % MOUNTS, path, directory.leak());
        self.mounts += 1;
    }

    fn keep(&mut self, index: usize, path: &'static [u8], directory: i32) {
        let Some(place) = self.places.get_mut(index) else {
            return;
        };
        let (_, old) = core::mem::replace(place, (path, directory));
        if old >= 0 {
            if self.here == old {
                self.here = -1;
            }
            self.discard(call::adopt(old));
        }
    }

    /// Something is being mounted at that path, on which there are no links: what it may cover is no more at hand.
    pub fn cover(&mut self, path: &[u8]) {
        for index in 0..=MOUNTS {
            let place = self.places.get(index);
            if index == 0 || place.is_some_and(|(known, _)| known.starts_with(path)) {
                self.keep(index, b"", -1);
            }
        }
    }

    /// Paths may mean something else from here on.
    pub fn forget_places(&mut self) {
        self.straight = false;
        self.cover(b"");
    }

    /// Closes a descriptor that nobody waits for, some time before the user's program is executed.
    pub fn discard(&mut self, fd: Fd) {
        if self.discarded.count_ones() == DISCARDED {
            self.close_discarded();
        }
        match 1u64.checked_shl(fd.raw() as u32) {
            Some(bit) => {
                self.discarded |= bit;
                fd.leak();
            }
            None => drop(fd),
        }
    }

    /// Closes what was discarded, where somebody else may soon look.
    pub fn close_discarded(&mut self) {
        while self.discarded != 0 {
            let first = self.discarded.trailing_zeros();
            let count = (self.discarded >> first).trailing_ones();
            call::close_range(first, first + count - 1);
            // All below are closed.
            self.discarded &= u64::MAX.checked_shl(first + count).unwrap_or(0);
        }
    }

    /// The tree register is empty.
    pub fn forget_tree(&mut self) {
        self.tree.clear();
    }

    /// Puts a mount into the tree register.
    pub fn set_tree(&mut self, fd: Option<Fd>, recipe: Recipe) {
        self.tree.set(fd, recipe);
    }

    /// The mount in the tree register, which the next `Attach` puts in place.
    pub fn tree(&mut self) -> Outcome<&mut Tree> {
        match self.tree.is_known() {
            true => Ok(&mut self.tree),
            false => Err(Malformed.into()),
        }
    }

    /// Tells that the operation of this index failed.
    pub fn report_failure(&self, index: u32, failure: Failure) {
        let message = Message {
            kind: Message::FAILED,
            op: index,
            call: failure.step(),
            errno: failure.errno().0,
        };
        let _ = call::write(self.report, &message.to_bytes());
    }

    /// Tells that the program has come to a stage.
    pub fn report_stage(&self, stage: u32) -> Outcome {
        self.tell(Message::STAGE, stage, 0)
    }

    /// Tells the number of a filter's listener.
    pub fn report_listener(&self, listener: u32) -> Outcome {
        self.tell(Message::STAGE, stage::LISTENER, listener)
    }

    /// Tells that this process, the sender, goes on in place of the one that the runtime started.
    pub fn report_fork(&self) -> Outcome {
        self.tell(Message::FORKED, 0, 0)
    }

    /// Waits for the runtime's word, one byte. A runtime that is gone has given up.
    pub fn await_answer(&self) -> Outcome {
        match call::receive(self.report, &mut [0; 1])? {
            0 => call::exit(1),
            _ => Ok(()),
        }
    }

    /// Sends a message that is no failure.
    pub fn tell(&self, kind: u32, op: u32, call: u32) -> Outcome {
        let message = Message {
            kind,
            op,
            call,
            errno: 0,
        };
        // By write(2), like all reports: few filters forbid it.
        call::write(self.report, &message.to_bytes()).map(drop)
    }
}

/// A text as the kernel takes it.
pub fn c(text: Text<'_>) -> Path<'_> {
    Path::new(text.with_nul())
}
