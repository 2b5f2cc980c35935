//! The root filesystem: where it may be, how it becomes the root, and what stays of the host's.

use crate::config::add_mount;
use crate::harness::*;
use crate::mounts::map_users;
use serde_json::json;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

#[test]
fn odd_bundle_paths() {
    let long = "x".repeat(200);
    let names = [
        "with space",
        "with\nnewline",
        "with\ttab",
        "a:b,c=d",
        r"back\slash\040",
        "quote\"'",
        "ünï",
        "-dash",
        "%s%n",
        &long,
    ];
    for name in names {
        let mut bundle = Bundle::sh(
            "cat /mnt/file; ls -d /bin; cat /proc/self/mountinfo | grep -c coracle-test",
        );
        let moved = bundle.dir.join(name);
        fs::create_dir_all(bundle.bundle().join("shared")).unwrap();
        fs::write(bundle.bundle().join("shared/file"), "shared\n").unwrap();
        add_mount(
            &mut bundle.config,
            json!({"destination": "/mnt", "type": "bind", "source": "shared", "options": ["bind"]}),
        );
        for no_pivot in [false, true] {
            bundle.write_config();
            fs::rename(bundle.bundle(), &moved).unwrap();
            let mut command = bundle.command(&["run", "--bundle"]);
            command.arg(&moved);
            if no_pivot {
                command.arg("--no-pivot");
            }
            command.arg(&bundle.id);
            let output = bundle.spawn(command).wait();
            fs::rename(&moved, bundle.bundle()).unwrap();
            assert_eq!(
                output.lines()[..2],
                ["shared", "/bin"],
                "{name:?}: {output:?}"
            );
            bundle.assert_nothing_left();
        }
    }
}

#[test]
fn a_bundle_that_is_the_current_directory() {
    let bundle = Bundle::sh("echo here");
    bundle.write_config();
    let mut command = bundle.command(&["run", &bundle.id]);
    command.current_dir(bundle.bundle());
    assert_eq!(bundle.spawn(command).wait().ok().lines(), ["here"]);
    bundle.assert_nothing_left();
}

/// The options of the container's root mount and of those below, and those of the host's mounts that are left.
fn root_fields(output: &Output) -> String {
    let mounts = parse_mountinfo(&output.stdout);
    mount_at(&mounts, "/").propagation.join(" ")
}

#[test]
fn propagation_of_the_root() {
    let cases: &[(&str, &[&str])] = &[
        ("private", &[""]),
        ("rprivate", &[""]),
        ("slave", &["master", ""]),
        ("rslave", &["master", ""]),
        ("shared", &["shared"]),
        ("rshared", &["shared"]),
        ("unbindable", &["unbindable"]),
        ("runbindable", &["unbindable"]),
    ];
    for (kind, wanted) in cases {
        let mut bundle = Bundle::sh("cat /proc/self/mountinfo");
        bundle.config["linux"]["rootfsPropagation"] = json!(kind);
        // On a host whose mounts are shared, as systemd makes them; and on one without.
        for shared in ["mount --make-rshared /", "mount --make-rprivate /"] {
            for old_kernel in [false, true] {
                let output = run_after(&bundle, shared, old_kernel).ok();
                let fields = root_fields(&output);
                let matches = wanted.iter().any(|one| match *one {
                    "" => fields.is_empty(),
                    one => fields.starts_with(one),
                });
                assert!(matches, "{kind} {shared} old={old_kernel}: {fields:?}");
                let host = |mount: &MountLine| mount.target.contains("coracle-test");
                let mounts = parse_mountinfo(&output.stdout);
                assert!(!mounts.iter().any(host), "{mounts:#?}");
                bundle.assert_nothing_left();
            }
        }
    }
}

