//! A thin function for each system call that the stub makes. Its failure names the step that it most often is.

mod arrays;
mod file;
mod identity;
mod mount;
mod process;
mod talk;

pub use arrays::Pointers;
pub use file::*;
pub use identity::*;
pub use mount::*;
pub use process::*;
pub use talk::*;

use super::instruction::raw;
use super::{Errno, Failure, Fd, Outcome};

/// A system call by the name of the step that it is, its number, and up to five arguments: its result.
macro_rules! syscall {
    ($step:ident, $number:ident $(, $argument:expr)* $(,)?) => {{
        const CALL: u32 = crate::wire::call::$step << 16 | crate::sys::number::$number as u32;
        // SAFETY: numbers, or pointers to the function's own borrowed arguments, whose lengths go with them.
        unsafe { syscall!(@invoke $($argument,)*; CALL) }
    }};
    (@invoke; $call:expr) => { super::invoke1(0, $call) };
    (@invoke $a:expr,; $call:expr) => { super::invoke1($a as usize, $call) };
    (@invoke $a:expr, $b:expr,; $call:expr) => { super::invoke2($a as usize, $b as usize, $call) };
    (@invoke $a:expr, $b:expr, $c:expr,; $call:expr) => {
        super::invoke3($a as usize, $b as usize, $c as usize, $call)
    };
    (@invoke $a:expr, $b:expr, $c:expr, $d:expr,; $call:expr) => {
        super::invoke4($a as usize, $b as usize, $c as usize, $d as usize, $call)
    };
    (@invoke $a:expr, $b:expr, $c:expr, $d:expr, $e:expr,; $call:expr) => {
        super::invoke5($a as usize, $b as usize, $c as usize, $d as usize, $e as usize, $call)
    };
}
use syscall;

/// A system call; one that was interrupted is made again. `call` is the step that it is, and in the lower half its number.
///
/// # Safety
/// As for [`raw`].
#[inline(never)]
unsafe fn invoke5(a: usize, b: usize, c: usize, d: usize, e: usize, call: u32) -> Outcome<u32> {
    loop {
        // SAFETY: by the caller's word.
        let result = unsafe { raw((call & 0xffff) as usize, [a, b, c, d, e, 0]) };
        match Errno(result.wrapping_neg() as i32) {
            _ if result >= 0 => return Ok(result as u32),
            Errno::INTR => {}
            errno => return Err(Failure::new(call >> 16, errno)),
        }
    }
}

/// # Safety
/// As for [`raw`].
#[inline(never)]
unsafe fn invoke4(a: usize, b: usize, c: usize, d: usize, call: u32) -> Outcome<u32> {
    // SAFETY: by the caller's word.
    unsafe { invoke5(a, b, c, d, 0, call) }
}

/// # Safety
/// As for [`raw`].
#[inline(never)]
unsafe fn invoke3(a: usize, b: usize, c: usize, call: u32) -> Outcome<u32> {
    // SAFETY: by the caller's word.
    unsafe { invoke5(a, b, c, 0, 0, call) }
}

/// # Safety
/// As for [`raw`].
#[inline(never)]
unsafe fn invoke2(a: usize, b: usize, call: u32) -> Outcome<u32> {
    // SAFETY: by the caller's word.
    unsafe { invoke5(a, b, 0, 0, 0, call) }
}

/// # Safety
/// As for [`raw`].
#[inline(never)]
unsafe fn invoke1(a: usize, call: u32) -> Outcome<u32> {
    // SAFETY: by the caller's word.
    unsafe { invoke5(a, 0, 0, 0, 0, call) }
}

fn descriptor(result: Outcome<u32>) -> Outcome<Fd> {
    result.map(|number| Fd::new(number as i32))
}

fn done(result: Outcome<u32>) -> Outcome {
    result.map(|_| ())
}
