//! Mount targets and devices that lead out of the rootfs, or are made to while the container starts.

use crate::harness::*;
use crate::race::{Exchange, rename};
use crate::{Host, add_mount, drop_mount, race_end};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Instant;

/// A volume that the attacker can change while the container starts, shown at /volume.
fn share_volume(bundle: &mut Bundle) -> std::path::PathBuf {
    let volume = bundle.dir.join("volume");
    fs::create_dir(&volume).unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    add_mount(
        bundle,
        json!({"destination": "/volume", "source": volume, "options": ["rbind"]}),
    );
    volume
}

/// Starts the container again and again while the race is on; what each has printed goes to `check`.
fn run_while_racing(bundle: &Bundle, exchange: &Exchange, mut check: impl FnMut(Output)) {
    let end = race_end();
    let mut runs = 0;
    // A busy machine takes its time.
    while Instant::now() < end || exchange.count() < 100 && runs < 1000 {
        check(bundle.run());
        runs += 1;
    }
    assert!(exchange.count() > 0);
}

/// CVE-2021-30465 (runc): the target of a mount, below a shared volume, became a link to the host between check and use.
/// The path is resolved once, in the root, to a descriptor, and the mount is moved onto that.
#[test]
fn cve_2021_30465_a_target_swapped_for_a_link() {
    let mut bundle = Bundle::sh("cat /proc/self/mountinfo");
    let host = Host::new(&bundle);
    let volume = share_volume(&mut bundle);
    let evil = bundle.dir.join("evil");
    fs::create_dir(&evil).unwrap();
    fs::write(evil.join("loot"), "").unwrap();
    fs::create_dir(volume.join("target")).unwrap();
    let up = format!("{}{}", "../".repeat(20), host.dir.display());
    symlink(up.trim_end_matches('/'), volume.join("swap")).unwrap();
    // Many mounts make many tries of one start.
    for number in 0..40 {
        let source = &evil;
        let below = if number % 2 == 0 {
            "/volume/target"
        } else {
            "/volume/target/made"
        };
        add_mount(
            &mut bundle,
            json!({"destination": below, "source": source, "options": ["rbind"]}),
        );
    }
    let exchange = Exchange::new(&volume.join("target"), &volume.join("swap"));
    let outside = host.dir.to_string_lossy().into_owned();
    run_while_racing(&bundle, &exchange, |output| {
        for mount in parse_mountinfo(&output.stdout) {
            // Inside the root a directory of that name may well be made: the mount must be in this root, not the host's.
            assert!(!mount.target.contains(".."), "{mount:?}");
        }
    });
    drop(exchange);
    assert!(!Path::new(&outside).join("loot").exists());
    host.is_unharmed(&bundle);
}

/// CVE-2024-45310 (runc): while a mount's missing target was made, its parent became a link: empty files on the host.
/// Each part is made below the descriptor of the resolved one before it, which no rename changes.
#[test]
fn cve_2024_45310_directories_and_files_made_on_the_host() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    let volume = share_volume(&mut bundle);
    let file = bundle.dir.join("a-file");
    fs::write(&file, "").unwrap();
    fs::create_dir(volume.join("parent")).unwrap();
    symlink(host.path("directory"), volume.join("swap")).unwrap();
    for number in 0..40 {
        let destination = format!("/volume/parent/{number}/made");
        let mount = match number % 2 {
            0 => json!({"destination": destination, "type": "tmpfs", "source": "tmpfs"}),
            _ => json!({"destination": destination, "source": file, "options": ["bind"]}),
        };
        add_mount(&mut bundle, mount);
    }
    let exchange = Exchange::new(&volume.join("parent"), &volume.join("swap"));
    run_while_racing(&bundle, &exchange, |_| {
        // Made anew each time.
        for name in ["parent", "swap"] {
            let path = volume.join(name);
            if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
                for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
    });
    drop(exchange);
    host.is_unharmed(&bundle);
}

