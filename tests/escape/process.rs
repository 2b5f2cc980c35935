//! The way into a container, and what a process brings along: descriptors, executables, users, rights.

use crate::harness::*;
use crate::inside::attack_with;
use crate::{Host, add_capability, add_mount, race_end};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// A copy of the runtime, which the attacker may spoil, and its bytes.
fn spare_runtime(bundle: &Bundle) -> (PathBuf, Vec<u8>) {
    let spare = bundle.dir.join("coracle");
    fs::copy(binary(), &spare).unwrap();
    let bytes = fs::read(&spare).unwrap();
    (spare, bytes)
}

/// The same command line for the copy.
fn with(spare: &PathBuf, bundle: &Bundle, args: &[&str]) -> Command {
    let mut command = Command::new(spare);
    command.arg("--root").arg(bundle.root()).args(args);
    command.current_dir(&bundle.dir);
    command
}

/// CVE-2016-3697 (runc): the image's `/etc/passwd` names a user "1000" who is root.
/// Users are numbers: no name is ever looked up.
#[test]
fn cve_2016_3697_a_number_as_a_name() {
    let mut bundle = Bundle::sleeping();
    let host = Host::new(&bundle);
    fs::write(
        bundle.rootfs("etc/passwd"),
        "1000:x:0:0::/:/bin/sh\n1001:x:0:0::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n",
    )
    .unwrap();
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let container = bundle.start();
    let id = |args: &[&str]| {
        let mut line = vec!["exec"];
        line.extend(args);
        line.extend([
            bundle.id.as_str(),
            "sh",
            "-c",
            "grep -E '^[UG]id' /proc/self/status",
        ]);
        bundle.cli(&line).ok().stdout
    };
    assert_eq!(
        id(&[]),
        "Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n"
    );
    assert!(id(&["--user", "1001"]).starts_with("Uid:\t1001\t1001\t1001\t1001\n"));
    drop(container);
    host.is_unharmed(&bundle);
}

/// CVE-2026-30892 (crun): `exec --user 1` ran as user 0, for the number was parsed wrongly.
/// The whole text is a number or an error; nothing that is no number gives root.
#[test]
fn cve_2026_30892_the_user_of_exec() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let exec = |user: &str| {
        bundle.cli(&[
            "exec",
            "--user",
            user,
            &bundle.id,
            "sh",
            "-c",
            "echo $(id -u):$(id -g)",
        ])
    };
    for (user, ids) in [
        ("1", "1:0"),
        ("0", "0:0"),
        ("1:2", "1:2"),
        ("10:0", "10:0"),
        ("2147483647", "2147483647:0"),
    ] {
        assert_eq!(exec(user).ok().stdout.trim(), ids, "{user}");
    }
    for user in [
        "",
        ":",
        "1:",
        ":1",
        "-1",
        "1:-1",
        "+1",
        " 1",
        "0x1",
        "1x",
        "4294967296",
        "4294967295",
        "18446744073709551617",
        "root",
        "1,2",
    ] {
        let output = exec(user);
        assert!(
            output.code() != 0
                || !output.stdout.starts_with("0:")
                || user == "root"
                || user.is_empty(),
            "{user:?}: {output:?}"
        );
    }
    drop(container);
    bundle.assert_nothing_left();
}

/// CVE-2016-9962 (runc) and CVE-2019-5736 (runc, crun, LXC) at exec: somebody inside waits for the process that joins,
/// and reaches through it for descriptors, the root and the executable; with and without CAP_SYS_PTRACE. What joins is
/// the stub in a sealed memfd, not dumpable, and for those who may trace it is born inside, with nothing of the host's.
#[test]
fn cve_2016_9962_and_2019_5736_a_process_that_joins_is_watched() {
    for traces in [false, true] {
        let mut bundle = Bundle::new();
        let host = Host::new(&bundle);
        attack_with(&mut bundle, "join");
        if traces {
            add_capability(&mut bundle, "CAP_SYS_PTRACE");
        }
        let (spare, bytes) = spare_runtime(&bundle);
        let container = bundle.start();
        container.wait_for_output("watching");
        let end = race_end();
        let mut tries = 0;
        while Instant::now() < end {
            let output = bundle
                .spawn(with(&spare, &bundle, &["exec", &bundle.id, "/bin/true"]))
                .wait();
            assert_eq!(output.code(), 0, "{output:?}; {}", container.output());
            tries += 1;
        }
        assert!(tries > 3, "{tries}");
        let said = container.output();
        assert!(!said.contains("ESCAPED"), "{said}");
        assert_eq!(fs::read(&spare).unwrap(), bytes);
        drop(container);
        host.is_unharmed(&bundle);
    }
}

