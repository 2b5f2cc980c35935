//! The machine's registers, and how it tells of failures.

use crate::ops::{Recipe, Tree};
use crate::sys::call::{self, Pointers, Status};
use crate::sys::{Failure, Fd, Outcome, Path};
use crate::wire::{Header, KEPT_TREES, Malformed, Message, Slot, Text, stage};

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
    /// The directory in which something was made last: what follows is most often made beside it.
    place: Option<(&'static [u8], Fd)>,
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
            place: None,
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
        self.forget_place();
        self.close_discarded();
        self.root = None;
        self.tree.clear();
        self.null = None;
    }

    /// The descriptor of the directory of that path, if it is the one at hand.
    pub fn place(&self, path: &[u8]) -> Option<i32> {
        let known = self.place.as_ref().filter(|(known, _)| *known == path);
        known.map(|(_, directory)| directory.raw())
    }

    /// Keeps a directory below the rootfs at hand. Its path means this directory until something is mounted over a part
    /// of it: so only what the next mount cannot cover is kept.
    pub fn set_place(&mut self, path: &'static [u8], directory: Fd) {
        self.forget_place();
        self.place = Some((path, directory));
    }

    /// Others may change what paths mean from here on.
    pub fn forget_place(&mut self) {
        self.here = -1;
        if let Some((_, directory)) = self.place.take() {
            self.discard(directory);
        }
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
