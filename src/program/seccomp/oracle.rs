//! Compares filters with libseccomp's, for generated profiles. Needs gcc and libseccomp's headers, else it is skipped.
#![cfg(target_arch = "x86_64")]

use super::emit::Insn;
use super::simulator::{Call, decode, run};
use super::{ENOSYS, action, arch, compile};
use crate::oci::{Seccomp, SeccompAction, SeccompOperator as Op, SyscallArg};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

const PROFILES: usize = 450;
/// The last of them have conditional rules of different actions.
const MIXED: usize = 150;
const CALLS: usize = 3000;

/// A small generator of equal sequences (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const VALUES: [u64; 14] = [
    0,
    1,
    2,
    7,
    8,
    16,
    0xff,
    0x7e02_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0007,
    0x5_0000_0001,
    u64::MAX,
];
const NAMES: [&str; 16] = [
    "read",
    "write",
    "clone",
    "personality",
    "socket",
    "bind",
    "accept",
    "accept4",
    "send",
    "shmget",
    "semop",
    "ioctl",
    "socketcall",
    "mmap2",
    "ptrace",
    "no_such_call",
];
const OPS: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];

/// A profile; `mixed` is whether conditional rules have different actions.
fn profile(random: &mut Random, all: &[&str], mixed: bool) -> Value {
    let defaults = [
        "ERRNO",
        "ALLOW",
        "KILL",
        "KILL_PROCESS",
        "LOG",
        "TRACE",
        "TRAP",
    ];
    let mut archs = Vec::new();
    for arch in ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"] {
        if random.below(3) > 0 {
            archs.push(arch);
        }
    }
    // libseccomp 2.5.4 forgets to load the number for an architecture in which every rule has conditions.
    let mut rules = vec![
        json!({"names": ["getppid"], "action": "SCMP_ACT_ALLOW"}),
        json!({"names": ["gettid"], "action": "SCMP_ACT_LOG"}),
    ];
    // libseccomp takes minutes over many overlapping conditions.
    let most = if mixed { 4 } else { 12 };
    for _ in 0..random.below(most) + 1 {
        let many = random.below(4) == 0 && !mixed;
        let names: Vec<&str> = if many {
            (0..random.below(200)).map(|_| random.pick(all)).collect()
        } else {
            (0..random.below(3) + 1)
                .map(|_| random.pick(&NAMES))
                .collect()
        };
        let mut args = Vec::new();
        for _ in 0..random.below(4) {
            args.push(
                json!({"index": random.below(3), "value": random.pick(&VALUES),
                "valueTwo": random.pick(&VALUES), "op": format!("SCMP_CMP_{}", random.pick(&OPS))}),
            );
        }
        let does = if args.is_empty() {
            random.pick(&["ALLOW", "ERRNO", "KILL_PROCESS", "LOG"])
        } else if mixed {
            random.pick(&["TRACE", "ALLOW", "LOG", "TRAP"])
        } else {
            "TRACE"
        };
        let mut rule = json!({"names": names, "action": format!("SCMP_ACT_{does}"), "args": args});
        if random.below(3) == 0 && does != "TRACE" {
            rule["errnoRet"] = json!(random.below(40));
        }
        rules.push(rule);
    }
    json!({"defaultAction": format!("SCMP_ACT_{}", random.pick(&defaults)), "architectures": archs, "syscalls": rules})
}

/// The profile in the helper's language, with runc's treatment of rules.
fn describe(seccomp: &Seccomp, text: &mut String) {
    // libseccomp's constants are the kernel's for these actions.
    let default = action(seccomp.default_action, seccomp.default_errno_ret);
    writeln!(text, "default {default}").unwrap();
    for arch in &seccomp.architectures {
        let token = match arch.name() {
            "SCMP_ARCH_X86" => 0x4000_0003u32,
            "SCMP_ARCH_X86_64" => 0xC000_003E,
            _ => 0x4000_003E,
        };
        writeln!(text, "arch {token}").unwrap();
    }
    for rule in &seccomp.syscalls {
        let does = action(rule.action, rule.errno_ret);
        let args: Vec<String> = rule
            .args
            .iter()
            .map(|arg| {
                let op = match arg.op {
                    Op::NotEqual => 1,
                    Op::Less => 2,
                    Op::LessOrEqual => 3,
                    Op::Equal => 4,
                    Op::GreaterOrEqual => 5,
                    Op::Greater => 6,
                    Op::MaskedEqual => 7,
                };
                format!(" {} {op} {} {}", arg.index, arg.value, arg.value_two)
            })
            .collect();
        let apart = (0..6).any(|i| rule.args.iter().filter(|arg| arg.index == i).count() > 1);
        for name in rule.names.iter() {
            writeln!(text, "know {name}").unwrap();
            if does == default {
                continue;
            }
            if apart {
                for arg in &args {
                    writeln!(text, "rule {does} {name} 1{arg}").unwrap();
                }
            } else {
                writeln!(text, "rule {does} {name} {}{}", args.len(), args.concat()).unwrap();
            }
        }
    }
    writeln!(text, "end").unwrap();
}

