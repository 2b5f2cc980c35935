//! What the stub reports, in words: which operation failed, on what, and why.

use super::Program;
use super::process::{id, printable, rlimit_name};
use super::wire::{Message, Op, Text, call};
use crate::error::{Error, errno_text, signal_text};

/// The failure that the message tells of, as the user reads it.
pub fn explain(program: &Program, message: Message, output: Option<&[u8]>) -> Error {
    if let Some(output) = output {
        return hook(message, output);
    }
    let Some(op) = program.ops().nth(message.op as usize) else {
        return Error::new(format!(
            "container init: {}: {}",
            call::name(message.call),
            errno_text(message.errno)
        ));
    };
    let cause = cause(message);
    Error::new(match op {
        Op::Exec { argv, .. } if message.call == call::LOOKUP => {
            return not_found(program, &first(argv), message.errno);
        }
        Op::Exec { argv, .. } => format!("exec {}: {}", first(argv), errno_text(message.errno)),
        Op::FindExecutable { candidates } => {
            let name = first(candidates);
            return not_found(program, &name, message.errno);
        }
        Op::Remount { target, .. } => {
            format!("error remounting {:?}: {cause}", printable(target))
        }
        Op::Attach { .. } if message.errno == libc::ENODEV => {
            let trees = program.ops().take(message.op as usize);
            let fstype = trees.filter_map(|op| match op {
                Op::FsTree { fstype, .. } => Some(printable(fstype)),
                _ => None,
            });
            format!(
                "mounts: file system type {:?}: {cause}",
                fstype.last().unwrap_or_default()
            )
        }
        Op::Attach { target, .. } | Op::CopyUp { target } => {
            format!(
                "error mounting {}to rootfs at {:?}: {cause}{}",
                source(program, message.op),
                printable(target),
                why(program, message.op, message.errno)
            )
        }
        Op::FsTree { fstype, .. } if message.errno == libc::ENODEV => {
            format!("mounts: file system type {:?}: {cause}", printable(fstype))
        }
        Op::FsTree { .. }
        | Op::PathTree { .. }
        | Op::KeepTree { .. }
        | Op::KeptTree { .. }
        | Op::AskTree { .. }
        | Op::Cgroup2Tree { .. }
        | Op::BindAttributes { .. }
        | Op::Covered { .. }
        | Op::RequireProc {}
        | Op::TreeAttributes { .. } => {
            let target = program
                .ops()
                .skip(message.op as usize)
                .find_map(|op| match op {
                    Op::Attach { target, .. } => Some(printable(target)),
                    _ => None,
                });
            let target = target.unwrap_or_default();
            format!(
                "error mounting {}to rootfs at {target:?}: {cause}{}",
                source(program, message.op + 1),
                why(program, message.op + 1, message.errno)
            )
        }
        Op::MakeDevice { path, .. } => format!(
            "linux.devices: creating device node {:?}: {cause}",
            printable(path)
        ),
        Op::Symlink { path, .. } | Op::ExactLink { path, .. } => {
            format!("creating symbolic link {:?}: {cause}", printable(path))
        }
        Op::MakeDirectory { path, .. } => {
            format!(
                "creating directory {:?} in rootfs: {cause}",
                printable(path)
            )
        }
        Op::OpenRoot { path, .. }
        | Op::EnterTree { path }
        | Op::UseRoot { path }
        | Op::ParentPrivate { path, .. } => {
            format!("root.path: preparing rootfs {:?}: {cause}", printable(path))
        }
        Op::WriteProc { path, value, .. } => {
            let path = printable(path);
            if path.starts_with("self/attr/")
                && !path.contains("apparmor")
                && message.errno == libc::EINVAL
            {
                return Error::new(
                    "process.selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported",
                );
            }
            let field = match path.strip_prefix("sys/") {
                Some(_) => "linux.sysctl: ",
                None if path.ends_with("apparmor/exec") => "process.apparmorProfile: ",
                None if path.ends_with("attr/exec") => "process.selinuxLabel: ",
                None if path.ends_with("oom_score_adj") => "process.oomScoreAdj: ",
                None => "",
            };
            format!(
                "{field}write {:?} to /proc/{path}: {cause}",
                printable(value)
            )
        }
        Op::Hostname { name } => format!("hostname: sethostname {:?}: {cause}", printable(name)),
        Op::Domainname { name } => {
            format!("domainname: setdomainname {:?}: {cause}", printable(name))
        }
        Op::Rlimit {
            resource,
            soft,
            hard,
        } => format!(
            "process.rlimits: error setting rlimits for {} (soft {soft}, hard {hard}): {cause}",
            rlimit_name(resource)
        ),
        Op::Chdir { path } if message.call == call::OUTSIDE_ROOT => format!(
            "process.cwd: current working directory is outside of container mount namespace root -- \
             possible container breakout detected: {:?}",
            printable(path)
        ),
        Op::Chdir { path } => format!(
            "process.cwd: chdir to cwd ({:?}) set in config.json failed: {}",
            printable(path),
            errno_text(message.errno)
        ),
        Op::Identity { uid, gid, .. } => {
            format!(
                "process.user: becoming uid {}, gid {}: {cause}",
                id(uid),
                id(gid)
            )
        }
        Op::Hook { name, .. } => format!("error running {}: {cause}", printable(name)),
        Op::HideHost { path } => format!("--no-pivot: taking away {:?}: {cause}", printable(path)),
        Op::ReopenNull { .. } => format!("error reopening /dev/null inside container: {cause}"),
        Op::Unmount { target } => format!("unmounting {:?}: {cause}", printable(target)),
        Op::LandlockPath { path, .. } => {
            format!("landlock.rules.pathBeneath: {:?}: {cause}", printable(path))
        }
        Op::LandlockRuleset { .. } | Op::LandlockPort { .. } | Op::LandlockRestrict { .. } => {
            format!("landlock: {cause}")
        }
        Op::Mask { .. } => format!("linux.maskedPaths: {cause}"),
        Op::ReadonlyPaths { .. } => format!("linux.readonlyPaths: {cause}"),
        Op::Seccomp { .. } | Op::SeccompListener { .. } => {
            format!("linux.seccomp: installing the filter: {cause}")
        }
        Op::Capabilities { .. } | Op::BoundingSet { .. } | Op::Ambient { .. } => {
            format!("process.capabilities: {cause}")
        }
        Op::Setns { .. } | Op::SetnsEarly { .. } => {
            format!("linux.namespaces: joining a namespace: {cause}")
        }
        Op::Console { .. } => format!("process.terminal: setting up the console: {cause}"),
        Op::Scheduler { attributes } if deadline_refused(attributes.0, message) => {
            format!(
                "process.scheduler: process scheduler can't be used together with AllowedCPUs: {cause}"
            )
        }
        Op::Scheduler { .. } => format!("process.scheduler: {cause}"),
        Op::IoPriority { .. } => format!("process.ioPriority: {cause}"),
        Op::MemoryPolicy { .. } => format!("linux.memoryPolicy: {cause}"),
        Op::Personality { .. } => format!("linux.personality: {cause}"),
        Op::JoinCgroup { .. } => format!("joining the cgroup: {cause}"),
        Op::PivotRoot { .. } if message.errno == libc::EINVAL => format!(
            "error jailing process inside rootfs: {cause} (on an initramfs, use --no-pivot)"
        ),
        Op::PivotRoot { .. } => format!("error jailing process inside rootfs: {cause}"),
        other => format!("{other}: {cause}"),
    })
}

