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

/// Ranges of one fate; but every second, never the first nor the last, is a single number of another fate. One
/// instruction picks it out, where two would be needed to search for it.
type Field<'a> = &'a [Range];

/// Up to this many numbers of a field are picked out one after the other.
const PICKED: usize = 6;

/// The tree for these ranges, of which the first starts at or below any number that gets there.
pub fn tree(graph: &mut Graph, ranges: &[Range]) -> Id {
    let mut fields: Vec<Field<'_>> = Vec::with_capacity(ranges.len());
    let mut rest = ranges;
    while !rest.is_empty() {
        let mut count = 1;
        while is_odd_one(&rest[count - 1..]) {
            count += 2;
        }
        let (field, others) = rest.split_at(count);
        fields.push(field);
        rest = others;
    }
    divide(graph, &fields, u32::MAX)
}

/// Whether the second of these ranges is one number between two ranges of the same fate.
fn is_odd_one(ranges: &[Range]) -> bool {
    matches!(ranges, [(_, before), (number, _), (next, after), ..] if before == after && next - number == 1)
}

/// The tree for fields of which the last ends before `end`. It is divided where both sides weigh the same, with a weight
/// for each number that a syscall may have and for each field.
fn divide(graph: &mut Graph, fields: &[Field<'_>], end: u32) -> Id {
    if let [field] = fields {
        return pick(graph, field);
    }
    let count = fields.len();
    let before = |number: u32, i: usize| number.min(NUMBERS) as usize + i;
    let start = before(fields[0][0].0, 0);
    let all = before(end, count) - start;
    let left = |i: usize| before(fields[i][0].0, i) - start;
    let (mut low, mut high) = (1, count - 1);
    while low < high {
        let middle = (low + high) / 2;
        if left(middle) + left(middle + 1) < all {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let pivot = fields[low][0].0;
    let no = divide(graph, &fields[..low], pivot);
    let yes = divide(graph, &fields[low..], end);
    graph.test(NR, Jump::Ge, pivot, yes, no)
}

fn pick(graph: &mut Graph, field: Field<'_>) -> Id {
    if field.len() / 2 > PICKED {
        // Both halves get a part of the range in the middle.
        let middle = field.len() / 4 * 2;
        let pivot = field[middle].0;
        let no = pick(graph, &field[..=middle]);
        let yes = pick(graph, &field[middle..]);
        return graph.test(NR, Jump::Ge, pivot, yes, no);
    }
    let mut id = field[0].1;
    for (number, fate) in field.iter().skip(1).step_by(2) {
        id = graph.test(NR, Jump::Eq, *number, *fate, id);
    }
    id
}