/// The races in making what is missing: a directory on the way goes away and comes back, and with it `..` after it; a
/// link stands where a file is about to be made.
#[test]
fn missing_targets_behind_dots_and_dangling_links_are_made_inside() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    let volume = share_volume(&mut bundle);
    let file = bundle.dir.join("a-file");
    fs::write(&file, "").unwrap();
    fs::create_dir_all(volume.join("a/b")).unwrap();
    let outside = format!(
        "{}{}",
        "../".repeat(20),
        host.path("directory/new").display()
    );
    for number in 0..20 {
        // Dangling: what it leads to is missing, inside the rootfs as on the host.
        symlink(
            format!("{outside}-{number}"),
            volume.join(format!("link-{number}")),
        )
        .unwrap();
        let up = "../".repeat(number + 1);
        for destination in [
            format!(
                "/volume/a/b/{up}../../..{}/x-{number}",
                host.path("directory").display()
            ),
            format!("/volume/link-{number}"),
            format!("/volume/a/b/../link-{number}"),
        ] {
            add_mount(
                &mut bundle,
                json!({"destination": destination, "source": file, "options": ["bind"]}),
            );
        }
    }
    let exchange = Exchange::doing(volume.join("a/b"), bundle.dir.join("b"), |a, b| {
        rename(a, b, 0) | rename(b, a, 0)
    });
    run_while_racing(&bundle, &exchange, |_| {});
    drop(exchange);
    host.is_unharmed(&bundle);
}

/// A file is about to be made where a link to the host's appears.
/// It is opened with `O_EXCL`: only a new one is written to.
#[test]
fn a_file_that_is_made_is_never_what_a_link_leads_to() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    let volume = share_volume(&mut bundle);
    let file = bundle.dir.join("a-file");
    fs::write(&file, "").unwrap();
    symlink(host.path("file"), volume.join("link")).unwrap();
    for _ in 0..40 {
        add_mount(
            &mut bundle,
            json!({"destination": "/volume/file", "source": file, "options": ["bind"]}),
        );
    }
    let exchange = Exchange::doing(volume.join("file"), volume.join("link"), |file, link| {
        let _ = fs::remove_file(file);
        let hidden = link.with_extension("hidden");
        fs::hard_link(link, &hidden).is_ok() && rename(&hidden, file, 0)
    });
    run_while_racing(&bundle, &exchange, |_| {});
    drop(exchange);
    host.is_unharmed(&bundle);
}

/// CVE-2019-18837 (crun): a crafted image has links to the host where something is mounted.
/// They are followed in the root (`RESOLVE_IN_ROOT`), where what they lead to is another place.
#[test]
fn cve_2019_18837_targets_that_are_links_to_the_host() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    let file = bundle.dir.join("a-file");
    fs::write(&file, "").unwrap();
    for (number, link) in [
        host.path("file"),
        host.path("directory/new"),
        host.path("new/new"),
        Path::new("../../host/new").into(),
    ]
    .iter()
    .enumerate()
    {
        let name = format!("link-{number}");
        symlink(link, bundle.rootfs(&name)).unwrap();
        add_mount(
            &mut bundle,
            json!({"destination": format!("/{name}"), "source": file, "options": ["bind"]}),
        );
    }
    bundle.run();
    host.is_unharmed(&bundle);
}

/// CVE-2025-24965 (crun): its krun handler wrote a file into the rootfs, through a link of the image.
/// Coracle writes none of its own, and what it is told to make stays inside.
#[test]
fn cve_2025_24965_no_file_is_written_through_links() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    let _ = fs::remove_dir_all(bundle.rootfs("etc"));
    symlink(&host.dir, bundle.rootfs("etc")).unwrap();
    for name in [".krun_config.json", "run", ".dockerenv"] {
        symlink(host.path("file"), bundle.rootfs(name)).unwrap();
    }
    bundle.run();
    host.is_unharmed(&bundle);
}

/// CVE-2026-41579 (runc) and CVE-2026-47766 (crun): `/dev` is a link, and nodes and links were made where it leads.
/// They are made below a descriptor of `/dev` that was resolved in the root.
#[test]
fn cve_2026_41579_and_47766_dev_is_a_link() {
    let links = |host: &Host| {
        [
            host.dir.to_string_lossy().into_owned(),
            "../../host".to_string(),
            "/proc/self/cwd".to_string(),
            "../".repeat(30) + &host.dir.to_string_lossy(),
        ]
    };
    for number in 0..4 {
        for mounted in [false, true] {
            let mut bundle = Bundle::sh("true");
            let host = Host::new(&bundle);
            bundle.config["root"]["readonly"] = json!(false);
            if !mounted {
                for destination in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
                    drop_mount(&mut bundle, destination);
                }
            }
            fs::remove_dir(bundle.rootfs("dev")).unwrap();
            symlink(&links(&host)[number], bundle.rootfs("dev")).unwrap();
            bundle.run();
            host.is_unharmed(&bundle);
        }
    }
}

