//! The rules of one architecture: which syscall number gets which verdict.

use super::arch::Arch;
use crate::oci::{SeccompOperator as Op, SyscallArg};
use std::cmp::{Ordering, Reverse};

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
    /// By slot, 1 and the verdict's place; 0 for the default action. A place in a list of slots is found without a search,
    /// and next to all of a profile's hundreds of syscalls share one verdict.
    pub fates: Vec<u16>,
    /// The verdicts, not more than two for each slot: one with conditions, and one without that came later.
    pub verdicts: Vec<Verdict>,
    /// Behind the greatest slot that any rule names, even a redundant one; 0 if none does.
    pub known: usize,
}

/// The rule for the syscall of this row contradicts an earlier one: the same conditions, or some of them, with another
/// action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict(pub usize);

impl Rules {
    /// No rules yet.
    pub fn new(arch: &'static Arch) -> Rules {
        Rules {
            arch,
            fates: vec![0; arch.slots()],
            verdicts: Vec::new(),
            known: 0,
        }
    }

    /// Adds a rule for the syscall of each row, and for its multiplexed form: any of the alternatives suffices for the
    /// action, and all conditions of it must hold. Without an action it only notes that the profile knows the syscalls.
    pub fn add(
        &mut self,
        rows: &[u16],
        alternatives: &[Vec<Cond>],
        action: Option<u32>,
    ) -> Result<(), Conflict> {
        self.know(rows);
        let Some(action) = action else {
            return Ok(());
        };
        for conds in alternatives {
            // That of an unconditional rule, once it is needed: for hundreds of syscalls in nearly all profiles.
            let mut always = None;
            for row in rows {
                let row = usize::from(*row);
                let through = self.arch.multiplexer(row);
                let mut fits = through
                    .is_none_or(|(slot, call)| self.insert(slot, muxed(conds, call), action));
                if let Some(slot) = self.arch.slot(row) {
                    if !conds.is_empty() {
                        fits = fits && self.insert(slot, conds.clone(), action);
                    } else if self.is_open(slot) {
                        let fate = always.unwrap_or_else(|| self.always(action));
                        always = Some(fate);
                        self.fates[..][slot] = fate;
                    }
                }
                if !fits {
                    return Err(Conflict(row));
                }
            }
        }
        Ok(())
    }

    fn know(&mut self, rows: &[u16]) {
        // A call that is multiplexed counts not by its direct number: libseccomp resolves it to a pseudo number.
        let direct = |row: &u16| {
            let row = usize::from(*row);
            let slot = self.arch.slot(row);
            slot.filter(|_| self.arch.multiplexer(row).is_none())
        };
        let slots = rows.iter().filter_map(direct);
        self.known = slots.fold(self.known, |known, slot| known.max(slot + 1));
    }

    /// Adds a chain. Returns whether it fits to the others.
    fn insert(&mut self, slot: usize, mut conds: Vec<Cond>, action: u32) -> bool {
        let width = if self.arch.wide {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        };
        conds.retain_mut(|cond| {
            cond.mask &= width;
            cond.value &= cond.mask;
            cond.mask != 0
        });
        if conds.is_empty() {
            if self.is_open(slot) {
                self.fates[slot] = self.always(action);
            }
            return true;
        }
        sort_by_argument(&mut conds);
        let fate = self.fates[slot];
        if fate == 0 {
            let chain = Chain { conds, action };
            self.verdicts.push(Verdict::When(vec![chain]));
            self.fates[slot] = self.verdicts.len() as u16;
            return true;
        }
        if let Verdict::When(chains) = &mut self.verdicts[usize::from(fate) - 1] {
            for old in chains.iter() {
                if old.action != action && old.conds.starts_with(&conds) {
                    return false;
                }
                if conds.starts_with(&old.conds) {
                    return true;
                }
            }
            chains.push(Chain { conds, action });
        }
        true
    }

    /// 1 and the place of an unconditional verdict.
    fn always(&mut self, action: u32) -> u16 {
        let is_same =
            |verdict: &Verdict| matches!(verdict, Verdict::Always(other) if *other == action);
        let known = self.verdicts.iter().position(is_same);
        let place = known.unwrap_or_else(|| {
            self.verdicts.push(Verdict::Always(action));
            self.verdicts.len() - 1
        });
        place as u16 + 1
    }

    /// Whether an unconditional rule would count: it beats conditional ones, but the first of its kind stands.
    #[inline(always)]
    fn is_open(&self, slot: usize) -> bool {
        let (fate, verdicts) = (self.fates[..][slot], &self.verdicts[..]);
        fate == 0 || matches!(verdicts[usize::from(fate) - 1], Verdict::When(_))
    }

    /// Puts chains of different actions into the order that libseccomp's tree gives them.
    pub fn finish(&mut self) {
        for verdict in &mut self.verdicts {
            if let Verdict::When(chains) = verdict
                && chains.iter().any(|chain| chain.action != chains[0].action)
            {
                order(chains);
            }
        }
    }
}

/// The conditions for a multiplexed call: the first argument is the call's number then, and a condition on it is lost, as
/// with libseccomp.
fn muxed(conds: &[Cond], call: u64) -> Vec<Cond> {
    let mut muxed = vec![Cond {
        arg: 0,
        op: Op::Equal,
        mask: u64::MAX,
        value: call,
    }];
    muxed.extend(conds.iter().filter(|cond| cond.arg != 0));
    muxed
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
