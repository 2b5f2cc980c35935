//! JSON text from and to types.
//!
//! One object of the specification is one [`object!`], which says for each field its member's name; one closed set of
//! words is one [`words!`]. As Go's programs expect, a `null` counts as absent, an unknown member is ignored, a
//! name may be written in other capitals, and the last of two members with one name counts. The text is read once, into
//! the types, with no tree of values between.
//!
//! serde's derives do the same with a quarter of a megabyte of code: each type gets a parser of its own. Here, all of
//! them share one, and a type is no more than a match on its members' names.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Reader, Result, parse, parse_into};
pub use write::{Writer, line, lines, pretty, quoted, text};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::rc::Rc;

/// What stands for a JSON value.
pub trait Value: Default {
    /// Reads the value that comes next.
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()>;

    /// Writes this value.
    fn write(&self, writer: &mut Writer);

    /// Whether an object that has this value for a member is written without that member.
    fn is_left_out(&self) -> bool {
        false
    }

    /// Whether it is how Go writes an optional value that is absent.
    fn is_blank(&self) -> bool {
        false
    }
}

/// Makes an enum of the words of a closed set, with the list of all and each one's word. Its default is the first.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal $(| $alias:literal)?,)* }) => {
        $(#[$doc])*
        #[allow(missing_docs)] // the words say it
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$note])* $variant,)* }

        #[allow(dead_code)] // each set has all, whichever are used
        impl $name {
            /// All of them, in the spec's order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word of the spec.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name::ALL[0]
            }
        }

        impl $crate::json::Word for $name {
            const WORDS: &'static [&'static str] = &[$($word, $($alias,)?)*];

            fn nth(index: usize) -> $name {
                const MEANINGS: &[$name] = &[$($name::$variant, $($crate::json::second($alias, $name::$variant),)?)*];
                MEANINGS[index]
            }

            fn word(self) -> &'static str {
                self.name()
            }
        }

        impl $crate::json::Value for $name {
            fn read(&mut self, reader: &mut $crate::json::Reader<'_>) -> $crate::json::Result<()> {
                let index = reader.word(<$name as $crate::json::Word>::WORDS)?;
                *self = <$name as $crate::json::Word>::nth(index);
                Ok(())
            }

            fn write(&self, writer: &mut $crate::json::Writer) {
                writer.string(self.name().as_bytes());
            }
        }
    };
}

