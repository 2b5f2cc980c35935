//! What comes from outside, damaged in all ways: each is taken or refused with an error, and nothing panics.
//!
//! How often is tried, see [`with_seeds`]. What a test begins with is in `tests/corpus/`. Millions of times, and quickly:
//!
//! ```text
//! export CARGO_PROFILE_DEV_OPT_LEVEL=3 CORACLE_FUZZ=2000000 CORACLE_FUZZ_SEED=1000000
//! cargo test --target x86_64-unknown-linux-gnu --bin coracle any_ 2>/dev/null
//! cargo test --target x86_64-unknown-linux-gnu --test stub
//! ```
//!
//! With AddressSanitizer, all unit tests; under Miri, those of the stub:
//!
//! ```text
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly test --target x86_64-unknown-linux-gnu --bin coracle --test stub
//! cargo +nightly miri test --test stub
//! ```
//!
//! Which lines are reached (`rustup component add llvm-tools`, and that toolchain's `llvm-profdata` and `llvm-cov`):
//!
//! ```text
//! RUSTFLAGS=-Cinstrument-coverage cargo test --target x86_64-unknown-linux-gnu --bin coracle --no-run
//! LLVM_PROFILE_FILE=fuzz.profraw CORACLE_FUZZ=50000 target/.../coracle-... fuzz::
//! llvm-profdata merge -o fuzz.profdata fuzz.profraw
//! llvm-cov show target/.../coracle-... -instr-profile fuzz.profdata src/check src/program src/oci src/json
//! ```

mod damage;

use crate::cgroup;
use crate::check;
use crate::cli::flags::{COMMANDS, GLOBAL};
use crate::cli::parse;
use crate::container::Record;
use crate::error::Result;
use crate::oci::{self, Config, Mount, Process, Resources, annotation};
use crate::program::wire::any::{Random, with_seeds};
use crate::program::wire::{Message, Op, Reader};
use crate::program::{self, Facts, Program, V1Mount};
use damage::{BYTES, rearrange};
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::OnceLock;

const CONFIGS: [&str; 4] = [
    include_str!("../../tests/corpus/default.json"),
    include_str!("../../tests/corpus/whole.json"),
    include_str!("../../tests/corpus/full.json"),
    include_str!("../../tests/corpus/joined.json"),
];

const STATE: &str = include_str!("../../tests/corpus/state.json");

/// One of the configurations as values.
fn read(random: &mut Random) -> &'static Value {
    static READ: OnceLock<Vec<Value>> = OnceLock::new();
    let read = READ.get_or_init(|| {
        let values = CONFIGS.iter().map(|text| serde_json::from_str(text));
        values
            .map(|value| value.expect("the corpus is JSON"))
            .collect()
    });
    &read[random.below(read.len())]
}

