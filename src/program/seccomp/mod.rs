//! Compiles `linux.seccomp` into a BPF program, without libseccomp.
//!
//! The filter decides as runc's, which is libseccomp's with a stub before it that answers `ENOSYS` to syscalls newer
//! than any that the profile names. It is built as a graph: the architecture, then a search tree over ranges of syscall
//! numbers, then tests of arguments; equal parts are shared, also between architectures.
//!
//! Where several conditional rules of one syscall with *different* actions hold, libseccomp's order decides: the rule
//! whose first argument is the higher, then (masked) equality before less before greater, then the narrower bound.
//!
//! One difference from libseccomp is meant: where several conditions of a syscall compare the order of one argument,
//! libseccomp's filter may miss a rule that holds (see `oracle.rs`, which compares the two); this one does not.

mod arch;
mod emit;
mod graph;
mod rules;
mod search;
#[cfg(any(test, target_arch = "aarch64", target_arch = "arm"))]
mod table_arm;
#[cfg(any(test, target_arch = "riscv64"))]
mod table_riscv;
#[cfg(any(test, target_arch = "x86_64", target_arch = "x86"))]
mod table_x86;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub use simulator::is_valid;

use crate::error::{Error, Result};
use crate::oci::{Config, Seccomp, SeccompAction, SeccompFlag, annotation};
use arch::{AUDIT_X86_64, X32_BIT};
use graph::{Graph, Id, Jump};
use rules::{Cond, Conflict, Rules};
use search::Range;

/// A filter, ready for seccomp(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// `SECCOMP_FILTER_FLAG_*`, with `NEW_LISTENER` if [`Filter::notify`] is set.
    pub flags: u32,
    /// `struct sock_filter[]` in the machine's byte order.
    pub bpf: Vec<u8>,
    /// Whether some rule notifies a listener, whose descriptor seccomp(2) then returns.
    pub notify: bool,
}

/// What the kernel does to a process of an architecture that is not listed: kills the thread, as libseccomp's default.
const BAD_ARCH: u32 = libc::SECCOMP_RET_KILL_THREAD;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const MAX_ARGUMENTS: u32 = 6;
/// As many as most profiles make of an architecture's syscall numbers.
const USUAL_RANGES: usize = 128;

/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`
const WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// The filter that a configuration asks for: that of `linux.seccomp`, or, as with crun, one that is compiled already.
pub fn of(config: &Config) -> Result<Option<Filter>> {
    let seccomp = config.linux.seccomp.as_ref();
    let filter = match (config.annotations.get(annotation::SECCOMP_BPF), seccomp) {
        (Some(data), _) => compiled(data, seccomp)?,
        (None, None) => return Ok(None),
        (None, Some(seccomp)) => compile(seccomp, config.set(annotation::SECCOMP_STRICT))?,
    };
    if filter.notify && listener(config).is_none() {
        return Err(Error::new(
            "linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs the path of a listener's socket",
        ));
    }
    Ok(Some(filter))
}

/// The socket that the listener of a filter is sent to.
pub fn listener(config: &Config) -> Option<&str> {
    let seccomp = config.linux.seccomp.as_ref();
    seccomp
        .and_then(|seccomp| seccomp.listener_path.as_deref())
        .or(config
            .annotations
            .get(annotation::SECCOMP_RECEIVER)
            .map(String::as_str))
}

/// A filter of the annotation: base64 of the program.
fn compiled(data: &str, seccomp: Option<&Seccomp>) -> Result<Filter> {
    let wrong =
        |what: &str| Error::new(format!("annotations: {}: {what}", annotation::SECCOMP_BPF));
    let bpf = base64(data).ok_or_else(|| wrong("is not base64"))?;
    if bpf.is_empty()
        || bpf.len() % emit::INSTRUCTION != 0
        || bpf.len() / emit::INSTRUCTION > emit::MOST
    {
        return Err(wrong(
            "is not a program of 1 to 4096 instructions of 8 bytes",
        ));
    }
    let notify = emit::returns(&bpf, libc::SECCOMP_RET_USER_NOTIF);
    let flags = flags(seccomp.and_then(|seccomp| seccomp.flags.as_deref()), notify);
    Ok(Filter { flags, bpf, notify })
}

/// The bytes of a base64 text: RFC 4648, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for c in text.trim().trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    // Six bits alone are no byte.
    (count < 6).then_some(bytes)
}

/// Compiles a profile for the architecture that this program runs on and its kin.
///
/// Syscalls that the table does not know and architectures that this kernel cannot run are skipped. Absent `flags` mean
/// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`, as with runc, an empty list none; `SECCOMP_FILTER_FLAG_TSYNC` is accepted and has no effect.
/// An unknown syscall is an error if `strict`.
pub fn compile(seccomp: &Seccomp, strict: bool) -> Result<Filter> {
    let default = action(seccomp.default_action, seccomp.default_errno_ret);
    if seccomp.default_action == SeccompAction::Notify {
        return Err(Error::new(
            "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action",
        ));
    }
    let mut sets: Vec<Rules> = listed(seccomp);
    let notify = add_rules(seccomp, default, &mut sets, strict)?;
    // A tracer that is asked about a new syscall should see it; an allowed one is the kernel's to refuse.
    let stub = !matches!(
        seccomp.default_action,
        SeccompAction::Allow | SeccompAction::Log | SeccompAction::Trace
    );

    let mut graph = Graph::new();
    let mut root = graph.verdict(BAD_ARCH);
    let bad_arch = root;
    for at in (0..sets.len()).rev() {
        // x32 shares its token with x86_64, and is dealt with there.
        let set = &sets[at];
        let kin = sets
            .iter()
            .find(|other| other.arch.x32 && other.arch.audit == set.arch.audit);
        if set.arch.x32
            && sets
                .iter()
                .any(|other| other.arch.audit == set.arch.audit && !other.arch.x32)
        {
            continue;
        }
        let mut space = Space {
            graph: &mut graph,
            default,
            stub,
            bad_arch,
            ranges: Vec::with_capacity(USUAL_RANGES),
        };
        let search = space.build(set, kin);
        root = graph.test(graph::ARCH, Jump::Eq, set.arch.audit, search, root);
    }
    // What follows finds room in the memory that this leaves.
    drop(sets);
    Ok(Filter {
        flags: flags(seccomp.flags.as_deref(), notify),
        bpf: emit::emit(&graph.into_nodes(), root)?,
        notify,
    })
}

