//! `features`: each line of the document is tried.

use crate::config::add_mount;
use crate::harness::*;
use serde_json::{Value, json};

fn features() -> Value {
    let output = Bundle::new().cli(&["features"]).ok();
    serde_json::from_str(&output.stdout).unwrap()
}

fn words(list: &Value) -> Vec<&str> {
    let list = list
        .as_array()
        .unwrap_or_else(|| panic!("{list} is no list"));
    list.iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn the_features_document_has_what_engines_look_for() {
    let features = features();
    assert_eq!(features["ociVersionMin"], "1.0.0");
    let mut hooks = words(&features["hooks"]);
    hooks.sort_unstable();
    assert_eq!(
        hooks,
        [
            "createContainer",
            "createRuntime",
            "poststart",
            "poststop",
            "prestart",
            "startContainer"
        ]
    );
    // Docker and containerd refuse `rro` mounts without this one; Kubernetes looks for the handler's idmapped mounts.
    for option in [
        "rro",
        "rbind",
        "rprivate",
        "nosymfollow",
        "tmpcopyup",
        "defaults",
    ] {
        assert!(
            words(&features["mountOptions"]).contains(&option),
            "{option}"
        );
    }
    let linux = &features["linux"];
    for pointer in [
        "/cgroup/v1",
        "/cgroup/v2",
        "/cgroup/systemd",
        "/cgroup/systemdUser",
        "/cgroup/rdma",
        "/seccomp/enabled",
        "/apparmor/enabled",
        "/selinux/enabled",
        "/mountExtensions/idmap/enabled",
        "/intelRdt/enabled",
        "/intelRdt/schemata",
        "/intelRdt/monitoring",
        "/netDevices/enabled",
    ] {
        assert_eq!(linux.pointer(pointer), Some(&json!(true)), "{pointer}");
    }
    assert!(words(&linux["capabilities"]).contains(&"CAP_CHECKPOINT_RESTORE"));
    assert!(words(&features["potentiallyUnsafeConfigAnnotations"]).contains(&"run.oci."));
    assert!(features["annotations"]["org.opencontainers.runc.version"].is_string());
    assert!(features["annotations"]["io.github.seccomp.libseccomp.version"].is_null());
}

#[test]
fn every_namespace_and_mount_option_of_features_is_known() {
    coracle_only!();
    let features = features();
    let mut bundle = Bundle::sh("true");
    bundle.config["linux"]["namespaces"] = words(&features["linux"]["namespaces"])
        .into_iter()
        .map(|kind| json!({"type": kind}))
        .collect();
    for kind in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][kind] = json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
    }
    bundle.config["process"]["capabilities"]["bounding"] =
        features["linux"]["capabilities"].clone();
    add_mount(
        &mut bundle.config,
        json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": features["mountOptions"]}),
    );
    bundle.write_config();
    let dir = bundle.bundle();
    bundle
        .cli(&["plan", "--bundle", dir.to_str().unwrap()])
        .ok();
}

#[test]
fn every_mount_option_of_features_makes_a_mount() {
    coracle_only!();
    new_calls_only!();
    let features = features();
    let mut bundle = Bundle::sh("cat /proc/self/mountinfo");
    let source = bundle.dir.join("source");
    std::fs::create_dir(&source).unwrap();
    let options = words(&features["mountOptions"]);
    for option in &options {
        let destination = format!("/mnt/{option}");
        let mut mount = json!({"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": [option]});
        match *option {
            "bind" | "rbind" => mount["source"] = json!(source),
            "idmap" | "ridmap" => {
                mount["source"] = json!(source);
                mount["options"] = json!(["bind", option]);
                let mapping = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
                (mount["uidMappings"], mount["gidMappings"]) = (mapping.clone(), mapping);
            }
            "remount" => {
                let first = json!({"destination": destination, "type": "tmpfs", "source": "tmpfs"});
                add_mount(&mut bundle.config, first);
            }
            _ => {}
        }
        add_mount(&mut bundle.config, mount);
    }
    // An option that no table knows would be handed to the file system, which refuses it.
    let output = bundle.run().ok();
    for option in options {
        let point = format!(" /mnt/{option} ");
        assert!(output.stdout.contains(&point), "{option}: {output:?}");
    }
    add_mount(
        &mut bundle.config,
        json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["no-such-option"]}),
    );
    assert_eq!(bundle.run().code(), 1);
    bundle.assert_nothing_left();
}