/// The same at create: a container joins the PID namespace of another, as those of a pod do.
/// The stub goes on as a child in that namespace: nobody in there ever meets the runtime's image.
#[test]
fn a_container_that_joins_a_pid_namespace_is_watched() {
    let mut first = Bundle::new();
    let host = Host::new(&first);
    attack_with(&mut first, "join");
    add_capability(&mut first, "CAP_SYS_PTRACE");
    let (spare, bytes) = spare_runtime(&first);
    let container = first.start();
    container.wait_for_output("watching");
    let mut second = Bundle::sh("true");
    // Has what the watcher takes for its own root.
    fs::write(second.rootfs("attacker"), "").unwrap();
    for namespace in second.config["linux"]["namespaces"].as_array_mut().unwrap() {
        if namespace["type"] == json!("pid") {
            namespace["path"] = json!(format!("/proc/{}/ns/pid", container.pid()));
        }
    }
    second.write_config();
    let dir = second.bundle();
    let end = race_end();
    while Instant::now() < end {
        let args = ["run", "--bundle", dir.to_str().unwrap(), second.id.as_str()];
        second.spawn(with(&spare, &second, &args)).wait().ok();
    }
    let said = container.output();
    assert!(
        !said.contains("ESCAPED: holds") && !said.contains("ESCAPED: wrote"),
        "{said}"
    );
    assert_eq!(fs::read(&spare).unwrap(), bytes);
    drop(container);
    second.assert_nothing_left();
    host.is_unharmed(&first);
}

/// A process in a PID namespace that its container has joined has the pid that `state` tells.
#[test]
fn the_pid_of_a_container_that_joins_a_pid_namespace() {
    let first = Bundle::sleeping();
    let container = first.start();
    let mut second = Bundle::sleeping();
    for namespace in second.config["linux"]["namespaces"].as_array_mut().unwrap() {
        if namespace["type"] == json!("pid") {
            namespace["path"] = json!(format!("/proc/{}/ns/pid", container.pid()));
        }
    }
    let joined = second.start();
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap();
    assert_eq!(namespace(joined.pid()), namespace(container.pid()));
    assert_eq!(joined.status(), "running");
    joined.kill("KILL").ok();
    joined.wait_for_status("stopped");
    drop(joined);
    drop(container);
    second.assert_nothing_left();
    first.assert_nothing_left();
}

