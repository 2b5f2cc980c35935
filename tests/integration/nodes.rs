//! Devices, masked and read-only paths, kernel parameters.

use crate::config::add_mount;
use crate::harness::*;
use crate::mounts::map_users;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

/// A bundle whose /dev is a directory of the rootfs, with these devices; it prints them.
fn with_devices(devices: Value, script: &str) -> Bundle {
    let mut bundle = Bundle::sh(script);
    bundle.config["linux"]["devices"] = devices;
    bundle.config["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}]);
    bundle
}

#[track_caller]
fn both(bundle: &Bundle, check: impl Fn(&Output)) {
    check(&bundle.run());
    bundle.assert_nothing_left();
    if is_coracle() {
        check(&run_on_old_kernel(bundle));
        bundle.assert_nothing_left();
    }
}

#[test]
fn each_type_of_device_with_its_mode_and_owner() {
    let bundle = with_devices(
        json!([
            {"path": "/dev/char", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 1, "gid": 2},
            {"path": "/dev/unbuffered", "type": "u", "major": 10, "minor": 300},
            {"path": "/dev/block", "type": "b", "major": 259, "minor": 70000, "fileMode": 0o4600},
            {"path": "/dev/deep/er/pipe", "type": "p", "fileMode": 0o622, "gid": 7},
            {"path": "/elsewhere", "type": "c", "major": 1, "minor": 3}
        ]),
        "stat -c '%F %t:%T %a %u:%g' /dev/char /dev/unbuffered /dev/block /dev/deep/er/pipe /elsewhere",
    );
    let mut bundle = bundle;
    bundle.config["root"]["readonly"] = json!(false);
    both(&bundle, |output| {
        assert_eq!(
            output.lines(),
            [
                "character special file a:e5 640 1:2",
                "character special file a:12c 666 0:0",
                "block special file 103:11170 4600 0:0",
                "fifo 0:0 622 0:7",
                "character special file 1:3 666 0:0",
            ],
            "{output:?}"
        );
        fs::remove_file(bundle.rootfs("elsewhere")).unwrap();
    });
}

/// Whether devices work where the bundles are.
fn is_nodev(bundle: &Bundle) -> bool {
    let path = std::ffi::CString::new(bundle.dir.to_str().unwrap()).unwrap();
    // SAFETY: all zeroes is a valid statvfs, which the call overwrites; the path is a C string.
    unsafe {
        let mut status: libc::statvfs = std::mem::zeroed();
        libc::statvfs(path.as_ptr(), &raw mut status);
        status.f_flag & libc::ST_NODEV != 0
    }
}

/// Makes /dev a directory of the rootfs.
fn without_dev(bundle: &mut Bundle) {
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    bundle.config["root"]["readonly"] = json!(false);
}

fn mknod(bundle: &Bundle, path: &str, kind: &[&str]) {
    let made = Command::new("mknod")
        .arg(bundle.rootfs(path))
        .args(kind)
        .status();
    assert!(made.unwrap().success());
}

#[test]
fn a_node_that_is_there_is_kept_if_it_is_the_same() {
    let device =
        json!([{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600}]);
    let mut bundle = with_devices(device, "stat -c '%t:%T' /dev/mine /dev/null");
    without_dev(&mut bundle);
    if is_nodev(&bundle) {
        skip!("{} is mounted nodev", bundle.dir.display());
    }
    mknod(&bundle, "dev/mine", &["c", "1", "5"]);
    mknod(&bundle, "dev/null", &["c", "1", "3"]);
    both(&bundle, |output| {
        assert_eq!(output.lines(), ["1:5", "1:3"], "{output:?}")
    });
}

#[test]
fn a_node_that_is_another_is_an_error() {
    coracle_only!();
    let device = json!([{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5}]);
    let others: [&dyn Fn(&Bundle); 5] = [
        &|bundle| mknod(bundle, "dev/mine", &["c", "1", "6"]),
        &|bundle| mknod(bundle, "dev/mine", &["b", "1", "5"]),
        &|bundle| mknod(bundle, "dev/mine", &["p"]),
        &|bundle| fs::write(bundle.rootfs("dev/mine"), "").unwrap(),
        &|bundle| symlink("/dev/zero", bundle.rootfs("dev/mine")).unwrap(),
    ];
    for make in others {
        let mut bundle = with_devices(device.clone(), "true");
        without_dev(&mut bundle);
        make(&bundle);
        for old_kernel in [false, true] {
            let output = run_after(&bundle, "true", old_kernel);
            let text = "creating device node \"/dev/mine\": a different file already exists there";
            output.fails_with(text);
            bundle.assert_nothing_left();
        }
    }
}

#[test]
fn in_a_user_namespace_the_hosts_nodes_are_shown() {
    let mut bundle = with_devices(
        json!([{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]),
        "for d in null zero full tty random urandom kmsg; do stat -c '%t:%T' /dev/$d; done; \
         grep -c ' /dev/null ' /proc/self/mountinfo; echo > /dev/null && echo written",
    );
    map_users(&mut bundle);
    both(&bundle, |output| {
        let nodes = ["1:3", "1:5", "1:7", "5:0", "1:8", "1:9", "1:b"];
        assert_eq!(output.lines()[..7], nodes, "{output:?}");
        assert_eq!(output.lines()[7..], ["1", "written"], "{output:?}");
    });
}

#[test]
fn the_links_of_dev() {
    let links = "for l in fd stdin stdout stderr core ptmx; do echo $l $(readlink /dev/$l); done; \
                 echo x > /dev/stderr; ls /dev/fd | head -1";
    let bundle = Bundle::sh(links);
    both(&bundle, |output| {
        let wanted = [
            "fd /proc/self/fd",
            "stdin /proc/self/fd/0",
            "stdout /proc/self/fd/1",
            "stderr /proc/self/fd/2",
            "core /proc/kcore",
            "ptmx pts/ptmx",
        ];
        assert_eq!(output.lines()[..6], wanted, "{output:?}");
        assert_eq!(output.lines()[6], "0", "{output:?}");
    });
    // What is in the way of ptmx is replaced; a file in the place of the others is kept.
    let mut bundle = Bundle::sh("readlink /dev/ptmx; cat /dev/fd");
    without_dev(&mut bundle);
    if is_nodev(&bundle) {
        skip!("{} is mounted nodev", bundle.dir.display());
    }
    fs::write(bundle.rootfs("dev/ptmx"), "").unwrap();
    fs::write(bundle.rootfs("dev/fd"), "kept\n").unwrap();
    both(&bundle, |output| {
        assert_eq!(output.lines(), ["pts/ptmx", "kept"], "{output:?}")
    });
}

#[test]
fn a_bound_dev_is_left_as_it_is() {
    let mut bundle = Bundle::sh("ls /dev");
    without_dev(&mut bundle);
    let source = bundle.dir.join("dev");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("only"), "").unwrap();
    bundle.config["linux"]["maskedPaths"] = json!([]);
    add_mount(
        &mut bundle.config,
        json!({"destination": "/dev", "type": "bind", "source": source, "options": ["rbind"]}),
    );
    both(&bundle, |output| {
        assert_eq!(output.lines(), ["only"], "{output:?}");
        assert_eq!(fs::read_dir(&source).unwrap().count(), 1);
    });
}

#[test]
fn masked_directories_share_one_read_only_tmpfs() {
    let mut bundle =
        Bundle::sh("cat /proc/self/mountinfo; touch /a/x; echo > /file; cat /file; ls -A /a /b/c");
    bundle.config["root"]["readonly"] = json!(false);
    for path in ["a", "b/c"] {
        fs::create_dir_all(bundle.rootfs(path)).unwrap();
        fs::write(bundle.rootfs(path).join("secret"), "").unwrap();
    }
    fs::write(bundle.rootfs("file"), "secret\n").unwrap();
    symlink("/b/c", bundle.rootfs("link")).unwrap();
    bundle.config["linux"]["maskedPaths"] = json!([
        "/a",
        "/b/c",
        "/a",
        "/file",
        "/none",
        "/a/none",
        "/proc/acpi",
        "/sys/firmware"
    ]);
    for old_kernel in [false, true] {
        let output = run_after(&bundle, "true", old_kernel);
        let device = |target: &str| {
            let fields = output
                .stdout
                .lines()
                .map(|line| line.split(' ').collect::<Vec<_>>());
            let mut at: Vec<_> = fields
                .filter(|fields| fields.get(4) == Some(&target))
                .collect();
            assert_eq!(at.len(), 1, "{target}: {output:?}");
            at.remove(0)[2].to_owned()
        };
        assert_ne!(device("/a"), "");
        // On an old kernel there is one for each.
        assert!(old_kernel || device("/a") == device("/b/c"), "{output:?}");
        let mounts = parse_mountinfo(&output.stdout);
        assert!(mount_at(&mounts, "/a").has("ro"), "{mounts:#?}");
        assert!(output.stderr.contains("/a/x"), "{output:?}");
        assert!(!output.stdout.contains("secret"), "{output:?}");
        assert_eq!(
            fs::read_to_string(bundle.rootfs("file")).unwrap(),
            "secret\n"
        );
        bundle.assert_nothing_left();
    }
}

#[test]
fn masks_and_read_only_paths_in_a_user_namespace() {
    let mut bundle = Bundle::sh(
        "ls -A /hidden; cat /proc/keys; touch /fixed/x 2>/dev/null || echo fixed; \
         (echo 1 > /proc/sys/kernel/hostname) 2>/dev/null || echo sys; umount /hidden 2>/dev/null || echo held",
    );
    bundle.config["root"]["readonly"] = json!(false);
    for path in ["hidden", "fixed"] {
        fs::create_dir(bundle.rootfs(path)).unwrap();
        fs::set_permissions(bundle.rootfs(path), fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(bundle.rootfs(path).join("secret"), "").unwrap();
    }
    map_users(&mut bundle);
    let masked = bundle.config["linux"]["maskedPaths"]
        .as_array_mut()
        .unwrap();
    masked.push(json!("/hidden"));
    bundle.config["linux"]["readonlyPaths"]
        .as_array_mut()
        .unwrap()
        .push(json!("/fixed"));
    both(&bundle, |output| {
        assert_eq!(output.lines(), ["fixed", "sys", "held"], "{output:?}");
    });
}

#[test]
fn a_read_only_path_keeps_the_other_flags_of_its_mount() {
    let mut bundle = Bundle::sh("cat /proc/self/mountinfo");
    bundle.config["root"]["readonly"] = json!(false);
    add_mount(
        &mut bundle.config,
        json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "noexec", "noatime"]}),
    );
    bundle.config["linux"]["readonlyPaths"] = json!(["/mnt"]);
    both(&bundle, |output| {
        let mounts = parse_mountinfo(&output.stdout);
        let mount = mount_at(&mounts, "/mnt");
        for option in ["ro", "nosuid", "nodev", "noexec", "noatime"] {
            assert!(mount.options.iter().any(|one| one == option), "{mount:?}");
        }
    });
}

