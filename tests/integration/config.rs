//! What the configuration says is what the container finds: mounts, devices, limits, identity, environment.

use crate::harness::*;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Runs a script in a bundle after an edit of its configuration, and gives what it printed.
#[track_caller]
fn run_edited(script: &str, edit: impl FnOnce(&mut Value)) -> Output {
    let mut bundle = Bundle::sh(script);
    edit(&mut bundle.config);
    let output = bundle.run().ok();
    bundle.assert_nothing_left();
    output
}

#[test]
fn hostname_and_domainname() {
    let output = run_edited("hostname; cat /proc/sys/kernel/hostname", |config| {
        config["hostname"] = json!("boat");
    });
    assert_eq!(output.lines(), ["boat", "boat"]);
    if is_coracle() {
        let output = run_edited("cat /proc/sys/kernel/domainname", |config| {
            config["domainname"] = json!("lake")
        });
        assert_eq!(output.lines(), ["lake"]);
    }
}

#[test]
fn default_mounts_and_their_options() {
    let output = run_edited("cat /proc/self/mountinfo", |_| {});
    let mounts = parse_mountinfo(&output.stdout);
    let expected: &[(&str, &str, &[&str])] = &[
        ("/proc", "proc", &[]),
        ("/dev", "tmpfs", &["nosuid", "mode=755", "size=65536k"]),
        (
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"],
        ),
        (
            "/dev/shm",
            "tmpfs",
            &["nosuid", "nodev", "noexec", "size=65536k"],
        ),
        ("/dev/mqueue", "mqueue", &["nosuid", "nodev", "noexec"]),
        ("/sys", "sysfs", &["nosuid", "nodev", "noexec", "ro"]),
    ];
    for (target, kind, options) in expected {
        let mount = mount_at(&mounts, target);
        assert_eq!(mount.kind, *kind, "{target}");
        for option in *options {
            assert!(mount.has(option), "{target} lacks {option}: {mount:?}");
        }
    }
    assert!(
        mount_at(&mounts, "/").options.iter().any(|o| o == "ro"),
        "the default root is read-only"
    );
    assert!(
        mounts
            .iter()
            .any(|mount| mount.target.starts_with("/sys/fs/cgroup")),
        "{mounts:#?}"
    );
    assert!(
        mounts
            .iter()
            .all(|mount| !mount.target.contains("coracle-test")),
        "host paths show: {mounts:#?}"
    );
}

#[test]
fn the_root_is_writable_when_not_read_only() {
    let mut bundle = Bundle::sh("echo data > /file && cat /file");
    bundle.config["root"]["readonly"] = json!(false);
    assert_eq!(bundle.run().ok().lines(), ["data"]);
    assert_eq!(fs::read_to_string(bundle.rootfs("file")).unwrap(), "data\n");

    let bundle = Bundle::sh("echo data > /file");
    assert_ne!(bundle.run().code(), 0);
    assert!(!bundle.rootfs("file").exists());
}

#[test]
fn an_absolute_rootfs_path() {
    let mut bundle = Bundle::sh("echo here");
    bundle.config["root"]["path"] = json!(bundle.dir.join("bundle/rootfs"));
    assert_eq!(bundle.run().ok().lines(), ["here"]);
}

#[test]
fn bind_mounts() {
    let mut bundle = Bundle::sh(
        "cat /mnt/data/file /one; echo x > /mnt/data/file; cat /proc/self/mountinfo >&2",
    );
    fs::create_dir(bundle.dir.join("source")).unwrap();
    fs::write(bundle.dir.join("source/file"), "content\n").unwrap();
    let source = bundle.dir.join("source");
    add_mount(
        &mut bundle.config,
        json!({
            "destination": "/mnt/data", "type": "bind", "source": source, "options": ["rbind", "ro", "nosuid", "nodev"]
        }),
    );
    add_mount(
        &mut bundle.config,
        json!({
            "destination": "/one", "source": source.join("file"), "options": ["bind"]
        }),
    );
    let output = bundle.run().ok();
    assert_eq!(output.lines(), ["content", "content"], "{output:?}");
    assert_eq!(
        fs::read_to_string(source.join("file")).unwrap(),
        "content\n"
    );
    let mounts = parse_mountinfo(&output.stderr);
    for option in ["ro", "nosuid", "nodev"] {
        assert!(
            mount_at(&mounts, "/mnt/data")
                .options
                .iter()
                .any(|o| o == option),
            "{option}: {mounts:#?}"
        );
    }
    assert!(
        mount_at(&mounts, "/one").options.iter().any(|o| o == "rw"),
        "{mounts:#?}"
    );
    bundle.assert_nothing_left();
}

