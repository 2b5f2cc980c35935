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
        "/seccomp/enabled",
        "/apparmor/enabled",
        "/selinux/enabled",
        "/mountExtensions/idmap/enabled",
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
    // One that no table knows would be handed to the file system, and show up in the plan as its option.
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
