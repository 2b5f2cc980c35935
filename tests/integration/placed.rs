//! Where the cgroup is: `cgroupsPath` in its forms, cgroups that are there already, and what a failure leaves.

use crate::harness::*;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A directory in every hierarchy, from its root; removed at the end.
struct Made(Vec<PathBuf>);

impl Made {
    fn new(path: &str) -> Made {
        let below = |root: &Path| root.join(path.trim_start_matches('/'));
        let root = Path::new("/sys/fs/cgroup");
        let mut all: Vec<PathBuf> = match root.join("cgroup.procs").exists() {
            true => vec![below(root)],
            false => {
                let entries = fs::read_dir(root).into_iter().flatten().flatten();
                let is_hierarchy =
                    |entry: &fs::DirEntry| entry.path().join("cgroup.procs").exists();
                let hierarchies = entries.filter(is_hierarchy);
                hierarchies.map(|entry| below(&entry.path())).collect()
            }
        };
        all.retain(|path| fs::create_dir_all(path).is_ok());
        Made(all)
    }

    fn all_exist(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|path| path.exists())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_dir(path);
        }
    }
}

fn placed(path: &str) -> Bundle {
    let mut bundle = Bundle::sleeping();
    bundle.config["linux"]["cgroupsPath"] = json!(path);
    bundle
}

fn own(controller: &str) -> Option<PathBuf> {
    // SAFETY: getpid cannot fail.
    cgroup_dir(unsafe { libc::getpid() }, controller)
}

#[test]
fn a_relative_path_is_below_our_own() {
    cgroupfs_only!();
    let version = needs_controller!("pids");
    let own = own("pids").unwrap();
    // On v2 our own has processes, and so it cannot have others below it with limits.
    let base = if version == 2 {
        own.parent().unwrap()
    } else {
        &own
    };
    for path in ["", "relative/NAME", "../../NAME"] {
        let mut bundle = placed("");
        let name = bundle.id.clone();
        let path = path.replace("NAME", &name);
        bundle.config["linux"]["cgroupsPath"] = json!(path);
        let container = bundle.create();
        let dir = cgroup_dir(container.pid(), "pids").unwrap();
        let wanted = match path.as_str() {
            "" => base.join(&name),
            path => base.join(path.trim_start_matches("../")),
        };
        assert_eq!(dir, wanted, "{path:?}");
        drop(container);
        assert!(!dir.exists());
    }
    for entry in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let mountpoint = entry.path();
        if let Some(controller) = entry.file_name().to_str()
            && let Some(own) = self::own(controller.split(',').next().unwrap())
            && own.starts_with(&mountpoint)
        {
            let _ = fs::remove_dir(own.join("relative"));
        }
    }
    let _ = fs::remove_dir(base.join("relative"));
    let _ = fs::remove_dir("/sys/fs/cgroup/unified/relative");
    let _ = fs::remove_dir("/sys/fs/cgroup/systemd/relative");
}

#[test]
fn an_empty_one_is_taken_and_removed() {
    cgroupfs_only!();
    let bundle = placed("");
    let path = format!("/{}", bundle.id);
    let made = Made::new(&path);
    let mut bundle = bundle;
    bundle.config["linux"]["cgroupsPath"] = json!(path);
    drop(bundle.create());
    bundle.assert_nothing_left();
    assert!(!made.all_exist());
}

#[test]
fn one_with_processes_is_refused_and_kept() {
    cgroupfs_only!();
    let first = placed("");
    let path = format!("/{}", first.id);
    let mut first = first;
    first.config["linux"]["cgroupsPath"] = json!(path);
    let container = first.start();
    let mut second = placed(&path);
    second.config["linux"]["cgroupsPath"] = json!(path);
    second
        .try_create()
        .fails_with("container's cgroup is not empty: ");
    second.assert_nothing_left();
    assert_eq!(container.status(), "running");
}

