//! Paused containers: what stops them, what does not, and what is refused.

use crate::harness::*;
use crate::lifecycle::remove_namespace;

fn paused(bundle: &Bundle) -> Container<'_> {
    let container = bundle.start();
    container.cli("pause").ok();
    assert_eq!(container.status(), "paused");
    container
}

#[test]
fn sigkill_ends_it() {
    let bundle = Bundle::sleeping();
    let container = paused(&bundle);
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
}

#[test]
fn sigkill_to_all_ends_it_without_a_pid_namespace_too() {
    root_only!("a new procfs of another PID namespace");
    let mut bundle = Bundle::sh("sleep 1000 & sleep 1000");
    remove_namespace(&mut bundle.config, "pid");
    let container = paused(&bundle);
    let dir = cgroup_dir(container.pid(), "pids");
    bundle.cli(&["kill", "--all", &bundle.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    if let Some(dir) = dir {
        let procs = dir.join("cgroup.procs");
        wait_until("all are gone", || {
            std::fs::read_to_string(&procs).map_or(true, |text| text.is_empty())
        });
    }
}

#[test]
fn another_signal_waits_for_resume() {
    let bundle =
        Bundle::sh("trap 'echo got it; exit' TERM; echo ready; while :; do sleep 0.1; done");
    let container = bundle.start();
    container.wait_for_output("ready");
    container.cli("pause").ok();
    container.kill("TERM").ok();
    assert_eq!(container.status(), "paused");
    container.cli("resume").ok();
    container.wait_for_output("got it");
    container.wait_for_status("stopped");
}

#[test]
fn a_signal_to_all_leaves_it_paused() {
    root_only!("a new procfs of another PID namespace");
    let mut bundle = Bundle::sh("trap 'echo got it' USR1; echo ready; while :; do sleep 0.1; done");
    remove_namespace(&mut bundle.config, "pid");
    let container = bundle.start();
    container.wait_for_output("ready");
    container.cli("pause").ok();
    bundle.cli(&["kill", "--all", &bundle.id, "USR1"]).ok();
    assert_eq!(container.status(), "paused");
    container.cli("resume").ok();
    bundle.cli(&["kill", "--all", &bundle.id, "USR1"]).ok();
    assert_ne!(container.status(), "paused");
}

#[test]
fn it_is_removed_by_force_alone() {
    let bundle = Bundle::sleeping();
    let container = paused(&bundle);
    container.cli("delete").fails_with("is not stopped: paused");
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_nothing_left();
}

#[test]
fn a_created_container_is_paused_and_resumed() {
    let bundle = Bundle::sh("echo started");
    let container = bundle.create();
    container.cli("pause").ok();
    assert_eq!(container.status(), "paused");
    container.cli("resume").ok();
    assert_eq!(container.status(), "created");
    container.cli("start").ok();
    container.wait_for_output("started");
}

#[test]
fn what_cannot_be_is_said() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    container.cli("resume").fails_with("container not paused");
    container.cli("pause").ok();
    container.cli("pause").fails_with("container not running");
    container.cli("resume").ok();
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    container.cli("pause").fails_with("container not running");
    container.cli("resume").fails_with("container not paused");
    bundle
        .cli(&["pause", "nosuch"])
        .fails_with("container does not exist");
}
