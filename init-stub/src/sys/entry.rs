//! Where the kernel enters, and the program that it has mapped.

use crate::wire::HEADER_SIZE;
#[cfg(target_arch = "x86_64")]
use core::arch::asm;
use core::arch::global_asm;

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {}", "ud2", sym crate::main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x30, xzr", "bl {}", "brk #1", sym crate::main);
#[cfg(target_arch = "arm")]
global_asm!(".globl _start", "_start:", "mov r11, #0", "bic sp, sp, #7", "bl {}", "udf #0", sym crate::main);
#[cfg(target_arch = "riscv64")]
global_asm!(".globl _start", "_start:", "andi sp, sp, -16", "call {}", "unimp", sym crate::main);

/// The place of the program: the runtime puts the real one here, in a segment made as long as it is.
#[unsafe(link_section = ".program")]
#[used]
static PLACE: [u8; HEADER_SIZE] = [0; HEADER_SIZE];

/// The program's first `length` bytes.
///
/// The lengths come from the program's own header, and the runtime that wrote it made the segment as long: a
/// header that lies can only make this process fault.
pub fn program(length: usize) -> &'static [u8] {
    let start = core::hint::black_box(&raw const PLACE).cast::<u8>();
    // SAFETY: the segment begins here, is mapped from start to end of the process, and nothing writes to these bytes.
    unsafe { core::slice::from_raw_parts(start, length) }
}

/// The zeroed words behind the program's first `length` bytes, `bytes` long.
pub fn scratch(length: usize, bytes: usize) -> &'static mut [usize] {
    let start = core::hint::black_box(&raw const PLACE)
        .cast::<u8>()
        .cast_mut();
    let size = size_of::<usize>();
    let skip = length.next_multiple_of(size);
    let words = (bytes + length).saturating_sub(skip) / size;
    // SAFETY: the segment is writable, and this part of it is zeroed memory that no other reference covers:
    // the machine takes it once, and the program ends before it.
    unsafe { core::slice::from_raw_parts_mut(start.add(skip).cast::<usize>(), words) }
}

// The compiler calls these for copies and comparisons, and no libc is linked that has them.

/// memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's pointers are valid for the length.
    unsafe {
        asm!("rep movsb", inout("rdi") to => _, inout("rsi") from => _, inout("rcx") length => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for index in 0..length {
        // SAFETY: the caller's pointers are valid for the length; volatile, so that this is not made a call of itself.
        unsafe { to.add(index).write_volatile(from.add(index).read()) };
    }
    to
}

/// memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as for memcpy.
    unsafe {
        asm!("rep stosb", inout("rdi") to => _, in("al") byte as u8, inout("rcx") length => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for index in 0..length {
        // SAFETY: as for memcpy.
        unsafe { to.add(index).write_volatile(byte as u8) };
    }
    to
}

/// memmove(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    if (to as usize) < from as usize {
        // SAFETY: a forward copy to a lower address reads each byte before it is overwritten.
        return unsafe { memcpy(to, from, length) };
    }
    for index in (0..length).rev() {
        // SAFETY: as for memcpy.
        unsafe { to.add(index).write_volatile(from.add(index).read()) };
    }
    to
}

/// memcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, length: usize) -> i32 {
    for index in 0..length {
        // SAFETY: the caller's pointers are valid for the length.
        let (x, y) = unsafe { (a.add(index).read_volatile(), b.add(index).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
    }
    0
}

/// bcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, length: usize) -> i32 {
    // SAFETY: as for memcmp.
    unsafe { memcmp(a, b, length) }
}

/// strlen(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller's text ends with a NUL.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    super::call::exit(255)
}
