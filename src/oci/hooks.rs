//! config.md, "POSIX-platform Hooks".

use super::null;
use serde::{Deserialize, Serialize};

/// The programs that run at the turns of a container's life, each list in its order.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Hooks {
    /// Deprecated: during `create`, with the namespaces made, before the root is switched; in the runtime's namespaces.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub prestart: Vec<Hook>,
    /// At the same turn, after `prestart`; in the runtime's namespaces.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub create_runtime: Vec<Hook>,
    /// At the same turn, after `createRuntime`; in the container's namespaces.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub create_container: Vec<Hook>,
    /// During `start`, before the process; in the container's namespaces.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub start_container: Vec<Hook>,
    /// After the process started; in the runtime's namespaces.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub poststart: Vec<Hook>,
    /// After the container was deleted; in the runtime's namespaces.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub poststop: Vec<Hook>,
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

/// One program to run; it gets the container's state on its standard input.
#[derive(Deserialize, Serialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(default)]
pub struct Hook {
    /// The program, as an absolute path in the namespace that it runs in.
    #[serde(deserialize_with = "null")]
    pub path: String,
    /// Its whole argv, including argv[0].
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its environment, as `NAME=value`.
    #[serde(deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// After how many seconds it is killed; never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
}
