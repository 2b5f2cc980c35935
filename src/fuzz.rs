//! What comes from outside, damaged in all ways: each is taken or refused with an error, and nothing panics.
//!
//! How often is tried, see [`with_seeds`]. What a test begins with is in `tests/corpus/`.

use crate::check;
use crate::cli::flags::{COMMANDS, GLOBAL};
use crate::cli::parse;
use crate::container::Record;
use crate::oci::{self, Config, Process};
use crate::program::wire::any::{Random, with_seeds};
use crate::program::wire::{Message, Op, Reader};
use crate::program::{self, Facts, Program, V1Mount};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;

const CONFIGS: [&str; 3] = [
    include_str!("../tests/corpus/default.json"),
    include_str!("../tests/corpus/whole.json"),
    include_str!("../tests/corpus/full.json"),
];

const STATE: &str = include_str!("../tests/corpus/state.json");

/// What JSON is made of, and what numbers and texts are taken for.
const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e400",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b"..",
    b"/",
    b"\xff",
    b"1.5",
    b"[[[[[[[[",
    b"\"path\":",
    b"\"type\":\"bind\"",
    b"\xf0\x9f\x9b\xb6",
];

/// A value that somebody did not think of.
fn odd(random: &mut Random) -> Value {
    const TEXTS: &[&str] = &[
        "",
        "/",
        "..",
        "/../..",
        "\0",
        "a\0b",
        "a\nb",
        "/proc/self/fd/3",
        "-1",
        "0-4294967295",
        "CAP_ALL",
        "rbind",
        "=",
        "a=",
        "bind",
        "tmpfs",
        "proc",
        "cgroup",
        "/proc",
        "/sys/fs/cgroup",
        "SCMP_ACT_ALLOW",
        "b",
        "c",
        "%s",
        "\u{1f6f6}",
    ];
    match random.below(9) {
        0 => Value::Null,
        1 => json!(random.edge()),
        2 => json!(-(random.edge() as i64 >> 1)),
        3 => json!(random.once_in(2)),
        4 => json!([]),
        5 => json!({}),
        6 => json!("x".repeat(random.below(70_000) >> random.below(17))),
        7 => json!(random.number() as f64),
        _ => json!(random.pick(TEXTS)),
    }
}

/// The value at a place that chance leads to.
fn somewhere<'a>(random: &mut Random, mut value: &'a mut Value) -> &'a mut Value {
    loop {
        let length = match value {
            Value::Array(array) => array.len(),
            Value::Object(object) => object.len(),
            _ => 0,
        };
        if length == 0 || random.once_in(8) {
            return value;
        }
        let at = random.below(length);
        value = match value {
            Value::Array(array) => &mut array[at],
            Value::Object(object) => object.values_mut().nth(at).expect("it is that long"),
            _ => return value,
        };
    }
}

/// A document with some of its values changed, moved, doubled, or gone.
fn rearrange(random: &mut Random, value: &mut Value, other: &Value) {
    for _ in 0..=random.below(4) {
        let from = somewhere(random, &mut other.clone()).clone();
        let odd = odd(random);
        match (somewhere(random, value), random.below(4)) {
            (Value::Array(array), 0) if !array.is_empty() => {
                let one = array[random.below(array.len())].clone();
                array.extend(vec![one; random.below(40)]);
            }
            (Value::Array(array), 1) => array.push(from),
            (Value::Object(object), 0) if !object.is_empty() => {
                let name = object
                    .keys()
                    .nth(random.below(object.len()))
                    .expect("it is that long");
                object.remove(&name.clone());
            }
            (place, 2) => *place = from,
            (place, _) => *place = odd,
        }
    }
}

/// One of the configurations as values.
fn read(random: &mut Random) -> Value {
    static READ: OnceLock<Vec<Value>> = OnceLock::new();
    let read = READ.get_or_init(|| {
        let values = CONFIGS.iter().map(|text| serde_json::from_str(text));
        values
            .map(|value| value.expect("the corpus is JSON"))
            .collect()
    });
    read[random.below(read.len())].clone()
}

fn any_config(random: &mut Random) -> Vec<u8> {
    let text = CONFIGS[random.below(CONFIGS.len())];
    if random.once_in(3) {
        let mut bytes = text.as_bytes().to_vec();
        random.damage(&mut bytes, WORDS);
        return bytes;
    }
    let (mut value, other) = (read(random), read(random));
    rearrange(random, &mut value, &other);
    serde_json::to_vec(&value).expect("values can be written")
}

fn any_facts(random: &mut Random) -> Facts {
    let hierarchy = |name: &str| V1Mount {
        name: name.into(),
        options: vec![name.into()],
        mountpoint: format!("/sys/fs/cgroup/{name}").into(),
        cgroup: "/box".into(),
    };
    let v1_mounts: Vec<_> = ["cpu,cpuacct", "memory"]
        .iter()
        .take(random.below(3))
        .map(|name| hierarchy(name))
        .collect();
    Facts {
        id: "first".into(),
        bundle: "/srv/bundle".into(),
        rootfs: "/srv/bundle/rootfs".into(),
        host_mounts: vec!["/proc".into(); random.below(2)],
        null_streams: random.below(8) as u8,
        bounding: random.edge(),
        hierarchies: v1_mounts.len(),
        v1_mounts,
        cgroup2: random.once_in(2).then(|| "/box".into()),
        unprivileged: random.once_in(3),
        tree_namespace: random.once_in(3),
        landlock_abi: random.below(11) as u32,
        await_start: random.once_in(2),
        window: (random.edge() as u32, random.edge() as u32),
        no_pivot: random.once_in(4),
        no_new_keyring: random.once_in(4),
        keep_groups: random.once_in(4),
        preserve_fds: random.below(3) as u32,
        ..Facts::default()
    }
}

