//! From the graph to instructions.
//!
//! Instructions are laid from the last to the first, so that every jump's target is already placed. Conditional jumps
//! reach 255 instructions far; a target farther away gets a stand-in (another `ret`, or a `ja`) close by.

use super::graph::{Id, Jump, Node};
use crate::error::{Error, Result};
use std::num::NonZeroU32;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const ALWAYS: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const EQ: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const GT: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
const GE: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// `BPF_MAXINSNS`
pub const MOST: usize = 4096;
/// The size of an instruction in bytes.
pub const INSTRUCTION: usize = 8;
/// The farthest that a conditional jump reaches.
const REACH: usize = 255;

/// One instruction, `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    /// The operation.
    pub code: u16,
    /// How many instructions to skip if the comparison holds.
    pub yes: u8,
    /// How many to skip if not.
    pub no: u8,
    /// The constant.
    pub k: u32,
}

/// What is known of a node.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Some way leads to it.
    reached: bool,
    /// Some way leads to it on which the word that it compares has yet to be loaded.
    cold_reached: bool,
    /// Where it was placed for those ways: how many instructions there are from there to the program's end.
    cold: Option<NonZeroU32>,
    /// And for those on which the word is loaded.
    warm: Option<NonZeroU32>,
}

struct Emitter<'a> {
    nodes: &'a [Node],
    known: &'a mut [Known],
    code: Vec<Insn>,
}

/// Whether some instruction of the program returns this verdict.
pub fn returns(bpf: &[u8], verdict: u32) -> bool {
    let insns = bpf.chunks_exact(INSTRUCTION);
    insns
        .into_iter()
        .any(|insn| insn[..2] == RETURN.to_ne_bytes() && insn[4..] == verdict.to_ne_bytes())
}

/// The bytes of the filter that starts at this node.
pub fn emit(nodes: &[Node], root: Id) -> Result<Vec<u8>> {
    let count = nodes.len();
    let mut emitter = Emitter {
        nodes,
        known: &mut vec![Known::default(); count],
        code: Vec::with_capacity(count),
    };
    // Every node refers to earlier ones only, so one walk downwards sees all ways to a node before the node.
    emitter.reach(root, false);
    for id in (0..count as Id).rev() {
        if let Node::Test { yes, no, .. } = &nodes[id as usize]
            && emitter.known[id as usize].reached
        {
            emitter.reach(*yes, emitter.is_warm(id, *yes));
            emitter.reach(*no, emitter.is_warm(id, *no));
        }
    }
    emitter.place(root);
    if emitter.code.is_empty() {
        // The root returns: the kernel wants at least one instruction.
        emitter.target(root, false);
    }
    if emitter.code.len() > MOST {
        return Err(Error::new(format!(
            "linux.seccomp.syscalls: the filter has {} instructions, the kernel takes at most {MOST}",
            emitter.code.len()
        )));
    }
    let mut bytes = Vec::with_capacity(emitter.code.len() * INSTRUCTION);
    for insn in emitter.code.iter().rev() {
        bytes.extend_from_slice(&insn.bytes());
    }
    Ok(bytes)
}

impl Insn {
    fn bytes(&self) -> [u8; INSTRUCTION] {
        let ([a, b], [c, d, e, f]) = (self.code.to_ne_bytes(), self.k.to_ne_bytes());
        [a, b, self.yes, self.no, c, d, e, f]
    }
}

impl Emitter<'_> {
    /// Whether the word that `to` compares is in the accumulator after `from`'s test.
    fn is_warm(&self, from: Id, to: Id) -> bool {
        match (&self.nodes[from as usize], &self.nodes[to as usize]) {
            (
                Node::Test { offset, mask, .. },
                Node::Test {
                    offset: other,
                    mask: wanted,
                    ..
                },
            ) => offset == other && mask == wanted,
            _ => false,
        }
    }

    fn reach(&mut self, id: Id, warm: bool) {
        let known = &mut self.known[id as usize];
        known.reached = true;
        known.cold_reached |= !warm;
    }

    /// Lays a test after what it leads to.
    fn place(&mut self, id: Id) {
        let Node::Test {
            offset,
            mask,
            jump,
            k,
            yes,
            no,
        } = self.nodes[id as usize]
        else {
            return;
        };
        if self.known[id as usize].warm.is_some() {
            return;
        }
        self.place(yes);
        self.place(no);
        let (yes_warm, no_warm) = (self.is_warm(id, yes), self.is_warm(id, no));
        // A stand-in for the one may push the other out of reach, so look until neither adds any.
        let (yes, no) = loop {
            let before = self.code.len();
            let yes = self.target(yes, yes_warm);
            let no = self.target(no, no_warm);
            if self.code.len() == before {
                break (before - yes, before - no);
            }
        };
        let code = match jump {
            Jump::Eq => EQ,
            Jump::Gt => GT,
            Jump::Ge => GE,
        };
        let end = self.push(code, yes as u8, no as u8, k);
        self.known[id as usize].warm = end;
        if self.known[id as usize].cold_reached {
            if mask != u32::MAX {
                self.push(AND, 0, 0, mask);
            }
            self.known[id as usize].cold = self.push(LOAD, 0, 0, offset);
        }
    }

    /// Lays an instruction, and returns its place.
    fn push(&mut self, code: u16, yes: u8, no: u8, k: u32) -> Option<NonZeroU32> {
        self.code.push(Insn { code, yes, no, k });
        NonZeroU32::new(self.code.len() as u32)
    }

    /// Where to jump for this node from the next instruction; lays a stand-in if that is too far.
    fn target(&mut self, id: Id, warm: bool) -> usize {
        let place = self.known[id as usize];
        let known = if warm { place.warm } else { place.cold };
        let known = known.map(|place| place.get() as usize);
        if let Some(at) = known
            && self.code.len() - at <= REACH
        {
            return at;
        }
        let end = match (self.nodes[id as usize], known) {
            (Node::Return(action), _) => self.push(RETURN, 0, 0, action),
            (Node::Test { .. }, Some(at)) => self.push(ALWAYS, 0, 0, (self.code.len() - at) as u32),
            (Node::Test { .. }, None) => unreachable!("a test is placed before what leads to it"),
        };
        let place = &mut self.known[id as usize];
        if warm {
            place.warm = end;
        } else {
            place.cold = end;
        }
        self.code.len()
    }
}