/// CVE-2019-5736 (runc, crun, LXC) at create and at exec: the program, or its interpreter, is `/proc/self/exe`, to have
/// the runtime executed and overwritten. That file is the stub's memfd, sealed against every write.
#[test]
fn cve_2019_5736_the_program_is_proc_self_exe() {
    let mut bundle = Bundle::new();
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    let (spare, bytes) = spare_runtime(&bundle);
    let script = bundle.rootfs("bin/evil");
    fs::write(&script, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/proc/self/exe", bundle.rootfs("bin/itself")).unwrap();
    let dir = bundle.bundle();
    for program in ["/proc/self/exe", "/bin/evil", "/bin/itself"] {
        bundle.set_args(&[program, "init"]);
        bundle.write_config();
        let args = ["run", "--bundle", dir.to_str().unwrap(), bundle.id.as_str()];
        bundle.spawn(with(&spare, &bundle, &args)).wait();
        assert_eq!(fs::read(&spare).unwrap(), bytes);
        bundle.cli(&["delete", "--force", &bundle.id]);
    }
    // By exec: whoever runs in the container looks for what it can write to.
    bundle.set_args(&[
        "sh",
        "-c",
        "while :; do for p in /proc/[0-9]*; do echo pwned > $p/exe; done; done 2>/dev/null",
    ]);
    add_capability(&mut bundle, "CAP_SYS_PTRACE");
    let container = bundle.start();
    let end = race_end();
    while Instant::now() < end {
        for program in ["/proc/self/exe", "/bin/evil", "/bin/itself"] {
            bundle
                .spawn(with(&spare, &bundle, &["exec", &bundle.id, program]))
                .wait();
        }
    }
    assert_eq!(fs::read(&spare).unwrap(), bytes);
    drop(container);
    host.is_unharmed(&bundle);
}

/// CVE-2021-43784 (runc): a length overflowed its 16 bits, and the attacker's bytes followed as messages to the init
/// process. Lengths have 32 bits here, and config.json as a whole is far shorter than they can count.
#[test]
fn cve_2021_43784_long_values_stay_values() {
    let mut bundle = Bundle::sh("echo ${#LONG}; id -u; grep CapEff /proc/self/status");
    let host = Host::new(&bundle);
    // Identity (70) of user 0 and all capabilities (71), as they would stand in a program.
    let forged = "\u{1}\u{46}\u{1}\u{1}\u{1}\u{47}\u{7f}\u{7f}".repeat(16_400);
    let forged = &forged[..131_000];
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let env = bundle.config["process"]["env"].as_array_mut().unwrap();
    env.push(json!(format!("LONG={}", &forged[..65_536 + 8])));
    for number in 0..20 {
        env.push(json!(format!(
            "MORE{number}={}",
            &forged[..65_535 - number]
        )));
    }
    bundle.config["annotations"] = json!({"a": forged});
    bundle.config["hooks"] = json!({"createContainer": [{"path": "/bin/true"}]});
    let output = bundle.run().ok();
    assert_eq!(
        output.lines(),
        ["65544", "1000", "CapEff:\t0000000000000000"]
    );
    host.is_unharmed(&bundle);
}

/// CVE-2022-24769 (Moby), CVE-2022-27650 (crun), CVE-2022-29162 (runc), CVE-2025-27612 (youki): inheritable capabilities
/// that nobody had asked for. Each of the five sets is what is written for it; those of `exec --cap` stay out of this one.
#[test]
fn cve_2022_29162_and_others_inheritable_capabilities() {
    let mut bundle = Bundle::sleeping();
    assert!(
        bundle.config["process"]["capabilities"]["inheritable"]
            .as_array()
            .is_none_or(Vec::is_empty),
        "spec writes them"
    );
    bundle.config["process"]["capabilities"]["inheritable"] = json!([]);
    bundle.config["process"]["capabilities"]["ambient"] = json!([]);
    let container = bundle.start();
    let sets = "grep -E 'CapInh|CapAmb' /proc/self/status";
    let none = "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n";
    for flags in [
        &[][..],
        &["--cap", "CAP_NET_ADMIN"],
        &["--user", "1000:1000", "--cap", "CAP_NET_ADMIN"],
    ] {
        let mut args = vec!["exec"];
        args.extend(flags);
        args.extend([bundle.id.as_str(), "sh", "-c", sets]);
        let said = bundle.cli(&args).ok().stdout;
        let inheritable = said.lines().next().unwrap();
        assert_eq!(inheritable, none.lines().next().unwrap(), "{flags:?}");
    }
    let init = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    assert!(init.contains(none.lines().next().unwrap()), "{init}");
    drop(container);
    bundle.assert_nothing_left();
}

/// CVE-2024-21626 (runc): the working directory is a leaked descriptor of the host's, by the configuration, by a link,
/// and by exec. None is left open, and what getcwd(2) says after chdir(2) must lie below the root.
#[test]
fn cve_2024_21626_the_working_directory_is_a_descriptor_of_the_hosts() {
    let mut bundle = Bundle::sh("pwd; cat ../../../../../../../../etc/hostname; ls -ld .");
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    fs::write(bundle.rootfs("etc/hostname"), "inside").unwrap();
    for fd in 3..24 {
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{fd}"));
        let output = bundle.run();
        assert_eq!(output.code(), 1, "{fd}: {output:?}");
    }
    for fd in [3, 6, 8] {
        let link = bundle.rootfs("cwd");
        let _ = fs::remove_file(&link);
        symlink(format!("/proc/self/fd/{fd}"), &link).unwrap();
        bundle.config["process"]["cwd"] = json!("/cwd");
        assert_eq!(bundle.run().code(), 1);
        bundle.config["process"]["cwd"] = json!("/cwd/../../..");
        assert_eq!(bundle.run().code(), 1);
    }
    host.is_unharmed(&bundle);

    let mut bundle = Bundle::sleeping();
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    let container = bundle.start();
    for fd in 3..24 {
        let link = bundle.rootfs("cwd");
        let _ = fs::remove_file(&link);
        symlink(format!("/proc/self/fd/{fd}"), &link).unwrap();
        for cwd in [
            format!("/proc/self/fd/{fd}"),
            "/cwd".into(),
            format!("/proc/1/fd/{fd}"),
        ] {
            let output = bundle.cli(&["exec", "--cwd", &cwd, &bundle.id, "pwd"]);
            assert_ne!(output.code(), 0, "{cwd}: {output:?}");
        }
    }
    drop(container);
    host.is_unharmed(&bundle);
}

/// `--preserve-fds` hands on what was handed over, and never a descriptor of the runtime's own.
#[test]
fn preserved_descriptors_are_never_the_runtimes_own() {
    coracle_only!();
    let mut bundle = Bundle::sh("ls -l /proc/$$/fd");
    let host = Host::new(&bundle);
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    for count in ["1", "6", "40", "4294967295"] {
        let output = bundle.run_with(&["--preserve-fds", count]);
        assert_eq!(output.code(), 1, "{output:?}");
        assert!(
            output.complaint().contains("descriptor 3 is not open"),
            "{output:?}"
        );
    }
    let log = bundle.dir.join("log");
    bundle.write_config();
    let dir = bundle.bundle();
    let command = bundle.command(&[
        "--log",
        log.to_str().unwrap(),
        "run",
        "--preserve-fds",
        "1",
        "--bundle",
        dir.to_str().unwrap(),
        &bundle.id,
    ]);
    assert_eq!(bundle.spawn(command).wait().code(), 1);
    fs::remove_file(log).unwrap();
    bundle.set_args(&["sleep", "1000"]);
    bundle.config["linux"]["sysctl"] = json!({});
    let container = bundle.start();
    let output = bundle.cli(&["exec", "--preserve-fds", "9", &bundle.id, "/bin/true"]);
    assert_eq!(output.code(), 1, "{output:?}");
    drop(container);
    host.is_unharmed(&bundle);
}

/// A container without mounts of its own: its processes, and those that come to it, have its root.
#[test]
fn exec_has_the_containers_root_without_a_mount_namespace() {
    let mut bundle = Bundle::sleeping();
    let host = Host::new(&bundle);
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != json!("mount"));
    bundle.config["mounts"] = json!([]);
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["linux"]["readonlyPaths"] = json!([]);
    bundle.config["root"]["readonly"] = json!(false);
    fs::write(bundle.rootfs("marker"), "").unwrap();
    let container = bundle.start();
    let output = bundle
        .cli(&["exec", &bundle.id, "/bin/busybox", "ls", "/"])
        .ok();
    assert!(output.lines().contains(&"marker"), "{output:?}");
    let output = bundle
        .cli(&[
            "exec",
            "--cwd",
            "/etc",
            &bundle.id,
            "/bin/busybox",
            "ls",
            "../..",
        ])
        .ok();
    assert!(output.lines().contains(&"marker"), "{output:?}");
    drop(container);
    host.is_unharmed(&bundle);
}

