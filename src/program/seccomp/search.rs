//! The search tree over syscall numbers.
//!
//! It only compares the number: the kernel then learns which syscalls are always allowed and skips the filter for them
//! (`seccomp_cache_prepare`), which it could not with, say, shifts of bit maps. It goes through the filter with each
//! syscall's number for that, and translates each instruction twice, to machine code in the end. So a start is the
//! quicker the shorter the ways and the fewer the instructions are.

use super::arch::NUMBERS;
use super::graph::{Graph, Id, Jump, NR};

/// A range of syscall numbers: its first, and what becomes of them. It goes up to the next range.
pub type Range = (u32, Id);

/// Up to this many odd ones are picked out one by one.
const PICKED: usize = 6;

/// How to go on with ranges.
enum Step {
    /// Pick out the odd one at this place.
    Pick(usize),
    /// Look for the ranges from this one on apart from those before.
    Divide(usize),
}

/// The tree for ranges of which the first starts at or below any number that gets there, and the last ends before `end`.
/// What the ranges are afterwards means nothing.
pub fn tree(graph: &mut Graph, ranges: &mut [Range], end: u32) -> Id {
    if let [(_, only)] = ranges {
        return *only;
    }
    match step(ranges, end) {
        Step::Pick(i) => {
            let (number, yes) = ranges[i];
            ranges.copy_within(i + 2.., i);
            let rest = ranges.len() - 2;
            let no = tree(graph, &mut ranges[..rest], end);
            graph.test(NR, Jump::Eq, number, yes, no)
        }
        Step::Divide(i) => {
            let pivot = ranges[i].0;
            let (left, right) = ranges.split_at_mut(i);
            let (no, yes) = (tree(graph, left, pivot), tree(graph, right, end));
            graph.test(NR, Jump::Ge, pivot, yes, no)
        }
    }
}

/// Divides where both sides weigh the same, with a weight for each number that a syscall may have and for each range.
/// To divide beside an odd one costs an instruction more: that is for want of another place in the middle two thirds, and
/// only where there is too much to be picked out.
fn step(ranges: &[Range], end: u32) -> Step {
    let count = ranges.len();
    let before = |number: u32, i: usize| number.min(NUMBERS) as usize + i;
    let start = before(ranges[0].0, 0);
    let all = before(end, count) - start;
    let left = |i: usize| before(ranges[i].0, i) - start;
    let uneven = |i: &usize| all.abs_diff(2 * left(*i));

    let (mut middle, mut above) = (1, count - 1);
    while middle < above {
        let between = (middle + above) / 2;
        if 2 * left(between) < all {
            middle = between + 1;
        } else {
            above = between;
        }
    }
    let is_free = |i: &usize| !is_odd_one(ranges, *i) && !is_odd_one(ranges, *i - 1);
    let lower = (1..middle).rev().find(is_free);
    let upper = (middle..count).find(is_free);
    let best = lower.into_iter().chain(upper).min_by_key(uneven);
    if let Some(i) = best
        && 3 * uneven(&i) <= 2 * all
    {
        return Step::Divide(i);
    }
    let mut odd_ones = (1..count).filter(|i| is_odd_one(ranges, *i));
    match odd_ones.next() {
        Some(first) if odd_ones.count() < PICKED => Step::Pick(first),
        Some(_) => Step::Divide(middle),
        None => Step::Divide(best.unwrap_or(middle)),
    }
}

/// Whether this range is one number between two ranges of the same fate: one instruction picks it out.
#[inline(always)]
fn is_odd_one(ranges: &[Range], i: usize) -> bool {
    let around = i.checked_sub(1).and_then(|i| ranges.get(i..i + 3));
    matches!(around, Some([(_, before), (number, _), (next, after)]) if before == after && next - number == 1)
}
