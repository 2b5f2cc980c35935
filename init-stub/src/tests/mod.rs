//! The machine on programs of any bytes, and on a kernel that answers anything: whatever comes, each life ends with an
//! exit, and every pointer that the kernel gets is good for as long as the call takes it to be.

use crate::sys::kernel::{self, Exit};
use crate::wire::any::{Random, with_seeds};
use crate::wire::{HEADER_SIZE, List, MAGIC, Message, OPERATIONS, Op, Reader, Sink, Wire};
use std::panic::{AssertUnwindSafe, catch_unwind};

struct Program(Vec<u8>);

impl Sink for Program {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// A program of any operations, now and then damaged, and its scratch space in bytes.
fn any_program(random: &mut Random) -> (Vec<u8>, usize) {
    let mut operations = Program(Vec::new());
    for _ in 0..random.below(12) {
        let code = random.below(OPERATIONS) as u8;
        Op::any(code, random, &mut operations);
    }
    let slots = random.below(6);
    let scratch = [0, 8, 64, 4096][random.below(4)];
    let mut program = Program(MAGIC.to_vec());
    for number in [slots, operations.0.len(), scratch, random.below(20)] {
        (number as u32).encode(&mut program);
    }
    for slot in 0..slots {
        (slot as i32 + 3).encode(&mut program);
    }
    program.put(&operations.0);
    let mut bytes = program.0;
    if random.once_in(3) {
        random.damage(&mut bytes, &[]);
    }
    (bytes, scratch)
}

/// The exit status of a whole life.
fn live(program: Vec<u8>, scratch: usize, random: Random) -> usize {
    let place = crate::sys::place::hold(program, scratch);
    kernel::boot(random);
    let ended = catch_unwind(AssertUnwindSafe(|| crate::live()));
    drop(place);
    match ended {
        Ok(never) => never,
        Err(cause) => match cause.downcast::<Exit>() {
            Ok(exit) => exit.0,
            Err(cause) => std::panic::resume_unwind(cause),
        },
    }
}

#[test]
fn any_program_on_any_kernel_ends_with_an_exit() {
    with_seeds(|random| {
        let (program, scratch) = any_program(random);
        let status = live(program, scratch, random.clone());
        assert!([0, 1, 127, 254].contains(&status), "{status}");
    });
}

#[test]
fn any_bytes_are_operations_or_malformed() {
    with_seeds(|random| {
        let mut bytes: Vec<u8> = (0..random.below(200))
            .map(|_| random.edge() as u8)
            .collect();
        if random.once_in(2) {
            bytes = any_program(random).0;
            bytes.drain(..HEADER_SIZE.min(bytes.len()));
        }
        let mut reader = Reader(&bytes);
        while !reader.0.is_empty() {
            let before = reader.0.len();
            let Ok(op) = Op::decode(&mut reader) else {
                break;
            };
            // What was read is what is written.
            let used = &bytes[bytes.len() - before..bytes.len() - reader.0.len()];
            let mut again = Program(Vec::new());
            op.encode(&mut again);
            assert_eq!(again.0, used, "{op:?}");
        }
        if let Ok(fields) = Reader(&bytes).fields(List::FORM) {
            let list = List::from_fields(&fields, 0);
            assert_eq!(list.iter().count(), list.len());
        }
        let _ = Message::from_bytes(&bytes);
    });
}

#[test]
fn any_operation_decodes_with_any_fields() {
    with_seeds(|random| {
        let code = random.below(OPERATIONS) as u8;
        let mut program = Program(Vec::new());
        Op::any(code, random, &mut program);
        let mut reader = Reader(&program.0);
        assert!(Op::decode(&mut reader).is_ok(), "{code}");
        assert!(reader.0.is_empty(), "{code}");
    });
}
