//! The one table of commands and flags: the parser and every help text come from it.

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it is there, or not (`--flag=false`).
    Switch,
    /// A value, the last of which counts.
    Value,
    /// A value, each of which counts.
    Values,
}

/// A flag.
#[derive(Debug)]
pub struct Flag {
    /// Its name, without dashes.
    pub name: &'static str,
    /// A second, shorter name; empty for none.
    pub short: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is for.
    pub help: &'static str,
}

/// A command.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What follows the flags.
    pub arguments: &'static str,
    /// The least and the most arguments.
    pub count: (usize, usize),
    /// What it does.
    pub help: &'static str,
    /// Its flags.
    pub flags: &'static [Flag],
}

const fn switch(name: &'static str, short: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        short,
        kind: Kind::Switch,
        help,
    }
}

const fn value(name: &'static str, short: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        short,
        kind: Kind::Value,
        help,
    }
}

const fn values(name: &'static str, short: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        short,
        kind: Kind::Values,
        help,
    }
}

const BUNDLE: Flag = value(
    "bundle",
    "b",
    "path of the bundle's directory (default: the current one)",
);
const CONSOLE: Flag = value(
    "console-socket",
    "",
    "path of a unix socket that the terminal's master is sent to",
);
const PIDFD: Flag = value(
    "pidfd-socket",
    "",
    "path of a unix socket that the process's pidfd is sent to",
);
const PID_FILE: Flag = value("pid-file", "", "file to write the process id to");
const NO_PIVOT: Flag = switch("no-pivot", "", "do not use pivot_root, as on an initramfs");
const NO_KEYRING: Flag = switch("no-new-keyring", "", "do not make a new session keyring");
const PRESERVE: Flag = value(
    "preserve-fds",
    "",
    "number of descriptors after standard error to hand on",
);
const CONFIG: Flag = value(
    "config",
    "f",
    "path of the configuration (default: config.json in the bundle)",
);

/// The flags that come before the command.
pub const GLOBAL: &[Flag] = &[
    switch("debug", "", "log more"),
    value("log", "", "file to log to (default: standard error)"),
    value("log-format", "", "text or json"),
    value(
        "root",
        "",
        "directory of the containers' states (default: /run/coracle, or below $XDG_RUNTIME_DIR)",
    ),
    value("criu", "", "ignored: criu is taken from $PATH"),
    switch("systemd-cgroup", "", "make cgroups through systemd"),
    value(
        "rootless",
        "",
        "true, false or auto: do without cgroups that may not be made",
    ),
    switch("help", "h", "show this help"),
    switch("version", "v", "show the version"),
];

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "create",
        arguments: "<container-id>",
        count: (1, 1),
        help: "create a container, whose process waits for start",
        flags: &[
            BUNDLE, CONFIG, CONSOLE, PIDFD, PID_FILE, NO_PIVOT, NO_KEYRING, PRESERVE,
        ],
    },
    Command {
        name: "delete",
        arguments: "<container-id>",
        count: (1, 1),
        help: "delete a stopped container",
        flags: &[switch("force", "f", "kill the container if it still runs")],
    },
    Command {
        name: "exec",
        arguments: "<container-id> <command> [arguments...]",
        count: (1, usize::MAX),
        help: "execute a further process in a container",
        flags: &[
            CONSOLE,
            PIDFD,
            value("cwd", "", "working directory"),
            values("env", "e", "environment variable, NAME=VALUE"),
            switch("tty", "t", "give the process a terminal"),
            value("user", "u", "UID[:GID]"),
            values("additional-gids", "g", "additional group id"),
            value(
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
    },
    Command {
        name: "kill",
        arguments: "<container-id> [signal]",
        count: (1, 2),
        help: "send a signal (default: SIGTERM) to a container's first process",
        flags: &[switch(
            "all",
            "a",
            "send it to all of the container's processes",
        )],
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
    },
    Command {
        name: "pause",
        arguments: "<container-id>",
        count: (1, 1),
        help: "suspend all processes of a container",
        flags: &[],
    },
    Command {
        name: "plan",
        arguments: "",
        count: (0, 0),
        help: "print what a configuration will do, one operation a line, without doing it",
        flags: &[BUNDLE, CONFIG, NO_PIVOT, NO_KEYRING],
    },
    Command {
        name: "resume",
        arguments: "<container-id>",
        count: (1, 1),
        help: "resume all processes of a paused container",
        flags: &[],
    },
    Command {
        name: "run",
        arguments: "<container-id>",
        count: (1, 1),
        help: "create a container and start it",
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
    },
    Command {
        name: "spec",
        arguments: "",
        count: (0, 0),
        help: "write a configuration to begin with",
        flags: &[BUNDLE, switch("rootless", "", "for a user who is not root")],
    },
    Command {
        name: "start",
        arguments: "<container-id>",
        count: (1, 1),
        help: "start a created container's process",
        flags: &[],
    },
    Command {
        name: "state",
        arguments: "<container-id>",
        count: (1, 1),
        help: "print the state of a container",
        flags: &[],
    },
];
