//! Images that are made to confuse or to hold up whoever starts them.

use crate::harness::*;
use crate::race::Exchange;
use crate::{Host, add_mount, drop_mount};
use serde_json::json;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

/// Links that lead to themselves, far up, into procfs, or nowhere, everywhere where something is mounted or made:
/// each path is resolved in the root (`RESOLVE_IN_ROOT`, no magic links), and is an error or a place in it.
#[test]
fn loops_and_ways_up_and_into_proc() {
    let long = "x/".repeat(2000);
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    let file = bundle.dir.join("a-file");
    fs::write(&file, "").unwrap();
    let plain = bundle.config.clone();
    for target in [
        "loop",
        "loop/loop",
        ".",
        "..",
        "/",
        "../../../../../../../../../../../../../../..",
        "/proc/self/root",
        "/proc/self/cwd",
        "/proc/self/fd/3",
        "/proc/1/root",
        "/proc/self/exe",
        "/proc/thread-self/root",
        "/proc/self/root/proc/self/root/tmp",
        "missing/../../../host/directory/new",
        "/../../host/new",
        "/dev/fd/4/x",
        &long,
    ] {
        let link = bundle.rootfs("loop");
        let _ = fs::remove_file(&link);
        symlink(target, &link).unwrap();
        let try_it = |bundle: &Bundle, what: &str| {
            let output = bundle.run();
            assert!(output.code() <= 1, "{target}, {what}: {output:?}");
        };
        for destination in ["/loop", "/loop/../x", "/loop/a/b"] {
            bundle.config = plain.clone();
            add_mount(
                &mut bundle,
                json!({"destination": destination, "type": "tmpfs", "source": "tmpfs"}),
            );
            add_mount(
                &mut bundle,
                json!({"destination": format!("{destination}/f"), "source": file, "options": ["bind"]}),
            );
            try_it(&bundle, destination);
        }
        bundle.config = plain.clone();
        bundle.config["linux"]["maskedPaths"] = json!(["/loop", "/loop/x"]);
        bundle.config["linux"]["readonlyPaths"] = json!(["/loop/..", "/loop/x"]);
        try_it(&bundle, "masked");
        bundle.config = plain.clone();
        bundle.config["process"]["cwd"] = json!("/loop/made/../..");
        try_it(&bundle, "working directory");
        bundle.config = plain.clone();
        bundle.config["linux"]["devices"] =
            json!([{"path": "/loop/node", "type": "c", "major": 1, "minor": 3}]);
        try_it(&bundle, "device");
    }
    host.is_unharmed(&bundle);
}

/// 100,000 links in a chain longer than the kernel follows any: refused in good time.
/// The kernel walks the path (`openat2`), and gives up after 40 links.
#[test]
fn a_hundred_thousand_links() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    let links = bundle.rootfs("links");
    fs::create_dir(&links).unwrap();
    for number in 0..100_000 {
        symlink(
            format!("{}/new", number + 1),
            links.join(number.to_string()),
        )
        .unwrap();
    }
    for destination in ["/links/0", "/links/99990", "/links/99999/x/y"] {
        let mounts = bundle.config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/links"));
        add_mount(
            &mut bundle,
            json!({"destination": destination, "type": "tmpfs", "source": "tmpfs"}),
        );
        let output = bundle.run();
        assert!(output.code() <= 1, "{destination}: {output:?}");
        bundle.assert_nothing_left();
    }
    bundle.run();
    host.is_unharmed(&bundle);
}

fn make_fifo(path: &std::path::Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path is a C string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o644) }, 0);
}

/// Files that never open or never end, where the runtime reads or opens something.
/// They are opened without waiting, must be plain files, and are read only so far.
#[test]
fn nothing_in_the_image_holds_the_runtime_up() {
    type Spoil = fn(&Bundle);
    let spoils: [Spoil; 5] = [
        |bundle| {
            fs::remove_file(bundle.rootfs("etc/passwd")).unwrap();
            make_fifo(&bundle.rootfs("etc/passwd"));
        },
        |bundle| {
            fs::remove_file(bundle.rootfs("etc/passwd")).unwrap();
            symlink("/dev/zero", bundle.rootfs("etc/passwd")).unwrap();
        },
        |bundle| {
            let passwd = fs::OpenOptions::new()
                .write(true)
                .open(bundle.rootfs("etc/passwd"))
                .unwrap();
            passwd.set_len(1 << 40).unwrap();
        },
        |bundle| {
            fs::remove_file(bundle.rootfs("etc/passwd")).unwrap();
            symlink("/proc/self/fd/3", bundle.rootfs("etc/passwd")).unwrap();
        },
        |bundle| make_fifo(&bundle.rootfs("bin/program")),
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        let mut bundle = Bundle::sh("echo $HOME");
        let host = Host::new(&bundle);
        spoil(&bundle);
        bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        if number == 4 {
            bundle.set_args(&["/bin/program"]);
        }
        let output = bundle.run();
        assert!([0, 1].contains(&output.code()), "{number}: {output:?}");
        host.is_unharmed(&bundle);
    }
}

