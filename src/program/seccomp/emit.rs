//! From the graph to instructions.
//!
//! Instructions are laid from the last to the first, so that every jump's target is already placed. Conditional jumps
//! reach 255 instructions far; a target farther away gets a stand-in (another `ret`, or a `ja`) close by.

use super::graph::{Graph, Id, Jump, Node};
use crate::error::{Error, Result};

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

/// How control can come to a test.
#[derive(Clone, Copy, Default)]
struct Entries {
    /// The word may have to be loaded.
    cold: bool,
    /// Seen already by the walk.
    seen: bool,
}

/// Where a node was placed, counted from the program's end.
#[derive(Clone, Copy, Default)]
struct Place {
    cold: Option<usize>,
    warm: Option<usize>,
}

struct Emitter<'a> {
    graph: &'a Graph,
    entries: Vec<Entries>,
    places: Vec<Place>,
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
pub fn emit(graph: &Graph, root: Id) -> Result<Vec<u8>> {
    let count = graph.nodes.len();
    let mut emitter = Emitter {
        graph,
        entries: vec![Entries::default(); count],
        places: vec![Place::default(); count],
        code: vec![],
    };
    // Every node refers to earlier ones only, so one walk downwards sees all ways to a node before the node.
    emitter.entries[root as usize] = Entries {
        cold: true,
        seen: true,
    };
    for id in (0..count).rev() {
        emitter.mark(id);
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
    let mut bytes = Vec::with_capacity(emitter.code.len() * 8);
    for insn in emitter.code.iter().rev() {
        bytes.extend_from_slice(&insn.code.to_ne_bytes());
        bytes.extend_from_slice(&[insn.yes, insn.no]);
        bytes.extend_from_slice(&insn.k.to_ne_bytes());
    }
    Ok(bytes)
}

impl Emitter<'_> {
    /// Whether the word that `to` compares is in the accumulator after `from`'s test.
    fn warm(&self, from: Id, to: Id) -> bool {
        match (
            self.graph.nodes[from as usize],
            self.graph.nodes[to as usize],
        ) {
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

    fn mark(&mut self, id: usize) {
        if !self.entries[id].seen {
            return;
        }
        if let Node::Test { yes, no, .. } = self.graph.nodes[id] {
            for next in [yes, no] {
                let warm = self.warm(id as Id, next);
                let entries = &mut self.entries[next as usize];
                entries.seen = true;
                entries.cold |= !warm;
            }
        }
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
        } = self.graph.nodes[id as usize]
        else {
            return;
        };
        if self.places[id as usize].warm.is_some() {
            return;
        }
        self.place(yes);
        self.place(no);
        let (yes_warm, no_warm) = (self.warm(id, yes), self.warm(id, no));
        // A stand-in for the one may push the other out of reach, so look until neither adds any.
        let (yes, no) = loop {
            let before = self.code.len();
            let yes = self.target(yes, yes_warm);
            let no = self.target(no, no_warm);
            if self.code.len() == before {
                break (before - 1 - yes, before - 1 - no);
            }
        };
        let code = match jump {
            Jump::Eq => EQ,
            Jump::Gt => GT,
            Jump::Ge => GE,
        };
        self.code.push(Insn {
            code,
            yes: yes as u8,
            no: no as u8,
            k,
        });
        self.places[id as usize].warm = Some(self.code.len() - 1);
        if self.entries[id as usize].cold {
            if mask != u32::MAX {
                self.code.push(Insn {
                    code: AND,
                    yes: 0,
                    no: 0,
                    k: mask,
                });
            }
            self.code.push(Insn {
                code: LOAD,
                yes: 0,
                no: 0,
                k: offset,
            });
            self.places[id as usize].cold = Some(self.code.len() - 1);
        }
    }

    /// Where to jump for this node from the next instruction; lays a stand-in if that is too far.
    fn target(&mut self, id: Id, warm: bool) -> usize {
        let place = self.places[id as usize];
        let known = if warm { place.warm } else { place.cold };
        if let Some(at) = known
            && self.code.len() - 1 - at <= REACH
        {
            return at;
        }
        let insn = match (self.graph.nodes[id as usize], known) {
            (Node::Return(action), _) => Insn {
                code: RETURN,
                yes: 0,
                no: 0,
                k: action,
            },
            (Node::Test { .. }, Some(at)) => Insn {
                code: ALWAYS,
                yes: 0,
                no: 0,
                k: (self.code.len() - 1 - at) as u32,
            },
            (Node::Test { .. }, None) => unreachable!("a test is placed before what leads to it"),
        };
        self.code.push(insn);
        let at = self.code.len() - 1;
        let place = &mut self.places[id as usize];
        if warm {
            place.warm = Some(at);
        } else {
            place.cold = Some(at);
        }
        at
    }
}