/// The same in a race: `/dev` leads into a shared volume, and a link is swapped in while nodes are made.
/// Node, mode and owner go by one descriptor.
#[test]
fn devices_are_not_made_on_the_host_in_a_race() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    let volume = share_volume(&mut bundle);
    for destination in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
        drop_mount(&mut bundle, destination);
    }
    fs::create_dir(volume.join("dev")).unwrap();
    symlink(&host.dir, volume.join("swap")).unwrap();
    fs::remove_dir(bundle.rootfs("dev")).unwrap();
    symlink("/volume/dev", bundle.rootfs("dev")).unwrap();
    bundle.config["linux"]["devices"] = json!([
        {"path": "/dev/file", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 1234, "gid": 1234},
    ]);
    let exchange = Exchange::new(&volume.join("dev"), &volume.join("swap"));
    run_while_racing(&bundle, &exchange, |_| {});
    drop(exchange);
    host.is_unharmed(&bundle);
}

/// CVE-2025-31133 (runc) and CVE-2025-62161 (youki): `/dev/null` is a link to what the attacker wants where a path is
/// masked. What covers a masked file must be device 1:3 by its descriptor, opened without following links.
#[test]
fn cve_2025_31133_and_62161_dev_null_is_a_link() {
    for target in [
        "/proc/sys/kernel/core_pattern",
        "/etc/passwd",
        "/proc/self/fd/3",
        "zero",
    ] {
        let mut bundle = Bundle::sh("cat /proc/self/mountinfo; echo '|x' > /proc/kcore");
        let host = Host::new(&bundle);
        bundle.config["root"]["readonly"] = json!(false);
        bundle.config["linux"]["maskedPaths"] = json!(["/proc/kcore", "/proc/keys"]);
        for destination in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
            drop_mount(&mut bundle, destination);
        }
        symlink(target, bundle.rootfs("dev/null")).unwrap();
        let output = bundle.run();
        for mount in parse_mountinfo(&output.stdout) {
            assert!(
                !mount.target.starts_with("/proc/k") || mount.kind != "proc",
                "{mount:?}"
            );
        }
        host.is_unharmed(&bundle);
    }
}

/// The same in a race: `/dev` is in a shared volume, and the null device is swapped for a link.
/// What was checked is the descriptor that is bound.
#[test]
fn cve_2025_31133_dev_null_swapped_while_paths_are_masked() {
    let mut bundle = Bundle::sh("cat /proc/self/mountinfo");
    let host = Host::new(&bundle);
    let volume = share_volume(&mut bundle);
    for destination in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
        drop_mount(&mut bundle, destination);
    }
    let dev = volume.join("dev");
    fs::create_dir(&dev).unwrap();
    let dev_source = dev.clone();
    add_mount(
        &mut bundle,
        json!({"destination": "/dev", "source": dev_source, "options": ["rbind"]}),
    );
    // A container that binds /dev keeps it as it is: the attacker makes the nodes.
    let made = std::process::Command::new("mknod")
        .arg(dev.join("null"))
        .args(["c", "1", "3"])
        .status();
    assert!(made.unwrap().success());
    symlink("/proc/sys/kernel/core_pattern", dev.join("swap")).unwrap();
    let masked: Vec<&str> = [
        "/proc/kcore",
        "/proc/keys",
        "/proc/timer_list",
        "/proc/interrupts",
    ]
    .iter()
    .cycle()
    .take(40)
    .copied()
    .collect();
    bundle.config["linux"]["maskedPaths"] = json!(masked);
    let exchange = Exchange::new(&dev.join("null"), &dev.join("swap"));
    let (mut refused, mut started) = (0, 0);
    run_while_racing(&bundle, &exchange, |output| {
        match output.status.success() {
            true => started += 1,
            false => refused += 1,
        }
        for mount in parse_mountinfo(&output.stdout) {
            assert!(
                !mount.target.starts_with("/proc/")
                    || mount.kind != "proc"
                    || mount.target.starts_with("/proc/sys")
                    || ["/proc/bus", "/proc/fs", "/proc/irq"].contains(&mount.target.as_str()),
                "{mount:?}"
            );
        }
    });
    drop(exchange);
    assert!(refused + started > 0);
    host.is_unharmed(&bundle);
}