/// Targets of mounts, masks and devices that are FIFOs, sockets or device nodes are opened for nothing but their place.
#[test]
fn strange_files_as_targets_are_not_opened() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    let file = bundle.dir.join("a-file");
    fs::write(&file, "").unwrap();
    make_fifo(&bundle.rootfs("fifo"));
    add_mount(
        &mut bundle,
        json!({"destination": "/fifo", "source": file, "options": ["bind"]}),
    );
    make_fifo(&bundle.rootfs("masked"));
    bundle.config["linux"]["maskedPaths"] = json!(["/masked"]);
    make_fifo(&bundle.rootfs("read-only"));
    bundle.config["linux"]["readonlyPaths"] = json!(["/read-only"]);
    bundle.run().ok();
    host.is_unharmed(&bundle);
}

/// A directory that is copied up (`tmpcopyup`) changes while it is read.
/// Entries are opened from their directory's descriptor, and links copied as links.
#[test]
fn a_directory_that_is_copied_up_changes_meanwhile() {
    let mut bundle = Bundle::sh("find /data -type f -exec cat '{}' ';'");
    let host = Host::new(&bundle);
    let data = bundle.rootfs("data");
    fs::create_dir(&data).unwrap();
    for number in 0..50 {
        fs::write(data.join(format!("file-{number}")), "x").unwrap();
    }
    make_fifo(&bundle.dir.join("fifo"));
    add_mount(
        &mut bundle,
        json!({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}),
    );
    for swap in ["link", "fifo"] {
        let other = bundle.rootfs(&format!("swap-{swap}"));
        match swap {
            "link" => symlink(host.path("file"), &other).unwrap(),
            _ => make_fifo(&other),
        }
        let exchange = Exchange::new(&data.join("file-25"), &other);
        let end = crate::race_end();
        while std::time::Instant::now() < end {
            let output = bundle.run();
            assert!(!output.stdout.contains("the host's"), "{output:?}");
        }
        drop(exchange);
        let _ = fs::remove_file(&other);
        let _ = fs::remove_file(data.join("file-25"));
        fs::write(data.join("file-25"), "x").unwrap();
    }
    host.is_unharmed(&bundle);
}

/// `/dev` and `/sys` missing, files, or links to each other.
#[test]
fn directories_of_the_system_are_something_else() {
    for name in ["dev", "sys", "proc"] {
        for kind in ["missing", "file", "fifo"] {
            let mut bundle = Bundle::sh("true");
            let host = Host::new(&bundle);
            fs::remove_dir(bundle.rootfs(name)).unwrap();
            match kind {
                "file" => fs::write(bundle.rootfs(name), "").unwrap(),
                "fifo" => make_fifo(&bundle.rootfs(name)),
                _ => {}
            }
            if name == "dev" {
                drop_mount(&mut bundle, "/dev/mqueue");
            }
            let output = bundle.run();
            assert!(output.code() <= 1, "{name} {kind}: {output:?}");
            host.is_unharmed(&bundle);
        }
    }
}

/// A process gives itself a name that is no text, with all that its line in /proc is parsed by, and is still known to run:
/// one that is taken for stopped can be deleted, and goes on.
#[test]
fn a_process_with_a_name_of_any_bytes_is_seen() {
    const SCRIPT: &str = r#"printf '\377) Z 1 (' > /proc/$$/comm; echo named > /tmp/named
        trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"#;
    let mut bundle = Bundle::sh(SCRIPT);
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    let container = bundle.start();
    wait_until("the name", || bundle.rootfs("tmp/named").exists());
    assert_eq!(container.status(), "running");
    bundle
        .cli(&["delete", &bundle.id])
        .fails_with("is not stopped");
    assert_eq!(bundle.cli(&["exec", &bundle.id, "true"]).code(), 0);
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    drop(container);
    host.is_unharmed(&bundle);
}

/// Anybody who may mount anything, by FUSE or in a directory that the host shows, can choose a path that is no text.
#[test]
fn a_mount_with_a_path_of_any_bytes_is_in_nobodys_way() {
    let bundle = Bundle::sh("echo fine");
    let host = Host::new(&bundle);
    let script = r#"d=$(printf 'x\377y'); mkdir "$d" && mount -t tmpfs none "$d""#;
    for old_kernel in [false, true] {
        let output = run_after(&bundle, script, old_kernel);
        assert_eq!(output.stdout, "fine\n", "{output:?}");
        let path = std::os::unix::ffi::OsStringExt::from_vec(b"x\xffy".to_vec());
        fs::remove_dir(bundle.dir.join::<std::ffi::OsString>(path)).unwrap();
    }
    host.is_unharmed(&bundle);
}
