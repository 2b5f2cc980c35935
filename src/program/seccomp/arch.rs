//! The architectures of the running kernel's family, and what each calls a syscall by number.

use crate::oci::SeccompArch;

#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
use super::table_arm as table;
#[cfg(target_arch = "riscv64")]
use super::table_riscv as table;
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
use super::table_x86 as table;

/// The bit that marks a syscall number as one of x32's.
pub const X32_BIT: u32 = 0x4000_0000;

/// `AUDIT_ARCH_X86_64`, which x86_64 and x32 share.
pub const AUDIT_X86_64: u32 = 0xC000_003E;

/// An architecture that this kernel may run.
#[derive(Debug)]
pub struct Arch {
    /// Its name in config.json.
    pub word: SeccompArch,
    /// `AUDIT_ARCH_*`, as the filter sees it.
    pub audit: u32,
    /// Whether arguments are 64 bits wide; else only their lower halves are compared.
    pub wide: bool,
    /// Whether numbers carry [`X32_BIT`].
    pub x32: bool,
    /// Whether sockets and System V IPC also go through `socketcall` and `ipc`.
    pub multiplexed: bool,
    column: usize,
}

/// The family, in the order of the table's columns.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
pub static FAMILY: [Arch; 3] = [
    Arch {
        word: SeccompArch::X86_64,
        audit: AUDIT_X86_64,
        wide: true,
        x32: false,
        multiplexed: false,
        column: 0,
    },
    Arch {
        word: SeccompArch::X86,
        audit: 0x4000_0003,
        wide: false,
        x32: false,
        multiplexed: true,
        column: 1,
    },
    Arch {
        word: SeccompArch::X32,
        audit: AUDIT_X86_64,
        wide: false,
        x32: true,
        multiplexed: false,
        column: 2,
    },
];
/// The family, in the order of the table's columns.
#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
pub static FAMILY: [Arch; 2] = [
    Arch {
        word: SeccompArch::Aarch64,
        audit: 0xC000_00B7,
        wide: true,
        x32: false,
        multiplexed: false,
        column: 0,
    },
    Arch {
        word: SeccompArch::Arm,
        audit: 0x4000_0028,
        wide: false,
        x32: false,
        multiplexed: false,
        column: 1,
    },
];
/// The family, in the order of the table's columns.
#[cfg(target_arch = "riscv64")]
pub static FAMILY: [Arch; 1] = [Arch {
    word: SeccompArch::Riscv64,
    audit: 0xC000_00F3,
    wide: true,
    x32: false,
    multiplexed: false,
    column: 0,
}];

/// Where the architecture that this is compiled for stands in [`FAMILY`].
pub const NATIVE: usize = if cfg!(any(target_arch = "x86", target_arch = "arm")) {
    1
} else {
    0
};

/// How many syscalls the family has.
pub const ROWS: usize = table::NUMBERS.len();

/// Where each row's name begins in the table; and, behind the last, where one more would.
static STARTS: [u16; ROWS + 1] = starts();

/// A hash table: 1 and the row of a name, at the place that the name's hash says or the next free one; 0 is free. It is
/// made by the compiler, as a profile asks for hundreds of names and every run would have to make it anew.
static PLACES: [u16; 1 << PLACE_BITS] = places();
/// For at least twice as many places as there are rows.
const PLACE_BITS: u32 = (2 * ROWS).next_power_of_two().trailing_zeros();

const fn starts() -> [u16; ROWS + 1] {
    let names = table::NAMES.as_bytes();
    let mut starts = [0; ROWS + 1];
    let (mut row, mut at) = (1, 0);
    while at < names.len() {
        if names[at] == b'\n' {
            starts[row] = at as u16 + 1;
            row += 1;
        }
        at += 1;
    }
    assert!(row == ROWS, "as many names as rows of numbers");
    starts[ROWS] = names.len() as u16 + 1;
    starts
}

const fn places() -> [u16; 1 << PLACE_BITS] {
    let mut places = [0; 1 << PLACE_BITS];
    let mut row = 0;
    while row < ROWS {
        let (start, end) = bounds(row);
        let (name, _) = table::NAMES.as_bytes().split_at(end);
        let mut place = hash(name.split_at(start).1);
        while places[place] != 0 {
            place = (place + 1) % places.len();
        }
        row += 1;
        places[place] = row as u16;
    }
    places
}

/// By the last eight bytes: most names that are alike begin alike.
const fn hash(name: &[u8]) -> usize {
    let word = match name.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => {
            let (mut word, mut at) = (0, 0);
            while at < name.len() {
                word = word << 8 | name[at] as u64;
                at += 1;
            }
            word
        }
    };
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACE_BITS)) as usize
}

/// Where a row's name begins and ends in the table.
const fn bounds(row: usize) -> (usize, usize) {
    (STARTS[row] as usize, STARTS[row + 1] as usize - 1)
}

/// The name of a row.
pub fn name(row: usize) -> &'static str {
    let (start, end) = bounds(row);
    &table::NAMES[start..end]
}

