//! The user's process: its terminal, limits, identity, rights and program.

use super::capabilities;
use super::seccomp::Filter;
use super::wire::{Bytes, List, Op, SAME_ID, Text};
use super::{Facts, Handle, Program, slices};
use crate::error::{Context, Error, Result};
use crate::oci::*;

/// The terminal: made inside, its master sent to whoever copies it.
pub fn terminal(
    process: &Process,
    facts: &Facts,
    mount: bool,
    program: &mut Program,
) -> Result<()> {
    if !process.terminal {
        return Ok(());
    }
    let socket = program.slot(Handle::Console);
    let (columns, rows) = match &process.console_size {
        Some(size) => (size.width as u32, size.height as u32),
        None => facts.window,
    };
    program.push(Op::Console {
        socket,
        name: "/dev/ptmx".into(),
        columns,
        rows,
        uid: process.user.uid,
        mount: mount.into(),
    });
    Ok(())
}

/// How readily the kernel kills the process when memory is short.
pub fn oom_score(process: &Process, program: &mut Program) {
    if let Some(score) = process.oom_score_adj {
        write_self("self/oom_score_adj", &score.to_string(), program);
    }
}

/// `process.rlimits`.
pub fn limits(process: &Process, program: &mut Program) -> Result<()> {
    for limit in &process.rlimits {
        let resource = rlimit(&limit.kind)
            .ok_or_else(|| Error::new(format!("process.rlimits: unknown type {:?}", limit.kind)))?;
        program.push(Op::Rlimit {
            resource,
            soft: limit.soft,
            hard: limit.hard,
        });
    }
    Ok(())
}

/// What surrounds the process and needs the rights that it is about to lose.
pub fn surroundings(process: &Process, linux: &Linux, program: &mut Program) -> Result<()> {
    // These take effect when the program is executed.
    if let Some(profile) = &process.apparmor_profile {
        write_self(
            "self/attr/apparmor/exec",
            &format!("exec {profile}"),
            program,
        );
    }
    if let Some(label) = &process.selinux_label {
        write_self("self/attr/exec", label, program);
    }
    if let Some(scheduler) = &process.scheduler {
        let attributes = sched_attr(scheduler);
        program.push(Op::Scheduler {
            attributes: Bytes(&attributes),
        });
    }
    if let Some(priority) = &process.io_priority {
        let class = match priority.class {
            IoPriorityClass::RealTime => 1,
            IoPriorityClass::BestEffort => 2,
            IoPriorityClass::Idle => 3,
        };
        program.push(Op::IoPriority {
            value: class << 13 | priority.priority as u32,
        });
    }
    if let Some(asked) = &linux.personality {
        program.push(Op::Personality {
            domain: personality(asked.domain),
        });
    }
    if let Some(policy) = &linux.memory_policy {
        memory_policy(policy, program)?;
    }
    Ok(())
}

/// Writes to a file of the process's own in a verified procfs.
pub fn write_self(path: &str, value: &str, program: &mut Program) {
    let proc = program.slot(Handle::Proc);
    program.push(Op::WriteProc {
        proc,
        path: path.into(),
        value: value.into(),
    });
}

/// The names of getrlimit(2) in the order of their numbers.
const RLIMITS: &[(&str, u32)] = &[
    ("RLIMIT_CPU", libc::RLIMIT_CPU as u32),
    ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE as u32),
    ("RLIMIT_DATA", libc::RLIMIT_DATA as u32),
    ("RLIMIT_STACK", libc::RLIMIT_STACK as u32),
    ("RLIMIT_CORE", libc::RLIMIT_CORE as u32),
    ("RLIMIT_RSS", libc::RLIMIT_RSS as u32),
    ("RLIMIT_NPROC", libc::RLIMIT_NPROC as u32),
    ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE as u32),
    ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK as u32),
    ("RLIMIT_AS", libc::RLIMIT_AS as u32),
    ("RLIMIT_LOCKS", libc::RLIMIT_LOCKS as u32),
    ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING as u32),
    ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE as u32),
    ("RLIMIT_NICE", libc::RLIMIT_NICE as u32),
    ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO as u32),
    ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME as u32),
];