/// Makes a struct whose values are JSON objects: `field: Type = "member" | "older name of the member",`. A `required`
/// before the name makes its absence an error, an `always` has it written whatever its value. After a `;` come fields
/// that JSON knows nothing of.
macro_rules! object {
    (
        $(#[$attribute:meta])*
        $visible:vis struct $name:ident {
            $(
                $(#[$note:meta])*
                $shown:vis $field:ident: $type:ty = $($mode:ident)? $key:literal $(| $alias:literal)*,
            )*
            $(; $($(#[$plain_note:meta])* $plain_shown:vis $plain:ident: $plain_type:ty,)*)?
        }
    ) => {
        $(#[$attribute])*
        $visible struct $name {
            $($(#[$note])* $shown $field: $type,)*
            $($($(#[$plain_note])* $plain_shown $plain: $plain_type,)*)?
        }

        impl $crate::json::Value for $name {
            fn read(&mut self, reader: &mut $crate::json::Reader<'_>) -> $crate::json::Result<()> {
                #[allow(unused_mut)]
                let mut missing = [$($(object!(@missing $mode $key),)?)*];
                reader.object(&mut |key, reader| match key {
                    $($key $(| $alias)* => object!(@read $($mode)?, self.$field, reader, missing, $key),)*
                    _ => reader.other(key, &[$($key $(, $alias)*),*]),
                })?;
                reader.complete(&missing)
            }

            fn write(&self, writer: &mut $crate::json::Writer) {
                writer.begin(b'{');
                $(object!(@write $($mode)?, self.$field, writer, $key);)*
                writer.end(b'}');
            }
        }
    };

    (@missing required $key:literal) => { $key };
    (@missing always $key:literal) => { "" };
    (@read required, $place:expr, $reader:ident, $missing:ident, $key:literal) => {{
        $crate::json::seen(&mut $missing, $key);
        $crate::json::Value::read(&mut $place, $reader)
    }};
    (@read $($always:ident)?, $place:expr, $reader:ident, $missing:ident, $key:literal) => {
        $reader.member(&mut $place)
    };
    (@write , $place:expr, $writer:ident, $key:literal) => {
        if !$crate::json::Value::is_left_out(&$place) {
            $writer.member($key, &$place);
        }
    };
    (@write $always:ident, $place:expr, $writer:ident, $key:literal) => {
        $writer.member($key, &$place)
    };
}

pub(crate) use {object, words};

/// A word of a closed set.
pub trait Word: Copy + Ord + Default {
    /// All that are understood.
    const WORDS: &'static [&'static str];
    /// What the word at this place of [`Word::WORDS`] means.
    fn nth(index: usize) -> Self;
    /// The word of the spec.
    fn word(self) -> &'static str;
}

/// For [`words!`]: as many values as there are words, aliases too.
pub const fn second<T: Copy>(_: &'static str, value: T) -> T {
    value
}

/// For [`object!`]: a required member is there.
pub fn seen(missing: &mut [&str], key: &str) {
    for name in missing {
        if *name == key {
            *name = "";
        }
    }
}

impl Value for bool {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = reader.boolean()?;
        Ok(())
    }

    fn write(&self, writer: &mut Writer) {
        writer.raw(if *self { "true" } else { "false" });
    }
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl Value for $type {
            fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
                *self = reader.integer($type::MIN as i128, $type::MAX as i128, stringify!($type))? as $type;
                Ok(())
            }

            fn write(&self, writer: &mut Writer) {
                writer.integer(*self as i128);
            }
        }
    )*};
}

integers!(u16 u32 u64 i32 i64);

impl Value for String {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = reader.text()?.into_owned();
        Ok(())
    }

    fn write(&self, writer: &mut Writer) {
        writer.string(self.as_bytes());
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

/// A path may have any bytes: so may the text that we write for ourselves, and read.
impl Value for PathBuf {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = OsString::from_vec(reader.bytes()?.into_owned()).into();
        Ok(())
    }

    fn write(&self, writer: &mut Writer) {
        writer.string(self.as_os_str().as_bytes());
    }
}

impl<T: Value> Value for Option<T> {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let value = self.insert(T::default());
        value.read(reader)?;
        if value.is_blank() {
            *self = None;
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Some(value) => value.write(writer),
            None => writer.raw("null"),
        }
    }

    fn is_left_out(&self) -> bool {
        self.is_none()
    }
}

impl<T: Value + Clone> Value for Rc<T> {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        Rc::make_mut(self).read(reader)
    }

    fn write(&self, writer: &mut Writer) {
        (**self).write(writer);
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.clear();
        reader.array(&mut |reader| {
            let mut value = T::default();
            value.read(reader)?;
            self.push(value);
            Ok(())
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.begin(b'[');
        for value in self {
            writer.element(value);
        }
        writer.end(b']');
    }

    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}

/// A list of strings, one behind the other in one piece of memory: for a list of hundreds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strings {
    text: String,
    /// Where each of them ends in the text.
    ends: Vec<u32>,
}

impl Strings {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The strings.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            &self.text[std::mem::replace(&mut start, end)..end]
        })
    }
}

impl Value for Strings {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        *self = Strings::default();
        reader.array(&mut |reader| {
            self.text.push_str(&reader.text()?);
            self.ends.push(self.text.len() as u32);
            Ok(())
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.begin(b'[');
        for string in self.iter() {
            writer.element(&string.to_string());
        }
        writer.end(b']');
    }

    fn is_left_out(&self) -> bool {
        self.ends.is_empty()
    }
}

/// What the names of a map's members stand for.
pub trait Key: Ord {
    /// Reads the name.
    fn from_name(name: &str, reader: &Reader<'_>) -> Result<Self>
    where
        Self: Sized;
    /// The name.
    fn name(&self) -> Cow<'_, str>;
}

impl Key for String {
    fn from_name(name: &str, _: &Reader<'_>) -> Result<String> {
        Ok(name.to_string())
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl<T: Word> Key for T {
    fn from_name(name: &str, reader: &Reader<'_>) -> Result<T> {
        reader.find(name, T::WORDS).map(T::nth)
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.word())
    }
}

impl<K: Key, V: Value> Value for BTreeMap<K, V> {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.clear();
        reader.object(&mut |key, reader| {
            let key = K::from_name(key, reader)?;
            let mut value = V::default();
            reader.member(&mut value)?;
            self.insert(key, value);
            Ok(())
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.begin(b'{');
        for (key, value) in self {
            writer.member(&key.name(), value);
        }
        writer.end(b'}');
    }

    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}
