//! Cgroups below the container's, that `exec --cgroup` names.

use super::{Cgroup, Directory};
use crate::error::{Error, Result};
use crate::sys::file::read_text;
use std::path::Path;
use std::rc::Rc;

impl Cgroup {
    /// This cgroup with the directories that `--cgroup` names: `path` below each one, or on v1
    /// `controller[,controller…]:path` below those of the controllers. They must be there when they are joined.
    pub fn below(&self, wanted: &[String]) -> Result<Cgroup> {
        let mut cgroup = self.clone();
        let mut seen: Vec<&str> = Vec::new();
        for argument in wanted {
            let Some((controllers, sub)) = argument.split_once(':') else {
                if wanted.len() > 1 {
                    return Err(Error::new(format!(
                        "invalid --cgroup argument: {argument} (missing <controller>: prefix)"
                    )));
                }
                for directory in &mut cgroup.directories {
                    descend(Rc::make_mut(directory), argument)?;
                }
                break;
            };
            for controller in controllers.split(',') {
                if controller.is_empty() {
                    return Err(Error::new(format!(
                        "invalid --cgroup argument: {argument} (empty <controller> prefix)"
                    )));
                }
                if seen.contains(&controller) {
                    return Err(Error::new(format!(
                        "invalid --cgroup argument(s): controller {controller} specified multiple times"
                    )));
                }
                seen.push(controller);
                let has = |directory: &Rc<Directory>| {
                    directory.controllers.iter().any(|one| one == controller)
                };
                let index = self.directories.iter().position(has);
                let index = index.ok_or_else(|| {
                    Error::new(format!("--cgroup: unknown controller {controller}"))
                })?;
                // Two controllers of one hierarchy name the same directory.
                cgroup.directories[index] = self.directories[index].clone();
                descend(Rc::make_mut(&mut cgroup.directories[index]), sub)?;
            }
        }
        Ok(cgroup)
    }

    /// Has systemd move a process into this cgroup or one of those below it, as we may not where the one above both it and
    /// our own is somebody else's: a login's session and the user's systemd are beside each other.
    pub fn attach(&self, to: &Cgroup, pid: i32) -> Result<()> {
        let own = self.directories.first().map(|own| own.path.as_path());
        let (Some(unit), Some(own), Some(path)) = (&self.unit, own, to.processes()) else {
            return Ok(());
        };
        // As an absolute path that begins with the unit's cgroup.
        let below = path.strip_prefix(own).unwrap_or(Path::new(""));
        unit.attach(&Path::new("/").join(below).to_string_lossy(), pid)
    }

    /// On v2, the cgroup that the process is in now: it may have moved, and then its first one takes no process any more.
    pub fn current_of(&self, pid: i32) -> Option<Cgroup> {
        let mut directory = self.directories.first().filter(|_| self.unified)?.clone();
        let own = Rc::make_mut(&mut directory);
        let text = read_text(Path::new(&format!("/proc/{pid}/cgroup"))).ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        own.path = own.mountpoint.join(path.trim_start_matches('/'));
        own.cgroup = path.into();
        Some(Cgroup {
            unified: true,
            directories: vec![directory],
            ..Cgroup::default()
        })
    }
}

fn descend(directory: &mut Directory, sub: &str) -> Result<()> {
    let mut parts: Vec<&str> = Vec::new();
    for part in sub.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_some() => {}
            ".." => {
                return Err(Error::new(format!(
                    "--cgroup: bad sub cgroup path: {sub}: it must lie below the container's"
                )));
            }
            part => parts.push(part),
        }
    }
    if !parts.is_empty() {
        let below = parts.join("/");
        directory.path = directory.path.join(Path::new(&below));
        directory.cgroup = format!("{}/{below}", directory.cgroup.trim_end_matches('/'));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cgroup() -> Cgroup {
        let directory = |controllers: &[&str]| Directory {
            controllers: controllers.iter().map(|name| name.to_string()).collect(),
            path: "/c/box".into(),
            mountpoint: "/c".into(),
            cgroup: "/box".into(),
        };
        Cgroup {
            directories: [&["cpu", "cpuacct"][..], &["memory"]]
                .map(directory)
                .map(Rc::new)
                .into(),
            ..Cgroup::default()
        }
    }

    fn paths(arguments: &[&str]) -> Result<Vec<String>> {
        let arguments: Vec<String> = arguments.iter().map(|one| one.to_string()).collect();
        let cgroup = cgroup().below(&arguments)?;
        let paths = cgroup.directories.iter();
        Ok(paths
            .map(|directory| directory.path.display().to_string())
            .collect())
    }

    #[test]
    fn a_path_alone_is_below_every_hierarchy() {
        assert_eq!(paths(&[]).unwrap(), ["/c/box", "/c/box"]);
        assert_eq!(paths(&["/"]).unwrap(), ["/c/box", "/c/box"]);
        assert_eq!(paths(&["a//b/."]).unwrap(), ["/c/box/a/b", "/c/box/a/b"]);
    }

    #[test]
    fn controllers_have_paths_of_their_own() {
        let found = paths(&["memory:m", "cpuacct,cpu:x/../c"]).unwrap();
        assert_eq!(found, ["/c/box/c", "/c/box/m"]);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |arguments: &[&str]| paths(arguments).unwrap_err().to_string();
        assert!(error(&[".."]).contains("bad sub cgroup path: .."));
        assert!(error(&["memory:a/../.."]).contains("bad sub cgroup path"));
        assert!(error(&["what:/"]).contains("unknown controller what"));
        assert!(error(&["a", "memory:b"]).contains("missing <controller>: prefix"));
        assert!(error(&[":a"]).contains("empty <controller> prefix"));
        assert!(error(&["cpu:a", "cpu:b"]).contains("multiple times"));
    }
}
