//! A further process in a running container: the same operations, another beginning.

use super::wire::Op;
use super::{Facts, Handle, Program, process};
use crate::error::Result;
use crate::oci::{Config, Process};

/// Compiles the program of an exec'ed process; `namespaces` are the `CLONE_NEW*` flags of those that the
/// container does not share with the runtime.
pub fn exec(process: &Process, config: &Config, namespaces: u32, facts: &Facts) -> Result<Program> {
    let mut program = Program::new(facts.preserve_fds);
    program.push(Op::Undumpable {});
    for index in 0..facts.hierarchies {
        let tasks = program.slot(Handle::Tasks(index));
        program.push(Op::JoinCgroup { tasks });
    }
    let target = program.slot(Handle::Process);
    // Opened before the namespaces change what /proc shows.
    if process.oom_score_adj.is_some() {
        program.slot(Handle::Proc);
    }
    program.push(Op::Setns {
        namespace: target,
        flags: namespaces,
    });
    if namespaces & libc::CLONE_NEWUSER as u32 != 0 {
        program.push(Op::BecomeRoot {
            keep_groups: facts.unprivileged.into(),
        });
    }
    program.push(Op::Setsid {});
    process::terminal(process, facts, false, &mut program)?;
    process::surroundings(process, &mut program)?;
    let user = namespaces & libc::CLONE_NEWUSER as u32 != 0;
    let identity = process::identity(process, facts, user, &mut program);
    process::find(process, &mut program)?;
    let filter = super::seccomp::of(config)?;
    process::confine(process, filter.as_ref(), &identity, &mut program);
    process::execute(process, &mut program);
    Ok(program)
}
