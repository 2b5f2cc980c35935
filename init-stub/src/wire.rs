//! The program's binary form: the one file that the runtime and the stub both compile.
//!
//! The runtime appends a program to a copy of the stub's ELF image, as its last segment, so that the
//! kernel itself maps it: the stub opens, reads and allocates nothing to get at it. Layout, all
//! numbers in the machine's own byte order:
//!
//! ```text
//! Header (fixed size) · descriptor table (i32 each) · operations · zeroed scratch space
//! operation: u8 code · fields in the order of their declaration
//! text: u32 length · bytes · NUL        list: u32 count · texts        bytes: u32 length · bytes
//! ```
//!
//! The decoder trusts nothing: whatever bytes it is given, it answers with an operation or [`Malformed`].

use core::ffi::CStr;

/// The bytes at the start of each program.
pub const MAGIC: [u8; 8] = *b"coracle1";

/// The size of [`Header`] in its binary form, in bytes.
pub const HEADER_SIZE: usize = 8 + 4 * 4;

/// What stands before the operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The number of entries in the descriptor table.
    pub slots: u32,
    /// The length of the operations, in bytes.
    pub length: u32,
    /// Zeroed memory behind the operations, for the pointer arrays of `execve(2)`, in bytes.
    pub scratch: u32,
    /// The first descriptor number that the executed program must not inherit.
    pub close_from: u32,
}

/// The bytes are not a program, or the program ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Where the encoder writes to.
pub trait Sink {
    /// Appends the bytes.
    fn put(&mut self, bytes: &[u8]);
}

/// A value that can stand in a program.
pub trait Wire<'a>: Sized {
    /// Appends the value's binary form.
    fn encode(&self, sink: &mut impl Sink);
    /// Takes the value off the front of the reader.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed>;
}

/// Bytes that are being decoded.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
}

macro_rules! wire_number {
    ($($number:ty),*) => {$(
        impl<'a> Wire<'a> for $number {
            fn encode(&self, sink: &mut impl Sink) {
                sink.put(&self.to_ne_bytes());
            }
            fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
                let bytes = reader.take(size_of::<$number>())?;
                Ok(<$number>::from_ne_bytes(bytes.try_into().map_err(|_| Malformed)?))
            }
        }
    )*};
}
wire_number!(u8, i32, u32, u64);

impl<'a, const N: usize> Wire<'a> for [u64; N] {
    fn encode(&self, sink: &mut impl Sink) {
        self.iter().for_each(|number| number.encode(sink));
    }
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = u64::decode(reader)?;
        }
        Ok(numbers)
    }
}

/// The index of a descriptor in the program's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u32);

impl<'a> Wire<'a> for Slot {
    fn encode(&self, sink: &mut impl Sink) {
        self.0.encode(sink);
    }
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        u32::decode(reader).map(Slot)
    }
}

/// A string without NUL bytes. In the runtime it lacks its terminator; decoded it has one, so that the
/// stub can hand it to the kernel as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// A text of these bytes, which hold no NUL.
    pub const fn new(bytes: &'a [u8]) -> Text<'a> {
        Text(bytes)
    }

    /// The text without its terminator.
    pub fn bytes(&self) -> &'a [u8] {
        self.0.strip_suffix(b"\0").unwrap_or(self.0)
    }

    /// The text as a C string: only a decoded one has this form.
    pub fn c_str(&self) -> Result<&'a CStr, Malformed> {
        CStr::from_bytes_with_nul(self.0).map_err(|_| Malformed)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Text<'a> {
        Text(text.as_bytes())
    }
}

impl<'a> Wire<'a> for Text<'a> {
    fn encode(&self, sink: &mut impl Sink) {
        let bytes = self.bytes();
        (bytes.len() as u32).encode(sink);
        sink.put(bytes);
        sink.put(b"\0");
    }
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let length = u32::decode(reader)? as usize;
        let text = reader.take(length.checked_add(1).ok_or(Malformed)?)?;
        // Exactly one NUL, at the end.
        CStr::from_bytes_with_nul(text).map_err(|_| Malformed)?;
        Ok(Text(text))
    }
}

