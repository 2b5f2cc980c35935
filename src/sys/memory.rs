//! The heap. A command lives for some milliseconds and needs some tens of KiB: they come from a block that the program
//! is mapped with, so that the common path makes no system call for memory. And the pages of the code.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::{NonNull, null_mut};

/// The block that is there from the start. Its pages cost nothing until they are touched.
const FIRST_BYTES: usize = 256 * 1024;
/// Further blocks.
const BLOCK_BYTES: usize = 1024 * 1024;
/// Larger allocations, and those with an unusual alignment, are mappings of their own.
const MOST_BYTES: usize = 128 * 1024;
const LEAST_BYTES: usize = 16;
const CLASSES: usize = (MOST_BYTES / LEAST_BYTES).ilog2() as usize + 1;

#[repr(align(16))]
struct First(UnsafeCell<[u8; FIRST_BYTES]>);

// SAFETY: only the heap touches it.
unsafe impl Sync for First {}

// Behind all else that is zero at the start, whose page the last of the data is on.
#[unsafe(link_section = ".bss.heap")]
static FIRST: First = First(UnsafeCell::new([0; FIRST_BYTES]));

/// Sizes are rounded up to powers of two, and what is freed is kept in a list for its size: a command that runs for
/// long does not grow.
///
/// There is no lock: the program has one thread, and clippy.toml sees that it stays so. An uncontended one was a tenth of
/// the program's own time.
pub struct Heap(UnsafeCell<State>);

struct State {
    /// The unused rest of the current block.
    next: *mut u8,
    left: usize,
    free: [Option<NonNull<Free>>; CLASSES],
}

/// What is in freed memory: the next piece of the same size.
struct Free {
    next: Option<NonNull<Free>>,
}

// SAFETY: there is one thread, and no signal handler.
unsafe impl Sync for Heap {}

impl Heap {
    /// The heap, as it is at the start.
    pub const fn new() -> Heap {
        Heap(UnsafeCell::new(State {
            next: FIRST.0.get().cast(),
            left: FIRST_BYTES,
            free: [None; CLASSES],
        }))
    }
}

/// The size class of a layout; none for one that is mapped by itself.
#[inline(always)]
fn class(layout: Layout) -> Option<usize> {
    if layout.size() > MOST_BYTES || layout.align() > LEAST_BYTES {
        return None;
    }
    // How many bits the number of the last byte has above those of the least size.
    let above = layout.size().saturating_sub(1) / LEAST_BYTES;
    Some((usize::BITS - above.leading_zeros()) as usize)
}

fn map(size: usize) -> *mut u8 {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, wherever there is room.
    match unsafe { libc::mmap(null_mut(), size, protection, flags, -1, 0) } {
        libc::MAP_FAILED => null_mut(),
        address => address.cast(),
    }
}

impl State {
    fn take(&mut self, class: usize) -> *mut u8 {
        if let Some(free) = self.free[class] {
            // SAFETY: it was put there by `put`, and has been nobody's since.
            self.free[class] = unsafe { free.as_ref().next };
            return free.as_ptr().cast();
        }
        let size = LEAST_BYTES << class;
        if size > self.left {
            let block = map(BLOCK_BYTES);
            if block.is_null() {
                return block;
            }
            (self.next, self.left) = (block, BLOCK_BYTES);
        }
        let taken = self.next;
        // SAFETY: the block has at least that many bytes left.
        self.next = unsafe { taken.add(size) };
        self.left -= size;
        taken
    }

    /// # Safety
    /// The memory is of this class, and nobody uses it any more.
    unsafe fn put(&mut self, memory: *mut u8, class: usize) {
        let free = memory.cast::<Free>();
        // SAFETY: by the caller's word; every class is large enough and aligned for the link.
        unsafe {
            free.write(Free {
                next: self.free[class],
            });
        }
        self.free[class] = NonNull::new(free);
    }
}

// SAFETY: pieces are disjoint parts of blocks or mappings of their own, as large and as aligned as asked for.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class(layout) {
            // SAFETY: nobody else has the state, and it calls nothing that allocates.
            Some(class) => unsafe { (*self.0.get()).take(class) },
            None => map(layout.size()),
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match class(layout) {
            // SAFETY: as above, and the caller frees what `alloc` gave for the same layout.
            Some(class) => unsafe { (*self.0.get()).put(memory, class) },
            None => {
                // SAFETY: as above: this was a mapping of its own.
                unsafe { libc::munmap(memory.cast(), layout.size()) };
            }
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the alignment was valid, and the caller vouches for the size.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if class(layout).is_some() && class(layout) == class(new) {
            return memory;
        }
        // SAFETY: both pieces are as large as their layouts, and do not overlap.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(memory, layout.size().min(size));
                self.dealloc(memory, layout);
            }
            moved
        }
    }
}

/// Gives the pages of our code back: each comes again from the file when it is next needed. Of those that a start has
/// touched, a process that only waits needs few.
pub fn release_code() {
    const PAGE: usize = 4096;
    unsafe extern "C" {
        static __executable_start: u8;
        static etext: u8;
    }
    // SAFETY: the linker's own names for the ends of what is mapped read-only from the file; only their addresses are
    // taken. Nothing of it is ever changed, so that what comes again is what was there.
    unsafe {
        let start = (&raw const __executable_start) as usize;
        let end = (&raw const etext) as usize / PAGE * PAGE;
        libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_freed_is_used_again() {
        let heap = Heap::new();
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        // SAFETY: each piece is freed once, with its own layout.
        unsafe {
            let first = heap.alloc(layout(100));
            let second = heap.alloc(layout(100));
            assert_eq!(second as usize - first as usize, 128);
            heap.dealloc(first, layout(100));
            assert_eq!(heap.alloc(layout(65)), first);
            assert_eq!(heap.realloc(first, layout(65), 128), first);
            first.write_bytes(7, 128);
            let moved = heap.realloc(first, layout(128), 200_000);
            assert_eq!(*moved.add(127), 7);
            heap.dealloc(moved, layout(200_000));
            // More than the first block holds.
            let many: Vec<_> = (0..9).map(|_| heap.alloc(layout(MOST_BYTES))).collect();
            assert!(many.iter().all(|piece| !piece.is_null()));
            let page = Layout::from_size_align(10, 4096).unwrap();
            assert_eq!(heap.alloc(page) as usize % 4096, 0);
        }
    }
}