#[test]
fn every_capability_that_the_kernel_has_is_in_features() {
    let features = features();
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    let last: usize = last.trim().parse().unwrap();
    assert!(words(&features["linux"]["capabilities"]).len() > last);
}

#[test]
fn every_memory_policy_of_features_is_known() {
    coracle_only!();
    let policy = &features()["linux"]["memoryPolicy"];
    let mut bundle = Bundle::sh("true");
    let dir = bundle.bundle();
    let mut plan = |policy: Value| {
        bundle.config["linux"]["memoryPolicy"] = policy;
        bundle.write_config();
        bundle.cli(&["plan", "--bundle", dir.to_str().unwrap()])
    };
    for mode in words(&policy["modes"]) {
        let nodes = match mode {
            "MPOL_DEFAULT" | "MPOL_LOCAL" => "",
            _ => "0",
        };
        plan(json!({"mode": mode, "nodes": nodes})).ok();
    }
    for flag in words(&policy["flags"]) {
        plan(json!({"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]})).ok();
    }
    plan(json!({"mode": "MPOL_NO_SUCH", "nodes": "0"})).fails_with("mode");
}

#[test]
fn the_kernel_has_no_seccomp_action_beside_those_of_features() {
    let features = features();
    let mut known: Vec<String> = words(&features["linux"]["seccomp"]["actions"])
        .into_iter()
        .map(|action| {
            let action = action.strip_prefix("SCMP_ACT_").unwrap();
            action.to_ascii_lowercase()
        })
        .collect();
    // The specification's words for the kernel's `kill_thread` (two of them) and `user_notif`.
    known.retain(|action| action != "kill");
    if let Some(notify) = known.iter_mut().find(|action| *action == "notify") {
        *notify = "user_notif".into();
    }
    known.sort_unstable();
    let available = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap();
    let mut available: Vec<&str> = available.split_whitespace().collect();
    available.sort_unstable();
    assert_eq!(known, available);
}

#[test]
fn every_seccomp_word_of_features_is_known() {
    let features = features();
    let seccomp = &features["linux"]["seccomp"];
    let mut rules: Vec<Value> = Vec::new();
    for action in words(&seccomp["actions"]) {
        if action != "SCMP_ACT_NOTIFY" {
            rules.push(json!({"names": [format!("no_such_{action}")], "action": action}));
        }
    }
    for operator in words(&seccomp["operators"]) {
        rules.push(json!({"names": ["ptrace"], "action": "SCMP_ACT_LOG",
            "args": [{"index": 0, "value": 1000, "valueTwo": 1, "op": operator}]}));
    }
    let mut bundle = Bundle::sh("echo on");
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": seccomp["archs"],
        "flags": seccomp["supportedFlags"],
        "syscalls": rules,
    });
    let output = bundle.run().ok();
    assert_eq!(output.stdout.trim(), "on", "{output:?}");
    // The kernel of this machine, like any since 5.19, has all of them.
    if is_coracle() {
        assert_eq!(seccomp["supportedFlags"], seccomp["knownFlags"]);
    }
}

#[test]
fn the_landlock_version_of_features_is_the_kernel_s() {
    coracle_only!();
    // SAFETY: with the flag for the version there are no attributes to read.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0usize,
            1,
        )
    };
    assert_eq!(
        features()["annotations"]["org.coracle.landlock.abi"],
        json!(abi.max(0).to_string())
    );
}
