//! Mounts of the configuration: types, options, sources and targets, by the new mount API and by mount(2).

use crate::config::add_mount;
use crate::harness::*;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

/// A bundle that prints its mount table, on a root that can be written to.
fn table() -> Bundle {
    let mut bundle = Bundle::sh("cat /proc/self/mountinfo");
    bundle.config["root"]["readonly"] = json!(false);
    bundle
}

/// Adds a mount of these: destination, type, source, options.
fn mount(bundle: &mut Bundle, destination: &str, kind: &str, source: &str, options: &[&str]) {
    let mount = json!({
        "destination": destination, "type": kind, "source": source, "options": options
    });
    add_mount(&mut bundle.config, mount);
}

/// Runs the bundle on this kernel, then as on one that lacks the new mount API; calls `check` with each outcome.
#[track_caller]
fn both(bundle: &Bundle, check: impl Fn(&Output)) {
    check(&bundle.run());
    bundle.assert_nothing_left();
    if is_coracle() {
        check(&run_on_old_kernel(bundle));
        bundle.assert_nothing_left();
    }
}

/// What the tests' user namespace maps root to.
const MAPPED: u32 = 100_000;

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
fn a_bind_mount_keeps_its_options_or_gets_others() {
    let mut bundle = table();
    let source = bundle.rootfs("/mnt/source");
    let source = source.to_str().unwrap();
    // It is made by the container itself: sources are what is there when their turn comes.
    mount(
        &mut bundle,
        "/mnt/source",
        "tmpfs",
        "tmpfs",
        &["nodev", "nosuid", "noatime"],
    );
    mount(&mut bundle, "/mnt/kept", "bind", source, &["bind"]);
    mount(&mut bundle, "/mnt/cleared", "bind", source, &["bind", "ro"]);
    mount(
        &mut bundle,
        "/mnt/all",
        "bind",
        source,
        &["bind", "noexec", "nosymfollow", "strictatime"],
    );
    mount(&mut bundle, "/mnt/undone", "bind", source, &["bind", "dev"]);
    both(&bundle, |output| {
        let mounts = parse_mountinfo(&output.stdout);
        let kept = mount_at(&mounts, "/mnt/kept");
        assert!(
            kept.has("nodev") && kept.has("nosuid") && kept.has("noatime"),
            "{kept:?}"
        );
        let cleared = mount_at(&mounts, "/mnt/cleared");
        assert!(cleared.has("ro") && cleared.has("noatime"), "{cleared:?}");
        assert!(
            !cleared.has("nodev") && !cleared.has("nosuid"),
            "{cleared:?}"
        );
        let all = mount_at(&mounts, "/mnt/all");
        assert!(all.has("noexec") && all.has("nosymfollow"), "{all:?}");
        assert!(
            !all.has("nodev") && !all.has("noatime") && !all.has("relatime"),
            "{all:?}"
        );
        let undone = mount_at(&mounts, "/mnt/undone");
        assert!(!undone.has("nodev") && !undone.has("nosuid"), "{undone:?}");
    });
}

#[test]
fn a_tree_comes_whole_with_rbind_and_alone_with_bind() {
    let mut bundle = table();
    let source = bundle.rootfs("/mnt/source");
    let source = source.to_str().unwrap();
    mount(&mut bundle, "/mnt/source", "tmpfs", "tmpfs", &[]);
    mount(&mut bundle, "/mnt/source/below", "tmpfs", "tmpfs", &[]);
    mount(&mut bundle, "/mnt/tree", "bind", source, &["rbind", "ro"]);
    mount(&mut bundle, "/mnt/top", "bind", source, &["bind", "ro"]);
    both(&bundle, |output| {
        let mounts = parse_mountinfo(&output.stdout);
        assert!(mount_at(&mounts, "/mnt/tree").has("ro"));
        // As mount(8): only the top is read-only.
        assert!(mount_at(&mounts, "/mnt/tree/below").has("rw"));
        let below = |mount: &&MountLine| mount.target == "/mnt/top/below";
        assert!(!mounts.iter().any(|mount| below(&mount)), "{mounts:#?}");
    });
}

