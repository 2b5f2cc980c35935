//! checkpoint and restore.

use crate::harness::*;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

/// Skips the test where criu does not work.
macro_rules! needs_criu {
    () => {
        match Command::new("criu").arg("check").output() {
            Err(_) => skip!("criu is not installed"),
            Ok(output) if !output.status.success() => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                let last = text.lines().last().unwrap_or_default();
                skip!("criu check fails: {last}")
            }
            Ok(_) => {}
        }
    };
}

/// `checkpoint` or `restore`, with criu's images and logs in the test's directory.
fn command(bundle: &Bundle, name: &str, flags: &[&str]) -> Command {
    let dir = |name: &str| bundle.dir.join(name).to_str().unwrap().to_owned();
    let (images, work) = (dir("images"), dir("work"));
    let mut args = vec![name, "--image-path", &images, "--work-path", &work];
    args.extend(flags);
    args.push(&bundle.id);
    let mut command = bundle.command(&args);
    command.env("PATH", search_path(bundle));
    command
}

#[track_caller]
fn criu(bundle: &Bundle, name: &str, flags: &[&str]) -> Output {
    bundle.spawn(command(bundle, name, flags)).wait()
}

#[track_caller]
fn restore(bundle: &Bundle, flags: &[&str]) -> Output {
    let dir = bundle.bundle();
    let flags = [&["--bundle", dir.to_str().unwrap()], flags].concat();
    criu(bundle, "restore", &flags)
}

/// criu has iptables lock the network; where that is missing, something that does nothing is enough, as there are no
/// connections.
fn search_path(bundle: &Bundle) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let dir = bundle.dir.join("bin");
    fs::create_dir_all(&dir).unwrap();
    for name in ["iptables-restore", "ip6tables-restore"] {
        let file = dir.join(name);
        fs::write(&file, "#!/bin/sh\ncat >/dev/null\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{path}:{}", dir.display())
}

/// A bundle whose process counts in /tmp/count, and has nothing open outside.
fn counting() -> Bundle {
    let mut bundle = Bundle::sh(
        "exec 0</dev/null 1>/dev/null 2>&1; i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.1; done",
    );
    let tmp = json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"});
    bundle.config["mounts"].as_array_mut().unwrap().push(tmp);
    bundle
}

fn count(bundle: &Bundle) -> u32 {
    let output = bundle.cli(&["exec", &bundle.id, "cat", "/tmp/count"]);
    output.stdout.trim().parse().unwrap_or(0)
}

#[track_caller]
fn wait_for_count(bundle: &Bundle, least: u32) {
    wait_until("the container has counted", || count(bundle) >= least);
}

#[track_caller]
fn mounts(bundle: &Bundle) -> Vec<(String, String, bool)> {
    let args = ["exec", &bundle.id, "cat", "/proc/self/mountinfo"];
    let text = bundle.cli(&args).ok().stdout;
    let mounts = parse_mountinfo(&text);
    let mut mounts: Vec<_> = mounts
        .into_iter()
        .map(|mount| {
            let read_only = mount.options.iter().any(|option| option == "ro");
            (mount.target, mount.kind, read_only)
        })
        .collect();
    mounts.sort();
    mounts
}

