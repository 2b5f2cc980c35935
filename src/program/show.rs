//! A program in words: what `coracle plan` prints, one operation a line.

use super::capabilities;
use super::landlock;
use super::options::flag;
use super::process::{id, printable, rlimit_name};
use super::wire::{List, Op, Slot, Text, create, stage};
use super::{Handle, Program};
use std::fmt;

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for op in self.ops() {
            match slot(&op).and_then(|slot| self.handles.get(slot.0 as usize)) {
                Some(handle) => writeln!(f, "{op} {handle}")?,
                None => writeln!(f, "{op}")?,
            }
        }
        Ok(())
    }
}

fn slot(op: &Op<'_>) -> Option<Slot> {
    match *op {
        Op::JoinCgroup { tasks } => Some(tasks),
        Op::Setns { namespace, .. } | Op::SetnsEarly { namespace, .. } => Some(namespace),
        Op::HookOutput { file, .. } => Some(file),
        _ => None,
    }
}

/// The rights of a rule of Landlock's: their kind, the bits, and the flags of the rule.
struct Allowed(usize, u64, u32);

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Allowed(kind, bits, flags) = *self;
        let quiet = match flags {
            0 => "",
            _ => " quietly",
        };
        match bits {
            0 => write!(f, "deny{quiet}"),
            bits => write!(f, "allow{quiet} {}", landlock::names(kind, bits)),
        }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Handle::Report => f.write_str("the report socket"),
            Handle::StartListener => f.write_str("the start socket"),
            Handle::Proc => f.write_str("/proc"),
            Handle::Tasks(index) => write!(f, "of hierarchy {index}"),
            Handle::Namespace(kind, path) => write!(f, "{} {}", kind.name(), path.display()),
            Handle::Process => f.write_str("of the container"),
            Handle::Console => f.write_str("the console socket"),
            Handle::HookOutput(path) => path.display().fmt(f),
        }
    }
}

fn below(recursive: u8) -> &'static str {
    if recursive != 0 {
        " and all below it"
    } else {
        ""
    }
}

/// A text as it stands, or quoted where it would not read as one word.
struct Word<'a>(Text<'a>);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = printable(self.0);
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@%".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            f.write_str(&text)
        } else {
            write!(f, "{text:?}")
        }
    }
}

struct Words<'a>(List<'a>);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, text) in self.0.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { " " }, Word(text))?;
        }
        Ok(())
    }
}

