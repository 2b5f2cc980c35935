//! Small texts that the kernel takes.

use core::ffi::CStr;

/// `/proc/self/fd/N`, for calls that take no descriptor.
pub struct DescriptorPath([u8; 32]);

impl DescriptorPath {
    /// The path of this descriptor.
    pub fn new(fd: i32) -> DescriptorPath {
        const PREFIX: &[u8] = b"/proc/self/fd/";
        let mut path = [0; 32];
        let mut digits = Digits::new(fd as u32);
        let text = PREFIX.iter().chain(digits.bytes());
        path.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        DescriptorPath(path)
    }

    /// As a C string.
    pub fn c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"/")
    }
}

/// A number in decimal.
pub struct Digits {
    digits: [u8; 10],
    start: usize,
}

impl Digits {
    /// The digits of that number.
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

    /// As a C string.
    pub fn c_str(&mut self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"0755")
    }
}
