//! config.md, "Process".

use super::Rulesets;
use crate::json::{object, words};

object! {
    /// A process of the container: its first one, or one that `exec` adds.
    #[derive(Debug, Clone, Default)]
    pub struct Process {
        /// Whether the process gets a pseudo-terminal.
        pub terminal: bool = "terminal",
        /// The terminal's first size.
        pub console_size: Option<ConsoleSize> = "consoleSize",
        /// Who runs it.
        pub user: User = "user",
        /// The program and its arguments.
        pub args: Vec<String> = "args",
        /// The environment, as `NAME=value`.
        pub env: Vec<String> = "env",
        /// The working directory, as an absolute path inside.
        pub cwd: String = "cwd",
        /// The capability sets; when absent, the process has none.
        pub capabilities: Option<Capabilities> = "capabilities",
        /// Resource limits.
        pub rlimits: Vec<Rlimit> = "rlimits",
        /// Whether the process and its children can never gain privileges by exec.
        pub no_new_privileges: bool = "noNewPrivileges",
        /// Landlock rulesets that confine it; with one, it can never gain privileges either.
        pub landlock: Rulesets = "landlock",
        /// The AppArmor profile that confines it.
        pub apparmor_profile: Option<String> = "apparmorProfile",
        /// The value for `/proc/self/oom_score_adj`; left alone when absent.
        pub oom_score_adj: Option<i32> = "oomScoreAdj",
        /// The SELinux label of the process.
        pub selinux_label: Option<String> = "selinuxLabel",
        /// The CPU scheduler's settings.
        pub scheduler: Option<Scheduler> = "scheduler",
        /// The disk scheduler's settings.
        pub io_priority: Option<IoPriority> = "ioPriority",
        /// The CPUs that an `exec`ed process runs on.
        pub exec_cpu_affinity: Option<CpuAffinity> = "execCPUAffinity",
    }
}

object! {
    /// A terminal's size, in characters.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct ConsoleSize {
        /// Rows.
        pub height: u64 = "height",
        /// Columns.
        pub width: u64 = "width",
    }
}

object! {
    /// The user and groups of a process, as ids inside the container.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct User {
        /// The user id.
        pub uid: u32 = "uid",
        /// The primary group id.
        pub gid: u32 = "gid",
        /// The file mode creation mask; left alone when absent.
        pub umask: Option<u32> = "umask",
        /// The supplementary group ids.
        pub additional_gids: Vec<u32> = "additionalGids",
    }
}

object! {
    /// The five capability sets, by names as `CAP_KILL`.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Capabilities {
        /// The most that the process and its children can ever have.
        pub bounding: Vec<String> = "bounding",
        /// What the kernel's checks look at.
        pub effective: Vec<String> = "effective",
        /// What is kept over exec of a file that has it inheritable too.
        pub inheritable: Vec<String> = "inheritable",
        /// What the process can make effective.
        pub permitted: Vec<String> = "permitted",
        /// What is kept over exec of a file without privileges.
        pub ambient: Vec<String> = "ambient",
    }
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

object! {
    /// One resource limit, in the unit that setrlimit(2) gives to its kind.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Rlimit {
        /// Which one: a name as `RLIMIT_NOFILE`.
        pub kind: String = "type",
        /// The ceiling of the soft limit.
        pub hard: u64 = "hard",
        /// The limit that the kernel enforces.
        pub soft: u64 = "soft",
    }
}

object! {
    /// The settings of sched_setattr(2).
    #[derive(Debug, Clone, Default)]
    pub struct Scheduler {
        /// The policy.
        pub policy: SchedulerPolicy = required "policy",
        /// Niceness, −20 (most favoured) to 19.
        pub nice: i32 = "nice",
        /// The static priority of the real-time policies.
        pub priority: i32 = "priority",
        /// Flags.
        pub flags: Vec<SchedulerFlag> = "flags",
        /// The deadline policy's run time, in nanoseconds.
        pub runtime: u64 = "runtime",
        /// The deadline policy's deadline, in nanoseconds.
        pub deadline: u64 = "deadline",
        /// The deadline policy's period, in nanoseconds.
        pub period: u64 = "period",
    }
}

words! {
    /// A CPU scheduling policy.
    SchedulerPolicy {
        Other = "SCHED_OTHER",
        Fifo = "SCHED_FIFO",
        RoundRobin = "SCHED_RR",
        Batch = "SCHED_BATCH",
        Iso = "SCHED_ISO",
        Idle = "SCHED_IDLE",
        Deadline = "SCHED_DEADLINE",
    }
}

words! {
    /// A flag of sched_setattr(2).
    SchedulerFlag {
        ResetOnFork = "SCHED_FLAG_RESET_ON_FORK",
        Reclaim = "SCHED_FLAG_RECLAIM",
        DlOverrun = "SCHED_FLAG_DL_OVERRUN",
        KeepPolicy = "SCHED_FLAG_KEEP_POLICY",
        KeepParams = "SCHED_FLAG_KEEP_PARAMS",
        UtilClampMin = "SCHED_FLAG_UTIL_CLAMP_MIN",
        UtilClampMax = "SCHED_FLAG_UTIL_CLAMP_MAX",
    }
}

object! {
    /// The settings of ioprio_set(2).
    #[derive(Debug, Clone, Default, Copy)]
    pub struct IoPriority {
        /// The class.
        pub class: IoPriorityClass = required "class",
        /// The level inside the class: 0 (highest) to 7.
        pub priority: i32 = "priority",
    }
}

words! {
    /// A disk scheduling class.
    IoPriorityClass {
        RealTime = "IOPRIO_CLASS_RT",
        BestEffort = "IOPRIO_CLASS_BE",
        Idle = "IOPRIO_CLASS_IDLE",
    }
}

object! {
    /// The CPUs of an `exec`ed process, as lists like `0-3,7`.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct CpuAffinity {
        /// Those that the runtime's child runs on before it is in the container's cgroup.
        pub initial: Option<String> = "initial",
        /// Those from then on.
        pub last: Option<String> = "final",
    }
}
