//! `events`: statistics in runc's form, memory that runs out, and an end with the container.

use crate::harness::*;
use serde_json::{Value, json};
use std::fs;

fn stats(bundle: &Bundle) -> Value {
    let output = bundle.cli(&["events", "--stats", &bundle.id]).ok();
    let lines = output.lines();
    assert_eq!(lines.len(), 1, "{output:?}");
    let start = format!("{{\"type\":\"stats\",\"id\":\"{}\",\"data\":{{", bundle.id);
    assert!(lines[0].starts_with(&start), "{output:?}");
    serde_json::from_str::<Value>(lines[0]).unwrap()["data"].take()
}

#[test]
fn statistics_once() {
    let mut bundle =
        Bundle::sh("head -c 20000000 /dev/zero > /tmp/file; echo ready; while :; do sleep 1; done");
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 256 << 20});
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 77});
    let container = bundle.start();
    container.wait_for_output("ready");
    let stats = stats(&bundle);
    assert!(
        stats["cpu"]["usage"]["total"].as_u64().unwrap() > 0,
        "{stats}"
    );
    assert!(stats["cpu"]["usage"]["kernel"].is_u64() && stats["cpu"]["usage"]["user"].is_u64());
    assert!(stats["cpuset"]["sched_relax_domain_level"].is_i64());
    assert_eq!(stats["network_interfaces"], Value::Null);
    for member in ["blkio", "hugetlb", "intel_rdt"] {
        assert!(stats[member].is_object(), "{member} in {stats}");
    }
    if cgroup_dir(container.pid(), "memory").is_some() {
        assert_eq!(stats["memory"]["usage"]["limit"], 256 << 20);
        assert!(stats["memory"]["usage"]["usage"].as_u64().unwrap() > 0);
        assert!(stats["memory"]["raw"].as_object().unwrap().len() > 10);
    }
    if let Some(dir) = cgroup_dir(container.pid(), "pids") {
        assert_eq!(stats["pids"]["limit"], 77);
        assert!(stats["pids"]["current"].as_u64().unwrap() > 0);
        let pressure = dir.join("cpu.pressure");
        if fs::read_to_string(pressure).is_ok() {
            assert!(stats["cpu"]["psi"].is_object(), "{stats}");
        }
    }
    if let Some(dir) = cgroup_dir(container.pid(), "cpuacct") {
        let each = stats["cpu"]["usage"]["percpu"].as_array().unwrap().len();
        let text = fs::read_to_string(dir.join("cpuacct.usage_percpu")).unwrap();
        assert_eq!(each, text.split_whitespace().count());
    }
}

#[test]
fn a_paused_container_has_statistics() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    container.cli("pause").ok();
    stats(&bundle);
}

#[test]
fn statistics_come_again_until_the_container_ends() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let command = bundle.command(&["events", "--interval", "20ms", &bundle.id]);
    let events = bundle.spawn(command);
    wait_until("there are three events", || {
        events.stdout().lines().count() >= 3
    });
    container.kill("KILL").ok();
    let output = events.wait().ok();
    for line in output.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["type"], "stats");
        assert_eq!(event["id"], bundle.id);
        assert!(event["data"]["cpu"].is_object());
    }
    assert_eq!(output.stderr, "");
}

#[test]
fn a_removed_container_ends_its_events_too() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let command = bundle.command(&["events", "--interval", "10ms", &bundle.id]);
    let events = bundle.spawn(command);
    wait_until("there is an event", || events.stdout().contains("stats"));
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    events.wait().ok();
    drop(container);
}

#[test]
fn memory_that_runs_out_is_an_event() {
    needs_controller!("memory");
    let mut bundle = Bundle::sh(
        "while ! test -e /tmp/go; do sleep 0.1; done; tail -c 199999999 /dev/zero; while :; do sleep 1; done",
    );
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 32 << 20, "swap": 32 << 20});
    let container = bundle.start();
    let command = bundle.command(&["events", "--interval", "50ms", &bundle.id]);
    let events = bundle.spawn(command);
    wait_until("there is an event", || events.stdout().contains("stats"));
    fs::write(bundle.rootfs("tmp/go"), "").unwrap();
    let line = format!("{{\"type\":\"oom\",\"id\":\"{}\"}}\n", bundle.id);
    wait_until("memory runs out", || events.stdout().contains(&line));
    let _ = container.kill("KILL");
    events.wait().ok();
}

#[test]
fn a_container_that_dies_of_it_says_so() {
    needs_controller!("memory");
    // exec: what needs the memory is the first process itself.
    let mut bundle =
        Bundle::sh("while ! test -e /tmp/go; do sleep 0.1; done; exec tail -c 199999999 /dev/zero");
    if bundle.systemd {
        skip!("systemd may remove the cgroup of what has died before anybody has read its events");
    }
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 32 << 20, "swap": 32 << 20});
    let _container = bundle.start();
    let command = bundle.command(&["events", "--interval", "50ms", &bundle.id]);
    let events = bundle.spawn(command);
    wait_until("there is an event", || events.stdout().contains("stats"));
    fs::write(bundle.rootfs("tmp/go"), "").unwrap();
    let output = events.wait().ok();
    assert!(output.stdout.contains("{\"type\":\"oom\","), "{output:?}");
}

#[test]
fn what_cannot_be_is_said() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let events = |interval: &str| bundle.cli(&["events", "--interval", interval, &bundle.id]);
    events("0s").fails_with("duration interval must be greater than 0");
    events("-1s").fails_with("duration interval must be greater than 0");
    events("often").fails_with("invalid value \"often\" for flag -interval");
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    let text = format!("container with id {} is not running", bundle.id);
    bundle
        .cli(&["events", "--stats", &bundle.id])
        .fails_with(&text);
    bundle
        .cli(&["events", "nosuch"])
        .fails_with("container does not exist");
}
