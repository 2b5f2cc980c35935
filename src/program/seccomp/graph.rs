//! The filter as a graph of tests, in which equal parts are one.

use super::rules::{Chain, Cond, Verdict};
use crate::oci::SeccompOperator as Op;

/// `struct seccomp_data`: where the syscall's number is.
pub const NR: u32 = 0;
/// `struct seccomp_data`: where the architecture is.
pub const ARCH: u32 = 4;
const ARGS: u32 = 16;
const ALL: u32 = u32::MAX;

/// A node's index in its graph.
pub type Id = u32;

/// How a test compares the word with its constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// Equal.
    Eq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// A part of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// The end, with this verdict.
    Return(u32),
    /// Compares a word of `struct seccomp_data`.
    Test {
        /// Where the word is.
        offset: u32,
        /// Which of its bits count.
        mask: u32,
        /// The comparison.
        jump: Jump,
        /// What with.
        k: u32,
        /// Where to go if it holds.
        yes: Id,
        /// Where to go if not.
        no: Id,
    },
}

/// All nodes; each refers to earlier ones only.
pub struct Graph {
    nodes: Vec<Node>,
    /// The ids of the nodes and 1, each at the place that the node's hash names, or in the next free one behind it; 0 in
    /// those. At least half of the places, a power of two, are free.
    places: Vec<Id>,
}

impl Node {
    /// Whoever writes the profile may as well make it long: no need of a hash that cannot be foreseen, with its call for
    /// random bytes and its price, a sixth of a plan's instructions.
    fn hash(&self) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let two = |a: u32, b: u32| u64::from(a) << 32 | u64::from(b);
        let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(ODD);
        let hash = match *self {
            Node::Return(action) => mix(0, action.into()),
            Node::Test {
                offset,
                mask,
                jump,
                k,
                yes,
                no,
            } => {
                let word = two(offset + 1 + ((jump as u32) << 16), mask);
                mix(mix(word, two(k, yes)), no.into())
            }
        };
        (hash >> 32) as usize
    }
}

impl Graph {
    /// No nodes yet, and room for those of most filters.
    pub fn new() -> Graph {
        const NODES: usize = 512;
        Graph {
            nodes: Vec::with_capacity(NODES),
            places: vec![0; 2 * NODES],
        }
    }

    /// All nodes; each refers to earlier ones only.
    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    fn node(&mut self, node: Node) -> Id {
        if 2 * self.nodes.len() >= self.places.len() {
            self.places = vec![0; 2 * self.places.len()];
            for index in 0..self.nodes.len() {
                let (place, _) = self.look(&self.nodes[index]);
                self.places[place] = index as Id + 1;
            }
        }
        let (place, known) = self.look(&node);
        known.unwrap_or_else(|| {
            self.nodes.push(node);
            self.places[place] = self.nodes.len() as Id;
            self.nodes.len() as Id - 1
        })
    }

    /// The place of a node, and its id if it is there.
    fn look(&self, node: &Node) -> (usize, Option<Id>) {
        let (nodes, places) = (&self.nodes[..], &self.places[..]);
        let mut place = node.hash();
        loop {
            place &= places.len() - 1;
            match places[place] {
                0 => return (place, None),
                id if nodes[id as usize - 1] == *node => return (place, Some(id - 1)),
                _ => place += 1,
            }
        }
    }

    /// The end with this verdict.
    pub fn verdict(&mut self, action: u32) -> Id {
        self.node(Node::Return(action))
    }

    fn masked(&mut self, offset: u32, mask: u32, jump: Jump, k: u32, yes: Id, no: Id) -> Id {
        if yes == no {
            yes
        } else {
            self.node(Node::Test {
                offset,
                mask,
                jump,
                k,
                yes,
                no,
            })
        }
    }

    /// A test of a whole word.
    pub fn test(&mut self, offset: u32, jump: Jump, k: u32, yes: Id, no: Id) -> Id {
        self.masked(offset, ALL, jump, k, yes, no)
    }