/// The architectures of the filter: the native one, then those listed.
fn listed(seccomp: &Seccomp) -> Vec<Rules> {
    let family = arch::FAMILY.iter().enumerate();
    let others =
        family.filter(|(i, arch)| *i != arch::NATIVE && seccomp.architectures.contains(&arch.word));
    std::iter::once(&arch::FAMILY[arch::NATIVE])
        .chain(others.map(|(_, arch)| arch))
        .map(Rules::new)
        .collect()
}

/// Adds all rules to all architectures, and tells whether any notifies.
fn add_rules(seccomp: &Seccomp, default: u32, sets: &mut [Rules], strict: bool) -> Result<bool> {
    let mut notify = false;
    let mut rows = Vec::new();
    for (i, rule) in seccomp.syscalls.iter().enumerate() {
        let field = |rest: &str| format!("linux.seccomp.syscalls[{i}]{rest}");
        // What happens anyway needs no rule.
        let does = Some(action(rule.action, rule.errno_ret)).filter(|does| *does != default);
        if let Some(at) = rule.args.iter().position(|arg| arg.index >= MAX_ARGUMENTS) {
            return Err(Error::new(format!(
                "{}: {} is too high, a syscall has {MAX_ARGUMENTS} arguments (0 to 5)",
                field(&format!(".args[{at}].index")),
                rule.args[at].index
            )));
        }
        let conds: Vec<Cond> = rule.args.iter().map(Cond::new).collect();
        // Several conditions on one argument: each is a rule of its own then, as runc has it.
        let apart = conds
            .iter()
            .enumerate()
            .any(|(at, cond)| conds[..at].iter().any(|other| other.arg == cond.arg));
        let alternatives = if apart {
            conds.into_iter().map(|cond| vec![cond]).collect()
        } else {
            vec![conds]
        };
        rows.clear();
        rows.reserve(rule.names.len());
        for name in rule.names.iter() {
            if name.is_empty() {
                return Err(Error::new(format!(
                    "{}: empty string is not a valid syscall",
                    field(".names")
                )));
            }
            if rule.action == SeccompAction::Notify {
                notify = true;
                if name == "write" {
                    // The runtime itself must write, to hand the listener on, once the filter is in force.
                    return Err(Error::new(format!(
                        "{}: SCMP_ACT_NOTIFY cannot be used for the write syscall",
                        field(".action")
                    )));
                }
            }
            match arch::find(name.as_bytes()) {
                Some(row) => rows.push(row as u16),
                None if strict => {
                    let what = format!("{}: unknown syscall {name:?}", field(".names"));
                    return Err(Error::new(what));
                }
                None => {}
            }
        }
        for set in sets.iter_mut() {
            let added = set.add(&rows, &alternatives, does);
            added.map_err(|Conflict(row)| {
                Error::new(format!(
                    "{}: {} on syscall {} contradicts an earlier rule with the same conditions",
                    field(".action"),
                    rule.action.name(),
                    arch::name(row)
                ))
            })?;
        }
    }
    for set in sets {
        set.finish();
    }
    Ok(notify)
}

