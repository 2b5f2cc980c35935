//! What confines the process for good.

use crate::machine::{Machine, Outcome, Step};
use crate::sys::Errno;
use crate::sys::call;
use crate::wire::{Bytes, call as step};

/// Nothing but the filter and the program comes after this: what a filter may forbid is done before it.
pub fn seal(machine: &Machine) -> Outcome {
    call::close_on_exec_from(machine.close_from).step(step::CLOSE_RANGE)?;
    call::restore_sigpipe();
    Ok(())
}

/// Installs a seccomp filter.
pub fn seccomp(flags: u32, filter: Bytes<'_>) -> Outcome {
    call::seccomp(flags, filter.0).step(step::SECCOMP).map(drop)
}

/// Installs a seccomp filter and hands its listener on. From the first call on, whoever has the listener may have to
/// answer for us: the runtime takes it, by the number that is written to it, before it is waited for. So only
/// write(2) must not be one of the calls that notify.
pub fn listener(machine: &Machine, flags: u32, filter: Bytes<'_>) -> Outcome {
    let listener = call::seccomp(flags, filter.0).step(step::SECCOMP)?;
    machine.report_listener(listener as u32)?;
    let mut answer = [0; 1];
    loop {
        match call::read(machine.report, &mut answer) {
            Err(Errno::INTR) => {}
            Ok(0) => call::exit(1),
            result => {
                result.step(step::READ)?;
                break;
            }
        }
    }
    // While we had it, nobody would learn that the agent is gone.
    call::close(listener as i32);
    Ok(())
}
