//! `linux.intelRdt`: a class of service in resctrl, the file system of Intel's and AMD's cache and memory controls.

use crate::error::{Context, Error, Result};
use crate::json::object;
use crate::oci::{IntelRdt, Linux};
use crate::sys::file;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const MOUNTPOINT: &str = "/sys/fs/resctrl";
/// RDTGROUP_SUPER_MAGIC.
const MAGIC: u64 = 0x0765_5821;

object! {
    /// The directories of a container.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Class {
        /// Of its class.
        pub class: PathBuf = "class",
        /// Of its monitoring group.
        pub monitor: Option<PathBuf> = "monitor",
        /// The class was not there before.
        pub made: bool = "made",
        /// It has the name of the container, and goes with it if it came with it; one that has another stays, as the
        /// spec says.
        pub own: bool = "own",
    }
}

/// What `update` is to write to a class; none of it changes nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Such as `L3:0=f;1=f`.
    pub l3_cache: Option<String>,
    /// Such as `MB:0=20;1=70`.
    pub memory_bandwidth: Option<String>,
}

/// Where resctrl is mounted.
pub fn root() -> Result<PathBuf> {
    mountpoint().ok_or_else(|| Error::new(format!("resctrl is not mounted at {MOUNTPOINT}")))
}

fn mountpoint() -> Option<PathBuf> {
    let usual = Path::new(MOUNTPOINT);
    if file::filesystem_magic(usual).is_ok_and(|magic| magic == MAGIC) {
        return Some(usual.into());
    }
    let mounts = file::read_text(Path::new("/proc/self/mountinfo")).ok()?;
    mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let path = mount.split(' ').nth(4)?;
        filesystem.starts_with("resctrl ").then(|| path.into())
    })
}

/// The class that the container is to have; nothing of it is made yet.
pub fn plan(linux: &Linux, id: &str) -> Result<Option<Class>> {
    let Some(rdt) = &linux.intel_rdt else {
        return Ok(None);
    };
    let root = root()
        .context("linux.intelRdt: intelRdt is specified in config, but Intel RDT is not enabled")?;
    Class::plan(rdt, id, &root).map(Some)
}

impl Class {
    fn plan(rdt: &IntelRdt, id: &str, root: &Path) -> Result<Class> {
        let needs = |schema: &Option<String>, field: &str, what: &str, info: &str| {
            let asked = schema.as_ref().is_some_and(|schema| !schema.is_empty());
            match asked && !root.join("info").join(info).exists() {
                true => Err(Error::new(format!(
                    "linux.intelRdt.{field}: intelRdt.{field} is specified in config, but Intel RDT/{what} is not enabled"
                ))),
                false => Ok(()),
            }
        };
        needs(&rdt.l3_cache_schema, "l3CacheSchema", "CAT", "L3")?;
        needs(&rdt.mem_bw_schema, "memBwSchema", "MBA", "MB")?;

        let named = rdt.clos_id.as_deref().filter(|name| !name.is_empty());
        let class = match named {
            Some("/") => root.to_path_buf(),
            name => root.join(name.unwrap_or(id)),
        };
        let is_there = class.is_dir();
        if named.is_some() && !is_there && schemata(rdt).is_empty() {
            return Err(Error::new(format!(
                "linux.intelRdt.closID: clos dir not accessible (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty): {} is not a directory",
                class.display()
            )));
        }
        let monitor = rdt
            .enable_monitoring
            .then(|| class.join("mon_groups").join(id));
        Ok(Class {
            class,
            monitor,
            made: !is_there,
            own: named.is_none(),
        })
    }

    /// Makes and fills it.
    pub fn make(&self, linux: &Linux) -> Result<()> {
        if self.made {
            self.make_directory(&self.class)?;
        }
        let schemata = linux.intel_rdt.as_ref().map(schemata).unwrap_or_default();
        if !schemata.is_empty() {
            self.write(&self.class.join("schemata"), schemata.as_bytes())?;
        }
        match &self.monitor {
            Some(monitor) => self.make_directory(monitor),
            None => Ok(()),
        }
    }