/// What the stub gets is a whole program, and whatever it may tell of it can be said in words.
fn try_program(random: &mut Random, program: &Program) {
    let descriptors: Vec<i32> = (0..program.handles.len() as i32).collect();
    let bytes = program.encode(&descriptors);
    let mut reader = Reader(&bytes);
    let header = program::wire::HEADER_SIZE + 4 * descriptors.len();
    reader.take(header).expect("the header is there");
    let mut count = 0;
    while !reader.0.is_empty() {
        let op = Op::decode(&mut reader);
        assert!(op.is_ok(), "operation {count} of\n{program}");
        count += 1;
    }
    assert!(!program.to_string().is_empty());
    let message = Message {
        kind: random.below(5) as u32,
        op: random.below(count + 2) as u32,
        call: random.edge() as u32,
        errno: random.edge() as i32,
    };
    let output = random.once_in(4).then_some(&b"text\0more\xff"[..]);
    let error = program::explain(program, message, output).to_string();
    assert!(!error.is_empty());
    program.undone(message.op);
}

fn try_config(random: &mut Random, text: &[u8]) -> crate::error::Result<()> {
    let mut config: Config = oci::parse(text, "config.json")?;
    config.take_landlock()?;
    check::config(&config)?;
    let facts = any_facts(random);
    if let Some(process) = &config.process {
        let program = match random.once_in(3) {
            true => program::exec(process, &config, random.edge() as u32, &facts)?,
            false => program::container(&config, &facts)?,
        };
        try_program(random, &program);
    }
    Ok(())
}

#[test]
fn any_configuration_is_refused_or_compiled() {
    with_seeds(|random| {
        let text = any_config(random);
        if let Err(error) = try_config(random, &text) {
            let error = error.to_string();
            assert!(!error.is_empty() && !error.contains('\n'), "{error:?}");
        }
    });
}

#[test]
fn the_corpus_compiles() {
    for text in CONFIGS {
        for seed in 0..20 {
            if let Err(error) = try_config(&mut Random(seed), text.as_bytes()) {
                let error = error.to_string();
                assert!(error.contains("rootless"), "{error}");
            }
        }
    }
}

#[test]
fn any_process_is_refused_or_read() {
    let _ = oci::parse::<Process>(b"{}", "process.json");
    with_seeds(|random| {
        let mut value: Value =
            serde_json::from_str(CONFIGS[random.below(CONFIGS.len())]).expect("the corpus is JSON");
        let mut value = value["process"].take();
        let other = value.clone();
        rearrange(random, &mut value, &other);
        let mut text = serde_json::to_vec(&value).expect("values can be written");
        if random.once_in(4) {
            random.damage(&mut text, WORDS);
        }
        if let Ok(process) = oci::parse::<Process>(&text, "process.json") {
            let _ = check::process(&process);
        }
    });
}

#[test]
fn any_state_is_refused_or_read() {
    with_seeds(|random| {
        let mut text = STATE.as_bytes().to_vec();
        if random.once_in(2) {
            random.damage(&mut text, WORDS);
        } else {
            let (first, rest) = STATE.split_once('\n').expect("two lines");
            let mut value: Value = serde_json::from_str(first).expect("the corpus is JSON");
            let other = value.clone();
            rearrange(random, &mut value, &other);
            text = format!("{value}\n{rest}").into_bytes();
        }
        if let Ok(record) = Record::parse(&text, "state.json") {
            // What was read and is written is read as the same.
            let line = crate::json::line(&record);
            let again = Record::parse(line.as_bytes(), "state.json").expect("it is our own");
            assert_eq!(crate::json::line(&again), line);
        }
    });
}

#[test]
fn any_command_line_is_refused_or_parsed() {
    const ARGUMENTS: &[&str] = &[
        "",
        "-",
        "--",
        "---",
        "=",
        "--=",
        "-=x",
        "id",
        "sh",
        "-c",
        "--root",
        "--root=/x",
        "-root",
        "--log-format=json",
        "--debug",
        "--debug=false",
        "--debug=maybe",
        "\u{1f6f6}",
        "-1",
        "4294967296",
        "--help",
        "-h",
        "--version",
        "help",
        "\0",
        "KILL",
    ];
    with_seeds(|random| {
        let mut flags = Vec::new();
        for command in COMMANDS {
            flags.push(command.name.to_string());
        }
        let command = &COMMANDS[random.below(COMMANDS.len())];
        for flag in command.flags {
            flags.push(format!("--{}", flag.name));
            flags.push(format!("-{}", flag.short));
            flags.push(format!("--{}={}", flag.name, random.pick(ARGUMENTS)));
        }
        let mut line = Vec::new();
        for index in 0..random.below(9) {
            let mut argument = match random.below(3) {
                0 if index < 2 => command.name.as_bytes().to_vec(),
                0 | 1 => flags[random.below(flags.len())].as_bytes().to_vec(),
                _ => random.pick(ARGUMENTS).as_bytes().to_vec(),
            };
            if random.once_in(6) {
                random.damage(&mut argument, WORDS);
            }
            line.push(OsString::from_vec(argument));
        }
        parse::globals(line.iter().cloned());
        let Ok(invocation) = parse::parse(line.into_iter()) else {
            return;
        };
        for matches in [&invocation.global, &invocation.matches] {
            let _ = matches.argument(0);
            for flag in command.flags.iter().chain(GLOBAL) {
                matches.flag(flag.name);
                matches.path(flag.name);
                let _ = matches.values(flag.name).len();
                let _ = matches.number(flag.name).is_ok();
            }
        }
    });
}
