//! The values that stand in a program, and how they are read and written.

/// The bytes are not a program, or the program ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Where the encoder writes to.
pub trait Sink {
    /// Appends the bytes.
    fn put(&mut self, bytes: &[u8]);
}

/// How a field is read: four bits of an operation's form.
mod kind {
    pub const END: u32 = 0;
    pub const U8: u32 = 1;
    pub const U32: u32 = 2;
    pub const U64: u32 = 3;
    pub const BYTES: u32 = 4;
    pub const TEXT: u32 = 5;
    pub const LIST: u32 = 6;
    pub const BITS: u32 = 4;
    pub const MASK: u32 = 15;
}

/// The most fields that an operation has: their kinds make up one number.
pub const MOST_FIELDS: usize = (u32::BITS / kind::BITS) as usize;

/// A field that was read: a number; or bytes, and for a list how many texts they are.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    number: u64,
    bytes: &'a [u8],
}

/// An operation's fields, each at its place.
pub type Fields<'a> = [Field<'a>; MOST_FIELDS];

/// A value that can stand in a program.
pub trait Wire<'a>: Sized {
    /// The kinds of its fields, the first in the lowest bits.
    const FORM: u32;
    /// How many fields it is.
    const FIELDS: u32 = 1;
    /// Appends the value's binary form.
    fn encode(&self, sink: &mut impl Sink);
    /// The value of the fields from that place on.
    fn from_fields(fields: &Fields<'a>, at: usize) -> Self;
}

/// The form of fields that stand before others.
pub const fn join_forms(before: u32, fields: u32, form: u32) -> u32 {
    before | form << (fields * kind::BITS)
}

/// Bytes that are being decoded.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_ne_bytes)
    }

    /// The next number of 32 bits.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_ne_bytes)
    }

    /// A text with its terminator, and nothing else.
    fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()? as usize;
        let text = self.take(length.checked_add(1).ok_or(Malformed)?)?;
        match text.iter().position(|byte| *byte == 0) == Some(length) {
            true => Ok(text),
            false => Err(Malformed),
        }
    }

    fn field(&mut self, kind: u32) -> Result<Field<'a>, Malformed> {
        let mut field = Field {
            number: 0,
            bytes: &[],
        };
        match kind {
            kind::U8 => field.number = self.u8()?.into(),
            kind::U32 => field.number = self.u32()?.into(),
            kind::U64 => field.number = u64::from_ne_bytes(self.array()?),
            kind::BYTES => {
                let length = self.u32()? as usize;
                field.bytes = self.take(length)?;
            }
            kind::TEXT => field.bytes = self.text()?,
            kind::LIST => {
                let count = self.u32()?;
                let start = self.0;
                for _ in 0..count {
                    self.text()?;
                }
                field.number = count.into();
                field.bytes = &start[..start.len() - self.0.len()];
            }
            _ => return Err(Malformed),
        }
        Ok(field)
    }

    /// The fields of an operation of that form.
    #[inline(never)]
    pub fn fields(&mut self, mut form: u32) -> Result<Fields<'a>, Malformed> {
        let mut fields = [Field {
            number: 0,
            bytes: &[],
        }; MOST_FIELDS];
        for field in &mut fields {
            if form == kind::END {
                break;
            }
            *field = self.field(form & kind::MASK)?;
            form >>= kind::BITS;
        }
        Ok(fields)
    }
}

macro_rules! wire_number {
    ($($number:ty = $kind:ident),*) => {$(
        impl<'a> Wire<'a> for $number {
            const FORM: u32 = kind::$kind;
            fn encode(&self, sink: &mut impl Sink) {
                sink.put(&self.to_ne_bytes());
            }
            #[inline(always)]
            fn from_fields(fields: &Fields<'a>, at: usize) -> Self {
                fields[at].number as $number
            }
        }
    )*};
}
wire_number!(u8 = U8, i32 = U32, u32 = U32, u64 = U64);

