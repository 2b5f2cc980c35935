//! What a hostile image or container must not get.

use crate::config::add_mount;
use crate::harness::*;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

#[test]
fn no_descriptor_of_the_runtime_reaches_the_container() {
    let bundle = Bundle::sh("ls /proc/$$/fd; true");
    let mut command = bundle.bundle_command("run", &[]);
    inherit_fd(&mut command, 9);
    let output = bundle.spawn(command).wait().ok();
    let fds: Vec<&str> = output.stdout.split_whitespace().collect();
    assert!(
        fds.iter().all(|fd| ["0", "1", "2", "10"].contains(fd)),
        "{fds:?}"
    );
    // busybox's shell opens nothing of its own for `sh -c`; 10 is where others keep their script.
    assert!(!fds.contains(&"3"), "{fds:?}");
}

#[test]
fn preserved_descriptors_reach_the_container() {
    let bundle = Bundle::sh("ls /proc/$$/fd; echo through >&3");
    let mut command = bundle.bundle_command("run", &["--preserve-fds", "1"]);
    inherit_fd(&mut command, 3);
    let output = bundle.spawn(command).wait().ok();
    assert!(output.lines().contains(&"3"), "{output:?}");
    assert_eq!(output.stderr, "through\n");
}

#[test]
fn a_created_init_is_not_the_runtimes_file() {
    coracle_only!();
    let bundle = Bundle::sleeping();
    let container = bundle.create();
    let exe = format!("/proc/{}/exe", container.pid());
    let link = fs::read_link(&exe).unwrap();
    let runtime = fs::metadata(binary()).unwrap();
    let found = fs::metadata(&exe).unwrap();
    assert_ne!(
        (found.dev(), found.ino()),
        (runtime.dev(), runtime.ino()),
        "{}",
        link.display()
    );
    assert!(
        link.to_string_lossy().ends_with("(deleted)"),
        "{}",
        link.display()
    );
    assert!(
        link.to_string_lossy().starts_with("/memfd:"),
        "{}",
        link.display()
    );
}

#[test]
fn a_created_init_is_not_dumpable() {
    let mut bundle = Bundle::sleeping();
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let container = bundle.create();
    // The files of a process that is not dumpable belong to root, whoever it runs as.
    let environ = fs::metadata(format!("/proc/{}/environ", container.pid())).unwrap();
    assert_eq!(environ.uid(), 0);
    container.cli("start").ok();
    let pid = container.pid();
    wait_until("the process runs as its user", || {
        fs::metadata(format!("/proc/{pid}/environ")).is_ok_and(|environ| environ.uid() == 1000)
    });
}

#[test]
fn a_created_init_holds_no_descriptor_of_the_host() {
    let bundle = Bundle::sleeping();
    let container = bundle.create();
    let host = fs::metadata("/").unwrap().dev();
    for entry in fs::read_dir(format!("/proc/{}/fd", container.pid()))
        .unwrap()
        .flatten()
    {
        let link = fs::read_link(entry.path()).unwrap_or_default();
        let metadata = fs::metadata(entry.path());
        let on_host = metadata.is_ok_and(|metadata| metadata.is_dir() && metadata.dev() == host);
        assert!(
            !on_host,
            "{} is the host's directory {}",
            entry.path().display(),
            link.display()
        );
    }
}

#[test]
fn symlinked_mount_targets_stay_inside() {
    let mut bundle = Bundle::sh("cat /proc/self/mountinfo; ls -A /trap /abs");
    bundle.config["root"]["readonly"] = json!(false);
    let outside = bundle.dir.join("outside");
    fs::create_dir(&outside).unwrap();
    symlink("../../outside", bundle.rootfs("trap")).unwrap();
    symlink(&outside, bundle.rootfs("abs")).unwrap();
    for target in ["/trap", "/abs", "/trap/made", "/abs/made"] {
        add_mount(
            &mut bundle.config,
            json!({"destination": target, "type": "tmpfs", "source": "tmpfs"}),
        );
    }
    let output = bundle.run();
    // Refused or resolved inside the root: nothing may have been made outside.
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{output:?}");
    if is_coracle() {
        let output = output.ok();
        let mounts = parse_mountinfo(&output.stdout);
        mount_at(&mounts, "/outside/made");
    }
    bundle.assert_nothing_left();
}