/// The names of those bits that are set.
struct Flags(u64, &'static [(u64, &'static str)]);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, name) in self.1.iter().filter(|(bit, _)| self.0 & bit != 0) {
            let _ = bit;
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

const ATTRIBUTES: &[(u64, &str)] = &[
    (0x1, "ro"),
    (0x2, "nosuid"),
    (0x4, "nodev"),
    (0x8, "noexec"),
    (0x10, "noatime"),
    (0x20, "strictatime"),
    (0x80, "nodiratime"),
    (0x20_0000, "nosymfollow"),
];

const MOUNT_FLAGS: &[(u64, &str)] = &[
    (flag::RDONLY, "ro"),
    (flag::NOSUID, "nosuid"),
    (flag::NODEV, "nodev"),
    (flag::NOEXEC, "noexec"),
    (flag::SYNCHRONOUS, "sync"),
    (flag::DIRSYNC, "dirsync"),
    (flag::NOATIME, "noatime"),
    (flag::NODIRATIME, "nodiratime"),
    (flag::STRICTATIME, "strictatime"),
    (flag::LAZYTIME, "lazytime"),
    (flag::MANDLOCK, "mand"),
    (flag::PRIVATE, "private"),
    (flag::SLAVE, "slave"),
    (flag::SHARED, "shared"),
    (flag::UNBINDABLE, "unbindable"),
    (flag::REC, "recursively"),
];

const NAMESPACES: &[(u64, &str)] = &[
    (libc::CLONE_NEWUSER as u64, "user"),
    (libc::CLONE_NEWNS as u64, "mount"),
    (libc::CLONE_NEWNET as u64, "network"),
    (libc::CLONE_NEWIPC as u64, "ipc"),
    (libc::CLONE_NEWUTS as u64, "uts"),
    (libc::CLONE_NEWPID as u64, "pid"),
    (libc::CLONE_NEWCGROUP as u64, "cgroup"),
];

impl fmt::Display for Op<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Op::Rendezvous { stage } => write!(f, "wait for the runtime: {}", stage_name(stage)),
            Op::Report { stage } => write!(f, "report: {}", stage_name(stage)),
            Op::AwaitStart { .. } => f.write_str("wait for start"),
            Op::Hook { path, argv, .. } => write!(f, "run hook {} as {}", Word(path), Words(argv)),
            Op::Exec { argv, envp } => {
                write!(f, "exec {} with environment {}", Words(argv), Words(envp))
            }
            Op::Undumpable {} => f.write_str("become non-dumpable"),
            Op::Dumpable { .. } => f.write_str("become dumpable"),
            Op::Fork {} => f.write_str("go on as a child"),
            Op::JoinCgroup { .. } => f.write_str("join cgroup"),
            Op::Setns { flags, .. } => {
                write!(f, "join namespaces{}", Flags(flags.into(), NAMESPACES))
            }
            Op::SetnsEarly { flags, .. } => {
                let kinds = Flags(flags.into(), NAMESPACES);
                write!(
                    f,
                    "join namespaces{kinds}, unless that needs the rights of the user namespace"
                )
            }
            Op::Unshare { flags } => {
                write!(f, "make namespaces{}", Flags(flags.into(), NAMESPACES))
            }
            Op::TimeNamespace { offsets, .. } => {
                write!(f, "make a time namespace with offsets {}", Word(offsets))
            }
            Op::BecomeRoot { .. } => f.write_str("become root of the user namespace"),
            Op::Keyring { name, .. } => write!(f, "join session keyring {}", Word(name)),
            Op::Setsid {} => f.write_str("make a new session"),
            Op::LoopbackUp {} => f.write_str("bring up lo"),
            Op::Hostname { name } => write!(f, "set hostname {}", Word(name)),
            Op::Domainname { name } => write!(f, "set domainname {}", Word(name)),
            Op::WriteProc { path, value, .. } => {
                write!(f, "write {} to /proc/{}", Word(value), printable(path))
            }
            Op::Propagation { flags } => write!(f, "make all mounts{}", Flags(flags, MOUNT_FLAGS)),
            Op::ParentPrivate { path, slave } => {
                let kind = if slave != 0 { "a slave" } else { "private" };
                write!(f, "make the mount of {} {kind}", Word(path))
            }
            Op::OpenRoot { path, .. } => write!(f, "take rootfs {}", Word(path)),
            Op::KeepTree { .. } => f.write_str("  keep it"),
            Op::KeptTree { path, .. } => write!(f, "take kept {}", Word(path)),
            Op::EnterTree { path } => write!(f, "enter a mount namespace of {}", Word(path)),
            Op::UseRoot { path } => write!(f, "take rootfs {} without mounting it", Word(path)),
            Op::FsTree {
                fstype,
                source,
                options,
                sb_flags,
                attributes,
                ..
            } => {
                write!(f, "new {} from {}", Word(fstype), Word(source))?;
                write!(
                    f,
                    "{}{}",
                    Flags(attributes, ATTRIBUTES),
                    Flags(sb_flags, MOUNT_FLAGS)
                )?;
                if options.is_empty() {
                    Ok(())
                } else {
                    write!(f, " with {}", Words(options))
                }
            }
            Op::PathTree {
                path, recursive, ..
            } => write!(f, "clone {}{}", Word(path), below(recursive)),
            Op::AskTree {
                path,
                recursive,
                privileged,
                ..
            } => {
                let idmap = if privileged != 0 { ", idmapped" } else { "" };
                write!(f, "clone {}{}{idmap}", Word(path), below(recursive))
            }
            Op::Cgroup2Tree {
                attributes,
                fallback,
                ..
            } => {
                let attributes = Flags(attributes, ATTRIBUTES);
                write!(f, "new cgroup2{attributes}, or clone {}", Word(fallback))
            }
            Op::BindAttributes { set, clear, .. } => {
                write!(f, "  make it{}", Flags(set, ATTRIBUTES))?;
                write!(f, " not{}", Flags(clear, ATTRIBUTES))
            }
            Op::Covered { target } => write!(f, "as owner and mode of {} are,", Word(target)),
            Op::RequireProc {} => f.write_str("  it must be a procfs"),
            Op::HideHost { path } => write!(f, "take away the host's {}", Word(path)),
            Op::ReopenNull { .. } => {
                f.write_str("open /dev/null anew where it is a standard stream")
            }
            Op::Unmount { target } => write!(f, "unmount {}", Word(target)),
            Op::ExactLink { target, path, .. } => {
                write!(f, "link {} to {}", Word(path), Word(target))
            }
            Op::TreeAttributes {
                set,
                clear,
                propagation,
                recursive,
                ..
            } => {
                f.write_str("  make it")?;
                write!(
                    f,
                    "{}{}",
                    Flags(set, ATTRIBUTES),
                    Flags(propagation, MOUNT_FLAGS)
                )?;
                if clear != 0 {
                    write!(f, " not{}", Flags(clear, ATTRIBUTES))?;
                }
                f.write_str(if recursive != 0 { ", recursively" } else { "" })
            }
            Op::Attach { target, create, .. } => {
                let kind = match create {
                    create::FILE => " (a file)",
                    create::NEVER => " (must exist)",
                    _ => "",
                };
                write!(f, "  mount it at {}{kind}", Word(target))
            }
            Op::CopyUp { target } => write!(f, "  copy {} into it", Word(target)),
            Op::Remount {
                target,
                flags,
                data,
            } => {
                write!(
                    f,
                    "remount {}{} {}",
                    Word(target),
                    Flags(flags, MOUNT_FLAGS),
                    printable(data)
                )
            }
            Op::MakeDirectory { path, mode } => {
                write!(f, "make directory {} {mode:03o}", Word(path))
            }
            Op::Symlink { target, path } => write!(f, "link {} to {}", Word(path), Word(target)),
            Op::MakeDevice {
                path,
                mode,
                major,
                minor,
                uid,
                gid,
            } => {
                let kind = match mode & libc::S_IFMT {
                    libc::S_IFBLK => 'b',
                    libc::S_IFIFO => 'p',
                    _ => 'c',
                };
                write!(
                    f,
                    "make node {} {kind} {major}:{minor} {:03o} {uid}:{gid}",
                    Word(path),
                    mode & 0o7777
                )
            }
            Op::Mask { paths, .. } => write!(f, "mask {}", Words(paths)),
            Op::ReadonlyPaths { paths, .. } => write!(f, "make read-only {}", Words(paths)),
            Op::PivotRoot { peers: 0 } => f.write_str("pivot to rootfs"),
            Op::PivotRoot { .. } => {
                f.write_str("pivot to rootfs, leaving the peers of the old root")
            }
            Op::MoveRoot {} => f.write_str("move rootfs to / and chroot"),
            Op::ChangeRoot {} => f.write_str("chroot to rootfs"),
            Op::RootReadonly {} => f.write_str("make / read-only"),
            Op::RootPropagation { flags } => write!(f, "make /{}", Flags(flags, MOUNT_FLAGS)),
            Op::Console {
                columns,
                rows,
                mount,
                ..
            } => {
                f.write_str("open a terminal, send its master")?;
                if columns != 0 || rows != 0 {
                    write!(f, ", {columns}x{rows}")?;
                }
                f.write_str(if mount != 0 {
                    ", bind it at /dev/console"
                } else {
                    ""
                })
            }
            Op::Rlimit {
                resource,
                soft,
                hard,
            } => {
                write!(f, "limit {} to {soft} (hard {hard})", rlimit_name(resource))
            }
            Op::Umask { mask } => write!(f, "set umask {mask:03o}"),
            Op::Scheduler { .. } => f.write_str("set scheduler"),
            Op::IoPriority { value } => write!(
                f,
                "set I/O priority class {} level {}",
                value >> 13,
                value & 0x1fff
            ),
            Op::Affinity { .. } => f.write_str("set CPU affinity"),
            Op::AllCpus {} => f.write_str("run on all CPUs of the cgroup"),
            Op::MemoryPolicy { mode, .. } => write!(f, "set memory policy {mode:#x}"),
            Op::Personality { domain } => write!(f, "set personality {domain:#x}"),
            Op::NoNewPrivileges {} => f.write_str("allow no new privileges"),
            Op::BoundingSet { keep } => {
                write!(f, "bound capabilities to {}", capabilities::names(keep))
            }
            Op::Identity {
                uid, gid, groups, ..
            } => {
                write!(f, "become uid {} gid {} groups", id(uid), id(gid))?;
                for group in groups.0.chunks_exact(4) {
                    write!(
                        f,
                        " {}",
                        u32::from_ne_bytes(group.try_into().unwrap_or_default())
                    )?;
                }
                if groups.0.is_empty() {
                    f.write_str(" none")
                } else {
                    Ok(())
                }
            }
            Op::Capabilities {
                effective,
                permitted,
                inheritable,
            } => {
                write!(
                    f,
                    "hold capabilities effective {}",
                    capabilities::names(effective)
                )?;
                write!(f, "; permitted {}", capabilities::names(permitted))?;
                write!(f, "; inheritable {}", capabilities::names(inheritable))
            }
            Op::Ambient { set } => {
                write!(f, "raise ambient capabilities {}", capabilities::names(set))
            }
            Op::Home { uid } => write!(f, "set HOME from /etc/passwd for uid {uid}"),
            Op::Chdir { path } => write!(f, "change directory to {}", Word(path)),
            Op::FindExecutable { candidates } => {
                write!(f, "find program among {}", Words(candidates))
            }
            Op::Seal {} => f.write_str("close all other descriptors on exec; restore SIGPIPE"),
            Op::LandlockRuleset { rights, .. } => {
                f.write_str("landlock: make a ruleset that handles")?;
                for (kind, bits) in rights.into_iter().enumerate() {
                    match bits {
                        0 => {}
                        _ if kind < 3 => write!(f, " {}", landlock::names(kind, bits))?,
                        _ => write!(f, ", quietly {}", landlock::names(kind - 3, bits))?,
                    }
                }
                Ok(())
            }
            Op::LandlockPath {
                path,
                access,
                flags,
                ..
            } => {
                let access = Allowed(0, access, flags);
                write!(f, "landlock: {access} below {}", Word(path))
            }
            Op::LandlockPort {
                port,
                access,
                flags,
                ..
            } => {
                let access = Allowed(1, access, flags);
                write!(f, "landlock: {access} on port {port}")
            }
            Op::LandlockRestrict { flags, .. } => {
                f.write_str("landlock: restrict the process")?;
                match flags {
                    0 => Ok(()),
                    flags => write!(f, " with {}", landlock::names(3, flags.into())),
                }
            }
            Op::HookOutput { number, .. } => {
                let name = if number == 2 { "error" } else { "output" };
                write!(f, "add hooks' standard {name} to")
            }
            Op::SeccompListener { flags, filter } => {
                write!(
                    f,
                    "install seccomp filter of {} instructions, flags {flags:#x}, and hand on its listener",
                    filter.0.len() / 8
                )
            }
            Op::Seccomp { flags, filter } => {
                write!(
                    f,
                    "install seccomp filter of {} instructions, flags {flags:#x}",
                    filter.0.len() / 8
                )
            }
        }
    }
}

fn stage_name(number: u32) -> &'static str {
    match number {
        stage::MAPS => "id maps",
        stage::RUNTIME_HOOKS => "prestart and createRuntime hooks",
        stage::CREATED => "created",
        stage::LISTENER => "seccomp listener",
        _ => "?",
    }
}
