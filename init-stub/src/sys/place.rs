//! Where the tests put programs, in place of the segment that the kernel maps.

use std::cell::Cell;

thread_local! {
    static PLACE: Cell<(*const u8, usize, *mut usize, usize)> =
        const { Cell::new((std::ptr::null(), 0, std::ptr::null_mut(), 0)) };
}

/// Keeps a program in its place.
pub struct Held {
    program: *mut [u8],
    scratch: *mut [usize],
}

/// Puts a program and zeroed words of scratch space in place.
pub fn hold(program: Vec<u8>, scratch: usize) -> Held {
    let program = Box::into_raw(program.into_boxed_slice());
    let scratch = Box::into_raw(vec![0; scratch / size_of::<usize>()].into_boxed_slice());
    PLACE.set((program.cast(), program.len(), scratch.cast(), scratch.len()));
    Held { program, scratch }
}

impl Drop for Held {
    fn drop(&mut self) {
        PLACE.set((std::ptr::null(), 0, std::ptr::null_mut(), 0));
        // SAFETY: both are from `hold`, and the machine that had references to them is gone.
        unsafe {
            drop(Box::from_raw(self.program));
            drop(Box::from_raw(self.scratch));
        }
    }
}

/// The program's first bytes; fewer than `length` where it ends before.
pub fn program(length: usize) -> &'static [u8] {
    let (program, size, ..) = PLACE.get();
    // SAFETY: the bytes are held for as long as the machine lives.
    unsafe { std::slice::from_raw_parts(program, length.min(size)) }
}

/// The words behind the program.
pub fn scratch(_: usize, bytes: usize) -> &'static mut [usize] {
    let (.., scratch, words) = PLACE.get();
    // SAFETY: as above, and each machine takes them once.
    unsafe { std::slice::from_raw_parts_mut(scratch, words.min(bytes / size_of::<usize>())) }
}
