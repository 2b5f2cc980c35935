//! The tree register: a mount that is described, made or taken, and not yet in place.

use crate::sys::call::Status;
use crate::sys::{Errno, Fd, Outcome, failed};
use crate::wire::{List, Text, call as step, entry};

/// A mount that is yet to be put in place.
pub struct Tree {
    known: bool,
    /// By its descriptor, when there is one.
    pub fd: Option<Fd>,
    /// As mount(2) would make it.
    pub recipe: Recipe,
    /// What changes on it; where there is a descriptor, all but the last `late` have been made already.
    changes: [Change; CHANGES],
    /// How many changes there are.
    count: usize,
    /// How many of them are yet to be made.
    pub late: usize,
}

/// More than the compiler emits for one mount.
const CHANGES: usize = 8;

/// What mount(2) takes.
#[derive(Clone, Copy)]
pub struct Recipe {
    /// None for a bind mount.
    pub fstype: Option<Text<'static>>,
    pub source: Text<'static>,
    pub options: List<'static>,
    pub flags: u64,
    /// The directory whose mode and owner it gets.
    pub covered: Option<Status>,
    /// Whether it is for a place in a file system of our own: one of `wire::entry`.
    pub entry: u8,
    /// What the covered directory holds is copied in.
    pub copy_up: bool,
    /// The host's tree that is taken where making a file system is forbidden.
    pub fallback: Option<Text<'static>>,
}

/// Attributes or propagation to be changed.
#[derive(Clone, Copy, Default)]
pub struct Change {
    pub set: u64,
    pub clear: u64,
    /// Of a bind mount: attributes that must be off in the end.
    pub cleared: u64,
    pub propagation: u64,
    pub recursive: bool,
    /// Where flags are locked, those in place are kept.
    pub keep_locked: bool,
}

impl Tree {
    /// No tree.
    pub const NONE: Tree = Tree {
        known: false,
        fd: None,
        recipe: Recipe {
            fstype: None,
            source: Text::new(b"\0"),
            options: List::Made(&[]),
            flags: 0,
            covered: None,
            entry: entry::NONE,
            copy_up: false,
            fallback: None,
        },
        changes: [Change::NONE; CHANGES],
        count: 0,
        late: 0,
    };

    /// Whether there is one.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Becomes this one.
    pub fn set(&mut self, fd: Option<Fd>, recipe: Recipe) {
        self.known = true;
        self.fd = fd;
        self.recipe = recipe;
        self.count = 0;
        self.late = 0;
    }

    /// Becomes none.
    pub fn clear(&mut self) {
        self.known = false;
        self.fd = None;
    }

    /// Adds a change.
    pub fn add(&mut self, change: Change) -> Outcome {
        match self.changes.get_mut(self.count) {
            Some(place) => *place = change,
            None => return failed(step::MOUNT_SETATTR, Errno::INVAL),
        }
        self.count += 1;
        Ok(())
    }

    /// The changes, in their order, but for so many of the first.
    pub fn changes_from(&self, first: usize) -> &[Change] {
        self.changes.get(first..self.count).unwrap_or(&[])
    }

    /// How many changes have been made already.
    pub fn made(&self) -> usize {
        self.count.saturating_sub(self.late)
    }
}

impl Change {
    /// No change.
    pub const NONE: Change = Change {
        set: 0,
        clear: 0,
        cleared: 0,
        propagation: 0,
        recursive: false,
        keep_locked: false,
    };
}
