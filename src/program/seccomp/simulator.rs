//! Runs a filter as the kernel would.

use super::emit::Insn;

/// What the filter sees of a syscall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub nr: u32,
    pub arch: u32,
    pub args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.nr,
            4 => self.arch,
            16..64 => {
                let arg = self.args[(offset as usize - 16) / 8];
                if offset % 8 == 4 {
                    (arg >> 32) as u32
                } else {
                    arg as u32
                }
            }
            _ => panic!("load from {offset}"),
        }
    }
}

/// The instructions of these bytes.
pub fn decode(bpf: &[u8]) -> Vec<Insn> {
    assert_eq!(bpf.len() % 8, 0);
    bpf.chunks(8)
        .map(|b| Insn {
            code: u16::from_ne_bytes([b[0], b[1]]),
            yes: b[2],
            no: b[3],
            k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        })
        .collect()
}

/// Whether the kernel takes the filter: each path through it loads what there is, and returns.
pub fn is_valid(bpf: &[u8]) -> bool {
    let program = decode(bpf);
    let fits = |(at, insn): (usize, &Insn)| {
        let rest = program.len() - at - 1;
        match insn.code {
            0x20 => rest > 0 && insn.k % 4 == 0 && insn.k < 64,
            0x54 => rest > 0,
            0x05 => (insn.k as usize) < rest,
            0x15 | 0x25 | 0x35 => usize::from(insn.yes.max(insn.no)) < rest,
            0x06 => true,
            _ => false,
        }
    };
    (1..=super::emit::MOST).contains(&program.len()) && program.iter().enumerate().all(fits)
}

/// The filter's verdict, and how many instructions it took.
pub fn run(program: &[Insn], call: &Call) -> (u32, usize) {
    let (mut pc, mut a, mut steps) = (0, 0u32, 0);
    loop {
        let insn = program[pc];
        pc += 1;
        steps += 1;
        let holds = match insn.code {
            0x20 => {
                a = call.word(insn.k);
                continue;
            }
            0x54 => {
                a &= insn.k;
                continue;
            }
            0x05 => {
                pc += insn.k as usize;
                continue;
            }
            0x06 => return (insn.k, steps),
            0x15 => a == insn.k,
            0x25 => a > insn.k,
            0x35 => a >= insn.k,
            0x45 => a & insn.k != 0,
            code => panic!("operation {code:#x}"),
        };
        pc += usize::from(if holds { insn.yes } else { insn.no });
    }
}