#[test]
fn a_container_goes_on_where_it_was() {
    needs_criu!();
    let mut bundle = counting();
    let source = bundle.dir.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "of the host").unwrap();
    let list = bundle.config["mounts"].as_array_mut().unwrap();
    list.push(json!({"destination": "/data", "source": source, "options": ["rbind", "ro"]}));
    let other = source.join("./../source");
    list.push(json!({"destination": "/data2/below", "source": other, "options": ["bind"]}));
    symlink("/real", bundle.dir.join("bundle/rootfs/link")).unwrap();
    fs::create_dir(bundle.dir.join("bundle/rootfs/real")).unwrap();
    list.push(json!({"destination": "/link", "source": ".", "options": ["bind"]}));
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 77});
    // As /var/run is a link.
    let real = bundle.dir.join("real-work");
    fs::create_dir(&real).unwrap();
    symlink(&real, bundle.dir.join("work")).unwrap();
    let container = bundle.start();
    wait_for_count(&bundle, 3);
    let before = mounts(&bundle);
    let pid = container.pid();
    criu(&bundle, "checkpoint", &[]).ok();
    bundle
        .cli(&["state", &bundle.id])
        .fails_with("container does not exist");
    assert!(!Path::new(&format!("/proc/{pid}")).exists() || container_is_zombie(pid));
    let images = bundle.dir.join("images");
    let descriptors = fs::read_to_string(images.join("descriptors.json")).unwrap();
    let descriptors: Vec<String> = serde_json::from_str(&descriptors).unwrap();
    assert_eq!(descriptors, ["/dev/null"; 3]);
    assert!(images.join("inventory.img").exists());
    assert!(bundle.dir.join("work/dump.log").exists());

    // What the mounts need in the rootfs is made again.
    fs::remove_dir_all(bundle.rootfs("data2")).unwrap();
    let pid_file = bundle.dir.join("pid");
    restore(
        &bundle,
        &["--detach", "--pid-file", pid_file.to_str().unwrap()],
    )
    .ok();
    assert_eq!(container.status(), "running");
    let pid = container.pid();
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), pid.to_string());
    let counted = count(&bundle);
    assert!(counted >= 3, "{counted}");
    wait_for_count(&bundle, counted + 2);
    assert_eq!(mounts(&bundle), before);
    let output = bundle
        .cli(&["exec", &bundle.id, "cat", "/data/file", "/data2/below/file"])
        .ok();
    assert_eq!(output.stdout, "of the hostof the host");
    let cgroup = cgroup_dir(pid, "pids").unwrap();
    assert!(cgroup.to_string_lossy().contains(&bundle.id), "{cgroup:?}");
    let limit = fs::read_to_string(cgroup.join("pids.max")).unwrap();
    assert_eq!(limit, "77\n");
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!host.contains("criu-root"), "{host}");
    assert!(!bundle.root().join(&bundle.id).join("criu-root").exists());
    container.cli("pause").ok();
    assert_eq!(container.status(), "paused");
    container.cli("resume").ok();
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_nothing_left();
}

fn container_is_zombie(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.contains("State:") || status.contains("State:\tZ")
}

#[test]
fn a_container_may_go_on_after_its_checkpoint() {
    needs_criu!();
    let bundle = counting();
    let container = bundle.start();
    wait_for_count(&bundle, 2);
    let pid = container.pid();
    criu(&bundle, "checkpoint", &["--leave-running"]).ok();
    assert_eq!(
        (container.status().as_str(), container.pid()),
        ("running", pid)
    );
    let counted = count(&bundle);
    wait_for_count(&bundle, counted + 1);
    // The images are of a container that still is there.
    restore(&bundle, &["--detach"]).fails_with("container with given ID already exists");
    assert_eq!(container.pid(), pid);
}

#[test]
fn memory_may_be_saved_beforehand() {
    needs_criu!();
    let feature = ["check", "--feature", "mem_dirty_track"];
    let checked = Command::new("criu").args(feature).output().unwrap();
    if !checked.status.success() {
        skip!("the kernel does not track dirty memory");
    }
    let bundle = counting();
    let container = bundle.start();
    wait_for_count(&bundle, 2);
    let parent = bundle.dir.join("parent");
    let args = ["checkpoint", "--pre-dump", "--image-path"];
    let mut command = bundle.command(&args);
    command
        .arg(&parent)
        .arg(&bundle.id)
        .env("PATH", search_path(&bundle));
    bundle.spawn(command).wait().ok();
    assert_eq!(container.status(), "running");
    criu(&bundle, "checkpoint", &["--parent-path", "../parent"]).ok();
    assert!(bundle.dir.join("images/parent").exists());
    restore(&bundle, &["--detach"]).ok();
    let counted = count(&bundle);
    wait_for_count(&bundle, counted + 1);
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_nothing_left();
}

#[test]
fn restore_stays_with_the_process_and_hooks_are_told() {
    needs_criu!();
    let mut bundle = counting();
    let log = bundle.dir.join("hooks");
    let hook = |name: &str| {
        let script = format!(
            "echo {name} $(grep -c '\"pid\":[1-9]') >> {}",
            log.display()
        );
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}])
    };
    for name in ["prestart", "createRuntime", "poststop"] {
        bundle.config["hooks"][name] = hook(name);
    }
    let script = "exec 0</dev/null 1>/dev/null 2>&1; echo 2 > /tmp/count; while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 7";
    bundle.set_args(&["sh", "-c", script]);
    let container = bundle.start();
    wait_for_count(&bundle, 2);
    criu(&bundle, "checkpoint", &[]).ok();
    let dir = bundle.bundle();
    let running = bundle.spawn(command(
        &bundle,
        "restore",
        &["--bundle", dir.to_str().unwrap()],
    ));
    wait_until("the container is restored", || {
        let output = bundle.cli(&["state", &bundle.id]);
        output.code() == 0 && output.stdout.contains("\"running\"")
    });
    bundle
        .cli(&["exec", &bundle.id, "sh", "-c", ": > /tmp/end"])
        .ok();
    let output = running.wait();
    assert_eq!(output.code(), 7, "{output:?}");
    drop(container);
    bundle.assert_nothing_left();
    let told = fs::read_to_string(log).unwrap();
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "prestart 1",
            "createRuntime 1",
            "poststop 0",
            "prestart 1",
            "createRuntime 1",
            "poststop 0"
        ]
    );
}

