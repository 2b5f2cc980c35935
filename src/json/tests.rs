//! What is read and refused, with serde_json as the judge of what is JSON.

use super::{Reader, Strings, Value, Writer, object, parse, pretty, quoted, text, words};
use std::collections::BTreeMap;
use std::path::PathBuf;

object! {
    /// One of each kind.
    #[derive(Debug, Clone, Default, PartialEq)]
    struct Sample {
        flag: bool = "flag",
        byte: Option<u16> = "byte",
        number: i64 = "number",
        most: u64 = "most",
        name: Option<String> = "name",
        path: PathBuf = "path",
        list: Vec<String> = always "list",
        strings: Strings = "strings",
        map: BTreeMap<Colour, Vec<u32>> = "map",
        inner: Option<Inner> = "inner" | "older",
        ;
        plain: u8,
    }
}

object! {
    /// A member that must be there.
    #[derive(Debug, Clone, Default, PartialEq)]
    struct Inner {
        colour: Colour = required "colour",
    }
}

words! {
    /// A closed set.
    Colour {
        Red = "red",
        Blue = "blue" | "",
    }
}

fn read(json: &str) -> Result<Sample, String> {
    parse(json.as_bytes(), "f").map_err(|error| error.to_string())
}

#[test]
fn values_survive_a_round_trip() {
    let json = r#"{"flag":true,"byte":65535,"number":-9223372036854775808,"most":18446744073709551615,"name":"a\"\\\n\u0001é","path":"/p","list":["x",""],"strings":["","é","","x"],"map":{"red":[1,2],"blue":[]},"inner":{"colour":"blue"}}"#;
    let sample = read(json).unwrap();
    assert_eq!(sample.name.as_deref(), Some("a\"\\\n\u{1}é"));
    assert!(sample.strings.iter().eq(["", "é", "", "x"]));
    assert_eq!(sample.map[&Colour::Red], [1, 2]);
    assert_eq!(String::from_utf8(text(&sample)).unwrap(), json);
    let empty = r#"{"flag":false,"number":0,"most":0,"path":"","list":[]}"#;
    assert_eq!(String::from_utf8(text(&Sample::default())).unwrap(), empty);
    assert_eq!(read(empty).unwrap(), Sample::default());
}

