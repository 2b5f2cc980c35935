//! `memcpy`, `memmove` and `memcmp` for x86_64, in place of musl's.
//!
//! Half of what the runtime copies is shorter than 24 bytes. musl copies by `rep movsq`, which takes longer to start than
//! most of these copies take here (and backwards for an insertion longer still), and compares byte by byte: together
//! they were a third of the program's own time. For other machines musl has better ones.

use std::arch::global_asm;

// The ABI's arguments: rdi destination, rsi source, rdx bytes; the result in rax. Short pieces are read whole before
// anything is written, as two words that may overlap each other, so that they may also overlap the destination.
global_asm!(
    ".pushsection .text.memmove,\"ax\",@progbits",
    ".globl memcpy",
    ".globl memmove",
    ".type memcpy,@function",
    ".type memmove,@function",
    "memcpy:",
    "memmove:",
    "mov rax, rdi",
    "cmp rdx, 16",
    "ja 4f",
    "cmp edx, 8",
    "jae 3f",
    "cmp edx, 4",
    "jae 2f",
    "test edx, edx",
    "je 1f",
    // One to three bytes: the first, the middle and the last.
    "mov r9, rdx",
    "shr r9",
    "movzx ecx, byte ptr [rsi]",
    "movzx r8d, byte ptr [rsi + rdx - 1]",
    "movzx r10d, byte ptr [rsi + r9]",
    "mov [rdi], cl",
    "mov [rdi + r9], r10b",
    "mov [rdi + rdx - 1], r8b",
    "1:",
    "ret",
    "2:",
    "mov ecx, [rsi]",
    "mov r8d, [rsi + rdx - 4]",
    "mov [rdi], ecx",
    "mov [rdi + rdx - 4], r8d",
    "ret",
    "3:",
    "mov rcx, [rsi]",
    "mov r8, [rsi + rdx - 8]",
    "mov [rdi], rcx",
    "mov [rdi + rdx - 8], r8",
    "ret",
    "4:",
    "movups xmm0, [rsi]",
    "movups xmm1, [rsi + rdx - 16]",
    "cmp rdx, 32",
    "jbe 6f",
    "mov rcx, rdi",
    "sub rcx, rsi",
    "cmp rcx, rdx",
    "jb 7f",
    // The destination does not begin within the source: forwards, and the last 16 bytes as they were at the start.
    "lea r8, [rdi + rdx - 16]",
    "5:",
    "movups xmm0, [rsi]",
    "movups [rdi], xmm0",
    "add rsi, 16",
    "add rdi, 16",
    "cmp rdi, r8",
    "jb 5b",
    "movups [r8], xmm1",
    "ret",
    "6:",
    "movups [rdi], xmm0",
    "movups [rdi + rdx - 16], xmm1",
    "ret",
    // Backwards, and the first 16 bytes as they were at the start.
    "7:",
    "movups xmm1, [rsi + rdx - 16]",
    "movups [rdi + rdx - 16], xmm1",
    "sub rdx, 16",
    "cmp rdx, 16",
    "ja 7b",
    "movups [rdi], xmm0",
    "ret",
    ".popsection",
);

// rdi and rsi the two pieces, rdx their bytes; the result in eax. The last eight bytes may overlap those before, which
// are equal then.
global_asm!(
    ".pushsection .text.memcmp,\"ax\",@progbits",
    ".globl memcmp",
    ".globl bcmp",
    ".type memcmp,@function",
    ".type bcmp,@function",
    "memcmp:",
    "bcmp:",
    "xor eax, eax",
    "mov r9, rdx",
    "sub r9, 8",
    "jb 3f",
    "xor edx, edx",
    "2:",
    "mov rcx, [rdi + rdx]",
    "mov r8, [rsi + rdx]",
    "cmp rcx, r8",
    "jne 5f",
    "add rdx, 8",
    "cmp rdx, r9",
    "jb 2b",
    "mov rcx, [rdi + r9]",
    "mov r8, [rsi + r9]",
    "cmp rcx, r8",
    "jne 5f",
    "ret",
    "3:",
    "dec rdx",
    "js 4f",
    "movzx eax, byte ptr [rdi]",
    "movzx ecx, byte ptr [rsi]",
    "inc rdi",
    "inc rsi",
    "sub eax, ecx",
    "je 3b",
    "4:",
    "ret",
    "5:",
    "bswap rcx",
    "bswap r8",
    "cmp rcx, r8",
    "sbb eax, eax",
    "or eax, 1",
    "ret",
    ".popsection",
);

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    /// Pieces of every length up to here: more than each way of copying and comparing takes.
    const LONGEST: usize = 80;

    #[test]
    fn pieces_move_within_a_block() {
        let before: Vec<u8> = (0..=255).collect();
        for length in 0..LONGEST {
            for (from, to) in (0..LONGEST).flat_map(|to| [(40, to), (to, 40), (to, to)]) {
                let mut block = before.clone();
                block.copy_within(from..from + length, to);
                for (at, byte) in block.iter().enumerate() {
                    let within = (to..to + length).contains(&at);
                    let expected = if within { at - to + from } else { at };
                    assert_eq!(
                        usize::from(*byte),
                        expected,
                        "{length} bytes, {from} to {to}"
                    );
                }
            }
        }
    }

    #[test]
    fn pieces_compare_by_the_first_byte_that_differs() {
        let one = [0x7f; LONGEST];
        for length in 0..LONGEST {
            assert_eq!(one[..length].cmp(&[0x7f; LONGEST][..length]), Equal);
            for at in 0..length {
                let mut other = one;
                other[length - 1] = 0;
                for (byte, expected) in [(0x80, Less), (0x7e, Greater)] {
                    other[at] = byte;
                    assert_eq!(one[..length].cmp(&other[..length]), expected);
                    assert!(one[..length] != other[..length]);
                }
            }
        }
    }
}
