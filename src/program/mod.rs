//! Compiling a configuration into the program that the stub runs. Pure: nothing here asks the system; what it
//! must know of the host comes in as [`Facts`].

mod capabilities;
mod compile;
mod devices;
mod exec;
mod explain;
mod landlock;
mod mounts;
mod options;
mod process;
pub mod seccomp;
mod show;
// Each side uses its half.
#[allow(dead_code, unused_imports)]
#[path = "../../init-stub/src/wire.rs"]
pub mod wire;

pub use capabilities::{SYS_PTRACE, all_names as capability_names, any_of};
pub use compile::new as is_new;
pub use compile::{CLONE_NEWTIME, container, mounts_for_host, time_offsets, waiter};
pub use exec::{change_mounts, exec};
pub use explain::{explain, explain_start};
pub use mounts::{BindSource, bind_source, can_enter_tree, is_bind, wants_link};
pub use options::names as mount_options;
pub use process::{bit_mask, rlimit};

use crate::oci::NamespaceType;
use std::path::PathBuf;
use wire::{HEADER_SIZE, Header, MAGIC, Op, Reader, Sink, Slot, Wire};

/// What the compiler must know of the host and of the command line.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The container's id.
    pub id: String,
    /// The bundle, as an absolute path.
    pub bundle: PathBuf,
    /// The rootfs, as an absolute path.
    pub rootfs: PathBuf,
    /// What the sources of mounts with `copy-symlink` lead to that are symbolic links, by the mount's index.
    pub source_links: Vec<(usize, PathBuf)>,
    /// Mounts of the host's that must not be reachable after `--no-pivot`.
    pub host_mounts: Vec<PathBuf>,
    /// Standard streams (bits 0 to 2) that are the host's null device.
    pub null_streams: u8,
    /// The capabilities that the runtime's bounding set allows, as a bit set.
    pub bounding: u64,
    /// The number of v1 hierarchies to join.
    pub hierarchies: usize,
    /// Mount points of the v1 hierarchies and the names under which a container knows them; empty on v2.
    pub v1_mounts: Vec<V1Mount>,
    /// The container's cgroup v2.
    pub cgroup2: Option<PathBuf>,
    /// All ids of the runtime are those of root.
    pub is_root: bool,
    /// The runtime has no rights of its own over the host's mounts.
    pub unprivileged: bool,
    /// The container's mount namespace is made of its rootfs alone (Linux 7.0).
    pub tree_namespace: bool,
    /// The container runs already: sources are those of the runtime's mount namespace.
    pub running: bool,
    /// The version of the kernel's Landlock; 0 for none.
    pub landlock_abi: u32,
    /// Stop before the user's program until `start` comes.
    pub await_start: bool,
    /// Columns and rows of the terminal that the container's is copied to; 0 for none.
    pub window: (u32, u32),
    /// `--no-pivot`.
    pub no_pivot: bool,
    /// `--no-new-keyring`.
    pub no_new_keyring: bool,
    /// The supplementary groups of the caller are kept.
    pub keep_groups: bool,
    /// `--preserve-fds`: how many descriptors after standard error the program inherits.
    pub preserve_fds: u32,
}

impl Facts {
    /// What the source of the mount of that index leads to.
    fn source_link(&self, index: usize) -> Option<&PathBuf> {
        let mut links = self.source_links.iter();
        links
            .find(|(known, _)| *known == index)
            .map(|(_, link)| link)
    }
}

/// A v1 cgroup hierarchy as it is mounted on the host.
#[derive(Debug, Clone, Default)]
pub struct V1Mount {
    /// The directory's name, such as `cpu,cpuacct`.
    pub name: String,
    /// The mount's own options: `cpu,cpuacct`, or `none,name=systemd`.
    pub options: Vec<String>,
    /// Where the host has it.
    pub mountpoint: PathBuf,
    /// The container's cgroup in it, from the hierarchy's root.
    pub cgroup: String,
}

/// Something of the host that the runtime opens and hands to the stub as a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handle {
    /// The stub's end of the socket on which it reports.
    Report,
    /// The socket on which `start` connects.
    StartListener,
    /// A verified procfs.
    Proc,
    /// The `tasks` file of the v1 hierarchy of that index.
    Tasks(usize),
    /// A namespace to join.
    Namespace(NamespaceType, PathBuf),
    /// All namespaces of a process at once, by its pidfd.
    Process,
    /// The socket that the terminal's master goes to.
    Console,
    /// The file that the output of hooks is added to.
    HookOutput(PathBuf),
}

