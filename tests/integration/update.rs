//! `update`: by flags and by JSON, in whatever order the kernel wants it, all or nothing, and kept.

use crate::harness::*;
use crate::limits::read;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::Stdio;

const MIB: i64 = 1 << 20;

fn update(bundle: &Bundle, flags: &[&str]) -> Output {
    let mut args = vec!["update"];
    args.extend(flags);
    args.push(&bundle.id);
    bundle.cli(&args)
}

/// `update --resources -`, as the engines send it.
fn update_json(bundle: &Bundle, resources: &Value) -> Output {
    let mut child = bundle
        .command(&["update", "--resources", "-", &bundle.id])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(resources.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn limited(resources: Value) -> Bundle {
    let mut bundle = Bundle::sleeping();
    let given = bundle.config["linux"]["resources"].as_object_mut().unwrap();
    given.extend(resources.as_object().unwrap().clone());
    bundle
}

#[test]
fn memory_goes_up_and_down() {
    let version = needs_controller!("memory");
    let bundle = limited(json!({"memory": {"limit": 32 * MIB, "reservation": 24 * MIB}}));
    let container = bundle.start();
    let limits = limits_or_skip!(container, "memory");
    let limit = || limits.either("memory.limit_in_bytes", "memory.max");
    update(&bundle, &["--memory", "64M"]).ok();
    assert_eq!(limit(), (64 * MIB).to_string());
    update(&bundle, &["--memory-reservation", "33554432"]).ok();
    let reservation = limits.either("memory.soft_limit_in_bytes", "memory.low");
    assert_eq!(reservation, (32 * MIB).to_string());
    update(&bundle, &["--memory", "-1"]).ok();
    let none =
        |limit: &str| limit == "max" || limit.parse::<u64>().is_ok_and(|bytes| bytes > 1 << 50);
    assert!(none(&limit()), "{}", limit());
    if !limits.has("memory.memsw.limit_in_bytes", "memory.swap.max") {
        return;
    }
    let swap = || limits.either("memory.memsw.limit_in_bytes", "memory.swap.max");
    assert!(none(&swap()), "{}", swap());
    // Each step is legal, and each wants another order of writes.
    for (memory, both) in [(30, 50), (60, 80), (20, 20), (100, 100), (40, 90)] {
        let flags = [format!("{memory}M"), format!("{both}m")];
        update(
            &bundle,
            &["--memory", &flags[0], "--memory-swap", &flags[1]],
        )
        .ok();
        assert_eq!(limit(), (memory * MIB).to_string());
        let wanted = if version == 2 { both - memory } else { both };
        assert_eq!(swap(), (wanted * MIB).to_string());
    }
    // The one that is not given is known from before.
    update(&bundle, &["--memory", "50M"]).ok();
    assert_eq!(
        swap(),
        (if version == 2 { 40 } else { 90 } * MIB).to_string()
    );
    update(&bundle, &["--memory-swap", "60M"]).ok();
    assert_eq!(
        swap(),
        (if version == 2 { 10 } else { 60 } * MIB).to_string()
    );
    assert_eq!(limit(), (50 * MIB).to_string());
    let output = update(&bundle, &["--memory", "70M"]);
    output.fails_with("linux.resources.memory.");
    assert_eq!(limit(), (50 * MIB).to_string());
}

#[test]
fn cpu_time_is_updated_together_or_alone() {
    needs_controller!("cpu");
    let bundle = limited(json!({"cpu": {"shares": 100, "quota": 500_000, "period": 1_000_000}}));
    let container = bundle.start();
    let limits = limits_or_skip!(container, "cpu");
    let time = || match limits.v2 {
        true => read(&limits.dir, "cpu.max"),
        false => format!(
            "{} {}",
            read(&limits.dir, "cpu.cfs_quota_us").replace("-1", "max"),
            read(&limits.dir, "cpu.cfs_period_us")
        ),
    };
    let shares = || limits.either("cpu.shares", "cpu.weight");
    assert_eq!(time(), "500000 1000000");
    // Whole percents of a CPU: systemd knows no others.
    for (flags, wanted) in [
        (&["--cpu-period", "500000"][..], "500000 500000"),
        (&["--cpu-quota", "600000"], "600000 500000"),
        (&["--cpu-quota", "-1"], "max 500000"),
        (&["--cpu-period", "50000"], "max 50000"),
        (
            &["--cpu-quota", "3000", "--cpu-period", "10000"],
            "3000 10000",
        ),
        (&["--cpu-quota", "0"], "3000 10000"),
    ] {
        update(&bundle, flags).ok();
        assert_eq!(time(), wanted, "{flags:?}");
    }
    let before = shares();
    update(&bundle, &["--cpu-share", "2048"]).ok();
    assert_ne!(shares(), before);
    if !limits.has("cpu.cfs_burst_us", "cpu.max.burst") {
        return;
    }
    let burst = || limits.either("cpu.cfs_burst_us", "cpu.max.burst");
    // A burst may not be above the quota: now the one, now the other goes first.
    for (quota, wanted) in [
        ("50000", "40000"),
        ("5000", "4000"),
        ("90000", "80000"),
        ("90000", "0"),
    ] {
        update(&bundle, &["--cpu-quota", quota, "--cpu-burst", wanted]).ok();
        assert_eq!(burst(), wanted);
    }
}

#[test]
fn an_idle_cgroup_gets_shares_again() {
    needs_controller!("cpu");
    let bundle = limited(json!({"cpu": {"shares": 512}}));
    let container = bundle.start();
    let limits = limits_or_skip!(container, "cpu");
    if !limits.has("cpu.idle", "cpu.idle") {
        skip!("the kernel has no cpu.idle");
    }
    let shares = limits.either("cpu.shares", "cpu.weight");
    update(&bundle, &["--cpu-idle", "1"]).ok();
    assert_eq!(read(&limits.dir, "cpu.idle"), "1");
    update(&bundle, &["--pids-limit", "30"]).ok();
    assert_eq!(read(&limits.dir, "cpu.idle"), "1");
    update(&bundle, &["--cpu-idle", "2"]).fails_with("linux.resources.cpu.idle");
    assert_eq!(read(&limits.dir, "cpu.idle"), "1");
    update(&bundle, &["--cpu-idle", "0", "--cpu-share", "512"]).ok();
    assert_eq!(limits.either("cpu.shares", "cpu.weight"), shares);
    update(&bundle, &["--cpu-idle", "1", "--cpu-share", "512"]).ok();
    assert_eq!(read(&limits.dir, "cpu.idle"), "1");
}

#[test]
fn the_number_of_processes() {
    needs_controller!("pids");
    let mut bundle = limited(json!({"pids": {"limit": 20}}));
    // User Mode Linux does not survive a fork that the limit denies.
    bundle.set_args(&["sleep", "1000"]);
    let container = bundle.start();
    let limits = limits_or_skip!(container, "pids");
    for (given, wanted) in [("12345", "12345"), ("-1", "max"), ("0", "1"), ("40", "40")] {
        update(&bundle, &["--pids-limit", given]).ok();
        assert_eq!(read(&limits.dir, "pids.max"), wanted);
    }
}

#[test]
fn cpus_and_memory_nodes() {
    needs_controller!("cpuset");
    let bundle = limited(json!({"cpu": {"cpus": "0", "mems": "0"}}));
    let container = bundle.start();
    let limits = limits_or_skip!(container, "cpuset");
    let all = limits.either("../cpuset.cpus", "cpuset.cpus.effective");
    update_json(&bundle, &json!({"cpu": {"cpus": all, "mems": "0"}})).ok();
    assert_eq!(read(&limits.dir, "cpuset.cpus"), all);
    update(&bundle, &["--cpuset-cpus", "0", "--cpuset-mems", "0"]).ok();
    assert_eq!(read(&limits.dir, "cpuset.cpus"), "0");
    update(&bundle, &["--cpuset-cpus", "99999"]).fails_with("linux.resources.cpu.cpus");
}

#[test]
fn zeroes_of_an_engine_change_nothing() {
    needs_controller!("memory");
    let bundle = limited(json!({
        "memory": {"limit": 32 * MIB}, "cpu": {"shares": 100, "quota": 500_000, "period": 1_000_000}, "pids": {"limit": 20}
    }));
    let container = bundle.start();
    let memory = limits_or_skip!(container, "memory");
    let pids = limits_or_skip!(container, "pids");
    let cpu = limits_or_skip!(container, "cpu");
    let all = || {
        (
            memory.either("memory.limit_in_bytes", "memory.max"),
            cpu.either("cpu.cfs_quota_us", "cpu.max"),
            cpu.either("cpu.shares", "cpu.weight"),
        )
    };
    let before = all();
    // What dockerd sends for `docker update --pids-limit 33`.
    let docker = json!({
        "memory": {"limit": 0, "reservation": 0, "swap": 0, "kernel": 0},
        "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
        "pids": {"limit": 33}, "blockIO": {"weight": 0}
    });
    update_json(&bundle, &docker).ok();
    assert_eq!(all(), before);
    assert_eq!(read(&pids.dir, "pids.max"), "33");
    let half = json!({"memory": {"limit": 16 * MIB}});
    update_json(&bundle, &half).ok();
    assert_eq!(all().0, (16 * MIB).to_string());
}

#[test]
fn a_failed_update_changes_nothing() {
    needs_controller!("memory");
    let bundle = limited(json!({"memory": {"limit": 32 * MIB}, "pids": {"limit": 20}}));
    let container = bundle.start();
    let memory = limits_or_skip!(container, "memory");
    let pids = limits_or_skip!(container, "pids");
    let output = update(
        &bundle,
        &["--memory", "64M", "--pids-limit", "30", "--cpu-period", "1"],
    );
    output.fails_with("linux.resources.cpu.");
    assert_eq!(
        memory.either("memory.limit_in_bytes", "memory.max"),
        (32 * MIB).to_string()
    );
    assert_eq!(read(&pids.dir, "pids.max"), "20");
}

#[test]
fn a_failed_update_leaves_what_had_no_limit_without() {
    needs_controller!("cpu");
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let cpu = limits_or_skip!(container, "cpu");
    let time = || {
        (
            cpu.either("cpu.cfs_quota_us", "cpu.max"),
            cpu.either("cpu.shares", "cpu.weight"),
        )
    };
    let before = time();
    let memory = crate::limits::Limits::of(&container, "memory");
    let limit = || {
        let memory = memory.as_ref()?;
        Some(memory.either("memory.limit_in_bytes", "memory.max"))
    };
    let limit_before = limit();
    let mut asked = json!({"cpu": {"shares": 77, "quota": 50_000, "idle": 2}});
    if memory.is_some() {
        asked["memory"] = json!({"limit": 64 * MIB});
    }
    update_json(&bundle, &asked).fails_with("linux.resources.cpu.idle");
    asked["cpu"] = json!({"shares": 77, "quota": 50_000});
    asked["rdma"] = json!({"nosuch0": {"hcaHandles": 1}});
    update_json(&bundle, &asked).fails_with("linux.resources.rdma");
    assert_eq!(time(), before);
    assert_eq!(limit(), limit_before);
}

#[test]
fn the_oom_killer_goes_and_comes_back() {
    if needs_controller!("memory") == 2 {
        skip!("cgroup v2 always has its OOM killer");
    }
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let limits = limits_or_skip!(container, "memory");
    for disable in [true, false, true] {
        update_json(&bundle, &json!({"memory": {"disableOOMKiller": disable}})).ok();
        let text = format!("oom_kill_disable {}", u8::from(disable));
        assert!(read(&limits.dir, "memory.oom_control").starts_with(&text));
        // What is not named stays.
        update(&bundle, &["--pids-limit", "50"]).ok();
        assert!(read(&limits.dir, "memory.oom_control").starts_with(&text));
    }
}

#[test]
fn disks_are_updated_one_by_one() {
    let Some((major, minor)) = crate::resources::disk() else {
        skip!("there is no disk");
    };
    if crate::limits::version("blkio").is_none() {
        needs_controller!("io");
    }
    let one = |rate: i64| json!([{"major": major, "minor": minor, "rate": rate}]);
    let bundle = limited(
        json!({"blockIO": {"throttleReadBpsDevice": one(MIB), "throttleWriteIOPSDevice": one(700)}}),
    );
    let container = bundle.start();
    let limits = crate::limits::Limits::of(&container, "blkio")
        .or_else(|| crate::limits::Limits::of(&container, "io"))
        .unwrap();
    let rates = || match limits.v2 {
        true => read(&limits.dir, "io.max"),
        false => {
            let files = ["read_bps", "write_iops"].map(|kind| {
                read(&limits.dir, &format!("blkio.throttle.{kind}_device"))
                    .trim_start_matches(&format!("{major}:{minor} "))
                    .to_owned()
            });
            let [read, write] = files.map(|rate| match rate.as_str() {
                "" => "max".to_owned(),
                _ => rate,
            });
            format!("{major}:{minor} rbps={read} wbps=max riops=max wiops={write}")
        }
    };
    let wanted = |read: i64, write: &str| {
        format!("{major}:{minor} rbps={read} wbps=max riops=max wiops={write}")
    };
    assert_eq!(rates(), wanted(MIB, "700"));
    let resources = bundle.dir.join("resources.json");
    let asked = json!({"blockIO": {"throttleReadBpsDevice": one(2 * MIB)}});
    fs::write(&resources, asked.to_string()).unwrap();
    update(&bundle, &["-r", resources.to_str().unwrap()]).ok();
    assert_eq!(rates(), wanted(2 * MIB, "700"));
    // 0 is no limit.
    update_json(
        &bundle,
        &json!({"blockIO": {"throttleWriteIOPSDevice": one(0)}}),
    )
    .ok();
    assert_eq!(rates(), wanted(2 * MIB, "max"));
    // A failure brings back the rates that were there.
    let asked = json!({"blockIO": {"throttleReadBpsDevice": one(3 * MIB)}, "rdma": {"nosuch0": {"hcaHandles": 1}}});
    update_json(&bundle, &asked).fails_with("linux.resources.rdma");
    assert_eq!(rates(), wanted(2 * MIB, "max"));
    let nosuch = json!([{"major": 4000, "minor": 1, "rate": 5}]);
    update_json(
        &bundle,
        &json!({"blockIO": {"throttleReadBpsDevice": nosuch}}),
    )
    .fails_with("linux.resources.blockIO.throttleReadBpsDevice: write /sys/fs/cgroup/");
}

#[test]
fn a_paused_container_stays_paused() {
    needs_controller!("pids");
    let bundle = limited(json!({"pids": {"limit": 20}}));
    let container = bundle.start();
    let limits = limits_or_skip!(container, "pids");
    container.cli("pause").ok();
    update(&bundle, &["--pids-limit", "30"]).ok();
    assert_eq!(read(&limits.dir, "pids.max"), "30");
    assert_eq!(container.status(), "paused");
    container.cli("resume").ok();
    assert_eq!(container.status(), "running");
}

#[test]
fn devices_are_kept_by_updates_of_something_else() {
    root_only!("device rules");
    let mut bundle = Bundle::sleeping();
    let rules = json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]);
    bundle.config["linux"]["resources"]["devices"] = rules.clone();
    bundle.config["linux"]["devices"] =
        json!([{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]);
    let _container = bundle.start();
    let reads = || {
        let output = bundle.cli(&["exec", &bundle.id, "sh", "-c", ": < /dev/fuse"]);
        !output.stderr.contains("Operation not permitted")
    };
    assert!(reads());
    update(&bundle, &["--pids-limit", "100"]).ok();
    assert!(reads());
    update_json(&bundle, &json!({"devices": rules})).ok();
    assert!(reads());
    update_json(
        &bundle,
        &json!({"devices": [{"allow": false, "access": "rwm"}]}),
    )
    .ok();
    assert!(!reads());
}

#[test]
fn check_before_update_refuses_what_would_kill() {
    if needs_controller!("memory") != 2 {
        skip!("only cgroup v2 kills to get below a limit");
    }
    let bundle = limited(json!({"memory": {"limit": 64 * MIB}}));
    let container = bundle.start();
    let asked = |memory: Value| update_json(&bundle, &json!({"memory": memory}));
    asked(json!({"limit": 1024, "checkBeforeUpdate": true}))
        .fails_with("rejecting memory limit 1024 <= usage");
    asked(json!({"limit": 1024, "swap": 2048, "checkBeforeUpdate": true}))
        .fails_with("rejecting memory+swap limit 2048 <= usage");
    assert_eq!(container.status(), "running");
    asked(json!({"limit": 1024}));
    container.wait_for_status("stopped");
}

#[test]
fn what_cannot_be_is_said() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    for (flags, text) in [
        (
            &["--memory", "12x"][..],
            "invalid value for memory: \"12x\"",
        ),
        (&["--memory-swap", "-2"], "invalid value for memory-swap"),
        (&["--cpu-share", "-1"], "invalid value for cpu-share"),
        (&["--cpu-quota", "abc"], "invalid value for cpu-quota"),
        (&["--pids-limit", "many"], "invalid value for pids-limit"),
        (
            &["--blkio-weight", "70000"],
            "invalid value for blkio-weight",
        ),
        (&["-r", "/nonexistent"], "no such file or directory"),
    ] {
        update(&bundle, flags).fails_with(text);
    }
    if !fs::read_to_string("/proc/mounts")
        .unwrap()
        .contains(" resctrl ")
    {
        update(&bundle, &["--l3-cache-schema", "L3:0=f"])
            .fails_with("l3 cache schema is not enabled");
        update(&bundle, &["--mem-bw-schema", "MB:0=20"])
            .fails_with("memory bandwidth schema is not enabled");
    }
    update_json(&bundle, &json!({"memory": {"limit": "much"}})).fails_with("memory.limit");
    update(&bundle, &["--no-such-flag", "1"]).fails_with("no-such-flag");
    let file = bundle.dir.join("resources.json");
    for (text, wrong) in [
        ("", "--resources"),
        ("{\"cpu\": ", "--resources"),
        ("[]", "--resources"),
    ] {
        fs::write(&file, text).unwrap();
        update(&bundle, &["-r", file.to_str().unwrap()]).fails_with(wrong);
    }
    bundle
        .cli(&["update", "--pids-limit", "30"])
        .fails_with("update");
    bundle
        .cli(&["update", "--pids-limit", "30", "nosuch"])
        .fails_with("container does not exist");
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    update(&bundle, &["--pids-limit", "30"]).fails_with("container not running");
}