    /// Changes what the class is given: lines for its L3 cache and its memory bandwidth.
    pub fn update(class: Option<&Class>, schema: &Schema) -> Result<()> {
        if *schema == Schema::default() {
            return Ok(());
        }
        Class::update_in(class, schema, mountpoint().as_deref())
    }

    fn update_in(class: Option<&Class>, schema: &Schema, root: Option<&Path>) -> Result<()> {
        let has = |info: &str| root.is_some_and(|root| root.join("info").join(info).exists());
        if schema.l3_cache.is_some() && !has("L3") {
            return Err(Error::new(
                "--l3-cache-schema: Intel RDT/CAT: l3 cache schema is not enabled",
            ));
        }
        if schema.memory_bandwidth.is_some() && !has("MB") {
            return Err(Error::new(
                "--mem-bw-schema: Intel RDT/MBA: memory bandwidth schema is not enabled",
            ));
        }
        let class = class.ok_or_else(|| {
            Error::new("updating a non-existent Intel RDT configuration is not supported")
        })?;
        let lines = [&schema.l3_cache, &schema.memory_bandwidth]
            .into_iter()
            .flatten();
        let lines: String = lines.flat_map(|line| [line.as_str(), "\n"]).collect();
        class.write(&class.class.join("schemata"), lines.as_bytes())
    }

    /// Puts a process into the class; its children will be there, too.
    pub fn add(&self, pid: i32) -> Result<()> {
        let pid = pid.to_string();
        for directory in [Some(&self.class), self.monitor.as_ref()]
            .into_iter()
            .flatten()
        {
            self.write(&directory.join("tasks"), pid.as_bytes())?;
        }
        Ok(())
    }

    /// Removes what goes with the container.
    pub fn remove(&self) -> Result<()> {
        self.remove_with(self.own)
    }

    /// Removes all that was made.
    pub fn undo(&self) -> Result<()> {
        self.remove_with(true)
    }

