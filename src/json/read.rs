//! From JSON text (RFC 8259) to types, with errors that name the member.

mod strings;

pub use strings::plain_bytes;

use super::Value;
use crate::error::Error;

/// How deep objects and arrays may lie in each other.
const DEEPEST: u32 = 128;

/// What is wrong with the text, and where.
#[derive(Debug)]
pub struct Failure {
    /// Such as `linux.namespaces[1].type`.
    path: String,
    message: String,
    /// How many bytes were read before, when the text is no JSON.
    broken_at: Option<usize>,
}

/// The result of reading. The failure is boxed, as most reading succeeds.
pub type Result<T> = std::result::Result<T, Box<Failure>>;

/// Reads the JSON text of `file` (a name for the error's sake). An error is one line that names the member:
/// ``config.json: linux.namespaces[1].type: unknown variant `foo`, expected one of …``.
pub fn parse<T: Value>(text: &[u8], file: &str) -> crate::error::Result<T> {
    let mut value = T::default();
    parse_into(&mut value, text, file).map(|()| value)
}

/// As [`parse`], into a value that is where it is to be.
pub fn parse_into<T: Value>(value: &mut T, text: &[u8], file: &str) -> crate::error::Result<()> {
    let mut reader = Reader::new(text);
    let result = value.read(&mut reader).and_then(|()| reader.finish());
    result.map_err(|failure| explain(text, file, &failure))
}

/// Fields whose mistakes runc has words for that its users look for.
const KNOWN_AS: &[(&str, &str)] = &[
    ("linux.memoryPolicy.flags", "invalid memory policy flag: "),
    ("linux.memoryPolicy", "invalid memory policy mode: "),
];

fn explain(text: &[u8], file: &str, failure: &Failure) -> Error {
    let Failure { path, message, .. } = failure;
    let separator = if path.is_empty() { "" } else { ": " };
    // Broken JSON is repaired by hand, in an editor that jumps to lines.
    if let Some(at) = failure.broken_at {
        let before = &text[..at.min(text.len())];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let start = before.iter().rposition(|&byte| byte == b'\n');
        let column = before.len() - start.map_or(0, |start| start + 1) + 1;
        return Error::new(format!(
            "{file}: line {line}, column {column}: {path}{separator}invalid JSON: {message}"
        ));
    }
    let known = KNOWN_AS.iter().find(|(field, _)| path.starts_with(field));
    let known = known.map_or("", |(_, words)| words);
    Error::new(format!("{file}: {path}{separator}{known}{message}"))
}

impl Failure {
    /// Puts the member or element in which it happened before its path.
    fn enter(&mut self, step: &str) {
        let dot = !self.path.is_empty() && !self.path.starts_with('[');
        self.path = [step, if dot { "." } else { "" }, &self.path].concat();
    }
}

/// A number of the text: an integer as such, if it fits into 64 bits and a sign.
struct Number<'a> {
    text: &'a [u8],
    integer: Option<i128>,
}