#[test]
fn recursive_attributes_reach_every_mount_of_the_tree() {
    new_calls_only!();
    let mut bundle = table();
    let source = bundle.rootfs("/mnt/source");
    let source = source.to_str().unwrap();
    mount(&mut bundle, "/mnt/source", "tmpfs", "tmpfs", &["nodev"]);
    mount(
        &mut bundle,
        "/mnt/source/below",
        "tmpfs",
        "tmpfs",
        &["nosuid", "noexec"],
    );
    let cases: &[(&str, &str, bool)] = &[
        ("rro", "ro", true),
        ("rrw", "rw", true),
        ("rnosuid", "nosuid", true),
        ("rsuid", "nosuid", false),
        ("rnodev", "nodev", true),
        ("rdev", "nodev", false),
        ("rnoexec", "noexec", true),
        ("rexec", "noexec", false),
        ("rnodiratime", "nodiratime", true),
        ("rdiratime", "nodiratime", false),
        ("rnoatime", "noatime", true),
        ("ratime", "noatime", false),
        ("rrelatime", "relatime", true),
        ("rstrictatime", "relatime", false),
        ("rnosymfollow", "nosymfollow", true),
        ("rsymfollow", "nosymfollow", false),
    ];
    for (option, ..) in cases {
        let target = format!("/mnt/{option}");
        mount(&mut bundle, &target, "bind", source, &["rbind", option]);
    }
    let output = bundle.run().ok();
    let mounts = parse_mountinfo(&output.stdout);
    for (option, shown, on) in cases {
        for below in ["", "/below"] {
            let mount = mount_at(&mounts, &format!("/mnt/{option}{below}"));
            let has = mount.options.iter().any(|one| one == shown);
            assert_eq!(has, *on, "{option}: {mount:?}");
        }
    }
    bundle.assert_nothing_left();
    if is_coracle() {
        // What cannot be done is an error: never a tree that is writable after all.
        run_on_old_kernel(&bundle).fails_with("mount_setattr: function not implemented");
        bundle.assert_nothing_left();
    }
}

#[test]
fn propagation_of_mounts() {
    let mut bundle = table();
    for kind in [
        "shared",
        "slave",
        "private",
        "unbindable",
        "rshared",
        "runbindable",
    ] {
        mount(
            &mut bundle,
            &format!("/mnt/{kind}"),
            "tmpfs",
            "tmpfs",
            &[kind],
        );
    }
    mount(
        &mut bundle,
        "/mnt/both",
        "tmpfs",
        "tmpfs",
        &["shared", "slave", "shared"],
    );
    both(&bundle, |output| {
        let mounts = parse_mountinfo(&output.stdout);
        let fields = |kind: &str| {
            mount_at(&mounts, &format!("/mnt/{kind}"))
                .propagation
                .join(" ")
        };
        for kind in ["shared", "rshared", "both"] {
            assert!(
                fields(kind).starts_with("shared:"),
                "{kind}: {:?}",
                fields(kind)
            );
        }
        for kind in ["unbindable", "runbindable"] {
            assert_eq!(fields(kind), "unbindable", "{kind}");
        }
        assert_eq!(fields("private"), "");
        assert_eq!(fields("slave"), "");
    });
}

#[test]
fn missing_targets_are_made() {
    let mut bundle = table();
    fs::create_dir(bundle.dir.join("directory")).unwrap();
    fs::write(bundle.dir.join("file"), "text").unwrap();
    let (directory, file) = (bundle.dir.join("directory"), bundle.dir.join("file"));
    mount(
        &mut bundle,
        "/new/a/directory",
        "bind",
        directory.to_str().unwrap(),
        &["bind"],
    );
    mount(
        &mut bundle,
        "/new/b/file",
        "bind",
        file.to_str().unwrap(),
        &["bind"],
    );
    mount(&mut bundle, "/new/c/tmpfs", "tmpfs", "tmpfs", &[]);
    both(&bundle, |output| {
        assert_eq!(output.code(), 0, "{output:?}");
        let mode = |path: &str| fs::metadata(bundle.rootfs(path)).unwrap().mode() & 0o177_777;
        assert_eq!(mode("/new"), 0o40755);
        assert_eq!(mode("/new/a/directory"), 0o40755);
        assert_eq!(mode("/new/b/file"), 0o100_644);
        assert_eq!(mode("/new/c/tmpfs"), 0o40755);
        fs::remove_dir_all(bundle.rootfs("/new")).unwrap();
    });
}

