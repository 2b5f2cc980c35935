//! Freezing and thawing all processes of a cgroup.

use super::{Cgroup, write};
use crate::error::{Context, Error, Result};
use crate::sys::file::read_text;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Cgroup {
    /// The directory in which the cgroup is frozen.
    pub fn freezer_path(&self) -> Option<PathBuf> {
        self.freezer().map(|(directory, _)| directory)
    }

    /// The file that freezes: its directory and name.
    fn freezer(&self) -> Option<(PathBuf, &'static str)> {
        match self.unified {
            true => self
                .directories
                .first()
                .map(|directory| (directory.path.clone(), "cgroup.freeze")),
            false => self
                .controller("freezer")
                .map(|path| (path.into(), "freezer.state")),
        }
    }

    /// Whether the cgroup itself is frozen, or is about to be: one above it does not count.
    pub fn frozen(&self) -> Result<bool> {
        let Some((directory, name)) = self.freezer() else {
            return Ok(false);
        };
        let path = match self.unified {
            true => directory.join(name),
            false => directory.join("freezer.self_freezing"),
        };
        is_frozen(&path)
    }

    /// Freezes every process, and returns when they are. When they are not within some seconds, all are thawed.
    pub fn freeze(&self) -> Result<()> {
        const ROUNDS: u32 = 2000;
        let result = self.freeze_within(ROUNDS);
        if result.is_err() {
            let _ = self.thaw();
        }
        result
    }

    fn freeze_within(&self, rounds: u32) -> Result<()> {
        let (directory, _) = self.freezer().ok_or_else(no_freezer)?;
        for round in 0..rounds {
            // v1 misses processes that are made meanwhile: it must be told again, and now and then begin again.
            if !self.unified && round % 50 == 49 {
                self.set_frozen(false)?;
                std::thread::sleep(Duration::from_millis(10));
            }
            if !self.unified || round == 0 {
                self.set_frozen(true)?;
            }
            let (name, done) = match self.unified {
                true => ("cgroup.events", "frozen 1"),
                false => ("freezer.state", "FROZEN"),
            };
            let path = directory.join(name);
            let text = read_text(&path).with_context(|| format!("open {}", path.display()))?;
            if text.lines().any(|line| line == done) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(Error::new("unable to freeze"))
    }

    /// Lets them run again.
    pub fn thaw(&self) -> Result<()> {
        self.set_frozen(false)
    }

    fn set_frozen(&self, frozen: bool) -> Result<()> {
        let (directory, name) = self.freezer().ok_or_else(no_freezer)?;
        let value = match (self.unified, frozen) {
            (true, true) => "1",
            (true, false) => "0",
            (false, true) => "FROZEN",
            (false, false) => "THAWED",
        };
        write(&directory, name, value)
            .with_context(|| format!("write {}", directory.join(name).display()))
    }
}

/// What such a file says. One of a cgroup that is not there says no.
pub fn is_frozen(path: &Path) -> Result<bool> {
    match read_text(path) {
        Ok(text) => Ok(text.trim() == "1"),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => {
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| format!("open {}", path.display())),
    }
}

fn no_freezer() -> Error {
    super::without("cannot toggle freezer: cgroups not configured for container")
}
