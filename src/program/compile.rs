//! The life of a container's first process, from clone to the user's program, as operations in their order.

use super::options::flag;
use super::wire::{Op, Slot, Text, stage};
use super::{Facts, Handle, Program, devices, landlock, mounts, process, slices};
use crate::error::Result;
use crate::json;
use crate::oci::{
    Clock, Config, Linux, Namespace, NamespaceType, Process, Propagation, State, Status,
    TimeOffset, annotation,
};

/// Namespaces that the stub joins, in the order in which it does so, with their `CLONE_NEW*` flags.
const JOINED: &[(NamespaceType, i32)] = &[
    (NamespaceType::User, libc::CLONE_NEWUSER),
    (NamespaceType::Ipc, libc::CLONE_NEWIPC),
    (NamespaceType::Uts, libc::CLONE_NEWUTS),
    (NamespaceType::Network, libc::CLONE_NEWNET),
    (NamespaceType::Cgroup, libc::CLONE_NEWCGROUP),
    (NamespaceType::Mount, libc::CLONE_NEWNS),
];

/// Namespaces that only the children of a process are in.
const OF_CHILDREN: [(NamespaceType, i32); 2] = [
    (NamespaceType::Pid, libc::CLONE_NEWPID),
    (NamespaceType::Time, CLONE_NEWTIME),
];

/// clone(2)'s flag for a time namespace, which libc does not have for all targets.
pub const CLONE_NEWTIME: i32 = 0x80;