/// A filter of libseccomp's.
struct Theirs {
    last: [i32; 3],
    program: Option<Vec<Insn>>,
}

/// What the helper writes for this text. None, said to be skipped, where it cannot be built.
fn helper(text: &str, test: &str) -> Option<Vec<u8>> {
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/helpers/seccomp-oracle.c"
    );
    let name = format!("seccomp-oracle-{}-{test}", std::process::id());
    let helper = std::env::temp_dir().join(name);
    let built = Command::new("gcc")
        .args(["-O1", "-o"])
        .arg(&helper)
        .args([source, "-lseccomp"])
        .output();
    if !built.is_ok_and(|output| output.status.success()) {
        // Past the capture of libtest, where scripts/test counts it.
        let line = format!("SKIP {test}: gcc or libseccomp's headers are missing\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return None;
    }
    let mut child = Command::new(&helper)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    std::fs::remove_file(&helper).unwrap();
    assert!(output.status.success());
    Some(output.stdout)
}

fn ask(text: &str, test: &str) -> Option<Vec<Theirs>> {
    let output = helper(text, test)?;
    let mut rest = &output[..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let word = |i: usize| u32::from_ne_bytes(rest[i * 4..i * 4 + 4].try_into().unwrap());
        let last = [word(0) as i32, word(1) as i32, word(2) as i32];
        let length = word(3);
        rest = &rest[16..];
        let program = (length != u32::MAX).then(|| {
            let (program, after) = rest.split_at(length as usize * 8);
            rest = after;
            decode(program)
        });
        all.push(Theirs { last, program });
    }
    Some(all)
}

/// Whether runc's stub before the filter answers.
fn stub(seccomp: &Seccomp, last: &[i32; 3], call: &Call) -> bool {
    if matches!(
        seccomp.default_action,
        SeccompAction::Allow | SeccompAction::Log | SeccompAction::Trace
    ) {
        return false;
    }
    let listed = |word: &str| seccomp.architectures.iter().any(|arch| arch.name() == word);
    let at = match call.arch {
        0x4000_0003 if listed("SCMP_ARCH_X86") => 1,
        arch::AUDIT_X86_64 if call.nr & arch::X32_BIT == 0 => 0,
        arch::AUDIT_X86_64 if listed("SCMP_ARCH_X32") => 2,
        _ => return false,
    };
    last[at] > 0 && call.nr > last[at] as u32
}

/// What the rules say of a call, read one by one.
struct Read {
    /// The actions of all that hold.
    holding: Vec<u32>,
    /// Whether libseccomp may err: it does (all releases up to 2.6.1) where rules for one syscall have several conditions
    /// on one argument, of which one is on its order. Of `arg < 0x1_0000_0007` and `arg <= 8`, each an alternative,
    /// neither holds for 256 then: the chains meet in the test of the upper half, and the way back to the other is lost.
    erring: bool,
}