#[test]
fn mounts_inside_never_reach_the_host() {
    for kind in ["shared", "rshared", "slave", "private"] {
        let mut bundle =
            Bundle::sh("mount -t tmpfs inner /mnt && grep -c ' /mnt ' /proc/self/mountinfo");
        bundle.config["linux"]["rootfsPropagation"] = json!(kind);
        bundle.config["process"]["capabilities"] = json!({
            "bounding": ["CAP_SYS_ADMIN"], "effective": ["CAP_SYS_ADMIN"], "permitted": ["CAP_SYS_ADMIN"]
        });
        let script = "mount --make-rshared / && (\"$@\"; grep -c inner /proc/self/mountinfo; exit 0); exit 0; :";
        let output = run_after(&bundle, script, false);
        assert_eq!(output.lines(), ["1", "0"], "{kind}: {output:?}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn slave_volumes_see_what_the_host_mounts_later() {
    let mut bundle = Bundle::sh(
        "until grep -q ' /slave/late ' /proc/self/mountinfo; do sleep 0.05; done; \
                                 grep -c ' /private/late ' /proc/self/mountinfo; echo seen",
    );
    let source = bundle.dir.join("source");
    fs::create_dir_all(source.join("late")).unwrap();
    for (target, option) in [("/slave", "rslave"), ("/private", "rprivate")] {
        add_mount(
            &mut bundle.config,
            json!({"destination": target, "type": "bind", "source": source, "options": ["rbind", option]}),
        );
    }
    bundle.config["root"]["readonly"] = json!(false);
    let source = source.display();
    let script = format!(
        "mount --bind {source} {source} && mount --make-shared {source} && \
         {{ (until [ -e {0}/started ]; do sleep 0.05; done; mount -t tmpfs late {source}/late) & }}",
        bundle.rootfs("").display()
    );
    bundle.config["process"]["args"][2] = json!(format!(
        "touch /started; {}",
        bundle.config["process"]["args"][2].as_str().unwrap()
    ));
    let output = run_after(&bundle, &script, false);
    assert_eq!(output.lines(), ["0", "seen"], "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn a_rootfs_that_is_the_hosts_root() {
    let mut bundle = Bundle::sh("ls -d /proc/self/root/usr; test -e \"$1\" && echo host");
    bundle.config["root"] = json!({"path": "/", "readonly": true});
    let marker = bundle.dir.join("marker");
    fs::write(&marker, "").unwrap();
    bundle.set_args(&[
        "/bin/sh",
        "-c",
        "test -e \"$1\" && echo host",
        "sh",
        marker.to_str().unwrap(),
    ]);
    assert_eq!(bundle.run().ok().lines(), ["host"]);
    bundle.assert_nothing_left();
}

#[test]
fn a_rootfs_that_is_a_mount_of_its_own_and_has_others_below() {
    let bundle = Bundle::sh("cat /proc/self/mountinfo; cat /mnt/file");
    let rootfs = bundle.rootfs("");
    let root = rootfs.display();
    let script = format!(
        "mount --bind {root} {root} && mount -t tmpfs tmpfs {root}/mnt && echo below > {root}/mnt/file"
    );
    for old_kernel in [false, true] {
        let output = run_after(&bundle, &script, old_kernel).ok();
        assert_eq!(output.lines().last(), Some(&"below"), "{output:?}");
        mount_at(&parse_mountinfo(&output.stdout), "/mnt");
        bundle.assert_nothing_left();
    }
}

#[test]
fn roots_that_cannot_be() {
    for (path, text) in [
        ("nowhere", "not a directory"),
        ("config.json", "not a directory"),
        ("", "root.path"),
    ] {
        let mut bundle = Bundle::sh("true");
        bundle.config["root"]["path"] = json!(path);
        let output = bundle.run().fails_with("root.path");
        assert!(output.stderr.contains(text), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_read_only_root_keeps_its_volumes_writable() {
    let mut bundle = Bundle::sh(
        "touch /x 2>/dev/null || echo refused; touch /mnt/x && echo written; grep ' / ' /proc/self/mountinfo",
    );
    fs::create_dir(bundle.dir.join("volume")).unwrap();
    add_mount(
        &mut bundle.config,
        json!({"destination": "/mnt", "type": "bind", "source": bundle.dir.join("volume"), "options": ["bind"]}),
    );
    for old_kernel in [false, true] {
        let output = run_after(&bundle, "true", old_kernel).ok();
        assert_eq!(output.lines()[..2], ["refused", "written"], "{output:?}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn without_pivot_the_old_root_is_out_of_reach() {
    // Whoever may make a user namespace could mount a proc or sysfs of their own if a whole one were still there.
    let script = "unshare -U -r -m sh -c 'mount -t proc proc /mnt 2>/dev/null && echo mounted proc; \
                  mount -t sysfs sysfs /mnt 2>/dev/null && echo mounted sysfs; ls -d /mnt/1 2>/dev/null'; \
                  cat /proc/self/mountinfo | wc -l; ls -d /../usr/lib/os-release /proc/1/root/usr 2>/dev/null; true";
    let mut bundle = Bundle::sh(script);
    bundle.config["process"]["capabilities"]["bounding"] =
        json!(["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"]);
    let output = bundle.run_with(&["--no-pivot"]).ok();
    assert!(!output.stdout.contains("mounted"), "{output:?}");
    assert!(!output.stdout.contains("/usr"), "{output:?}");
    bundle.assert_nothing_left();
}

/// chroot(2)'s old way out: a directory that is left open, and `..` from there.
#[test]
fn without_pivot_dotdot_leads_nowhere() {
    let Some(perl) = ["/usr/bin/perl", "/usr/bin/python3"]
        .iter()
        .find(|path| Path::new(path).exists())
    else {
        skip!("no interpreter that can call chroot(2)");
    };
    let mut bundle = Bundle::sh("true");
    bundle.config["root"]["readonly"] = json!(false);
    // The host's programs, as the escape needs one that calls chroot(2).
    for path in ["/usr", "/lib", "/lib64"] {
        if Path::new(path).exists() {
            add_mount(
                &mut bundle.config,
                json!({"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"]}),
            );
        }
    }
    let marker = bundle.dir.join("marker");
    fs::write(&marker, "").unwrap();
    let marker = marker.to_str().unwrap();
    let script = match perl.ends_with("perl") {
        true => {
            "mkdir '/tmp/hole'; chroot '/tmp/hole'; chdir '..' for 1..64; chroot '.'; print -e $ARGV[0] ? 'out' : 'in';"
        }
        false => {
            "import os,sys; os.mkdir('/tmp/hole'); os.chroot('/tmp/hole'); [os.chdir('..') for _ in range(64)]; \
             os.chroot('.'); print('out' if os.path.exists(sys.argv[1]) else 'in')"
        }
    };
    let flag = if perl.ends_with("perl") { "-e" } else { "-c" };
    bundle.set_args(&[perl, flag, script, marker]);
    for set in ["bounding", "effective", "permitted"] {
        bundle.config["process"]["capabilities"][set] = json!(["CAP_SYS_CHROOT"]);
    }
    for flags in [&["--no-pivot"][..], &[]] {
        let output = bundle.run_with(flags);
        assert_eq!(output.stdout.trim(), "in", "{flags:?}: {output:?}");
        let _ = fs::remove_dir(bundle.rootfs("tmp/hole"));
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_rootfs_in_a_user_namespace() {
    let mut bundle = Bundle::sh(
        "id -u; touch /made; stat -c %u:%g /made /proc/1/exe; cat /proc/self/mountinfo >&2",
    );
    bundle.config["root"]["readonly"] = json!(false);
    map_users(&mut bundle);
    for old_kernel in [false, true] {
        let output = run_after(&bundle, "true", old_kernel).ok();
        assert_eq!(output.lines()[..2], ["0", "0:0"], "{output:?}");
        fs::remove_file(bundle.rootfs("made")).unwrap();
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_mount_namespace_that_is_joined() {
    let mut bundle = Bundle::sh("ls -d /bin; cat /mnt/file");
    fs::create_dir(bundle.dir.join("volume")).unwrap();
    fs::write(bundle.dir.join("volume/file"), "volume\n").unwrap();
    let holder = Command::new("unshare")
        .args(["-m", "sleep", "1000"])
        .spawn();
    let mut holder = holder.unwrap();
    let path = format!("/proc/{}/ns/mnt", holder.id());
    let ours = fs::read_link("/proc/self/ns/mnt").unwrap();
    wait_until("the namespace is there", || {
        fs::read_link(&path)
            .is_ok_and(|link| link.as_os_str().as_bytes() != ours.as_os_str().as_bytes())
    });
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "mount");
    namespaces.push(json!({"type": "mount", "path": path}));
    add_mount(
        &mut bundle.config,
        json!({"destination": "/mnt", "type": "bind", "source": bundle.dir.join("volume"), "options": ["bind"]}),
    );
    let output = bundle.run();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(output.lines(), ["/bin", "volume"], "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn without_a_mount_namespace_the_mounts_are_the_hosts_and_go_with_the_container() {
    let script = "ls -d /bin; cat /mnt/file; test -c /dev/null && echo null; test -e /proc/self/status && echo proc; \
                  touch /x 2>/dev/null || echo ro; touch /mnt/ready; exec sleep 1000";
    let mut bundle = Bundle::sh(script);
    fs::create_dir(bundle.dir.join("volume")).unwrap();
    fs::write(bundle.dir.join("volume/file"), "volume\n").unwrap();
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "mount");
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["linux"]["readonlyPaths"] = json!([]);
    let source = bundle.dir.join("volume");
    add_mount(
        &mut bundle.config,
        json!({"destination": "/mnt", "type": "bind", "source": source, "options": ["rbind"]}),
    );
    // The "host" is a namespace of the test's own. runc leaves the mounts behind.
    let clean = if is_coracle() {
        "true"
    } else {
        "umount -R -l bundle/rootfs"
    };
    let id = &bundle.id;
    let script = format!(
        "mount --make-rshared / && (\"$@\" & run=$!; \
         until [ -e volume/ready ]; do sleep 0.05; done; rm volume/ready; \"$1\" \"$2\" \"$3\" exec {id} ls /mnt; \
         grep -c ' master:.*{id}' /proc/self/mountinfo; \
         \"$1\" \"$2\" \"$3\" kill {id} KILL; wait $run; {clean}; grep -c {id} /proc/self/mountinfo; \
         ls -d volume/file /proc/self /sys/fs >&2; exit 0); exit 0; :"
    );
    for old_kernel in [false, true] {
        let output = run_after(&bundle, &script, old_kernel);
        assert_eq!(
            output.lines(),
            ["/bin", "volume", "null", "proc", "ro", "file", "0", "0"],
            "{output:?}"
        );
        assert!(
            output
                .stderr
                .ends_with("/proc/self\n/sys/fs\nvolume/file\n"),
            "{output:?}"
        );
        bundle.assert_nothing_left();
    }
    // Nor does one that fails leave any.
    let script = format!(
        "mount --make-rshared / && (\"$@\"; echo $?; {clean}; grep -c {id} /proc/self/mountinfo; exit 0); exit 0; :"
    );
    for kind in ["createContainer", "startContainer", "bad"] {
        match kind {
            "bad" => bundle.config["mounts"].as_array_mut().unwrap().push(
                json!({"destination": "/bad", "type": "tmpfs", "source": "tmpfs", "options": ["nosuchoption"]}),
            ),
            hook => bundle.config["hooks"] = json!({hook: [{"path": "/bin/false"}]}),
        }
        for old_kernel in [false, true] {
            let output = run_after(&bundle, &script, old_kernel);
            assert_eq!(output.lines(), ["1", "0"], "{kind}: {output:?}");
            bundle.assert_nothing_left();
        }
    }
}