#[test]
fn a_frozen_one_is_refused_and_kept() {
    cgroupfs_only!();
    let bundle = placed("");
    let path = format!("/{}", bundle.id);
    let made = Made::new(&path);
    let freezer = made.0.iter().find_map(|dir| {
        [
            ("freezer.state", "FROZEN", "THAWED"),
            ("cgroup.freeze", "1", "0"),
        ]
        .into_iter()
        .find(|(file, ..)| {
            dir.join(file).exists() && (*file != "cgroup.freeze" || made.0.len() == 1)
        })
        .map(|(file, on, off)| (dir.join(file), on, off))
    });
    let Some((file, on, off)) = freezer else {
        skip!("no freezer here");
    };
    fs::write(&file, on).unwrap();
    let mut bundle = bundle;
    bundle.config["linux"]["cgroupsPath"] = json!(path);
    let output = bundle.try_create();
    fs::write(&file, off).unwrap();
    output.fails_with("container's cgroup unexpectedly frozen");
    assert!(made.all_exist());
}

#[test]
fn a_failure_keeps_what_was_there_before() {
    cgroupfs_only!();
    let bundle = placed("");
    let path = format!("/{}", bundle.id);
    let made = Made::new(&path);
    let mut bundle = bundle;
    bundle.config["linux"]["cgroupsPath"] = json!(path);
    // The one fails while limits are set, the other when the process is to be executed.
    for break_it in [
        |bundle: &mut Bundle| {
            bundle.config["linux"]["resources"]["rdma"] = json!({"nosuch0": {"hcaHandles": 1}});
        },
        |bundle: &mut Bundle| {
            bundle.config["linux"]["resources"]
                .as_object_mut()
                .unwrap()
                .remove("rdma");
            bundle.set_args(&["/nosuch"]);
        },
    ] {
        break_it(&mut bundle);
        assert_ne!(bundle.run().code(), 0);
        assert!(made.all_exist(), "{:?}", bundle.config["process"]["args"]);
    }
}

#[test]
fn a_failure_leaves_no_parents() {
    cgroupfs_only!();
    let bundle = placed("");
    let path = format!("/{0}-parent/{0}", bundle.id);
    let mut bundle = bundle;
    bundle.config["linux"]["cgroupsPath"] = json!(path);
    bundle.set_args(&["/nosuch"]);
    bundle.run().fails_with("no such file or directory");
    bundle.assert_nothing_left();
}

#[test]
fn below_a_threaded_one_a_container_is_threaded() {
    cgroupfs_only!();
    if needs_controller!("pids") != 2 {
        skip!("only cgroup v2 has threaded cgroups");
    }
    let bundle = placed("");
    let parent = format!("/{}-parent", bundle.id);
    let _made = Made::new(&parent);
    let threaded = Made::new(&format!("{parent}/threaded"));
    fs::write(threaded.0[0].join("cgroup.type"), "threaded").unwrap();
    let mut bundle = bundle;
    bundle.config["linux"]["cgroupsPath"] = json!(format!("{parent}/{}", bundle.id));
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 1 << 25});
    bundle
        .try_create()
        .fails_with("with domain controllers -- it is in an invalid state");
    bundle.config["linux"]["resources"]["memory"] = json!({"disableOOMKiller": false});
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 20});
    let container = bundle.start();
    let dir = cgroup_dir(container.pid(), "pids").unwrap();
    assert_eq!(
        fs::read_to_string(dir.join("cgroup.type")).unwrap(),
        "threaded\n"
    );
    assert_eq!(fs::read_to_string(dir.join("pids.max")).unwrap(), "20\n");
    bundle.cli(&["exec", &bundle.id, "true"]).ok();
    let processes = bundle.cli(&["ps", "--format", "json", &bundle.id]).ok();
    assert!(
        processes.stdout.contains(&container.pid().to_string()),
        "{processes:?}"
    );
    container.cli("pause").ok();
    container.cli("resume").ok();
    drop(container);
    assert!(!dir.exists());
}