fn read(seccomp: &Seccomp, call: &Call) -> Read {
    let default = action(seccomp.default_action, seccomp.default_errno_ret);
    let x32 = call.nr & arch::X32_BIT != 0;
    let family = arch::FAMILY
        .iter()
        .find(|arch| arch.audit == call.arch && arch.x32 == x32)
        .unwrap();
    let width = if family.wide {
        u64::MAX
    } else {
        u64::from(u32::MAX)
    };
    let holds = |arg: &SyscallArg| {
        let (have, value) = (call.args[arg.index as usize] & width, arg.value & width);
        match arg.op {
            Op::NotEqual => have != value,
            Op::Less => have < value,
            Op::LessOrEqual => have <= value,
            Op::Equal => have == value,
            Op::GreaterOrEqual => have >= value,
            Op::Greater => have > value,
            Op::MaskedEqual => have & value == arg.value_two & value,
        }
    };
    let mut holding = Vec::new();
    let mut conditions: Vec<&SyscallArg> = Vec::new();
    for rule in &seccomp.syscalls {
        let does = action(rule.action, rule.errno_ret);
        let apart = (0..6).any(|i| rule.args.iter().filter(|arg| arg.index == i).count() > 1);
        for name in rule.names.iter() {
            let Some(row) = arch::find(name.as_bytes()).filter(|_| does != default) else {
                continue;
            };
            let direct = family.slot(row).map(|slot| (slot, None));
            let through = family.multiplexer(row);
            let forms = direct
                .into_iter()
                .chain(through.map(|(slot, number)| (slot, Some(number))));
            for (_, number) in forms.filter(|(slot, _)| family.number(*slot) == call.nr) {
                conditions.extend(&rule.args);
                if number.is_some_and(|number| number != call.args[0] & width) {
                    continue;
                }
                let matters = |arg: &SyscallArg| {
                    !(number.is_some() && arg.index == 0
                        || arg.op == Op::MaskedEqual && arg.value & width == 0)
                };
                let fits = |arg: &SyscallArg| !matters(arg) || holds(arg);
                let fate = if apart {
                    rule.args.iter().any(fits)
                } else {
                    rule.args.iter().all(fits)
                };
                let always =
                    !rule.args.iter().any(matters) || apart && !rule.args.iter().all(matters);
                if fate && always && number.is_none() {
                    let holding = vec![does];
                    return Read {
                        holding,
                        erring: false,
                    };
                }
                if fate {
                    holding.push(does);
                }
            }
        }
    }
    if holding.is_empty() {
        holding.push(default);
    }
    let erring = (0..6).any(|index| {
        let same = conditions.iter().filter(|arg| arg.index == index);
        let by_order =
            |arg: &&&SyscallArg| !matches!(arg.op, Op::Equal | Op::NotEqual | Op::MaskedEqual);
        same.clone().count() > 1 && same.clone().any(|arg| by_order(&arg))
    });
    Read { holding, erring }
}

#[test]
fn filters_decide_as_those_of_libseccomp() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // What libseccomp 2.5.4 knows too: numbers up to 450.
    let all: Vec<&str> = (0..arch::ROWS)
        .map(arch::name)
        .filter(|name| {
            let row = arch::find(name.as_bytes()).unwrap();
            !matches!(*name, "uretprobe" | "uprobe")
                && arch::FAMILY[0]
                    .slot(row)
                    .or(arch::FAMILY[1].slot(row))
                    .is_some_and(|slot| slot <= 450)
        })
        .collect();
    let profiles: Vec<Seccomp> = (0..PROFILES)
        .map(|at| {
            let profile = profile(&mut random, &all, at >= PROFILES - MIXED);
            crate::json::parse(profile.to_string().as_bytes(), "").unwrap()
        })
        .collect();
    let mut text = String::new();
    profiles
        .iter()
        .for_each(|profile| describe(profile, &mut text));
    let Some(theirs) = ask(&text, "filters_decide_as_those_of_libseccomp") else {
        return;
    };
    assert_eq!(theirs.len(), PROFILES);
    let mut erring = BTreeSet::<usize>::new();
    let (mut compared, mut ours_length, mut theirs_length) = (0, 0, 0);
    for (at, (seccomp, theirs)) in profiles.iter().zip(&theirs).enumerate() {
        let ours = compile(seccomp, false);
        let Some(program) = &theirs.program else {
            assert!(
                ours.is_err(),
                "profile {at}: libseccomp refuses {seccomp:?}"
            );
            continue;
        };
        let ours = decode(&ours.unwrap().bpf);
        compared += 1;
        ours_length += ours.len();
        theirs_length += program.len();
        let mut check = |call: Call| {
            let want = if stub(seccomp, &theirs.last, &call) {
                ENOSYS
            } else {
                run(program, &call).0
            };
            let (got, _) = run(&ours, &call);
            if got != want {
                let read = read(seccomp, &call);
                assert!(
                    read.holding.contains(&got) && !read.holding.contains(&want) && read.erring,
                    "profile {at}: {call:x?}: {got:x}, libseccomp {want:x}, of {seccomp:#?}"
                );
                erring.insert(at);
            }
        };
        for audit in [arch::AUDIT_X86_64, 0x4000_0003, 0xC000_00B7] {
            for nr in (0..480)
                .chain(0x4000_0000..0x4000_0240)
                .chain([0x3fff_ffff, 0x7fff_ffff])
            {
                check(Call {
                    nr,
                    arch: audit,
                    args: [0; 6],
                });
            }
        }
        check(Call {
            nr: u32::MAX,
            arch: arch::AUDIT_X86_64,
            args: [0; 6],
        });
        for _ in 0..CALLS {
            let family = &arch::FAMILY[random.below(3)];
            let name = random.pick(&NAMES[..15]);
            let Some(slot) = family.slot(arch::find(name.as_bytes()).unwrap()) else {
                continue;
            };
            let nr = if family.multiplexed && random.below(2) == 0 {
                random.pick(&[102, 117])
            } else {
                family.number(slot)
            };
            let mut args = [0; 6];
            for arg in &mut args[..3] {
                *arg = match random.below(4) {
                    0 => random.below(25) as u64,
                    1 => random.pick(&VALUES).wrapping_add(1),
                    2 => random.pick(&VALUES).wrapping_sub(1),
                    _ => random.pick(&VALUES),
                };
            }
            check(Call {
                nr,
                arch: family.audit,
                args,
            });
        }
    }
    println!("libseccomp errs in {} profiles", erring.len());
    println!(
        "{compared} of {PROFILES} profiles compared; instructions: {ours_length} ours, {theirs_length} theirs"
    );
    assert!(compared > PROFILES / 2);
}