#[test]
fn members_are_read_as_go_reads_them() {
    let sample = read(
        r#" { "unknown" : [ { "deep" : [ -1.5e-3, "\ud83d\ude00" , null , true ] } ] , "list":["a"],
        "list" : ["b"], "flag":null, "byte":null, "name":"", "map":{"":[7]}, "OLDER":{"Colour":"red"},
        "Number": 5, "pAth": "/"} "#,
    )
    .unwrap();
    assert_eq!(sample.list, ["b"]);
    assert_eq!((sample.number, sample.path), (5, "/".into()));
    assert_eq!(sample.name, None);
    assert_eq!(sample.map[&Colour::Blue], [7]);
    assert_eq!(sample.inner.unwrap().colour, Colour::Red);
    assert_eq!(
        read(r#"{"name": "\u00e9\/\ud83d\ude00"}"#)
            .unwrap()
            .name
            .unwrap(),
        "é/😀"
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (json, message) in [
        (
            r#"{"byte": 65536}"#,
            "f: byte: invalid value: integer `65536`, expected u16",
        ),
        (
            r#"{"number": 9223372036854775808}"#,
            "f: number: invalid value: integer `9223372036854775808`, expected i64",
        ),
        (
            r#"{"most": 18446744073709551616}"#,
            "f: most: invalid type: floating point `18446744073709551616`, expected u64",
        ),
        (
            r#"{"number": 1e3}"#,
            "f: number: invalid type: floating point `1e3`, expected i64",
        ),
        (
            r#"{"number": "1"}"#,
            "f: number: invalid type: string \"1\", expected i64",
        ),
        (
            r#"{"flag": "\u001b["}"#,
            "f: flag: invalid type: string \"\\u{1b}[\", expected a boolean",
        ),
        (
            r#"{"list": ["", null]}"#,
            "f: list[1]: invalid type: null, expected a string",
        ),
        (
            r#"{"list": true}"#,
            "f: list: invalid type: boolean `true`, expected a sequence",
        ),
        (
            r#"{"map": {"red": {}}}"#,
            "f: map.red: invalid type: map, expected a sequence",
        ),
        (
            r#"{"map": {"green": []}}"#,
            "f: map.green: unknown variant `green`, expected one of `red`, `blue`",
        ),
        (r#"{"inner": {}}"#, "f: inner: missing field `colour`"),
        (
            r#"{"inner": {"colour": null}}"#,
            "f: inner.colour: invalid type: null, expected a string",
        ),
        (r#"[]"#, "f: invalid type: sequence, expected a map"),
        (
            "{\n \"list\": [tru]}",
            "f: line 2, column 11: list[0]: invalid JSON: expected a value",
        ),
        (
            r#"{"flag": true} x"#,
            "f: line 1, column 16: invalid JSON: trailing characters",
        ),
        (
            "{\"name\": \"\u{1}\"}",
            "f: line 1, column 11: name: invalid JSON: a control character in a string",
        ),
    ] {
        assert_eq!(read(json).unwrap_err(), message);
    }
    let invalid = parse::<Sample>(b"{\"name\": \"\xff\"}", "f").unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "f: line 1, column 10: name: invalid JSON: a string that is not UTF-8"
    );
}

#[test]
fn a_path_keeps_its_bytes() {
    let sample: Sample = parse(b"{\"path\": \"/\xff\"}", "f").unwrap();
    let json = text(&sample);
    assert_eq!(parse::<Sample>(&json, "f").unwrap(), sample);
    let sample: Sample = parse(b"{\"path\": \"\xff\", \"name\": \"\xc3\xa9\"}", "f").unwrap();
    assert_eq!(sample.name.as_deref(), Some("é"));
}

#[test]
fn a_string_ends_at_its_quote_wherever_that_is() {
    for (at, byte) in (0..20).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
        let mut bytes = [0x21; 20];
        bytes[at] = byte;
        let json = [b"\"", &bytes[..], b"\""].concat();
        let read =
            parse::<PathBuf>(&json, "f").map(|path| path.into_os_string().into_encoded_bytes());
        match byte {
            b'"' | b'\\' | ..0x20 => assert!(read.is_err(), "{byte} at {at}"),
            _ => assert_eq!(read.unwrap(), bytes, "{byte} at {at}"),
        }
    }
}

#[test]
fn nesting_ends() {
    let deep = |depth: usize| format!("{{\"x\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&deep(127)).is_ok());
    assert!(read(&deep(128)).unwrap_err().contains("nested too deeply"));
    assert!(read(&"[".repeat(1_000_000)).is_err());
    assert!(read(&format!("{{\"x\": {}", "[".repeat(1_000_000))).is_err());
}

#[derive(Default)]
struct Anything;

impl Value for Anything {
    fn read(&mut self, reader: &mut Reader<'_>) -> super::Result<()> {
        reader.skip()
    }

    fn write(&self, _: &mut Writer) {}
}

/// Every text that differs from a good one by a byte is JSON for us when it is for serde_json.
#[test]
fn serde_agrees_on_what_is_json() {
    let good = r#"{"a": [1, -0.5e+10, "x\n\u00e9\ud83d\ude00é", true, false, null, {}, []], "b": {"c": 0}} "#;
    let interesting = b"\0\x1f \"\\/{}[],:.-+0129eEuadltfn\x7f\x80\xff";
    let mut tried = 0;
    for at in 0..good.len() {
        for replacement in interesting.iter().map(Some).chain([None]) {
            let mut json = good.as_bytes().to_vec();
            match replacement {
                Some(byte) => json[at] = *byte,
                None => drop(json.remove(at)),
            }
            for json in [&json[..], &json[..at]] {
                // serde_json refuses numbers that no float can hold; nobody else does.
                let theirs = serde_json::from_slice::<serde_json::Value>(json);
                let ours = parse::<Anything>(json, "f");
                let huge =
                    matches!(&theirs, Err(error) if error.to_string().contains("out of range"));
                assert!(
                    huge || theirs.is_ok() == ours.is_ok(),
                    "{}: {theirs:?}, {:?}",
                    String::from_utf8_lossy(json),
                    ours.err()
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 4000);
}

#[test]
fn layout_is_that_of_everybody() {
    let json = r#"{"a":[],"b":{},"c":[1,{"d":"}\",[\\"}],"e":"","f":[[]]}"#;
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(
        pretty(json.as_bytes(), "  "),
        serde_json::to_string_pretty(&value).unwrap()
    );
    let loose = "{ \"a\" : [ ] ,\n \"b\":1 }";
    assert_eq!(
        pretty(loose.as_bytes(), "\t"),
        "{\n\t\"a\": [],\n\t\"b\": 1\n}"
    );
}

#[test]
fn strings_are_quoted_as_serde_quotes_them() {
    let all: String = (0..=0x200).filter_map(char::from_u32).collect();
    assert_eq!(quoted(&all), serde_json::to_string(&all).unwrap());
}
