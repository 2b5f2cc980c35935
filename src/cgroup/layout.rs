//! What hierarchies there are, and where we are in them: cgroups(7).

use crate::error::{Context, Result};
use crate::path::clean;
use crate::sys::file;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";
/// Where the v2 hierarchy is on a host that has the controllers in v1.
const HYBRID: &str = "/sys/fs/cgroup/unified";
const OWN: &str = "/proc/self/cgroup";
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// The host's cgroup hierarchies.
#[derive(Debug, Default)]
pub struct Layout {
    /// One hierarchy, of version 2.
    pub unified: bool,
    /// The v1 hierarchies were not looked for: they are taken to be where they usually are. See [`Layout::usual`].
    pub presumed: bool,
    /// All that containers are put into; on a hybrid host the v2 hierarchy, which has no controllers then, is the last.
    pub hierarchies: Vec<Hierarchy>,
}

/// A hierarchy.
#[derive(Debug)]
pub struct Hierarchy {
    /// The v1 controllers; none on v2.
    pub controllers: Vec<String>,
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// Our own cgroup, from the hierarchy's root.
    pub own: String,
}

impl Layout {
    /// Looks at the host. One without cgroups has no hierarchies.
    pub fn detect() -> Result<Layout> {
        Layout::of_host(|own| {
            let mounts = file::read_text(Path::new("/proc/self/mountinfo"))
                .context("open /proc/self/mountinfo")?;
            Ok(Layout {
                hierarchies: hierarchies(&mounts, own),
                ..Layout::default()
            })
        })
    }

    /// The same without asking for what is mounted, which takes long on a host that has many containers: v1 hierarchies
    /// are where their names say. Who finds one of them missing has to [detect](Layout::detect) where they really are.
    pub fn usual() -> Result<Layout> {
        Layout::of_host(|own| {
            Ok(Layout {
                presumed: true,
                hierarchies: own.lines().rev().filter_map(usual).collect(),
                ..Layout::default()
            })
        })
    }

    /// The host's one hierarchy, or else those of v1, found with our own cgroups.
    fn of_host(v1: impl FnOnce(&str) -> Result<Layout>) -> Result<Layout> {
        match is_cgroup2(ROOT) {
            true => Ok(Layout {
                unified: true,
                hierarchies: vec![unified(OWN)?],
                ..Layout::default()
            }),
            false => v1(&own(OWN)?),
        }
    }
}

fn is_cgroup2(path: &str) -> bool {
    file::filesystem_magic(Path::new(path)).is_ok_and(|magic| magic == CGROUP2_MAGIC)
}

/// The text of a `/proc/PID/cgroup`.
fn own(path: &str) -> Result<String> {
    file::read_record(Path::new(path)).with_context(|| format!("open {path}"))
}

/// The hierarchy of a line of `/proc/self/cgroup`; none for that of v2 where it is not mounted.
fn usual(line: &str) -> Option<Hierarchy> {
    let (_, line) = line.split_once(':')?;
    let (names, own) = line.split_once(':')?;
    let mountpoint = match names {
        "" if !is_cgroup2(HYBRID) => return None,
        "" => HYBRID.into(),
        names => [ROOT, "/", names.strip_prefix("name=").unwrap_or(names)].concat(),
    };
    let controllers = names.split(',').filter(|name| !name.is_empty());
    Some(Hierarchy {
        controllers: controllers.map(String::from).collect(),
        mountpoint: mountpoint.into(),
        own: own.to_string(),
    })
}

/// The v2 hierarchy, with the cgroup that a `/proc/PID/cgroup` says.
pub fn unified(path: &str) -> Result<Hierarchy> {
    let text = own(path)?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::"));
    Ok(Hierarchy {
        controllers: Vec::new(),
        mountpoint: ROOT.into(),
        own: own.unwrap_or("/").into(),
    })
}