/// The names and numbers of a table's column.
fn column<const N: usize>(
    names: &'static str,
    rows: &[[u16; N]],
    column: usize,
) -> Numbers<'static> {
    let numbers = rows.iter().map(|row| row[column]);
    let known = names.split('\n').zip(numbers);
    let number = |number: u16| match number {
        0xf000.. => 0xf_0000 | u32::from(number & 0xfff),
        number => number.into(),
    };
    known
        .filter(|(_, number)| *number != u16::MAX)
        .map(|(name, nr)| (name, number(nr)))
        .collect()
}

type Numbers<'a> = BTreeMap<&'a str, u32>;

#[test]
fn the_tables_of_all_architectures_are_those_of_libseccomp() {
    use super::{table_arm as arm, table_riscv as riscv, table_x86 as x86};
    assert_eq!([arm::NONE, riscv::NONE, x86::NONE], [u16::MAX; 3]);
    let tables = [
        (0xC000_003Eu32, column(x86::NAMES, &x86::NUMBERS, 0)),
        (0x4000_0003, column(x86::NAMES, &x86::NUMBERS, 1)),
        (0x4000_003E, column(x86::NAMES, &x86::NUMBERS, 2)),
        (0xC000_00B7, column(arm::NAMES, &arm::NUMBERS, 0)),
        (0x4000_0028, column(arm::NAMES, &arm::NUMBERS, 1)),
        (0xC000_00F3, column(riscv::NAMES, &riscv::NUMBERS, 0)),
    ];
    let mut newest = None;
    for (token, ours) in tables {
        let text = format!("numbers {token}\n");
        let Some(output) = helper(
            &text,
            "the_tables_of_all_architectures_are_those_of_libseccomp",
        ) else {
            return;
        };
        let output = String::from_utf8(output).unwrap();
        let theirs: Numbers = output
            .lines()
            .map(|line| {
                let (name, number) = line.split_once(' ').unwrap();
                (name, number.parse().unwrap())
            })
            .collect();
        assert!(theirs.len() > 300, "{token:#x}");
        // libseccomp may be older: the last that it knows is x86_64's, as the others have private numbers, too.
        let newest = *newest.get_or_insert_with(|| *theirs.values().max().unwrap());
        for (name, number) in &theirs {
            assert_eq!(ours.get(name), Some(number), "{token:#x}: {name}");
        }
        for (name, number) in &ours {
            // 2.5.4 has these not at all, or not for all architectures.
            let gap = ["map_shadow_stack", "riscv_hwprobe", "uprobe", "uretprobe"].contains(name);
            let there = theirs.contains_key(name) || *number > newest || gap;
            assert!(there, "{token:#x}: {name} {number}");
        }
    }
}