/// Runs the bundle with a terminal, its master kept by a socket of our own.
fn run_with_terminal(bundle: &mut Bundle) -> Output {
    bundle.config["process"]["terminal"] = json!(true);
    let socket = bundle.dir.join("console.sock");
    let _ = fs::remove_file(&socket);
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let socket = socket.to_str().unwrap();
    let output = bundle.run_with(&["--detach", "--console-socket", socket]);
    drop(listener);
    bundle.cli(&["delete", "--force", &bundle.id]);
    output
}

/// CVE-2025-52565 (runc) and CVE-2026-88264 (crun): `/dev/console` is a link, and the terminal was bound where it leads.
/// No link on its path is followed, and the terminal is bound by descriptor.
#[test]
fn cve_2025_52565_and_2026_88264_dev_console_is_a_link() {
    for target in [
        "/proc/sys/kernel/core_pattern",
        "HOST/file",
        "HOST/directory/new",
        "../../../host/new",
    ] {
        for dedicated in [false, true] {
            let mut bundle = Bundle::sleeping();
            let host = Host::new(&bundle);
            bundle.config["root"]["readonly"] = json!(false);
            let target = target.replace("HOST", &host.dir.to_string_lossy());
            if dedicated {
                // The link is in what is mounted at /dev.
                let dev = bundle.dir.join("dev");
                fs::create_dir(&dev).unwrap();
                fs::create_dir(dev.join("pts")).unwrap();
                symlink(&target, dev.join("console")).unwrap();
                for destination in ["/dev", "/dev/shm", "/dev/mqueue"] {
                    drop_mount(&mut bundle, destination);
                }
                let mounts = bundle.config["mounts"].as_array_mut().unwrap();
                mounts.insert(
                    0,
                    json!({"destination": "/dev", "source": dev, "options": ["rbind"]}),
                );
            } else {
                for destination in ["/dev", "/dev/shm", "/dev/mqueue"] {
                    drop_mount(&mut bundle, destination);
                }
                symlink(&target, bundle.rootfs("dev/console")).unwrap();
            }
            let output = run_with_terminal(&mut bundle);
            assert_eq!(output.code(), 1, "{output:?}");
            host.is_unharmed(&bundle);
        }
    }
}

/// CVE-2026-88265 (crun): standard streams that were closed or the null device became the image's `/dev/null`, whatever
/// that was, and were given to the container's user. Only a descriptor that is device 1:3 takes their place.
#[test]
fn cve_2026_88265_dev_null_reopened_for_standard_streams() {
    let mut bundle = Bundle::sh("echo pwned; echo pwned >&2; true");
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    for destination in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
        drop_mount(&mut bundle, destination);
    }
    let source = host.path("file");
    add_mount(
        &mut bundle,
        json!({"destination": "/host-file", "source": source, "options": ["bind"]}),
    );
    symlink("/host-file", bundle.rootfs("dev/null")).unwrap();
    bundle.write_config();
    let dir = bundle.bundle();
    let args = ["run", "--bundle", dir.to_str().unwrap(), bundle.id.as_str()];
    bundle.cli(&args);
    let mut command = bundle.command(&args);
    // SAFETY: close is async-signal-safe, and the closure touches no memory of the parent.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, || {
            (0..3).for_each(|fd| {
                libc::close(fd);
            });
            Ok(())
        });
    }
    bundle.spawn(command).wait();
    host.is_unharmed(&bundle);
}

/// A node that is there already is given to the configured owner; the attacker swaps in another name of a host's file.
/// Type and number are checked, and the owner set, by one descriptor.
#[test]
fn owners_of_devices_go_to_no_other_file() {
    let mut bundle = Bundle::sh("true");
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    for destination in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
        drop_mount(&mut bundle, destination);
    }
    let devices: Vec<_> = (0..40)
        .map(|_| json!({"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "uid": 1234, "gid": 1234}))
        .collect();
    bundle.config["linux"]["devices"] = json!(devices);
    let made = std::process::Command::new("mknod")
        .arg(bundle.rootfs("dev/x"))
        .args(["c", "1", "3"])
        .status();
    assert!(made.unwrap().success());
    // Another name of a file of the host's, as an attacker with a link in the same file system has it.
    fs::hard_link(host.path("file"), bundle.rootfs("dev/swap")).unwrap();
    let mut host = host;
    host.before = host.state();
    let exchange = Exchange::new(&bundle.rootfs("dev/x"), &bundle.rootfs("dev/swap"));
    run_while_racing(&bundle, &exchange, |_| {});
    drop(exchange);
    assert_eq!(fs::metadata(host.path("file")).unwrap().uid(), 0);
    host.is_unharmed(&bundle);
}