/// Raw bytes: a BPF program, a CPU mask, an array of group ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Wire<'a> for Bytes<'a> {
    fn encode(&self, sink: &mut impl Sink) {
        (self.0.len() as u32).encode(sink);
        sink.put(self.0);
    }
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let length = u32::decode(reader)? as usize;
        reader.take(length).map(Bytes)
    }
}

/// A list of texts, in the form in which each side has it.
#[derive(Debug, Clone, Copy)]
pub enum List<'a> {
    /// As the runtime makes it.
    Made(&'a [&'a [u8]]),
    /// As it is decoded: the number of texts, and their binary form, already checked.
    Read(u32, &'a [u8]),
}

impl<'a> List<'a> {
    /// How many texts there are.
    pub fn len(&self) -> usize {
        match self {
            List::Made(texts) => texts.len(),
            List::Read(count, _) => *count as usize,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The texts in their order.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let (made, mut read): (&[&[u8]], _) = match *self {
            List::Made(texts) => (texts, Reader(&[])),
            List::Read(_, bytes) => (&[], Reader(bytes)),
        };
        let decoded = core::iter::from_fn(move || Text::decode(&mut read).ok());
        made.iter().map(|bytes| Text::new(bytes)).chain(decoded)
    }
}

impl<'a> Wire<'a> for List<'a> {
    fn encode(&self, sink: &mut impl Sink) {
        (self.len() as u32).encode(sink);
        for text in self.iter() {
            text.encode(sink);
        }
    }
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let count = u32::decode(reader)?;
        let start = reader.0;
        for _ in 0..count {
            Text::decode(reader)?;
        }
        Ok(List::Read(count, &start[..start.len() - reader.0.len()]))
    }
}