#[test]
fn a_symlinked_bind_target_stays_inside() {
    let mut bundle = Bundle::sh("true");
    let outside = bundle.dir.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(bundle.dir.join("source"), "x").unwrap();
    symlink("../../../../../../../../..", bundle.rootfs("up")).unwrap();
    let target = format!("/up{}/file", outside.display());
    let source = bundle.dir.join("source");
    bundle.config["root"]["readonly"] = json!(false);
    add_mount(
        &mut bundle.config,
        json!({"destination": target, "source": source, "options": ["bind"]}),
    );
    let output = bundle.run();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn a_proc_that_is_a_symlink_is_not_the_hosts() {
    for target in ["../../../tmp", "/tmp", "/proc/self/cwd"] {
        let bundle = Bundle::sh("true");
        fs::remove_dir(bundle.rootfs("proc")).unwrap();
        symlink(target, bundle.rootfs("proc")).unwrap();
        let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
        bundle.run();
        let after = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let new = after
            .lines()
            .filter(|line| !before.contains(*line) && line.contains(" /tmp "))
            .count();
        assert_eq!(new, 0, "{after}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn proc_and_sys_take_no_bind_mount_over_them() {
    let mut bundle = Bundle::sh("true");
    let source = bundle.dir.join("source");
    fs::create_dir(&source).unwrap();
    add_mount(
        &mut bundle.config,
        json!({"destination": "/proc/sys", "source": source, "options": ["bind"]}),
    );
    let output = bundle.run();
    assert_eq!(output.code(), 1, "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn masked_symlinks_do_not_reach_outside() {
    let mut bundle = Bundle::sh("true");
    let outside = bundle.dir.join("secret");
    fs::write(&outside, "kept").unwrap();
    symlink("../../secret", bundle.rootfs("link")).unwrap();
    bundle.config["linux"]["maskedPaths"] = json!(["/link"]);
    bundle.run();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");
    bundle.assert_nothing_left();
}

#[test]
fn the_working_directory_must_be_inside() {
    let mut bundle = Bundle::sh("pwd");
    bundle.config["process"]["cwd"] = json!("/proc/self/fd/7/../..");
    let output = bundle.run();
    assert!(
        output.code() != 0 || !output.stdout.contains("coracle-test"),
        "{output:?}"
    );
    bundle.assert_nothing_left();
}

#[test]
fn a_root_that_is_a_symlink_is_resolved_once() {
    let mut bundle = Bundle::sh("echo in");
    symlink("rootfs", bundle.dir.join("bundle/link")).unwrap();
    bundle.config["root"]["path"] = json!("link");
    let output = bundle.run();
    // runc's validator may refuse it; taking it must give that very root.
    assert!(output.code() == 1 || output.lines() == ["in"], "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn what_cannot_be_given_is_refused() {
    coracle_only!();
    for (pointer, value, field) in [
        (
            "/process/apparmorProfile",
            json!("nonesuch"),
            "apparmorProfile",
        ),
        ("/process/selinuxLabel", json!("a:b:c:s0"), "selinuxLabel"),
        ("/linux/intelRdt", json!({"closID": "x"}), "intelRdt"),
        ("/linux/mountLabel", json!("a:b:c:s0"), "mountLabel"),
    ] {
        let mut bundle = Bundle::sh("true");
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        bundle.config.pointer_mut(parent).unwrap()[name] = value;
        let output = bundle.run();
        assert_eq!(output.code(), 1, "{output:?}");
        assert!(output.stderr.contains(field), "{output:?}");
        bundle.assert_nothing_left();
    }
}
