//! D-Bus values: in their binary form, and read from GVariant text as annotations have it.

use crate::error::{Error, Result};

/// A value of the types that unit properties have.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `b`
    Bool(bool),
    /// A number of the type with this letter (`y`, `n`, `q`, `i`, `u`, `x`, `t`), as its two's complement.
    Number(u8, u64),
    /// `d`
    Double(f64),
    /// `s`, `o` or `g`, by its letter.
    Text(u8, String),
    /// An array of elements with this signature.
    Array(String, Vec<Value>),
    /// A structure.
    Struct(Vec<Value>),
    /// A value that carries its type.
    Variant(Box<Value>),
}

impl Value {
    /// `s`
    pub fn text(text: &str) -> Value {
        Value::Text(b's', text.into())
    }

    /// `t`
    pub fn number(number: u64) -> Value {
        Value::Number(b't', number)
    }

    /// `ay`
    pub fn bytes(bytes: &[u8]) -> Value {
        let byte = |byte: &u8| Value::Number(b'y', u64::from(*byte));
        Value::Array("y".into(), bytes.iter().map(byte).collect())
    }

    /// The type: "Type system" of the D-Bus specification.
    pub fn signature(&self) -> String {
        match self {
            Value::Bool(_) => "b".into(),
            Value::Number(kind, _) | Value::Text(kind, _) => (*kind as char).into(),
            Value::Double(_) => "d".into(),
            Value::Array(element, _) => String::from("a") + element,
            Value::Struct(fields) => {
                let fields: String = fields.iter().map(Value::signature).collect();
                String::from("(") + &fields + ")"
            }
            Value::Variant(_) => "v".into(),
        }
    }
}

/// Puts together what is sent: little-endian, each value aligned from the start of `bytes`.
#[derive(Default)]
pub struct Writer {
    /// What there is so far.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// Zeroes up to the next multiple.
    pub fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    /// `u`
    pub fn u32(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend(number.to_le_bytes());
    }

    /// `s` and `o`
    pub fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    /// `g`
    pub fn signature(&mut self, text: &str) {
        self.bytes.push(text.len() as u8);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    /// An array of what `elements` writes. `alignment` is that of the elements.
    pub fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Writer)) {
        self.u32(0);
        let length_at = self.bytes.len() - 4;
        self.align(alignment);
        let start = self.bytes.len();
        elements(self);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Any value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(value) => self.u32((*value).into()),
            Value::Number(kind, number) => {
                let size = alignment(*kind);
                self.align(size);
                self.bytes.extend(&number.to_le_bytes()[..size]);
            }
            Value::Double(number) => {
                self.align(8);
                self.bytes.extend(number.to_le_bytes());
            }
            Value::Text(b'g', text) => self.signature(text),
            Value::Text(_, text) => self.text(text),
            Value::Array(element, values) => {
                let first = element.bytes().next().unwrap_or_default();
                self.array(alignment(first), |writer| {
                    values.iter().for_each(|value| writer.value(value));
                });
            }
            Value::Struct(fields) => {
                self.align(8);
                fields.iter().for_each(|field| self.value(field));
            }
            Value::Variant(value) => self.variant(value),
        }
    }

    /// `v`
    pub fn variant(&mut self, value: &Value) {
        self.signature(&value.signature());
        self.value(value);
    }
}

/// In bytes, of a type with this first letter: numbers are as long as they are aligned.
fn alignment(kind: u8) -> usize {
    match kind {
        b'y' | b'g' | b'v' => 1,
        b'n' | b'q' => 2,
        b'x' | b't' | b'd' | b'(' | b'{' => 8,
        _ => 4,
    }
}

/// A decimal fraction of so few digits that their division is exactly rounded; the library's way is 14 KB long.
fn double(word: &str) -> Option<f64> {
    let (negative, word) = match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let digits = [whole, fraction].concat();
    if digits.len() > 15 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<u64>().ok()? as f64 / 10u64.pow(fraction.len() as u32) as f64;
    Some(if negative { -number } else { number })
}