/// A compiled program: operations, and what must be opened before it can run.
#[derive(Debug, Default)]
pub struct Program {
    ops: Bytes,
    /// The descriptors that the operations name by their index here.
    pub handles: Vec<Handle>,
    /// Things that the configuration asks for and that are passed over, as the spec says: to be logged.
    pub warnings: Vec<String>,
    /// The new namespaces that the stub makes itself: `CLONE_NEW*` flags.
    pub made_inside: u32,
    /// Another process than the first goes on with the program.
    pub forks: bool,
    /// It waits for answers of the runtime.
    pub asks: bool,
    /// It changes its root, and with it where it is.
    pivots: bool,
    pointers: usize,
    close_from: u32,
}

/// What the operations of a container take that is not out of the ordinary.
const USUAL_BYTES: usize = 4096;

#[derive(Debug, Default)]
struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Program {
    /// An empty program, whose first descriptor is the report socket.
    fn new(preserve_fds: u32) -> Program {
        Program {
            handles: vec![Handle::Report],
            close_from: 3 + preserve_fds,
            ops: Bytes(Vec::with_capacity(USUAL_BYTES)),
            ..Program::default()
        }
    }

    fn push(&mut self, op: Op<'_>) {
        if let Op::Exec { argv, envp } | Op::Hook { argv, envp, .. } = op {
            // Two terminating null pointers, and HOME.
            self.pointers = self.pointers.max(argv.len() + envp.len() + 3);
        }
        self.made_inside |= match op {
            Op::EnterTree { .. } => libc::CLONE_NEWNS as u32,
            Op::TimeNamespace { .. } => CLONE_NEWTIME as u32,
            Op::Unshare { flags } => flags,
            _ => 0,
        };
        self.forks |= matches!(op, Op::Fork {});
        self.asks |= matches!(
            op,
            Op::Rendezvous { .. }
                | Op::AwaitStart { .. }
                | Op::AskTree { .. }
                | Op::SeccompListener { .. }
        );
        self.pivots |= matches!(op, Op::PivotRoot { .. });
        op.encode(&mut self.ops);
    }

    fn slot(&mut self, handle: Handle) -> Slot {
        if let Some(index) = self.handles.iter().position(|known| *known == handle) {
            return Slot(index as u32);
        }
        self.handles.push(handle);
        Slot(self.handles.len() as u32 - 1)
    }

    /// The operations, in their order.
    pub fn ops(&self) -> impl Iterator<Item = Op<'_>> {
        let mut reader = Reader(&self.ops.0);
        std::iter::from_fn(move || Op::decode(&mut reader).ok())
    }

    /// The program that takes away what this one had mounted when the operation of that index failed: it begins the
    /// same way, up to the root.
    pub fn undone(&self, failed: u32) -> Program {
        let mut program = Program::new(0);
        program.handles.clone_from(&self.handles);
        let mut targets = Vec::new();
        let mut begins = true;
        for op in self.ops().take(failed as usize) {
            match op {
                Op::Attach { target, .. } => targets.push(target),
                op if begins => program.push(op),
                _ => {}
            }
            begins &= !matches!(op, Op::UseRoot { .. });
        }
        for target in targets.into_iter().rev() {
            program.push(Op::Unmount { target });
        }
        program
    }

    /// How many bytes of zeroed memory follow the program.
    pub fn scratch_bytes(&self) -> usize {
        (self.pointers + 1) * size_of::<usize>()
    }

    /// The binary form, with the descriptors that stand for the handles.
    pub fn encode(&self, descriptors: &[i32]) -> Vec<u8> {
        let header = Header {
            slots: descriptors.len() as u32,
            length: self.ops.0.len() as u32,
            scratch: self.scratch_bytes() as u32,
            close_from: self.close_from,
        };
        let mut bytes = Bytes(Vec::with_capacity(
            HEADER_SIZE + 4 * descriptors.len() + self.ops.0.len(),
        ));
        bytes.put(&MAGIC);
        header.slots.encode(&mut bytes);
        header.length.encode(&mut bytes);
        header.scratch.encode(&mut bytes);
        header.close_from.encode(&mut bytes);
        for descriptor in descriptors {
            descriptor.encode(&mut bytes);
        }
        bytes.put(&self.ops.0);
        bytes.0
    }
}

/// Owned texts, as the list of byte slices that operations take.
fn slices<S: AsRef<[u8]>>(texts: &[S]) -> Vec<&[u8]> {
    texts.iter().map(AsRef::as_ref).collect()
}
