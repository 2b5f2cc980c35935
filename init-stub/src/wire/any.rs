//! For tests: numbers that come by chance, and fields of all kinds as they may stand in a program.

use super::{Bytes, List, Sink, Slot, Text, Wire};
use std::panic::{catch_unwind, resume_unwind};

/// Runs a test with many seeds: as many as `CORACLE_FUZZ` says (for millions, in a release build), from
/// `CORACLE_FUZZ_SEED` on.
pub fn with_seeds(test: fn(&mut Random)) {
    let number_of =
        |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let count = number_of("CORACLE_FUZZ", if cfg!(miri) { 30 } else { 4000 });
    let first = number_of("CORACLE_FUZZ_SEED", 1);
    for seed in first..first + count {
        if let Err(cause) = catch_unwind(|| test(&mut Random(seed))) {
            eprintln!("again with CORACLE_FUZZ_SEED={seed} CORACLE_FUZZ=1");
            resume_unwind(cause);
        }
    }
}

/// SplitMix64: small, and the same for the same seed everywhere.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> &'a T {
        among[self.below(among.len())]
    }

    /// Changes, adds and takes away some bytes; `words` are put in too.
    pub fn damage(&mut self, bytes: &mut Vec<u8>, words: &[&[u8]]) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = bytes.len().min(at + self.below(16));
            match self.below(8) {
                0 if self.once_in(4) => bytes.truncate(at),
                1 => bytes.insert(at, self.number() as u8),
                2 if at + 4 <= bytes.len() => {
                    let number = self.edge() as u32;
                    bytes[at..at + 4].copy_from_slice(&number.to_ne_bytes());
                }
                3 => drop(bytes.drain(at..end)),
                4 => {
                    let again = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    drop(bytes.splice(to..to, again));
                }
                5 | 6 if !words.is_empty() => {
                    let word = self.pick(words).to_vec();
                    let end = if self.once_in(2) { at } else { end };
                    drop(bytes.splice(at..end, word));
                }
                _ if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
    }

    /// A number of the kind that limits are made of.
    pub fn edge(&mut self) -> u64 {
        match self.below(6) {
            0 | 1 => self.below(4) as u64,
            2 => self.below(64) as u64,
            3 => 1 << self.below(64),
            4 => u64::MAX - self.below(2) as u64,
            _ => self.number(),
        }
    }
}

/// What can stand in a program in any form that decodes.
pub trait Any {
    /// Appends it.
    fn any(random: &mut Random, sink: &mut impl Sink);
}

macro_rules! any_number {
    ($($number:ty),*) => {$(
        impl Any for $number {
            fn any(random: &mut Random, sink: &mut impl Sink) {
                (random.edge() as $number).encode(sink);
            }
        }
    )*};
}
any_number!(u8, u32, u64);

impl<const N: usize> Any for [u64; N] {
    fn any(random: &mut Random, sink: &mut impl Sink) {
        (0..N).for_each(|_| u64::any(random, sink));
    }
}

impl Any for Slot {
    fn any(random: &mut Random, sink: &mut impl Sink) {
        match random.once_in(8) {
            true => u32::any(random, sink),
            false => (random.below(6) as u32).encode(sink),
        }
    }
}

impl Any for Text<'_> {
    fn any(random: &mut Random, sink: &mut impl Sink) {
        const TEXTS: &[&str] = &[
            "",
            "/",
            ".",
            "..",
            "/proc",
            "/dev/null",
            "dev/",
            "//a/./b/../c",
            "a",
            "size=1k",
            "ro",
            "mode=755",
            "/a/../../..",
            "sys/net/ipv4/ip_forward",
            "/dev/console",
            "PATH=/bin",
            "HOME=",
            "proc",
            "sysfs",
            "=",
        ];
        let mut text = random.pick(TEXTS).as_bytes().to_vec();
        match random.below(12) {
            0 => text = text.repeat(random.below(3000) / (text.len() + 1)),
            1 => text.extend((0..random.below(64)).map(|_| random.number() as u8 | 1)),
            2 => text.extend(random.pick(TEXTS).as_bytes()),
            _ => {}
        }
        Text::new(&text).encode(sink);
    }
}

impl Any for Bytes<'_> {
    fn any(random: &mut Random, sink: &mut impl Sink) {
        let length = match random.below(8) {
            0 => random.below(20_000),
            _ => random.below(9) * 8 + usize::from(random.once_in(4)),
        };
        let bytes: Vec<u8> = (0..length).map(|_| random.number() as u8).collect();
        Bytes(&bytes).encode(sink);
    }
}

impl Any for List<'_> {
    fn any(random: &mut Random, sink: &mut impl Sink) {
        let count = match random.below(20) {
            0 => random.below(300),
            _ => random.below(5),
        };
        (count as u32).encode(sink);
        (0..count).for_each(|_| Text::any(random, sink));
    }
}
