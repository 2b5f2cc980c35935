//! What surrounds the process: how it is scheduled, its clocks, its memory, and the signals that it gets.

use crate::harness::*;
use serde_json::{Value, json};
use std::fs;

fn run(script: &str, edit: impl FnOnce(&mut Value)) -> Output {
    let mut bundle = Bundle::sh(script);
    edit(&mut bundle.config);
    let output = bundle.run();
    bundle.assert_nothing_left();
    output
}

/// Reads a field of `/proc/self/sched`-like lines: what follows the last colon.
fn after_colon(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| Some(line.rsplit_once(':')?.1.trim()))
        .collect()
}

#[test]
fn every_scheduler_policy() {
    // Field 41 of stat is the policy, 19 the nice value.
    let script = "cut -d' ' -f41,19 /proc/self/stat";
    let set = |scheduler: Value| {
        run(script, |config| {
            config["process"]["scheduler"] = scheduler;
        })
    };
    // SAFETY: takes numbers only.
    let inherited = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    for (scheduler, nice, policy) in [
        (json!({"policy": "SCHED_OTHER", "nice": 5}), 5, 0),
        (json!({"policy": "SCHED_BATCH", "nice": 7}), 7, 3),
        (json!({"policy": "SCHED_IDLE"}), inherited, 5),
    ] {
        assert_eq!(set(scheduler).ok().stdout, format!("{nice} {policy}\n"));
    }
    for (scheduler, expected) in [
        (json!({"policy": "SCHED_FIFO", "priority": 3}), "0 1\n"),
        (json!({"policy": "SCHED_RR", "priority": 4}), "0 2\n"),
        (
            json!({"policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 100_000_000,
                "period": 100_000_000, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}),
            "0 6\n",
        ),
    ] {
        // A child of the shell would not have it.
        let output = run("read -r line < /proc/$$/stat; echo $line", |config| {
            config["process"]["scheduler"] = scheduler;
        });
        // Where groups have no real-time budget, and where CPUs are not exclusive, the kernel refuses.
        if output.code() != 0 {
            output.fails_with("process.scheduler: sched_setattr: operation not permitted");
            continue;
        }
        let fields: Vec<&str> = output.stdout.split_whitespace().collect();
        assert_eq!(format!("0 {}\n", fields[40]), expected, "{output:?}");
    }
    set(json!({"policy": "SCHED_OTHER", "nice": 20})).fails_with("process.scheduler.nice");
    set(json!({"policy": "SCHED_OTHER", "priority": 1})).fails_with("process.scheduler.priority");
    set(json!({"policy": "SCHED_FIFO", "priority": 1, "runtime": 5}))
        .fails_with("process.scheduler.runtime");
}

#[test]
fn io_priority() {
    for (class, expected) in [
        ("IOPRIO_CLASS_BE", "best-effort: prio 6\n"),
        ("IOPRIO_CLASS_IDLE", "idle"),
        ("IOPRIO_CLASS_RT", "realtime: prio 6\n"),
    ] {
        let output = run("ionice -p $$", |config| {
            config["process"]["ioPriority"] = json!({"class": class, "priority": 6});
        });
        assert!(output.ok().stdout.starts_with(expected), "{class}");
    }
}

