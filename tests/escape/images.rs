//! Links of an image that make what the runtime says of a mount, to mount(2) or to criu, mean another.

use crate::harness::*;
use crate::{Host, add_mount, drop_mount};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

/// CVE-2026-115521 (crun): the image has a /proc/self/fd of its own, and what makes mounts read-only by mount(2) went where
/// its links lead. After the pivot mount(2) is told directories by going there, and all else by a procfs that was looked at.
#[test]
fn cve_2026_115521_descriptors_of_the_image() {
    for old_kernel in [false, true] {
        let mut bundle = Bundle::sh(
            "touch /evil /etc/evil /decoy/fine; ls /evil /etc/evil /decoy /secret; cat /key",
        );
        let host = Host::new(&bundle);
        drop_mount(&mut bundle, "/proc");
        add_mount(
            &mut bundle,
            json!({"destination": "/decoy", "type": "tmpfs", "source": "tmpfs"}),
        );
        let descriptors = bundle.rootfs("proc/self/fd");
        fs::create_dir_all(&descriptors).unwrap();
        for number in 0..64 {
            symlink("/decoy", descriptors.join(number.to_string())).unwrap();
        }
        for directory in ["decoy", "secret"] {
            fs::create_dir(bundle.rootfs(directory)).unwrap();
        }
        fs::write(bundle.rootfs("secret/loot"), "").unwrap();
        bundle.config["root"]["readonly"] = json!(true);
        bundle.config["linux"]["readonlyPaths"] = json!(["/etc"]);
        bundle.config["linux"]["maskedPaths"] = json!(["/secret"]);
        let output = match old_kernel {
            true => run_on_old_kernel(&bundle),
            false => bundle.run(),
        };
        assert_eq!(
            output.stdout, "/decoy:\nfine\n\n/secret:\n",
            "{old_kernel} {output:?}"
        );
        // A file cannot be covered there: that is an error, and never another file that is.
        if old_kernel {
            fs::write(bundle.rootfs("key"), "loot").unwrap();
            bundle.config["linux"]["maskedPaths"] = json!(["/key"]);
            run_on_old_kernel(&bundle).fails_with("linux.maskedPaths");
        }
        host.is_unharmed(&bundle);
    }
}

/// CVE-2026-119101 (runc), CVE-2026-115520 (crun): a mount's destination leads to a path with the end of criu's own syntax
/// in it, and at restore criu would have mounted something else of the host's. Such a path is not told to criu.
#[test]
fn cve_2026_119101_and_115520_destinations_that_criu_misreads() {
    if std::process::Command::new("criu")
        .arg("-V")
        .output()
        .is_err()
    {
        skip!("criu is not installed");
    }
    let mut bundle = Bundle::sleeping();
    let host = Host::new(&bundle);
    fs::create_dir_all(bundle.rootfs("x]:/etc")).unwrap();
    symlink("x]:/etc", bundle.rootfs("data")).unwrap();
    let source = host.path("directory");
    add_mount(
        &mut bundle,
        json!({"destination": "/data", "source": source, "options": ["bind"]}),
    );
    let container = bundle.start();
    let images = bundle.dir.join("images");
    let flags = ["checkpoint", "--image-path", images.to_str().unwrap()];
    let checkpoint = bundle.command(&[&flags[..], &[&bundle.id]].concat());
    bundle
        .spawn(checkpoint)
        .wait()
        .fails_with("mounts: /data: leads to \"/x]:/etc\", which criu would misread");
    drop(container);
    host.is_unharmed(&bundle);
}

/// What came with those: the source of a read-only mount gets no mount points, when a container is made or restored.
#[test]
fn sources_of_read_only_mounts_are_not_written() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    for (destination, source, options) in [
        ("/data", host.path("directory"), ["bind", "ro"]),
        ("/data/below", host.path("file"), ["bind", "rw"]),
    ] {
        add_mount(
            &mut bundle,
            json!({"destination": destination, "source": source, "options": options}),
        );
    }
    bundle.run().fails_with("read-only file system");
    run_on_old_kernel(&bundle).fails_with("read-only file system");
    let images = bundle.dir.join("images");
    fs::create_dir(&images).unwrap();
    fs::write(images.join("descriptors.json"), "[]").unwrap();
    let (images, dir) = (images.display().to_string(), bundle.bundle());
    let flags = ["restore", "--image-path", &images, "--bundle"];
    let restore = bundle.command(&[&flags[..], &[dir.to_str().unwrap(), &bundle.id]].concat());
    assert!(!bundle.spawn(restore).wait().status.success());
    host.is_unharmed(&bundle);
}