    fn remove_with(&self, class: bool) -> Result<()> {
        let made = (self.made && class).then_some(&self.class);
        for directory in [self.monitor.as_ref(), made].into_iter().flatten() {
            match fs::remove_dir(directory) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error)
                        .with_context(|| format!("linux.intelRdt: rmdir {}", directory.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn make_directory(&self, directory: &Path) -> Result<()> {
        match file::make_directory(directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(self.explained("mkdir", directory, error))
            }
            _ => Ok(()),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let written = file::open_to_write(path).and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| self.explained("write", path, error))
    }

    /// The kernel says more in a file of its own, in the root: either the class, or what is above it.
    fn explained(&self, deed: &str, path: &Path, error: std::io::Error) -> Error {
        let said = [Some(self.class.as_path()), self.class.parent()];
        let said = said
            .into_iter()
            .flatten()
            .find_map(|directory| file::read_text(&directory.join("info/last_cmd_status")).ok());
        let status = match said.as_deref().map(str::trim) {
            None | Some("") => String::new(),
            Some(status) => format!(", last_cmd_status: {status}"),
        };
        Error::from(error).wrap(format!("linux.intelRdt: {deed} {}{status}", path.display()))
    }
}

/// All that is to be written to the class's file, a line each.
fn schemata(rdt: &IntelRdt) -> String {
    let lines = [&rdt.l3_cache_schema, &rdt.mem_bw_schema];
    let lines = lines.into_iter().flatten().chain(&rdt.schemata);
    lines
        .filter(|line| !line.is_empty())
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that looks like resctrl; files that the kernel would make in a new one are made by hand.
    fn looks_like_resctrl(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("coracle-unit-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("info/L3")).unwrap();
        fs::write(root.join("info/last_cmd_status"), "ok\n").unwrap();
        class(&root);
        root
    }

    fn class(directory: &Path) {
        fs::create_dir_all(directory.join("mon_groups")).unwrap();
        for name in ["schemata", "tasks"] {
            fs::write(directory.join(name), "").unwrap();
        }
    }

    fn asked(clos_id: &str, schemata: &[&str]) -> IntelRdt {
        IntelRdt {
            clos_id: Some(clos_id.into()),
            schemata: schemata.iter().map(|line| line.to_string()).collect(),
            ..IntelRdt::default()
        }
    }

    fn make(rdt: &IntelRdt, id: &str, root: &Path) -> Result<Class> {
        let class = Class::plan(rdt, id, root)?;
        let linux = Linux {
            intel_rdt: Some(rdt.clone()),
            ..Linux::default()
        };
        let made = class.make(&linux);
        if made.is_err() {
            class.undo().unwrap();
        }
        made.map(|()| class)
    }

    #[test]
    fn classes_are_shared_filled_and_removed() {
        let root = looks_like_resctrl("resctrl");
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        class(&root.join("gold"));
        let mut rdt = asked("gold", &["L2:0=f", ""]);
        rdt.l3_cache_schema = Some("L3:0=3".into());
        rdt.enable_monitoring = true;
        let gold = make(&rdt, "one", &root).unwrap();
        assert_eq!(read("gold/schemata"), "L3:0=3\nL2:0=f\n");
        let monitor = root.join("gold/mon_groups/one");
        fs::write(monitor.join("tasks"), "").unwrap();
        gold.add(17).unwrap();
        assert_eq!(read("gold/tasks"), "17");
        assert_eq!(read("gold/mon_groups/one/tasks"), "17");
        fs::remove_file(monitor.join("tasks")).unwrap();
        gold.remove().unwrap();
        assert!(!monitor.exists() && root.join("gold").exists());

        let own = make(&IntelRdt::default(), "two", &root).unwrap();
        assert!(own.made && root.join("two").is_dir());
        own.remove().unwrap();
        own.remove().unwrap();
        assert!(!root.join("two").exists());

        let default = make(&asked("/", &[]), "three", &root).unwrap();
        assert_eq!(
            (default.class.as_path(), default.made),
            (root.as_path(), false)
        );
        default.remove().unwrap();
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn an_update_needs_a_class_and_what_it_changes() {
        let update = |class, l3_cache: Option<&str>, memory_bandwidth: Option<&str>, root| {
            let schema = Schema {
                l3_cache: l3_cache.map(String::from),
                memory_bandwidth: memory_bandwidth.map(String::from),
            };
            Class::update_in(class, &schema, root)
        };
        let root = looks_like_resctrl("resctrl-update");
        class(&root.join("box"));
        let own = Class {
            class: root.join("box"),
            ..Class::default()
        };
        let fails = |result: Result<()>, text: &str| {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        };
        fails(
            update(Some(&own), Some("L3:0=1"), None, None),
            "l3 cache schema is not enabled",
        );
        fails(
            update(Some(&own), None, Some("MB:0=50"), Some(&root)),
            "memory bandwidth schema is not enabled",
        );
        fails(
            update(None, Some("L3:0=1"), None, Some(&root)),
            "updating a non-existent Intel RDT configuration is not supported",
        );
        fs::create_dir(root.join("info/MB")).unwrap();
        update(Some(&own), Some("L3:0=1"), Some("MB:0=50"), Some(&root)).unwrap();
        let schemata = fs::read_to_string(root.join("box/schemata")).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(schemata, "L3:0=1\nMB:0=50\n");
    }

    #[test]
    fn what_cannot_be_done_leaves_no_class() {
        let root = looks_like_resctrl("resctrl-errors");
        let fails = |rdt: &IntelRdt, text: &str| {
            let error = make(rdt, "one", &root).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
            assert!(!root.join("one").exists() && !root.join("new").exists());
        };
        fails(&asked("new", &[]), "must be pre-created");
        // The directory is no resctrl: it does not get a file for them.
        fails(&asked("new", &["L3:0=1"]), "schemata, last_cmd_status: ok");
        let rdt = IntelRdt {
            mem_bw_schema: Some("MB:0=50".into()),
            ..IntelRdt::default()
        };
        fails(&rdt, "Intel RDT/MBA is not enabled");
        fs::remove_dir_all(&root).unwrap();
    }
}