#[test]
fn kernel_parameters_belong_to_the_containers_namespaces() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "kernel.pid_max",
            "1000",
            "is not in a separate kernel namespace",
        ),
        (
            "vm.swappiness",
            "10",
            "is not in a separate kernel namespace",
        ),
        ("kernel.hostname", "x", "hostname"),
        ("user.max_user_namespaces", "1", "user namespace"),
        ("net.../kernel/x", "1", "sysctl"),
        ("kernel/../vm/swappiness", "1", "sysctl"),
        ("net.ipv4.nosuch", "1", "no such file"),
        ("net.ipv4.ip_forward", "many", "invalid argument"),
    ];
    for (name, value, text) in cases {
        let mut bundle = Bundle::sh("true");
        bundle.config["linux"]["sysctl"] = json!({*name: value});
        let output = bundle.run().fails_with(text);
        assert!(output.complaint().contains("sysctl"), "{name}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{name}: {output:?}");
        bundle.assert_nothing_left();
    }
    for (kind, name, value) in [
        ("ipc", "kernel.msgmax", "9000"),
        ("network", "net.ipv4.ip_forward", "1"),
    ] {
        // In the host's namespace, and by the path to the host's.
        let host = format!("/proc/{}/ns/net", std::process::id());
        for path in [None, Some(host)] {
            // As with runc, only the network namespace's path is looked at.
            if path.is_some() && kind == "ipc" {
                continue;
            }
            let mut bundle = Bundle::sh("true");
            let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.retain(|namespace| namespace["type"] != kind);
            if let Some(path) = path {
                namespaces.push(json!({"type": kind, "path": path}));
            }
            bundle.config["linux"]["sysctl"] = json!({name: value});
            let before =
                fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).unwrap();
            bundle.run().fails_with("sysctl");
            let after =
                fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).unwrap();
            assert_eq!(before, after);
            bundle.assert_nothing_left();
        }
    }
}

#[test]
fn kernel_parameters_in_a_user_namespace() {
    let mut bundle = Bundle::sh(
        "cd /proc/sys; cat kernel/shmmni net/ipv4/ip_forward kernel/domainname user/max_user_namespaces fs/mqueue/msg_max",
    );
    map_users(&mut bundle);
    bundle.config["linux"]["sysctl"] = json!({
        "kernel.shmmni": "77", "net.ipv4.ip_forward": "1", "kernel.domainname": "lake",
        "user.max_user_namespaces": "5", "fs.mqueue.msg_max": "11"
    });
    both(&bundle, |output| {
        assert_eq!(output.lines(), ["77", "1", "lake", "5", "11"], "{output:?}")
    });
}
