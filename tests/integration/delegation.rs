//! cgroup v2 as the container's own: whom it belongs to, and what a parent with processes means for it.

use crate::harness::*;
use crate::limits::read;
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

const USER: u32 = 100_000;

/// A container of a user namespace that sees its cgroup, with these options of the mount.
fn contained(script: &str, options: &[&str]) -> Bundle {
    let mut bundle = Bundle::sh(script);
    let linux = &mut bundle.config["linux"];
    linux["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "user"}));
    let map = json!([{"containerID": 0, "hostID": USER, "size": 65536}]);
    linux["uidMappings"] = map.clone();
    linux["gidMappings"] = map;
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
    mounts.push(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options
    }));
    let owner = format!("{USER}:{USER}");
    let status = Command::new("chown")
        .args(["-Rh", &owner])
        .arg(bundle.rootfs(""))
        .status();
    assert!(status.unwrap().success());
    bundle
}

fn user_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

/// The files that a cgroup's owner may write: cgroups(7), "Delegation".
fn delegated() -> Vec<String> {
    let text = fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_default();
    text.lines().map(String::from).collect()
}

#[test]
fn a_writable_cgroup_is_the_containers_own() {
    if needs_controller!("pids") != 2 {
        skip!("only cgroup v2 can be delegated");
    }
    let bundle = contained(
        "cd /sys/fs/cgroup && mkdir below && echo $$ > below/cgroup.procs && cat /proc/self/cgroup; \
         echo 5 2>/dev/null > pids.max || echo kept; echo ready; while :; do sleep 1; done",
        &["nosuid", "noexec", "nodev"],
    );
    let container = bundle.create();
    let dir = cgroup_dir(container.pid(), "pids").unwrap();
    container.cli("start").ok();
    container.wait_for_output("ready");
    assert_eq!(container.output(), "0::/below\nkept\nready\n");
    assert_eq!(user_of(&dir), USER);
    assert!(!delegated().is_empty());
    for name in delegated() {
        let path = dir.join(&name);
        assert!(!path.exists() || user_of(&path) == USER, "{name}");
    }
    // Its limits stay ours.
    assert_eq!(user_of(&dir.join("pids.max")), 0);
}

#[test]
fn one_that_is_only_to_be_read_stays_ours() {
    if needs_controller!("pids") != 2 {
        skip!("only cgroup v2 can be delegated");
    }
    let sleep = "while :; do sleep 1; done";
    let read_only = contained(sleep, &["nosuid", "noexec", "nodev", "ro"]);
    let mut shared = contained(sleep, &["nosuid", "noexec", "nodev"]);
    let namespaces = shared.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "cgroup");
    for bundle in [read_only, shared] {
        let container = bundle.start();
        let dir = cgroup_dir(container.pid(), "pids").unwrap();
        assert_eq!(user_of(&dir), 0);
        assert_eq!(user_of(&dir.join("cgroup.procs")), 0);
    }
}

/// A cgroup with a process in it.
struct Occupied {
    dir: PathBuf,
    process: Child,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        wait_until("the cgroup is empty", || fs::remove_dir(&self.dir).is_ok());
    }
}

#[test]
fn a_parent_with_processes_has_no_limits_to_give() {
    cgroupfs_only!();
    if needs_controller!("pids") != 2 {
        skip!("only cgroup v2 keeps processes out of cgroups that have others below");
    }
    let mut bundle = Bundle::sleeping();
    let parent = format!("/{}-parent", bundle.id);
    let dir = Path::new("/sys/fs/cgroup").join(parent.trim_start_matches('/'));
    fs::create_dir(&dir).unwrap();
    let process = Command::new("sleep").arg("1000").spawn().unwrap();
    let occupied = Occupied { dir, process };
    let pid = occupied.process.id().to_string();
    fs::write(occupied.dir.join("cgroup.procs"), pid).unwrap();
    bundle.config["linux"]["cgroupsPath"] = json!(format!("{parent}/{}", bundle.id));
    bundle.config["linux"]["resources"] = json!({"memory": {"limit": 1 << 26}});
    bundle.try_create().fails_with(
        "with domain controllers -- it is in an invalid state: its parent has processes",
    );
    assert!(!occupied.dir.join(&bundle.id).exists());
    bundle.config["linux"]["resources"] = json!({"cpu": {"shares": 512}});
    let container = bundle.start();
    let dir = cgroup_dir(container.pid(), "cpu").unwrap();
    assert_eq!(read(&dir, "cpu.weight"), "59");
    assert_eq!(read(&dir, "cgroup.type"), "threaded");
}

#[test]
fn a_controller_that_is_missing_is_named() {
    let root = Path::new("/sys/fs/cgroup/cgroup.controllers");
    let Ok(available) = fs::read_to_string(root) else {
        skip!("only cgroup v2 has its controllers in one hierarchy");
    };
    let has = |controller: &str| available.split_whitespace().any(|has| has == controller);
    let mut all_there = true;
    for (controller, field, file, resources) in [
        (
            "cpuset",
            "cpu.cpus",
            "cpuset.cpus",
            json!({"cpu": {"cpus": "0"}}),
        ),
        (
            "hugetlb",
            "hugepageLimits",
            "hugetlb.2MB.max",
            json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}),
        ),
        (
            "rdma",
            "rdma.mlx5_1",
            "rdma.max",
            json!({"rdma": {"mlx5_1": {"hcaHandles": 1}}}),
        ),
    ] {
        if has(controller) {
            continue;
        }
        all_there = false;
        let mut bundle = Bundle::sleeping();
        bundle.config["linux"]["resources"] = resources;
        bundle.try_create().fails_with(&format!(
            "linux.resources.{field}: {file} can't be set: controller \"{controller}\" not available in /sys/fs/cgroup/"
        ));
        bundle.assert_nothing_left();
    }
    if all_there {
        skip!("the kernel has all controllers");
    }
}
