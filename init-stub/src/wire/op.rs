//! The operations: what a program is made of.

use super::value::{Fields, MOST_FIELDS, join_forms};
use super::{Bytes, List, Malformed, Reader, Sink, Slot, Text, Wire};
#[cfg(doc)]
use super::{Message, stage};
use core::marker::PhantomData;

macro_rules! operations {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$field_doc:meta])* $field:ident : $ty:ty, )* } )*) => {
        /// One step of a container's start.
        #[derive(Debug, Clone, Copy)]
        pub enum Op<'a> {
            $( $(#[$doc])* $name { $( $(#[$field_doc])* $field: $ty, )* }, )*
        }

        /// Each operation's code: its place among them.
        enum Code { $( $name, )* }

        /// The fields of each operation.
        pub mod of {
            use super::*;

            $(
                /// The fields of the operation of this name.
                pub struct $name<'a> {
                    $( $(#[$field_doc])* pub $field: $ty, )*
                    _program: PhantomData<&'a [u8]>,
                }

                impl<'a> $name<'a> {
                    /// The operation's code.
                    pub const CODE: u8 = Code::$name as u8;

                    const FORM: u32 = {
                        let (form, fields) = (0, 0);
                        $(
                            let form = join_forms(form, fields, <$ty as Wire<'_>>::FORM);
                            let fields = fields + <$ty as Wire<'_>>::FIELDS;
                        )*
                        assert!(fields as usize <= MOST_FIELDS);
                        form
                    };

                    /// What was read of the program.
                    #[inline(always)]
                    pub fn from_fields(_fields: &Fields<'a>) -> Self {
                        let _at = 0;
                        $(
                            let $field = Wire::from_fields(_fields, _at);
                            let _at = _at + <$ty as Wire<'a>>::FIELDS as usize;
                        )*
                        $name { $( $field, )* _program: PhantomData }
                    }
                }
            )*

            /// The form of the operation of each code.
            pub(super) const FORMS: &[u32] = &[$( $name::FORM ),*];
        }

        impl<'a> Op<'a> {
            /// Appends the operation's binary form.
            pub fn encode(&self, sink: &mut impl Sink) {
                match self {
                    $( Op::$name { $( $field, )* } => {
                        of::$name::CODE.encode(sink);
                        $( $field.encode(sink); )*
                    } )*
                }
            }

            /// Takes an operation off the front of the reader.
            pub fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
                let (code, fields) = read(reader)?;
                match code {
                    $( of::$name::CODE => {
                        let of::$name { $( $field, )* .. } = of::$name::from_fields(&fields);
                        Ok(Op::$name { $( $field, )* })
                    } )*
                    _ => Err(Malformed),
                }
            }
        }

        #[cfg(test)]
        impl<'a> Op<'a> {
            /// Appends an operation of that code, with any fields.
            pub fn any(code: u8, random: &mut super::any::Random, sink: &mut impl Sink) {
                code.encode(sink);
                match code {
                    $( of::$name::CODE => { $( <$ty as super::any::Any>::any(random, sink); )* } )*
                    _ => {}
                }
            }
        }
    };
}

/// How many operations there are: their codes are below this.
pub const OPERATIONS: usize = of::FORMS.len();

/// Takes an operation off the front of the reader, as its code and its fields.
pub fn read<'a>(reader: &mut Reader<'a>) -> Result<(u8, Fields<'a>), Malformed> {
    let code = reader.u8()?;
    let form = of::FORMS.get(usize::from(code)).ok_or(Malformed)?;
    Ok((code, reader.fields(*form)?))
}

/// How many trees [`Op::KeepTree`] can keep: their indices are below this.
pub const KEPT_TREES: usize = 48;

/// What [`Op::Attach`] makes where the target is missing.
pub mod create {
    /// Nothing: a missing target is an error.
    pub const NEVER: u8 = 0;
    /// A directory, with its parents.
    pub const DIRECTORY: u8 = 1;
    /// An empty file, with its parent directories.
    pub const FILE: u8 = 2;
    /// A directory or an empty file, as the root of the tree is one or not.
    pub const LIKE_TREE: u8 = 3;
}

/// Where nothing but an [`Op::Attach`] follows an [`Op::FsTree`] or [`Op::PathTree`], in a file system that this program has
/// made: then that does all in one call.
pub mod entry {
    /// It is to be put elsewhere.
    pub const NONE: u8 = 0;
    /// On an entry that is new in a tmpfs.
    pub const NEW: u8 = 1;
    /// On the directory `fs/cgroup` of the sysfs at `/sys`, which the kernel has made.
    pub const CGROUP: u8 = 2;
}