fn any_config(random: &mut Random) -> Vec<u8> {
    let mut value = read(random).clone();
    let mut text = match random.once_in(4) {
        true => CONFIGS[random.below(CONFIGS.len())].as_bytes().to_vec(),
        false => {
            let other = read(random);
            rearrange(random, &mut value, other);
            serde_json::to_vec(&value).expect("values can be written")
        }
    };
    if random.once_in(5) {
        random.damage(&mut text, BYTES);
    }
    text
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
        rootfs: match random.once_in(8) {
            true => "/".into(),
            false => "/srv/bundle/rootfs".into(),
        },
        host_mounts: vec!["/proc".into(); random.below(2)],
        null_streams: random.below(8) as u8,
        bounding: match random.once_in(2) {
            true => u64::MAX,
            false => random.edge(),
        },
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
fn try_program(random: &mut Random, program: &Program, given_filter: bool) {
    let descriptors: Vec<i32> = (0..program.handles.len() as i32).collect();
    let bytes = program.encode(&descriptors);
    let mut reader = Reader(&bytes);
    let header = program::wire::HEADER_SIZE + 4 * descriptors.len();
    reader.take(header).expect("the header is there");
    let mut count = 0;
    while !reader.0.is_empty() {
        match Op::decode(&mut reader) {
            Ok(Op::Seccomp { filter, .. } | Op::SeccompListener { filter, .. }) => {
                assert!(
                    given_filter || program::seccomp::is_valid(filter.0),
                    "{program}"
                );
            }
            Ok(_) => {}
            Err(_) => panic!("operation {count} of\n{program}"),
        }
        count += 1;
    }
    assert!(!program.to_string().is_empty());
    let message = Message {
        kind: random.below(5) as u32,
        op: random.below(count + 2) as u32,
        call: match random.once_in(2) {
            true => random.below(40) as u32,
            false => random.edge() as u32,
        },
        errno: match random.once_in(2) {
            true => random.below(134) as i32,
            false => random.edge() as i32,
        },
    };
    let output = random.once_in(4).then_some(&b"text\0more\xff"[..]);
    let error = program::explain(program, message, output).to_string();
    assert!(!error.is_empty());
    let error = program::explain_start(message, "first", output).to_string();
    assert!(!error.is_empty());
    program.undone(message.op);
}

fn try_config(random: &mut Random, text: &[u8]) -> Result<()> {
    let mut config: Config = oci::parse(text, "config.json")?;
    config.take_landlock()?;
    check::config(&config)?;
    let mut facts = any_facts(random);
    facts.source_links = config
        .mounts
        .iter()
        .enumerate()
        .filter_map(a_link)
        .collect();
    if let Some(process) = &config.process {
        let namespaces = random.edge() as u32 & 0x7e02_0080;
        let program = match random.below(6) {
            0 => program::exec(process, &config, namespaces, &facts)?,
            1 => {
                facts.running = true;
                let add = random.once_in(2);
                program::change_mounts(&config, namespaces, &facts, add)?
            }
            _ => {
                facts.tree_namespace &= program::can_enter_tree(&config, &facts);
                program::container(&config, &facts)?
            }
        };
        let given_filter = config.annotations.contains_key(annotation::SECCOMP_BPF);
        try_program(random, &program, given_filter);
    }
    cgroup::fuzz::try_limits(&config, random.once_in(2), other_limits(random))
}

/// The limits of one of the configurations.
fn other_limits(random: &mut Random) -> Resources {
    static READ: OnceLock<Vec<Resources>> = OnceLock::new();
    let read = READ.get_or_init(|| {
        let configs = CONFIGS
            .iter()
            .map(|text| oci::parse::<Config>(text.as_bytes(), ""));
        let limits = |config: Result<Config>| config.unwrap().linux.resources;
        configs
            .map(|config| limits(config).unwrap_or_default())
            .collect()
    });
    read[random.below(read.len())].clone()
}

/// Each source that may be a symbolic link is one.
fn a_link((index, mount): (usize, &Mount)) -> Option<(usize, PathBuf)> {
    Some((index, program::wants_link(mount)?.into()))
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
        let mut value = read(random)["process"].clone();
        let other = &read(random)["process"];
        rearrange(random, &mut value, other);
        let mut text = serde_json::to_vec(&value).expect("values can be written");
        if random.once_in(4) {
            random.damage(&mut text, BYTES);
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
            random.damage(&mut text, BYTES);
        } else {
            let (process, record) = STATE.split_once('\n').expect("two lines");
            static READ: OnceLock<Value> = OnceLock::new();
            let other = READ.get_or_init(|| serde_json::from_str(record).expect("it is JSON"));
            let mut value = other.clone();
            rearrange(random, &mut value, other);
            text = format!("{process}\n{value}\n").into_bytes();
        }
        if let Ok(record) = Record::parse(&text, "state.json") {
            // What was read and is written is read as the same.
            let line = crate::json::line(&record);
            let text = format!("{:63}\n{line}", "");
            let again = Record::parse(text.as_bytes(), "state.json").expect("it is our own");
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
                random.damage(&mut argument, BYTES);
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
