//! Mounts of the configuration: types, options, sources and targets, by the new mount API and by mount(2).

use crate::config::add_mount;
use crate::harness::*;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

/// A bundle that prints its mount table, on a root that can be written to.
pub fn table() -> Bundle {
    let mut bundle = Bundle::sh("cat /proc/self/mountinfo");
    bundle.config["root"]["readonly"] = json!(false);
    bundle
}

/// Adds a mount of these: destination, type, source, options.
pub fn mount(bundle: &mut Bundle, destination: &str, kind: &str, source: &str, options: &[&str]) {
    let mount = json!({
        "destination": destination, "type": kind, "source": source, "options": options
    });
    add_mount(&mut bundle.config, mount);
}

/// Runs the bundle on this kernel, then as on one that lacks the new mount API; calls `check` with each outcome.
#[track_caller]
pub fn both(bundle: &Bundle, check: impl Fn(&Output)) {
    check(&bundle.run());
    bundle.assert_nothing_left();
    if is_coracle() {
        check(&run_on_old_kernel(bundle));
        bundle.assert_nothing_left();
    }
}

/// What the tests' user namespace maps root to.
pub const MAPPED: u32 = 100_000;

/// Gives the container a user namespace, and its root filesystem to that namespace's root.
pub fn map_users(bundle: &mut Bundle) {
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "user"}));
    let maps = json!([{"containerID": 0, "hostID": MAPPED, "size": 65536}]);
    bundle.config["linux"]["uidMappings"] = maps.clone();
    bundle.config["linux"]["gidMappings"] = maps;
    chown(bundle.rootfs(""), Some(MAPPED), Some(MAPPED)).unwrap();
}

#[test]
fn each_option_of_a_new_file_system_shows() {
    let shown: &[(&str, &[&str])] = &[
        ("ro", &["ro"]),
        ("nosuid", &["nosuid"]),
        ("nodev", &["nodev"]),
        ("noexec", &["noexec"]),
        ("sync", &["sync"]),
        ("dirsync", &["dirsync"]),
        ("lazytime", &["lazytime"]),
        ("noatime", &["noatime"]),
        ("nodiratime", &["nodiratime", "relatime"]),
        ("relatime", &["relatime"]),
        ("nosymfollow", &["nosymfollow"]),
        ("size=64k", &["size=64k"]),
        ("iversion", &[]),
        ("silent", &[]),
        ("loud", &[]),
        ("defaults", &["rw"]),
        ("size=32k,nr_inodes=7", &["size=32k", "nr_inodes=7"]),
    ];
    let mut bundle = table();
    for (option, _) in shown {
        mount(
            &mut bundle,
            &format!("/mnt/{option}"),
            "tmpfs",
            "tmpfs",
            &[option],
        );
    }
    mount(
        &mut bundle,
        "/mnt/strict",
        "tmpfs",
        "tmpfs",
        &["noatime", "strictatime"],
    );
    mount(
        &mut bundle,
        "/mnt/last",
        "tmpfs",
        "tmpfs",
        &["ro", "noexec", "exec", "rw"],
    );
    both(&bundle, |output| {
        let mounts = parse_mountinfo(&output.stdout);
        for (option, wanted) in shown {
            let mount = mount_at(&mounts, &format!("/mnt/{option}"));
            for wanted in *wanted {
                assert!(mount.has(wanted), "{option}: {mount:?}");
            }
        }
        let strict = mount_at(&mounts, "/mnt/strict");
        assert!(
            !strict.has("noatime") && !strict.has("relatime"),
            "{strict:?}"
        );
        let last = mount_at(&mounts, "/mnt/last");
        assert!(last.has("rw") && !last.has("noexec"), "{last:?}");
    });
}

#[test]
fn a_tmpfs_keeps_mode_and_owner_of_what_it_covers() {
    let mut bundle = table();
    bundle.set_args(&["stat", "-c", "%a %u:%g", "/data", "/given", "/new"]);
    for name in ["data", "given"] {
        fs::create_dir(bundle.rootfs(name)).unwrap();
        fs::set_permissions(bundle.rootfs(name), fs::Permissions::from_mode(0o1731)).unwrap();
        chown(bundle.rootfs(name), Some(7), Some(8)).unwrap();
    }
    mount(&mut bundle, "/data", "tmpfs", "tmpfs", &[]);
    mount(
        &mut bundle,
        "/given",
        "tmpfs",
        "tmpfs",
        &["mode=0700", "uid=3", "gid=4"],
    );
    mount(&mut bundle, "/new", "tmpfs", "tmpfs", &[]);
    both(&bundle, |output| {
        assert_eq!(
            output.lines(),
            ["1731 7:8", "700 3:4", "1777 0:0"],
            "{output:?}"
        );
        fs::remove_dir(bundle.rootfs("new")).unwrap();
    });
}

