//! `linux.resources` field by field, at create and, where nothing else is to be said of it, in an `update`: the files of
//! the cgroup, in either version.

use crate::harness::*;
use crate::limits::{Limits, read};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const MIB: u64 = 1 << 20;

fn limited(resources: Value) -> Bundle {
    let mut bundle = Bundle::sleeping();
    let given = bundle.config["linux"]["resources"].as_object_mut().unwrap();
    given.extend(resources.as_object().unwrap().clone());
    bundle
}

/// `update` with these flags.
fn update(bundle: &Bundle, flags: &[&str]) -> Output {
    bundle.cli(&[&["update"], flags, &[&bundle.id]].concat())
}

/// `update` with a file.
fn update_json(bundle: &Bundle, resources: Value) -> Output {
    let file = bundle.dir.join("resources.json");
    fs::write(&file, resources.to_string()).unwrap();
    update(bundle, &["--resources", file.to_str().unwrap()])
}

/// The numbers of a whole disk, for limits on it.
pub fn disk() -> Option<(u64, u64)> {
    for entry in fs::read_dir("/sys/block").ok()?.flatten() {
        let name = entry.file_name().into_string().ok()?;
        if name.starts_with("loop") || name.starts_with("ram") || name.starts_with("zram") {
            continue;
        }
        let numbers = fs::read_to_string(entry.path().join("dev")).ok()?;
        let (major, minor) = numbers.trim().split_once(':')?;
        return Some((major.parse().ok()?, minor.parse().ok()?));
    }
    None
}

#[test]
fn swap_is_limited_beside_memory() {
    let version = needs_controller!("memory");
    let bundle = limited(json!({"memory": {"limit": 32 * MIB, "swap": 48 * MIB}}));
    let container = bundle.create();
    let limits = limits_or_skip!(container, "memory");
    if !limits.has("memory.memsw.limit_in_bytes", "memory.swap.max") {
        skip!("the kernel does not count swap");
    }
    let wanted = if version == 2 { 16 * MIB } else { 48 * MIB };
    let swap = limits.either("memory.memsw.limit_in_bytes", "memory.swap.max");
    assert_eq!(swap, wanted.to_string());
}

#[test]
fn limits_on_kernel_memory_are_ignored() {
    needs_controller!("memory");
    let bundle = limited(
        json!({"memory": {"limit": 32 * MIB, "kernel": 4096, "kernelTCP": 4096, "useHierarchy": true}}),
    );
    let container = bundle.start();
    let limits = limits_or_skip!(container, "memory");
    for flags in [
        &[][..],
        &["--kernel-memory", "4096", "--kernel-memory-tcp", "4k"],
    ] {
        let said = update(&bundle, flags).ok().stderr;
        let warns = said.contains("Kernel memory settings are ignored");
        assert_eq!(warns, !flags.is_empty(), "{said}");
        let limit = limits.either("memory.limit_in_bytes", "memory.max");
        assert_eq!(limit, (32 * MIB).to_string());
    }
    assert_eq!(container.status(), "running");
}

#[test]
fn what_only_v1_has_is_said_on_v2() {
    let version = needs_controller!("memory");
    let bundle = limited(json!({"memory": {"swappiness": 10, "disableOOMKiller": true}}));
    let output = bundle.try_create().ok();
    if version == 2 {
        for field in ["memory.swappiness", "memory.disableOOMKiller"] {
            let warning = format!("linux.resources.{field}: ignored: cgroup v2 has no such limit");
            assert!(output.stderr.contains(&warning), "{output:?}");
        }
        return;
    }
    assert_eq!(output.stderr, "");
    let state: Value =
        serde_json::from_str(&bundle.cli(&["state", &bundle.id]).ok().stdout).unwrap();
    let dir = cgroup_dir(state["pid"].as_i64().unwrap() as i32, "memory").unwrap();
    assert_eq!(read(&dir, "memory.swappiness"), "10");
    assert!(read(&dir, "memory.oom_control").starts_with("oom_kill_disable 1"));
}

#[test]
fn swappiness_has_bounds() {
    if needs_controller!("memory") == 2 {
        skip!("cgroup v2 has no swappiness");
    }
    let output = limited(json!({"memory": {"swappiness": 101}})).try_create();
    output.fails_with("invalid memory swappiness value: 101 (valid range is 0-100)");
    // As older engines write the default.
    limited(json!({"memory": {"swappiness": u64::MAX}})).create();
}

