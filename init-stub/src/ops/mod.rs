//! The operations, a file for each family.

mod console;
mod copy_up;
mod devices;
mod exec;
mod filters;
mod hooks;
mod identity;
mod landlock;
mod legacy;
mod masks;
mod mounts;
mod namespaces;
mod paths;
mod process;
mod root;
mod text;
mod tree;
mod walk;

pub use tree::{Recipe, Tree};

use crate::machine::Machine;
use crate::sys::Outcome;
use crate::wire::{self, Fields, Malformed, OPERATIONS, Reader, of};

/// A function for each operation, at the place of its code, that takes the fields from where they were read to.
macro_rules! operations {
    ($machine:ident; $( $name:ident { $( $field:ident ),* $(,)? } => $run:expr, )*) => {
        #[allow(unused_variables)]
        const OPS: [fn(&mut Machine, &Fields<'static>) -> Outcome; OPERATIONS] = {
            assert!([$( of::$name::CODE ),*].len() == OPERATIONS);
            let mut table: [fn(&mut Machine, &Fields<'static>) -> Outcome; OPERATIONS] =
                [|_, _| Err(Malformed.into()); OPERATIONS];
            $( table[of::$name::CODE as usize] = |$machine, fields| {
                let of::$name { $( $field, )* .. } = of::$name::from_fields(fields);
                $run
            }; )*
            table
        };
    };
}

/// Runs the next operation.
pub fn run(machine: &mut Machine, program: &mut Reader<'static>) -> Outcome {
    let (code, fields) = wire::read(program)?;
    OPS.get(usize::from(code)).ok_or(Malformed)?(machine, &fields)
}

operations! { machine;
    Rendezvous { stage } => process::rendezvous(machine, stage),
    Report { stage } => machine.report_stage(stage),
    AwaitStart { listener } => process::await_start(machine, listener),
    Hook {
        name,
        path,
        argv,
        envp,
        home,
        timeout_msec,
        state_head,
        state_tail,
    } => {
        let hook = hooks::Hook {
            name,
            path,
            argv,
            envp,
            home: home != 0,
            timeout_msec,
            state_head,
            state_tail,
        };
        hooks::run(machine, &hook)
    },
    Exec { argv, envp } => exec::exec(machine, argv, envp),

    Undumpable {} => process::set_dumpable(false),
    Dumpable { listener } => process::show(machine, listener),
    JoinCgroup { tasks } => namespaces::join_cgroup(machine, tasks),
    Setns { namespace, flags } => namespaces::join(machine, namespace, flags),
    SetnsEarly { namespace, flags } => namespaces::join_early(machine, namespace, flags),
    Unshare { flags } => namespaces::unshare(flags),
    TimeNamespace { proc, offsets } => namespaces::time(machine, proc, offsets),
    BecomeRoot { keep_groups } => identity::become_root(keep_groups != 0),
    Keyring { name, permissions } => process::keyring(name, permissions),
    Setsid {} => process::session(),
    LoopbackUp {} => namespaces::loopback_up(machine),
    Hostname { name } => namespaces::hostname(name),
    Domainname { name } => namespaces::domainname(name),
    WriteProc { proc, path, value } => process::write_proc(machine, proc, path, value),

    Propagation { flags } => root::propagation(flags),
    ParentPrivate { path, slave } => root::parent_private(path, slave != 0),
    OpenRoot { path, recursive } => root::open(machine, path, recursive != 0),
    UseRoot { path } => root::take(machine, path),
    FsTree {
        fstype,
        source,
        options,
        sb_flags,
        attributes,
        entry,
    } => mounts::new(machine, fstype, source, options, (sb_flags, attributes), entry),
    PathTree {
        path,
        recursive,
        nofollow,
        entry,
    } => mounts::copy(machine, path, (recursive != 0, nofollow != 0), entry),
    AskTree {
        index,
        path,
        recursive,
        nofollow,
        privileged,
    } => {
        let how = (recursive != 0, nofollow != 0);
        mounts::ask(machine, index, path, how, privileged != 0)
    },
    Cgroup2Tree {
        source,
        options,
        attributes,
        fallback,
    } => mounts::cgroup2(machine, source, options, attributes, fallback),
    TreeAttributes {
        set,
        clear,
        propagation,
        recursive,
    } => {
        let change = tree::Change {
            set,
            clear,
            propagation,
            recursive: recursive != 0,
            ..Default::default()
        };
        mounts::change(machine, change)
    },
    BindAttributes {
        set,
        clear,
        cleared,
    } => {
        let change = tree::Change {
            set,
            clear,
            cleared,
            keep_locked: true,
            ..Default::default()
        };
        mounts::change(machine, change)
    },
    RequireProc {} => mounts::require_proc(machine),
    Covered { target } => mounts::cover(machine, target),
    HideHost { path } => mounts::hide(path),
    KeepTree { index } => mounts::keep(machine, index),
    KeptTree { index, path } => mounts::kept(machine, index, path),
    EnterTree { path } => root::enter(machine, path),
    Unmount { target } => mounts::unmount(machine, target),
    Attach {
        target,
        create,
        follow,
    } => mounts::attach(machine, target, create, follow),
    CopyUp { target } => mounts::copy_into(machine, target),
    Remount {
        target,
        flags,
        data,
    } => mounts::remount(machine, target, flags, data),
    MakeDirectory { path, mode } => devices::directory(machine, path, mode),
    Symlink { target, path } => devices::link(machine, target, path),
    ExactLink {
        target,
        path,
        replace,
    } => devices::exact_link(machine, target, path, replace != 0),
    ReopenNull { streams } => devices::reopen_null(machine, streams),
    MakeDevice {
        path,
        mode,
        major,
        minor,
        uid,
        gid,
    } => devices::node(machine, path, mode, (major, minor), (uid, gid)),
    Mask { paths } => masks::mask(machine, paths),
    ReadonlyPaths { directory, paths } => masks::read_only(machine, directory, paths),
    PivotRoot { peers } => root::pivot(machine, peers != 0),
    MoveRoot {} => root::move_over(machine),
    ChangeRoot {} => root::change(machine),
    RootReadonly {} => root::read_only(machine),
    RootPropagation { flags } => root::propagation(flags),

    Console {
        socket,
        name,
        columns,
        rows,
        uid,
        mount,
    } => console::open(machine, socket, name, (columns, rows), uid, mount != 0),
    Rlimit {
        resource,
        soft,
        hard,
    } => process::limit(resource, soft, hard),
    Umask { mask } => process::umask(mask),
    Scheduler { attributes } => process::scheduler(attributes),
    IoPriority { value } => process::io_priority(value),
    Affinity { mask } => process::affinity(mask),
    AllCpus {} => process::all_cpus(),
    MemoryPolicy { mode, nodes } => process::memory_policy(mode, nodes),
    Personality { domain } => process::personality(domain),
    NoNewPrivileges {} => identity::no_new_privileges(),
    BoundingSet { keep } => identity::bound(keep),
    Identity {
        uid,
        gid,
        set_groups,
        groups,
    } => identity::change(uid, gid, set_groups != 0, groups),
    Capabilities {
        effective,
        permitted,
        inheritable,
    } => identity::capabilities(effective, permitted, inheritable),
    Ambient { set } => identity::ambient(set),
    Home { uid } => exec::home(machine, uid),
    Chdir { path } => exec::change_directory(path),
    FindExecutable { candidates } => exec::find(machine, candidates),
    Seccomp { flags, filter } => filters::seccomp(flags, filter),
    SeccompListener { flags, filter } => filters::listener(machine, flags, filter),
    Seal {} => filters::seal(machine),
    LandlockRuleset { index, rights } => landlock::create(machine, index, &rights),
    LandlockPath {
        index,
        path,
        access,
        file_access,
        flags,
        optional,
    } => {
        let rule = landlock::Rule { index, flags };
        landlock::path(machine, rule, path, [access, file_access], optional != 0)
    },
    LandlockPort {
        index,
        port,
        access,
        flags,
    } => landlock::port(machine, landlock::Rule { index, flags }, access, port),
    LandlockRestrict { index, flags } => landlock::restrict(machine, index, flags),
    Fork {} => process::go_on_as_child(machine),
    HookOutput { number, file } => hooks::output(machine, number, file),
}
