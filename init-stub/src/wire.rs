//! The program's binary form: the one module that the runtime and the stub both compile.
//!
//! The runtime appends a program to a copy of the stub's ELF image, as its last segment, so that the
//! kernel itself maps it: the stub opens, reads and allocates nothing to get at it. Layout, all
//! numbers in the machine's own byte order:
//!
//! ```text
//! Header (fixed size) · descriptor table (i32 each) · operations · zeroed scratch space
//! operation: u8 code · fields in the order of their declaration
//! text: u32 length · bytes · NUL        list: u32 count · texts        bytes: u32 length · bytes
//! ```
//!
//! The decoder trusts nothing: whatever bytes it is given, it answers with an operation or [`Malformed`].

// By their paths, as the runtime has this file elsewhere in its tree.
#[cfg(test)]
#[path = "wire/any.rs"]
pub mod any;
#[path = "wire/message.rs"]
mod message;
#[path = "wire/op.rs"]
mod op;
#[cfg(test)]
#[path = "wire/tests.rs"]
mod tests;
#[path = "wire/value.rs"]
mod value;

pub use message::{Message, call, stage};
pub use op::{KEPT_TREES, OPERATIONS, Op, SAME_ID, create, entry, follow, of, read};
pub use value::{Bytes, Fields, List, Malformed, Reader, Sink, Slot, Text, Wire};

/// The bytes at the start of each program.
pub const MAGIC: [u8; 8] = *b"coracle1";

/// The size of [`Header`] in its binary form, in bytes.
pub const HEADER_SIZE: usize = 8 + 4 * 4;

/// What stands before the operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The number of entries in the descriptor table.
    pub slots: u32,
    /// The length of the operations, in bytes.
    pub length: u32,
    /// Zeroed memory behind the operations, for the pointer arrays of `execve(2)`, in bytes.
    pub scratch: u32,
    /// The first descriptor number that the executed program must not inherit.
    pub close_from: u32,
}
