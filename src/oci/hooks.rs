//! config.md, "POSIX-platform Hooks".

use crate::json::object;

object! {
    /// The programs that run at the turns of a container's life, each list in its order.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Hooks {
        /// Deprecated: during `create`, with the namespaces made, before the root is switched; in the runtime's namespaces.
        pub prestart: Vec<Hook> = "prestart",
        /// At the same turn, after `prestart`; in the runtime's namespaces.
        pub create_runtime: Vec<Hook> = "createRuntime",
        /// At the same turn, after `createRuntime`; in the container's namespaces.
        pub create_container: Vec<Hook> = "createContainer",
        /// During `start`, before the process; in the container's namespaces.
        pub start_container: Vec<Hook> = "startContainer",
        /// After the process started; in the runtime's namespaces.
        pub poststart: Vec<Hook> = "poststart",
        /// After the container was deleted; in the runtime's namespaces.
        pub poststop: Vec<Hook> = "poststop",
    }
}

impl Hooks {
    /// Each list with its name in the spec.
    pub fn lists(&self) -> [(&'static str, &[Hook]); 6] {
        [
            ("prestart", &self.prestart),
            ("createRuntime", &self.create_runtime),
            ("createContainer", &self.create_container),
            ("startContainer", &self.start_container),
            ("poststart", &self.poststart),
            ("poststop", &self.poststop),
        ]
    }

    /// Whether there is no hook at all.
    pub fn is_empty(&self) -> bool {
        self.lists().iter().all(|(_, list)| list.is_empty())
    }
}

object! {
    /// One program to run; it gets the container's state on its standard input.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Hook {
        /// The program, as an absolute path in the namespace that it runs in.
        pub path: String = "path",
        /// Its whole argv, including argv[0].
        pub args: Vec<String> = "args",
        /// Its environment, as `NAME=value`.
        pub env: Vec<String> = "env",
        /// After how many seconds it is killed; never when absent.
        pub timeout: Option<i64> = "timeout",
    }
}
