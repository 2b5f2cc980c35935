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
mod walk;

pub use mounts::Tree;

use crate::machine::{Machine, Outcome};
use crate::wire::Op;

/// Runs one operation.
pub fn run(machine: &mut Machine, op: Op<'static>) -> Outcome {
    match op {
        Op::Rendezvous { stage } => process::rendezvous(machine, stage),
        Op::Report { stage } => machine.report_stage(stage),
        Op::AwaitStart { listener } => process::await_start(machine, listener),
        Op::Hook {
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
        }
        Op::Exec { argv, envp } => exec::exec(machine, argv, envp),

        Op::Undumpable {} => process::set_dumpable(false),
        Op::Dumpable { listener } => process::show(machine, listener),
        Op::JoinCgroup { tasks } => namespaces::join_cgroup(machine, tasks),
        Op::Setns { namespace, flags } => namespaces::join(machine, namespace, flags),
        Op::SetnsEarly { namespace, flags } => namespaces::join_early(machine, namespace, flags),
        Op::Unshare { flags } => namespaces::unshare(flags),
        Op::TimeNamespace { proc, offsets } => namespaces::time(machine, proc, offsets),
        Op::BecomeRoot { keep_groups } => identity::become_root(keep_groups != 0),
        Op::Keyring { name, permissions } => process::keyring(name, permissions),
        Op::Setsid {} => process::session(),
        Op::LoopbackUp {} => namespaces::loopback_up(machine),
        Op::Hostname { name } => namespaces::hostname(name),
        Op::Domainname { name } => namespaces::domainname(name),
        Op::WriteProc { proc, path, value } => process::write_proc(machine, proc, path, value),

        Op::Propagation { flags } => root::propagation(flags),
        Op::ParentPrivate { path, slave } => root::parent_private(path, slave != 0),
        Op::OpenRoot { path, recursive } => root::open(machine, path, recursive != 0),
        Op::UseRoot { path } => root::take(machine, path),
        Op::FsTree {
            fstype,
            source,
            options,
            sb_flags,
            attributes,
        } => mounts::new(machine, fstype, source, options, sb_flags, attributes),
        Op::PathTree {
            path,
            recursive,
            nofollow,
        } => mounts::copy(machine, path, recursive != 0, nofollow != 0),
        Op::AskTree {
            index,
            path,
            recursive,
            nofollow,
            privileged,
        } => {
            let how = (recursive != 0, nofollow != 0);
            mounts::ask(machine, index, path, how, privileged != 0)
        }
        Op::Cgroup2Tree {
            source,
            options,
            attributes,
            fallback,
        } => mounts::cgroup2(machine, source, options, attributes, fallback),
        Op::TreeAttributes {
            set,
            clear,
            propagation,
            recursive,
        } => {
            let change = mounts::Change {
                set,
                clear,
                propagation,
                recursive: recursive != 0,
                ..Default::default()
            };
            mounts::change(machine, change)
        }
        Op::BindAttributes {
            set,
            clear,
            cleared,
        } => {
            let change = mounts::Change {
                set,
                clear,
                cleared,
                keep_locked: true,
                ..Default::default()
            };
            mounts::change(machine, change)
        }
        Op::RequireProc {} => mounts::require_proc(machine),
        Op::Covered { target } => mounts::cover(machine, target),
        Op::HideHost { path } => mounts::hide(path),
        Op::KeepTree { index } => mounts::keep(machine, index),
        Op::KeptTree { index, path } => mounts::kept(machine, index, path),
        Op::EnterTree { path } => root::enter(machine, path),
        Op::Unmount { target } => mounts::unmount(machine, target),
        Op::Attach {
            target,
            create,
            follow,
        } => mounts::attach(machine, target, create, follow),
        Op::CopyUp { target } => mounts::copy_into(machine, target),
        Op::Remount {
            target,
            flags,
            data,
        } => mounts::remount(machine, target, flags, data),
        Op::MakeDirectory { path, mode } => devices::directory(machine, path, mode),
        Op::Symlink { target, path } => devices::link(machine, target, path),
        Op::ExactLink {
            target,
            path,
            replace,
        } => devices::exact_link(machine, target, path, replace != 0),
        Op::ReopenNull { streams } => devices::reopen_null(machine, streams),
        Op::MakeDevice {
            path,
            mode,
            major,
            minor,
            uid,
            gid,
        } => devices::node(machine, path, mode, (major, minor), (uid, gid)),
        Op::Mask { paths } => masks::mask(machine, paths),
        Op::ReadonlyPaths { paths } => masks::read_only(machine, paths),
        Op::PivotRoot { peers } => root::pivot(machine, peers != 0),
        Op::MoveRoot {} => root::move_over(machine),
        Op::ChangeRoot {} => root::change(machine),
        Op::RootReadonly {} => root::read_only(machine),
        Op::RootPropagation { flags } => root::propagation(flags),

        Op::Console {
            socket,
            name,
            columns,
            rows,
            uid,
            mount,
        } => console::open(machine, socket, name, (columns, rows), uid, mount != 0),
        Op::Rlimit {
            resource,
            soft,
            hard,
        } => process::limit(resource, soft, hard),
        Op::Umask { mask } => process::umask(mask),
        Op::Scheduler { attributes } => process::scheduler(attributes),
        Op::IoPriority { value } => process::io_priority(value),
        Op::Affinity { mask } => process::affinity(mask),
        Op::AllCpus {} => process::all_cpus(),
        Op::MemoryPolicy { mode, nodes } => process::memory_policy(mode, nodes),
        Op::Personality { domain } => process::personality(domain),
        Op::NoNewPrivileges {} => identity::no_new_privileges(),
        Op::BoundingSet { keep } => identity::bound(keep),
        Op::Identity {
            uid,
            gid,
            set_groups,
            groups,
        } => identity::change(uid, gid, set_groups != 0, groups),
        Op::Capabilities {
            effective,
            permitted,
            inheritable,
        } => identity::capabilities(effective, permitted, inheritable),
        Op::Ambient { set } => identity::ambient(set),
        Op::Home { uid } => exec::home(machine, uid),
        Op::Chdir { path } => exec::change_directory(path),
        Op::FindExecutable { candidates } => exec::find(machine, candidates),
        Op::Seccomp { flags, filter } => filters::seccomp(flags, filter),
        Op::SeccompListener { flags, filter } => filters::listener(machine, flags, filter),
        Op::Seal {} => filters::seal(machine),
        Op::LandlockRuleset { index, rights } => landlock::create(machine, index, &rights),
        Op::LandlockPath {
            index,
            path,
            access,
            file_access,
            flags,
            optional,
        } => {
            let rule = landlock::Rule { index, flags };
            landlock::path(machine, rule, path, [access, file_access], optional != 0)
        }
        Op::LandlockPort {
            index,
            port,
            access,
            flags,
        } => landlock::port(machine, landlock::Rule { index, flags }, access, port),
        Op::LandlockRestrict { index, flags } => landlock::restrict(machine, index, flags),
        Op::Fork {} => process::go_on_as_child(machine),
        Op::HookOutput { number, file } => hooks::output(machine, number, file),
    }
}
