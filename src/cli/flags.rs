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
    /// What its value is called in the help; empty for a switch.
    pub value: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Whether the help leaves it out.
    pub hidden: bool,
}

impl Flag {
    /// The same flag, left out of the help.
    pub const fn hide(mut self) -> Flag {
        self.hidden = true;
        self
    }

    /// The same flag, with another name for its value.
    const fn of(mut self, value: &'static str) -> Flag {
        self.value = value;
        self
    }
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
    /// More about it; empty for nothing more.
    pub more: &'static str,
    /// Whether what follows the first argument is not ours, and is taken as it stands.
    pub verbatim: bool,
    /// Whether the help leaves it out.
    pub hidden: bool,
    /// Its flags.
    pub flags: &'static [Flag],
}

const fn flag(
    name: &'static str,
    short: &'static str,
    kind: Kind,
    value: &'static str,
    help: &'static str,
) -> Flag {
    Flag {
        name,
        short,
        kind,
        value,
        help,
        hidden: false,
    }
}

pub(super) const fn switch(name: &'static str, short: &'static str, help: &'static str) -> Flag {
    flag(name, short, Kind::Switch, "", help)
}

pub(super) const fn value(name: &'static str, short: &'static str, help: &'static str) -> Flag {
    flag(name, short, Kind::Value, "value", help)
}

pub(super) const fn values(name: &'static str, short: &'static str, help: &'static str) -> Flag {
    flag(name, short, Kind::Values, "value", help)
}

/// A flag whose value is a path.
pub(super) const fn path(name: &'static str, short: &'static str, help: &'static str) -> Flag {
    flag(name, short, Kind::Value, "path", help)
}

/// A flag whose value is a number.
pub(super) const fn number(name: &'static str, help: &'static str) -> Flag {
    flag(name, "", Kind::Value, "number", help)
}

pub(super) const BUNDLE: Flag = path(
    "bundle",
    "b",
    "path of the bundle's directory (default: the current one)",
);
pub(super) const CONSOLE: Flag = path(
    "console-socket",
    "",
    "path of a unix socket that the terminal's master is sent to",
);
pub(super) const PIDFD: Flag = path(
    "pidfd-socket",
    "",
    "path of a unix socket that the process's pidfd is sent to",
);
pub(super) const PID_FILE: Flag = path("pid-file", "", "file to write the process id to");
pub(super) const NO_PIVOT: Flag =
    switch("no-pivot", "", "do not use pivot_root, as on an initramfs");
pub(super) const NO_KEYRING: Flag =
    switch("no-new-keyring", "", "do not make a new session keyring");
pub(super) const PRESERVE: Flag = number(
    "preserve-fds",
    "number of descriptors after standard error to hand on",
);
pub(super) const CONFIG: Flag = path(
    "config",
    "f",
    "path of the configuration (default: config.json in the bundle)",
);

/// The flags that come before the command.
pub const GLOBAL: &[Flag] = &[
    switch("debug", "", "log more"),
    path("log", "", "file to log to (default: standard error)"),
    value("log-format", "", "text or json").of("format"),
    path(
        "root",
        "",
        "directory of the containers' states (default: /run/coracle, or below $XDG_RUNTIME_DIR)",
    ),
    path("criu", "", "ignored: criu is taken from $PATH").hide(),
    switch("systemd-cgroup", "", "make cgroups through systemd"),
    value("cgroup-manager", "", "cgroupfs, systemd or disabled").of("manager"),
    value(
        "rootless",
        "",
        "true, false or auto: do without cgroups that may not be made",
    ),
    switch("help", "h", "show this help"),
    switch("version", "v", "show the version"),
];

pub use super::table::COMMANDS;
