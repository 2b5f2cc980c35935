//! Mounts that are added to a running container, and taken away.

use crate::harness::*;
use crate::mounts::map_users;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

/// Writes the mounts into a file, and runs `mounts add` or `mounts remove` with it.
#[track_caller]
fn change(bundle: &Bundle, word: &str, mounts: &Value) -> Output {
    let path = bundle.dir.join("mounts.json");
    fs::write(&path, mounts.to_string()).unwrap();
    bundle.cli(&["mounts", word, &bundle.id, path.to_str().unwrap()])
}

#[track_caller]
fn inside(bundle: &Bundle, script: &str) -> Output {
    bundle.cli(&["exec", &bundle.id, "sh", "-c", script])
}

#[test]
fn mounts_come_and_go() {
    new_calls_only!();
    coracle_only!();
    for users in [false, true] {
        let mut bundle = Bundle::sleeping();
        bundle.config["root"]["readonly"] = json!(false);
        if users {
            map_users(&mut bundle);
        }
        for name in ["volume", "file"] {
            let path = bundle.dir.join(name);
            match name {
                "file" => fs::write(path, "one file\n").unwrap(),
                _ => fs::create_dir(path).unwrap(),
            }
        }
        fs::write(bundle.dir.join("volume/file"), "in a volume\n").unwrap();
        let (volume, file) = (bundle.dir.join("volume"), bundle.dir.join("file"));
        // What is below a volume of the host's comes with it.
        let mounts = json!({"mounts": [
            {"destination": "/new/volume", "type": "bind", "source": volume, "options": ["rbind", "ro", "nosuid"]},
            {"destination": "/new/file", "type": "bind", "source": file, "options": ["bind"]},
            {"destination": "/new/tmpfs", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k", "ro", "mode=711"]},
            {"destination": "/new/proc", "type": "proc", "source": "proc"},
            {"destination": "/new/queue", "type": "mqueue", "source": "mqueue"}
        ]});
        let container = bundle.start();
        change(&bundle, "add", &mounts).ok();
        let output = inside(
            &bundle,
            "cat /new/volume/file /new/file; stat -c %a /new/tmpfs; touch /new/tmpfs/x 2>/dev/null || echo ro; \
             cat /new/proc/1/comm; cat /proc/self/mountinfo >&2",
        );
        assert_eq!(
            output.lines(),
            ["in a volume", "one file", "711", "ro", "sh"],
            "{output:?}"
        );
        let table = parse_mountinfo(&output.stderr);
        let seen = mount_at(&table, "/new/volume");
        assert!(seen.has("ro") && seen.has("nosuid"), "{seen:?}");
        assert_eq!(mount_at(&table, "/new/queue").kind, "mqueue");
        change(&bundle, "remove", &mounts).ok();
        let output = inside(&bundle, "grep -c /new/ /proc/self/mountinfo");
        assert_eq!(output.stdout.trim(), "0", "{output:?}");
        assert!(volume.join("file").exists());
        change(&bundle, "remove", &mounts).fails_with("unmounting \"/new/queue\"");
        drop(container);
        bundle.assert_nothing_left();
    }
}

#[test]
fn they_stay_below_the_root() {
    new_calls_only!();
    coracle_only!();
    let mut bundle = Bundle::sleeping();
    bundle.config["root"]["readonly"] = json!(false);
    let outside = bundle.dir.join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, bundle.rootfs("abs")).unwrap();
    symlink("../../../../../../..", bundle.rootfs("up")).unwrap();
    let container = bundle.start();
    let up = format!("/up{}/x", outside.display());
    // A bare array of them is taken, too.
    let mounts = json!([
        {"destination": "/abs/made", "type": "tmpfs", "source": "tmpfs"},
        {"destination": up, "type": "tmpfs", "source": "tmpfs"}
    ]);
    change(&bundle, "add", &mounts).ok();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!text.contains(outside.to_str().unwrap()), "{text}");
    change(&bundle, "remove", &mounts).ok();
    drop(container);
    bundle.assert_nothing_left();
}

#[test]
fn when_one_cannot_be_added_none_is() {
    new_calls_only!();
    coracle_only!();
    let mut bundle = Bundle::sleeping();
    bundle.config["root"]["readonly"] = json!(false);
    let container = bundle.start();
    for (bad, text) in [
        (
            json!({"destination": "/c", "type": "bind", "source": "/no/such", "options": ["bind"]}),
            "/no/such",
        ),
        (
            json!({"destination": "/c", "type": "nosuchfs", "source": "x"}),
            "nosuchfs",
        ),
        (
            json!({"destination": "/proc/sys", "type": "tmpfs"}),
            "inside /proc",
        ),
        (
            json!({"destination": "", "type": "tmpfs"}),
            "mounts[2].destination",
        ),
    ] {
        let good = |path: &str| json!({"destination": path, "type": "tmpfs", "source": "tmpfs"});
        change(
            &bundle,
            "add",
            &json!({"mounts": [good("/a"), good("/b"), bad]}),
        )
        .fails_with(text);
        let output = inside(&bundle, "grep -cE ' /[abc] ' /proc/self/mountinfo");
        assert_eq!(output.stdout.trim(), "0", "{output:?}");
    }
    change(&bundle, "add", &json!({"mounts": []})).fails_with("missing or empty");
    change(&bundle, "add", &json!({"mounts": 3})).fails_with("mounts");
    change(&bundle, "put", &json!([])).fails_with("neither");
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    let tmpfs = json!([{"destination": "/a", "type": "tmpfs", "source": "tmpfs"}]);
    change(&bundle, "add", &tmpfs).fails_with("container not running");
    drop(container);
    bundle.assert_nothing_left();
}

#[test]
fn a_kernel_without_the_new_mount_api_is_named() {
    coracle_only!();
    let mut bundle = Bundle::sleeping();
    bundle.config["root"]["readonly"] = json!(false);
    let container = bundle.start();
    let path = bundle.dir.join("mounts.json");
    let mounts = json!([{"destination": "/a", "type": "tmpfs", "source": "tmpfs"}]);
    fs::write(&path, mounts.to_string()).unwrap();
    let mut command = bundle.command(&["mounts", "add", &bundle.id, path.to_str().unwrap()]);
    forbid(&mut command, &NEW_CALLS);
    let output = bundle.spawn(command).wait();
    output.fails_with("needs the mount API of Linux 5.2");
    drop(container);
    bundle.assert_nothing_left();
}
