//! What the stub tells the runtime.

#[cfg(doc)]
use super::Op;
use super::{Malformed, Reader};

/// What the stub sends: fixed-size messages on a `SOCK_SEQPACKET` socket, or on `start`'s connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// [`Message::STAGE`], [`Message::FAILED`], [`Message::OUTPUT`], [`Message::TREE`] or [`Message::FORKED`].
    pub kind: u32,
    /// The stage; or the index of the operation that failed.
    pub op: u32,
    /// The system call that failed, as one of [`call`].
    pub call: u32,
    /// Its errno; of a hook its exit status, a signal as a negative number, or tenths of a second that it had.
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
            kind: reader.u32()?,
            op: reader.u32()?,
            call: reader.u32()?,
            errno: reader.u32()? as i32,
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
    READLINK "readlink",
    CHMOD "chmod",
    DUP "dup3",
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
