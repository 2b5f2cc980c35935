//! config.md, "Process".

use super::{null, text};
use serde::Deserialize;

/// A process of the container: its first one, or one that `exec` adds.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Process {
    /// Whether the process gets a pseudo-terminal.
    #[serde(deserialize_with = "null")]
    pub terminal: bool,
    /// The terminal's first size.
    pub console_size: Option<ConsoleSize>,
    /// Who runs it.
    #[serde(deserialize_with = "null")]
    pub user: User,
    /// The program and its arguments.
    #[serde(deserialize_with = "null")]
    pub args: Vec<String>,
    /// The environment, as `NAME=value`.
    #[serde(deserialize_with = "null")]
    pub env: Vec<String>,
    /// The working directory, as an absolute path inside.
    #[serde(deserialize_with = "null")]
    pub cwd: String,
    /// The capability sets; when absent, the process has none.
    pub capabilities: Option<Capabilities>,
    /// Resource limits.
    #[serde(deserialize_with = "null")]
    pub rlimits: Vec<Rlimit>,
    /// Whether the process and its children can never gain privileges by exec.
    #[serde(deserialize_with = "null")]
    pub no_new_privileges: bool,
    /// The AppArmor profile that confines it.
    #[serde(deserialize_with = "text")]
    pub apparmor_profile: Option<String>,
    /// The value for `/proc/self/oom_score_adj`; left alone when absent.
    pub oom_score_adj: Option<i32>,
    /// The SELinux label of the process.
    #[serde(deserialize_with = "text")]
    pub selinux_label: Option<String>,
    /// The CPU scheduler's settings.
    pub scheduler: Option<Scheduler>,
    /// The disk scheduler's settings.
    pub io_priority: Option<IoPriority>,
    /// The CPUs that an `exec`ed process runs on.
    #[serde(rename = "execCPUAffinity")]
    pub exec_cpu_affinity: Option<CpuAffinity>,
}

/// A terminal's size, in characters.
#[derive(Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(default)]
pub struct ConsoleSize {
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
}

/// The user and groups of a process, as ids inside the container.
#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct User {
    /// The user id.
    #[serde(deserialize_with = "null")]
    pub uid: u32,
    /// The primary group id.
    #[serde(deserialize_with = "null")]
    pub gid: u32,
    /// The file mode creation mask; left alone when absent.
    pub umask: Option<u32>,
    /// The supplementary group ids.
    #[serde(deserialize_with = "null")]
    pub additional_gids: Vec<u32>,
}

/// The five capability sets, by names as `CAP_KILL`.
#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(default)]
pub struct Capabilities {
    /// The most that the process and its children can ever have.
    #[serde(deserialize_with = "null")]
    pub bounding: Vec<String>,
    /// What the kernel's checks look at.
    #[serde(deserialize_with = "null")]
    pub effective: Vec<String>,
    /// What is kept over exec of a file that has it inheritable too.
    #[serde(deserialize_with = "null")]
    pub inheritable: Vec<String>,
    /// What the process can make effective.
    #[serde(deserialize_with = "null")]
    pub permitted: Vec<String>,
    /// What is kept over exec of a file without privileges.
    #[serde(deserialize_with = "null")]
    pub ambient: Vec<String>,
}

impl Capabilities {
    /// Each set with its name in the spec.
    pub fn sets(&self) -> [(&'static str, &[String]); 5] {
        [
            ("bounding", &self.bounding),
            ("effective", &self.effective),
            ("inheritable", &self.inheritable),
            ("permitted", &self.permitted),
            ("ambient", &self.ambient),
        ]
    }
}

/// One resource limit, in the unit that setrlimit(2) gives to its kind.
#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(default)]
pub struct Rlimit {
    /// Which one: a name as `RLIMIT_NOFILE`.
    #[serde(rename = "type", deserialize_with = "null")]
    pub kind: String,
    /// The ceiling of the soft limit.
    pub hard: u64,
    /// The limit that the kernel enforces.
    pub soft: u64,
}

/// The settings of sched_setattr(2).
#[derive(Deserialize, Debug, Clone)]
pub struct Scheduler {
    /// The policy.
    pub policy: SchedulerPolicy,
    /// Niceness, −20 (most favoured) to 19.
    #[serde(default, deserialize_with = "null")]
    pub nice: i32,
    /// The static priority of the real-time policies.
    #[serde(default, deserialize_with = "null")]
    pub priority: i32,
    /// Flags.
    #[serde(default, deserialize_with = "null")]
    pub flags: Vec<SchedulerFlag>,
    /// The deadline policy's run time, in nanoseconds.
    #[serde(default, deserialize_with = "null")]
    pub runtime: u64,
    /// The deadline policy's deadline, in nanoseconds.
    #[serde(default, deserialize_with = "null")]
    pub deadline: u64,
    /// The deadline policy's period, in nanoseconds.
    #[serde(default, deserialize_with = "null")]
    pub period: u64,
}

/// A CPU scheduling policy.
#[allow(missing_docs)] // the names say it: see sched(7)
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerPolicy {
    #[serde(rename = "SCHED_OTHER")]
    Other,
    #[serde(rename = "SCHED_FIFO")]
    Fifo,
    #[serde(rename = "SCHED_RR")]
    RoundRobin,
    #[serde(rename = "SCHED_BATCH")]
    Batch,
    #[serde(rename = "SCHED_ISO")]
    Iso,
    #[serde(rename = "SCHED_IDLE")]
    Idle,
    #[serde(rename = "SCHED_DEADLINE")]
    Deadline,
}

/// A flag of sched_setattr(2).
#[allow(missing_docs)] // the names say it: see sched_setattr(2)
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerFlag {
    #[serde(rename = "SCHED_FLAG_RESET_ON_FORK")]
    ResetOnFork,
    #[serde(rename = "SCHED_FLAG_RECLAIM")]
    Reclaim,
    #[serde(rename = "SCHED_FLAG_DL_OVERRUN")]
    DlOverrun,
    #[serde(rename = "SCHED_FLAG_KEEP_POLICY")]
    KeepPolicy,
    #[serde(rename = "SCHED_FLAG_KEEP_PARAMS")]
    KeepParams,
    #[serde(rename = "SCHED_FLAG_UTIL_CLAMP_MIN")]
    UtilClampMin,
    #[serde(rename = "SCHED_FLAG_UTIL_CLAMP_MAX")]
    UtilClampMax,
}

/// The settings of ioprio_set(2).
#[derive(Deserialize, Debug, Clone, Copy)]
pub struct IoPriority {
    /// The class.
    pub class: IoPriorityClass,
    /// The level inside the class: 0 (highest) to 7.
    #[serde(default, deserialize_with = "null")]
    pub priority: i32,
}

/// A disk scheduling class.
#[allow(missing_docs)] // the names say it: see ioprio_set(2)
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoPriorityClass {
    #[serde(rename = "IOPRIO_CLASS_RT")]
    RealTime,
    #[serde(rename = "IOPRIO_CLASS_BE")]
    BestEffort,
    #[serde(rename = "IOPRIO_CLASS_IDLE")]
    Idle,
}

/// The CPUs of an `exec`ed process, as lists like `0-3,7`.
#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(default)]
pub struct CpuAffinity {
    /// Those that the runtime's child runs on before it is in the container's cgroup.
    #[serde(deserialize_with = "text")]
    pub initial: Option<String>,
    /// Those from then on.
    #[serde(rename = "final", deserialize_with = "text")]
    pub last: Option<String>,
}