#[test]
fn tmpcopyup_copies_what_is_covered() {
    let mut bundle = table();
    let script = "cat /data/file /data/sub/deep; readlink /data/link; stat -c '%a %u:%g' /data /data/file /data/sub; \
                  echo more >> /data/file";
    bundle.set_args(&["sh", "-c", script]);
    fs::create_dir_all(bundle.rootfs("data/sub")).unwrap();
    fs::write(bundle.rootfs("data/file"), "one\n").unwrap();
    fs::write(bundle.rootfs("data/sub/deep"), "two\n").unwrap();
    symlink("/etc/passwd", bundle.rootfs("data/link")).unwrap();
    chown(bundle.rootfs("data/file"), Some(1000), Some(5)).unwrap();
    fs::set_permissions(
        bundle.rootfs("data/file"),
        fs::Permissions::from_mode(0o4646),
    )
    .unwrap();
    fs::set_permissions(bundle.rootfs("data/sub"), fs::Permissions::from_mode(0o710)).unwrap();
    mount(&mut bundle, "/data", "tmpfs", "tmpfs", &["tmpcopyup"]);
    mount(&mut bundle, "/absent", "tmpfs", "tmpfs", &["tmpcopyup"]);
    both(&bundle, |output| {
        assert_eq!(
            output.lines(),
            [
                "one",
                "two",
                "/etc/passwd",
                "755 0:0",
                "4646 1000:5",
                "710 0:0"
            ],
            "{output:?}"
        );
        let text = fs::read_to_string(bundle.rootfs("data/file")).unwrap();
        assert_eq!(text, "one\n");
    });
}

#[test]
fn overlays() {
    let mut bundle = table();
    bundle.set_args(&[
        "sh",
        "-c",
        "cat /mnt/low /mnt/high; echo new > /mnt/new; rm /mnt/low",
    ]);
    for name in ["lower:1", "lower2", "upper", "work"] {
        fs::create_dir(bundle.dir.join(name)).unwrap();
    }
    fs::write(bundle.dir.join("lower:1/low"), "low\n").unwrap();
    fs::write(bundle.dir.join("lower2/high"), "high\n").unwrap();
    let dir = bundle.dir.to_str().unwrap().to_owned();
    let lower = format!(r"lowerdir={dir}/lower\:1:{dir}/lower2");
    let upper = format!("upperdir={dir}/upper");
    let work = format!("workdir={dir}/work");
    mount(
        &mut bundle,
        "/mnt",
        "overlay",
        "overlay",
        &[&lower, &upper, &work, "nosuid"],
    );
    both(&bundle, |output| {
        assert_eq!(output.lines(), ["low", "high"], "{output:?}");
        assert_eq!(
            fs::read_to_string(bundle.dir.join("upper/new")).unwrap(),
            "new\n"
        );
        assert!(bundle.dir.join("lower:1/low").exists());
        for name in ["upper", "work"] {
            fs::remove_dir_all(bundle.dir.join(name)).unwrap();
            fs::create_dir(bundle.dir.join(name)).unwrap();
        }
    });
}

#[test]
fn an_overlay_of_many_layers() {
    let mut bundle = table();
    bundle.set_args(&["sh", "-c", "ls /mnt | wc -l"]);
    let mut layers = Vec::new();
    for number in 0..30 {
        let layer = bundle.dir.join(format!("layer-{number}"));
        fs::create_dir(&layer).unwrap();
        fs::write(layer.join(format!("file-{number}")), "").unwrap();
        layers.push(layer.to_str().unwrap().to_owned());
    }
    let lower = format!("lowerdir={}", layers.join(":"));
    assert!(lower.len() > 256, "longer than an option of fsconfig(2)");
    mount(&mut bundle, "/mnt", "overlay", "overlay", &[&lower]);
    both(&bundle, |output| {
        assert_eq!(output.stdout.trim(), "30", "{output:?}")
    });
}