#[test]
fn a_directory_is_not_mounted_on_a_file_nor_the_reverse() {
    let mut bundle = table();
    fs::create_dir(bundle.dir.join("directory")).unwrap();
    let directory = bundle.dir.join("directory");
    mount(
        &mut bundle,
        "/etc/passwd",
        "bind",
        directory.to_str().unwrap(),
        &["bind"],
    );
    both(&bundle, |output| {
        assert_eq!(output.code(), 1, "{output:?}");
        let text = output.complaint();
        assert!(
            text.contains("/etc/passwd") && text.contains("not a directory"),
            "{text}"
        );
    });
}

#[test]
fn a_missing_source_is_named() {
    let mut bundle = table();
    mount(&mut bundle, "/mnt", "bind", "/does/not/exist", &["bind"]);
    both(&bundle, |output| {
        assert_eq!(output.code(), 1, "{output:?}");
        let text = output.complaint();
        assert!(
            text.contains("/does/not/exist") && text.contains("no such file"),
            "{text}"
        );
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
fn idmapped_mounts() {
    new_calls_only!();
    let mut bundle = table();
    bundle.set_args(&[
        "stat",
        "-c",
        "%n %u:%g",
        "/own/file",
        "/both/file",
        "/tree/file",
        "/plain/file",
    ]);
    let source = bundle.dir.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "").unwrap();
    chown(source.join("file"), Some(10), Some(20)).unwrap();
    let source = source.to_str().unwrap();
    let map = |from: u32, to: u32| json!([{"containerID": from, "hostID": to, "size": 100}]);
    let mapped = |destination: &str, options: &[&str]| {
        json!({
            "destination": destination, "type": "bind", "source": source, "options": options,
            "uidMappings": map(0, 5000), "gidMappings": map(0, 6000)
        })
    };
    add_mount(&mut bundle.config, mapped("/own", &["bind"]));
    add_mount(
        &mut bundle.config,
        mapped("/both", &["rbind", "idmap", "ro"]),
    );
    add_mount(&mut bundle.config, mapped("/tree", &["rbind", "ridmap"]));
    mount(&mut bundle, "/plain", "bind", source, &["bind"]);
    let output = bundle.run();
    if output.stderr.contains("uidMappings") && output.stderr.contains("invalid argument") {
        skip!("the file system below {source} cannot be idmapped");
    }
    assert_eq!(
        output.lines(),
        [
            "/own/file 5010:6020",
            "/both/file 5010:6020",
            "/tree/file 5010:6020",
            "/plain/file 10:20"
        ],
        "{output:?}"
    );
    bundle.assert_nothing_left();
}

#[test]
fn an_idmapped_mount_has_the_containers_own_map_for_want_of_another() {
    new_calls_only!();
    let mut bundle = table();
    bundle.set_args(&["stat", "-c", "%u:%g", "/mapped/file"]);
    map_users(&mut bundle);
    let source = bundle.dir.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "").unwrap();
    chown(source.join("file"), Some(10), Some(20)).unwrap();
    mount(
        &mut bundle,
        "/mapped",
        "bind",
        source.to_str().unwrap(),
        &["bind", "idmap"],
    );
    let output = bundle.run();
    if output.stderr.contains("uidMappings") && output.stderr.contains("invalid argument") {
        skip!(
            "the file system below {} cannot be idmapped",
            source.display()
        );
    }
    assert_eq!(output.lines(), ["10:20"], "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn links_are_followed_or_not_as_the_options_say() {
    new_calls_only!();
    coracle_only!();
    let script = "readlink /copied; cat /followed; stat -c %F /itself; readlink /copied-file >/dev/null || cat /copied-file; \
                  readlink /linked; cat /linked/x";
    let mut bundle = Bundle::sh(script);
    bundle.config["root"]["readonly"] = json!(false);
    let dir = bundle.dir.clone();
    fs::write(dir.join("file"), "text\n").unwrap();
    symlink("file", dir.join("link")).unwrap();
    let (file, link) = (dir.join("file"), dir.join("link"));
    let (file, link) = (file.to_str().unwrap(), link.to_str().unwrap());
    // Where a link is to be mounted on, there must be one.
    symlink("nowhere", bundle.rootfs("itself")).unwrap();
    fs::create_dir(bundle.rootfs("linked-to")).unwrap();
    symlink("linked-to", bundle.rootfs("linked")).unwrap();
    mount(
        &mut bundle,
        "/copied",
        "bind",
        link,
        &["bind", "copy-symlink"],
    );
    mount(&mut bundle, "/followed", "bind", link, &["bind"]);
    mount(
        &mut bundle,
        "/itself",
        "bind",
        link,
        &["bind", "src-nofollow", "dest-nofollow"],
    );
    mount(
        &mut bundle,
        "/copied-file",
        "bind",
        file,
        &["bind", "copy-symlink"],
    );
    mount(&mut bundle, "/linked", "tmpfs", "tmpfs", &["mode=700"]);
    let output = bundle.run();
    assert_eq!(
        output.lines(),
        ["file", "text", "symbolic link", "text", "linked-to"],
        "{output:?}"
    );
    bundle.assert_nothing_left();
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
fn relative_sources_are_below_the_bundle() {
    let mut bundle = table();
    bundle.set_args(&["cat", "/mnt/file"]);
    fs::create_dir(bundle.bundle().join("shared")).unwrap();
    fs::write(bundle.bundle().join("shared/file"), "below\n").unwrap();
    mount(&mut bundle, "/mnt", "bind", "shared", &["bind"]);
    both(&bundle, |output| {
        assert_eq!(output.lines(), ["below"], "{output:?}")
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
fn flags_that_the_host_has_locked_are_kept_in_a_user_namespace() {
    // Mounts of a file system with flags in the host's place: they are locked in the container's namespace.
    let setup = |bundle: &Bundle| {
        let source = bundle.dir.join("source");
        fs::create_dir_all(&source).unwrap();
        format!(
            "mount -t tmpfs -o nosuid,nodev,noexec,noatime tmpfs {0} && mount -o bind,remount,ro,nosuid,nodev,noexec,noatime {0}",
            source.display()
        )
    };
    let mut bundle = table();
    map_users(&mut bundle);
    let source = bundle.dir.join("source");
    let source = source.to_str().unwrap();
    mount(&mut bundle, "/kept", "bind", source, &["bind"]);
    mount(
        &mut bundle,
        "/also",
        "bind",
        source,
        &["rbind", "nosuid", "rprivate"],
    );
    let old = |bundle: &Bundle| run_after(bundle, &setup(bundle), true);
    let new = |bundle: &Bundle| run_after(bundle, &setup(bundle), false);
    for run in [&new as &dyn Fn(&Bundle) -> Output, &old] {
        let output = run(&bundle);
        let mounts = parse_mountinfo(&output.stdout);
        assert_eq!(output.code(), 0, "{output:?}");
        for target in ["/kept", "/also"] {
            let mount = mount_at(&mounts, target);
            for option in ["ro", "nosuid", "nodev", "noexec", "noatime"] {
                assert!(mount.options.iter().any(|one| one == option), "{mount:?}");
            }
        }
        bundle.assert_nothing_left();
    }
    for option in ["rw", "suid", "dev", "exec", "atime"] {
        let mut bundle = table();
        map_users(&mut bundle);
        let source = bundle.dir.join("source");
        mount(
            &mut bundle,
            "/mnt",
            "bind",
            source.to_str().unwrap(),
            &["bind", option],
        );
        for run in [&new as &dyn Fn(&Bundle) -> Output, &old] {
            // Asked for by name, and not to be had.
            run(&bundle).fails_with("operation not permitted");
            bundle.assert_nothing_left();
        }
    }
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
