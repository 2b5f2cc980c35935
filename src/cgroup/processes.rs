//! The processes of a cgroup: listed, signalled, killed.

use super::{Cgroup, tree, write};
use crate::error::{Context, Result};
use crate::sys::process;
use std::time::Duration;

impl Cgroup {
    /// Moves a process into the cgroup, once [`Cgroup::make`] has made it; with systemd, [`Cgroup::adopt`] does that.
    pub fn place(&self, pid: i32) -> Result<()> {
        let v2 = self.processes();
        let v1 = self
            .directories
            .iter()
            .filter(|directory| !directory.controllers.is_empty());
        for path in v1.map(|directory| &directory.path).chain(&v2) {
            write(path, "cgroup.procs", &pid.to_string())
                .with_context(|| format!("write {}", path.join("cgroup.procs").display()))?;
        }
        Ok(())
    }

    /// The processes in the cgroup and below it.
    pub fn procs(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        let directory = self
            .controller("pids")
            .or_else(|| self.directories.first().map(|first| first.path.as_path()));
        if let Some(directory) = directory {
            tree::collect(directory, &mut pids)?;
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Sends a signal to every process. None is missed because it was made meanwhile: they are frozen for as long.
    pub fn signal_all(&self, signal: i32) -> Result<()> {
        let kill = signal == libc::SIGKILL;
        if kill && self.kill_at_once() && self.unified {
            return Ok(());
        }
        let frozen = !self.frozen()? && self.freeze().is_ok();
        let result = self.signal_each(signal);
        // On v1 a frozen process does not die.
        if frozen || kill {
            let _ = self.thaw();
        }
        result
    }

    fn signal_each(&self, signal: i32) -> Result<()> {
        for pid in self.procs()? {
            match process::kill(pid, signal) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => result.with_context(|| format!("kill {pid}"))?,
            }
        }
        Ok(())
    }

    /// Kills every process, also those that are made meanwhile.
    pub fn kill_all(&self) -> Result<()> {
        const ROUNDS: usize = 100;
        if self.kill_at_once() && self.unified {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            if self.procs()?.is_empty() {
                return Ok(());
            }
            self.signal_each(libc::SIGKILL)?;
            let _ = self.thaw();
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Kills those that are in the v2 hierarchy, of a hybrid host too, where the kernel is 5.14 or later.
    fn kill_at_once(&self) -> bool {
        let v2 = self
            .directories
            .iter()
            .rfind(|directory| directory.controllers.is_empty());
        v2.is_some_and(|directory| write(&directory.path, "cgroup.kill", "1").is_ok())
    }
}