/// The value of a GVariant text: `'text'`, `true`, `5`, `uint64 5`, `['a', 'b']`, `('a', 1)`, `<5>`, `@as []`.
/// A number without a type is an int32, or a double when it has a fraction.
pub fn parse(text: &str) -> Result<Value> {
    let mut parser = Parser {
        rest: text,
        depth: 0,
    };
    let value = parser.value(None)?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.rest = &self.rest[expected.len_utf8()..];
        }
        found
    }

    fn unexpected(&mut self) -> Error {
        match self.peek() {
            None => Error::new("unexpected end"),
            Some(_) => Error::new(format!("unexpected {:?}", self.rest)),
        }
    }

    /// What comes up to a space or a delimiter.
    fn word(&mut self) -> &'a str {
        self.peek();
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || "[](){}<>,:'\"".contains(c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// A value of the type, or of that which the text says. None is deeper than D-Bus takes.
    fn value(&mut self, kind: Option<&str>) -> Result<Value> {
        if self.depth == 64 {
            return Err(self.unexpected());
        }
        self.depth += 1;
        let value = self.nested(kind);
        self.depth -= 1;
        value
    }

    fn nested(&mut self, kind: Option<&str>) -> Result<Value> {
        let value = match self.peek() {
            Some('@') => {
                self.take('@');
                let end = self.rest.find(char::is_whitespace);
                let (signature, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest;
                if !signature.is_ascii() {
                    return Err(self.unexpected());
                }
                return self
                    .value(Some(signature))
                    .and_then(|value| fits(value, kind));
            }
            Some('[') => self.array(kind)?,
            Some('(') => self.structure(kind)?,
            Some('<') => {
                self.take('<');
                let value = self.value(None)?;
                if !self.take('>') {
                    return Err(self.unexpected());
                }
                Value::Variant(Box::new(value))
            }
            Some('\'' | '"') => match kind.unwrap_or("s").as_bytes() {
                [letter @ (b's' | b'o' | b'g')] => Value::Text(*letter, self.quoted()?),
                _ => return Err(self.unexpected()),
            },
            _ => return self.scalar(kind),
        };
        fits(value, kind)
    }

    fn scalar(&mut self, kind: Option<&str>) -> Result<Value> {
        const NAMES: &[(&str, &str)] = &[
            ("boolean", "b"),
            ("byte", "y"),
            ("int16", "n"),
            ("uint16", "q"),
            ("int32", "i"),
            ("uint32", "u"),
            ("int64", "x"),
            ("uint64", "t"),
            ("double", "d"),
            ("string", "s"),
            ("objectpath", "o"),
            ("signature", "g"),
        ];
        let before = self.rest;
        let word = self.word();
        if let Some((_, letter)) = NAMES.iter().find(|(name, _)| *name == word) {
            return self.value(Some(letter)).and_then(|value| fits(value, kind));
        }
        let fraction = !word.starts_with("0x") && word.contains(['.', 'e', 'E']);
        let value = match (word, kind) {
            ("true" | "false", None | Some("b")) => Some(Value::Bool(word == "true")),
            (_, Some("d")) => double(word).map(Value::Double),
            (_, None) if fraction => double(word).map(Value::Double),
            (_, None) => integer(b'i', word),
            (_, Some(kind)) if kind.len() == 1 => integer(kind.as_bytes()[0], word),
            _ => None,
        };
        value.ok_or_else(|| {
            self.rest = before;
            self.unexpected()
        })
    }

    fn array(&mut self, kind: Option<&str>) -> Result<Value> {
        self.take('[');
        let mut element = match kind.map(|kind| kind.strip_prefix('a')) {
            Some(None) => return Err(self.unexpected()),
            Some(Some(element)) => Some(element.to_string()),
            None => None,
        };
        let mut values = Vec::new();
        while !self.take(']') {
            let value = self.value(element.as_deref())?;
            element.get_or_insert_with(|| value.signature());
            values.push(value);
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.unexpected());
            }
        }
        let element = element.ok_or_else(|| {
            Error::new("an empty array needs its type before it, such as `@as []`")
        })?;
        Ok(Value::Array(element, values))
    }

    fn structure(&mut self, kind: Option<&str>) -> Result<Value> {
        self.take('(');
        let mut kinds = match kind.map(|kind| kind.strip_prefix('(')?.strip_suffix(')')) {
            Some(None) => return Err(self.unexpected()),
            Some(Some(kinds)) => Some(kinds),
            None => None,
        };
        let mut fields = Vec::new();
        while !self.take(')') {
            let kind = match &mut kinds {
                Some(kinds) => {
                    let (first, rest) = kinds.split_at(complete(kinds.as_bytes()));
                    *kinds = rest;
                    Some(first)
                }
                None => None,
            };
            fields.push(self.value(kind)?);
            if !self.take(',') && self.peek() != Some(')') {
                return Err(self.unexpected());
            }
        }
        Ok(Value::Struct(fields))
    }

    /// A string with C's escapes.
    fn quoted(&mut self) -> Result<String> {
        let mut chars = self.rest.char_indices();
        let quote = chars.next().map_or('\'', |(_, quote)| quote);
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            let c = match c {
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('a') => '\x07',
                    Some('b') => '\x08',
                    Some('f') => '\x0c',
                    Some('v') => '\x0b',
                    Some(letter @ ('u' | 'U')) => {
                        let digits = if letter == 'u' { 4 } else { 8 };
                        let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                        u32::from_str_radix(&hex, 16)
                            .ok()
                            .and_then(char::from_u32)
                            .ok_or_else(|| Error::new(format!("\\{letter}{hex} is no character")))?
                    }
                    Some(c) => c,
                    None => break,
                },
                c => c,
            };
            text.push(c);
        }
        Err(Error::new("a string does not end"))
    }
}

