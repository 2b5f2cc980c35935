//! The system call instruction.

use core::arch::asm;

/// A system call.
///
/// # Safety
/// The arguments must be what the call wants: whatever points to memory must point to memory that is as large
/// as the call takes it to be, and that lives through it.
pub unsafe fn raw(call: usize, a: [usize; 6]) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: by the caller's word; the instruction changes no other registers.
    unsafe {
        asm!("syscall", inlateout("rax") call as isize => result, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5], lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        asm!("svc #0", in("x8") call, inlateout("x0") a[0] as isize => result, in("x1") a[1], in("x2") a[2],
            in("x3") a[3], in("x4") a[4], in("x5") a[5], options(nostack));
    }
    #[cfg(target_arch = "riscv64")]
    // SAFETY: as above.
    unsafe {
        asm!("ecall", in("a7") call, inlateout("a0") a[0] as isize => result, in("a1") a[1], in("a2") a[2],
            in("a3") a[3], in("a4") a[4], in("a5") a[5], options(nostack));
    }
    #[cfg(target_arch = "arm")]
    // SAFETY: as above.
    unsafe {
        asm!("svc #0", in("r7") call, inlateout("r0") a[0] as isize => result, in("r1") a[1], in("r2") a[2],
            in("r3") a[3], in("r4") a[4], in("r5") a[5], options(nostack));
    }
    result
}
