//! Protocol buffers, as far as criu's messages use them: numbers, and bytes that are text or messages.

const NUMBER: u64 = 0;
const LONG: u64 = 1;
const BYTES: u64 = 2;
const SHORT: u64 = 5;

/// A message that is being written.
#[derive(Debug, Default, Clone)]
pub struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Adds a number, a flag, or a word of an enumeration.
    pub fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3 | NUMBER);
        self.varint(value);
    }

    /// Adds text.
    pub fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// Adds a message, or text that may be anything.
    pub fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field) << 3 | BYTES);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Adds a message of two texts, the first two fields.
    pub fn pair(&mut self, field: u32, first: &[u8], second: &[u8]) {
        let mut message = Message::default();
        message.bytes(1, first);
        message.bytes(2, second);
        self.bytes(field, &message.0);
    }
}

/// What a field holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A number.
    Number(u64),
    /// Text or a message.
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    /// As a number; 0 where it is none.
    pub fn number(&self) -> u64 {
        match self {
            Field::Number(value) => *value,
            Field::Bytes(_) => 0,
        }
    }

    /// As bytes; none where it is a number.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Field::Number(_) => &[],
            Field::Bytes(bytes) => bytes,
        }
    }
}

/// The fields of a message that was received, with their numbers. They end where the message is not well formed.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Field<'a>);

    fn next(&mut self) -> Option<(u32, Field<'a>)> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            NUMBER => Field::Number(self.varint()?),
            BYTES => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            LONG => Field::Bytes(self.take(8)?),
            SHORT => Field::Bytes(self.take(4)?),
            _ => return None,
        };
        Some(((tag >> 3) as u32, field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Message::default();
        message.number(1, 300);
        message.text(51, "/etc");
        message.pair(23, b"a", b"");
        message.number(2, -1i64 as u64);
        assert_eq!(
            message.0[..9],
            [8, 0xac, 2, 0x9a, 3, 4, b'/', b'e', b't'],
            "as protoc has it"
        );
        let fields: Vec<_> = Fields(&message.0).collect();
        assert_eq!(
            fields,
            [
                (1, Field::Number(300)),
                (51, Field::Bytes(b"/etc")),
                (23, Field::Bytes(&[10, 1, b'a', 18, 0])),
                (2, Field::Number(u64::MAX)),
            ]
        );
    }

    #[test]
    fn malformed_messages_end() {
        for bytes in [&[8][..], &[8, 0xff], &[18, 5, 1], &[0x0b, 1], &[0xff; 20]] {
            assert_eq!(Fields(bytes).next(), None, "{bytes:?}");
        }
    }
}
