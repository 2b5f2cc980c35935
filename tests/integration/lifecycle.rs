//! create, start, state, kill, delete, list and run: what they do, say and return.

use crate::harness::*;
use serde_json::Value;
use std::fs;

#[test]
fn run_returns_the_exit_status() {
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
        let bundle = Bundle::sh(script);
        assert_eq!(bundle.run().code(), status, "{script}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_record_has_the_time_at_which_the_process_started() {
    if !is_coracle() {
        skip!("the runtime's own record");
    }
    for _ in 0..5 {
        let bundle = Bundle::sleeping();
        let container = bundle.start();
        let text = fs::read(bundle.root().join(&bundle.id).join("state.json")).unwrap();
        let line = text.split(|byte| *byte == b'\n').next().unwrap();
        let process: Value = serde_json::from_slice(line).unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", container.pid())).unwrap();
        let fields = stat.rsplit(')').next().unwrap();
        let start = fields.split_whitespace().nth(19).unwrap();
        assert_eq!(process["startTime"].to_string(), start);
    }
}

#[test]
fn run_passes_output_on() {
    let output = Bundle::sh("echo hello; echo oops >&2").run().ok();
    assert_eq!(output.stdout, "hello\n");
    assert_eq!(output.stderr, "oops\n");
}

#[test]
fn run_returns_128_and_the_signal_of_a_process_without_pid_namespace() {
    root_only!("a new procfs of another PID namespace");
    let mut bundle = Bundle::sh("kill -9 $$");
    remove_namespace(&mut bundle.config, "pid");
    assert_eq!(bundle.run().code(), 137);
    bundle.assert_nothing_left();
}

#[test]
fn run_returns_137_when_the_container_is_killed() {
    let bundle = Bundle::sh("echo ready; sleep 1000");
    let mut running = bundle.run_in_background();
    running.wait_for_output("ready");
    bundle.cli(&["kill", &bundle.id, "KILL"]).ok();
    assert_eq!(running.wait().code(), 137);
    bundle.assert_nothing_left();
}

#[test]
fn run_forwards_signals() {
    for (signal, name) in [
        (libc::SIGTERM, "TERM"),
        (libc::SIGHUP, "HUP"),
        (libc::SIGUSR1, "USR1"),
    ] {
        let script = format!(
            "trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.1; done"
        );
        let bundle = Bundle::sh(&script);
        let mut running = bundle.run_in_background();
        running.wait_for_output("ready");
        running.signal(signal);
        let output = running.wait();
        assert_eq!(output.code(), 9, "{output:?}");
        assert!(output.stdout.contains(&format!("got {name}")), "{output:?}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn run_keep_leaves_a_stopped_container() {
    coracle_only!();
    let bundle = Bundle::sh("exit 3");
    assert_eq!(bundle.run_with(&["--keep"]).code(), 3);
    let state: Value =
        serde_json::from_str(&bundle.cli(&["state", &bundle.id]).ok().stdout).unwrap();
    assert_eq!(state["status"], "stopped");
    bundle.cli(&["delete", &bundle.id]).ok();
    bundle.assert_nothing_left();
}

#[test]
fn life_from_create_to_delete() {
    // An init ignores a signal that comes before its trap.
    let bundle = Bundle::sh("trap 'exit 0' TERM; echo ready; while :; do sleep 1 & wait $!; done");
    let container = bundle.create();
    let state = container.state();
    assert_eq!(state["status"], "created");
    assert_eq!(state["id"], bundle.id.as_str());
    assert_eq!(state["bundle"], bundle.bundle().to_str().unwrap());
    assert_eq!(
        state["rootfs"],
        bundle.rootfs("").to_str().unwrap().trim_end_matches('/')
    );
    assert!(state["ociVersion"].is_string(), "{state}");
    assert!(state["created"].as_str().unwrap().contains('T'), "{state}");
    assert!(state.get("owner").is_some(), "{state}");
    let pid = container.pid();
    assert!(fs::exists(format!("/proc/{pid}")).unwrap());

    container.cli("start").ok();
    assert_eq!(container.status(), "running");
    assert_eq!(container.pid(), pid, "start keeps the process");

    container.wait_for_output("ready");
    container.kill("TERM").ok();
    container.wait_for_status("stopped");
    assert_eq!(container.state()["pid"], 0);
    container.cli("delete").ok();
    container.cli("state").fails_with("does not exist");
    bundle.assert_nothing_left();
}

#[test]
fn the_process_waits_for_start() {
    let bundle = Bundle::sh("echo ran; exec sleep 1000");
    let container = bundle.create();
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(container.output(), "");
    container.cli("start").ok();
    container.wait_for_output("ran");
}

#[test]
fn a_second_create_leaves_the_first_untouched() {
    let bundle = Bundle::sleeping();
    let container = bundle.create();
    let before = container.state();
    bundle
        .try_create()
        .fails_with("container with given ID already exists");
    assert_eq!(container.state(), before);
    container.cli("start").ok();
    bundle
        .try_create()
        .fails_with("container with given ID already exists");
    bundle
        .run()
        .fails_with("container with given ID already exists");
    assert_eq!(container.status(), "running");
    assert_eq!(container.state()["pid"], before["pid"]);
    container.cli("delete").fails_with("running");
}

#[test]
fn start_refuses_what_is_not_created() {
    let bundle = Bundle::sh("exit 0");
    bundle
        .cli(&["start", &bundle.id])
        .fails_with("does not exist");
    let container = bundle.start();
    container.wait_for_status("stopped");
    container
        .cli("start")
        .fails_with("cannot start a container that has stopped");

    let bundle = Bundle::sleeping();
    let container = bundle.start();
    container
        .cli("start")
        .fails_with("cannot start an already running container");
}

#[test]
fn delete_of_a_running_container_needs_force() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let text = format!(
        "cannot delete container {} that is not stopped: running",
        bundle.id
    );
    container.cli("delete").fails_with(&text);
    assert_eq!(container.status(), "running");
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_nothing_left();
}

#[test]
fn delete_of_a_created_container_removes_it() {
    let bundle = Bundle::sleeping();
    let container = bundle.create();
    container.cli("delete").ok();
    bundle.assert_nothing_left();
}

#[test]
fn delete_of_an_unknown_container() {
    let bundle = Bundle::new();
    bundle
        .cli(&["delete", &bundle.id])
        .fails_with("does not exist");
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
}

#[test]
fn kill_takes_names_and_numbers() {
    for signal in ["KILL", "SIGKILL", "kill", "9"] {
        let bundle = Bundle::sleeping();
        let container = bundle.start();
        container.kill(signal).ok();
        container.wait_for_status("stopped");
        container.kill(signal).fails_with("container not running");
    }
}

#[test]
fn kill_sends_term_when_no_signal_is_named() {
    let bundle =
        Bundle::sh("trap 'echo terminated; exit 0' TERM; echo ready; while :; do sleep 0.1; done");
    let container = bundle.start();
    container.wait_for_output("ready");
    container.cli("kill").ok();
    container.wait_for_output("terminated");
}

#[test]
fn kill_refuses_unknown_signals_and_containers() {
    let bundle = Bundle::sleeping();
    bundle
        .cli(&["kill", &bundle.id, "KILL"])
        .fails_with("does not exist");
    let container = bundle.start();
    container.kill("NONESUCH").fails_with("NONESUCH");
    container.kill("1000000x").fails_with("1000000x");
    assert_eq!(container.status(), "running");
}

#[test]
fn kill_of_a_created_container() {
    let bundle = Bundle::sleeping();
    let container = bundle.create();
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    container.cli("delete").ok();
    bundle.assert_nothing_left();
}

#[test]
fn kill_all_reaches_every_process_without_a_pid_namespace() {
    root_only!("a new procfs of another PID namespace");
    let mut bundle = Bundle::sh("sleep 1000 & sleep 1000 & echo ready; wait");
    remove_namespace(&mut bundle.config, "pid");
    let container = bundle.start();
    container.wait_for_output("ready");
    let cgroup = cgroup_dir(container.pid(), "pids")
        .or_else(|| cgroup_dir(container.pid(), "memory"))
        .unwrap();
    let members = || {
        fs::read_to_string(cgroup.join("cgroup.procs"))
            .unwrap_or_default()
            .lines()
            .count()
    };
    wait_until("the children run", || members() == 3);
    bundle.cli(&["kill", "--all", &bundle.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    wait_until("all processes are gone", || members() == 0);
    container.cli("delete").ok();
    bundle.assert_nothing_left();
}

#[test]
fn pid_file_holds_the_pid_of_init() {
    let bundle = Bundle::sleeping();
    bundle.write_config();
    let file = bundle.dir.join("pid");
    let path = file.to_str().unwrap();
    let dir = bundle.bundle();
    bundle
        .cli(&[
            "create",
            "--bundle",
            dir.to_str().unwrap(),
            "--pid-file",
            path,
            &bundle.id,
        ])
        .ok();
    let state: Value =
        serde_json::from_str(&bundle.cli(&["state", &bundle.id]).ok().stdout).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text, state["pid"].to_string());
}

#[test]
fn a_detached_run_leaves_no_runtime_process() {
    let bundle = Bundle::sleeping();
    bundle.run_with(&["--detach"]).ok();
    let state: Value =
        serde_json::from_str(&bundle.cli(&["state", &bundle.id]).ok().stdout).unwrap();
    assert_eq!(state["status"], "running");
    let root = bundle.root();
    for pid in pids() {
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let cmdline = String::from_utf8_lossy(&cmdline).into_owned();
        assert!(
            !cmdline.contains(root.to_str().unwrap()),
            "process {pid} is still there: {cmdline:?}"
        );
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let inside = fs::read_to_string(format!("/proc/{pid}/cgroup"))
            .unwrap_or_default()
            .contains(&bundle.id);
        assert!(
            !inside || exe != binary(),
            "process {pid} of the container is the runtime"
        );
    }
    bundle.cli(&["delete", "-f", &bundle.id]).ok();
    bundle.assert_nothing_left();
}

#[test]
fn list_shows_containers() {
    let bundle = Bundle::sleeping();
    let empty = bundle.cli(&["list", "-q"]).ok();
    assert_eq!(empty.stdout, "");
    let container = bundle.start();
    let pid = container.pid();

    assert_eq!(
        bundle.cli(&["list", "-q"]).ok().stdout,
        format!("{}\n", bundle.id)
    );
    let table = bundle.cli(&["list"]).ok();
    let lines = table.lines();
    let head: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(head, ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    let row: Vec<&str> = lines[1].split_whitespace().collect();
    let dir = bundle.bundle();
    assert_eq!(
        row[..4],
        [
            bundle.id.as_str(),
            &pid.to_string(),
            "running",
            dir.to_str().unwrap()
        ]
    );
    let owner = std::process::Command::new("id").arg("-un").output();
    let owner = String::from_utf8(owner.unwrap().stdout).unwrap();
    assert_eq!(row.last(), Some(&owner.trim()));

    let json: Value =
        serde_json::from_str(&bundle.cli(&["list", "-f", "json"]).ok().stdout).unwrap();
    assert_eq!(json[0]["id"], bundle.id.as_str());
    assert_eq!(json[0]["pid"], pid);
    assert_eq!(json[0]["status"], "running");
    bundle
        .cli(&["list", "--format", "yaml"])
        .fails_with("format");

    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    let json: Value =
        serde_json::from_str(&bundle.cli(&["list", "--format=json"]).ok().stdout).unwrap();
    assert_eq!(json[0]["status"], "stopped");
    assert_eq!(json[0]["pid"], 0);
}

#[test]
fn container_ids_are_checked() {
    let bundle = Bundle::sh("true");
    bundle.write_config();
    let dir = bundle.bundle();
    let dir = dir.to_str().unwrap();
    for id in ["a/b", "..", ".", "a b", "a\u{e9}", "a*"] {
        let output = bundle.cli(&["run", "--bundle", dir, id]);
        assert_eq!(output.code(), 1, "{id:?}: {output:?}");
        assert!(
            output.stderr.to_lowercase().contains("id"),
            "{id:?}: {output:?}"
        );
    }
    assert_eq!(bundle.cli(&["run", "--bundle", dir, ""]).code(), 1);
    let id = format!("{}_ok+1.x", bundle.id);
    bundle.cli(&["run", "--bundle", dir, &id]).ok();
    bundle.assert_nothing_left();
}

#[test]
fn a_recycled_or_dead_init_is_stopped() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let pid = container.pid();
    // SAFETY: kill has no memory to harm; the container's init lives.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    container.wait_for_status("stopped");
    container.cli("delete").ok();
    bundle.assert_nothing_left();
}

#[test]
fn annotations_are_in_the_state() {
    let mut bundle = Bundle::sleeping();
    bundle.config["annotations"] = serde_json::json!({"org.example.key": "value"});
    let container = bundle.create();
    assert_eq!(container.state()["annotations"]["org.example.key"], "value");
}

/// Takes a namespace out of a configuration.
pub fn remove_namespace(config: &mut Value, kind: &str) {
    config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|namespace| namespace["type"] != kind);
}