/// Compiles the program of a container's first process. The configuration has been checked.
pub fn container(config: &Config, facts: &Facts) -> Result<Program> {
    let mut program = Program::new(facts.preserve_fds);
    let linux = &config.linux;
    let own_mounts = linux.namespace(NamespaceType::Mount).is_some();
    let mounts = own_mounts || mounts_for_host(config);

    for index in 0..facts.hierarchies {
        let tasks = program.slot(Handle::Tasks(index));
        program.push(Op::JoinCgroup { tasks });
    }
    program.push(Op::AllCpus {});
    let user = linux.namespace(NamespaceType::User);
    // In a new user namespace only the host's root can do this: the runtime does.
    if let Some(process) = config.process.as_ref().filter(|_| !new(user)) {
        process::oom_score(process, &mut program);
    }
    // One that is joined takes away the right to raise limits.
    let joins_user = joined(user);
    if let Some(process) = config.process.as_ref().filter(|_| joins_user) {
        process::limits(process, &mut program)?;
    }
    namespaces(config, facts, &mut program);
    if let Some(process) = &config.process {
        let mut permissions = key::DEFAULT | key::USER_SEARCH;
        if user.is_some() {
            permissions |= key::OTHER_SEARCH;
        }
        keyring(process, facts, permissions, &mut program);
    }
    program.push(Op::Setsid {});
    if new(linux.namespace(NamespaceType::Network)) {
        program.push(Op::LoopbackUp {});
    }

    let propagation_flags = match linux.rootfs_propagation {
        None => flag::SLAVE | flag::REC,
        // Nothing could be bound then: that comes once all is in place.
        Some(Propagation::Unbindable) => flag::PRIVATE,
        Some(Propagation::Runbindable) => flag::PRIVATE | flag::REC,
        Some(kind) => propagation(kind),
    };
    // Where mounts become shared, or some may stay so.
    let peers = propagation_flags & flag::SHARED != 0 || propagation_flags & flag::REC == 0;
    if facts.tree_namespace {
        mounts::keep_sources(config, facts, &mut program);
        program.push(Op::EnterTree {
            path: text(&facts.rootfs),
        });
        program.push(Op::Propagation {
            flags: propagation_flags,
        });
    } else if own_mounts {
        program.push(Op::Propagation {
            flags: propagation_flags,
        });
        let path = text(&facts.rootfs);
        if peers {
            let slave = propagation_flags & flag::SLAVE != 0;
            program.push(Op::ParentPrivate {
                path,
                slave: slave.into(),
            });
        }
        program.push(Op::OpenRoot { path, recursive: 1 });
    } else if mounts {
        let path = text(&facts.rootfs);
        program.push(Op::OpenRoot { path, recursive: 1 });
        // What is mounted in the container does not show below the rootfs's own mount.
        program.push(Op::ParentPrivate { path, slave: 0 });
    } else {
        program.push(Op::UseRoot {
            path: text(&facts.rootfs),
        });
    }
    if mounts {
        mounts::compile(config, facts, &mut program)?;
    }
    if !config.hooks.prestart.is_empty() || !config.hooks.create_runtime.is_empty() {
        program.push(Op::Rendezvous {
            stage: stage::RUNTIME_HOOKS,
        });
    }
    hook_output(config, &mut program);
    push_hooks(
        "createContainer",
        config,
        facts,
        Status::Creating,
        &mut program,
    )?;
    match (own_mounts, facts.no_pivot) {
        // It is the root already.
        (true, false) if facts.tree_namespace => {}
        (true, false) => program.push(Op::PivotRoot {
            peers: peers.into(),
        }),
        (true, true) => {
            // What a chroot leaves reachable could be mounted anew by whoever makes a user namespace inside.
            for path in &facts.host_mounts {
                program.push(Op::HideHost { path: text(path) });
            }
            program.push(Op::MoveRoot {});
        }
        (false, _) => program.push(Op::ChangeRoot {}),
    }
    if let (true, Some(kind @ (Propagation::Shared | Propagation::Rshared))) =
        (own_mounts, linux.rootfs_propagation)
    {
        program.push(Op::RootPropagation {
            flags: propagation(kind),
        });
    }
    if let Some(process) = &config.process {
        process::terminal(process, facts, mounts, &mut program)?;
    }
    if mounts {
        devices::streams(config, facts, &mut program);
    }

    let uts = linux.namespace(NamespaceType::Uts).is_some();
    if let Some(name) = config
        .hostname
        .as_deref()
        .filter(|name| uts && !name.is_empty())
    {
        program.push(Op::Hostname { name: name.into() });
    }
    if let Some(name) = config
        .domainname
        .as_deref()
        .filter(|name| uts && !name.is_empty())
    {
        program.push(Op::Domainname { name: name.into() });
    }
    for (key, value) in &linux.sysctl {
        let path = crate::check::sysctl_path(key);
        if path == "kernel/domainname" {
            // A user namespace's root may not write that file, though the name is its own.
            program.push(Op::Domainname {
                name: value.as_str().into(),
            });
            continue;
        }
        let proc = program.slot(Handle::Proc);
        let path = format!("sys/{path}");
        program.push(Op::WriteProc {
            proc,
            path: path.as_str().into(),
            value: value.as_str().into(),
        });
    }
    if mounts {
        mounts::finish(config, facts, &mut program);
    }
    if let (true, Some(kind @ (Propagation::Unbindable | Propagation::Runbindable))) =
        (own_mounts, linux.rootfs_propagation)
    {
        program.push(Op::RootPropagation {
            flags: propagation(kind),
        });
    }

    let Some(process) = &config.process else {
        return Ok(program);
    };
    if !joins_user {
        process::limits(process, &mut program)?;
    }
    process::surroundings(process, linux, &mut program)?;
    let new_user_namespace = new(linux.namespace(NamespaceType::User));
    let identity = process::identity(
        process,
        facts,
        new_user_namespace,
        user.is_some(),
        &mut program,
    );
    let filter = super::seccomp::of(config)?;
    // Where nothing comes between, the kernel may find it on its own.
    let straight = !facts.await_start
        && filter.is_none()
        && process.landlock.0.is_empty()
        && config.hooks.start_container.is_empty();
    if !straight
        || !process
            .args
            .first()
            .is_some_and(|name| name.starts_with('/'))
    {
        process::find(process, &mut program)?;
    }
    // Nobody but the host's root could look at its namespaces, to join them: it was not executed in this user's.
    if facts.await_start && joins_user && facts.unprivileged {
        let listener = program.slot(Handle::StartListener);
        program.push(Op::Dumpable { listener });
    }
    landlock::rulesets(&process.landlock.0, facts.landlock_abi, &mut program)?;
    if facts.await_start {
        let listener = program.slot(Handle::StartListener);
        program.push(Op::Report {
            stage: stage::CREATED,
        });
        program.push(Op::AwaitStart { listener });
    }
    process::confine(process, filter.as_ref(), &identity, facts, &mut program)?;
    // They run in the container, and are confined as it is.
    push_hooks(
        "startContainer",
        config,
        facts,
        Status::Created,
        &mut program,
    )?;
    process::execute(process, &mut program);
    Ok(program)
}