/// What in a user namespace forbids a new file system of this type.
fn forbidden(fstype: Text<'_>) -> &'static str {
    match fstype.bytes() {
        b"proc" => {
            " (a user namespace needs a PID namespace of its own for it, and must see all of another proc: else bind /proc)"
        }
        b"sysfs" => {
            " (a user namespace needs a network namespace of its own for it, and must see all of another sysfs: else bind \
             /sys)"
        }
        b"mqueue" => " (a user namespace needs an IPC namespace of its own for it)",
        _ => "",
    }
}

/// What more there is to say of a file system that was made before that operation: it may belong to a namespace that is
/// not the container's, or it may be that the kernel knows no labels.
fn why(program: &Program, index: u32, errno: i32) -> &'static str {
    let last = program.ops().take(index as usize).last();
    let label = |option: Text<'_>| option.bytes().starts_with(b"context=");
    match last {
        Some(Op::FsTree { fstype, .. }) if errno == libc::EPERM => forbidden(fstype),
        Some(Op::FsTree { options, .. }) if options.iter().any(label) => " (with linux.mountLabel)",
        _ => "",
    }
}

/// What the process of `start` can say: it has no program, but nothing else than hooks, filter and program
/// comes after it.
pub fn explain_start(message: Message, name: &str, output: Option<&[u8]>) -> Error {
    if let Some(output) = output {
        return hook(message, output);
    }
    if message.call == call::EXECVE {
        return Error::new(format!("exec {name}: {}", errno_text(message.errno)));
    }
    Error::new(format!("container init: {}", cause(message)))
}

