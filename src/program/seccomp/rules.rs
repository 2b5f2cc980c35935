//! The rules of one architecture: which syscall number gets which verdict.

use super::arch::{Arch, Names};
use crate::oci::{SeccompOperator as Op, SyscallArg};
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cond {
    /// Which argument.
    pub arg: u32,
    /// The comparison.
    pub op: Op,
    /// Which bits are compared; all, but for `MaskedEqual`.
    pub mask: u64,
    /// What with.
    pub value: u64,
}

impl Cond {
    /// The condition of config.json.
    pub fn new(arg: &SyscallArg) -> Cond {
        match arg.op {
            Op::MaskedEqual => Cond {
                arg: arg.index,
                op: arg.op,
                mask: arg.value,
                value: arg.value_two,
            },
            _ => Cond {
                arg: arg.index,
                op: arg.op,
                mask: u64::MAX,
                value: arg.value,
            },
        }
    }

    /// The order in which libseccomp tests the conditions of one level of its tree.
    fn rank(&self) -> (Reverse<u32>, Reverse<u8>, u64) {
        match self.op {
            Op::Equal | Op::NotEqual | Op::MaskedEqual => {
                (Reverse(self.arg), Reverse(3), !self.value)
            }
            Op::Less | Op::LessOrEqual => (Reverse(self.arg), Reverse(2), self.value),
            Op::Greater | Op::GreaterOrEqual => (Reverse(self.arg), Reverse(1), !self.value),
        }
    }
}

/// Conditions that must all hold, by rising argument, and the action then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The conditions: at least one, each of another argument.
    pub conds: Vec<Cond>,
    /// The value that the filter returns.
    pub action: u32,
}

/// What becomes of a syscall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This, always.
    Always(u32),
    /// The action of the first chain that holds, else the default action.
    When(Vec<Chain>),
}

/// The verdicts of one architecture.
pub struct Rules {
    /// The architecture.
    pub arch: &'static Arch,
    /// By number; the default action for all others.
    pub verdicts: BTreeMap<u32, Verdict>,
    /// The greatest number that any rule names, even a redundant one; 0 if none.
    pub last: u32,
}

/// The rule contradicts an earlier one: the same conditions, or some of them, with another action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

/// What [`arch::multiplexer`](super::arch::multiplexer) says of a syscall.
pub type Through = Option<(&'static str, u64)>;

impl Rules {
    /// No rules yet.
    pub fn new(arch: &'static Arch) -> Rules {
        Rules {
            arch,
            verdicts: BTreeMap::new(),
            last: 0,
        }
    }

    /// Notes that the profile knows the syscall of this row; `through` says whether it can be multiplexed.
    pub fn know(&mut self, row: usize, through: Through) {
        // A call that is multiplexed counts not by its direct number: libseccomp resolves it to a pseudo number.
        if through.is_none() || !self.arch.multiplexed {
            self.last = self.last.max(self.arch.number(row).unwrap_or(0));
        }
    }

    /// Adds a rule for a syscall, and for its multiplexed form.
    pub fn add(
        &mut self,
        names: &Names,
        row: usize,
        through: Through,
        conds: &[Cond],
        action: u32,
    ) -> Result<(), Conflict> {
        if let Some((multiplexer, call)) = through.filter(|_| self.arch.multiplexed) {
            // The first argument is the call's number then, and a condition on it is lost, as with libseccomp.
            let mut muxed = vec![Cond {
                arg: 0,
                op: Op::Equal,
                mask: u64::MAX,
                value: call,
            }];
            muxed.extend(conds.iter().filter(|cond| cond.arg != 0));
            if let Some(number) = names
                .find(multiplexer)
                .and_then(|row| self.arch.number(row))
            {
                self.insert(number, &muxed, action)?;
            }
        }
        match self.arch.number(row) {
            Some(number) => self.insert(number, conds, action),
            None => Ok(()),
        }
    }

    /// An unconditional rule beats conditional ones; among unconditional rules the first stands.
    fn insert(&mut self, number: u32, conds: &[Cond], action: u32) -> Result<(), Conflict> {
        let width = if self.arch.wide {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        };
        let mut conds: Vec<Cond> = conds
            .iter()
            .map(|cond| {
                let mask = cond.mask & width;
                Cond {
                    mask,
                    value: cond.value & mask,
                    ..*cond
                }
            })
            .filter(|cond| cond.mask != 0)
            .collect();
        sort_by_argument(&mut conds);
        let always = conds.is_empty();
        let chain = Chain { conds, action };
        match self.verdicts.entry(number) {
            Entry::Vacant(entry) => {
                entry.insert(if always {
                    Verdict::Always(action)
                } else {
                    Verdict::When(vec![chain])
                });
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Verdict::Always(_) => {}
                Verdict::When(_) if always => {
                    entry.insert(Verdict::Always(action));
                }
                Verdict::When(chains) => {
                    for old in chains.iter() {
                        if old.action != action && old.conds.starts_with(&chain.conds) {
                            return Err(Conflict);
                        }
                        if chain.conds.starts_with(&old.conds) {
                            return Ok(());
                        }
                    }
                    chains.push(chain);
                }
            },
        }
        Ok(())
    }

    /// Puts chains of different actions into the order that libseccomp's tree gives them.
    pub fn finish(&mut self) {
        for verdict in self.verdicts.values_mut() {
            if let Verdict::When(chains) = verdict
                && chains.iter().any(|chain| chain.action != chains[0].action)
            {
                order(chains);
            }
        }
    }
}

fn order(chains: &mut [Chain]) {
    let mut seen: Vec<Cond> = Vec::new();
    for cond in chains.iter().flat_map(|chain| &chain.conds) {
        if !seen.contains(cond) {
            seen.push(*cond);
        }
    }
    let first = |cond: &Cond| seen.iter().position(|other| other == cond);
    chains.sort_by(|a, b| {
        for (a, b) in a.conds.iter().zip(&b.conds) {
            let by_rank = a
                .rank()
                .cmp(&b.rank())
                .then_with(|| first(a).cmp(&first(b)));
            if by_rank != Ordering::Equal {
                return by_rank;
            }
        }
        a.conds.len().cmp(&b.conds.len())
    });
}

/// A stable sort of the few conditions of one rule; the library's are made for more, and ten times as large.
fn sort_by_argument(conds: &mut [Cond]) {
    for end in 1..conds.len() {
        let mut at = end;
        while at > 0 && conds[at].arg < conds[at - 1].arg {
            conds.swap(at, at - 1);
            at -= 1;
        }
    }
}
