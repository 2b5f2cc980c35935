//! Small texts that the kernel takes.

use crate::sys::call;
use crate::sys::{Errno, Fd, Outcome, Path, failed};
use crate::wire::{Text, call as step};

/// The longest path and the longest name, with their NULs: limits.h.
const PATH_BYTES: usize = 4096;
const NAME_BYTES: usize = 256;

/// Puts bytes into a buffer, and a NUL behind them: where that stands.
#[inline(never)]
fn put(buffer: &mut [u8], start: usize, bytes: &[u8]) -> Outcome<usize> {
    let end = start + bytes.len();
    if let Some(place) = buffer.get_mut(start..=end)
        && let Some((last, place)) = place.split_last_mut()
    {
        place.copy_from_slice(bytes);
        *last = 0;
        return Ok(end);
    }
    failed(step::OPENAT2, Errno::NAMETOOLONG)
}

/// The first bytes of a buffer, so many as a call has put there.
pub fn filled(buffer: &[u8], length: u32) -> &[u8] {
    buffer.get(..length as usize).unwrap_or(&[])
}

/// A buffer for one path and its NUL.
pub struct Buffer {
    bytes: [u8; PATH_BYTES],
    length: usize,
}

impl Buffer {
    /// An empty one.
    pub fn new() -> Buffer {
        Buffer {
            bytes: [0; PATH_BYTES],
            length: 0,
        }
    }

    /// Adds these parts to the path.
    #[inline(never)]
    pub fn push(&mut self, parts: &[&[u8]]) -> Outcome {
        for part in parts {
            self.length = put(&mut self.bytes, self.length, part)?;
        }
        Ok(())
    }

    /// Takes what a symbolic link says, which the descriptor is of.
    #[inline(never)]
    pub fn read_link(&mut self, link: &Fd) -> Outcome {
        self.length = call::readlink(link.raw(), Path::EMPTY, &mut self.bytes)? as usize;
        match self.bytes.get_mut(self.length) {
            Some(end) => *end = 0,
            None => return failed(step::READLINK, Errno::NAMETOOLONG),
        }
        Ok(())
    }

    /// Takes so many bytes away from the front.
    pub fn drop_front(&mut self, count: usize) {
        self.bytes.copy_within(count.min(self.length).., 0);
        self.length = self.length.saturating_sub(count);
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Takes the last component away.
    pub fn pop(&mut self) {
        let slash = self.bytes().iter().rposition(|byte| *byte == b'/');
        self.length = slash.unwrap_or(0);
        if let Some(end) = self.bytes.get_mut(self.length) {
            *end = 0;
        }
    }

    /// The path, without its NUL.
    pub fn bytes(&self) -> &[u8] {
        filled(&self.bytes, self.length as u32)
    }

    /// The path, with its NUL.
    pub fn text(&self) -> Text<'_> {
        Text::new(filled(&self.bytes, self.length as u32 + 1))
    }

    /// As the kernel takes it.
    pub fn path(&self) -> Path<'_> {
        Path::new(self.text().with_nul())
    }
}

/// A name with its NUL, for the calls that make something in a directory.
pub struct Name([u8; NAME_BYTES]);

impl Name {
    /// An empty one.
    pub fn new() -> Name {
        Name([0; NAME_BYTES])
    }

    /// Takes the name of an entry of a directory.
    #[inline(never)]
    pub fn set_entry(&mut self, bytes: &[u8]) -> Outcome {
        match bytes {
            b"" | b"." | b".." => failed(step::OPENAT2, Errno::INVAL),
            name => self.set(name),
        }
    }

    /// Takes a name, which is no longer than names may be.
    pub fn set(&mut self, bytes: &[u8]) -> Outcome {
        put(&mut self.0, 0, bytes).map(drop)
    }

    /// As the kernel takes it.
    pub fn path(&self) -> Path<'_> {
        Path::new(&self.0)
    }
}

/// `/proc/self/fd/N`, for calls that take no descriptor.
pub struct DescriptorPath([u8; 32]);

impl DescriptorPath {
    /// The current directory.
    pub const HERE: DescriptorPath = {
        let mut path = [0; 32];
        path[0] = b'.';
        DescriptorPath(path)
    };

    /// The path of this descriptor.
    pub fn new(fd: i32) -> DescriptorPath {
        DescriptorPath::after(b"/proc/self/fd/", fd)
    }

    /// The same, from a procfs that is the current directory.
    pub fn in_proc(fd: i32) -> DescriptorPath {
        DescriptorPath::after(b"self/fd/", fd)
    }

    #[inline(never)]
    fn after(prefix: &[u8], fd: i32) -> DescriptorPath {
        let mut path = [0; 32];
        let mut digits = Digits::new(fd as u32);
        let _ = put(&mut path, 0, prefix).and_then(|end| put(&mut path, end, digits.bytes()));
        DescriptorPath(path)
    }

    /// As the kernel takes it.
    pub fn path(&self) -> Path<'_> {
        Path::new(&self.0)
    }
}

/// A number in decimal.
pub struct Digits {
    digits: [u8; 10],
    start: usize,
}

impl Digits {
    /// The digits of that number.
    #[inline(never)]
    pub fn new(mut number: u32) -> Digits {
        let mut text = Digits {
            digits: [b'0'; 10],
            start: 10,
        };
        for (index, digit) in text.digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            text.start = index;
            if number == 0 {
                break;
            }
        }
        text
    }

    /// As text.
    pub fn bytes(&mut self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or(b"0")
    }
}

/// A mode in octal.
pub struct Octal([u8; 5]);

impl Octal {
    /// The permission bits of that mode.
    pub fn new(mode: u32) -> Octal {
        let digit = |shift: u32| b'0' + (mode >> shift & 7) as u8;
        Octal([digit(9), digit(6), digit(3), digit(0), 0])
    }

    /// With its NUL.
    pub fn text(&self) -> Text<'_> {
        Text::new(&self.0)
    }
}
