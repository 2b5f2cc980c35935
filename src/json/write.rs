//! From types to JSON text.

use super::Value;
use super::read::plain_bytes;

/// A JSON text that is being written, without white space.
#[derive(Debug, Default)]
pub struct Writer {
    text: Vec<u8>,
}

/// As long as most of what is written.
const USUAL_BYTES: usize = 2048;

/// A value as JSON text without white space. Only the bytes of a path can make it other than UTF-8.
pub fn text(value: &impl Value) -> Vec<u8> {
    let text = Vec::with_capacity(USUAL_BYTES);
    let mut writer = Writer { text };
    value.write(&mut writer);
    writer.text
}

/// A value as one line of JSON, to be printed.
pub fn line(value: &impl Value) -> String {
    String::from_utf8_lossy(&text(value)).into_owned() + "\n"
}

/// A value as indented JSON, to be printed.
pub fn lines(value: &impl Value) -> String {
    pretty(&text(value), "  ") + "\n"
}

/// A string with its quotes and escapes.
pub fn quoted(string: &str) -> String {
    let mut writer = Writer::default();
    writer.string(string.as_bytes());
    String::from_utf8_lossy(&writer.text).into_owned()
}

/// JSON text laid out on lines, one member or element on each, and without bytes that are not UTF-8.
pub fn pretty(text: &[u8], indent: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0;
    let (mut in_string, mut escaped) = (false, false);
    let mut previous = '\0';
    for c in String::from_utf8_lossy(text).chars() {
        if in_string {
            out.push(c);
            in_string = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        depth -= usize::from(closes);
        let opened = matches!(previous, '{' | '[');
        // Not between the brackets of what is empty.
        if previous == ',' || opened != closes {
            out.push('\n');
            out.extend(std::iter::repeat_n(indent, depth));
        }
        out.push(c);
        depth += usize::from(matches!(c, '{' | '['));
        if c == ':' {
            out.push(' ');
        }
        in_string = c == '"';
        previous = c;
    }
    out
}

impl Writer {
    /// Begins an object or array, with its bracket.
    pub fn begin(&mut self, bracket: u8) {
        self.text.push(bracket);
    }

    /// Ends it.
    pub fn end(&mut self, bracket: u8) {
        self.text.push(bracket);
    }

    /// A member of the object that has begun.
    pub fn member(&mut self, key: &str, value: &impl Value) {
        self.separate(b'{');
        self.string(key.as_bytes());
        self.text.push(b':');
        value.write(self);
    }

    /// An element of the array that has begun.
    pub fn element(&mut self, value: &impl Value) {
        self.separate(b'[');
        value.write(self);
    }

    /// A comma, except before the first: no value ends as one begins.
    fn separate(&mut self, bracket: u8) {
        if self.text.last() != Some(&bracket) {
            self.text.push(b',');
        }
    }

    /// What is JSON already.
    pub fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// A whole number.
    pub fn integer(&mut self, number: i128) {
        // Every type that is written fits into 64 bits and a sign.
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = number.unsigned_abs() as u64;
        while rest > 0 || start == digits.len() {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if number < 0 {
            self.text.push(b'-');
        }
        self.text.extend_from_slice(&digits[start..]);
    }

    /// A string, with its quotes and escapes.
    pub fn string(&mut self, string: &[u8]) {
        self.text.push(b'"');
        let mut rest = string;
        loop {
            let (plain, special) = rest.split_at(plain_bytes(rest));
            self.text.extend_from_slice(plain);
            let Some((byte, after)) = special.split_first() else {
                break;
            };
            self.escape(*byte);
            rest = after;
        }
        self.text.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        let escape = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                self.raw("\\u00");
                self.text.push(HEX[usize::from(byte >> 4)]);
                self.text.push(HEX[usize::from(byte & 15)]);
                return;
            }
        };
        self.text.extend_from_slice(&[b'\\', escape]);
    }
}
