//! Devices on cgroup v2: the policy as an eBPF program, `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! The program gets a `bpf_cgroup_dev_ctx`: the access in the upper half and the type of device in the lower half of
//! the first word, then the major and the minor number. It returns 1 to allow and 0 to deny.

use super::devices::{Exception, MKNOD, Policy, READ, WRITE};
use crate::error::{Context, Result};
use crate::sys::bpf::{self, Instruction};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

const LOAD_WORD: u8 = 0x61;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const MOVE_REGISTER: u8 = 0xbc;
const MOVE: u8 = 0xb4;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_IF_NOT_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 1;
const RESULT: u8 = 0;

const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

const fn op(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Instruction {
    Instruction {
        code,
        registers: to | from << 4,
        offset,
        value,
    }
}

/// The program that decides as the policy says.
pub fn compile(policy: &Policy) -> Vec<Instruction> {
    let context = SCRATCH;
    let mut program = vec![
        op(LOAD_WORD, TYPE, context, 0, 0),
        op(AND, TYPE, 0, 0, 0xffff),
        op(LOAD_WORD, ACCESS, context, 0, 0),
        op(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        op(LOAD_WORD, MAJOR, context, 4, 0),
        op(LOAD_WORD, MINOR, context, 8, 0),
    ];
    for exception in &policy.exceptions {
        block(&mut program, exception, !policy.allow);
    }
    program.extend(decide(policy.allow));
    program
}

fn decide(allow: bool) -> [Instruction; 2] {
    [
        op(MOVE, RESULT, 0, 0, i32::from(allow)),
        op(EXIT, 0, 0, 0, 0),
    ]
}

/// Decides when the device and the access match: all of the access for what is allowed, any of it for what is denied.
fn block(program: &mut Vec<Instruction>, exception: &Exception, allow: bool) {
    let kind = if exception.block { BLOCK } else { CHARACTER };
    let mut tests = vec![op(JUMP_IF_NOT_EQUAL, TYPE, 0, 0, kind)];
    if exception.access != READ | WRITE | MKNOD {
        let (mask, miss) = match allow {
            true => (
                !exception.access & (READ | WRITE | MKNOD),
                JUMP_IF_NOT_EQUAL,
            ),
            false => (exception.access, JUMP_IF_EQUAL),
        };
        tests.push(op(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        tests.push(op(AND, SCRATCH, 0, 0, mask.into()));
        tests.push(op(miss, SCRATCH, 0, 0, 0));
    }
    for (register, number) in [(MAJOR, exception.major), (MINOR, exception.minor)] {
        if let Some(number) = number {
            tests.push(op(JUMP_IF_NOT_EQUAL, register, 0, 0, number as i32));
        }
    }
    tests.extend(decide(allow));
    // Whatever does not match goes on behind the block.
    let end = tests.len();
    for (i, test) in tests.iter_mut().enumerate() {
        if matches!(test.code, JUMP_IF_EQUAL | JUMP_IF_NOT_EQUAL) {
            test.offset = (end - i - 1) as i16;
        }
    }
    program.extend(tests);
}

/// Attaches the policy's program to the cgroup, in place of those that are there. A `new` one has none.
pub fn apply(directory: &Path, policy: &Policy, new: bool) -> Result<()> {
    let everything = policy.allow && policy.exceptions.is_empty();
    if new && everything {
        return Ok(());
    }
    let what = |call: &str| {
        let directory = directory.display();
        format!("linux.resources.devices: {directory}: {call}")
    };
    let cgroup = File::open(directory).with_context(|| what("open"))?;
    let cgroup = cgroup.as_fd();
    let old = match new {
        true => Vec::new(),
        false => {
            bpf::attached_device_programs(cgroup).with_context(|| what("bpf(BPF_PROG_QUERY)"))?
        }
    };
    if old.is_empty() && everything {
        return Ok(());
    }
    let program =
        bpf::load_device_program(&compile(policy)).with_context(|| what("bpf(BPF_PROG_LOAD)"))?;
    if let [old] = &old[..]
        && bpf::replace_device_program(cgroup, program.as_fd(), old.as_fd()).is_ok()
    {
        return Ok(());
    }
    // All hold for a moment: never is more allowed than by one of them.
    bpf::attach_device_program(cgroup, program.as_fd())
        .with_context(|| what("bpf(BPF_PROG_ATTACH)"))?;
    for old in old {
        bpf::detach_device_program(cgroup, old.as_fd())
            .with_context(|| what("bpf(BPF_PROG_DETACH)"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::devices::tests::rule;
    use super::*;

    /// Runs a program on a device and an access.
    fn run(program: &[Instruction], kind: i32, major: u32, minor: u32, access: u8) -> bool {
        let context = [u32::from(access) << 16 | kind as u32, major, minor];
        let mut registers = [0u32; 6];
        let mut at = 0;
        loop {
            let Instruction {
                code,
                registers: names,
                offset,
                value,
            } = program[at];
            let (to, from) = (usize::from(names & 15), usize::from(names >> 4));
            at += 1;
            match code {
                LOAD_WORD => registers[to] = context[offset as usize / 4],
                AND => registers[to] &= value as u32,
                SHIFT_RIGHT => registers[to] >>= value,
                MOVE_REGISTER => registers[to] = registers[from],
                MOVE => registers[to] = value as u32,
                JUMP_IF_EQUAL if registers[to] == value as u32 => at += offset as usize,
                JUMP_IF_NOT_EQUAL if registers[to] != value as u32 => at += offset as usize,
                JUMP_IF_EQUAL | JUMP_IF_NOT_EQUAL => {}
                EXIT => return registers[0] == 1,
                code => panic!("unknown instruction {code:#x}"),
            }
        }
    }

    fn compiled(rules: &[&str]) -> Vec<Instruction> {
        let rules: Vec<_> = rules.iter().map(|text| rule(text)).collect();
        compile(&Policy::new(&rules).unwrap())
    }

    #[test]
    fn an_allow_list_wants_all_of_the_access() {
        let program = compiled(&["-a", "+b 8:1 r"]);
        assert!(run(&program, BLOCK, 8, 1, READ));
        assert!(!run(&program, BLOCK, 8, 1, READ | WRITE));
        assert!(!run(&program, BLOCK, 8, 2, READ));
        assert!(!run(&program, CHARACTER, 8, 1, READ));
        assert!(run(&program, CHARACTER, 1, 3, READ | WRITE));
        assert!(run(&program, BLOCK, 99, 99, MKNOD));
        assert!(run(&program, CHARACTER, 136, 7, READ | WRITE));
        assert!(!run(&program, CHARACTER, 10, 201, READ));
    }

    #[test]
    fn a_deny_list_wants_any_of_the_access() {
        let program = compiled(&["+a", "-b 8:* w"]);
        assert!(run(&program, BLOCK, 8, 1, READ));
        assert!(!run(&program, BLOCK, 8, 1, READ | WRITE));
        assert!(run(&program, BLOCK, 9, 1, WRITE));
    }

    #[test]
    fn everything_is_one_decision() {
        assert_eq!(compiled(&["+a"]).len(), 6 + 2);
    }
}