#[test]
fn a_namespace_that_is_joined_is_joined_again() {
    needs_criu!();
    let mut holder = Command::new("unshare")
        .args(["--net", "sleep", "1000"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/ns/net", holder.id());
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    wait_until("there is a network namespace", || {
        fs::read_link(&path).is_ok_and(|link| link != own)
    });
    let theirs = fs::read_link(&path).unwrap();
    let mut bundle = counting();
    for namespace in bundle.config["linux"]["namespaces"].as_array_mut().unwrap() {
        if namespace["type"] == "network" {
            namespace["path"] = json!(path);
        }
    }
    let container = bundle.start();
    wait_for_count(&bundle, 2);
    criu(&bundle, "checkpoint", &[]).ok();
    restore(&bundle, &["--detach"]).ok();
    let link = fs::read_link(format!("/proc/{}/ns/net", container.pid())).unwrap();
    assert_eq!(link, theirs);
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_nothing_left();
    let _ = holder.kill();
    let _ = holder.wait();
}

#[test]
fn what_cannot_be_done_is_said() {
    coracle_only!();
    let mut bundle = Bundle::sleeping();
    let failing = |bundle: &Bundle, args: &[&str], text: &str| {
        let mut command = bundle.command(args);
        // Where there is no criu.
        command.env("PATH", "/nonesuch");
        bundle.spawn(command).wait().fails_with(text);
    };
    let id = bundle.id.clone();
    let missing = "exec: \"criu\": executable file not found in $PATH: install criu";
    failing(&bundle, &["checkpoint", &id], "container does not exist");
    let images = bundle.dir.join("images");
    let images = images.to_str().unwrap();
    {
        let container = bundle.create();
        let created = "Container cannot be checkpointed in created state";
        failing(&bundle, &["checkpoint", &id], created);
        container.cli("start").ok();
        failing(
            &bundle,
            &["checkpoint", "--image-path", images, &id],
            missing,
        );
        for (flag, value, text) in [
            ("--manage-cgroups-mode", "x", "--manage-cgroups-mode: "),
            ("--page-server", "host", "Use --page-server ADDRESS:PORT"),
            ("--empty-ns", "pid", "--empty-ns: namespace \"pid\""),
            ("--parent-path", "/tmp", "--parent-path must be relative"),
            ("--status-fd", "99", "invalid --status-fd argument 99"),
            ("--status-fd", "x", "--status-fd: \"x\" is not a number"),
        ] {
            let args = ["checkpoint", "--image-path", images, flag, value, &id];
            failing(&bundle, &args, text);
        }
        assert_eq!(container.status(), "running");
        assert!(!Path::new(images).exists());
        let args = ["--image-path", images, "--parent-path", "nonesuch", &id];
        let args = [&["checkpoint"], &args[..]].concat();
        failing(&bundle, &args, "invalid --parent-path: stat");
    }
    bundle.assert_nothing_left();
    let dir = bundle.bundle();
    let dir = dir.to_str().unwrap();
    let args = ["restore", "--image-path", images, "--bundle", dir, &id];
    failing(
        &bundle,
        &args,
        "descriptors.json: no such file or directory",
    );
    let descriptors = "[\"/dev/null\",\"/dev/null\",\"/dev/null\"]";
    fs::write(Path::new(images).join("descriptors.json"), descriptors).unwrap();
    failing(&bundle, &args, missing);
    bundle.config["process"]["terminal"] = json!(true);
    bundle.write_config();
    let detached = [&["restore", "--detach"], &args[1..]].concat();
    failing(
        &bundle,
        &detached,
        "cannot allocate tty if runc will detach",
    );
    bundle.assert_nothing_left();
}
