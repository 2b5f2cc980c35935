use super::simulator::{Call, decode, run};
use super::{BAD_ARCH, ENOSYS, Filter, compile, of};
use crate::oci::Seccomp;
use serde_json::{Value, json};

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const AMD64: u32 = 0xC000_003E;
const I386: u32 = 0x4000_0003;

fn read<T: crate::json::Value>(json: &Value) -> T {
    crate::json::parse(json.to_string().as_bytes(), "").unwrap()
}

fn profile(value: Value) -> Seccomp {
    read(&value)
}

fn filter(value: Value) -> Filter {
    compile(&profile(value), false).unwrap()
}

fn error(value: Value) -> String {
    compile(&profile(value), false).unwrap_err().to_string()
}

fn verdict(filter: &Filter, arch: u32, nr: u32, args: &[u64]) -> u32 {
    let mut call = Call {
        nr,
        arch,
        args: [0; 6],
    };
    call.args[..args.len()].copy_from_slice(args);
    run(&decode(&filter.bpf), &call).0
}

/// Docker's default profile as dockerd writes it for a container without capabilities, in short.
fn docker() -> Value {
    serde_json::from_str(include_str!("testdata/docker.json")).unwrap()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn docker_profile_is_small_and_quick() {
    let profile = profile(docker());
    let compiled = compile(&profile, false).unwrap();
    let program = decode(&compiled.bpf);
    let start = std::time::Instant::now();
    let rounds = 20;
    for _ in 0..rounds {
        std::hint::black_box(compile(&profile, false).unwrap());
    }
    let each = start.elapsed() / rounds;
    let longest = (0..470)
        .map(|nr| {
            run(
                &program,
                &Call {
                    nr,
                    arch: AMD64,
                    args: [0; 6],
                },
            )
            .1
        })
        .max();
    println!(
        "{} instructions, {each:?} to compile, at most {longest:?} run",
        program.len()
    );
    assert!(program.len() <= 600, "{} instructions", program.len());
    assert!(!compiled.notify);
    assert_eq!(compiled.flags, 4);

    assert_eq!(verdict(&compiled, AMD64, 0, &[]), ALLOW);
    assert_eq!(verdict(&compiled, AMD64, 165, &[]), EPERM, "mount");
    assert_eq!(
        verdict(&compiled, AMD64, 435, &[]),
        0x0005_0000 | 38,
        "clone3"
    );
    assert_eq!(verdict(&compiled, AMD64, 56, &[0x1200011]), ALLOW, "fork");
    assert_eq!(
        verdict(&compiled, AMD64, 56, &[0x1000_0000]),
        EPERM,
        "clone with a user namespace"
    );
    assert_eq!(
        verdict(&compiled, AMD64, 135, &[0xffff_ffff]),
        ALLOW,
        "personality"
    );
    assert_eq!(
        verdict(&compiled, AMD64, 135, &[0xffff_ffff_ffff_ffff]),
        EPERM,
        "personality"
    );
    assert_eq!(verdict(&compiled, AMD64, 41, &[40]), EPERM, "AF_VSOCK");
    assert_eq!(verdict(&compiled, AMD64, 41, &[2]), ALLOW, "AF_INET");
    assert_eq!(verdict(&compiled, AMD64, 1000, &[]), ENOSYS);
    assert_eq!(verdict(&compiled, I386, 1000, &[]), ENOSYS);
    assert_eq!(verdict(&compiled, I386, 4, &[]), ALLOW);
    assert_eq!(
        verdict(&compiled, AMD64, 0x4000_0001, &[]),
        ALLOW,
        "write of x32"
    );
    assert_eq!(verdict(&compiled, AMD64, 0x4000_1000, &[]), ENOSYS);
    assert_eq!(verdict(&compiled, 0xC000_00B7, 0, &[]), BAD_ARCH);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn numbers_of_x32_are_of_a_bad_architecture_unless_listed() {
    let rules = json!([{"names": ["write"], "action": "SCMP_ACT_ALLOW"}]);
    let alone = filter(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}));
    assert_eq!(verdict(&alone, AMD64, 1, &[]), ALLOW);
    assert_eq!(verdict(&alone, AMD64, 0x4000_0001, &[]), BAD_ARCH);
    assert_eq!(
        verdict(&alone, AMD64, 2, &[]),
        ENOSYS,
        "newer than any in the profile"
    );
    assert_eq!(
        verdict(&alone, AMD64, u32::MAX, &[]),
        EPERM,
        "a tracer skips a syscall"
    );
    assert_eq!(verdict(&alone, I386, 4, &[]), BAD_ARCH);
    let both = filter(json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X32", "SCMP_ARCH_ARM"], "syscalls": rules
    }));
    assert_eq!(verdict(&both, AMD64, 0x4000_0001, &[]), ALLOW);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn sockets_and_ipc_are_multiplexed_on_i386() {
    let made = filter(
        json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [
            {"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 9, "op": "SCMP_CMP_EQ"}]},
        {"names": ["shmget", "accept"], "action": "SCMP_ACT_ERRNO"}]}),
    );
    assert_eq!(
        verdict(&made, I386, 102, &[1, 0, 9]),
        EPERM,
        "the family is not to be seen through socketcall"
    );
    assert_eq!(verdict(&made, I386, 102, &[1, 0, 8]), ALLOW);
    assert_eq!(verdict(&made, I386, 102, &[5]), EPERM);
    assert_eq!(verdict(&made, I386, 102, &[2]), ALLOW);
    assert_eq!(verdict(&made, I386, 359, &[16, 0, 9]), EPERM);
    assert_eq!(verdict(&made, I386, 359, &[15, 0, 9]), ALLOW);
    assert_eq!(verdict(&made, I386, 117, &[23]), EPERM);
    assert_eq!(verdict(&made, I386, 395, &[]), EPERM);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_operator_compares_64_bits() {
    let high = 0x5_0000_0007u64;
    let near = [
        0,
        6,
        7,
        8,
        high - 1,
        high,
        high + 1,
        0x4_0000_0008,
        0x6_0000_0000,
        u64::MAX,
    ];
    type Holds = fn(u64, u64) -> bool;
    let all: [(&str, Holds); 6] = [
        ("NE", |a, b| a != b),
        ("LT", |a, b| a < b),
        ("LE", |a, b| a <= b),
        ("EQ", |a, b| a == b),
        ("GE", |a, b| a >= b),
        ("GT", |a, b| a > b),
    ];
    for (op, holds) in all {
        for value in [0, 7, high, 0x5_0000_0000, 0xffff_ffff, u64::MAX] {
            let made = filter(
                json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["close"],
                "action": "SCMP_ACT_ERRNO", "errnoRet": 5,
                "args": [{"index": 1, "value": value, "op": format!("SCMP_CMP_{op}")}]}]}),
            );
            for arg in near {
                let want = if holds(arg, value) {
                    0x0005_0005
                } else {
                    ALLOW
                };
                assert_eq!(
                    verdict(&made, AMD64, 3, &[0, arg]),
                    want,
                    "{arg:#x} {op} {value:#x}"
                );
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn rules_combine_as_with_runc() {
    let arg = |index: u32, value: u64| json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"});
    let made = filter(
        json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 7, "syscalls": [
            {"names": ["close", "no_such_syscall"], "action": "SCMP_ACT_ALLOW", "args": [arg(0, 1), arg(0, 2)]},
            {"names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [arg(0, 1), arg(1, 2)]},
            {"names": ["open"], "action": "SCMP_ACT_LOG", "args": [arg(0, 1)]},
            {"names": ["open"], "action": "SCMP_ACT_TRACE"},
            {"names": ["open"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["cachestat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7},
        ]}),
    );
    assert_eq!(verdict(&made, AMD64, 3, &[1]), ALLOW, "either");
    assert_eq!(verdict(&made, AMD64, 3, &[2]), ALLOW, "either");
    assert_eq!(verdict(&made, AMD64, 3, &[3]), EPERM & !0xff | 7);
    assert_eq!(verdict(&made, AMD64, 32, &[1, 2]), ALLOW, "both");
    assert_eq!(verdict(&made, AMD64, 32, &[1, 3]), EPERM & !0xff | 7);
    assert_eq!(
        verdict(&made, AMD64, 2, &[1]),
        0x7ff0_0001,
        "the unconditional, and of these the first"
    );
    assert_eq!(
        verdict(&made, AMD64, 451, &[]),
        EPERM & !0xff | 7,
        "redundant, but known"
    );
    assert_eq!(verdict(&made, AMD64, 452, &[]), ENOSYS);
}

#[test]
fn actions_and_flags() {
    for (word, want) in [
        ("KILL", 0),
        ("KILL_THREAD", 0),
        ("KILL_PROCESS", 0x8000_0000),
        ("TRAP", 0x0003_0000),
        ("ERRNO", EPERM),
        ("TRACE", 0x7ff0_0001),
        ("LOG", 0x7ffc_0000),
        ("ALLOW", ALLOW),
    ] {
        let made = filter(json!({"defaultAction": format!("SCMP_ACT_{word}")}));
        let arch = super::arch::FAMILY[super::arch::NATIVE].audit;
        assert_eq!(verdict(&made, arch, 5, &[]), want, "{word}");
    }
    let made = filter(
        json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s", "flags": [
        "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]}),
    );
    assert_eq!((made.flags, made.notify), (2 | 32 | 8, true));
}

#[test]
fn errors_name_the_field() {
    let rule = |rule: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    assert_eq!(
        error(json!({"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/s"})),
        "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action"
    );
    assert_eq!(
        error(rule(
            json!({"names": ["write"], "action": "SCMP_ACT_NOTIFY"})
        )),
        "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY cannot be used for the write syscall"
    );
    let notifying = rule(json!({"names": ["read"], "action": "SCMP_ACT_NOTIFY"}));
    let config = |annotations: Value| {
        let config = json!({"linux": {"seccomp": notifying}, "annotations": annotations});
        of(&read(&config))
    };
    assert!(
        config(json!({}))
            .unwrap_err()
            .to_string()
            .starts_with("linux.seccomp.listenerPath: ")
    );
    let receiver = config(json!({"run.oci.seccomp.receiver": "/s"}));
    assert!(receiver.unwrap().unwrap().notify);
    assert!(
        error(rule(json!({"names": [""], "action": "SCMP_ACT_LOG"})))
            .starts_with("linux.seccomp.syscalls[0].names: ")
    );
    let args = json!([{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]);
    assert!(
        error(rule(
            json!({"names": ["read"], "action": "SCMP_ACT_LOG", "args": args})
        ))
        .starts_with("linux.seccomp.syscalls[0].args[0].index: ")
    );
    let args = json!([{"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}]);
    let twice = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_LOG", "args": args},
        {"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": args}]});
    assert!(error(twice).starts_with("linux.seccomp.syscalls[1].action: "));
}

#[test]
fn a_compiled_filter_is_taken_from_the_annotation() {
    let config = |data: &str| {
        of(&read(
            &json!({"annotations": {"run.oci.seccomp_bpf_data": data}}),
        ))
    };
    // ret ALLOW; ret USER_NOTIF.
    let made = config("BgAAAAAA/38=").unwrap().unwrap();
    assert_eq!(made.bpf, [6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
    assert!(!made.notify);
    assert!(
        config("BgAAAAAAwH8")
            .unwrap_err()
            .to_string()
            .starts_with("linux.seccomp.listenerPath: "),
        "it notifies"
    );
    for wrong in ["", "BgAA", "%", "BgAAAAAA/38=A", "B"] {
        let error = config(wrong).unwrap_err().to_string();
        assert!(
            error.starts_with("annotations: run.oci.seccomp_bpf_data: is not "),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_syscall_is_an_error_when_asked_for() {
    let config = |on: &str| {
        let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["read", "no_such_call"], "action": "SCMP_ACT_LOG"}]});
        of(&read(&json!({"linux": {"seccomp": seccomp},
            "annotations": {"run.oci.seccomp_fail_unknown_syscall": on}})))
    };
    assert!(config("0").is_ok());
    assert_eq!(
        config("1").unwrap_err().to_string(),
        "linux.seccomp.syscalls[0].names: unknown syscall \"no_such_call\""
    );
}

#[test]
fn ways_are_short_where_every_second_syscall_differs() {
    use super::arch::{FAMILY, NATIVE, ROWS, name};
    let native = &FAMILY[NATIVE];
    let slots = || (0..ROWS).filter_map(|row| Some((row, native.slot(row)?)));
    let even: Vec<&str> = slots()
        .filter(|(_, slot)| slot % 2 == 0)
        .map(|(row, _)| name(row))
        .collect();
    let made = filter(json!({"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": even, "action": "SCMP_ACT_ERRNO"}]}));
    let program = decode(&made.bpf);
    for (_, slot) in slots() {
        let call = Call {
            nr: native.number(slot),
            arch: native.audit,
            args: [0; 6],
        };
        let (got, steps) = run(&program, &call);
        assert_eq!(got, if slot % 2 == 0 { EPERM } else { ALLOW }, "{slot}");
        assert!(steps < 20, "{steps} instructions for {slot}");
    }
}

#[test]
fn rules_that_come_too_late_are_not_kept() {
    let rule = |name: &str, action: &str, errno: u32| json!({"names": [name], "action": action, "errnoRet": errno});
    let late = (0..=u32::from(u16::MAX)).map(|errno| rule("read", "SCMP_ACT_ERRNO", errno));
    let rules: Vec<Value> = late.chain([rule("openat2", "SCMP_ACT_TRACE", 7)]).collect();
    let made = filter(json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": rules}));
    let native = &super::arch::FAMILY[super::arch::NATIVE];
    let read = super::arch::find(b"read")
        .and_then(|row| native.slot(row))
        .unwrap();
    assert_eq!(
        verdict(&made, native.audit, native.number(read), &[]),
        0x0005_0000
    );
    assert_eq!(verdict(&made, native.audit, 437, &[]), 0x7ff0_0007);
}

#[test]
fn every_name_of_the_table_is_found() {
    use super::arch::{FAMILY, NATIVE, ROWS, find, name};
    for row in 0..ROWS {
        assert_eq!(find(name(row).as_bytes()), Some(row));
    }
    for wrong in ["", "zzz", "rea", "reads", "read\nreadahead"] {
        assert_eq!(find(wrong.as_bytes()), None);
    }
    let native = &FAMILY[NATIVE];
    let slot = find(b"openat2").and_then(|row| native.slot(row));
    assert_eq!(slot.map(|slot| native.number(slot)), Some(437));
}
