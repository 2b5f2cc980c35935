//! Cgroups: made, limited, joined and removed, in either hierarchy version.

use crate::harness::*;
use serde_json::json;
use std::fs;
use std::path::Path;

fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file))
        .unwrap_or_else(|error| panic!("{}/{file}: {error}", dir.display()))
        .trim()
        .to_owned()
}

fn is_v2(dir: &Path) -> bool {
    dir.join("cgroup.controllers").exists()
}

/// The cgroup directory of a container's init, or the reason to skip.
macro_rules! cgroup_or_skip {
    ($container:expr, $controller:expr) => {
        match cgroup_dir($container.pid(), $controller) {
            Some(dir) => dir,
            None => skip!("no {} controller here", $controller),
        }
    };
}

#[test]
fn memory_limit() {
    let mut bundle = Bundle::sleeping();
    bundle.config["linux"]["resources"]["memory"] =
        json!({"limit": 64 << 20, "reservation": 32 << 20});
    let container = bundle.create();
    let dir = cgroup_or_skip!(container, "memory");
    let (limit, low) = if is_v2(&dir) {
        ("memory.max", "memory.low")
    } else {
        ("memory.limit_in_bytes", "memory.soft_limit_in_bytes")
    };
    assert_eq!(read(&dir, limit), (64 << 20).to_string());
    assert_eq!(read(&dir, low), (32 << 20).to_string());
}

#[test]
fn a_process_beyond_its_memory_is_killed() {
    let mut bundle =
        Bundle::sh("head -c 200000000 /dev/zero | tail -c 199999999 | wc -c; echo survived");
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 32 << 20, "swap": 32 << 20});
    let output = bundle.run();
    // The shell itself or the reader was killed: either way the count was never printed.
    assert!(!output.stdout.contains("199999999"), "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn cpu_limits() {
    let mut bundle = Bundle::sleeping();
    bundle.config["linux"]["resources"]["cpu"] =
        json!({"shares": 2048, "quota": 50000, "period": 200000});
    let container = bundle.create();
    let dir = cgroup_or_skip!(container, "cpu");
    if is_v2(&dir) {
        assert_eq!(read(&dir, "cpu.max"), "50000 200000");
        assert_ne!(read(&dir, "cpu.weight"), "100");
    } else {
        assert_eq!(read(&dir, "cpu.cfs_quota_us"), "50000");
        assert_eq!(read(&dir, "cpu.cfs_period_us"), "200000");
        assert_eq!(read(&dir, "cpu.shares"), "2048");
    }
}

#[test]
fn pids_limit() {
    let mut bundle = Bundle::sleeping();
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 37});
    let container = bundle.create();
    let dir = cgroup_or_skip!(container, "pids");
    assert_eq!(read(&dir, "pids.max"), "37");
    drop(container);

    bundle.config["linux"]["resources"]["pids"] = json!({"limit": -1});
    let container = bundle.create();
    let dir = cgroup_or_skip!(container, "pids");
    assert_eq!(read(&dir, "pids.max"), "max");
}

#[test]
fn init_is_in_every_hierarchy() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(3, ':').collect();
        let mounted = match fields[1] {
            "" => mounts.contains(" - cgroup2 "),
            list => list.split(',').all(|name| {
                mounts.lines().any(|mount| {
                    mount
                        .split_once(" - cgroup ")
                        .is_some_and(|(_, rest)| rest.split([',', ' ']).any(|o| o == name))
                })
            }),
        };
        if mounted {
            assert!(fields[2].contains(&bundle.id), "not in {line}");
        }
    }
    // What joins the container later is in the same ones.
    let exec = bundle
        .cli(&["exec", &bundle.id, "cat", "/proc/self/cgroup"])
        .ok();
    let inside = bundle
        .cli(&["exec", &bundle.id, "cat", "/proc/1/cgroup"])
        .ok();
    assert_eq!(exec.stdout, inside.stdout);
}

#[test]
fn a_hierarchy_that_is_mounted_elsewhere_is_found() {
    root_only!("mounting a hierarchy");
    cgroupfs_only!();
    if !Path::new("/sys/fs/cgroup/pids/tasks").exists() {
        skip!("the pids controller has no v1 hierarchy here");
    }
    let bundle = Bundle::sh("cat /proc/self/cgroup");
    let elsewhere = bundle.dir.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let elsewhere = elsewhere.display();
    let script = format!(
        "mount -t cgroup -o pids pids {elsewhere} && umount /sys/fs/cgroup/pids && mkdir -p /sys/fs/cgroup/pids"
    );
    let inside = run_after(&bundle, &script, false).ok().stdout;
    let line = inside.lines().find(|line| line.contains(":pids:"));
    assert!(
        line.is_some_and(|line| line.ends_with(&bundle.id)),
        "{inside}"
    );
    bundle.assert_nothing_left();
}

#[test]
fn a_cgroups_path_is_used_and_removed() {
    root_only!("a cgroup that is not below a user's own");
    cgroupfs_only!();
    let mut bundle = Bundle::sleeping();
    let path = format!("/coracle-tests/{}", bundle.id);
    bundle.config["linux"]["cgroupsPath"] = json!(path);
    let container = bundle.start();
    let dir = cgroup_or_skip!(container, "pids");
    assert!(
        dir.ends_with(path.trim_start_matches('/')),
        "{}",
        dir.display()
    );
    assert!(
        read(&dir, "cgroup.procs")
            .lines()
            .any(|line| line == container.pid().to_string())
    );
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    container.cli("delete").ok();
    assert!(!dir.exists());
    bundle.assert_nothing_left();
    // The runtimes leave the parent, which they may share; in each hierarchy it is this test's alone.
    for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let _ = fs::remove_dir(hierarchy.path().join("coracle-tests"));
    }
    let _ = fs::remove_dir("/sys/fs/cgroup/coracle-tests");
}

#[test]
fn cgroups_that_the_container_made_are_removed_too() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let dir = cgroup_or_skip!(container, "pids");
    fs::create_dir_all(dir.join("child/grandchild")).unwrap();
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    assert!(!dir.exists());
    bundle.assert_nothing_left();
}

#[test]
fn the_default_device_rules_hold() {
    let mut bundle = Bundle::sh(
        "head -c 1 /dev/zero | wc -c; mknod /dev/memory c 1 1 && head -c 1 /dev/memory | wc -c",
    );
    bundle.config["root"]["readonly"] = json!(false);
    for set in ["bounding", "effective", "permitted"] {
        bundle.config["process"]["capabilities"][set] = json!(["CAP_MKNOD", "CAP_SYS_RAWIO"]);
    }
    let output = bundle.run();
    assert_eq!(
        output.lines().first().map(|line| line.trim()),
        Some("1"),
        "{output:?}"
    );
    assert_ne!(
        output.lines().get(1).map(|line| line.trim()),
        Some("1"),
        "/dev/mem was readable"
    );
}