#[test]
fn tmpfs_mounts_with_data() {
    let output = run_edited("cat /proc/self/mountinfo; stat -c %a /tmp", |config| {
        add_mount(
            config,
            json!({
                "destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                "options": ["noexec", "nosuid", "size=1m", "mode=1770", "noatime"]
            }),
        );
    });
    let mounts = parse_mountinfo(&output.stdout);
    let mount = mount_at(&mounts, "/tmp");
    for option in ["noexec", "nosuid", "noatime", "size=1024k"] {
        assert!(mount.has(option), "{option}: {mount:?}");
    }
    if is_coracle() {
        assert_eq!(output.lines().last(), Some(&"1770"));
    }
}

#[test]
fn mount_propagation_is_private_by_default() {
    let output = run_edited("cat /proc/self/mountinfo", |_| {});
    let mounts = parse_mountinfo(&output.stdout);
    let shared = |mount: &&MountLine| {
        mount
            .propagation
            .iter()
            .any(|field| field.starts_with("shared"))
    };
    assert!(!mounts.iter().any(|mount| shared(&mount)), "{mounts:#?}");
}

#[test]
fn default_devices_and_symlinks() {
    let script = "for d in null zero full random urandom tty; do \
                  stat -c '%n %F %t:%T %a' /dev/$d; done; \
                  for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; \
                  echo gone > /dev/null; head -c 2 /dev/zero | wc -c";
    let output = run_edited(script, |_| {});
    let lines = output.lines();
    let numbers = ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0"];
    for (line, numbers) in lines.iter().zip(numbers) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert!(line.contains("character special file"), "{line}");
        assert_eq!(fields[fields.len() - 2..], [numbers, "666"], "{line}");
    }
    assert_eq!(
        lines[6..10],
        [
            "/proc/self/fd",
            "/proc/self/fd/0",
            "/proc/self/fd/1",
            "/proc/self/fd/2"
        ]
    );
    assert!(lines[10].ends_with("pts/ptmx"), "{}", lines[10]);
    assert_eq!(lines[11].trim(), "2");
}

