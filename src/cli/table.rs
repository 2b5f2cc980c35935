//! The table of commands: the parser, the help, the manual pages and the completions come from it.

use super::flags::{
    BUNDLE, CONFIG, CONSOLE, Command, NO_KEYRING, NO_PIVOT, PID_FILE, PIDFD, PRESERVE, number,
    path, switch, value, values,
};

const ID: &str = "<container-id>";

/// A command that takes nothing but one container id and no flags.
const BARE: Command = Command {
    name: "",
    arguments: ID,
    count: (1, 1),
    help: "",
    more: "",
    verbatim: false,
    hidden: false,
    flags: &[],
};

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "checkpoint",
        help: "checkpoint a running container",
        more: "Saves the state of the container's processes with criu.",
        flags: &[
            path("image-path", "", "directory for criu's image files"),
            path("work-path", "", "directory for work files and logs"),
            path(
                "parent-path",
                "",
                "directory of the images of the last pre-dump",
            ),
            switch(
                "leave-running",
                "",
                "leave the processes running afterwards",
            ),
            switch("tcp-established", "", "allow open tcp connections"),
            switch("tcp-skip-in-flight", "", "skip in-flight tcp connections"),
            switch("link-remap", "", "link unlinked files back where possible"),
            switch("ext-unix-sk", "", "allow external unix sockets"),
            switch("shell-job", "", "allow shell jobs"),
            switch("lazy-pages", "", "restore memory lazily, by userfaultfd"),
            number(
                "status-fd",
                "descriptor that criu writes \\0 to once lazy pages are ready",
            ),
            value("page-server", "", "ADDRESS:PORT of the page server"),
            switch("file-locks", "", "handle file locks"),
            switch(
                "pre-dump",
                "",
                "dump memory only and leave the container running",
            ),
            value(
                "manage-cgroups-mode",
                "",
                "soft, full, strict or ignore (default: soft)",
            ),
            values(
                "empty-ns",
                "",
                "namespace to create without restoring its properties",
            ),
            switch("auto-dedup", "", "deduplicate the memory images"),
        ],
        ..BARE
    },
    Command {
        name: "completion",
        arguments: "bash|zsh|fish",
        help: "print a shell's completion script",
        ..BARE
    },
    Command {
        name: "create",
        help: "create a container, whose process waits for start",
        more: "Makes a container of a bundle: a directory that holds config.json and a root filesystem.",
        flags: &[
            BUNDLE, CONFIG, CONSOLE, PIDFD, PID_FILE, NO_PIVOT, NO_KEYRING, PRESERVE,
        ],
        ..BARE
    },
    Command {
        name: "delete",
        help: "delete a stopped container",
        flags: &[
            switch("force", "f", "kill the container if it still runs"),
            switch("regex", "r", "the argument is a regular expression"),
        ],
        ..BARE
    },
    Command {
        name: "events",
        help: "display a container's events and statistics",
        flags: &[
            value(
                "interval",
                "",
                "time between two statistics, as 500ms or 5s (default: 5s)",
            ),
            switch("stats", "", "display the statistics once"),
        ],
        ..BARE
    },
    Command {
        name: "exec",
        arguments: "<container-id> <command> [arguments...]",
        count: (1, usize::MAX),
        help: "execute a further process in a container",
        more: "What follows the container id is the command. With --process there is none.",
        verbatim: true,
        flags: &[
            CONSOLE,
            PIDFD,
            path("cwd", "", "working directory"),
            values("env", "e", "environment variable, NAME=VALUE"),
            switch("tty", "t", "give the process a terminal"),
            value("user", "u", "UID[:GID]"),
            values("additional-gids", "g", "additional group id"),
            path(
                "process",
                "p",
                "file that holds the process as the specification has it",
            ),
            switch("detach", "d", "do not wait for the process"),
            PID_FILE,
            value("process-label", "", "SELinux label"),
            value("apparmor", "", "AppArmor profile"),
            switch("no-new-privs", "", "allow no new privileges"),
            values("cap", "c", "capability to add"),
            PRESERVE,
            values("cgroup", "", "cgroup to run in, below the container's"),
            switch("ignore-paused", "", "do not refuse a paused container"),
        ],
        ..BARE
    },
    Command {
        name: "features",
        arguments: "",
        count: (0, 0),
        help: "print what this runtime can do, as JSON",
        ..BARE
    },
    Command {
        name: "kill",
        arguments: "<container-id> [signal]",
        count: (1, 2),
        help: "send a signal (default: SIGTERM) to a container's first process",
        flags: &[
            switch("all", "a", "send it to all of the container's processes"),
            switch("regex", "r", "the argument is a regular expression"),
        ],
        ..BARE
    },
    Command {
        name: "list",
        arguments: "",
        count: (0, 0),
        help: "list containers",
        flags: &[
            value("format", "f", "table or json"),
            switch("quiet", "q", "show ids only"),
        ],
        ..BARE
    },
    Command {
        name: "man",
        arguments: "[command]",
        count: (0, 1),
        help: "print a manual page",
        hidden: true,
        ..BARE
    },
    Command {
        name: "mounts",
        arguments: "add|remove <container-id> <mounts.json>",
        count: (3, 3),
        help: "add mounts to a running container, or remove them",
        ..BARE
    },
    Command {
        name: "pause",
        help: "suspend all processes of a container",
        ..BARE
    },
    Command {
        name: "plan",
        arguments: "",
        count: (0, 0),
        help: "print what a configuration will do, one operation a line, without doing it",
        flags: &[BUNDLE, CONFIG, NO_PIVOT, NO_KEYRING],
        ..BARE
    },
    Command {
        name: "ps",
        arguments: "<container-id> [ps options]",
        count: (1, usize::MAX),
        help: "show the processes of a container",
        verbatim: true,
        flags: &[value("format", "f", "table or json")],
        ..BARE
    },
    Command {
        name: "restore",
        help: "restore a container from a checkpoint",
        flags: &[
            CONSOLE,
            path("image-path", "", "directory of criu's image files"),
            path("work-path", "", "directory for work files and logs"),
            switch("tcp-established", "", "allow open tcp connections"),
            switch("ext-unix-sk", "", "allow external unix sockets"),
            switch("shell-job", "", "allow shell jobs"),
            switch("file-locks", "", "handle file locks"),
            value(
                "manage-cgroups-mode",
                "",
                "soft, full, strict or ignore (default: soft)",
            ),
            BUNDLE,
            switch("detach", "d", "do not wait for the container"),
            PID_FILE,
            switch("no-subreaper", "", "do not take in the container's orphans"),
            NO_PIVOT,
            values(
                "empty-ns",
                "",
                "namespace to create without restoring its properties",
            ),
            switch("auto-dedup", "", "deduplicate the memory images"),
            switch("lazy-pages", "", "restore memory lazily, by userfaultfd"),
            value("lsm-profile", "", "LSM profile, TYPE:NAME"),
            value("lsm-mount-context", "", "LSM context of the mounts"),
        ],
        ..BARE
    },
    Command {
        name: "resume",
        help: "resume all processes of a paused container",
        ..BARE
    },
    Command {
        name: "run",
        help: "create a container and start it",
        more: "Makes a container of a bundle: a directory that holds config.json and a root filesystem.",
        flags: &[
            BUNDLE,
            CONFIG,
            CONSOLE,
            PIDFD,
            switch("detach", "d", "do not wait for the container"),
            switch(
                "keep",
                "",
                "do not delete the container when it has stopped",
            ),
            PID_FILE,
            switch("no-subreaper", "", "do not take in the container's orphans"),
            NO_PIVOT,
            NO_KEYRING,
            PRESERVE,
        ],
        ..BARE
    },
    Command {
        name: "spec",
        arguments: "",
        count: (0, 0),
        help: "write a configuration to begin with",
        more: "Writes config.json, which runs sh, into the bundle. It replaces no file.",
        flags: &[BUNDLE, switch("rootless", "", "for a user who is not root")],
        ..BARE
    },
    Command {
        name: "start",
        help: "start a created container's process",
        ..BARE
    },
    Command {
        name: "state",
        help: "print the state of a container",
        ..BARE
    },
    Command {
        name: "update",
        help: "change a container's resource limits",
        more: "With --resources, a file that holds linux.resources as JSON, all other flags are ignored.",
        flags: &[
            path(
                "resources",
                "r",
                "file of the resources, or - for standard input",
            ),
            number("blkio-weight", "block I/O weight, 10 to 1000"),
            number(
                "cpu-period",
                "CPU period in microseconds; 0 for the default",
            ),
            number("cpu-quota", "CPU time in a period, in microseconds"),
            number(
                "cpu-burst",
                "CPU time that may be saved up, in microseconds",
            ),
            number("cpu-share", "CPU weight against other containers"),
            number("cpu-rt-period", "realtime CPU period in microseconds"),
            number("cpu-rt-runtime", "realtime CPU time in a period"),
            value("cpuset-cpus", "", "CPUs to use"),
            value("cpuset-mems", "", "memory nodes to use"),
            number("kernel-memory", "ignored: obsolete").hide(),
            number("kernel-memory-tcp", "ignored: obsolete").hide(),
            number("memory", "memory limit in bytes"),
            number("cpu-idle", "1 to run only when nothing else does, or 0"),
            number("memory-reservation", "soft memory limit in bytes"),
            number("memory-swap", "limit of memory and swap; -1 for none"),
            number("pids-limit", "the most processes"),
            value("l3-cache-schema", "", "Intel RDT L3 cache schema"),
            value("mem-bw-schema", "", "Intel RDT memory bandwidth schema"),
        ],
        ..BARE
    },
];