    /// The chains of a syscall, first to last.
    pub fn leaf(&mut self, verdict: &Verdict, default: Id, wide: bool) -> Id {
        match verdict {
            Verdict::Always(action) => self.verdict(*action),
            Verdict::When(chains) => {
                let mut next = default;
                for Chain { conds, action } in chains.iter().rev() {
                    let mut yes = self.verdict(*action);
                    for cond in conds.iter().rev() {
                        yes = self.cond(cond, wide, yes, next);
                    }
                    next = yes;
                }
                next
            }
        }
    }

    fn cond(&mut self, cond: &Cond, wide: bool, yes: Id, no: Id) -> Id {
        match cond.op {
            Op::Equal | Op::MaskedEqual => self.equal(cond, wide, yes, no),
            Op::NotEqual => self.equal(cond, wide, no, yes),
            Op::Greater => self.greater(cond, wide, Jump::Gt, yes, no),
            Op::GreaterOrEqual => self.greater(cond, wide, Jump::Ge, yes, no),
            Op::LessOrEqual => self.greater(cond, wide, Jump::Gt, no, yes),
            Op::Less => self.greater(cond, wide, Jump::Ge, no, yes),
        }
    }

    fn equal(&mut self, cond: &Cond, wide: bool, yes: Id, no: Id) -> Id {
        let (low, high) = words(cond.arg);
        let (mask_low, mask_high) = (cond.mask as u32, (cond.mask >> 32) as u32);
        let (value_low, value_high) = (cond.value as u32, (cond.value >> 32) as u32);
        let test_high = wide && mask_high != 0;
        let mut next = yes;
        if mask_low != 0 {
            let no = if test_high {
                self.assume(no, high, mask_high, value_high, true)
            } else {
                no
            };
            next = self.masked(low, mask_low, Jump::Eq, value_low, yes, no);
        }
        if test_high {
            let no = self.assume(no, high, mask_high, value_high, false);
            next = self.masked(high, mask_high, Jump::Eq, value_high, next, no);
        }
        next
    }

    fn greater(&mut self, cond: &Cond, wide: bool, jump: Jump, yes: Id, no: Id) -> Id {
        let (low, high) = words(cond.arg);
        let (value_low, value_high) = (cond.value as u32, (cond.value >> 32) as u32);
        if !wide {
            return self.test(low, jump, value_low, yes, no);
        }
        let same = |graph: &Graph, id| graph.assume(id, high, ALL, value_high, true);
        let (low_yes, low_no) = (same(self, yes), same(self, no));
        let next = self.test(low, jump, value_low, low_yes, low_no);
        if value_high == 0 {
            let yes = self.assume(yes, high, ALL, 0, false);
            return self.test(high, Jump::Eq, 0, next, yes);
        }
        let no = self.assume(no, high, ALL, value_high, false);
        let equal = self.test(high, Jump::Eq, value_high, next, no);
        self.test(high, Jump::Gt, value_high, yes, equal)
    }

    /// Skips tests whose outcome is known: the word is (or is not) `value`.
    fn assume(&self, mut id: Id, word: u32, bits: u32, value: u32, known_equal: bool) -> Id {
        while let Node::Test {
            offset,
            mask,
            jump,
            k,
            yes,
            no,
        } = self.nodes[id as usize]
        {
            if offset != word || mask != bits {
                break;
            }
            let holds = match (known_equal, jump) {
                (true, Jump::Eq) => value == k,
                (true, Jump::Gt) => value > k,
                (true, Jump::Ge) => value >= k,
                (false, Jump::Eq) if value == k => false,
                (false, _) => break,
            };
            id = if holds { yes } else { no };
        }
        id
    }
}

/// Where the lower and the upper half of an argument are, on a little-endian machine.
fn words(arg: u32) -> (u32, u32) {
    (ARGS + 8 * arg, ARGS + 8 * arg + 4)
}
