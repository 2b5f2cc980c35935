//! Strings of a JSON text.

use super::{Reader, Result};
use std::borrow::Cow;

impl<'a> Reader<'a> {
    /// Reads a string.
    pub fn text(&mut self) -> Result<Cow<'a, str>> {
        let before = self.at;
        let text = match self.bytes()? {
            Cow::Borrowed(bytes) => {
                let end = self.at - 1;
                let text = self.utf8.get(end - bytes.len()..end);
                let text = text.or_else(|| std::str::from_utf8(bytes).ok());
                text.map(Cow::Borrowed)
            }
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
        };
        text.ok_or_else(|| {
            self.at = before;
            self.broken("a string that is not UTF-8")
        })
    }

    /// Reads a string that may have any bytes.
    pub fn bytes(&mut self) -> Result<Cow<'a, [u8]>> {
        if !self.is_string() {
            return Err(self.unexpected("a string"));
        }
        let (text, start) = (self.text, self.at + 1);
        self.at = start + plain_bytes(&text[start..]);
        if text.get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&text[start..self.at - 1]));
        }
        self.unescaped(start).map(Cow::Owned)
    }

    /// Reads the rest of a string that has more than plain bytes.
    #[inline(never)] // Few strings have any, and all others should not prepare for it.
    fn unescaped(&mut self, mut start: usize) -> Result<Vec<u8>> {
        let mut unescaped = Vec::new();
        loop {
            unescaped.extend_from_slice(&self.text[start..self.at]);
            match self.text.get(self.at) {
                None => return Err(self.broken("a string without an end")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(unescaped);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut unescaped)?;
                }
                Some(_) => return Err(self.broken("a control character in a string")),
            }
            start = self.at;
            self.at += plain_bytes(&self.text[start..]);
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let byte = self.text.get(self.at).copied().unwrap_or_default();
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.at += 1;
                let c = self.code_point()?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.broken("invalid escape")),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    /// Reads four hexadecimal digits, and with those of the first half of a surrogate pair the second half.
    fn code_point(&mut self) -> Result<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.broken("a lone surrogate"));
        }
        if !self.take(b'\\') || !self.take(b'u') {
            return Err(self.broken("a lone surrogate"));
        }
        let second = self.hex()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(self.broken("a lone surrogate"));
        }
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or_else(|| self.broken("a lone surrogate"))
    }

    fn hex(&mut self) -> Result<u32> {
        let mut number = 0;
        for _ in 0..4 {
            let byte = self.text.get(self.at).copied().unwrap_or_default();
            let digit = char::from(byte).to_digit(16);
            number = number * 16 + digit.ok_or_else(|| self.broken("invalid escape"))?;
            self.at += 1;
        }
        Ok(number)
    }
}

/// How many bytes there are before the first that is a quote, a backslash or a control character. Eight at once: strings
/// are half of a configuration.
pub fn plain_bytes(text: &[u8]) -> usize {
    const EACH: u64 = u64::MAX / 0xff;
    let mut at = 0;
    while let Some(chunk) = text[at..].first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        // A byte below the least has its upper bit set by the subtraction, as have those above 0x7f before it; a borrow
        // from it can reach only bytes that come later in the text.
        let below = |word: u64, least: u64| word.wrapping_sub(least * EACH) & !word;
        let quotes = below(word ^ (EACH * u64::from(b'"')), 1);
        let backslashes = below(word ^ (EACH * u64::from(b'\\')), 1);
        let found = (quotes | backslashes | below(word, 0x20)) & EACH << 7;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    at + text[at..].iter().take_while(is_plain).count()
}