/// Whether the mounts are made in the host's mount namespace, as with runc, since the container is to have no other.
pub fn mounts_for_host(config: &Config) -> bool {
    let has = |kind| config.linux.namespace(kind).is_some();
    !has(NamespaceType::Mount) && !has(NamespaceType::User)
}

/// Permissions of a keyring, as the kernel makes one and as a later `exec` finds it: keyrings(7).
mod key {
    /// The possessor may do all; the user may view, read and link.
    pub const DEFAULT: u32 = 0x3f13_0000;
    /// The user may search.
    pub const USER_SEARCH: u32 = 0x0008_0000;
    /// Everybody may search: the maker of a user namespace is another user than its root, but for an ordinary user's.
    pub const OTHER_SEARCH: u32 = 0x0000_0008;
}

/// The container's session keyring, with the process's label: its keys are not those of the runtime's caller.
pub fn keyring(process: &Process, facts: &Facts, permissions: u32, program: &mut Program) {
    if facts.no_new_keyring {
        return;
    }
    const LABEL: &str = "self/attr/keycreate";
    let name = format!("_ses.{}", facts.id);
    if let Some(label) = &process.selinux_label {
        process::write_self(LABEL, label, program);
    }
    program.push(Op::Keyring {
        name: Text::from(name.as_str()),
        permissions,
    });
    if process.selinux_label.is_some() {
        process::write_self(LABEL, "", program);
    }
}

/// Joins and makes namespaces. Those that do not belong to a user namespace that is joined need the rights from before
/// it, those that do the rights in it.
fn namespaces(config: &Config, facts: &Facts, program: &mut Program) {
    let linux = &config.linux;
    let user = linux.namespace(NamespaceType::User);
    program.push(Op::Undumpable {});
    let slot = |&(kind, flags): &(NamespaceType, i32), program: &mut Program| {
        let path = linux.namespace(kind)?.path.as_ref()?;
        let slot = program.slot(Handle::Namespace(kind, path.into()));
        Some((kind, slot, flags as u32))
    };
    let [pid, _] = &OF_CHILDREN;
    // Who is in it already may have CAP_SYS_PTRACE, and must not find a process in it that still is the runtime. With a
    // user namespace nobody in there has rights over the runtime.
    if user.is_none()
        && let Some((_, namespace, flags)) = slot(pid, program)
    {
        program.push(Op::Setns { namespace, flags });
        program.push(Op::Fork {});
    }
    let joined_now: Vec<(NamespaceType, Slot, u32)> = JOINED
        .iter()
        // Beside a new user namespace, the runtime joins the others before it makes that.
        .filter(|(kind, _)| !new(user) || *kind == NamespaceType::Mount)
        .filter_map(|one| slot(one, program))
        .collect();
    if joined(user) && !facts.unprivileged {
        for &(_, namespace, flags) in &joined_now[1..] {
            program.push(Op::SetnsEarly { namespace, flags });
        }
    }
    for (kind, namespace, flags) in joined_now {
        program.push(Op::Setns { namespace, flags });
        if kind == NamespaceType::User {
            program.push(Op::BecomeRoot {
                keep_groups: facts.keep_groups.into(),
            });
        }
    }
    // Without rights over the host, those of the children have to wait for them, too.
    let mut forks = false;
    if joined(user) && facts.unprivileged {
        for one in &OF_CHILDREN {
            if let Some((_, namespace, flags)) = slot(one, program) {
                program.push(Op::Setns { namespace, flags });
                forks = true;
            }
        }
    }
    let mut flags = made_inside(config, facts);
    if flags & CLONE_NEWTIME != 0 {
        let offsets = time_offsets(linux);
        let proc = program.slot(Handle::Proc);
        program.push(Op::TimeNamespace {
            proc,
            offsets: offsets.as_str().into(),
        });
        flags &= !CLONE_NEWTIME;
        forks = true;
    }
    if new(linux.namespace(NamespaceType::Cgroup)) {
        flags |= libc::CLONE_NEWCGROUP;
    }
    if flags != 0 {
        program.push(Op::Unshare {
            flags: flags as u32,
        });
    }
    if forks || flags & libc::CLONE_NEWPID != 0 {
        program.push(Op::Fork {});
    }
    // Maps that are given beside a path are those that it has.
    if joined(user) && linux.uid_mappings.len() + linux.gid_mappings.len() > 0 {
        program.push(Op::Rendezvous { stage: stage::MAPS });
    }
}

