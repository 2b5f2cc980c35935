//! Bind mounts: options, sources, targets, trees and id maps, by the new mount API and by mount(2).

use crate::config::add_mount;
use crate::harness::*;
use crate::mounts::*;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

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
