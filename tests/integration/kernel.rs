//! Kernels and hosts that forbid or lack something, and what is done instead.

use crate::harness::*;
use crate::lifecycle::remove_namespace;
use serde_json::json;
use std::fs;
use std::process::Command;

#[test]
fn a_host_that_forbids_executable_memfds() {
    coracle_only!();
    if with_systemd() {
        skip!("systemd knows processes by their numbers outside of a PID namespace");
    }
    // The setting is the PID namespace's: a new one has its own.
    let bundle = Bundle::sh("echo works");
    let inner = bundle.bundle_command("run", &[]);
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", "sh", "-c"])
        .arg("echo 2 > /proc/sys/vm/memfd_noexec && exec \"$@\"")
        .arg("sh")
        .arg(inner.get_program())
        .args(inner.get_args());
    let output = bundle.spawn(command).wait().ok();
    assert_eq!(output.stdout.trim(), "works");
    bundle.assert_nothing_left();
}

#[test]
fn a_host_that_forbids_execveat() {
    coracle_only!();
    const REFUSED: &str = "execveat of container init: operation not permitted";
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    let known = |kind: &&str| fs::exists(format!("/proc/self/ns/{kind}")).unwrap();
    for more in ["", "user", "time"].into_iter().filter(known) {
        let mut bundle = Bundle::sleeping();
        if !more.is_empty() {
            let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(json!({"type": more}));
        }
        if more == "user" {
            bundle.config["linux"]["uidMappings"] = map.clone();
            bundle.config["linux"]["gidMappings"] = map.clone();
        }
        let mut command = bundle.bundle_command("run", &[]);
        refuse(&mut command, &[libc::SYS_execveat], libc::EPERM);
        bundle.spawn(command).wait().fails_with(REFUSED);
        bundle.assert_nothing_left();

        let _container = bundle.start();
        let mut command = bundle.command(&["exec", &bundle.id, "true"]);
        refuse(&mut command, &[libc::SYS_execveat], libc::EPERM);
        let output = bundle.spawn(command).wait();
        assert_eq!(output.code(), 255);
        let what = format!("msg=\"exec failed: {REFUSED}\"");
        assert!(output.complaint().contains(&what), "{output:?}");
    }
}

#[test]
fn a_host_without_clone3() {
    coracle_only!();
    let mut bundle = Bundle::sh("cat /proc/self/cgroup; echo done; exec sleep 1000");
    // Its paths are those of the host.
    remove_namespace(&mut bundle.config, "cgroup");
    let cgroups = |text: &str| {
        let ours = text.lines().filter(|line| line.contains(&bundle.id));
        ours.count()
    };
    // Kernels from 5.3 to 5.6 have one that is too small for a cgroup.
    for errno in [libc::ENOSYS, libc::E2BIG] {
        let mut command = bundle.command(&["run", "--detach", "--bundle"]);
        command.arg(bundle.bundle()).arg(&bundle.id);
        bundle.write_config();
        refuse(&mut command, &[libc::SYS_clone3], errno);
        let run = bundle.spawn(command);
        wait_until("its cgroups are known", || run.stdout().contains("done"));
        let joined = cgroups(&run.wait().ok().stdout);
        assert!(joined > 0);
        let mut command = bundle.command(&["exec", &bundle.id, "cat", "/proc/self/cgroup"]);
        refuse(&mut command, &[libc::SYS_clone3], errno);
        let output = bundle.spawn(command).wait().ok();
        assert_eq!(cgroups(&output.stdout), joined, "{output:?}");
        bundle.cli(&["delete", "--force", &bundle.id]).ok();
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_user_namespace_on_a_host_without_clone3() {
    coracle_only!();
    let mut bundle = Bundle::sh("cat /proc/self/uid_map");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "user"}));
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map;
    let mut command = bundle.bundle_command("run", &[]);
    forbid(&mut command, &[libc::SYS_clone3]);
    let output = bundle.spawn(command).wait().ok();
    let words: Vec<&str> = output.stdout.split_whitespace().collect();
    assert_eq!(words, ["0", "100000", "65536"]);
    bundle.assert_nothing_left();
}