/// The new namespaces that are not made with the process. Beside a user namespace that is joined, they are to belong to
/// that one; devices need a network to move into before. Without rights over the host, a time namespace is made in the
/// user namespace, and one of PIDs for the child that is the first in both.
fn made_inside(config: &Config, facts: &Facts) -> i32 {
    let linux = &config.linux;
    let user = linux.namespace(NamespaceType::User);
    let own_time = facts.unprivileged && new(linux.namespace(NamespaceType::Time));
    if !joined(user) && (user.is_none() || !own_time) {
        return 0;
    }
    JOINED
        .iter()
        .chain(&OF_CHILDREN)
        .filter(|(kind, _)| match kind {
            NamespaceType::Cgroup => false,
            NamespaceType::Network => joined(user) && linux.net_devices.is_empty(),
            NamespaceType::Pid | NamespaceType::Time => true,
            _ => joined(user),
        })
        .filter(|(kind, _)| new(linux.namespace(*kind)))
        .fold(0, |all, (_, flag)| all | flag)
}

/// crun's annotations: where the output of hooks goes.
fn hook_output(config: &Config, program: &mut Program) {
    let hooks = &config.hooks;
    if hooks.create_container.is_empty() && hooks.start_container.is_empty() {
        return;
    }
    for (number, name) in (1..).zip(annotation::HOOK_OUTPUT) {
        if let Some(path) = config.annotations.get(name) {
            let file = program.slot(Handle::HookOutput(path.into()));
            program.push(Op::HookOutput { number, file });
        }
    }
}

/// The hooks of a kind that run inside. One that has no environment of its own gets the process's, as with runc.
fn push_hooks(
    kind: &str,
    config: &Config,
    facts: &Facts,
    status: Status,
    program: &mut Program,
) -> Result<()> {
    let lists = config.hooks.lists();
    let hooks = lists.iter().find(|(name, _)| *name == kind);
    let hooks = hooks.map_or(&[][..], |(_, hooks)| hooks);
    if hooks.is_empty() {
        return Ok(());
    }
    let (head, tail) = hook_state(config, facts, status);
    let inherited = config
        .process
        .as_ref()
        .map_or(&[][..], |process| &process.env);
    for (index, hook) in hooks.iter().enumerate() {
        let name = format!("{kind} hook #{index}");
        let argv = if hook.args.is_empty() {
            slices(std::slice::from_ref(&hook.path))
        } else {
            slices(&hook.args)
        };
        let inherits = hook.env.is_empty();
        let env = if inherits { inherited } else { &hook.env };
        program.push(Op::Hook {
            name: name.as_str().into(),
            path: hook.path.as_str().into(),
            argv: super::wire::List::Made(&argv),
            envp: super::wire::List::Made(&slices(env)),
            home: inherits.into(),
            timeout_msec: hook
                .timeout
                .unwrap_or(0)
                .saturating_mul(1000)
                .try_into()
                .unwrap_or(u32::MAX),
            state_head: head.as_str().into(),
            state_tail: tail.as_str().into(),
        });
    }
    Ok(())
}

