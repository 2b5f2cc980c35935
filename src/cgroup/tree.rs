//! The directories of cgroups: made with their parents, looked through, removed with what is below them.

use super::v2;
use crate::error::{Context, Error, Result};
use crate::sys::file;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Makes a cgroup's directory, and its parents as far as they are missing. What it makes is added to `made`. On v2 it
/// sees to it that all parents pass their controllers on; the result is false where not all that the hierarchy has get
/// there.
pub fn make(
    mountpoint: &Path,
    path: &Path,
    unified: bool,
    made: &mut Vec<PathBuf>,
) -> std::io::Result<bool> {
    // A container that fails beside this one may take back a parent that it has made.
    const TRIES: u32 = 3;
    let mut tries = 1;
    loop {
        let result = match unified {
            true => make_v2(mountpoint, path, made),
            false => make_v1(mountpoint, path, made).map(|()| true),
        };
        match result {
            Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

fn make_v1(mountpoint: &Path, path: &Path, made: &mut Vec<PathBuf>) -> std::io::Result<()> {
    match (make_one(path, made), path.parent()) {
        (Err(error), Some(parent))
            if error.kind() == ErrorKind::NotFound && parent.starts_with(mountpoint) =>
        {
            make_v1(mountpoint, parent, made)?;
            make_one(path, made)
        }
        (result, _) => result,
    }
}

fn make_v2(mountpoint: &Path, path: &Path, made: &mut Vec<PathBuf>) -> std::io::Result<bool> {
    // For all but the first container below its parent, that is all.
    match make_one(path, made) {
        Ok(()) if is_whole(mountpoint, path)? => return Ok(true),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    enable_above(mountpoint, path, |at| make_one(at, made))?;
    is_whole(mountpoint, path)
}

/// Sees to it that a cgroup that is there has all controllers, as far as they can be had.
pub fn complete(mountpoint: &Path, path: &Path) {
    if is_whole(mountpoint, path).is_ok_and(|whole| !whole) {
        let _ = enable_above(mountpoint, path, |_| Ok(()));
    }
}

/// Whether all controllers that the hierarchy has get to the cgroup.
fn is_whole(mountpoint: &Path, path: &Path) -> std::io::Result<bool> {
    let controllers = |path: &Path| file::read_text(&path.join("cgroup.controllers"));
    Ok(controllers(path)? == controllers(mountpoint)?)
}

/// Has all that are above a cgroup pass their controllers on, and then does something to the next one below.
fn enable_above(
    mountpoint: &Path,
    path: &Path,
    mut then: impl FnMut(&Path) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let below = path.strip_prefix(mountpoint).unwrap_or(path);
    let mut at = mountpoint.to_path_buf();
    for component in below.components() {
        v2::enable_controllers(&at);
        at.push(component);
        then(&at)?;
    }
    Ok(())
}

/// Makes a cgroup's directory below one that is there.
pub fn make_one(path: &Path, made: &mut Vec<PathBuf>) -> std::io::Result<()> {
    match file::make_directory(path) {
        Ok(()) => {
            made.push(path.into());
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Removes what was made, but what others have come to use.
pub fn take_back(made: &[PathBuf]) {
    for path in made.iter().rev() {
        let _ = file::remove_directory(path);
    }
}

/// What another container's processes are in must not be taken for a new one.
pub fn must_be_empty(path: &Path) -> Result<()> {
    let mut pids = Vec::new();
    collect(path, &mut pids)?;
    match pids.len() {
        0 => Ok(()),
        count => Err(Error::new(format!(
            "linux.cgroupsPath: container's cgroup is not empty: {count} process(es) found in {}",
            path.display()
        ))),
    }
}

/// Adds the processes of a cgroup and of those below it. One that is gone has none.
pub fn collect(directory: &Path, pids: &mut Vec<i32>) -> Result<()> {
    let mut path = directory.join("cgroup.procs");
    let mut text = file::read_text(&path);
    // A threaded cgroup has no processes of its own.
    if matches!(&text, Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP)) {
        path = directory.join("cgroup.threads");
        text = file::read_text(&path);
    }
    match text {
        Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => {
            return Ok(());
        }
        Err(error) => return Err(error).with_context(|| format!("open {}", path.display())),
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), pids)?;
        }
    }
    Ok(())
}

/// rmdir(2), depth first where there is something below. A cgroup stays busy for a moment after its last process
/// has ended.
pub fn remove(path: &Path) -> std::io::Result<()> {
    const ROUNDS: u32 = 11;
    let mut wait = Duration::from_micros(500);
    for round in 0.. {
        match file::remove_directory(path) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && round < ROUNDS => {
                let mut below = false;
                // Who made it may remove it, too, at the same time.
                for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        remove(&entry.path())?;
                        below = true;
                    }
                }
                if !below {
                    std::thread::sleep(wait);
                    wait *= 2;
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            result => return result,
        }
    }
    Ok(())
}
