//! Namespaces: made new, shared with the host, and joined by path.

use crate::harness::*;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const ALL: [&str; 5] = ["ipc", "mnt", "net", "pid", "uts"];

fn namespace_of(pid: i32, kind: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{kind}"))
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

fn oci_name(kind: &str) -> &str {
    match kind {
        "mnt" => "mount",
        "net" => "network",
        kind => kind,
    }
}

fn set_path(config: &mut Value, kind: &str, path: String) {
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != kind);
    namespaces.push(json!({"type": kind, "path": path}));
}

#[test]
fn new_namespaces_differ_from_the_hosts() {
    let mut bundle = Bundle::sleeping();
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    if !namespaces
        .iter()
        .any(|namespace| namespace["type"] == "cgroup")
    {
        namespaces.push(json!({"type": "cgroup"}));
    }
    let container = bundle.create();
    let (pid, host) = (container.pid(), std::process::id() as i32);
    for kind in ALL.into_iter().chain(["cgroup"]) {
        assert_ne!(namespace_of(pid, kind), namespace_of(host, kind), "{kind}");
    }
    let known = |kind: &&str| fs::exists(format!("/proc/self/ns/{kind}")).unwrap();
    for kind in ["user", "time"].into_iter().filter(known) {
        assert_eq!(namespace_of(pid, kind), namespace_of(host, kind), "{kind}");
    }
}

#[test]
fn namespaces_that_are_not_listed_are_the_hosts() {
    let mut bundle = Bundle::sleeping();
    bundle.config["linux"]["namespaces"] = json!([{"type": "pid"}, {"type": "mount"}]);
    bundle.config.as_object_mut().unwrap().remove("hostname");
    let container = bundle.create();
    let (pid, host) = (container.pid(), std::process::id() as i32);
    for kind in ["net", "uts", "ipc"] {
        assert_eq!(namespace_of(pid, kind), namespace_of(host, kind), "{kind}");
    }
}

#[test]
fn init_is_pid_1_and_sees_only_itself() {
    let output = Bundle::sh("echo $$; ls -d /proc/[0-9]* | wc -l").run().ok();
    let lines = output.lines();
    assert_eq!(lines[0], "1");
    assert!(lines[1].trim().parse::<u32>().unwrap() <= 3, "{output:?}");
}

#[test]
fn namespaces_joined_by_path() {
    let mut first = Bundle::sleeping();
    first.config["hostname"] = json!("first");
    let first_container = first.start();
    let first_pid = first_container.pid();

    let mut second = Bundle::sh("hostname; echo $$; exec sleep 1000");
    second.config.as_object_mut().unwrap().remove("hostname");
    for kind in ["pid", "net", "ipc", "uts"] {
        set_path(
            &mut second.config,
            oci_name(kind),
            format!("/proc/{first_pid}/ns/{kind}"),
        );
    }
    let second_container = second.start();
    let second_pid = second_container.pid();
    for kind in ["pid", "net", "ipc", "uts"] {
        assert_eq!(
            namespace_of(second_pid, kind),
            namespace_of(first_pid, kind),
            "{kind}"
        );
    }
    assert_ne!(
        namespace_of(second_pid, "mnt"),
        namespace_of(first_pid, "mnt")
    );
    second_container.wait_for_output("first\n");
    second_container.wait_for_output("\n");
    let output = second_container.output();
    assert_ne!(
        output.lines().nth(1),
        Some("1"),
        "it is not the first process of the joined namespace"
    );
    second_container.kill("KILL").ok();
    second_container.wait_for_status("stopped");
    second_container.cli("delete").ok();
    second.assert_nothing_left();
    assert_eq!(first_container.status(), "running");
}

#[test]
fn run_in_a_joined_pid_namespace_returns_the_status() {
    let first = Bundle::sleeping();
    let container = first.start();
    let mut second = Bundle::sh("exit 5");
    set_path(
        &mut second.config,
        "pid",
        format!("/proc/{}/ns/pid", container.pid()),
    );
    assert_eq!(second.run().code(), 5);
    second.assert_nothing_left();
}

#[test]
fn a_time_namespace_with_offsets() {
    coracle_only!();
    if !fs::exists("/proc/self/ns/time").unwrap() {
        skip!("the kernel has no time namespaces");
    }
    let mut bundle = Bundle::sh("cat /proc/self/timens_offsets; exec sleep 1000");
    bundle.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "time"}));
    bundle.config["linux"]["timeOffsets"] = json!({
        "monotonic": {"secs": 7881, "nanosecs": 2718281},
        "boottime": {"secs": 1337, "nanosecs": 3141519},
    });
    let container = bundle.start();
    container.wait_for_output("boottime");
    container.wait_for_output("3141519");
    let output = container.output();
    let offsets: Vec<Vec<&str>> = output
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        offsets,
        [
            vec!["monotonic", "7881", "2718281"],
            vec!["boottime", "1337", "3141519"]
        ]
    );

    let mut second = Bundle::sh("cat /proc/self/timens_offsets");
    set_path(
        &mut second.config,
        "time",
        format!("/proc/{}/ns/time", container.pid()),
    );
    assert_eq!(second.run().ok().stdout, output);
}