#[test]
fn devices_of_the_configuration() {
    let output = run_edited(
        "stat -c '%t:%T %a %u %g' /dev/mynull /dev/sub/myzero; echo x > /dev/mynull",
        |config| {
            config["linux"]["devices"] = json!([
                {"path": "/dev/mynull", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 0, "gid": 5},
                {"path": "/dev/sub/myzero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o644, "uid": 7, "gid": 8},
            ]);
            config["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}]);
        },
    );
    assert_eq!(output.lines(), ["1:3 600 0 5", "1:5 644 7 8"]);
}

#[test]
fn masked_paths_read_as_empty() {
    let script = "cat /proc/keys /etc/secret | wc -c; ls -A /hidden /sys/firmware | grep -c '^[^/]'; \
                  touch /hidden/x 2>/dev/null || echo refused";
    let mut bundle = Bundle::sh(script);
    fs::write(bundle.rootfs("etc/secret"), "secret").unwrap();
    fs::create_dir(bundle.rootfs("hidden")).unwrap();
    fs::write(bundle.rootfs("hidden/file"), "secret").unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    let masked = bundle.config["linux"]["maskedPaths"]
        .as_array_mut()
        .unwrap();
    masked.extend([
        json!("/etc/secret"),
        json!("/hidden"),
        json!("/does/not/exist"),
    ]);
    let output = bundle.run();
    assert_eq!(
        output
            .lines()
            .iter()
            .map(|line| line.trim())
            .collect::<Vec<_>>(),
        ["0", "0", "refused"],
        "{output:?}"
    );
    assert_eq!(
        fs::read_to_string(bundle.rootfs("etc/secret")).unwrap(),
        "secret"
    );
    bundle.assert_nothing_left();
}

#[test]
fn read_only_paths_refuse_writes() {
    let script = "for f in /proc/sys/kernel/hostname /data/file; do \
                  (echo x > $f) 2>/dev/null && echo written $f; done; cat /data/file; echo end";
    let mut bundle = Bundle::sh(script);
    bundle.config["root"]["readonly"] = json!(false);
    fs::create_dir(bundle.rootfs("data")).unwrap();
    fs::write(bundle.rootfs("data/file"), "kept\n").unwrap();
    let read_only = bundle.config["linux"]["readonlyPaths"]
        .as_array_mut()
        .unwrap();
    read_only.extend([json!("/data"), json!("/does/not/exist")]);
    assert_eq!(bundle.run().ok().lines(), ["kept", "end"]);
}

#[test]
fn rlimits() {
    let output = run_edited("ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -Hc", |config| {
        config["process"]["rlimits"] = json!([
            {"type": "RLIMIT_NOFILE", "soft": 123, "hard": 456},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        ]);
    });
    assert_eq!(output.lines(), ["123", "456", "0", "0"]);
}

#[test]
fn five_capability_sets() {
    let output = run_edited("grep ^Cap /proc/self/status", |config| {
        config["process"]["capabilities"] = json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "permitted": ["CAP_CHOWN", "CAP_KILL"],
            "effective": ["CAP_KILL"],
            "inheritable": ["CAP_KILL"],
            "ambient": ["CAP_KILL"],
        });
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    let sets: Vec<u64> = output
        .lines()
        .iter()
        .map(|line| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap())
        .collect();
    let (chown, kill, bind) = (1 << 0, 1 << 5, 1 << 10);
    // The exec of a process that is not root keeps what is ambient.
    assert_eq!(
        sets,
        [kill, kill, kill, chown | kill | bind, kill],
        "{output:?}"
    );
}

#[test]
fn root_without_capabilities() {
    let output = run_edited(
        "grep ^Cap /proc/self/status | sort -u -k2 | wc -l; chown 1 /tmp 2>/dev/null || echo no",
        |config| {
            config["process"]["capabilities"] = json!({});
            config["root"]["readonly"] = json!(false);
        },
    );
    assert_eq!(
        output
            .lines()
            .iter()
            .map(|line| line.trim())
            .collect::<Vec<_>>(),
        ["1", "no"]
    );
}

#[test]
fn no_new_privileges() {
    for (wanted, line) in [(true, "NoNewPrivs:\t1"), (false, "NoNewPrivs:\t0")] {
        let output = run_edited("grep NoNewPrivs /proc/self/status", |config| {
            config["process"]["noNewPrivileges"] = json!(wanted);
        });
        assert_eq!(output.lines(), [line]);
    }
}

#[test]
fn user_groups_and_umask() {
    let output = run_edited("id -u; id -g; id -G; umask", |config| {
        config["process"]["user"] =
            json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 7], "umask": 0o027});
    });
    assert_eq!(output.lines(), ["1000", "1001", "1001 5 7", "0027"]);
    let output = run_edited("umask", |_| {});
    assert_eq!(output.lines(), ["0022"]);
}

#[test]
fn working_directory() {
    let output = run_edited("pwd", |config| {
        config["process"]["cwd"] = json!("/home/user")
    });
    assert_eq!(output.lines(), ["/home/user"]);
    // Whatever was mounted and made read-only on the way there.
    assert_eq!(run_edited("pwd", |_| {}).lines(), ["/"]);
    // One that is missing is made.
    let mut bundle = Bundle::sh("pwd");
    bundle.config["process"]["cwd"] = json!("/made/for/it");
    bundle.config["root"]["readonly"] = json!(false);
    assert_eq!(bundle.run().ok().lines(), ["/made/for/it"]);
    assert!(bundle.rootfs("made/for/it").is_dir());
}