/// The number of a resource of that name.
pub fn rlimit(name: &str) -> Option<u32> {
    RLIMITS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number)
}

/// The name of a resource's number.
pub fn rlimit_name(number: u32) -> &'static str {
    RLIMITS
        .iter()
        .find(|(_, known)| *known == number)
        .map_or("RLIMIT_?", |(name, _)| name)
}

/// `struct sched_attr` of sched_setattr(2), version 1 (56 bytes).
fn sched_attr(scheduler: &Scheduler) -> Vec<u8> {
    let policy: u32 = match scheduler.policy {
        SchedulerPolicy::Other => 0,
        SchedulerPolicy::Fifo => 1,
        SchedulerPolicy::RoundRobin => 2,
        SchedulerPolicy::Batch => 3,
        SchedulerPolicy::Iso => 4,
        SchedulerPolicy::Idle => 5,
        SchedulerPolicy::Deadline => 6,
    };
    let flag = |flag: &SchedulerFlag| match flag {
        SchedulerFlag::ResetOnFork => 0x01u64,
        SchedulerFlag::Reclaim => 0x02,
        SchedulerFlag::DlOverrun => 0x04,
        SchedulerFlag::KeepPolicy => 0x08,
        SchedulerFlag::KeepParams => 0x10,
        SchedulerFlag::UtilClampMin => 0x20,
        SchedulerFlag::UtilClampMax => 0x40,
    };
    let flags = scheduler
        .flags
        .iter()
        .map(flag)
        .fold(0, |all, one| all | one);
    let mut bytes = Vec::with_capacity(56);
    bytes.extend(56u32.to_ne_bytes());
    bytes.extend(policy.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(scheduler.nice.to_ne_bytes());
    bytes.extend(scheduler.priority.to_ne_bytes());
    bytes.extend(scheduler.runtime.to_ne_bytes());
    bytes.extend(scheduler.deadline.to_ne_bytes());
    bytes.extend(scheduler.period.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes
}

/// The argument of personality(2).
fn personality(domain: PersonalityDomain) -> u64 {
    match domain {
        PersonalityDomain::Linux => 0,
        PersonalityDomain::Linux32 => 8,
    }
}

/// set_mempolicy(2).
fn memory_policy(policy: &MemoryPolicy, program: &mut Program) -> Result<()> {
    let mode = policy.mode as u32;
    let flags = policy.flags.iter().fold(0, |all, flag| {
        all | match flag {
            MemoryPolicyFlag::NumaBalancing => 1 << 13,
            MemoryPolicyFlag::RelativeNodes => 1 << 14,
            MemoryPolicyFlag::StaticNodes => 1u32 << 15,
        }
    });
    let nodes = bit_mask(&policy.nodes).context("linux.memoryPolicy.nodes")?;
    program.push(Op::MemoryPolicy {
        mode: mode | flags,
        nodes: Bytes(&nodes),
    });
    Ok(())
}

/// A list such as `0-3,7` as a bit mask of whole 64-bit words.
pub fn bit_mask(list: &str) -> Result<Vec<u8>> {
    let mut mask = Vec::new();
    for (first, last) in crate::check::list(list)? {
        mask.resize(mask.len().max((last as usize / 64 + 1) * 8), 0u8);
        for bit in first..=last {
            mask[bit as usize / 8] |= 1 << (bit % 8);
        }
    }
    Ok(mask)
}

/// The sets that [`execute`] needs again.
pub struct Identity {
    effective: u64,
    permitted: u64,
    inheritable: u64,
}

/// The user's ids and capabilities. Without `noNewPrivileges`, a filter can only be installed with
/// CAP_SYS_ADMIN: that one stays permitted until then.
pub fn identity(
    process: &Process,
    facts: &Facts,
    new_user_namespace: bool,
    in_user_namespace: bool,
    program: &mut Program,
) -> Identity {
    let allowed = if new_user_namespace {
        capabilities::ALL
    } else {
        facts.bounding
    };
    let none = Capabilities::default();
    let wanted = process.capabilities.as_ref().unwrap_or(&none);
    let mut refused = Vec::new();
    let mut set = |names: &[String]| capabilities::set(names, allowed, &mut refused);
    let bounding = set(&wanted.bounding);
    let effective = set(&wanted.effective);
    let permitted = set(&wanted.permitted);
    let inheritable = set(&wanted.inheritable);
    let ambient = set(&wanted.ambient);
    // The kernel keeps in the ambient set only what is both permitted and inheritable.
    let impossible = ambient & !(permitted & inheritable);
    let ambient = ambient & !impossible;
    if !refused.is_empty() {
        let names = refused.join(", ");
        program.warnings.push(format!(
            "process.capabilities: cannot be granted here, ignored: {names}"
        ));
    }

    for bit in (0..64).filter(|bit| impossible >> bit & 1 == 1) {
        let name = capabilities::names(1 << bit).to_ascii_uppercase();
        program.warnings.push(format!(
            "process.capabilities: can't raise ambient capability CAP_{name}: it must be permitted and inheritable too"
        ));
    }

    // A new root is where its first process is already.
    if process.cwd != "/" || !program.pivots {
        program.push(Op::Chdir {
            path: process.cwd.as_str().into(),
        });
    }
    program.push(Op::BoundingSet { keep: bounding });
    let groups: Vec<u8> = process
        .user
        .additional_gids
        .iter()
        .flat_map(|gid| gid.to_ne_bytes())
        .collect();
    let set_groups = u8::from(!facts.keep_groups);
    let (uid, gid) = (process.user.uid, process.user.gid);
    // A user namespace has its own.
    let stays_root = facts.is_root && !in_user_namespace;
    let change = |id: u32| if stays_root && id == 0 { SAME_ID } else { id };
    program.push(Op::Identity {
        uid: change(uid),
        gid: change(gid),
        set_groups,
        groups: Bytes(&groups),
    });
    program.push(Op::Umask {
        mask: process.user.umask.unwrap_or(0o022),
    });
    if process.no_new_privileges {
        program.push(Op::NoNewPrivileges {});
    }
    let admin = if process.no_new_privileges {
        0
    } else {
        1 << capabilities::SYS_ADMIN & allowed
    };
    program.push(Op::Capabilities {
        effective,
        permitted: permitted | admin,
        inheritable,
    });
    if ambient != 0 {
        program.push(Op::Ambient { set: ambient });
    }
    let home = process.env.iter().rev();
    let home = home.filter_map(|entry| entry.strip_prefix("HOME=")).next();
    if home.is_none_or(str::is_empty) {
        program.push(Op::Home { uid });
    }
    Identity {
        effective,
        permitted,
        inheritable,
    }
}

/// The id that an operation says, for whoever reads it.
pub fn id(number: u32) -> u32 {
    if number == SAME_ID { 0 } else { number }
}

/// Finds the program, so that a missing one is an error of `create`.
pub fn find(process: &Process, program: &mut Program) -> Result<()> {
    let name = process.args.first().map(String::as_str).unwrap_or_default();
    let candidates = candidates(name, &process.env);
    program.push(Op::FindExecutable {
        candidates: List::Made(&slices(&candidates)),
    });
    Ok(())
}

/// Where a program may be: by its path, or in the directories of the environment's `PATH`. Relative directories
/// are passed over: who can write to the working directory must not choose the program.
pub fn candidates(name: &str, env: &[String]) -> Vec<String> {
    if name.contains('/') {
        return vec![name.to_string()];
    }
    let path = env
        .iter()
        .rev()
        .find_map(|entry| entry.strip_prefix("PATH="))
        .unwrap_or_default();
    let absolute = path
        .split(':')
        .filter(|directory| directory.starts_with('/'));
    absolute
        .map(|directory| format!("{}/{name}", directory.trim_end_matches('/')))
        .collect()
}

/// What confines the process: Landlock, the filter, the final capabilities. Nothing but `capset` and `execve` is left to
/// do once the filter is there.
pub fn confine(
    process: &Process,
    filter: Option<&Filter>,
    identity: &Identity,
    facts: &Facts,
    program: &mut Program,
) -> Result<()> {
    let Identity {
        effective,
        permitted,
        inheritable,
    } = *identity;
    let admin = 1 << capabilities::SYS_ADMIN;
    super::landlock::restrict(&process.landlock.0, facts.landlock_abi, program)?;
    program.push(Op::Seal {});
    if let Some(filter) = filter {
        if !process.no_new_privileges && effective & admin == 0 {
            let permitted = permitted | admin;
            program.push(Op::Capabilities {
                effective: effective | admin,
                permitted,
                inheritable,
            });
        }
        let flags = filter.flags;
        let bpf = Bytes(&filter.bpf);
        program.push(match filter.notify {
            true => Op::SeccompListener { flags, filter: bpf },
            false => Op::Seccomp { flags, filter: bpf },
        });
    }
    if !process.no_new_privileges
        && (permitted & admin == 0 || (filter.is_some() && effective & admin == 0))
    {
        program.push(Op::Capabilities {
            effective,
            permitted,
            inheritable,
        });
    }
    Ok(())
}

/// The program.
pub fn execute(process: &Process, program: &mut Program) {
    let argv = slices(&process.args);
    let envp = environment(&process.env);
    program.push(Op::Exec {
        argv: List::Made(&argv),
        envp: List::Made(&envp),
    });
}

/// The environment, in which the later of two entries of one name wins, as with runc. An empty `HOME` is looked up.
fn environment(env: &[String]) -> Vec<&[u8]> {
    let name = |entry: &str| {
        entry
            .split_once('=')
            .map_or(entry.len(), |(name, _)| name.len())
    };
    let mut kept: Vec<&str> = Vec::with_capacity(env.len());
    // Every name is compared with all before it: by a number that is seldom the same for two of them.
    let mut hashes: Vec<u32> = Vec::with_capacity(env.len());
    for entry in env {
        let bytes = entry[..name(entry)].bytes();
        let hash = bytes.fold(0u32, |hash, byte| hash.wrapping_mul(31) ^ u32::from(byte));
        let mut from = 0;
        loop {
            let same = hashes[from..].iter().position(|other| *other == hash);
            let Some(index) = same.map(|index| from + index) else {
                hashes.push(hash);
                kept.push(entry);
                break;
            };
            let other = kept[index];
            if other[..name(other)] == entry[..name(entry)] {
                kept[index] = entry;
                break;
            }
            from = index + 1;
        }
    }
    kept.retain(|entry| *entry != "HOME=");
    kept.into_iter().map(str::as_bytes).collect()
}

/// A text that is only there for people.
pub fn printable(text: Text<'_>) -> String {
    String::from_utf8_lossy(text.bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_in_absolute_directories() {
        let env = ["PATH=/bin:.:/usr/bin/".to_string()];
        assert_eq!(candidates("sh", &env), ["/bin/sh", "/usr/bin/sh"]);
        assert_eq!(candidates("./sh", &env), ["./sh"]);
        assert!(candidates("sh", &[]).is_empty());
    }

    #[test]
    fn the_last_entry_of_a_name_wins() {
        let env = ["A=1".to_string(), "B=2".into(), "A=3".into()];
        assert_eq!(environment(&env), [b"A=3", b"B=2"]);
        // Two names of one hash.
        let env = ["BB=1".to_string(), "Ac=2".into(), "BB=3".into()];
        assert_eq!(environment(&env), [b"BB=3", b"Ac=2"]);
    }

    #[test]
    fn lists_become_masks() {
        assert_eq!(bit_mask("0-2,9").unwrap()[..2], [7, 2]);
        assert!(bit_mask("2-1").is_err());
    }
}
