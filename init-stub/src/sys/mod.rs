//! The kernel, called directly: all `unsafe` of the stub is here.

pub mod call;
#[cfg(not(test))]
mod entry;
#[cfg(not(test))]
mod instruction;
#[cfg(test)]
pub mod kernel;
pub mod number;

// The tests bring programs and a kernel of their own.
#[cfg(test)]
use crate::tests::place as entry;
pub use entry::{program, scratch};
#[cfg(test)]
use kernel as instruction;

/// An error number of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    pub const PERM: Errno = Errno(1);
    pub const NOENT: Errno = Errno(2);
    pub const INTR: Errno = Errno(4);
    pub const BADF: Errno = Errno(9);
    pub const AGAIN: Errno = Errno(11);
    pub const ACCES: Errno = Errno(13);
    pub const BUSY: Errno = Errno(16);
    pub const EXIST: Errno = Errno(17);
    pub const NOTDIR: Errno = Errno(20);
    pub const ISDIR: Errno = Errno(21);
    pub const INVAL: Errno = Errno(22);
    pub const NAMETOOLONG: Errno = Errno(36);
    pub const NOSYS: Errno = Errno(38);
    pub const LOOP: Errno = Errno(40);
}

/// The result of a system call.
pub type Result<T> = core::result::Result<T, Errno>;

/// A descriptor that is closed when it goes out of scope.
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// Its number.
    pub fn raw(&self) -> i32 {
        self.0
    }

    /// Gives up ownership: the descriptor stays open.
    pub fn leak(self) -> i32 {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        call::close(self.0);
    }
}