macro_rules! operations {
    ($( $(#[$doc:meta])* $name:ident = $code:literal { $( $(#[$field_doc:meta])* $field:ident : $ty:ty, )* } )*) => {
        /// One step of a container's start.
        #[derive(Debug, Clone, Copy)]
        pub enum Op<'a> {
            $( $(#[$doc])* $name { $( $(#[$field_doc])* $field: $ty, )* }, )*
        }

        impl<'a> Wire<'a> for Op<'a> {
            fn encode(&self, sink: &mut impl Sink) {
                match self {
                    $( Op::$name { $( $field, )* } => {
                        let code: u8 = $code;
                        code.encode(sink);
                        $( $field.encode(sink); )*
                    } )*
                }
            }
            // By itself a third of the size that it has inlined among the operations.
            #[inline(never)]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
                match u8::decode(reader)? {
                    $( $code => Ok(Op::$name { $( $field: Wire::decode(reader)?, )* }), )*
                    _ => Err(Malformed),
                }
            }
        }

        #[cfg(test)]
        impl<'a> Op<'a> {
            /// The codes of all operations.
            pub const CODES: &'static [u8] = &[$( $code ),*];

            /// Appends an operation of that code, with any fields.
            pub fn any(code: u8, random: &mut any::Random, sink: &mut impl Sink) {
                code.encode(sink);
                match code {
                    $( $code => { $( <$ty as any::Any>::any(random, sink); )* } )*
                    _ => {}
                }
            }
        }
    };
}

#[cfg(test)]
#[path = "wire/any.rs"]
pub mod any;

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
    Rendezvous = 1 { stage: u32, }
    /// Sends [`Message::STAGE`] with this number to the runtime, which need not answer.
    Report = 2 { stage: u32, }
    /// Accepts one connection on the listening socket: `start` has come. From here on failures are
    /// reported there.
    AwaitStart = 3 { listener: Slot, }
    /// Runs a hook as a child and waits for it; on its standard input stands
    /// `state_head`, this process's pid, `state_tail`. Should it fail, `name` and what it printed go out in a
    /// [`Message::OUTPUT`] first.
    Hook = 4 {
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
    /// Executes the user's program: the candidate that [`Op::FindExecutable`] found.
    Exec = 5 { argv: List<'a>, envp: List<'a>, }

    // --- the process's surroundings -----------------------------------------------------------------------

    /// `prctl(PR_SET_DUMPABLE, 0)`: nobody in the container may look into this process.
    Undumpable = 10 {}
    /// `prctl(PR_SET_DUMPABLE, 1)`: whoever has the rights in the user namespace may look into this process. Of the
    /// descriptors that the program must not inherit, those are closed that the operations to come do not need.
    Dumpable = 98 { listener: Slot, }
    /// Writes `0` to a v1 hierarchy's `tasks`: the process moves itself.
    JoinCgroup = 11 { tasks: Slot, }
    /// `setns(2)`; `flags` as there, 0 where the descriptor's own type decides. Nothing happens if
    /// [`Op::SetnsEarly`] has joined it.
    Setns = 12 { namespace: Slot, flags: u32, }
    /// `setns(2)` before a user namespace is joined, while there are the rights over namespaces that do not belong to
    /// it. Lacking rights is no error: after it, [`Op::Setns`] tries again.
    SetnsEarly = 97 { namespace: Slot, flags: u32, }
    /// `unshare(2)`.
    Unshare = 13 { flags: u32, }
    /// Becomes root of the user namespace: all ids 0, no supplementary group unless `keep_groups` is not 0.
    BecomeRoot = 14 { keep_groups: u8, }
    /// Joins the session keyring of this name, which is made if it may not be found, and sets its permissions (0 leaves
    /// them): keyrings(7). A kernel without keyrings is no error.
    Keyring = 15 { name: Text<'a>, permissions: u32, }
    /// `setsid(2)`.
    Setsid = 16 {}
    /// Brings the loopback interface up.
    LoopbackUp = 17 {}
    /// `sethostname(2)`.
    Hostname = 18 { name: Text<'a>, }
    /// `setdomainname(2)`.
    Domainname = 19 { name: Text<'a>, }
    /// Writes a value to a file below the procfs of slot `proc`, without following links or mounts.
    WriteProc = 20 { proc: Slot, path: Text<'a>, value: Text<'a>, }

    // --- mounts: the tree register holds what the next Attach puts in place ----------------------------------

    /// Changes the propagation of every mount of the namespace (`MS_*` flags of `mount(2)`).
    Propagation = 30 { flags: u64, }
    /// Takes the directory of that path as the rootfs, bound over itself so that it is a mount.
    OpenRoot = 31 { path: Text<'a>, recursive: u8, }
    /// Makes a new file system instance. `options` are `key=value` or `flag`, `sb_flags` the `MS_*` flags of
    /// the superblock, `attributes` the `MOUNT_ATTR_*` of the mount.
    FsTree = 32 {
        fstype: Text<'a>,
        source: Text<'a>,
        options: List<'a>,
        sb_flags: u64,
        attributes: u64,
    }
    /// Clones a tree of the host's by its path, as seen from this mount namespace.
    PathTree = 34 { path: Text<'a>, recursive: u8, nofollow: u8, }
    /// Sets and clears `MOUNT_ATTR_*` on the tree, and its propagation (`MS_*`, 0 for none);
    /// `recursive` is not 0 for all mounts of the tree.
    TreeAttributes = 35 { set: u64, clear: u64, propagation: u64, recursive: u8, }
    /// Puts the tree in place below the rootfs; `create` is one of [`create`], `follow` one of [`follow`].
    Attach = 36 { target: Text<'a>, create: u8, follow: u8, }
    /// Copies what the target directory holds into the tree (`tmpcopyup`), with owner and mode.
    CopyUp = 37 { target: Text<'a>, }
    /// Reconfigures the mount at the target, as `mount(2)` with `MS_REMOUNT`.
    Remount = 38 { target: Text<'a>, flags: u64, data: Text<'a>, }
    /// Makes a directory below the rootfs, with its parents; an existing one is kept.
    MakeDirectory = 39 { path: Text<'a>, mode: u32, }
    /// Makes a symbolic link below the rootfs; an existing path is kept.
    Symlink = 40 { target: Text<'a>, path: Text<'a>, }
    /// Makes a device node or FIFO (`mode` with its `S_IFMT` bits) below the rootfs; an existing node that is
    /// the same is kept.
    MakeDevice = 41 { path: Text<'a>, mode: u32, major: u32, minor: u32, uid: u32, gid: u32, }
    /// Hides paths: files under the null device, directories under one read-only tmpfs; missing ones are passed over.
    Mask = 42 { paths: List<'a>, }
    /// Makes paths read-only; missing ones are passed over.
    ReadonlyPaths = 43 { paths: List<'a>, }
    /// Makes the rootfs the root of the namespace, and takes the old root away. `peers` is not 0 where mounts of the old
    /// root may be shared with other namespaces.
    PivotRoot = 44 { peers: u8, }
    /// The same by `MS_MOVE` and `chroot(2)`, for an initramfs.
    MoveRoot = 45 {}
    /// `chroot(2)` to the rootfs: for containers without a mount namespace of their own.
    ChangeRoot = 46 {}
    /// Makes the root mount read-only.
    RootReadonly = 47 {}
    /// Changes the propagation of the root mount (`MS_*`).
    RootPropagation = 48 { flags: u64, }
    /// Makes the mount that holds the rootfs private, or when `slave` is not 0 a slave of its peers: `pivot_root(2)`
    /// wants it to have none.
    ParentPrivate = 49 { path: Text<'a>, slave: u8, }

    /// Takes the directory of that path as the rootfs as it is: for containers without mounts of their own.
    UseRoot = 50 { path: Text<'a>, }

    /// The attributes of a bind mount's top: `set` and `clear` as mount_setattr(2) takes them. Where flags are locked,
    /// those in place are kept, unless they are among `cleared`, which the user wants off.
    BindAttributes = 110 { set: u64, clear: u64, cleared: u64, }
    /// As [`Op::PathTree`]; where that is forbidden, or at once when `privileged` is not 0, the runtime opens the tree
    /// of the mount of this index, as seen from this mount namespace: [`Message::TREE`].
    AskTree = 111 { index: u32, path: Text<'a>, recursive: u8, nofollow: u8, privileged: u8, }
    /// Makes a symbolic link below the rootfs. What is there already is removed when `replace` is not 0, and must
    /// be the same link otherwise.
    ExactLink = 112 { target: Text<'a>, path: Text<'a>, replace: u8, }
    /// Notes mode and owner of the directory that the next [`Op::FsTree`] covers, which gets them.
    Covered = 113 { target: Text<'a>, }
    /// The tree must be a procfs.
    RequireProc = 114 {}
    /// Takes away a mount of the host's, or covers it where that is forbidden.
    HideHost = 115 { path: Text<'a>, }
    /// A new cgroup v2 file system as [`Op::FsTree`] makes it; where that is forbidden, a clone of the tree `fallback`.
    Cgroup2Tree = 116 { source: Text<'a>, options: List<'a>, attributes: u64, fallback: Text<'a>, }
    /// Opens the container's null device in place of those standard streams (bits 0 to 2) that are the host's.
    ReopenNull = 117 { streams: u8, }
    /// Takes away what is mounted at the target.
    Unmount = 118 { target: Text<'a>, }
    /// Keeps the next tree, that of the mount of this index, until there is another mount namespace.
    KeepTree = 119 { index: u32, }
    /// Takes a tree that was kept; `path` is where it is from.
    KeptTree = 120 { index: u32, path: Text<'a>, }
    /// Makes a mount namespace of the tree at that path alone, and enters it: `OPEN_TREE_NAMESPACE`, Linux 7.0.
    EnterTree = 121 { path: Text<'a>, }

    /// Makes a time namespace for the children, with these offsets, which may be none: `/proc/PID/timens_offsets`.
    TimeNamespace = 145 { proc: Slot, offsets: Text<'a>, }

    // --- the process itself -----------------------------------------------------------------------------------

    /// Makes a terminal of the container's devpts: sends its master over the socket, and makes the
    /// slave the controlling terminal, standard input, output and error. 0 columns leave the size alone.
    Console = 60 { socket: Slot, name: Text<'a>, columns: u32, rows: u32, uid: u32, mount: u8, }
    /// `prlimit(2)`.
    Rlimit = 61 { resource: u32, soft: u64, hard: u64, }
    /// `umask(2)`.
    Umask = 62 { mask: u32, }
    /// `sched_setattr(2)` with this `struct sched_attr`.
    Scheduler = 63 { attributes: Bytes<'a>, }
    /// `ioprio_set(2)` for this process.
    IoPriority = 64 { value: u32, }
    /// `sched_setaffinity(2)`.
    Affinity = 65 { mask: Bytes<'a>, }
    /// `set_mempolicy(2)`.
    MemoryPolicy = 66 { mode: u32, nodes: Bytes<'a>, }
    /// `personality(2)`.
    Personality = 67 { domain: u64, }
    /// `prctl(PR_SET_NO_NEW_PRIVS)`.
    NoNewPrivileges = 68 {}
    /// Drops from the bounding set all capabilities that are not in `keep`.
    BoundingSet = 69 { keep: u64, }
    /// Sets groups (u32 each; `set_groups` 0 leaves them alone), gid and uid, keeping the permitted
    /// capabilities across the change.
    Identity = 70 { uid: u32, gid: u32, set_groups: u8, groups: Bytes<'a>, }
    /// `capset(2)`.
    Capabilities = 71 { effective: u64, permitted: u64, inheritable: u64, }
    /// Raises each capability of the set in the ambient set.
    Ambient = 72 { set: u64, }
    /// Finds the user's home in the container's `/etc/passwd` and adds `HOME` to the environment of `Exec`.
    Home = 73 { uid: u32, }
    /// `chdir(2)`, and the directory must lie below the root.
    Chdir = 74 { path: Text<'a>, }
    /// Finds the program to execute: the first candidate that is an executable file.
    FindExecutable = 75 { candidates: List<'a>, }
    /// Runs on all CPUs that the cgroup has: takes back what the runtime's caller was bound to.
    AllCpus = 77 {}
    /// Installs a seccomp filter (`struct sock_filter` each).
    Seccomp = 76 { flags: u32, filter: Bytes<'a>, }

    // --- confinement ------------------------------------------------------------------------------------------

    /// Installs a seccomp filter that has a listener: tells the runtime the listener's number
    /// ([`stage::LISTENER`]) and waits until the runtime has taken it.
    SeccompListener = 90 { flags: u32, filter: Bytes<'a>, }
    /// The last that is done with descriptors and signals: what the program must not inherit becomes
    /// close-on-exec, SIGPIPE ends a process again.
    Seal = 91 {}
    /// Makes a Landlock ruleset (0 or 1) that denies these rights.
    LandlockRuleset = 93 {
        index: u32,
        /// `struct landlock_ruleset_attr`: of files, of ports and scopes; then those of each whose denial is not written
        /// to the audit log where a rule is quiet.
        rights: [u64; 6],
    }
    /// Adds to the ruleset: rights on the path and all below it, or `file_access` if it is no directory. `optional` is
    /// not 0 when a missing path is passed over. `flags` are those of `landlock_add_rule(2)`.
    LandlockPath = 94 {
        index: u32,
        path: Text<'a>,
        access: u64,
        file_access: u64,
        flags: u32,
        optional: u8,
    }
    /// Adds to the ruleset: rights on a TCP or UDP port. `flags` are those of `landlock_add_rule(2)`.
    LandlockPort = 95 { index: u32, port: u64, access: u64, flags: u32, }
    /// `landlock_restrict_self(2)`.
    LandlockRestrict = 96 { index: u32, flags: u32, }
    /// Where the standard output (1) or error (2) of hooks goes from here on.
    HookOutput = 92 { number: u32, file: Slot, }
    /// Goes on as a child of the runtime in the PID namespace that was joined, and sends [`Message::FORKED`]: what
    /// others see there is this image from the start, never the runtime's.
    Fork = 125 {}
}

/// What the stub sends: fixed-size messages on a `SOCK_SEQPACKET` socket, or on `start`'s connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// [`Message::STAGE`], [`Message::FAILED`], [`Message::OUTPUT`], [`Message::TREE`] or [`Message::FORKED`].
    pub kind: u32,
    /// The stage; or the index of the operation that failed.
    pub op: u32,
    /// The system call that failed, as one of [`call`].
    pub call: u32,
    /// Its errno.
    pub errno: i32,
}

impl Message {
    /// The stub has come to a [`Op::Rendezvous`] or [`Op::Report`].
    pub const STAGE: u32 = 1;
    /// An operation failed, and the stub is about to exit.
    pub const FAILED: u32 = 2;
    /// Behind the fixed part follow the name of a hook that failed, NUL, and the end of what it printed.
    pub const OUTPUT: u32 = 3;
    /// The stub asks for the tree of the mount of the index `op`, and waits for its descriptor.
    pub const TREE: u32 = 4;
    /// The child of an [`Op::Fork`] goes on: its pid is the sender's.
    pub const FORKED: u32 = 5;
    /// The size of the fixed part of the binary form, in bytes.
    pub const SIZE: usize = 16;
    /// The most bytes that follow it.
    pub const OUTPUT_SIZE: usize = 1024;

    /// The binary form.
    pub fn to_bytes(self) -> [u8; Message::SIZE] {
        let mut bytes = [0; Message::SIZE];
        bytes[0..4].copy_from_slice(&self.kind.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.op.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.call.to_ne_bytes());
        bytes[12..16].copy_from_slice(&self.errno.to_ne_bytes());
        bytes
    }

    /// The message of that binary form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Message, Malformed> {
        let mut reader = Reader(bytes);
        Ok(Message {
            kind: u32::decode(&mut reader)?,
            op: u32::decode(&mut reader)?,
            call: u32::decode(&mut reader)?,
            errno: i32::decode(&mut reader)?,
        })
    }
}

macro_rules! calls {
    ($($name:ident $text:literal,)*) => {
        /// The names of the steps that can fail, for messages.
        #[allow(missing_docs)]
        pub mod call {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Number { $( $name, )* }
            $( pub const $name: u32 = Number::$name as u32; )*
            /// The name of that number.
            pub fn name(number: u32) -> &'static str {
                NAMES.get(number as usize).copied().unwrap_or("unknown")
            }
            const NAMES: &[&str] = &[$( $text, )*];
        }
    };
}

calls! {
    DECODE "decode",
    OPEN "open",
    OPENAT2 "openat2",
    MKDIR "mkdir",
    MKNOD "mknod",
    SYMLINK "symlink",
    FSOPEN "fsopen",
    FSCONFIG "fsconfig",
    FSMOUNT "fsmount",
    OPEN_TREE "open_tree",
    MOVE_MOUNT "move_mount",
    MOUNT_SETATTR "mount_setattr",
    MOUNT "mount",
    UMOUNT "umount",
    PIVOT_ROOT "pivot_root",
    CHROOT "chroot",
    CHDIR "chdir",
    SETNS "setns",
    UNSHARE "unshare",
    WRITE "write",
    READ "read",
    SOCKET "socket",
    IOCTL "ioctl",
    SETHOSTNAME "sethostname",
    SETDOMAINNAME "setdomainname",
    PRCTL "prctl",
    SETUID "setuid",
    SETGID "setgid",
    SETGROUPS "setgroups",
    CAPSET "capset",
    PRLIMIT "prlimit",
    SCHED_SETATTR "sched_setattr",
    IOPRIO_SET "ioprio_set",
    SCHED_SETAFFINITY "sched_setaffinity",
    SET_MEMPOLICY "set_mempolicy",
    PERSONALITY "personality",
    SECCOMP "seccomp",
    EXECVE "execve",
    ACCEPT "accept",
    SENDMSG "sendmsg",
    RECV "recv",
    KEYCTL "keyctl",
    SETSID "setsid",
    STAT "stat",
    CHOWN "chown",
    FORK "fork",
    HOOK "hook",
    LOOKUP "lookup",
    CLOSE_RANGE "close_range",
    GETCWD "getcwd",
    TIMEOUT "timeout",
    NOT_DIRECTORY "not a directory",
    DIFFERENT_NODE "different node exists",
    LANDLOCK_CREATE_RULESET "landlock_create_ruleset",
    LANDLOCK_ADD_RULE "landlock_add_rule",
    LANDLOCK_RESTRICT_SELF "landlock_restrict_self",
    OUTSIDE_ROOT "path is outside the rootfs",
    NOT_PROC "not a proc file system",
    UNLINK "unlink",
}

/// The stages of [`Op::Rendezvous`] and [`Op::Report`].
pub mod stage {
    /// The process waits for its user namespace's maps.
    pub const MAPS: u32 = 1;
    /// The namespaces are there: the runtime runs prestart and createRuntime hooks.
    pub const RUNTIME_HOOKS: u32 = 2;
    /// Everything before `start` is done.
    pub const CREATED: u32 = 3;
    /// The filter is in force: the runtime takes its listener, whose number stands in the place of the call.
    pub const LISTENER: u32 = 90;
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Sink for Vec<u8> {
        fn put(&mut self, bytes: &[u8]) {
            self.extend_from_slice(bytes);
        }
    }

    /// Numbers without a pattern, the same in each run: xorshift.
    struct Noise(u64);

    impl Noise {
        fn byte(&mut self) -> u8 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 32) as u8
        }
    }

    /// Whatever decodes must encode to the bytes that it was decoded from. Zeros decode as empty texts and lists, so
    /// that each operation is met.
    #[test]
    fn operations_survive_a_round_trip() {
        let mut known = 0;
        for code in 0..=u8::MAX {
            let mut bytes = [0; 256];
            bytes[0] = code;
            let mut reader = Reader(&bytes);
            let Ok(op) = Op::decode(&mut reader) else {
                continue;
            };
            known += 1;
            let used = bytes.len() - reader.0.len();
            let mut encoded = Vec::new();
            op.encode(&mut encoded);
            assert_eq!(encoded, bytes[..used], "{op:?}");
        }
        assert!(known > 40, "{known} operations are known");
    }

    #[test]
    fn texts_and_lists_survive_a_round_trip() {
        let argv: &[&[u8]] = &[b"sh", b"-c", b""];
        let op = Op::Exec {
            argv: List::Made(argv),
            envp: List::Made(&[b"A=b"]),
        };
        let mut bytes = Vec::new();
        op.encode(&mut bytes);
        let mut reader = Reader(&bytes);
        let Ok(Op::Exec { argv: read, envp }) = Op::decode(&mut reader) else {
            panic!("not decoded");
        };
        assert!(reader.0.is_empty());
        assert!(
            read.iter()
                .map(|text| text.bytes())
                .eq(argv.iter().copied())
        );
        assert_eq!(
            envp.iter().next().map(|text| text.c_str()),
            Some(Ok(c"A=b"))
        );
    }

    #[test]
    fn a_cut_operation_is_malformed() {
        let mut bytes = Vec::new();
        Op::Hostname { name: "box".into() }.encode(&mut bytes);
        for length in 0..bytes.len() {
            assert!(
                Op::decode(&mut Reader(&bytes[..length])).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_malformed() {
        let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
        for _ in 0..200_000 {
            let mut bytes = [0; 64];
            for byte in &mut bytes {
                // Many zeros: lengths are often small then, and the decoder gets further.
                *byte = if noise.byte() < 160 { 0 } else { noise.byte() };
            }
            bytes[0] = noise.byte() % 128;
            let mut reader = Reader(&bytes);
            if let Ok(op) = Op::decode(&mut reader) {
                let mut encoded = Vec::new();
                op.encode(&mut encoded);
                assert_eq!(encoded, bytes[..bytes.len() - reader.0.len()]);
            }
        }
    }
}
