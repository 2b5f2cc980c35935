//! What confines the process for good.

use crate::machine::Machine;
use crate::sys::Outcome;
use crate::sys::call;
use crate::wire::Bytes;

/// Nothing but the filter and the program comes after this: what a filter may forbid is done before it.
pub fn seal(machine: &Machine) -> Outcome {
    call::close_on_exec_from(machine.close_from)?;
    call::restore_sigpipe();
    Ok(())
}

/// Installs a seccomp filter.
pub fn seccomp(flags: u32, filter: Bytes<'_>) -> Outcome {
    call::seccomp(flags, filter.0).map(drop)
}

/// Installs a seccomp filter and hands its listener on. From the first call on, whoever has the listener may have to
/// answer for us: the runtime takes it, by the number that is written to it, before it is waited for. So only
/// write(2) must not be one of the calls that notify.
pub fn listener(machine: &Machine, flags: u32, filter: Bytes<'_>) -> Outcome {
    let listener = call::seccomp(flags, filter.0)?;
    machine.report_listener(listener)?;
    machine.await_answer()?;
    // While we had it, nobody would learn that the agent is gone.
    call::close(listener as i32);
    Ok(())
}