/// The state that hooks inside the container get, before and after the pid that only they know.
pub fn hook_state(config: &Config, facts: &Facts, status: Status) -> (String, String) {
    const PID: i32 = 2_000_000_001;
    let state = State {
        oci_version: config.oci_version.clone(),
        id: facts.id.clone(),
        status,
        pid: PID,
        bundle: facts.bundle.to_string_lossy().into_owned(),
        annotations: config.annotations.clone(),
    };
    let json = String::from_utf8_lossy(&json::text(&state)).into_owned();
    let (head, tail) = json.split_once(&PID.to_string()).unwrap_or((&json, ""));
    (head.to_string(), tail.to_string())
}

/// The offsets of a new time namespace, as `/proc/PID/timens_offsets` takes them.
pub fn time_offsets(linux: &Linux) -> String {
    let line = |(clock, offset): (&Clock, &TimeOffset)| {
        format!("{} {} {}\n", clock.name(), offset.secs, offset.nanosecs)
    };
    linux.time_offsets.iter().map(line).collect()
}

/// Whether the namespace is one to be made.
pub fn new(namespace: Option<&Namespace>) -> bool {
    namespace.is_some_and(|namespace| namespace.path.is_none())
}

/// Whether the namespace is one to be joined.
fn joined(namespace: Option<&Namespace>) -> bool {
    namespace.is_some_and(|namespace| namespace.path.is_some())
}

fn propagation(kind: Propagation) -> u64 {
    match kind {
        Propagation::Private => flag::PRIVATE,
        Propagation::Rprivate => flag::PRIVATE | flag::REC,
        Propagation::Slave => flag::SLAVE,
        Propagation::Rslave => flag::SLAVE | flag::REC,
        Propagation::Shared => flag::SHARED,
        Propagation::Rshared => flag::SHARED | flag::REC,
        Propagation::Unbindable => flag::UNBINDABLE,
        Propagation::Runbindable => flag::UNBINDABLE | flag::REC,
    }
}

pub(super) fn text(path: &std::path::Path) -> Text<'_> {
    use std::os::unix::ffi::OsStrExt;
    Text::new(path.as_os_str().as_bytes())
}

/// The program of a process that only waits in its namespaces, until its maps are written or it is killed.
pub fn waiter() -> Program {
    let mut program = Program::new(0);
    program.push(Op::Rendezvous { stage: stage::MAPS });
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(json: &str, tree_namespace: bool) -> Vec<String> {
        let config: Config = crate::oci::parse(json.as_bytes(), "config.json").unwrap();
        let facts = Facts {
            rootfs: "/bundle/rootfs".into(),
            bundle: "/bundle".into(),
            bounding: u64::MAX,
            tree_namespace,
            ..Facts::default()
        };
        assert!(mounts::can_enter_tree(&config, &facts));
        let program = container(&config, &facts).unwrap();
        let word = |op: Op<'_>| format!("{op:?}").split(' ').next().map(String::from);
        program.ops().filter_map(word).collect()
    }

    const CONFIG: &str = r#"{"linux": {"namespaces": [{"type": "mount"}]}, "mounts": [
        {"destination": "/tmp", "type": "tmpfs"},
        {"destination": "/mnt", "type": "bind", "source": "/srv", "options": ["rbind"]}
    ]}"#;

    #[test]
    fn what_is_bound_is_kept_until_the_rootfs_has_a_namespace_of_its_own() {
        let names = names(CONFIG, true);
        let at = |name: &str| names.iter().position(|one| one == name).unwrap();
        assert!(at("PathTree") < at("KeepTree") && at("KeepTree") < at("EnterTree"));
        assert!(at("EnterTree") < at("FsTree") && at("FsTree") < at("KeptTree"));
        let gone = |name: &&str| !names.iter().any(|one| one == name);
        assert!(["OpenRoot", "PivotRoot"].iter().all(gone));
    }

    #[test]
    fn without_one_the_host_is_pivoted_away() {
        let names = names(CONFIG, false);
        assert!(names.iter().any(|one| one == "PivotRoot"));
        assert!(
            !names
                .iter()
                .any(|one| one.ends_with("EnterTree") || one == "KeepTree")
        );
    }
}