#[test]
fn environment() {
    let output = run_edited("env", |config| {
        config["process"]["env"] = json!(["PATH=/bin", "A=1", "B=two words", "A=2", "EMPTY="]);
    });
    let lines = output.lines();
    for line in ["A=2", "B=two words", "EMPTY=", "HOME=/root", "PATH=/bin"] {
        assert!(lines.contains(&line), "no {line} in {lines:?}");
    }
    assert!(!lines.contains(&"A=1"), "{lines:?}");
    let known = [
        "PATH", "A", "B", "EMPTY", "HOME", "PWD", "SHLVL", "OLDPWD", "_",
    ];
    for line in &lines {
        assert!(
            known.contains(&line.split('=').next().unwrap()),
            "{line} came from outside"
        );
    }
}

#[test]
fn home_comes_from_the_containers_passwd() {
    for (uid, env, home) in [
        (0, vec!["PATH=/bin"], "/root"),
        (1000, vec!["PATH=/bin"], "/home/user"),
        (4321, vec!["PATH=/bin"], "/"),
        (1000, vec!["PATH=/bin", "HOME=/set"], "/set"),
    ] {
        let output = run_edited("echo $HOME", |config| {
            config["process"]["user"] = json!({"uid": uid, "gid": uid});
            config["process"]["env"] = json!(env);
        });
        assert_eq!(output.lines(), [home], "uid {uid}");
    }
}

#[test]
fn the_command_is_looked_up_in_path() {
    let mut bundle = Bundle::new();
    fs::create_dir_all(bundle.rootfs("opt/tools")).unwrap();
    let tool = bundle.rootfs("opt/tools/tool");
    fs::write(&tool, "#!/bin/sh\necho tool $0 $1\n").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    bundle.set_args(&["tool", "arg"]);
    bundle.config["process"]["env"] = json!(["PATH=/nowhere:/opt/tools:/bin"]);
    assert_eq!(bundle.run().ok().lines(), ["tool /opt/tools/tool arg"]);
    bundle.config["process"]["cwd"] = json!("/opt");
    bundle.set_args(&["tools/tool", "relative"]);
    assert_eq!(
        bundle
            .run()
            .ok()
            .lines()
            .last()
            .map(|line| line.ends_with("relative")),
        Some(true)
    );
}

#[test]
fn a_command_that_cannot_be_executed() {
    for (command, text) in [
        (
            "nonesuch",
            "exec: \"nonesuch\": executable file not found in $PATH",
        ),
        ("/nonesuch", "no such file or directory"),
        ("/etc/passwd", "permission denied"),
    ] {
        let mut bundle = Bundle::new();
        bundle.set_args(&[command]);
        let output = bundle.run();
        assert_ne!(output.code(), 0, "{command}");
        assert!(output.complaint().contains(text), "{command}: {output:?}");
        bundle.assert_nothing_left();
        let output = bundle.try_create();
        assert_ne!(output.code(), 0, "{command}");
        assert!(output.complaint().contains(text), "{command}: {output:?}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_script_without_interpreter_is_named() {
    let mut bundle = Bundle::new();
    let script = bundle.rootfs("bin/script");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    bundle.set_args(&["/bin/script"]);
    let output = bundle.run();
    assert_ne!(output.code(), 0);
    assert!(
        output.stderr.contains("no such file or directory"),
        "{output:?}"
    );
    bundle.assert_nothing_left();
}

#[test]
fn sysctls() {
    let output = run_edited(
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni",
        |config| {
            config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1", "kernel.shmmni": "321"});
        },
    );
    assert_eq!(output.lines(), ["1", "321"]);
}

#[test]
fn no_pivot_gives_the_same_root() {
    let bundle =
        Bundle::sh("ls -d /bin /etc/passwd; cat /proc/self/mountinfo | grep -c coracle-test");
    let output = bundle.run_with(&["--no-pivot"]);
    assert_eq!(output.lines()[..2], ["/bin", "/etc/passwd"], "{output:?}");
    bundle.assert_nothing_left();
}

/// Adds a mount to a configuration.
pub fn add_mount(config: &mut Value, mount: Value) {
    config["mounts"].as_array_mut().unwrap().push(mount);
}
