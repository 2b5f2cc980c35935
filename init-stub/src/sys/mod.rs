//! The kernel, called directly: all `unsafe` of the stub is here.

pub mod call;
#[cfg(not(test))]
mod entry;
#[cfg(not(test))]
mod instruction;
#[cfg(test)]
pub mod kernel;
pub mod number;
#[cfg(test)]
pub mod place;

// The tests bring programs and a kernel of their own.
pub use entry::{program, scratch};
#[cfg(test)]
use kernel as instruction;
#[cfg(test)]
use place as entry;

use crate::wire::{Malformed, call as step};
use core::ffi::CStr;
use core::marker::PhantomData;
use core::num::{NonZeroI32, NonZeroU32};
use core::ptr::NonNull;

/// An error number of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    pub const PERM: Errno = Errno(1);
    pub const NOENT: Errno = Errno(2);
    pub const INTR: Errno = Errno(4);
    pub const TOOBIG: Errno = Errno(7);
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

/// A step that failed, one of the names of `wire::call`, and why: in one number, so that it travels in a register.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Failure(NonZeroU32);

impl Failure {
    /// The bits of the reason, which has a sign.
    const BITS: u32 = 24;
    /// The largest reason.
    pub const MOST: i32 = (1 << (Failure::BITS - 1)) - 1;

    /// This step has failed, and why.
    pub const fn new(step: u32, errno: Errno) -> Failure {
        let errno = errno.0 as u32 & (u32::MAX >> (u32::BITS - Failure::BITS));
        Failure(NonZeroU32::MIN.saturating_add((step << Failure::BITS | errno) - 1))
    }

    /// The same reason, but of that step.
    pub fn at(self, step: u32) -> Failure {
        Failure::new(step, self.errno())
    }

    /// The step that failed.
    pub fn step(self) -> u32 {
        self.0.get() >> Failure::BITS
    }

    /// Why.
    pub fn errno(self) -> Errno {
        Errno((self.0.get() << (u32::BITS - Failure::BITS)) as i32 >> (u32::BITS - Failure::BITS))
    }

    /// Whether that is why.
    pub fn is(self, errno: Errno) -> bool {
        self.errno() == errno
    }

    /// Whether the kernel lacks the call, or a filter that is older than the call forbids it.
    pub fn is_missing(self) -> bool {
        matches!(self.errno(), Errno::NOSYS | Errno::PERM)
    }
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Failure {
        Failure::new(step::DECODE, Errno::INVAL)
    }
}

/// The outcome of an operation, or of a step of it.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Names the step that a call was made for, where that is not what its own name says.
pub trait Step {
    /// The outcome, but of that step if it is a failure.
    fn at(self, step: u32) -> Self;
}

impl<T> Step for Outcome<T> {
    fn at(self, step: u32) -> Self {
        self.map_err(|failure| failure.at(step))
    }
}

/// That failure, as an outcome.
pub fn failed<T>(step: u32, errno: Errno) -> Outcome<T> {
    Err(Failure::new(step, errno))
}

/// A descriptor that is closed when it goes out of scope.
///
/// Its number is kept as its complement, which is never 0: an `Option` of it is no larger.
#[derive(Debug)]
pub struct Fd(NonZeroI32);

impl Fd {
    /// That descriptor, which is nobody else's.
    fn new(number: i32) -> Fd {
        Fd(NonZeroI32::new(!number).unwrap_or(NonZeroI32::MIN))
    }

    /// Its number.
    pub fn raw(&self) -> i32 {
        !self.0.get()
    }

    /// Gives up ownership: the descriptor stays open.
    pub fn leak(self) -> i32 {
        let raw = self.raw();
        core::mem::forget(self);
        raw
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        call::close(self.raw());
    }
}

/// A text as the kernel takes it: where it starts. There is a NUL behind it.
#[derive(Clone, Copy)]
pub struct Path<'a>(NonNull<u8>, PhantomData<&'a [u8]>);

impl<'a> Path<'a> {
    /// No text: that of the descriptor beside it.
    pub const EMPTY: Path<'static> = Path::of(c"");
    /// The working directory, or the directory beside it.
    pub const HERE: Path<'static> = Path::of(c".");
    /// The root.
    pub const ROOT: Path<'static> = Path::of(c"/");

    /// The bytes up to their first NUL; an empty one, which is the path of nothing, where they do not end with one.
    #[inline(never)]
    pub fn new(bytes: &'a [u8]) -> Path<'a> {
        let whole = bytes.last() == Some(&0);
        Path::from_start(if whole { bytes } else { b"\0" })
    }

    /// That text.
    pub const fn of(text: &'a CStr) -> Path<'a> {
        Path::from_start(text.to_bytes_with_nul())
    }

    const fn from_start(bytes: &'a [u8]) -> Path<'a> {
        Path(NonNull::from_ref(bytes).cast(), PhantomData)
    }

    /// Where it starts.
    pub fn as_ptr(self) -> *const u8 {
        self.0.as_ptr()
    }
}