#[test]
fn a_relative_destination_is_taken_from_the_root_with_a_warning() {
    let mut bundle = table();
    mount(&mut bundle, "mnt/here", "tmpfs", "tmpfs", &[]);
    both(&bundle, |output| {
        assert_eq!(
            mount_at(&parse_mountinfo(&output.stdout), "/mnt/here").kind,
            "tmpfs"
        );
        assert!(output.stderr.contains("level=warning"), "{output:?}");
        assert!(output.stderr.contains("relative"), "{output:?}");
    });
}

#[test]
fn a_remount_changes_what_is_mounted() {
    let mut bundle = table();
    mount(&mut bundle, "/mnt", "tmpfs", "tmpfs", &["size=64k"]);
    mount(
        &mut bundle,
        "/mnt",
        "tmpfs",
        "tmpfs",
        &["remount", "size=128k", "noexec"],
    );
    mount(
        &mut bundle,
        "/dev/shm",
        "bind",
        "none",
        &["bind", "remount", "ro"],
    );
    both(&bundle, |output| {
        let mounts = parse_mountinfo(&output.stdout);
        let mount = mount_at(&mounts, "/mnt");
        assert!(mount.has("size=128k"), "{output:?}");
        assert!(mount_at(&mounts, "/dev/shm").has("ro"), "{mounts:#?}");
        let targets = mounts.iter().filter(|mount| mount.target == "/mnt");
        assert_eq!(targets.count(), 1, "{mounts:#?}");
    });
}

#[test]
fn mounts_go_onto_what_lies_at_their_target_by_then() {
    let script = "for at in /work/in /other/in /other/deep/in; do \
                  [ $(stat -c %d $at) != $(stat -c %d $at/..) ] && echo $at; done; ls /work /other";
    let mut bundle = Bundle::sh(script);
    bundle.config["root"]["readonly"] = json!(false);
    fs::create_dir(bundle.rootfs("work")).unwrap();
    symlink("work", bundle.rootfs("link")).unwrap();
    let over = [
        "/work",
        "/other",
        "/work/gone",
        "/other/gone",
        "/other/deep",
        // These cover what was there, the second by another name.
        "/other",
        "/other/in",
        "/other/deep",
        "/other/deep/in",
        "/link",
        "/work/in",
        "/work/too",
    ];
    for target in over {
        mount(&mut bundle, target, "tmpfs", "tmpfs", &["mode=755"]);
    }
    both(&bundle, |output| {
        let expected = [
            "/work/in",
            "/other/in",
            "/other/deep/in",
            "/other:",
            "deep",
            "in",
            "",
            "/work:",
            "in",
            "too",
        ];
        let found: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(found, expected, "{output:?}");
    });
}

#[test]
fn what_is_masked_or_read_only_is_what_shows() {
    let script = "cat /work/secret /work/hidden/secret 2>/dev/null; ls -A /work/hidden; \
                  touch /work/kept/x 2>/dev/null && echo written; echo end";
    let mut bundle = Bundle::sh(script);
    bundle.config["root"]["readonly"] = json!(false);
    fs::create_dir(bundle.rootfs("work")).unwrap();
    symlink("work", bundle.rootfs("link")).unwrap();
    let volume = bundle.dir.join("volume");
    for directory in ["hidden", "kept"] {
        fs::create_dir_all(volume.join(directory)).unwrap();
    }
    for file in ["secret", "hidden/secret"] {
        fs::write(volume.join(file), "secret\n").unwrap();
    }
    mount(&mut bundle, "/work", "tmpfs", "tmpfs", &["mode=755"]);
    // Over it, by another name.
    let source = volume.to_str().unwrap();
    mount(&mut bundle, "/link", "bind", source, &["rbind"]);
    bundle.config["linux"]["readonlyPaths"] = json!(["/work/kept"]);
    bundle.config["linux"]["maskedPaths"] = json!(["/work/secret", "/work/hidden"]);
    both(&bundle, |output| {
        assert_eq!(output.stdout, "end\n", "{output:?}");
    });
}

#[test]
fn sysfs_of_a_network_namespace_that_is_not_the_containers() {
    let mut bundle = table();
    map_users(&mut bundle);
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "network");
    let output = bundle.run().ok();
    let mounts = parse_mountinfo(&output.stdout);
    let mount = mount_at(&mounts, "/sys");
    assert!(mount.kind == "sysfs" && mount.has("ro"), "{mount:?}");
    bundle.assert_nothing_left();
}