fn fits(value: Value, kind: Option<&str>) -> Result<Value> {
    match kind {
        Some(kind) if value.signature() != kind => Err(Error::new(format!(
            "a value of type {} where one of type {kind} must be",
            value.signature()
        ))),
        _ => Ok(value),
    }
}

/// The length of the first complete type of a signature; all of one that is none.
fn complete(signature: &[u8]) -> usize {
    let mut depth = 0;
    for (at, letter) in signature.iter().enumerate() {
        match letter {
            b'a' => continue,
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    signature.len()
}

/// An integer within the bounds of its type; in hexadecimal or octal too.
fn integer(kind: u8, word: &str) -> Option<Value> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    let number = i128::from(number.ok()?) * if negative { -1 } else { 1 };
    let bits = 8 * alignment(kind) as u32;
    let (least, most) = match kind {
        b'y' | b'q' | b'u' | b't' => (0, (1i128 << bits) - 1),
        b'n' | b'i' | b'x' => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
        _ => return None,
    };
    (least..=most)
        .contains(&number)
        .then_some(Value::Number(kind, number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::wire::any::with_seeds;

    #[test]
    fn text_is_read() {
        let number = |kind, number: i64| Value::Number(kind, number as u64);
        let strings = |values: &[&str]| {
            Value::Array(
                "s".into(),
                values.iter().map(|value| Value::text(value)).collect(),
            )
        };
        for (text, value) in [
            ("true", Value::Bool(true)),
            ("-5", number(b'i', -5)),
            ("0x10", number(b'i', 16)),
            ("uint64 123456789", number(b't', 123_456_789)),
            ("byte 234", number(b'y', 234)),
            ("234.5", Value::Double(234.5)),
            ("-0.1", Value::Double(-0.1)),
            ("double 2", Value::Double(2.0)),
            ("'it\\'s'", Value::text("it's")),
            ("\"a\\u00e9\"", Value::text("aé")),
            ("['a', \"b\"]", strings(&["a", "b"])),
            ("@as []", strings(&[])),
            (
                "@a(ss) [('/dev/x', 'rw')]",
                Value::Array(
                    "(ss)".into(),
                    vec![Value::Struct(vec![
                        Value::text("/dev/x"),
                        Value::text("rw"),
                    ])],
                ),
            ),
            ("<uint32 1>", Value::Variant(Box::new(number(b'u', 1)))),
            ("objectpath '/a'", Value::Text(b'o', "/a".into())),
        ] {
            assert_eq!(parse(text).unwrap(), value, "{text}");
        }
        for wrong in [
            "",
            "invalid-value",
            "'open",
            "[1, 'a']",
            "[]",
            "byte 256",
            "int16 -32769",
            "1 2",
            "@s 5",
            "uint64 'x'",
            "uint64 -1",
            "[1",
            "(1,",
            "<1",
            "true false",
            "@as 'x'",
            "@(su) ('a', 'b')",
            "--1",
            "@(\u{fffd}u) (1, 2)",
            &"<".repeat(100_000),
            &"@a ".repeat(100_000),
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_aligned() {
        let mut writer = Writer::default();
        writer.bytes.push(9);
        writer.value(&Value::Array("t".into(), vec![Value::number(1)]));
        assert_eq!(
            writer.bytes,
            [9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
        );
        let mut writer = Writer::default();
        writer.variant(&Value::Struct(vec![Value::text("a"), Value::Bool(true)]));
        assert_eq!(
            writer.bytes,
            [
                4, b'(', b's', b'b', b')', 0, 0, 0, 1, 0, 0, 0, b'a', 0, 0, 0, 1, 0, 0, 0
            ]
        );
    }

    #[test]
    fn any_text_is_a_value_or_refused() {
        const WORDS: &[&[u8]] = &[
            b"'text'",
            b"\"",
            b"'",
            b"true",
            b"5",
            b"-1.5",
            b"1e9",
            b"uint64 ",
            b"byte ",
            b"[",
            b"]",
            b"(",
            b")",
            b",",
            b"<",
            b">",
            b"@as ",
            b"@a(su) ",
            b"{",
            b"}",
            b":",
            b"nothing",
            b"just ",
            b"b'x'",
            b"\\u00e4",
            b"\\",
            b" ",
            b"objectpath '/a'",
            b"0x7f",
            b"99999999999999999999",
        ];
        with_seeds(|random| {
            let mut text = Vec::new();
            for _ in 0..random.below(12) {
                text.extend(random.pick(WORDS));
            }
            if random.once_in(3) {
                random.damage(&mut text, WORDS);
            }
            if let Ok(value) = parse(&String::from_utf8_lossy(&text)) {
                let mut writer = Writer::default();
                writer.variant(&value);
                assert!(!value.signature().is_empty());
            }
        });
    }
}
