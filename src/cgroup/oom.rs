//! Being told when a container runs out of memory.

use super::Cgroup;
use crate::error::{Context, Error, Result};
use crate::sys::file::read_text;
use crate::sys::{notify, process};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// The out-of-memory events of a cgroup.
#[derive(Debug)]
pub struct OutOfMemory {
    events: OwnedFd,
    /// On v1 also tells of the cgroup's removal, after which this file is gone; on v2 counts the kills.
    file: PathBuf,
    /// On v2: how many kills are known.
    kills: Option<u64>,
}

impl OutOfMemory {
    /// From now on.
    pub fn watch(cgroup: &Cgroup) -> Result<OutOfMemory> {
        if let Some(directory) = cgroup.directories.first().filter(|_| cgroup.unified) {
            let file = directory.path.join("memory.events");
            let what = || format!("inotify_add_watch {}", file.display());
            let events = notify::on_modification(&file).with_context(what)?;
            let kills = Some(kills(&read_text(&file).with_context(what)?));
            return Ok(OutOfMemory {
                events,
                file,
                kills,
            });
        }
        let directory = cgroup
            .controller("memory")
            .ok_or_else(|| Error::new("memory controller missing"))?;
        let events = notify::eventfd().context("eventfd")?;
        let path = directory.join("memory.oom_control");
        let control = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        let line = format!("{} {}", events.as_raw_fd(), control.as_raw_fd());
        let file = directory.join("cgroup.event_control");
        super::write(directory, "cgroup.event_control", &line)
            .with_context(|| format!("write {}", file.display()))?;
        Ok(OutOfMemory {
            events,
            file,
            kills: None,
        })
    }

    /// Can be read when [`OutOfMemory::take`] is to be called.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Whether memory has run out since it was last asked.
    pub fn take(&mut self) -> Result<bool> {
        let told = process::poll(&[Some(self.fd())], 0)?[0];
        if told {
            notify::drain(self.fd());
        }
        let Some(known) = self.kills else {
            return Ok(told && self.file.exists());
        };
        // The kernel tells of a quick row of events late: what counts is the file.
        let now = read_text(&self.file).map_or(known, |text| kills(&text));
        self.kills = Some(now);
        Ok(now > known)
    }
}

fn kills(events: &str) -> u64 {
    let count = events
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn kills_are_counted() {
        let text = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 1\n";
        assert_eq!(super::kills(text), 3);
    }
}
