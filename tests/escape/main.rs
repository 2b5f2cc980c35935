//! What Coracle withstands: each public escape from runc, crun and youki as an attack on the real kernel. A test makes the
//! attack as its advisory tells it, and asserts that it fails and that the host is as it was.
//!
//! | advisory | of | what was attacked | what withstands it |
//! | --- | --- | --- | --- |
//! | CVE-2016-3697 | runc | a user named as a number in the image's `/etc/passwd` | users are numbers: no name is ever looked up |
//! | CVE-2016-9962 | runc | a process that joins, traced before it is ready | not dumpable; `Fork` joins with all else already joined |
//! | CVE-2019-5736 | runc, crun, LXC | `/proc/self/exe`, overwritten from inside | what runs inside is the stub in a sealed memfd |
//! | CVE-2019-16884 | runc | a volume over `/proc` | only procfs goes there |
//! | CVE-2019-18837 | crun | mount targets that are links to the host | `openat2(RESOLVE_IN_ROOT)` to a descriptor |
//! | CVE-2019-19921 | runc | `/proc` as a link into a shared volume | procfs and sysfs go on no path with links |
//! | GHSA-g54h-m393-cpwq | runc | device rules that were taken for a list of denials | everything is denied first |
//! | CVE-2021-30465 | runc | a mount target swapped for a link in a race | the mount is moved onto the descriptor that was resolved |
//! | CVE-2021-43784 | runc | a length that overflows in the message to the init process | 32-bit lengths, the decoder trusts none |
//! | CVE-2022-0811 | CRI-O | a sysctl's value that carries another sysctl | a value is one write to one file |
//! | CVE-2022-24769, CVE-2022-27650, CVE-2022-29162, CVE-2025-27612 | Moby, crun, runc, youki | inheritable capabilities that nobody asked for | sets are as they are written |
//! | CVE-2023-25809 | runc | the host's cgroups, writable without root | only the container's own are shown |
//! | CVE-2023-27561, CVE-2023-28642, CVE-2025-54867 | runc, youki | `/proc` and `/sys` as links | procfs and sysfs go on no path with links |
//! | CVE-2024-21626 | runc | a descriptor of the host's as working directory, at create and by exec | none is inherited; the directory must be below the root |
//! | CVE-2024-45310 | runc | files and directories made on the host in a race | made below a descriptor of the resolved parent |
//! | CVE-2025-24965 | crun | a file that the runtime itself writes into the rootfs | it writes none |
//! | CVE-2025-31133, CVE-2025-62161 | runc, youki | `/dev/null` as a link, bound over masked paths | it must be device 1:3 by its descriptor |
//! | CVE-2025-52565, CVE-2026-88264 | runc, crun | `/dev/console` as a link | no link on its path; the terminal is bound by descriptor |
//! | CVE-2025-52881, CVE-2025-62596 | runc, youki | writes to procfs redirected by mounts | a procfs that was opened on the host, `RESOLVE_NO_XDEV` |
//! | CVE-2026-30892 | crun | `exec --user 1`, taken for user 0 | the whole number is parsed, or it is an error |
//! | CVE-2026-41579, CVE-2026-47766 | runc, crun | `/dev` as a link to the host | made below descriptors of the rootfs |
//! | CVE-2026-88265 | crun | `/dev/null` as a link, reopened as standard stream | nothing in the image is opened for the standard streams |
//! | CVE-2026-115521 | crun | `/proc/self/fd` of the image, in read-only remounts | directories are gone to, else `/proc` must be a procfs |
//! | CVE-2026-119101, CVE-2026-115520 | runc, crun | names of mounts that criu reads as others | a destination that leads to one is refused |
//!
//! CVE-2026-84042 (crun) is one of its krun handler, which has no counterpart here.
//!
//! Races are tried for `CORACLE_ESCAPE_SECONDS` each (default 2).

// clippy.toml is for the runtime.
#![allow(clippy::disallowed_methods)]

#[macro_use]
#[allow(dead_code, unused_macros)]
#[path = "../integration/harness.rs"]
mod harness;

mod hostile;
mod images;
mod inside;
mod mounts;
mod process;
mod procfs;
mod race;
mod terminal;

use harness::Bundle;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Adds a mount to a configuration.
fn add_mount(bundle: &mut Bundle, mount: Value) {
    bundle.config["mounts"].as_array_mut().unwrap().push(mount);
}

/// Takes the mount at a destination out of a configuration.
fn drop_mount(bundle: &mut Bundle, destination: &str) {
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != json!(destination));
}

/// Gives the container a capability in all sets that count.
fn add_capability(bundle: &mut Bundle, name: &str) {
    for set in ["bounding", "effective", "permitted"] {
        let names = &mut bundle.config["process"]["capabilities"][set];
        names.as_array_mut().unwrap().push(json!(name));
    }
}

/// When the race that begins now is over.
fn race_end() -> Instant {
    let seconds = std::env::var("CORACLE_ESCAPE_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(2.0);
    Instant::now() + Duration::from_secs_f64(seconds)
}

/// A directory of the host's beside the rootfs, which no attack may reach, and all else of the host that attacks aim at.
struct Host {
    dir: PathBuf,
    before: String,
}

impl Host {
    fn new(bundle: &Bundle) -> Host {
        let dir = bundle.dir.join("host");
        fs::create_dir_all(dir.join("directory")).unwrap();
        fs::write(dir.join("file"), "the host's").unwrap();
        fs::write(dir.join("ptmx"), "the host's").unwrap();
        let mut host = Host {
            dir,
            before: String::new(),
        };
        host.before = host.state();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn state(&self) -> String {
        let mut state = String::new();
        describe(&self.dir, &mut state);
        for path in [
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/hostname",
            "/proc/sys/kernel/modprobe",
            "/proc/sys/vm/overcommit_memory",
            "/proc/self/oom_score_adj",
        ] {
            state += &format!("{path} {:?}\n", fs::read_to_string(path));
        }
        for path in ["/dev", "/dev/null", "/proc", "/sys", "/etc/passwd", "/tmp"] {
            let metadata = fs::symlink_metadata(path).unwrap();
            state += &format!(
                "{path} {:o} {} {} {}\n",
                metadata.mode(),
                metadata.uid(),
                metadata.gid(),
                metadata.rdev()
            );
        }
        state
    }

    /// Asserts that nothing has changed, and that nothing of the container is left.
    #[track_caller]
    fn is_unharmed(&self, bundle: &Bundle) {
        assert_eq!(self.state(), self.before);
        bundle.assert_nothing_left();
    }
}

fn describe(path: &Path, state: &mut String) {
    let metadata = fs::symlink_metadata(path).unwrap();
    *state += &format!(
        "{} {:o} {} {} {}",
        path.display(),
        metadata.mode(),
        metadata.uid(),
        metadata.gid(),
        metadata.ino()
    );
    if metadata.is_file() {
        *state += &format!(" {:?}", fs::read(path).unwrap());
    }
    state.push('\n');
    if metadata.is_dir() {
        let mut entries: Vec<PathBuf> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        entries.iter().for_each(|entry| describe(entry, state));
    }
}