/// The id in [`Op::Identity`] that stays as it is: root's.
pub const SAME_ID: u32 = u32::MAX;

/// Which links [`Op::Attach`] follows on the way to its target.
pub mod follow {
    /// All of them, inside the rootfs.
    pub const ALL: u8 = 0;
    /// None: one on the way is an error.
    pub const NONE: u8 = 1;
    /// All but one in the last place, which is itself the target.
    pub const PARENTS: u8 = 2;
}

operations! {
    // --- control -----------------------------------------------------------------------------------------

    /// Sends [`Message::STAGE`] with this number to the runtime and waits for its answer, one byte.
    Rendezvous { stage: u32, }
    /// Sends [`Message::STAGE`] with this number to the runtime, which need not answer.
    Report { stage: u32, }
    /// Accepts one connection on the listening socket: `start` has come. From here on failures are
    /// reported there.
    AwaitStart { listener: Slot, }
    /// Runs a hook as a child and waits for it; on its standard input stands
    /// `state_head`, this process's pid, `state_tail`. Should it fail, `name` and what it printed go out in a
    /// [`Message::OUTPUT`] first.
    Hook {
        name: Text<'a>,
        path: Text<'a>,
        argv: List<'a>,
        envp: List<'a>,
        /// `HOME` is added to the environment, as in `Exec`, when it is not 0.
        home: u8,
        /// In milliseconds; 0 for no limit.
        timeout_msec: u32,
        state_head: Text<'a>,
        state_tail: Text<'a>,
    }
    /// Executes the user's program: the candidate that [`Op::FindExecutable`] found, or without that the first argument.
    Exec { argv: List<'a>, envp: List<'a>, }

    // --- the process's surroundings -----------------------------------------------------------------------

    /// `prctl(PR_SET_DUMPABLE, 0)`: nobody in the container may look into this process.
    Undumpable {}
    /// `prctl(PR_SET_DUMPABLE, 1)`: whoever has the rights in the user namespace may look into this process. The
    /// descriptors that the program must not inherit are closed, but for the listening socket and those at hand.
    Dumpable { listener: Slot, }
    /// Writes `0` to a v1 hierarchy's `tasks`: the process moves itself.
    JoinCgroup { tasks: Slot, }
    /// `setns(2)`; `flags` as there, 0 where the descriptor's own type decides. Nothing happens if
    /// [`Op::SetnsEarly`] has joined it.
    Setns { namespace: Slot, flags: u32, }
    /// `setns(2)` before a user namespace is joined, while there are the rights over namespaces that do not belong to
    /// it. Lacking rights is no error: after it, [`Op::Setns`] tries again.
    SetnsEarly { namespace: Slot, flags: u32, }
    /// `unshare(2)`.
    Unshare { flags: u32, }
    /// Becomes root of the user namespace: all ids 0, no supplementary group unless `keep_groups` is not 0.
    BecomeRoot { keep_groups: u8, }
    /// Joins the session keyring of this name, which is made if it may not be found, and sets its permissions (0 leaves
    /// them): keyrings(7). A kernel without keyrings is no error.
    Keyring { name: Text<'a>, permissions: u32, }
    /// `setsid(2)`.
    Setsid {}
    /// Brings the loopback interface up.
    LoopbackUp {}
    /// `sethostname(2)`.
    Hostname { name: Text<'a>, }
    /// `setdomainname(2)`.
    Domainname { name: Text<'a>, }
    /// Writes a value to a file below the procfs of slot `proc`, without following links or mounts.
    WriteProc { proc: Slot, path: Text<'a>, value: Text<'a>, }

    // --- mounts: the tree register holds what the next Attach puts in place ----------------------------------

    /// Changes the propagation of every mount of the namespace (`MS_*` flags of `mount(2)`).
    Propagation { flags: u64, }
    /// Takes the directory of that path as the rootfs, bound over itself so that it is a mount.
    OpenRoot { path: Text<'a>, recursive: u8, }
    /// Makes a new file system instance. `options` are `key=value` or `flag`, `sb_flags` the `MS_*` flags of
    /// the superblock, `attributes` the `MOUNT_ATTR_*` of the mount. `entry` is one of [`entry`].
    FsTree {
        fstype: Text<'a>,
        source: Text<'a>,
        options: List<'a>,
        sb_flags: u64,
        attributes: u64,
        entry: u8,
    }
    /// Clones a tree of the host's by its path, as seen from this mount namespace. For `entry` see [`Op::FsTree`].
    PathTree { path: Text<'a>, recursive: u8, nofollow: u8, entry: u8, }
    /// Sets and clears `MOUNT_ATTR_*` on the tree, and its propagation (`MS_*`, 0 for none);
    /// `recursive` is not 0 for all mounts of the tree.
    TreeAttributes { set: u64, clear: u64, propagation: u64, recursive: u8, }
    /// Puts the tree in place below the rootfs; `create` is one of [`create`], `follow` one of [`follow`].
    Attach { target: Text<'a>, create: u8, follow: u8, }
    /// Copies what the target directory holds into the tree (`tmpcopyup`), with owner and mode.
    CopyUp { target: Text<'a>, }
    /// Reconfigures the mount at the target, as `mount(2)` with `MS_REMOUNT`.
    Remount { target: Text<'a>, flags: u64, data: Text<'a>, }
    /// Makes a directory below the rootfs, with its parents; an existing one is kept.
    MakeDirectory { path: Text<'a>, mode: u32, }
    /// Makes a symbolic link below the rootfs; an existing path is kept.
    Symlink { target: Text<'a>, path: Text<'a>, }
    /// Makes a device node or FIFO (`mode` with its `S_IFMT` bits) below the rootfs; an existing node that is
    /// the same is kept.
    MakeDevice { path: Text<'a>, mode: u32, major: u32, minor: u32, uid: u32, gid: u32, }
    /// Hides paths: files under the null device, directories under one read-only tmpfs; missing ones are passed over.
    Mask { paths: List<'a>, }
    /// Makes paths read-only; missing ones are passed over. `directory`, if not empty, is the root of a file system that
    /// belongs to the kernel: those of the paths that are its entries are no links, and nothing is mounted below them.
    ReadonlyPaths { directory: Text<'a>, paths: List<'a>, }
    /// Makes the rootfs the root of the namespace, and takes the old root away. `peers` is not 0 where mounts of the old
    /// root may be shared with other namespaces.
    PivotRoot { peers: u8, }
    /// The same by `MS_MOVE` and `chroot(2)`, for an initramfs.
    MoveRoot {}
    /// `chroot(2)` to the rootfs: for containers without a mount namespace of their own.
    ChangeRoot {}
    /// Makes the root mount read-only.
    RootReadonly {}
    /// Changes the propagation of the root mount (`MS_*`).
    RootPropagation { flags: u64, }
    /// Makes the mount that holds the rootfs private, or when `slave` is not 0 a slave of its peers: `pivot_root(2)`
    /// wants it to have none.
    ParentPrivate { path: Text<'a>, slave: u8, }

    /// Takes the directory of that path as the rootfs as it is: for containers without mounts of their own.
    UseRoot { path: Text<'a>, }

    /// The attributes of a bind mount's top: `set` and `clear` as mount_setattr(2) takes them. Where flags are locked,
    /// those in place are kept, unless they are among `cleared`, which the user wants off.
    BindAttributes { set: u64, clear: u64, cleared: u64, }
    /// As [`Op::PathTree`]; where that is forbidden, or at once when `privileged` is not 0, the runtime opens the tree
    /// of the mount of this index, as seen from this mount namespace: [`Message::TREE`].
    AskTree { index: u32, path: Text<'a>, recursive: u8, nofollow: u8, privileged: u8, }
    /// Makes a symbolic link below the rootfs. What is there already is removed when `replace` is not 0, and must
    /// be the same link otherwise.
    ExactLink { target: Text<'a>, path: Text<'a>, replace: u8, }
    /// Notes mode and owner of the directory that the next [`Op::FsTree`] covers, which gets them.
    Covered { target: Text<'a>, }
    /// The tree must be a procfs.
    RequireProc {}
    /// Takes away a mount of the host's, or covers it where that is forbidden.
    HideHost { path: Text<'a>, }
    /// A new cgroup v2 file system as [`Op::FsTree`] makes it; where that is forbidden, a clone of the tree `fallback`.
    Cgroup2Tree { source: Text<'a>, options: List<'a>, attributes: u64, fallback: Text<'a>, }
    /// Opens the container's null device in place of those standard streams (bits 0 to 2) that are the host's.
    ReopenNull { streams: u8, }
    /// Takes away what is mounted at the target.
    Unmount { target: Text<'a>, }
    /// Keeps the next tree, that of the mount of this index, until there is another mount namespace.
    KeepTree { index: u32, }
    /// Takes a tree that was kept; `path` is where it is from.
    KeptTree { index: u32, path: Text<'a>, }
    /// Makes a mount namespace of the tree at that path alone, and enters it: `OPEN_TREE_NAMESPACE`, Linux 7.0.
    EnterTree { path: Text<'a>, }

    /// Makes a time namespace for the children, with these offsets, which may be none: `/proc/PID/timens_offsets`.
    TimeNamespace { proc: Slot, offsets: Text<'a>, }

    // --- the process itself -----------------------------------------------------------------------------------

    /// Makes a terminal of the container's devpts: sends its master over the socket, and makes the
    /// slave the controlling terminal, standard input, output and error. 0 columns leave the size alone.
    Console { socket: Slot, name: Text<'a>, columns: u32, rows: u32, uid: u32, mount: u8, }
    /// `prlimit(2)`.
    Rlimit { resource: u32, soft: u64, hard: u64, }
    /// `umask(2)`.
    Umask { mask: u32, }
    /// `sched_setattr(2)` with this `struct sched_attr`.
    Scheduler { attributes: Bytes<'a>, }
    /// `ioprio_set(2)` for this process.
    IoPriority { value: u32, }
    /// `sched_setaffinity(2)`.
    Affinity { mask: Bytes<'a>, }
    /// `set_mempolicy(2)`.
    MemoryPolicy { mode: u32, nodes: Bytes<'a>, }
    /// `personality(2)`.
    Personality { domain: u64, }
    /// `prctl(PR_SET_NO_NEW_PRIVS)`.
    NoNewPrivileges {}
    /// Drops from the bounding set all capabilities that are not in `keep`.
    BoundingSet { keep: u64, }
    /// Sets groups (u32 each; `set_groups` 0 leaves them alone), gid and uid, keeping the permitted
    /// capabilities across the change.
    Identity { uid: u32, gid: u32, set_groups: u8, groups: Bytes<'a>, }
    /// `capset(2)`.
    Capabilities { effective: u64, permitted: u64, inheritable: u64, }
    /// Raises each capability of the set in the ambient set.
    Ambient { set: u64, }
    /// Finds the user's home in the container's `/etc/passwd` and adds `HOME` to the environment of `Exec`.
    Home { uid: u32, }
    /// `chdir(2)`, and the directory must lie below the root.
    Chdir { path: Text<'a>, }
    /// Finds the program to execute: the first candidate that is an executable file.
    FindExecutable { candidates: List<'a>, }
    /// Runs on all CPUs that the cgroup has: takes back what the runtime's caller was bound to.
    AllCpus {}
    /// Installs a seccomp filter (`struct sock_filter` each).
    Seccomp { flags: u32, filter: Bytes<'a>, }

    // --- confinement ------------------------------------------------------------------------------------------

    /// Installs a seccomp filter that has a listener: tells the runtime the listener's number
    /// ([`stage::LISTENER`]) and waits until the runtime has taken it.
    SeccompListener { flags: u32, filter: Bytes<'a>, }
    /// The last that is done with descriptors and signals: what the program must not inherit becomes
    /// close-on-exec, SIGPIPE ends a process again.
    Seal {}
    /// Makes a Landlock ruleset (0 or 1) that denies these rights.
    LandlockRuleset {
        index: u32,
        /// `struct landlock_ruleset_attr`: of files, of ports and scopes; then those of each whose denial is not written
        /// to the audit log where a rule is quiet.
        rights: [u64; 6],
    }
    /// Adds to the ruleset: rights on the path and all below it, or `file_access` if it is no directory. `optional` is
    /// not 0 when a missing path is passed over. `flags` are those of `landlock_add_rule(2)`.
    LandlockPath {
        index: u32,
        path: Text<'a>,
        access: u64,
        file_access: u64,
        flags: u32,
        optional: u8,
    }
    /// Adds to the ruleset: rights on a TCP or UDP port. `flags` are those of `landlock_add_rule(2)`.
    LandlockPort { index: u32, port: u64, access: u64, flags: u32, }
    /// `landlock_restrict_self(2)`.
    LandlockRestrict { index: u32, flags: u32, }
    /// Where the standard output (1) or error (2) of hooks goes from here on.
    HookOutput { number: u32, file: Slot, }
    /// Goes on as a child of the runtime in the PID namespace that was joined, and sends [`Message::FORKED`]: what
    /// others see there is this image from the start, never the runtime's.
    Fork {}
}