#[test]
fn shares_become_weights_by_the_newest_formula() {
    let version = needs_controller!("cpu");
    for (shares, weight) in [(2, 1), (102, 17), (512, 59), (1024, 100), (262_144, 10_000)] {
        let bundle = limited(json!({"cpu": {"shares": shares}}));
        let container = bundle.create();
        let limits = limits_or_skip!(container, "cpu");
        let wanted: u64 = if version == 2 { weight } else { shares };
        assert_eq!(
            limits.either("cpu.shares", "cpu.weight"),
            wanted.to_string()
        );
    }
}

#[test]
fn bursts_and_idleness() {
    needs_controller!("cpu");
    let bundle = limited(json!({"cpu": {"quota": 50_000, "burst": 20_000, "idle": 1}}));
    let container = bundle.create();
    let limits = limits_or_skip!(container, "cpu");
    if !limits.has("cpu.cfs_burst_us", "cpu.max.burst") || !limits.has("cpu.idle", "cpu.idle") {
        skip!("the kernel has no cpu.idle or no bursts");
    }
    assert_eq!(limits.either("cpu.cfs_burst_us", "cpu.max.burst"), "20000");
    assert_eq!(read(&limits.dir, "cpu.idle"), "1");
    drop(container);
    let bundle = limited(json!({"cpu": {"quota": 50_000, "burst": 60_000}}));
    bundle.try_create().fails_with("linux.resources.cpu.");
    bundle.assert_nothing_left();
}

#[test]
fn realtime_is_set_before_a_process_joins() {
    if needs_controller!("cpu") == 2 {
        let bundle = Bundle::sleeping();
        let _container = bundle.create();
        let said = update(&bundle, &["--cpu-rt-runtime", "900"]).ok().stderr;
        assert!(said.contains("cpu.realtimeRuntime: ignored"), "{said}");
        skip!("cgroup v2 has no budget for real-time processes");
    }
    // SAFETY: getpid cannot fail.
    let own = cgroup_dir(unsafe { libc::getpid() }, "cpu").unwrap();
    let budget = |dir: &Path| {
        let text = fs::read_to_string(dir.join("cpu.rt_runtime_us")).unwrap_or_default();
        text.trim().parse::<i64>().unwrap_or(0)
    };
    let below = fs::read_dir(&own).unwrap().flatten();
    let given: i64 = below.map(|entry| budget(&entry.path())).sum();
    if budget(&own) - given < 2000 {
        skip!("no budget for real-time processes is left here");
    }
    let bundle = limited(json!({"cpu": {"realtimeRuntime": 1000, "realtimePeriod": 500_000}}));
    let container = bundle.create();
    let limits = limits_or_skip!(container, "cpu");
    assert_eq!(read(&limits.dir, "cpu.rt_runtime_us"), "1000");
    assert_eq!(read(&limits.dir, "cpu.rt_period_us"), "500000");
    update(
        &bundle,
        &["--cpu-rt-runtime", "900", "--cpu-rt-period", "600000"],
    )
    .ok();
    assert_eq!(read(&limits.dir, "cpu.rt_runtime_us"), "900");
    assert_eq!(read(&limits.dir, "cpu.rt_period_us"), "600000");
}

#[test]
fn cpus_and_memory_nodes() {
    needs_controller!("cpuset");
    let bundle = limited(json!({"cpu": {"cpus": "0", "mems": "0"}}));
    let container = bundle.start();
    let limits = limits_or_skip!(container, "cpuset");
    assert_eq!(read(&limits.dir, "cpuset.cpus"), "0");
    assert_eq!(read(&limits.dir, "cpuset.mems"), "0");
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    assert!(status.contains("\nCpus_allowed_list:\t0\n"), "{status}");
}