/// A place in a JSON text.
pub struct Reader<'a> {
    text: &'a [u8],
    /// The text, as far as it is UTF-8: all of it, but where a path has other bytes. To ask once is cheaper than to ask
    /// for each string.
    utf8: &'a str,
    at: usize,
    depth: u32,
    /// The right name of the member that was just asked for by another: [`Reader::other`].
    same: Option<&'static str>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Reader<'a> {
        let utf8 = std::str::from_utf8(text);
        let utf8 = utf8.or_else(|error| std::str::from_utf8(&text[..error.valid_up_to()]));
        Reader {
            text,
            utf8: utf8.unwrap_or_default(),
            at: 0,
            depth: 0,
            same: None,
        }
    }

    /// A failure of the value: its type or its meaning is not what was expected.
    pub fn wrong(&self, message: String) -> Box<Failure> {
        Box::new(Failure {
            path: String::new(),
            message,
            broken_at: None,
        })
    }

    /// A failure of the text.
    fn broken(&self, message: &str) -> Box<Failure> {
        Box::new(Failure {
            path: String::new(),
            message: message.to_string(),
            broken_at: Some(self.at),
        })
    }

    /// The first byte of what comes next.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Whether a string comes next.
    #[inline(always)]
    pub fn is_string(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    fn finish(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.broken("trailing characters")),
        }
    }

    fn literal(&mut self, word: &str) -> Result<()> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return Err(self.broken("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads a boolean.
    pub fn boolean(&mut self) -> Result<bool> {
        match self.peek() {
            Some(b't') => self.literal("true").map(|()| true),
            Some(b'f') => self.literal("false").map(|()| false),
            _ => Err(self.unexpected("a boolean")),
        }
    }

    /// Reads a member of an object: a `null` is as good as no member.
    pub fn member(&mut self, value: &mut impl Value) -> Result<()> {
        if self.peek() == Some(b'n') {
            return self.literal("null");
        }
        value.read(self)
    }

    /// Reads a whole number of this range. `expected` names the type.
    pub fn integer(&mut self, least: i128, most: i128, expected: &str) -> Result<i128> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.unexpected(expected));
        }
        let start = self.at;
        match self.number()?.integer {
            Some(integer) if (least..=most).contains(&integer) => Ok(integer),
            Some(integer) => Err(self.wrong(format!(
                "invalid value: integer `{integer}`, expected {expected}"
            ))),
            None => {
                self.at = start;
                Err(self.unexpected(expected))
            }
        }
    }

    fn number(&mut self) -> Result<Number<'a>> {
        let start = self.at;
        let negative = self.take(b'-');
        let mut integer = Some(0_u64);
        let first = self.at;
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            let digit = u64::from(digit - b'0');
            integer = integer.and_then(|number| number.checked_mul(10)?.checked_add(digit));
            self.at += 1;
        }
        let digits = self.at - first;
        if digits == 0 || digits > 1 && self.text[first] == b'0' {
            return Err(self.broken("invalid number"));
        }
        if self.take(b'.') {
            integer = None;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            integer = None;
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let integer = integer.map(i128::from);
        Ok(Number {
            text: &self.text[start..self.at],
            integer: integer.map(|number| if negative { -number } else { number }),
        })
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn digits(&mut self) -> Result<()> {
        let rest = &self.text[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        match count {
            0 => Err(self.broken("invalid number")),
            _ => Ok(()),
        }
    }

    /// Reads a word of a closed set. Returns its place in the list.
    pub fn word(&mut self, words: &[&str]) -> Result<usize> {
        let text = self.text()?;
        self.find(&text, words)
    }

    /// The place of a word in the list of those that are understood.
    pub fn find(&self, text: &str, words: &[&str]) -> Result<usize> {
        words.iter().position(|word| *word == text).ok_or_else(|| {
            let words: Vec<&str> = words
                .iter()
                .copied()
                .filter(|word| !word.is_empty())
                .collect();
            self.wrong(format!(
                "unknown variant `{}`, expected one of `{}`",
                text.escape_debug(),
                words.join("`, `")
            ))
        })
    }

    /// Reads an object, one member after the other: `member` gets the name, and has to read the value.
    pub fn object(
        &mut self,
        member: &mut dyn FnMut(&str, &mut Reader<'a>) -> Result<()>,
    ) -> Result<()> {
        if self.peek() != Some(b'{') {
            return Err(self.unexpected("a map"));
        }
        self.nest()?;
        let mut first = true;
        while self.next(&mut first, b'}')? {
            if !self.is_string() {
                return Err(self.broken("expected a member's name"));
            }
            let key = self.text()?;
            let mut read = || {
                if self.peek() != Some(b':') {
                    return Err(self.broken("expected `:`"));
                }
                self.at += 1;
                member(&key, self)?;
                match self.same.take() {
                    Some(name) => member(name, self),
                    None => Ok(()),
                }
            };
            read().map_err(|mut failure| {
                // No line breaks or terminal codes of a hostile file in our error.
                failure.enter(&key.escape_debug().to_string());
                failure
            })?;
        }
        Ok(())
    }

    /// For [`object!`]: a member that is none of these by its exact name. As in Go's programs it may be one in other
    /// capitals: then [`Reader::object`] asks again, by the right name.
    pub fn other(&mut self, key: &str, names: &'static [&'static str]) -> Result<()> {
        self.same = names
            .iter()
            .find(|name| name.eq_ignore_ascii_case(key))
            .copied();
        match self.same {
            Some(_) => Ok(()),
            None => self.skip(),
        }
    }

    /// Reads an array: `element` has to read one element each time.
    pub fn array(&mut self, element: &mut dyn FnMut(&mut Reader<'a>) -> Result<()>) -> Result<()> {
        if self.peek() != Some(b'[') {
            return Err(self.unexpected("a sequence"));
        }
        self.nest()?;
        let mut index = 0;
        let mut first = true;
        while self.next(&mut first, b']')? {
            element(self).map_err(|mut failure| {
                failure.enter(&format!("[{index}]"));
                failure
            })?;
            index += 1;
        }
        Ok(())
    }

    /// Takes the bracket that begins an object or array.
    fn nest(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.broken("nested too deeply"));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes the comma before a member or element, or the bracket after the last. Whether there is one more.
    fn next(&mut self, first: &mut bool, end: u8) -> Result<bool> {
        let byte = self.peek();
        if byte == Some(end) {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            if byte != Some(b',') {
                return Err(self.broken(&format!("expected `,` or `{}`", char::from(end))));
            }
            self.at += 1;
        }
        Ok(true)
    }

    /// Reads any value, of which nothing is kept.
    pub fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'{') => self.object(&mut |_, reader| reader.skip()),
            Some(b'[') => self.array(&mut |reader| reader.skip()),
            Some(b'"') => self.text().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => Err(self.broken("expected a value")),
        }
    }

    /// An object has been read: an error when one of its required members was not there. See [`super::seen`].
    pub fn complete(&self, missing: &[&str]) -> Result<()> {
        match missing.iter().find(|name| !name.is_empty()) {
            Some(name) => Err(self.wrong(format!("missing field `{name}`"))),
            None => Ok(()),
        }
    }

    /// The failure to find here what was expected.
    pub fn unexpected(&mut self, expected: &str) -> Box<Failure> {
        let start = self.at;
        let found = match self.peek() {
            Some(b'{') => "map".to_string(),
            Some(b'[') => "sequence".to_string(),
            Some(b'"') => match self.text() {
                Ok(text) => format!("string {text:?}"),
                Err(failure) => return failure,
            },
            Some(b'-' | b'0'..=b'9') => match self.number() {
                Ok(number) => {
                    let kind = if number.integer.is_some() {
                        "integer"
                    } else {
                        "floating point"
                    };
                    format!("{kind} `{}`", String::from_utf8_lossy(number.text))
                }
                Err(failure) => return failure,
            },
            _ => {
                let word = self.text[self.at..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphabetic())
                    .count();
                match &self.text[self.at..self.at + word] {
                    b"true" => "boolean `true`".to_string(),
                    b"false" => "boolean `false`".to_string(),
                    b"null" => "null".to_string(),
                    _ => return self.broken("expected a value"),
                }
            }
        };
        self.at = start;
        self.wrong(format!("invalid type: {found}, expected {expected}"))
    }
}
