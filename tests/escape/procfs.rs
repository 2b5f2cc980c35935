//! `/proc` and `/sys` that are not what they seem.

use crate::harness::*;
use crate::race::Exchange;
use crate::{Host, add_mount, drop_mount, race_end};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

/// CVE-2019-16884 (runc): an image declares a volume at `/proc`, which hides the files that LSM labels are written to.
/// At `/proc`, however it is written, goes nothing but a procfs, and below it only what the spec's users need.
#[test]
fn cve_2019_16884_a_volume_over_proc() {
    for destination in [
        "/proc",
        "/proc/",
        "//proc",
        "/./proc/.",
        "/proc/self",
        "/proc/self/attr",
        "/tmp/../proc",
        "/tmp/../proc/self/attr",
    ] {
        let mut bundle = Bundle::sh("echo ran");
        let host = Host::new(&bundle);
        let source = host.path("directory");
        add_mount(
            &mut bundle,
            json!({"destination": destination, "source": source, "options": ["bind"]}),
        );
        let output = bundle.run();
        assert_eq!(output.code(), 1, "{destination}: {output:?}");
        assert!(output.stderr.contains("cannot be mounted"), "{output:?}");
        host.is_unharmed(&bundle);
    }
}

/// CVE-2019-19921 (runc): `/proc` is a link into a volume that another container shares, which swaps it in a race.
/// procfs and sysfs are mounted on no path with links.
#[test]
fn cve_2019_19921_proc_is_a_link_into_a_shared_volume() {
    let mut bundle = Bundle::sh("cat /proc/self/mountinfo");
    let host = Host::new(&bundle);
    let volume = bundle.dir.join("volume");
    fs::create_dir_all(volume.join("level1/level2")).unwrap();
    fs::create_dir_all(volume.join("other")).unwrap();
    fs::remove_dir(bundle.rootfs("proc")).unwrap();
    symlink("/volume/level1", bundle.rootfs("proc")).unwrap();
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.insert(
        0,
        json!({"destination": "/volume", "source": volume, "options": ["rbind"]}),
    );
    let exchange = Exchange::new(&volume.join("level1"), &volume.join("other"));
    let end = race_end();
    while Instant::now() < end {
        let output = bundle.run();
        assert_eq!(output.code(), 1, "{output:?}");
        assert!(
            output
                .stderr
                .contains("must be mounted on ordinary directory"),
            "{output:?}"
        );
    }
    drop(exchange);
    host.is_unharmed(&bundle);
}

/// CVE-2023-27561, CVE-2023-28642 (runc), CVE-2025-54867 (youki): `/proc` or `/sys` is a link, and LSM labels and masks
/// go to what it leads to. Nothing is mounted there on a path with links, be it a file system of its own or bound.
#[test]
fn cve_2023_27561_and_28642_and_2025_54867_proc_and_sys_are_links() {
    for name in ["proc", "sys"] {
        let mut bundle = Bundle::sh("echo ran");
        let host = Host::new(&bundle);
        let plain = bundle.config.clone();
        let place = bundle.rootfs(name);
        fs::remove_dir(&place).unwrap();
        let outside = host.path("directory").to_string_lossy().into_owned();
        for target in [
            "/tmp",
            "tmp",
            "../../host/directory",
            &outside,
            "/dev",
            "/proc/self/cwd",
            "/proc",
            "/sys",
            ".",
        ] {
            symlink(target, &place).unwrap();
            // As file systems of their own, and bound, as where a user namespace allows no more.
            for bound in [false, true] {
                bundle.config = plain.clone();
                let destination = format!("/{name}");
                if bound {
                    drop_mount(&mut bundle, &destination);
                    drop_mount(&mut bundle, "/sys/fs/cgroup");
                    add_mount(
                        &mut bundle,
                        json!({"destination": destination, "type": "bind", "source": destination, "options": ["rbind", "ro"]}),
                    );
                }
                let output = bundle.run();
                assert_eq!(
                    output.code(),
                    1,
                    "{name} -> {target}, bound {bound}: {output:?}"
                );
            }
            fs::remove_file(&place).unwrap();
        }
        host.is_unharmed(&bundle);
    }
}

