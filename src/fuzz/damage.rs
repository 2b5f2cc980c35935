//! What is done to documents: damage to their bytes, and values that are changed, moved, doubled, gone, or another
//! document's, or another word of the same set.

use crate::json::Word;
use crate::oci;
use crate::program::wire::any::Random;
use crate::program::{capability_names, mount_options};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// What JSON is made of, and what numbers and texts are taken for.
pub const BYTES: &[&[u8]] = &[
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
    b"\\ud83d\\udef6",
    b"\\b\\f",
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

/// The closed sets of words of the specification, and those of this program.
const SETS: &[&[&str]] = &[
    oci::NamespaceType::WORDS,
    oci::DeviceType::WORDS,
    oci::DeviceRuleType::WORDS,
    oci::Propagation::WORDS,
    oci::MemoryPolicyMode::WORDS,
    oci::MemoryPolicyFlag::WORDS,
    oci::PersonalityDomain::WORDS,
    oci::SchedulerPolicy::WORDS,
    oci::SchedulerFlag::WORDS,
    oci::IoPriorityClass::WORDS,
    oci::SeccompAction::WORDS,
    oci::SeccompOperator::WORDS,
    oci::SeccompFlag::WORDS,
    oci::SeccompArch::WORDS,
    &[
        "proc", "sysfs", "tmpfs", "mqueue", "devpts", "cgroup", "cgroup2", "overlay", "none",
    ],
    &[
        "/proc",
        "/proc/self",
        "/sys",
        "/sys/fs/cgroup",
        "/sys/firmware",
        "/dev",
        "/dev/null",
        "/dev/pts",
        "/dev/console",
        "/",
        "/etc/hosts",
    ],
    &[
        "v1.all",
        "v5.all",
        "v10.all",
        "v0.all",
        "v1.read_execute",
        "v3.read_write",
        "execute",
        "write_file",
        "ioctl_dev",
        "refer",
        "truncate",
        "bind_tcp",
        "connect_tcp",
        "signal",
        "abstract_unix_socket",
    ],
    &[
        "read",
        "write",
        "ioctl",
        "clone",
        "clone3",
        "mount",
        "ptrace",
        "personality",
        "socket",
        "socketcall",
        "ipc",
        "semop",
        "nosuch",
        "uretprobe",
    ],
    &[
        "RLIMIT_NOFILE",
        "RLIMIT_CORE",
        "RLIMIT_NPROC",
        "RLIMIT_AS",
        "RLIMIT_NOSUCH",
    ],
    &[
        "kernel.hostname",
        "kernel.domainname",
        "kernel.shmmax",
        "fs.mqueue.msg_max",
        "net.ipv4.ip_forward",
        "net/ipv4/conf/eth0.1/forwarding",
        "user.max_user_namespaces",
        "kernel/../net",
        "vm.overcommit_memory",
    ],
    &[
        "2MB",
        "1GB",
        "64KB",
        "1B",
        "0",
        "MB",
        "18446744073709551615GB",
    ],
    &[
        "0",
        "0-3",
        "0-3,7",
        "1023",
        "8191",
        "3-0",
        "0-",
        ",",
        "4294967296",
        "0,0-63,62",
    ],
];

/// A word of the same set as this one, when it is one of a set.
fn reword(random: &mut Random, text: &mut String) {
    static MORE: OnceLock<[Vec<String>; 2]> = OnceLock::new();
    let more = MORE.get_or_init(|| [mount_options(), capability_names()]);
    if let Some(set) = more.iter().find(|set| set.contains(text)) {
        *text = set[random.below(set.len())].clone();
        return;
    }
    let set = SETS.iter().find(|set| set.contains(&text.as_str()));
    if let Some(set) = set {
        *text = random.pick(set).to_string();
    }
}

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
        "CAP_ALL",
        "=",
        "a=",
        "b",
        "c",
        "%s",
        "\u{1f6f6}",
    ];
    match random.below(10) {
        0 => Value::Null,
        1 => json!(random.edge()),
        2 => json!(-(random.edge() as i64 >> 1)),
        3 => json!(random.once_in(2)),
        4 => json!([]),
        5 => json!({}),
        6 => json!("x".repeat(random.below(70_000) >> random.below(17))),
        7 => json!(random.number() as f64),
        8 => {
            let set = SETS[random.below(SETS.len())];
            json!(random.pick(set))
        }
        _ => json!(random.pick(TEXTS)),
    }
}

