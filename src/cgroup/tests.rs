//! Cgroups on the machine's own kernel, as root. Each has its own name and is removed.

use super::devices::Policy;
use super::*;
use crate::oci::Resources;
use std::fs;
use std::process::{Child, Command};
use std::rc::Rc;
use std::time::Duration;

/// A cgroup below this name, and a process that sleeps in it; removed at the end.
struct Try {
    cgroup: Cgroup,
    sleepers: Vec<Child>,
}

impl Try {
    /// None where cgroups are v2, or where we may not make any.
    fn new(name: &str) -> Option<Try> {
        let layout = Layout::detect().unwrap();
        if layout.unified || layout.hierarchies.is_empty() || process::euid() != 0 {
            return None;
        }
        let path = format!("/coracle-unit-{}-{name}", std::process::id());
        Some(Try {
            cgroup: Cgroup::plan(
                &layout,
                &Wanted {
                    id: "id",
                    path: Some(&path),
                    manager: super::Manager::Files,
                    rootless: Rootless::No,
                    owner: None,
                    annotations: &BTreeMap::new(),
                },
            )
            .unwrap(),
            sleepers: Vec::new(),
        })
    }

    fn sleeper(&mut self) {
        let mut script = String::new();
        let v1 = |directory: &&Rc<Directory>| !directory.controllers.is_empty();
        for directory in self.cgroup.directories.iter().filter(v1) {
            script += &format!("echo 0 > {}/tasks && ", directory.path.display());
        }
        script += "exec sleep 100";
        let child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
        self.sleepers.push(child);
        while self.cgroup.procs().unwrap().len() < self.sleepers.len() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn read(&self, controller: &str, name: &str) -> String {
        let path = self.cgroup.controller(controller).unwrap().join(name);
        fs::read_to_string(path).unwrap().trim().to_string()
    }

    fn exists(&self) -> bool {
        self.cgroup.directories.iter().any(|d| d.path.exists())
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        let _ = self.cgroup.kill_all();
        for child in &mut self.sleepers {
            let _ = child.wait();
        }
        let _ = self.cgroup.delete();
    }
}

fn resources(json: &str) -> Resources {
    crate::json::parse(json.as_bytes(), "").unwrap()
}

#[test]
fn limits_arrive() {
    let Some(mut it) = Try::new("limits") else {
        return;
    };
    let asked = resources(
        r#"{"memory": {"limit": 67108864, "swap": 134217728, "reservation": 33554432, "swappiness": 10},
            "cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 1000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 20},
            "devices": [{"allow": false, "access": "rwm"},
                        {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}"#,
    );
    it.cgroup.make(Some(&asked)).unwrap();
    assert_eq!(it.read("memory", "memory.limit_in_bytes"), "67108864");
    assert_eq!(
        it.read("memory", "memory.memsw.limit_in_bytes"),
        "134217728"
    );
    assert_eq!(it.read("memory", "memory.swappiness"), "10");
    assert_eq!(it.read("cpu", "cpu.shares"), "512");
    assert_eq!(it.read("cpu", "cpu.cfs_quota_us"), "50000");
    assert_eq!(it.read("cpuset", "cpuset.cpus"), "0");
    assert_eq!(it.read("pids", "pids.max"), "20");
    let devices = it.read("devices", "devices.list");
    assert!(devices.contains("c 10:229 rw\n") && devices.contains("c 1:3 rwm"));
    assert!(!devices.contains("a *:* rwm"));

    // Both limits up, then down: the order of writing differs.
    for (memory, swap) in [(268_435_456, 536_870_912), (16_777_216, 16_777_216)] {
        let text = format!(r#"{{"memory": {{"limit": {memory}, "swap": {swap}}}}}"#);
        it.cgroup.apply(&resources(&text)).unwrap();
        assert_eq!(
            it.read("memory", "memory.memsw.limit_in_bytes"),
            swap.to_string()
        );
    }
    it.cgroup
        .apply(&resources(r#"{"memory": {"limit": -1}}"#))
        .unwrap();
    assert!(it.read("devices", "devices.list").contains("c 10:229 rw"));
    it.cgroup.delete().unwrap();
    assert!(!it.exists());
}

#[test]
fn nothing_is_left_of_a_failure() {
    let Some(mut it) = Try::new("failure") else {
        return;
    };
    for (json, text) in [
        (
            r#"{"cpu": {"cpus": "9999"}}"#,
            "linux.resources.cpu.cpus: write /sys",
        ),
        (
            r#"{"network": {"classID": 7}}"#,
            "linux.resources.network.classID",
        ),
        (
            r#"{"unified": {"pids.max": "7"}}"#,
            "linux.resources.unified",
        ),
        (
            r#"{"cpu": {"shares": 1}}"#,
            "minimum allowed cpu-shares is 2",
        ),
    ] {
        let mut cgroup = it.cgroup.clone();
        let error = cgroup.make(Some(&resources(json))).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(!it.exists(), "{json}");
    }
    it.cgroup.directories.clear();
}

#[test]
fn what_engines_write_for_none_needs_no_controllers() {
    let nothing = Cgroup::default();
    let sent = r#"{"memory": {"limit": 0, "swap": 0, "reservation": 0, "disableOOMKiller": false},
                   "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
                   "pids": {}, "blockIO": {"weight": 0}, "network": {}}"#;
    nothing.limit(&resources(sent), false).unwrap();
    assert!(!v2::needs_controllers(&resources(sent)));
    assert!(v2::needs_controllers(&resources(r#"{"cpu": {"idle": 0}}"#)));
    let limited = nothing.limit(&resources(r#"{"memory": {"limit": 5}}"#), false);
    let text = "cannot set memory limit: container could not join or create cgroup";
    assert!(limited.unwrap_err().to_string().contains(text));
}

#[test]
fn undoing_keeps_what_was_there() {
    let Some(mut it) = Try::new("undo") else {
        return;
    };
    let mut below = it.cgroup.clone();
    for directory in &mut below.directories {
        Rc::make_mut(directory).path.push("a/b");
    }
    let made = it.cgroup.make(None).unwrap();
    let twice = it.cgroup.make(None).unwrap();
    assert!(twice.is_empty());
    let deeper = below.make(None).unwrap();
    fs::create_dir(below.directories[0].path.join("inside")).unwrap();
    below.undo(&deeper).unwrap();
    it.cgroup.undo(&twice).unwrap();
    assert!(it.exists());
    assert!(
        it.cgroup
            .directories
            .iter()
            .all(|d| !d.path.join("a").exists())
    );
    it.cgroup.undo(&made).unwrap();
    assert!(!it.exists());
}

#[test]
fn without_rules_devices_are_restricted() {
    let Some(mut it) = Try::new("devices") else {
        return;
    };
    it.cgroup.make(None).unwrap();
    assert!(!it.read("devices", "devices.list").contains("a *:* rwm"));
}

#[test]
fn a_used_cgroup_is_refused_and_kept() {
    let Some(mut it) = Try::new("used") else {
        return;
    };
    it.cgroup.make(None).unwrap();
    let mut second = it.cgroup.clone();
    second.make(None).unwrap();
    it.cgroup.freeze().unwrap();
    let error = second.clone().make(None).unwrap_err();
    assert!(error.to_string().contains("unexpectedly frozen"), "{error}");
    it.cgroup.thaw().unwrap();
    it.sleeper();
    let error = second.make(None).unwrap_err();
    assert!(
        error.to_string().contains("is not empty: 1 process(es)"),
        "{error}"
    );
    assert!(it.exists());
}

#[test]
fn processes_freeze_thaw_and_die() {
    let Some(mut it) = Try::new("freeze") else {
        return;
    };
    it.cgroup.make(None).unwrap();
    it.sleeper();
    it.sleeper();
    assert!(!it.cgroup.frozen().unwrap());
    it.cgroup.freeze().unwrap();
    assert!(it.cgroup.frozen().unwrap());
    let reaper = std::mem::take(&mut it.sleepers);
    let reaper = std::thread::spawn(move || reaper.into_iter().for_each(|mut c| drop(c.wait())));
    it.cgroup.kill_all().unwrap();
    reaper.join().unwrap();
    assert!(it.cgroup.procs().unwrap().is_empty());
}

#[test]
fn a_frozen_cgroup_above_is_another_matter() {
    let Some(mut it) = Try::new("above") else {
        return;
    };
    it.cgroup.make(None).unwrap();
    let above = it.cgroup.clone();
    for directory in &mut it.cgroup.directories {
        Rc::make_mut(directory).path.push("below");
    }
    it.cgroup.make(None).unwrap();
    above.freeze().unwrap();
    let frozen = it.cgroup.frozen();
    above.thaw().unwrap();
    it.cgroup.delete().unwrap();
    it.cgroup = above;
    assert!(!frozen.unwrap());
}

#[test]
fn cgroups_below_are_removed_too() {
    let Some(mut it) = Try::new("below") else {
        return;
    };
    it.cgroup.make(None).unwrap();
    let below = it.cgroup.directories[0].path.join("a/b");
    fs::create_dir_all(below).unwrap();
    it.cgroup.delete().unwrap();
    assert!(!it.exists());
    it.cgroup.delete().unwrap();
}

#[test]
fn parents_are_made_with_cpus() {
    let Some(mut it) = Try::new("parents") else {
        return;
    };
    for directory in &mut it.cgroup.directories {
        Rc::make_mut(directory).path.push("a/b");
    }
    it.cgroup.make(None).unwrap();
    assert!(!it.read("cpuset", "cpuset.mems").is_empty());
    it.sleeper();
    it.cgroup.signal_all(libc::SIGKILL).unwrap();
    it.sleepers
        .drain(..)
        .for_each(|mut child| drop(child.wait()));
    it.cgroup.delete().unwrap();
    for directory in &mut it.cgroup.directories {
        Rc::make_mut(directory).path.pop();
        Rc::make_mut(directory).path.pop();
    }
}

/// The v2 hierarchy of a hybrid host takes device programs as well.
#[test]
fn device_programs_hold_and_are_replaced() {
    let root = Path::new("/sys/fs/cgroup/unified");
    if process::euid() != 0 || !root.join("cgroup.procs").exists() {
        return;
    }
    let path = root.join(format!("coracle-unit-{}-bpf", std::process::id()));
    fs::create_dir(&path).unwrap();
    let reads = |device: &str| {
        let script = format!("echo 0 > {}/cgroup.procs && : < {device}", path.display());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        output.status.success()
    };
    let mut results = Vec::new();
    let rule = |text| devices::tests::rule(text);
    for rules in [
        vec![rule("-a")],
        vec![rule("+a"), rule("-c 1:11 r")],
        vec![rule("+a")],
    ] {
        let applied = devices_v2::apply(&path, &Policy::new(&rules).unwrap(), false);
        results.push((applied.is_ok(), reads("/dev/zero"), reads("/dev/kmsg")));
    }
    tree::remove(&path).unwrap();
    assert_eq!(
        results,
        [(true, true, false), (true, true, false), (true, true, true)]
    );
}

/// All but the limits works in the v2 hierarchy of a hybrid host, too; below a cgroup of our own, so that the host's
/// root stays as it is.
#[test]
fn version_2_is_made_frozen_killed_and_removed() {
    let root = Path::new("/sys/fs/cgroup/unified");
    if process::euid() != 0 || !root.join("cgroup.procs").exists() {
        return;
    }
    let mountpoint = root.join(format!("coracle-unit-{}-v2", std::process::id()));
    fs::create_dir(&mountpoint).unwrap();
    let directory = Directory {
        controllers: Vec::new(),
        path: mountpoint.join("a/b"),
        mountpoint: mountpoint.clone(),
        cgroup: "/a/b".into(),
    };
    let cgroup = Cgroup {
        unified: true,
        directories: vec![Rc::new(directory)],
        ..Cgroup::default()
    };
    let mut it = Try {
        cgroup,
        sleepers: Vec::new(),
    };
    let limited = resources(r#"{"pids": {"limit": 5}}"#);
    let error = it.cgroup.clone().make(Some(&limited)).unwrap_err();
    assert!(
        error.to_string().contains("linux.resources.pids.limit"),
        "{error}"
    );
    let unified = resources(r#"{"unified": {"pids.max": "5"}}"#);
    let error = it.cgroup.clone().make(Some(&unified)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("controller \"pids\" not available"),
        "{error}"
    );
    assert!(!mountpoint.join("a").exists());

    it.cgroup.make(None).unwrap();
    assert!(it.cgroup.dir_fd().unwrap().is_some());
    let procs = it.cgroup.directories[0].path.join("cgroup.procs");
    let script = format!("echo 0 > {} && exec sleep 100", procs.display());
    let child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    it.sleepers.push(child);
    while it.cgroup.procs().unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    it.cgroup.freeze().unwrap();
    assert!(it.cgroup.frozen().unwrap());
    it.cgroup.kill_all().unwrap();
    it.sleepers.drain(..).for_each(|mut c| drop(c.wait()));
    it.cgroup.delete().unwrap();
    assert!(!it.exists());
    drop(it);
    tree::remove(&mountpoint).unwrap();
}

#[test]
fn what_is_presumed_of_the_machine_is_so() {
    let (presumed, real) = (Layout::usual().unwrap(), Layout::detect().unwrap());
    let sorted = |layout: Layout| {
        let names = layout.hierarchies.iter().map(|one| format!("{one:?}"));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(presumed.unified, real.unified);
    assert_eq!(sorted(presumed), sorted(real));
}
