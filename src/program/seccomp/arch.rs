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

/// The names of all syscalls of the family, for look-up.
pub struct Names(Vec<&'static str>);

impl Names {
    /// Splits the table.
    pub fn new() -> Names {
        let mut names = Vec::with_capacity(table::NUMBERS.len());
        names.extend(table::NAMES.split('\n'));
        Names(names)
    }

    /// All of them, sorted.
    #[cfg(test)]
    pub fn all(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }

    /// The row of a name that the family knows.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.binary_search(&name).ok()
    }
}

/// The calls that can be made through a multiplexer, sorted: the number that `socketcall(2)` knows them by, or that
/// of `ipc(2)` and 100.
const MULTIPLEXED: [(&str, u64); 32] = [
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

/// For a call that can also be made through a multiplexer where the architecture has those: that one's name, and the
/// first argument for this call.
pub fn multiplexer(name: &str) -> Option<(&'static str, u64)> {
    let index = MULTIPLEXED.binary_search_by_key(&name, |(name, _)| name);
    let call = MULTIPLEXED[index.ok()?].1;
    Some(if call > 100 {
        ("ipc", call - 100)
    } else {
        ("socketcall", call)
    })
}

impl Arch {
    /// The number of the syscall of this row, if the architecture has it.
    pub fn number(&self, row: usize) -> Option<u32> {
        let number = match table::NUMBERS[row][self.column] {
            table::NONE => return None,
            // Arm's private calls start at 0xf0000.
            private @ 0xf000.. => 0xf_0000 | u32::from(private & 0xfff),
            number => u32::from(number),
        };
        Some(if self.x32 { number | X32_BIT } else { number })
    }
}
