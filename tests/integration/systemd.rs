//! Cgroups of systemd: the unit that a container gets, its name, its properties, and its end.

use crate::harness::*;
use crate::limits::read;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Skips the test where systemd does not run.
macro_rules! needs_systemd {
    () => {
        if !Path::new("/run/systemd/system").is_dir() {
            skip!("systemd does not run here");
        }
    };
}

/// A container whose cgroup is to be made by systemd; `NAME` in the path is its id.
fn placed(path: &str) -> Bundle {
    let mut bundle = Bundle::sleeping();
    bundle.systemd = true;
    let path = path.replace("NAME", &bundle.id);
    bundle.config["linux"]["cgroupsPath"] = json!(path);
    bundle
}

fn systemctl(args: &[&str]) -> String {
    let mut command = Command::new("systemctl");
    if !root() {
        command.arg("--user");
    }
    let output = command.args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A property of a unit.
fn property(unit: &str, name: &str) -> String {
    let text = systemctl(&["show", "--value", "--property", name, unit]);
    text.trim().to_owned()
}

#[track_caller]
fn check_properties(unit: &str, wanted: &[(&str, &str)]) {
    for (name, value) in wanted {
        assert_eq!(property(unit, name), *value, "{name}");
    }
}

/// The cgroup of a process on v2.
fn cgroup_of(pid: i32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    path.unwrap_or_default().to_owned()
}

#[test]
fn a_host_without_systemd_is_told() {
    coracle_only!();
    if Path::new("/run/systemd/system").is_dir() {
        skip!("systemd runs here");
    }
    let bundle = placed("a.slice:b:NAME");
    bundle
        .try_create()
        .fails_with("systemd not running on this host, cannot use systemd cgroups manager");
    bundle.assert_nothing_left();
}

#[test]
fn the_path_names_slice_and_unit() {
    needs_systemd!();
    for (path, place) in [
        ("", "system.slice/runc-NAME.scope"),
        (":some:NAME", "system.slice/some-NAME.scope"),
        (
            "coracle-test.slice:some:NAME",
            "coracle.slice/coracle-test.slice/some-NAME.scope",
        ),
        ("-.slice:some:NAME", "some-NAME.scope"),
    ] {
        let bundle = placed(path);
        let container = bundle.start();
        let place = match root() {
            true => place.to_owned(),
            false => place.replace("system.slice/", "user.slice/"),
        };
        let place = place.replace("NAME", &bundle.id);
        let cgroup = cgroup_of(container.pid());
        assert!(
            cgroup.ends_with(&format!("/{place}")),
            "{cgroup} for {path:?}"
        );
        let unit = place.rsplit('/').next().unwrap();
        check_properties(
            unit,
            &[
                ("ActiveState", "active"),
                ("Delegate", "yes"),
                ("ControlGroup", &cgroup),
            ],
        );
        bundle.cli(&["exec", &bundle.id, "true"]).ok();
        container.kill("KILL").ok();
        container.wait_for_status("stopped");
        container.cli("delete").ok();
        assert_eq!(property(unit, "LoadState"), "not-found");
        bundle.assert_nothing_left();
    }
    systemctl(&["stop", "coracle.slice"]);
}

#[test]
fn what_names_no_unit_is_refused() {
    needs_systemd!();
    for (path, text) in [
        (
            "/a/NAME",
            "expected cgroupsPath to be of format \"slice:prefix:name\"",
        ),
        ("a.slice:NAME", "to be of format \"slice:prefix:name\""),
        ("a/b.slice:c:NAME", "invalid slice name"),
        ("a--b.slice:c:NAME", "invalid slice name"),
        ("nonesuch:c:NAME", "invalid slice name"),
        ("a.slice:c/d:NAME", "is no name of a unit"),
    ] {
        let bundle = placed(path);
        bundle.try_create().fails_with(text);
        bundle.assert_nothing_left();
    }
}

#[test]
fn limits_are_properties_and_survive_a_reload() {
    needs_systemd!();
    let mut bundle = placed("");
    let resources = &mut bundle.config["linux"]["resources"];
    resources["memory"] =
        json!({"limit": 104_857_600, "swap": 157_286_400, "reservation": 52_428_800});
    resources["cpu"] = json!({"shares": 1024, "quota": 50_000, "period": 200_000});
    resources["pids"] = json!({"limit": 77});
    let container = bundle.start();
    let Some(dir) = cgroup_dir(container.pid(), "memory").filter(|dir| crate::limits::is_v2(dir))
    else {
        skip!("no memory controller of cgroup v2 here");
    };
    let unit = format!("runc-{}.scope", bundle.id);
    check_properties(
        &unit,
        &[
            ("MemoryMax", "104857600"),
            ("MemorySwapMax", "52428800"),
            ("MemoryLow", "52428800"),
            ("CPUWeight", "100"),
            ("CPUQuotaPerSecUSec", "250ms"),
            ("CPUQuotaPeriodUSec", "200ms"),
            ("TasksMax", "77"),
            ("DevicePolicy", "strict"),
        ],
    );
    bundle
        .cli(&[
            "update",
            "--memory",
            "209715200",
            "--memory-swap",
            "209715200",
            "--pids-limit",
            "88",
            "--cpu-quota",
            "40000",
            &bundle.id,
        ])
        .ok();
    let limits = || {
        let files = ["memory.max", "pids.max", "cpu.max", "cpu.weight"];
        files.map(|file| read(&dir, file))
    };
    let wanted = ["209715200", "88", "40000 200000", "100"];
    assert_eq!(limits(), wanted);
    check_properties(
        &unit,
        &[
            ("MemoryMax", "209715200"),
            ("MemorySwapMax", "0"),
            ("CPUQuotaPerSecUSec", "200ms"),
            ("TasksMax", "88"),
        ],
    );
    systemctl(&["daemon-reload"]);
    assert_eq!(limits(), wanted);
}

#[test]
fn an_idle_unit_has_no_weight() {
    needs_systemd!();
    let bundle = placed("");
    let container = bundle.start();
    let Some(dir) = cgroup_dir(container.pid(), "cpu").filter(|dir| crate::limits::is_v2(dir))
    else {
        skip!("no cpu controller of cgroup v2 here");
    };
    let file = bundle.dir.join("resources.json");
    let update = |resources: Value| {
        std::fs::write(&file, resources.to_string()).unwrap();
        let output = bundle.cli(&["update", "-r", file.to_str().unwrap(), &bundle.id]);
        output.ok().stderr
    };
    for (both, weight) in [
        (
            json!({"cpu": {"shares": 200, "idle": 1}}),
            json!({"cpu": {"shares": 1024}}),
        ),
        (
            json!({"unified": {"cpu.weight": "8", "cpu.idle": "1"}}),
            json!({"unified": {"cpu.weight": "100"}}),
        ),
    ] {
        let said = update(both);
        assert!(said.contains("unable to apply both"), "{said}");
        assert_eq!(read(&dir, "cpu.idle"), "1");
        assert_eq!(update(weight), "");
        assert_eq!(read(&dir, "cpu.idle"), "0");
        assert_eq!(read(&dir, "cpu.weight"), "100");
    }
}

#[test]
fn annotations_are_properties() {
    needs_systemd!();
    let mut bundle = placed("");
    bundle.config["annotations"] = json!({
        "org.systemd.property.TimeoutStopSec": "uint64 7",
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
        "org.systemd.property.After": "['basic.target']",
    });
    let container = bundle.start();
    let unit = format!("runc-{}.scope", bundle.id);
    check_properties(
        &unit,
        &[
            ("TimeoutStopUSec", "7s"),
            ("CollectMode", "inactive-or-failed"),
        ],
    );
    assert!(property(&unit, "After").contains("basic.target"));
    drop(container);
    for (name, value, text) in [
        ("TimeoutStopSec", "seven", "value parse error"),
        ("Xo", "1", "is no name of a property"),
        ("Nonsense", "true", "unable to start unit"),
    ] {
        let name = format!("org.systemd.property.{name}");
        bundle.config["annotations"] = json!({});
        bundle.config["annotations"][&name] = json!(value);
        bundle.try_create().fails_with(text);
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_unit_that_runs_is_left_alone() {
    needs_systemd!();
    let first = placed(":test:NAME");
    let container = first.start();
    let mut second = placed("");
    second.config["linux"]["cgroupsPath"] = first.config["linux"]["cgroupsPath"].clone();
    second
        .try_create()
        .fails_with("container's cgroup is not empty");
    second.assert_nothing_left();
    assert_eq!(container.status(), "running");
}

#[test]
fn a_frozen_cgroup_is_refused_and_kept() {
    needs_systemd!();
    root_only!("a cgroup beside the slices");
    let bundle = placed("-.slice:test:NAME");
    let cgroup = format!("/sys/fs/cgroup/test-{}.scope", bundle.id);
    let cgroup = Path::new(&cgroup);
    if !crate::limits::is_v2(cgroup.parent().unwrap()) {
        skip!("no cgroup v2 here");
    }
    std::fs::create_dir(cgroup).unwrap();
    std::fs::write(cgroup.join("cgroup.freeze"), "1").unwrap();
    let output = bundle.try_create();
    let kept = std::fs::remove_dir(cgroup);
    output.fails_with("container's cgroup unexpectedly frozen");
    kept.unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn a_unit_that_has_failed_is_replaced() {
    needs_systemd!();
    let bundle = placed(":test:NAME");
    let unit = format!("test-{}.scope", bundle.id);
    let mut command = Command::new("systemd-run");
    if !root() {
        command.arg("--user");
    }
    // Systemd ends it when its time is over, and keeps it as failed.
    let scope = format!("--unit={unit}");
    command.args(["--scope", "--quiet", &scope, "-p", "RuntimeMaxSec=1"]);
    assert!(!command.args(["sleep", "1000"]).status().unwrap().success());
    wait_until("the unit has failed", || {
        property(&unit, "ActiveState") == "failed"
    });
    let container = bundle.start();
    assert_eq!(property(&unit, "ActiveState"), "active");
    drop(container);
    assert_eq!(property(&unit, "LoadState"), "not-found");
}

#[test]
fn a_unit_that_is_stopped_stops_the_container() {
    needs_systemd!();
    let bundle = placed(":test:NAME");
    let container = bundle.start();
    systemctl(&["stop", &format!("test-{}.scope", bundle.id)]);
    container.wait_for_status("stopped");
    container.cli("delete").ok();
    bundle.assert_nothing_left();
}

#[test]
fn processes_may_be_in_a_cgroup_below() {
    needs_systemd!();
    let mut bundle = placed(":test:NAME");
    bundle.config["annotations"] = json!({"run.oci.systemd.subgroup": "inner"});
    let container = bundle.start();
    let cgroup = cgroup_of(container.pid());
    let wanted = format!("/test-{}.scope/inner", bundle.id);
    if cgroup.is_empty() || cgroup == "/" {
        skip!("no cgroup v2 here");
    }
    assert!(cgroup.ends_with(&wanted), "{cgroup}");
    let processes: Value =
        serde_json::from_str(&bundle.cli(&["ps", "-f", "json", &bundle.id]).ok().stdout).unwrap();
    assert!(
        processes
            .as_array()
            .unwrap()
            .contains(&json!(container.pid()))
    );
    let joined = bundle.cli(&["exec", &bundle.id, "cat", "/proc/self/cgroup"]);
    let own = bundle.cli(&["exec", &bundle.id, "cat", "/proc/1/cgroup"]);
    assert_eq!(joined.ok().stdout, own.ok().stdout);
    container.cli("pause").ok();
    container.cli("resume").ok();
    drop(container);
    bundle.assert_nothing_left();
}

#[test]
fn a_bus_that_is_not_there_is_named() {
    needs_systemd!();
    let bundle = placed("");
    bundle.write_config();
    let mut command = bundle.command(&["create", "--bundle"]);
    command.arg(bundle.bundle()).arg(&bundle.id);
    for variable in ["DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"] {
        command.env(variable, "unix:path=/nonexistent");
    }
    let output = bundle.spawn(command).wait();
    output.fails_with("dial unix:path=/nonexistent: no such file or directory");
    bundle.assert_nothing_left();
}

#[test]
fn a_unit_that_is_gone_needs_no_bus() {
    needs_systemd!();
    let bundle = placed(":test:NAME");
    let container = bundle.start();
    let unit = format!("test-{}.scope", bundle.id);
    if !crate::limits::is_v2(Path::new("/sys/fs/cgroup")) {
        skip!("no cgroup v2 here");
    }
    systemctl(&["stop", &unit]);
    container.wait_for_status("stopped");
    wait_until("the unit is forgotten", || {
        property(&unit, "LoadState") == "not-found"
    });
    let mut command = bundle.command(&["delete", &bundle.id]);
    for variable in ["DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"] {
        command.env(variable, "unix:path=/nonexistent");
    }
    bundle.spawn(command).wait().ok();
    bundle.assert_nothing_left();
}

#[test]
fn a_container_that_stays_keeps_no_connection() {
    needs_systemd!();
    let bundle = placed(":test:NAME");
    let runtime = bundle.spawn(bundle.bundle_command("run", &[]));
    wait_until("the container runs", || {
        bundle.cli(&["state", &bundle.id]).status.success()
    });
    let descriptors = format!("/proc/{}/fd", runtime.pid());
    wait_until("the runtime has no socket", || {
        let links = std::fs::read_dir(&descriptors).unwrap();
        let mut links = links.flatten().flat_map(|link| link.path().read_link());
        !links.any(|link| link.to_string_lossy().starts_with("socket:"))
    });
    bundle.cli(&["kill", &bundle.id, "KILL"]).ok();
    runtime.wait();
    let unit = format!("test-{}.scope", bundle.id);
    assert_eq!(property(&unit, "LoadState"), "not-found");
    bundle.assert_nothing_left();
}

#[test]
fn systemd_is_spoken_to_without_a_bus() {
    needs_systemd!();
    root_only!("a mount over the bus");
    let mut bundle = placed(":test:NAME");
    bundle.set_args(&["cat", "/proc/self/cgroup"]);
    let run = bundle.bundle_command("run", &[]);
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs none /run/dbus && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command.arg(run.get_program()).args(run.get_args());
    bundle.spawn(command).wait().ok();
    let unit = format!("test-{}.scope", bundle.id);
    assert_eq!(property(&unit, "LoadState"), "not-found");
    bundle.assert_nothing_left();
}

#[test]
fn a_failed_start_leaves_no_unit() {
    needs_systemd!();
    let mut bundle = placed(":test:NAME");
    bundle.set_args(&["/nosuch"]);
    bundle.run().fails_with("no such file or directory");
    let unit = format!("test-{}.scope", bundle.id);
    assert_eq!(property(&unit, "LoadState"), "not-found");
    bundle.assert_nothing_left();
}

#[test]
fn exec_from_beside_the_user_s_systemd_is_moved_by_it() {
    needs_systemd!();
    if root() {
        skip!("is about what only root may");
    }
    // Somebody else's, as far as we may write to it, is what is above both the container and the one who executes.
    let slice = format!("beside{}.slice", std::process::id());
    let mut bundle = placed(&format!("{slice}:test:NAME"));
    bundle.config["annotations"] = json!({"run.oci.systemd.subgroup": "inner"});
    let container = bundle.start();
    let cgroup = cgroup_of(container.pid());
    let (above, _) = cgroup.split_once(&slice).unwrap();
    let procs = format!("/sys/fs/cgroup{above}{slice}/cgroup.procs");
    let permissions = |mode| std::fs::set_permissions(&procs, PermissionsExt::from_mode(mode));
    permissions(0o444).unwrap();
    let exec = |args: &[&str]| {
        let mut command = Command::new("systemd-run");
        command.args([
            "--user",
            "--scope",
            "--quiet",
            "--collect",
            "--slice",
            &slice,
        ]);
        let exec =
            bundle.command(&[&["exec"], args, &[&bundle.id, "cat", "/proc/self/cgroup"]].concat());
        command.arg(exec.get_program()).args(exec.get_args());
        bundle.spawn(command).wait()
    };
    let seen = [exec(&[]), exec(&["--cgroup", "/"])];
    permissions(0o644).unwrap();
    let own = bundle.cli(&["exec", &bundle.id, "cat", "/proc/1/cgroup"]);
    let own = own.ok().stdout;
    for output in seen {
        assert_eq!(output.ok().stdout, own);
    }
    drop(container);
    bundle.assert_nothing_left();
}