#[test]
fn types_that_are_not_there_are_named() {
    let mut bundle = table();
    mount(&mut bundle, "/mnt", "nosuchfs", "none", &[]);
    both(&bundle, |output| {
        assert_eq!(output.code(), 1, "{output:?}");
        let text = output.complaint();
        assert!(
            text.contains("nosuchfs") && text.contains("no such device"),
            "{text}"
        );
    });
    let bad: &[(Value, &str)] = &[
        (json!({"destination": "/mnt"}), "type"),
        (json!({"destination": "/mnt", "type": "bind"}), "source"),
        (
            json!({"destination": "/mnt", "type": "tmpfs", "options": ["size=1x"]}),
            "/mnt",
        ),
        (
            json!({"destination": "/mnt", "type": "tmpfs", "options": ["nosuchoption"]}),
            "/mnt",
        ),
        (json!({"destination": "/", "type": "tmpfs"}), "destination"),
        (
            json!({"destination": "/proc/self", "type": "tmpfs", "source": "tmpfs"}),
            "/proc/self",
        ),
    ];
    for (mount, name) in bad {
        let mut bundle = table();
        add_mount(&mut bundle.config, mount.clone());
        let output = bundle.run().fails_with(name);
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        bundle.assert_nothing_left();
    }
}

/// The host's v1 hierarchies: the names of their directories.
fn hierarchies() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = parse_mountinfo(&text).into_iter();
    let v1 = mounts.filter(|mount| mount.kind == "cgroup");
    v1.map(|mount| mount.target.rsplit('/').next().unwrap().to_owned())
        .collect()
}

#[test]
fn cgroup_file_systems() {
    let script = "cat /proc/self/mountinfo; for l in /sys/fs/cgroup/*; do readlink $l >&2; done; \
                  (mkdir /sys/fs/cgroup/made || mkdir /sys/fs/cgroup/*/made) 2>/dev/null && echo written; \
                  cat /sys/fs/cgroup/pids/tasks /sys/fs/cgroup/cgroup.procs 2>/dev/null | grep -cx 1; true";
    let own = hierarchies();
    for (namespace, users, option) in [
        (false, false, "ro"),
        (true, false, "ro"),
        (false, false, "rw"),
        (true, false, "rw"),
        (true, true, "ro"),
        (false, true, "ro"),
    ] {
        if own.is_empty() && !namespace && option == "rw" {
            // On v2 that would be the host's whole hierarchy.
            continue;
        }
        let what = format!("cgroup namespace {namespace}, user namespace {users}, {option}");
        let mut bundle = Bundle::sh(script);
        let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|one| one["type"] != "cgroup");
        if namespace {
            namespaces.push(json!({"type": "cgroup"}));
        }
        if users {
            map_users(&mut bundle);
        }
        let mounts = bundle.config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["type"] != "cgroup");
        let options = ["nosuid", "noexec", "nodev", "relatime", option];
        mount(&mut bundle, "/sys/fs/cgroup", "cgroup", "cgroup", &options);
        both(&bundle, |output| {
            assert_eq!(output.code(), 0, "{what}: {output:?}");
            let mounts = parse_mountinfo(&output.stdout);
            if own.is_empty() {
                assert_eq!(
                    mount_at(&mounts, "/sys/fs/cgroup").kind,
                    "cgroup2",
                    "{what}"
                );
            }
            for name in &own {
                let mount = mount_at(&mounts, &format!("/sys/fs/cgroup/{name}"));
                assert_eq!(mount.kind, "cgroup", "{what}");
                for flag in ["nosuid", "nodev", "noexec"] {
                    assert!(mount.has(flag), "{what}: {mount:?}");
                }
                let read_only = mount.options.iter().any(|one| one == "ro");
                assert_eq!(read_only, option == "ro", "{what}: {mount:?}");
                if name.contains(',') {
                    // cpu -> cpu,cpuacct and cpuacct -> cpu,cpuacct.
                    let links = output.stderr.lines().filter(|line| line == name).count();
                    assert_eq!(links, name.split(',').count(), "{what}: {output:?}");
                }
            }
            let top = mount_at(&mounts, "/sys/fs/cgroup");
            let read_only = top.options.iter().any(|one| one == "ro");
            assert_eq!(read_only, option == "ro", "{what}: {top:?}");
            let written = output.lines().contains(&"written");
            assert_eq!(written, option == "rw", "{what}: {output:?}");
            // It is its own cgroup that the container sees.
            let visible = namespace || !own.is_empty();
            assert!(
                !visible || output.lines().last() != Some(&"0"),
                "{what}: {output:?}"
            );
        });
    }
}