#[test]
fn disk_weights() {
    let version = needs_controller!(if crate::limits::version("blkio").is_some() {
        "blkio"
    } else {
        "io"
    });
    let bundle = limited(json!({"blockIO": {"weight": 500}}));
    let output = bundle.try_create();
    if output.code() != 0 {
        output.fails_with("linux.resources.blockIO.weight: write /sys/fs/cgroup/");
        skip!("no scheduler here has weights");
    }
    let state: Value =
        serde_json::from_str(&bundle.cli(&["state", &bundle.id]).ok().stdout).unwrap();
    let pid = state["pid"].as_i64().unwrap() as i32;
    let dir = cgroup_dir(pid, if version == 2 { "io" } else { "blkio" }).unwrap();
    let files = match version {
        2 => ["io.bfq.weight", "io.weight"],
        _ => ["blkio.weight", "blkio.bfq.weight"],
    };
    let file = files.iter().find(|file| dir.join(file).exists()).unwrap();
    let weight = || read(&dir, file).trim_start_matches("default ").to_owned();
    let wanted = |weight: &str, converted: &str| match *file {
        "io.weight" => converted.to_owned(),
        _ => weight.to_owned(),
    };
    assert_eq!(weight(), wanted("500", "4950"));
    update(&bundle, &["--blkio-weight", "300"]).ok();
    assert_eq!(weight(), wanted("300", "2930"));
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    let bundle = limited(json!({"blockIO": {"weight": 5000}}));
    bundle
        .try_create()
        .fails_with("linux.resources.blockIO.weight");
    bundle.assert_nothing_left();
}

/// The one scheduler that has weights for single disks, for as long as this lives and if the kernel has it.
struct Bfq(PathBuf, String);

impl Bfq {
    fn of((major, minor): (u64, u64)) -> Bfq {
        let file = PathBuf::from(format!("/sys/dev/block/{major}:{minor}/queue/scheduler"));
        let known = fs::read_to_string(&file).unwrap_or_default();
        let used = known.split(['[', ']']).nth(1).unwrap_or_default();
        let _ = fs::write(&file, "bfq");
        Bfq(file, used.to_owned())
    }
}

impl Drop for Bfq {
    fn drop(&mut self) {
        let _ = fs::write(&self.0, &self.1);
    }
}

#[test]
fn weights_of_single_disks() {
    let Some((major, minor)) = disk() else {
        skip!("there is no disk");
    };
    let _scheduler = Bfq::of((major, minor));
    let bundle = limited(json!({"blockIO": {
        "weightDevice": [{"major": major, "minor": minor, "weight": 300}]
    }}));
    if crate::limits::version("blkio").is_none() {
        needs_controller!("io");
    }
    let output = bundle.try_create();
    if output.code() != 0 {
        output.fails_with("linux.resources.blockIO.weightDevice: write /sys/fs/cgroup/");
        bundle.assert_nothing_left();
        skip!("no scheduler here has weights for single disks");
    }
    let state: Value =
        serde_json::from_str(&bundle.cli(&["state", &bundle.id]).ok().stdout).unwrap();
    let pid = state["pid"].as_i64().unwrap() as i32;
    let dir = cgroup_dir(pid, "blkio").or_else(|| cgroup_dir(pid, "io"));
    let dir = dir.unwrap();
    let found = [
        ("blkio.weight_device", 300),
        ("blkio.bfq.weight_device", 300),
        ("io.bfq.weight", 300),
        ("io.weight", 2930),
    ]
    .iter()
    .filter_map(|(file, weight)| Some((fs::read_to_string(dir.join(file)).ok()?, weight)))
    .any(|(text, weight)| {
        let line = format!("{major}:{minor} {weight}");
        text.lines().any(|one| one == line)
    });
    assert!(found, "no weight of {major}:{minor} in {}", dir.display());
}

#[test]
fn disk_throttles() {
    let Some((major, minor)) = disk() else {
        skip!("there is no disk");
    };
    let one = |rate: u64| json!([{"major": major, "minor": minor, "rate": rate}]);
    let bundle = limited(json!({"blockIO": {
        "throttleReadBpsDevice": one(10 * MIB), "throttleWriteBpsDevice": one(9 * MIB),
        "throttleReadIOPSDevice": one(1000), "throttleWriteIOPSDevice": one(900)
    }}));
    if crate::limits::version("blkio").is_none() {
        needs_controller!("io");
    }
    let container = bundle.create();
    let of = |controller| Limits::of(&container, controller);
    let Some(limits) = of("blkio").or_else(|| of("io")) else {
        skip!("no disk controller here");
    };
    let device = format!("{major}:{minor}");
    if limits.v2 {
        let wanted = format!("{device} rbps=10485760 wbps=9437184 riops=1000 wiops=900");
        assert_eq!(read(&limits.dir, "io.max"), wanted);
        return;
    }
    for (file, rate) in [
        ("blkio.throttle.read_bps_device", 10 * MIB),
        ("blkio.throttle.write_bps_device", 9 * MIB),
        ("blkio.throttle.read_iops_device", 1000),
        ("blkio.throttle.write_iops_device", 900),
    ] {
        assert_eq!(read(&limits.dir, file), format!("{device} {rate}"));
    }
}