#[test]
fn clocks_have_offsets() {
    if !fs::exists("/proc/self/ns/time").unwrap() {
        skip!("the kernel has no time namespaces");
    }
    let output = run("cat /proc/self/timens_offsets /proc/uptime", |config| {
        let linux = &mut config["linux"];
        linux["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "time"}));
        linux["timeOffsets"] = json!({
            "monotonic": {"secs": 7881, "nanosecs": 2718281},
            "boottime": {"secs": 100_000_000, "nanosecs": 5},
        });
    });
    let output = output.ok().stdout;
    let words: Vec<&str> = output.split_whitespace().collect();
    let offsets = ["monotonic", "7881", "2718281", "boottime", "100000000", "5"];
    assert_eq!(words[..6], offsets);
    assert!(words[6].parse::<f64>().unwrap() > 1e8, "{output}");
}

#[test]
fn personality_and_memory_policy() {
    let output = run("cat /proc/self/personality", |config| {
        config["linux"]["personality"] = json!({"domain": "LINUX32"});
    });
    assert_eq!(output.ok().stdout, "00000008\n");
    if !fs::exists("/proc/self/numa_maps").unwrap() {
        skip!("the kernel has no NUMA policies");
    }
    let output = run("cat /proc/self/numa_maps", |config| {
        config["linux"]["memoryPolicy"] =
            json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]});
    });
    assert!(
        output.ok().stdout.contains("bind=static:0"),
        "no such policy"
    );
}

#[test]
fn the_oom_score() {
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let own: i32 = own.trim().parse().unwrap();
    let set = |score: i32| {
        run("cat /proc/self/oom_score_adj", |config| {
            config["process"]["oomScoreAdj"] = json!(score);
        })
    };
    let higher = (own + 100).min(1000);
    assert_eq!(set(higher).ok().stdout, format!("{higher}\n"));
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("CapEff:"));
    let capabilities = u64::from_str_radix(after_colon(line.unwrap())[0], 16).unwrap();
    let lower = set(-1000);
    match capabilities >> 24 & 1 {
        1 => assert_eq!(lower.ok().stdout, "-1000\n"),
        // As with runc: without CAP_SYS_RESOURCE it is an error.
        _ => drop(lower.fails_with("oom_score_adj")),
    }
}

#[test]
fn capabilities_that_nobody_knows_are_a_warning() {
    let output = run("grep CapEff /proc/self/status", |config| {
        for set in ["bounding", "effective", "permitted"] {
            config["process"]["capabilities"][set] = json!(["CAP_KILL", "CAP_OF_THE_FUTURE"]);
        }
    });
    assert!(
        output.stderr.contains("level=warning"),
        "no warning: {output:?}"
    );
    assert!(output.stderr.contains("CAP_OF_THE_FUTURE"), "{output:?}");
    assert_eq!(output.ok().stdout, "CapEff:\t0000000000000020\n");
}

#[test]
fn signals_by_every_name() {
    let script = "for s in USR1 HUP WINCH 34 40 64; do trap \"echo got $s\" $s; done; echo ready; \
        while :; do sleep 0.05; done";
    let bundle = Bundle::sh(script);
    let mut running = bundle.run_in_background();
    running.wait_for_output("ready");
    for (named, number) in [
        ("USR1", "USR1"),
        ("sighup", "HUP"),
        ("28", "WINCH"),
        ("RTMIN", "34"),
        ("SIGRTMIN+6", "40"),
        ("64", "64"),
    ] {
        bundle.cli(&["kill", &bundle.id, named]).ok();
        running.wait_for_output(&format!("got {number}\n"));
    }
    for bad in ["65", "RTMIN+31", "SIGNONE", "-1"] {
        let output = bundle.cli(&["kill", &bundle.id, bad]);
        assert_eq!(output.code(), 1, "{bad}: {output:?}");
    }
    bundle.cli(&["kill", &bundle.id, "KILL"]).ok();
    assert_eq!(running.wait().code(), 137);
}

#[test]
fn signals_in_every_state() {
    let bundle = Bundle::sleeping();
    let container = bundle.create();
    bundle
        .cli(&["kill", &bundle.id, "0x"])
        .fails_with("unknown signal");
    bundle.cli(&["start", &bundle.id]).ok();
    bundle.cli(&["pause", &bundle.id]).ok();
    // A frozen process would never see it: as with runc, SIGKILL thaws.
    bundle.cli(&["kill", &bundle.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    let output = bundle.cli(&["kill", &bundle.id, "KILL"]);
    output.fails_with("container not running");
    bundle.cli(&["kill", "--all", &bundle.id, "KILL"]).ok();
}