impl<'a, const N: usize> Wire<'a> for [u64; N] {
    const FORM: u32 = {
        let (mut form, mut index) = (0, 0);
        while index < N as u32 {
            form = join_forms(form, index, kind::U64);
            index += 1;
        }
        form
    };
    const FIELDS: u32 = N as u32;
    fn encode(&self, sink: &mut impl Sink) {
        self.iter().for_each(|number| number.encode(sink));
    }
    #[inline(always)]
    fn from_fields(fields: &Fields<'a>, at: usize) -> Self {
        core::array::from_fn(|index| fields[at + index].number)
    }
}

/// The index of a descriptor in the program's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u32);

impl<'a> Wire<'a> for Slot {
    const FORM: u32 = kind::U32;
    fn encode(&self, sink: &mut impl Sink) {
        self.0.encode(sink);
    }
    #[inline(always)]
    fn from_fields(fields: &Fields<'a>, at: usize) -> Self {
        Slot(u32::from_fields(fields, at))
    }
}

/// A string without NUL bytes. In the runtime it lacks its terminator; decoded it has one, so that the
/// stub can hand it to the kernel as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// A text of these bytes, which hold no NUL.
    pub const fn new(bytes: &'a [u8]) -> Text<'a> {
        Text(bytes)
    }

    /// The text without its terminator.
    pub fn bytes(&self) -> &'a [u8] {
        self.0.strip_suffix(b"\0").unwrap_or(self.0)
    }

    /// The text with its terminator, which only a decoded one has.
    pub fn with_nul(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Text<'a> {
        Text(text.as_bytes())
    }
}

impl<'a> Wire<'a> for Text<'a> {
    const FORM: u32 = kind::TEXT;
    fn encode(&self, sink: &mut impl Sink) {
        Bytes(self.bytes()).encode(sink);
        sink.put(b"\0");
    }
    #[inline(always)]
    fn from_fields(fields: &Fields<'a>, at: usize) -> Self {
        Text(fields[at].bytes)
    }
}

/// Raw bytes: a BPF program, a CPU mask, an array of group ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Wire<'a> for Bytes<'a> {
    const FORM: u32 = kind::BYTES;
    fn encode(&self, sink: &mut impl Sink) {
        (self.0.len() as u32).encode(sink);
        sink.put(self.0);
    }
    #[inline(always)]
    fn from_fields(fields: &Fields<'a>, at: usize) -> Self {
        Bytes(fields[at].bytes)
    }
}

/// A list of texts, in the form in which each side has it.
#[derive(Debug, Clone, Copy)]
pub enum List<'a> {
    /// As the runtime makes it.
    Made(&'a [&'a [u8]]),
    /// As it is decoded: the number of texts, and their binary form, already checked.
    Read(u32, &'a [u8]),
}

impl<'a> List<'a> {
    /// How many texts there are.
    pub fn len(&self) -> usize {
        match self {
            List::Made(texts) => texts.len(),
            List::Read(count, _) => *count as usize,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The texts in their order.
    pub fn iter(&self) -> Texts<'a> {
        match *self {
            List::Made(texts) => Texts {
                made: texts,
                read: Reader(&[]),
            },
            List::Read(_, bytes) => Texts {
                made: &[],
                read: Reader(bytes),
            },
        }
    }
}

/// The texts of a list.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    made: &'a [&'a [u8]],
    read: Reader<'a>,
}

impl<'a> Iterator for Texts<'a> {
    type Item = Text<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Text<'a>> {
        if let Some((first, rest)) = self.made.split_first() {
            self.made = rest;
            return Some(Text(first));
        }
        let length = self.read.u32().ok()? as usize;
        self.read.take(length + 1).ok().map(Text)
    }
}

impl<'a> Wire<'a> for List<'a> {
    const FORM: u32 = kind::LIST;
    fn encode(&self, sink: &mut impl Sink) {
        (self.len() as u32).encode(sink);
        for text in self.iter() {
            text.encode(sink);
        }
    }
    #[inline(always)]
    fn from_fields(fields: &Fields<'a>, at: usize) -> Self {
        let Field { number, bytes } = fields[at];
        List::Read(number as u32, bytes)
    }
}