#[test]
fn huge_pages_used_and_reserved() {
    let bundle = limited(json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]}));
    let output = bundle.try_create();
    if output.code() != 0 {
        output.fails_with("linux.resources.hugepageLimits");
        bundle.assert_nothing_left();
        skip!("no hugetlb controller, or no such pages here");
    }
    let state: Value =
        serde_json::from_str(&bundle.cli(&["state", &bundle.id]).ok().stdout).unwrap();
    let dir = cgroup_dir(state["pid"].as_i64().unwrap() as i32, "hugetlb").unwrap();
    let suffix = match dir.join("cgroup.controllers").exists() {
        true => "max",
        false => "limit_in_bytes",
    };
    for limit in [4 * MIB, 6 * MIB] {
        for kind in ["", ".rsvd"] {
            let file = format!("hugetlb.2MB{kind}.{suffix}");
            assert_eq!(read(&dir, &file), limit.to_string(), "{file}");
        }
        let more = json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 6 * MIB}]});
        update_json(&bundle, more).ok();
    }
}

#[test]
fn traffic_is_marked() {
    let bundle =
        limited(json!({"network": {"classID": 7, "priorities": [{"name": "lo", "priority": 3}]}}));
    let v1 = |controller| crate::limits::version(controller) == Some(1);
    if fs::exists("/sys/fs/cgroup/cgroup.controllers").unwrap() {
        let output = bundle.try_create().ok();
        assert!(
            output.stderr.contains("linux.resources.network: ignored"),
            "{output:?}"
        );
        return;
    }
    if !v1("net_cls") || !v1("net_prio") {
        bundle.try_create().fails_with("linux.resources.network.");
        bundle.assert_nothing_left();
        skip!("no net_cls and net_prio controllers here");
    }
    let container = bundle.create();
    let dir = |controller| cgroup_dir(container.pid(), controller).unwrap();
    assert_eq!(read(&dir("net_cls"), "net_cls.classid"), "7");
    assert!(
        read(&dir("net_prio"), "net_prio.ifpriomap")
            .lines()
            .any(|line| line == "lo 3")
    );
}

#[test]
fn rdma_of_no_device_is_an_error() {
    let limits = json!({"rdma": {"nosuch0": {"hcaHandles": 3, "hcaObjects": 10}}});
    let bundle = limited(limits);
    bundle.try_create().fails_with("linux.resources.rdma");
    bundle.assert_nothing_left();
}

#[test]
fn files_of_v2_are_written_after_all_else() {
    let version = needs_controller!("memory");
    let bundle = limited(json!({
        "memory": {"limit": 32 * MIB}, "cpu": {"shares": 3333},
        "unified": {"memory.max": (40 * MIB).to_string(), "cpu.weight": "42", "memory.min": "131072"}
    }));
    if version == 1 {
        let text = "invalid configuration: cannot use unified on cgroup v1";
        bundle.try_create().fails_with(text);
        bundle.assert_nothing_left();
        return;
    }
    let container = bundle.create();
    let limits = limits_or_skip!(container, "memory");
    assert_eq!(read(&limits.dir, "memory.max"), (40 * MIB).to_string());
    assert_eq!(read(&limits.dir, "cpu.weight"), "42");
    assert_eq!(read(&limits.dir, "memory.min"), "131072");
    let high = json!({"unified": {"memory.high": (20 * MIB).to_string()}});
    update_json(&bundle, high).ok();
    assert_eq!(read(&limits.dir, "memory.high"), (20 * MIB).to_string());
    assert_eq!(read(&limits.dir, "memory.min"), "131072");
    drop(container);
    for (file, value, text) in [
        (
            "memory.nosuch",
            "1",
            "linux.resources.unified.memory.nosuch: write /sys",
        ),
        ("nosuch.max", "1", "controller \"nosuch\" not available"),
        ("nosuch", "1", "must be in the form CONTROLLER.PARAMETER"),
        ("../x.y", "1", "must be a file name (no slashes)"),
        ("pids.max", "x", "linux.resources.unified.pids.max: "),
    ] {
        let mut unified = json!({});
        unified[file] = json!(value);
        let bundle = limited(json!({"unified": unified}));
        bundle.try_create().fails_with(text);
        bundle.assert_nothing_left();
    }
}
