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
#[allow(dead_code, unused_imports)]
mod wire;

use machine::Machine;
use sys::call;
use wire::{HEADER_SIZE, Header, MAGIC, Malformed, Reader};

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
        if let Err(failure) = ops::run(&mut machine, &mut reader) {
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
        slots: reader.u32()?,
        length: reader.u32()?,
        scratch: reader.u32()?,
        close_from: reader.u32()?,
    };
    let mut reader = Reader(sys::program(program_length(&header)));
    reader.take(HEADER_SIZE)?;
    let descriptors = reader.take(4 * header.slots as usize)?;
    Ok((header, descriptors, reader.0))
}