/// CVE-2025-52881 (runc) and CVE-2025-62596 (youki): what is written to procfs lands elsewhere, as a mount covers its
/// place: a harmless file that takes everything, or a dangerous one. Writes go below a procfs that was opened on the
/// host's side, and cross neither mounts nor links.
#[test]
fn cve_2025_52881_and_62596_writes_to_procfs_redirected() {
    for (trap, link) in [
        ("/proc/self/oom_score_adj", "/proc/self/oom_score_adj"),
        ("/proc/thread-self/attr", "/proc/thread-self/attr"),
        ("/proc/self", "/proc/self"),
        (
            "/proc/sys/net/ipv4/ip_forward",
            "/proc/sys/net/ipv4/ip_forward",
        ),
        ("/proc/sys/net", "/proc/sys/net"),
        ("/proc/sys", "/proc/sys"),
    ] {
        let mut bundle =
            Bundle::sh("cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj; true");
        let host = Host::new(&bundle);
        bundle.config["root"]["readonly"] = json!(false);
        bundle.config["process"]["oomScoreAdj"] = json!(731);
        bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
        // The image's link leads the mount to procfs; the file of the host's stands for core_pattern.
        symlink(link, bundle.rootfs("trap")).unwrap();
        let source = if trap.ends_with("adj") || trap.ends_with("forward") {
            host.path("file")
        } else {
            host.path("directory")
        };
        for directory in ["ipv4", "net/ipv4", "self"] {
            let _ = fs::create_dir_all(host.path("directory").join(directory));
        }
        for file in ["ipv4/ip_forward", "net/ipv4/ip_forward", "oom_score_adj"] {
            let _ = fs::write(host.path("directory").join(file), "the host's");
        }
        let host = {
            let mut host = host;
            host.before = host.state();
            host
        };
        add_mount(
            &mut bundle,
            json!({"destination": "/trap", "source": source, "options": ["rbind"]}),
        );
        let output = bundle.run();
        // Refused, or written to the right place: never to what covers it.
        if output.status.success() && !trap.contains("/sys") {
            assert!(output.stdout.starts_with("1\n"), "{trap}: {output:?}");
        }
        host.is_unharmed(&bundle);
    }
}

/// CVE-2022-0811 (CRI-O): a sysctl's value that smuggled in another sysctl.
/// A value is one write to one file, whose name must be that of a sysctl with a namespace.
#[test]
fn cve_2022_0811_sysctls_that_smuggle_others() {
    for (name, value) in [
        ("kernel.shm_rmid_forced", "1+kernel.core_pattern=|/x #"),
        ("kernel.shm_rmid_forced", "1\nkernel.core_pattern=|/x"),
        ("net.ipv4.ip_forward", "1 kernel.core_pattern=|/x"),
        ("net/../kernel/core_pattern", "|/x"),
        ("net/ipv4/../../kernel/core_pattern", "|/x"),
        ("net.ipv4.//....//....//kernel/core_pattern", "|/x"),
        ("net/.//../kernel/core_pattern", "|/x"),
        ("kernel.core_pattern", "|/x"),
        ("kernel/core_pattern", "|/x"),
        ("fs/mqueue/../../kernel/core_pattern", "|/x"),
        ("kernel.hostname", "x"),
    ] {
        let mut bundle = Bundle::sh("true");
        let host = Host::new(&bundle);
        bundle.config["linux"]["sysctl"] = json!({name: value});
        bundle.run();
        host.is_unharmed(&bundle);
    }
}

/// A network namespace that is joined is the host's own.
/// Its sysctls are not the container's to change.
#[test]
fn sysctls_of_a_joined_host_namespace_are_refused() {
    let before = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
    let other = if before.trim() == "1" { "0" } else { "1" };
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    for namespace in bundle.config["linux"]["namespaces"].as_array_mut().unwrap() {
        if namespace["type"] == json!("network") {
            namespace["path"] = json!("/proc/self/ns/net");
        }
    }
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": other});
    let output = bundle.run();
    let after = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
    if after != before {
        fs::write("/proc/sys/net/ipv4/ip_forward", &before).unwrap();
    }
    assert_eq!(after, before);
    assert_eq!(output.code(), 1, "{output:?}");
    assert!(output.stderr.contains("network namespace"), "{output:?}");
    host.is_unharmed(&bundle);
}