/// The deadline scheduler wants all CPUs: a cpuset with fewer is refused, sched(7).
fn deadline_refused(attributes: &[u8], message: Message) -> bool {
    const SCHED_DEADLINE: [u8; 4] = 6u32.to_ne_bytes();
    message.errno == libc::EPERM && attributes.get(4..8) == Some(&SCHED_DEADLINE[..])
}

/// A hook that failed: `output` holds its name, and what it printed.
fn hook(message: Message, output: &[u8]) -> Error {
    let output = String::from_utf8_lossy(output);
    let (name, printed) = output.split_once('\0').unwrap_or((&output, ""));
    let cause = cause(message);
    let mut text = format!("error running {name}: {cause}");
    let printed = printed.trim();
    if !printed.is_empty() {
        text += ", output: ";
        text += printed;
    }
    Error::new(text)
}

fn cause(message: Message) -> String {
    match message.call {
        call::HOOK if message.errno < 0 => {
            format!("signal: {}", signal_text(-message.errno))
        }
        call::HOOK => format!("exit status {}", message.errno),
        call::TIMEOUT => {
            let (sec, tenth) = (message.errno / 10, message.errno % 10);
            format!("hook ran past specified timeout of {sec}.{tenth}s")
        }
        call::NOT_DIRECTORY => "must be mounted on ordinary directory".into(),
        call::NOT_PROC => "cannot be mounted because it is not of type proc".into(),
        call::DIFFERENT_NODE => "a different file already exists there".into(),
        number => format!("{}: {}", call::name(number), errno_text(message.errno)),
    }
}

/// runc's words, which engines turn into exit statuses 127 and 126.
fn not_found(program: &Program, candidate: &str, errno: i32) -> Error {
    let name = program.ops().find_map(|op| match op {
        Op::Exec { argv, .. } => argv.iter().next().map(printable),
        _ => None,
    });
    let name = name.unwrap_or_else(|| candidate.to_string());
    Error::new(if name.contains('/') {
        match errno {
            libc::ENOENT | libc::ENOTDIR => {
                format!("exec: {name:?}: stat {name}: {}", errno_text(errno))
            }
            // execve(2) itself says EACCES, and so do the engines' tables.
            libc::EISDIR => format!("exec: {name:?}: is a directory: permission denied"),
            _ => format!("exec: {name:?}: {}", errno_text(errno)),
        }
    } else {
        match errno {
            libc::ENOENT => format!("exec: {name:?}: executable file not found in $PATH"),
            libc::EACCES => format!("exec: {name:?}: {}", errno_text(errno)),
            _ => format!(
                "exec: {name:?}: executable file not found in $PATH: {}",
                errno_text(errno)
            ),
        }
    })
}

/// The source of the mount whose last operation has this index, for a message.
fn source(program: &Program, index: u32) -> String {
    let before: Vec<Op<'_>> = program.ops().take(index as usize).collect();
    let tree = before.iter().rev().find_map(|op| match op {
        Op::FsTree { source, .. } => Some(printable(*source)),
        Op::PathTree { path, .. } | Op::KeptTree { path, .. } => Some(printable(*path)),
        Op::AskTree { path, .. } => Some(printable(*path)),
        Op::Cgroup2Tree { source, .. } => Some(printable(*source)),
        _ => None,
    });
    tree.map_or(String::new(), |source| format!("{source:?} "))
}

fn first(list: super::wire::List<'_>) -> String {
    list.iter().next().map(printable).unwrap_or_default()
}
