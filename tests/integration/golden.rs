//! The programs that configurations compile to, compared with `tests/golden/*.txt`.
//!
//! `UPDATE_GOLDEN=1 cargo test golden` writes them anew: read the difference before committing it.

use crate::config::add_mount;
use crate::harness::*;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

#[track_caller]
fn check(name: &str, edit: impl FnOnce(&mut Value)) {
    let mut bundle = Bundle::sh("echo hello");
    edit(&mut bundle.config);
    // What becomes of these depends on the host's cgroups.
    for list in ["/mounts", "/linux/namespaces"] {
        if let Some(list) = bundle
            .config
            .pointer_mut(list)
            .and_then(Value::as_array_mut)
        {
            list.retain(|entry| entry["type"] != "cgroup");
        }
    }
    bundle.write_config();
    let dir = bundle.bundle();
    let output = bundle
        .cli(&["plan", "--bundle", dir.to_str().unwrap()])
        .ok();
    let plan = output
        .stdout
        .replace(dir.to_str().unwrap(), "BUNDLE")
        .replace(&bundle.id, "ID");
    let plan: String = plan
        .lines()
        .filter(|line| !line.starts_with("join cgroup of hierarchy"))
        .flat_map(|line| [line, "\n"])
        .collect();
    bundle.assert_nothing_left();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, plan).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; write it with UPDATE_GOLDEN=1", path.display())
    });
    assert_eq!(
        plan,
        golden,
        "the plan differs from {}; if that is right, run with UPDATE_GOLDEN=1",
        path.display()
    );
}

#[test]
fn the_default_configuration() {
    coracle_only!();
    check("default", |_| {});
}

#[test]
fn a_configuration_with_nothing_optional() {
    coracle_only!();
    check("minimal", |config| {
        *config = json!({
            "ociVersion": "1.3.0",
            "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "cwd": "/"},
            "root": {"path": "rootfs"},
            "linux": {"namespaces": [{"type": "mount"}]},
        });
    });
}

#[test]
fn an_unprivileged_user_with_limits() {
    coracle_only!();
    check("user", |config| {
        config["process"]["user"] =
            json!({"uid": 1000, "gid": 1001, "additionalGids": [5], "umask": 0o027});
        config["process"]["cwd"] = json!("/home/user");
        config["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
        config["linux"]["resources"]["pids"] = json!({"limit": 37});
        config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    });
}

#[test]
fn a_user_namespace_and_bind_mounts() {
    coracle_only!();
    check("userns", |config| {
        config["linux"]["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "user"}));
        config["linux"]["uidMappings"] =
            json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
        config["linux"]["gidMappings"] =
            json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
        add_mount(
            config,
            json!({"destination": "/mnt", "source": "/usr", "options": ["rbind", "ro", "nosuid"]}),
        );
    });
}

#[test]
fn a_plan_is_printed_without_root() {
    coracle_only!();
    use std::os::unix::process::CommandExt;
    let bundle = Bundle::sh("echo hello");
    bundle.write_config();
    // The binary may lie where only root can reach it.
    let copy = bundle.dir.join("coracle");
    fs::copy(binary(), &copy).unwrap();
    let mut command = std::process::Command::new(copy);
    command
        .args(["plan", "--bundle"])
        .arg(bundle.bundle())
        .uid(65534)
        .gid(65534)
        .current_dir("/");
    let output = bundle.spawn(command).wait().ok();
    assert!(output.lines().len() > 10, "{output:?}");
}