/// The row of a name that the family knows.
pub const fn find(wanted: &[u8]) -> Option<usize> {
    let mut place = hash(wanted);
    while PLACES[place] != 0 {
        let row = PLACES[place] as usize - 1;
        if is_name(row, wanted) {
            return Some(row);
        }
        place = (place + 1) % PLACES.len();
    }
    None
}

const fn is_name(row: usize, wanted: &[u8]) -> bool {
    let (names, (start, end)) = (table::NAMES.as_bytes(), bounds(row));
    let mut at = 0;
    if wanted.len() != end - start {
        return false;
    }
    while at < wanted.len() && names[start + at] == wanted[at] {
        at += 1;
    }
    at == wanted.len()
}

/// The calls that can be made through a multiplexer: the number that `socketcall(2)` knows them by, or that of `ipc(2)`
/// and [`IPC_BASE`].
const MULTIPLEXED: [(&str, u8); 32] = [
    ("accept", 5),
    ("accept4", 18),
    ("bind", 2),
    ("connect", 3),
    ("getpeername", 7),
    ("getsockname", 6),
    ("getsockopt", 15),
    ("listen", 4),
    ("msgctl", 114),
    ("msgget", 113),
    ("msgrcv", 112),
    ("msgsnd", 111),
    ("recv", 10),
    ("recvfrom", 12),
    ("recvmmsg", 19),
    ("recvmsg", 17),
    ("semctl", 103),
    ("semget", 102),
    ("semop", 101),
    ("semtimedop", 104),
    ("send", 9),
    ("sendmmsg", 20),
    ("sendmsg", 16),
    ("sendto", 11),
    ("setsockopt", 14),
    ("shmat", 121),
    ("shmctl", 124),
    ("shmdt", 122),
    ("shmget", 123),
    ("shutdown", 13),
    ("socket", 1),
    ("socketpair", 8),
];
const IPC_BASE: u8 = 100;

/// By row, the number of [`MULTIPLEXED`]; 0 for all others.
static CALLS: [u8; ROWS] = {
    let mut calls = [0; ROWS];
    let mut at = 0;
    while at < MULTIPLEXED.len() {
        if let Some(row) = find(MULTIPLEXED[at].0.as_bytes()) {
            calls[row] = MULTIPLEXED[at].1;
        }
        at += 1;
    }
    calls
};

/// The rows of the multiplexers.
const SOCKETCALL: Option<usize> = find(b"socketcall");
const IPC: Option<usize> = find(b"ipc");

/// The tables write Arm's private numbers, which start at [`PRIVATE`], from here on.
const WRITTEN: u16 = 0xf000;
const PRIVATE: u32 = 0xf_0000;

/// By column, how many slots there are for ordinary numbers, and how many for private ones: for all up to the greatest
/// that the table has, and one that no syscall has.
static STRETCHES: [[usize; 2]; table::COLUMNS] = {
    let mut stretches = [[0; 2]; table::COLUMNS];
    let mut at = 0;
    while at < ROWS * table::COLUMNS {
        let column = at % table::COLUMNS;
        let number = table::NUMBERS[at / table::COLUMNS][column];
        let (stretch, needed) = (number / WRITTEN, number % WRITTEN + 2);
        if number != table::NONE && stretches[column][stretch as usize] < needed as usize {
            stretches[column][stretch as usize] = needed as usize;
        }
        at += 1;
    }
    stretches
};

/// Behind the ordinary syscall numbers that the kernel has.
pub const NUMBERS: u32 = STRETCHES[FAMILY[NATIVE].column][0] as u32;

impl Arch {
    /// How many slots there are: places for all syscall numbers, and hardly more.
    pub fn slots(&self) -> usize {
        STRETCHES[self.column].iter().sum()
    }

    /// The slot of the syscall of this row, if the architecture has it.
    #[inline(always)]
    pub fn slot(&self, row: usize) -> Option<usize> {
        match table::NUMBERS[row][self.column] {
            table::NONE => None,
            private @ WRITTEN.. => Some(STRETCHES[self.column][0] + usize::from(private - WRITTEN)),
            number => Some(number.into()),
        }
    }

    /// The number of a slot; it rises with the slots.
    pub fn number(&self, slot: usize) -> u32 {
        let number = match slot.checked_sub(STRETCHES[self.column][0]) {
            Some(private) => PRIVATE + private as u32,
            None => slot as u32,
        };
        if self.x32 { number | X32_BIT } else { number }
    }

    /// For the row of a call that can also be made through a multiplexer: that one's slot, and its first argument for
    /// this call.
    #[inline(always)]
    pub fn multiplexer(&self, row: usize) -> Option<(usize, u64)> {
        if !self.multiplexed {
            return None;
        }
        let (multiplexer, call) = match CALLS[row] {
            0 => return None,
            call @ ..=IPC_BASE => (SOCKETCALL, call),
            call => (IPC, call - IPC_BASE),
        };
        Some((self.slot(multiplexer?)?, call.into()))
    }
}