/// A list's or an object's values.
fn parts(value: &Value) -> usize {
    match value {
        Value::Array(array) => array.len(),
        Value::Object(object) => object.len(),
        _ => 0,
    }
}

/// The value at a place that chance leads to.
fn somewhere<'a>(random: &mut Random, mut value: &'a Value) -> &'a Value {
    while parts(value) > 0 && !random.once_in(8) {
        let at = random.below(parts(value));
        value = match value {
            Value::Object(object) => object.values().nth(at).expect("it is that long"),
            value => &value[at],
        };
    }
    value
}

/// The same, to be changed.
fn place<'a>(random: &mut Random, mut value: &'a mut Value) -> &'a mut Value {
    while parts(value) > 0 && !random.once_in(8) {
        let at = random.below(parts(value));
        value = match value {
            Value::Object(object) => object.values_mut().nth(at).expect("it is that long"),
            value => &mut value[at],
        };
    }
    value
}

/// All texts of a document, one of which is to be changed.
fn texts<'a>(value: &'a mut Value, found: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(array) => array.iter_mut().for_each(|value| texts(value, found)),
        Value::Object(object) => object.values_mut().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// Gives the value something that the other has in the same place.
fn graft(random: &mut Random, value: &mut Value, other: &Value) {
    match (value, other) {
        (Value::Object(object), Value::Object(others)) if !others.is_empty() => {
            let at = random.below(others.len());
            let (name, theirs) = others.iter().nth(at).expect("it is that long");
            match object.get_mut(name) {
                Some(ours) if parts(theirs) > 0 && !random.once_in(4) => {
                    graft(random, ours, theirs);
                }
                _ => drop(object.insert(name.clone(), theirs.clone())),
            }
        }
        (Value::Array(array), Value::Array(others)) if !others.is_empty() => {
            let theirs = &others[random.below(others.len())];
            let at = random.below(array.len() + 1);
            match array.get_mut(at) {
                Some(ours) if random.once_in(2) => graft(random, ours, theirs),
                _ => array.insert(at, theirs.clone()),
            }
        }
        (value, other) => *value = other.clone(),
    }
}

/// A document with some of its values changed.
pub fn rearrange(random: &mut Random, value: &mut Value, other: &Value) {
    for _ in 0..=random.below(5) {
        match random.below(8) {
            0 | 1 => graft(random, value, other),
            2 | 3 => {
                let mut found = Vec::new();
                texts(value, &mut found);
                if !found.is_empty() {
                    let at = random.below(found.len());
                    reword(random, found[at]);
                }
            }
            4 => *place(random, value) = somewhere(random, other).clone(),
            _ => change(random, value),
        }
    }
}

/// Changes one value for none that the corpus has.
fn change(random: &mut Random, value: &mut Value) {
    let odd = odd(random);
    match (place(random, value), random.below(4)) {
        (Value::Array(array), 0) if !array.is_empty() => {
            let one = array[random.below(array.len())].clone();
            array.extend(vec![one; random.below(40)]);
        }
        (Value::Array(array), 1) => array.push(odd),
        (Value::Array(array), 2) if !array.is_empty() => {
            let (at, to) = (random.below(array.len()), random.below(array.len()));
            array.swap(at, to);
        }
        (Value::Object(object), 0) if !object.is_empty() => {
            let at = random.below(object.len());
            let name = object.keys().nth(at).expect("it is that long").clone();
            object.remove(&name);
        }
        (place, _) => *place = odd,
    }
}
