//! From JSON text to a type, with errors that name the field.

use crate::error::{Error, Result};
use serde::de::DeserializeOwned;

/// Reads the JSON text of `file` (a name for the error's sake). An error is one line that names the field:
/// ``config.json: linux.namespaces[1].type: unknown variant `foo`, expected one of …``.
pub fn parse<T: DeserializeOwned>(text: &[u8], file: &str) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| explain(text, file, &error))
}

/// Fields whose mistakes runc has words for that its users look for.
const KNOWN_AS: &[(&str, &str)] = &[
    ("linux.memoryPolicy.flags", "invalid memory policy flag: "),
    ("linux.memoryPolicy", "invalid memory policy mode: "),
];

/// Puts the field's path in the place of the line and column, which say little in a file that a program wrote.
fn explain(text: &[u8], file: &str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let (line, column) = (error.line(), error.column());
    let message = message
        .strip_suffix(&format!(" at line {line} column {column}"))
        .unwrap_or(&message);
    let path = path_at(text, offset_of(text, line, column));
    let place = if path.is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    };
    if error.is_data() {
        let known = KNOWN_AS.iter().find(|(field, _)| path.starts_with(field));
        let known = known.map_or("", |(_, words)| words);
        return Error::new(format!("{file}: {place}{known}{message}"));
    }
    // Broken JSON is repaired by hand, in an editor that jumps to lines.
    Error::new(format!(
        "{file}: line {line}, column {column}: {place}invalid JSON: {message}"
    ))
}

/// How many bytes serde_json had consumed at this line (from 1) and column (from 0).
fn offset_of(text: &[u8], line: usize, column: usize) -> usize {
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column).min(text.len())
}

/// A list or object that is open at some place of the text.
enum Open {
    Array(usize),
    /// The key, once it is known, of the member that is being read.
    Object(Option<String>),
}

/// The path of the value that ends, or else that begins, at this offset.
fn path_at(text: &[u8], end: usize) -> String {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < end {
        match text[at] {
            b'{' => open.push(Open::Object(None)),
            b'[' => open.push(Open::Array(0)),
            b'}' | b']' => {
                open.pop();
            }
            b',' => match open.last_mut() {
                Some(Open::Array(index)) => *index += 1,
                Some(Open::Object(key)) => *key = None,
                None => {}
            },
            b'"' => {
                let (string, next) = string_at(text, at);
                if let Some(Open::Object(key @ None)) = open.last_mut() {
                    *key = Some(string);
                }
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for step in open {
        match step {
            Open::Array(index) => path += &format!("[{index}]"),
            Open::Object(Some(key)) if path.is_empty() => path = key,
            Open::Object(Some(key)) => path = format!("{path}.{key}"),
            Open::Object(None) => {}
        }
    }
    path
}

/// The text of the string that begins here, with its escapes as they are, and the offset after it.
fn string_at(text: &[u8], start: usize) -> (String, usize) {
    let mut at = start + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    let end = at.min(text.len());
    // No line breaks or terminal codes of a hostile file in our error.
    let string = String::from_utf8_lossy(&text[start + 1..end])
        .escape_debug()
        .to_string();
    (string, (end + 1).min(text.len()))
}