/// CVE-2023-25809 (runc): without a cgroup namespace, a container without root's rights changed the cgroups of its user.
/// Only the container's own are shown; and `/sys` that is bound read-only is so to its last mount.
#[test]
fn cve_2023_25809_cgroups_of_others_cannot_be_written() {
    let mut bundle = Bundle::sh(
        "find /sys/fs/cgroup -name coracle-probe | grep . && echo SEEN; \
         find /sys/fs/cgroup -type d -exec mkdir '{}/escaped' ';' 2>/dev/null; \
         find /sys/fs/cgroup -name escaped | grep . && echo WROTE; true",
    );
    let host = Host::new(&bundle);
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != json!("cgroup"));
    namespaces.push(json!({"type": "user"}));
    for kind in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][kind] = json!([{"containerID": 0, "hostID": 100_000, "size": 1000}]);
    }
    // What a user has been given of the host's cgroups, as systemd does it.
    let Some(own) = cgroup_dir(std::process::id() as i32, "pids") else {
        skip!("there is no pids cgroup");
    };
    let given = own.join(format!("given-{}", std::process::id()));
    fs::create_dir_all(given.join("coracle-probe")).unwrap();
    std::os::unix::fs::chown(&given, Some(100_000), Some(100_000)).unwrap();
    for bound in [false, true] {
        if bound {
            add_mount(
                &mut bundle,
                json!({"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]}),
            );
        }
        let output = bundle.run();
        if !bound {
            assert!(!output.stdout.contains("SEEN"), "{output:?}");
        }
        assert!(!output.stdout.contains("WROTE"), "{output:?}");
        assert!(!given.join("escaped").exists());
    }
    fs::remove_dir(given.join("coracle-probe")).unwrap();
    fs::remove_dir(&given).unwrap();
    host.is_unharmed(&bundle);
}

/// GHSA-g54h-m393-cpwq (runc): device rules that allow something, without one that denies all first, allowed everything.
/// Everything is denied before the first rule.
#[test]
fn ghsa_g54h_m393_cpwq_devices_are_denied_unless_they_are_allowed() {
    let mut bundle = Bundle::sh(
        "mknod /tmp/kmsg c 1 11; mknod /tmp/mem c 1 1; head -c 1 /tmp/kmsg && echo READ; head -c 1 /tmp/mem && echo READ; \
         echo ok > /dev/null && echo fine",
    );
    let host = Host::new(&bundle);
    bundle.config["root"]["readonly"] = json!(false);
    add_capability(&mut bundle, "CAP_MKNOD");
    for rules in [
        json!([{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]),
        json!([]),
        json!([{"allow": true, "type": "b", "access": "m"}]),
    ] {
        bundle.config["linux"]["resources"]["devices"] = rules;
        let output = bundle.run();
        assert!(!output.stdout.contains("READ"), "{output:?}");
        assert!(output.stdout.contains("fine"), "{output:?}");
    }
    host.is_unharmed(&bundle);
}