#[test]
fn a_user_namespace_with_mappings() {
    if !fs::exists("/proc/self/ns/user").unwrap() {
        skip!("the kernel has no user namespaces");
    }
    let mut bundle = Bundle::sh(
        "cat /proc/self/uid_map /proc/self/gid_map; id -u; touch /tmp/file; stat -c %u /tmp/file",
    );
    bundle.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "user"}));
    bundle.config["linux"]["uidMappings"] =
        json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
    bundle.config["linux"]["gidMappings"] =
        json!([{"containerID": 0, "hostID": 200000, "size": 65536}]);
    bundle.config["root"]["readonly"] = json!(false);
    let status = Command::new("chown")
        .args(["-Rh", "100000:200000"])
        .arg(bundle.rootfs(""))
        .status()
        .unwrap();
    assert!(status.success());
    let output = bundle.run().ok();
    let words: Vec<Vec<&str>> = output
        .lines()
        .iter()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        words,
        [
            vec!["0", "100000", "65536"],
            vec!["0", "200000", "65536"],
            vec!["0"],
            vec!["0"]
        ]
    );
    bundle.assert_nothing_left();
}

#[test]
fn a_namespace_path_that_is_none() {
    for path in ["/does/not/exist", "/proc/self/ns/net", "/etc/passwd"] {
        let mut bundle = Bundle::sh("true");
        set_path(&mut bundle.config, "uts", path.to_owned());
        bundle.config.as_object_mut().unwrap().remove("hostname");
        let output = bundle.run();
        assert_eq!(output.code(), 1, "{path}: {output:?}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn what_is_new_beside_a_joined_user_namespace_belongs_to_it() {
    if !fs::exists("/proc/self/ns/user").unwrap() {
        skip!("the kernel has no user namespaces");
    }
    let with_user = |bundle: &mut Bundle| {
        let linux = &mut bundle.config["linux"];
        linux["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "user"}));
        bundle.config["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|mount| mount["type"] != "cgroup");
        let status = Command::new("chown")
            .args(["-Rh", "100000:100000"])
            .arg(bundle.rootfs(""))
            .status();
        assert!(status.unwrap().success());
    };
    let mut first = Bundle::sleeping();
    with_user(&mut first);
    let map = json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
    first.config["linux"]["uidMappings"] = map.clone();
    first.config["linux"]["gidMappings"] = map;
    let container = first.start();
    for kinds in [&["user", "pid"][..], &["user"]] {
        let script = "cat /proc/self/uid_map; ls /sys/class/net; echo $$; ip link; hostname";
        let mut second = Bundle::sh(script);
        with_user(&mut second);
        for kind in kinds {
            let path = format!("/proc/{}/ns/{kind}", container.pid());
            set_path(&mut second.config, kind, path);
        }
        second.config["hostname"] = json!("second");
        let output = second.run().ok();
        let words: Vec<&str> = output.stdout.split_whitespace().collect();
        assert_eq!(words[..4], ["0", "100000", "65536", "lo"], "{output:?}");
        assert_eq!(words[4] == "1", kinds.len() == 1, "{output:?}");
        assert!(output.stdout.contains("LOOPBACK,UP"), "{output:?}");
        assert!(output.stdout.ends_with("second\n"), "{output:?}");
        second.assert_nothing_left();
    }
}

#[test]
fn a_namespace_that_the_joined_user_namespace_does_not_own_is_joined() {
    if !fs::exists("/proc/self/ns/user").unwrap() {
        skip!("the kernel has no user namespaces");
    }
    let mut holder = Command::new("unshare")
        .args(["--user", "--map-root-user", "sleep", "1000"])
        .spawn()
        .unwrap();
    let mut other = Command::new("unshare")
        .args(["--net", "--ipc", "--uts", "sleep", "1000"])
        .spawn()
        .unwrap();
    let (user, other_pid) = (holder.id() as i32, other.id() as i32);
    wait_until("namespaces of their own", || {
        let own = |kind| namespace_of(std::process::id() as i32, kind);
        namespace_of(user, "user") != own("user") && namespace_of(other_pid, "uts") != own("uts")
    });
    let mut bundle = Bundle::sh("exec sleep 1000");
    // Without rights over the network no sysfs, without those over IPC no mqueue; and there is one user alone.
    bundle.config["mounts"]
        .as_array_mut()
        .unwrap()
        .retain(|mount| {
            !["sysfs", "mqueue", "cgroup", "devpts"].contains(&mount["type"].as_str().unwrap())
        });
    bundle.config.as_object_mut().unwrap().remove("hostname");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "user"}));
    set_path(&mut bundle.config, "user", format!("/proc/{user}/ns/user"));
    for kind in ["net", "ipc", "uts"] {
        let path = format!("/proc/{other_pid}/ns/{kind}");
        set_path(&mut bundle.config, oci_name(kind), path);
    }
    let container = bundle.start();
    assert_eq!(
        namespace_of(container.pid(), "user"),
        namespace_of(user, "user")
    );
    for kind in ["net", "ipc", "uts"] {
        let (got, want) = (
            namespace_of(container.pid(), kind),
            namespace_of(other_pid, kind),
        );
        assert_eq!(got, want, "{kind}");
    }
    for child in [&mut holder, &mut other] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
