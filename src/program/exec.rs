//! A further process in a running container: the same operations, another beginning.

use super::wire::{Bytes, Op};
use super::{Facts, Handle, Program, compile, landlock, mounts, process};
use crate::error::{Context, Result};
use crate::oci::{Config, Mount, Process};

/// Compiles the program of an exec'ed process; `namespaces` are the `CLONE_NEW*` flags of those that it joins by
/// itself.
pub fn exec(process: &Process, config: &Config, namespaces: u32, facts: &Facts) -> Result<Program> {
    let mut program = Program::new(facts.preserve_fds);
    let user = namespaces & libc::CLONE_NEWUSER as u32 != 0;
    program.push(Op::Undumpable {});
    for index in 0..facts.hierarchies {
        let tasks = program.slot(Handle::Tasks(index));
        program.push(Op::JoinCgroup { tasks });
    }
    affinity(process, &mut program)?;
    let target = program.slot(Handle::Process);
    // What only the host's root may raise.
    process::oom_score(process, &mut program);
    if user {
        process::limits(process, &mut program)?;
    }
    program.push(Op::Setns {
        namespace: target,
        flags: namespaces,
    });
    if namespaces & libc::CLONE_NEWPID as u32 != 0 {
        program.push(Op::Fork {});
    }
    if user {
        program.push(Op::BecomeRoot {
            keep_groups: facts.keep_groups.into(),
        });
    }
    if namespaces & libc::CLONE_NEWNS as u32 == 0 {
        program.push(Op::UseRoot {
            path: compile::text(&facts.rootfs),
        });
        program.push(Op::ChangeRoot {});
    }
    compile::keyring(process, facts, 0, &mut program);
    program.push(Op::Setsid {});
    process::terminal(process, facts, false, &mut program)?;
    if !user {
        process::limits(process, &mut program)?;
    }
    process::surroundings(process, &config.linux, &mut program)?;
    let identity = process::identity(process, facts, user, user, &mut program);
    process::find(process, &mut program)?;
    landlock::rulesets(&process.landlock.0, facts.landlock_abi, &mut program)?;
    let filter = super::seccomp::of(config)?;
    process::confine(process, filter.as_ref(), &identity, facts, &mut program)?;
    process::execute(process, &mut program);
    Ok(program)
}

/// Compiles the program that adds the configuration's mounts to a running container, or takes them away.
pub fn change_mounts(
    config: &Config,
    namespaces: u32,
    facts: &Facts,
    add: bool,
) -> Result<Program> {
    let mut program = Program::new(0);
    program.push(Op::Undumpable {});
    let target = program.slot(Handle::Process);
    program.push(Op::Setns {
        namespace: target,
        flags: namespaces,
    });
    // A new procfs shows the PID namespace of the process that mounts it. For all else the stub stays out of the
    // container's, where others could see it.
    let procfs = |mount: &Mount| mount.kind.as_deref() == Some("proc");
    let own_pids = namespaces & libc::CLONE_NEWPID as u32 != 0;
    if add && own_pids && config.mounts.iter().any(procfs) {
        program.push(Op::Fork {});
    }
    if namespaces & libc::CLONE_NEWUSER as u32 != 0 {
        program.push(Op::BecomeRoot {
            keep_groups: facts.unprivileged.into(),
        });
    }
    // What a mount namespace of its own is entered at.
    let root = match namespaces & libc::CLONE_NEWNS as u32 {
        0 => compile::text(&facts.rootfs),
        _ => "/".into(),
    };
    program.push(Op::UseRoot { path: root });
    match add {
        true => mounts::add(config, facts, &mut program)?,
        false => mounts::remove(config, facts, &mut program),
    }
    Ok(program)
}

/// The CPUs of the process from here on: those of `execCPUAffinity.final`, those that the runtime began with where only
/// `initial` is given, and else all that the cgroup has, not those that the runtime's caller was bound to.
fn affinity(process: &Process, program: &mut Program) -> Result<()> {
    let affinity = process.exec_cpu_affinity.as_ref();
    let given = |list: fn(&crate::oci::CpuAffinity) -> &Option<String>| {
        affinity.and_then(|affinity| list(affinity).as_deref())
    };
    if let Some(cpus) = given(|affinity| &affinity.last) {
        let mask = process::bit_mask(cpus).context("process.execCPUAffinity.final")?;
        program.push(Op::Affinity { mask: Bytes(&mask) });
    } else if given(|affinity| &affinity.initial).is_none() {
        program.push(Op::AllCpus {});
    }
    Ok(())
}