/// The value that a filter returns for this action.
fn action(action: SeccompAction, errno: Option<u32>) -> u32 {
    let datum = errno.unwrap_or(libc::EPERM as u32) & libc::SECCOMP_RET_DATA;
    match action {
        SeccompAction::Kill | SeccompAction::KillThread => libc::SECCOMP_RET_KILL_THREAD,
        SeccompAction::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        SeccompAction::Trap => libc::SECCOMP_RET_TRAP,
        SeccompAction::Errno => libc::SECCOMP_RET_ERRNO | datum,
        SeccompAction::Trace => libc::SECCOMP_RET_TRACE | datum,
        SeccompAction::Allow => libc::SECCOMP_RET_ALLOW,
        SeccompAction::Log => libc::SECCOMP_RET_LOG,
        SeccompAction::Notify => libc::SECCOMP_RET_USER_NOTIF,
    }
}

fn flags(listed: Option<&[SeccompFlag]>, notify: bool) -> u32 {
    let listed = listed.unwrap_or(&[SeccompFlag::SpecAllow]);
    let flags = listed.iter().fold(0, |all, flag| {
        all | match flag {
            // The process has one thread.
            SeccompFlag::Tsync => 0,
            flag => flag_bit(*flag),
        }
    });
    if notify {
        flags | libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32
    } else {
        // The kernel refuses it without a listener, where it would mean nothing.
        flags & !WAIT_KILLABLE_RECV
    }
}

/// The bit of a flag: `SECCOMP_FILTER_FLAG_*`.
pub fn flag_bit(flag: SeccompFlag) -> u32 {
    match flag {
        SeccompFlag::Tsync => libc::SECCOMP_FILTER_FLAG_TSYNC as u32,
        SeccompFlag::Log => libc::SECCOMP_FILTER_FLAG_LOG as u32,
        SeccompFlag::SpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as u32,
        SeccompFlag::WaitKillableRecv => WAIT_KILLABLE_RECV,
    }
}

/// The fates of all 2³² syscall numbers under one token of architecture.
struct Space<'a> {
    graph: &'a mut Graph,
    default: u32,
    stub: bool,
    bad_arch: Id,
    ranges: Vec<Range>,
}

impl Space<'_> {
    fn build(&mut self, set: &Rules, x32: Option<&Rules>) -> Id {
        let default = self.graph.verdict(self.default);
        let after = if set.arch.x32 {
            default
        } else {
            self.fill(0, set)
        };
        if set.arch.audit == AUDIT_X86_64 {
            let (lower, upper) = match x32 {
                Some(x32) => {
                    let upper = self.fill(X32_BIT, x32);
                    (default, upper)
                }
                None => {
                    self.range(X32_BIT, self.bad_arch);
                    (self.bad_arch, self.bad_arch)
                }
            };
            // The stub goes by bit 30 alone, so the upper half of the numbers is divided once more.
            self.range(0x8000_0000, if after == default { lower } else { after });
            self.range(0xC000_0000, upper);
            if x32.is_none() {
                // A tracer's way to skip a syscall.
                self.range(u32::MAX, default);
            }
        }
        search::tree(self.graph, &self.ranges)
    }

    /// The numbers from `start` up to the last of the rules, and all after it, whose fate is returned.
    fn fill(&mut self, start: u32, set: &Rules) -> Id {
        let default = self.graph.verdict(self.default);
        let leaf = |verdict| self.graph.leaf(verdict, default, set.arch.wide);
        let leaves: Vec<Id> = set.verdicts.iter().map(leaf).collect();
        self.range(start, default);
        // Behind the last may be a multiplexed call's direct number, which does not count among those that are named.
        let last = set.known.checked_sub(1).map(|slot| set.arch.number(slot));
        let last = last.filter(|number| self.stub && *number != 0);
        let slots = if last.is_some() {
            set.known
        } else {
            set.fates.len()
        };
        let mut before = 0;
        for (slot, fate) in set.fates[..slots].iter().enumerate() {
            if *fate != before {
                before = *fate;
                let known = usize::from(before).checked_sub(1);
                let id = known.map_or(default, |place| leaves[place]);
                self.range(set.arch.number(slot), id);
            }
        }
        let Some(last) = last else {
            return default;
        };
        let enosys = self.graph.verdict(ENOSYS);
        self.range(last + 1, enosys);
        enosys
    }

    /// From this number on.
    fn range(&mut self, start: u32, id: Id) {
        if self.ranges.last().is_some_and(|(last, _)| *last == start) {
            self.ranges.pop();
        }
        if self.ranges.last().is_none_or(|(_, last)| *last != id) {
            self.ranges.push((start, id));
        }
    }
}