/// The hierarchies of a mountinfo, each once, with our own cgroup of `/proc/self/cgroup`.
fn hierarchies(mounts: &str, own: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mounts.lines() {
        let Some((mount, filesystem)) = line.split_once(" - cgroup") else {
            continue;
        };
        let mut fields = mount.split(' ').skip(3);
        let (Some(root), Some(mountpoint)) = (fields.next(), fields.next()) else {
            continue;
        };
        let hybrid = filesystem.starts_with('2');
        if hybrid && mountpoint != HYBRID {
            continue;
        }
        let options = filesystem.split(' ').nth(2).unwrap_or_default();
        let controllers: Vec<&str> = options
            .split(',')
            .filter(|option| !hybrid && is_controller(option))
            .collect();
        let entry = own.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (names, path) = rest.split_once(':')?;
            let ours = match hybrid {
                true => names.is_empty(),
                false => names.split(',').any(|name| controllers.contains(&name)),
            };
            ours.then_some(path)
        });
        let (Some(path), false) = (entry, controllers.is_empty() && !hybrid) else {
            continue;
        };
        let controllers: Vec<String> = controllers.into_iter().map(String::from).collect();
        // What is mounted over another, as in a container that sees the host's /sys, hides it.
        found.retain(|known| {
            known.controllers != controllers || known.mountpoint != Path::new(mountpoint)
        });
        if found.iter().all(|known| known.controllers != controllers) {
            // Where only a part of the hierarchy is mounted, paths count from that part.
            let own = path
                .strip_prefix(root)
                .filter(|_| root != "/")
                .unwrap_or(path)
                .to_string();
            found.push(Hierarchy {
                controllers,
                mountpoint: mountpoint.into(),
                own,
            });
        }
    }
    found
}

fn is_controller(option: &str) -> bool {
    !matches!(
        option,
        "rw" | "ro"
            | "none"
            | "xattr"
            | "clone_children"
            | "cpuset_v2_mode"
            | "noprefix"
            | "favordynmods"
    ) && !option.starts_with("release_agent=")
}

/// The cgroup of a container, from the hierarchy's root: an absolute path as it is, a relative one, or the id where
/// there is none, below our own cgroup; on v2 beside it, as a cgroup with processes cannot have others below it.
pub fn resolve(own: &str, cgroups_path: Option<&str>, id: &str, unified: bool) -> String {
    let path = cgroups_path.filter(|path| !path.is_empty()).unwrap_or(id);
    let base = match unified {
        _ if path.starts_with('/') => "",
        true => own.rsplit_once('/').map_or("", |(parent, _)| parent),
        false => own,
    };
    // Each by itself: what goes up in the path does not leave the base.
    match (clean(base), clean(path)) {
        (base, path) if path == "/" => base,
        (base, path) if base == "/" => path,
        (base, path) => base + &path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_hierarchy() {
        assert_eq!(resolve("/own", None, "id", false), "/own/id");
        assert_eq!(resolve("/a/own", None, "id", true), "/a/id");
        assert_eq!(resolve("/", Some("x/y"), "id", true), "/x/y");
        assert_eq!(resolve("/own", Some("/a/../../b"), "id", false), "/b");
        assert_eq!(resolve("/own", Some("../../b"), "id", false), "/own/b");
    }

    #[test]
    fn a_mount_hides_the_one_below_it() {
        let mounts = "31 23 0:26 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n\
                      34 33 0:26 /a /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        let found = hierarchies(mounts, "2:cpu:/a/b\n");
        assert_eq!((found.len(), found[0].own.as_str()), (1, "/b"));
    }

    #[test]
    fn hierarchies_are_found_once() {
        let mounts = "31 23 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      32 23 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
                      33 23 0:26 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct\n\
                      34 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw\n";
        let own = "3:name=systemd:/s\n2:cpu,cpuacct:/c\n0::/u\n";
        let found = hierarchies(mounts, own);
        let own: Vec<&str> = found
            .iter()
            .map(|hierarchy| hierarchy.own.as_str())
            .collect();
        assert_eq!(own, ["/c", "/s", "/u"]);
        assert!(found[2].controllers.is_empty());
    }
}
