//! `process`, of a configuration or of `exec`.

use super::{fail, list, no_nul, no_nul_in, no_nuls};
use crate::error::Result;
use crate::oci::{IoPriority, Process, Rlimit, Scheduler, SchedulerPolicy};

/// The limits that Linux has.
const RLIMITS: [&str; 16] = [
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
];

/// Checks a process that is to be started.
pub fn process(process: &Process) -> Result<()> {
    if !process.cwd.starts_with('/') {
        let what = format_args!("{:?} must be an absolute path", process.cwd);
        return fail("process.cwd", what);
    }
    no_nul("process.cwd", &process.cwd)?;
    if process.args.is_empty() {
        return fail(
            "process.args",
            "args must not be empty: it names the program",
        );
    }
    no_nuls("process.args", &process.args)?;
    env(&process.env)?;
    rlimits(&process.rlimits)?;
    no_nul_in("process.apparmorProfile", &process.apparmor_profile)?;
    no_nul_in("process.selinuxLabel", &process.selinux_label)?;
    if let Some(adjust) = process.oom_score_adj
        && !(-1000..=1000).contains(&adjust)
    {
        let what = format_args!("{adjust} must be from -1000 to 1000");
        return fail("process.oomScoreAdj", what);
    }
    process.scheduler.as_ref().map_or(Ok(()), scheduler)?;
    process.io_priority.as_ref().map_or(Ok(()), io_priority)?;
    if let Some(affinity) = &process.exec_cpu_affinity {
        cpus("initial", &affinity.initial)?;
        cpus("final", &affinity.last)?;
    }
    Ok(())
}

fn env(env: &[String]) -> Result<()> {
    no_nuls("process.env", env)?;
    for (i, entry) in env.iter().enumerate() {
        // The value stays out of the error: it may be a secret.
        match entry.find('=') {
            Some(0) => {
                return fail(
                    format_args!("process.env[{i}]"),
                    "the name before `=` is empty",
                );
            }
            Some(_) => {}
            None => {
                return fail(
                    format_args!("process.env[{i}]"),
                    "missing `=`: it must be NAME=value",
                );
            }
        }
    }
    Ok(())
}

fn rlimits(rlimits: &[Rlimit]) -> Result<()> {
    for (i, limit) in rlimits.iter().enumerate() {
        let kind = &limit.kind;
        let field = format_args!("process.rlimits[{i}].type");
        if !RLIMITS.contains(&kind.as_str()) {
            let what = format_args!(
                "wrong rlimit value: {kind:?} is none of {}",
                RLIMITS.join(", ")
            );
            return fail(field, what);
        }
        if rlimits[..i].iter().any(|earlier| earlier.kind == *kind) {
            return fail(field, format_args!("{kind} is given twice"));
        }
        if limit.soft > limit.hard {
            let what = format_args!("{} is above the hard limit {}", limit.soft, limit.hard);
            return fail(format_args!("process.rlimits[{i}].soft"), what);
        }
    }
    Ok(())
}

fn scheduler(scheduler: &Scheduler) -> Result<()> {
    use SchedulerPolicy::{Batch, Deadline, Fifo, Other, RoundRobin};
    let policy = scheduler.policy;
    let nice = scheduler.nice;
    if matches!(policy, Other | Batch) && !(-20..=19).contains(&nice) {
        return fail(
            "process.scheduler.nice",
            format_args!("{nice} must be from -20 to 19"),
        );
    }
    if scheduler.priority != 0 && !matches!(policy, Fifo | RoundRobin) {
        let what = "only the policies SCHED_FIFO and SCHED_RR have one";
        return fail("process.scheduler.priority", what);
    }
    for (name, value) in [
        ("runtime", scheduler.runtime),
        ("deadline", scheduler.deadline),
        ("period", scheduler.period),
    ] {
        if value != 0 && policy != Deadline {
            let field = format_args!("process.scheduler.{name}");
            return fail(field, "only the policy SCHED_DEADLINE has one");
        }
    }
    Ok(())
}

fn io_priority(io_priority: &IoPriority) -> Result<()> {
    let priority = io_priority.priority;
    if !(0..=7).contains(&priority) {
        return fail(
            "process.ioPriority.priority",
            format_args!("{priority} must be from 0 to 7"),
        );
    }
    Ok(())
}

fn cpus(name: &str, cpus: &Option<String>) -> Result<()> {
    let Some(text) = cpus else { return Ok(()) };
    let field = format_args!("process.execCPUAffinity.{name}");
    match list(text) {
        Ok(ranges) if ranges.is_empty() => {
            fail(field, "names no CPU: it must be a list like `0-3,7`")
        }
        Ok(_) => Ok(()),
        Err(error) => fail(field, error),
    }
}
