//! The tiny machine: a container's first process, from its first instruction to the user's program.
//!
//! It runs the operations of a program that the runtime has compiled, in their order. It decides nothing.

#![cfg_attr(not(test), no_std, no_main)]

mod machine;
mod ops;
mod sys;
#[cfg(test)]
mod tests;
// Each side uses its half.
#[allow(dead_code)]
mod wire;

use machine::{Failure, Machine};
use sys::call;
use wire::{HEADER_SIZE, Header, MAGIC, Malformed, Op, Reader, Wire};

/// Called by the entry point.
extern "C" fn main() -> ! {
    live()
}

/// Everything happens here.
fn live() -> ! {
    call::unblock_signals();
    call::umask(0);
    let Ok((header, descriptors, operations)) = program() else {
        call::exit(254);
    };
    let mut machine = Machine::new(
        &header,
        descriptors,
        sys::scratch(program_length(&header), header.scratch as usize),
    );
    let mut reader = Reader(operations);
    let mut index = 0;
    while !reader.0.is_empty() {
        let result = match Op::decode(&mut reader) {
            Ok(op) => ops::run(&mut machine, op),
            Err(Malformed) => Err(Failure::from(Malformed)),
        };
        if let Err(failure) = result {
            machine.report_failure(index, failure);
            call::exit(1);
        }
        index += 1;
    }
    call::exit(0);
}

fn program_length(header: &Header) -> usize {
    HEADER_SIZE + 4 * header.slots as usize + header.length as usize
}

/// The program's parts: header, descriptor table, operations.
fn program() -> Result<(Header, &'static [u8], &'static [u8]), Malformed> {
    let mut reader = Reader(sys::program(HEADER_SIZE));
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(Malformed);
    }
    let header = Header {
        slots: u32::decode(&mut reader)?,
        length: u32::decode(&mut reader)?,
        scratch: u32::decode(&mut reader)?,
        close_from: u32::decode(&mut reader)?,
    };
    let mut reader = Reader(sys::program(program_length(&header)));
    reader.take(HEADER_SIZE)?;
    let descriptors = reader.take(4 * header.slots as usize)?;
    Ok((header, descriptors, reader.0))
}
