//! The files of a container's cgroup, under the names of either version.

use crate::harness::*;
use std::fs;
use std::path::{Path, PathBuf};

/// A file's text, without the line's end.
#[track_caller]
pub fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file))
        .unwrap_or_else(|error| panic!("{}/{file}: {error}", dir.display()))
        .trim()
        .to_owned()
}

/// Whether the directory is of cgroup v2.
pub fn is_v2(dir: &Path) -> bool {
    dir.join("cgroup.controllers").exists()
}

/// Which version the controller is of; none where there is no such controller.
pub fn version(controller: &str) -> Option<u32> {
    // SAFETY: getpid cannot fail.
    let own = cgroup_dir(unsafe { libc::getpid() }, controller)?;
    Some(if is_v2(&own) { 2 } else { 1 })
}

/// The cgroup of a container, seen through the files of one controller.
pub struct Limits {
    /// Its directory.
    pub dir: PathBuf,
    /// Of cgroup v2.
    pub v2: bool,
}

impl Limits {
    /// None where there is no such controller.
    pub fn of(container: &Container<'_>, controller: &str) -> Option<Limits> {
        let dir = cgroup_dir(container.pid(), controller)?;
        let v2 = is_v2(&dir);
        Some(Limits { dir, v2 })
    }

    /// The value of the one file or the other.
    #[track_caller]
    pub fn either(&self, v1: &str, v2: &str) -> String {
        read(&self.dir, if self.v2 { v2 } else { v1 })
    }

    /// Whether the kernel has the one file or the other.
    pub fn has(&self, v1: &str, v2: &str) -> bool {
        self.dir.join(if self.v2 { v2 } else { v1 }).exists()
    }
}

/// The limits of a container, or the reason to skip.
macro_rules! limits_or_skip {
    ($container:expr, $controller:expr) => {
        match $crate::limits::Limits::of(&$container, $controller) {
            Some(limits) => limits,
            None => skip!("no {} controller here", $controller),
        }
    };
}

/// Skips the test where there is no such controller.
macro_rules! needs_controller {
    ($controller:expr) => {
        match $crate::limits::version($controller) {
            Some(version) => version,
            None => skip!("no {} controller here", $controller),
        }
    };
}
