//! config-linux.md, "Seccomp".

use crate::json::{Strings, object, words};

object! {
    /// A system call filter.
    #[derive(Debug, Clone, Default)]
    pub struct Seccomp {
        /// What happens to a system call that no rule matches.
        pub default_action: SeccompAction = required "defaultAction",
        /// The errno (or trace datum) of the default action.
        pub default_errno_ret: Option<u32> = "defaultErrnoRet",
        /// The architectures that calls may be made of, beside the native one.
        pub architectures: Vec<SeccompArch> = "architectures",
        /// Flags of seccomp(2). Absent is not the same as empty: then runc, and so this runtime, sets `SPEC_ALLOW`.
        pub flags: Option<Vec<SeccompFlag>> = "flags",
        /// The socket that notifications' descriptor is sent to.
        pub listener_path: Option<String> = "listenerPath",
        /// What is sent to that socket beside it.
        pub listener_metadata: Option<String> = "listenerMetadata",
        /// The rules.
        pub syscalls: Vec<SyscallRule> = "syscalls",
    }
}

object! {
    /// A rule: what happens to some system calls.
    #[derive(Debug, Clone, Default)]
    pub struct SyscallRule {
        /// The system calls.
        pub names: Strings = required "names",
        /// What happens to them.
        pub action: SeccompAction = required "action",
        /// The errno (or trace datum) of the action.
        pub errno_ret: Option<u32> = "errnoRet",
        /// What the arguments must be for the rule to match.
        pub args: Vec<SyscallArg> = "args",
    }
}

object! {
    /// A condition on one argument of a system call.
    #[derive(Debug, Clone, Default, Copy)]
    pub struct SyscallArg {
        /// Which argument, from 0 to 5.
        pub index: u32 = required "index",
        /// What it is compared with; for a masked comparison, the mask.
        pub value: u64 = required "value",
        /// For a masked comparison, what the masked argument is compared with.
        pub value_two: u64 = "valueTwo",
        /// The comparison.
        pub op: SeccompOperator = required "op",
    }
}

words! {
    /// What happens to a system call. `SCMP_ACT_KILL` is the older word for `SCMP_ACT_KILL_THREAD`.
    SeccompAction {
        Kill = "SCMP_ACT_KILL",
        KillProcess = "SCMP_ACT_KILL_PROCESS",
        KillThread = "SCMP_ACT_KILL_THREAD",
        Trap = "SCMP_ACT_TRAP",
        Errno = "SCMP_ACT_ERRNO",
        Trace = "SCMP_ACT_TRACE",
        Allow = "SCMP_ACT_ALLOW",
        Log = "SCMP_ACT_LOG",
        Notify = "SCMP_ACT_NOTIFY",
    }
}

words! {
    /// A comparison of an argument with a value.
    SeccompOperator {
        NotEqual = "SCMP_CMP_NE",
        Less = "SCMP_CMP_LT",
        LessOrEqual = "SCMP_CMP_LE",
        Equal = "SCMP_CMP_EQ",
        GreaterOrEqual = "SCMP_CMP_GE",
        Greater = "SCMP_CMP_GT",
        MaskedEqual = "SCMP_CMP_MASKED_EQ",
    }
}

words! {
    /// A flag of seccomp(2).
    SeccompFlag {
        Tsync = "SECCOMP_FILTER_FLAG_TSYNC",
        Log = "SECCOMP_FILTER_FLAG_LOG",
        SpecAllow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        WaitKillableRecv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    }
}

words! {
    /// An architecture that system calls can be made of.
    SeccompArch {
        X86 = "SCMP_ARCH_X86",
        X86_64 = "SCMP_ARCH_X86_64",
        X32 = "SCMP_ARCH_X32",
        Arm = "SCMP_ARCH_ARM",
        Aarch64 = "SCMP_ARCH_AARCH64",
        Loongarch64 = "SCMP_ARCH_LOONGARCH64",
        M68k = "SCMP_ARCH_M68K",
        Mips = "SCMP_ARCH_MIPS",
        Mips64 = "SCMP_ARCH_MIPS64",
        Mips64n32 = "SCMP_ARCH_MIPS64N32",
        Mipsel = "SCMP_ARCH_MIPSEL",
        Mipsel64 = "SCMP_ARCH_MIPSEL64",
        Mipsel64n32 = "SCMP_ARCH_MIPSEL64N32",
        Ppc = "SCMP_ARCH_PPC",
        Ppc64 = "SCMP_ARCH_PPC64",
        Ppc64le = "SCMP_ARCH_PPC64LE",
        S390 = "SCMP_ARCH_S390",
        S390x = "SCMP_ARCH_S390X",
        Sh = "SCMP_ARCH_SH",
        Sheb = "SCMP_ARCH_SHEB",
        Parisc = "SCMP_ARCH_PARISC",
        Parisc64 = "SCMP_ARCH_PARISC64",
        Riscv64 = "SCMP_ARCH_RISCV64",
    }
}
