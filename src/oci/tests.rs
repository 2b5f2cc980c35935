//! What the spec's own examples, and Go's habits, ask of the types.

use super::*;

fn config(text: &str) -> Config {
    parse(text.as_bytes(), "config.json").unwrap()
}

fn written(value: &impl crate::json::Value) -> String {
    String::from_utf8(crate::json::text(value)).unwrap()
}

fn error(text: &str) -> String {
    parse::<Config>(text.as_bytes(), "config.json")
        .unwrap_err()
        .to_string()
}

#[test]
fn reads_a_whole_configuration() {
    let config = config(
        r#"{
        "ociVersion": "1.3.0", "hostname": "box", "unknown": {"deep": [1, {}]},
        "process": {
            "terminal": true, "consoleSize": {"height": 24, "width": 80},
            "user": {"uid": 1, "gid": 2, "umask": 63, "additionalGids": [5, 6]},
            "args": ["sh"], "env": ["A=b"], "cwd": "/", "oomScoreAdj": -500, "selinuxLabel": "s",
            "capabilities": {"bounding": ["CAP_KILL"]},
            "rlimits": [{"type": "RLIMIT_CORE", "hard": 1024, "soft": 18446744073709551615}],
            "scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1, "flags": ["SCHED_FLAG_RECLAIM"]},
            "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 4},
            "execCPUAffinity": {"initial": "7", "final": "0-3,7"}
        },
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc",
            "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 32000}]}],
        "hooks": {"prestart": [{"path": "/bin/x", "args": ["x"], "timeout": 10}]},
        "annotations": {"k": "v"},
        "linux": {
            "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0}],
            "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 32000}],
            "sysctl": {"net.ipv4.ip_forward": "1"}, "cgroupsPath": "/my/box", "rootfsPropagation": "rslave",
            "resources": {
                "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]},
                "pids": {"limit": 32771}, "hugepageLimits": [{"pageSize": "2MB", "limit": 9223372036854772000}],
                "memory": {"limit": -1, "kernelTCP": 7, "disableOOMKiller": false},
                "cpu": {"shares": 1024, "quota": -1, "cpus": "2-3", "idle": 0},
                "devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10}],
                "blockIO": {"weight": 10, "weightDevice": [{"major": 8, "minor": 0, "weight": 500}],
                    "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 300}]},
                "rdma": {"mlx5_1": {"hcaHandles": 3}}, "unified": {"memory.high": "1"}
            },
            "namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/ns"}],
            "netDevices": {"eth0": {"name": "container0"}, "ens4": {}},
            "maskedPaths": ["/proc/kcore"], "intelRdt": {"closID": "c", "l3CacheSchema": "L3:0=f"},
            "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "personality": {"domain": "LINUX32"}, "timeOffsets": {"monotonic": {"secs": -5, "nanosecs": 6}},
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X32"],
                "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5,
                    "args": [{"index": 1, "value": 18446744073709551615, "op": "SCMP_CMP_MASKED_EQ"}]}]}
        }}"#,
    );
    let process = config.process.as_ref().unwrap();
    assert_eq!(process.user.additional_gids, [5, 6]);
    assert_eq!(process.rlimits[0].soft, u64::MAX);
    assert_eq!(process.oom_score_adj, Some(-500));
    assert_eq!(
        process.exec_cpu_affinity.as_ref().unwrap().last.as_deref(),
        Some("0-3,7")
    );
    assert_eq!(config.mounts[0].uid_mappings[0].host_id, 1000);
    let linux = &config.linux;
    assert_eq!(linux.rootfs_propagation, Some(Propagation::Rslave));
    assert_eq!(
        linux
            .namespace(NamespaceType::Network)
            .unwrap()
            .path
            .as_deref(),
        Some("/run/ns")
    );
    assert_eq!(linux.time_offsets[&Clock::Monotonic].secs, -5);
    assert_eq!(linux.net_devices["ens4"].name, None);
    assert_eq!(
        linux.intel_rdt.as_ref().unwrap().clos_id.as_deref(),
        Some("c")
    );
    let resources = linux.resources.as_ref().unwrap();
    assert_eq!(resources.devices[0].kind, DeviceRuleType::All);
    assert_eq!(resources.memory.unwrap().kernel_tcp, Some(7));
    assert_eq!(
        resources
            .block_io
            .as_ref()
            .unwrap()
            .throttle_write_iops_device[0]
            .rate,
        300
    );
    assert_eq!(resources.network.as_ref().unwrap().class_id, Some(1048577));
    assert_eq!(
        linux.seccomp.as_ref().unwrap().syscalls[0].args[0].value,
        u64::MAX
    );
}

#[test]
fn null_and_the_empty_string_are_absent() {
    let config = config(
        r#"{"ociVersion": "1.0.0", "process": {"args": null, "user": null, "capabilities": {"ambient": null},
        "terminal": null, "apparmorProfile": ""}, "root": null, "mounts": null, "hooks": null, "annotations": null,
        "linux": {"namespaces": null, "resources": {"devices": null, "cpu": {"cpus": ""}, "unified": null},
        "sysctl": null, "rootfsPropagation": "", "cgroupsPath": "", "timeOffsets": null, "seccomp": null}}"#,
    );
    assert!(config.root.is_none() && config.hooks.is_empty());
    assert_eq!(config.process.unwrap().apparmor_profile, None);
    assert_eq!(config.linux.rootfs_propagation, Some(Propagation::Rslave));
    assert_eq!(config.linux.cgroups_path, None);
    assert_eq!(config.linux.resources.unwrap().cpu.unwrap().cpus, None);
    assert!(
        super::parse::<Config>(br#"{"linux": null}"#, "f")
            .unwrap()
            .linux
            .namespaces
            .is_empty()
    );
}

#[test]
fn errors_name_the_field() {
    let text = "{\"linux\": {\n  \"namespaces\": [{\"type\": \"pid\"},\n {\"path\": \"/a\", \"type\": \"foo\"}]}}";
    let line = error(text);
    assert!(
        line.starts_with(
            "config.json: linux.namespaces[1].type: unknown variant `foo`, expected one of `cgroup`"
        ),
        "{line}"
    );
    for (text, start) in [
        (
            r#"{"linux": {"netDevices": {"eth0": {"name": 23}}}}"#,
            "linux.netDevices.eth0.name: invalid type: integer",
        ),
        (
            r#"{"linux": {"resources": {"rdma": {"m": {"hcaHandles": "no"}}}}}"#,
            "linux.resources.rdma.m.hcaHandles: inv",
        ),
        (
            r#"{"linux": {"resources": {"pids": {"limit": 1.5}}}}"#,
            "linux.resources.pids.limit: invalid type: floating point",
        ),
        (
            r#"{"process": {"user": {"uid": -1}, "cwd": "/"}}"#,
            "process.user.uid: invalid value: integer `-1`",
        ),
        (
            r#"{"process": {"args": ["a", {}]}}"#,
            "process.args[1]: invalid type: map, expected a string",
        ),
        (
            r#"{"mounts": {}}"#,
            "mounts: invalid type: map, expected a sequence",
        ),
        (
            r#"{"linux": {"namespaces": [{"path": "/a"}]}}"#,
            "linux.namespaces[0]: missing field `type`",
        ),
        (
            r#"{"linux": {"seccomp": {}}}"#,
            "linux.seccomp: missing field `defaultAction`",
        ),
        (
            r#"{"linux": {"timeOffsets": {"realtime": {}}}}"#,
            "linux.timeOffsets.realtime: unknown variant `realtime`",
        ),
        (
            r#"{"linux": {"rootfsPropagation": "up"}}"#,
            "linux.rootfsPropagation: unknown variant `up`",
        ),
        (
            r#"{"linux": {"devices": [{"type": "x", "path": "/"}]}}"#,
            "linux.devices[0].type: unknown variant `x`",
        ),
        (r#"{"annotations": {"a\"]b": 1}}"#, "annotations.a"),
        (r#"3"#, "invalid type: integer"),
    ] {
        let line = error(text);
        assert!(line.starts_with(&format!("config.json: {start}")), "{line}");
        assert!(!line.contains("line 1"), "{line}");
    }
}

#[test]
fn broken_json_names_the_line() {
    assert!(
        error("{]").starts_with("config.json: line 1, column 2: invalid JSON: "),
        "{}",
        error("{]")
    );
    let line = error("{\n\"linux\": {\"sysctl\": {\"a\": ");
    assert!(
        line.starts_with("config.json: line 2, column") && line.contains("linux.sysctl.a: "),
        "{line}"
    );
    for text in [
        "",
        "\\",
        "\"",
        "{\"a\\",
        "{\"a\": \"\\",
        "}}]]",
        "\n\n",
        "{\"a\": [1,",
        "\u{e9}",
    ] {
        assert!(error(text).starts_with("config.json: "));
    }
}

#[test]
fn the_kept_types_survive_a_round_trip() {
    let text = r#"{"devices":[{"allow":true,"type":"c","major":1,"access":"r"}],"memory":{"limit":5,"kernelTCP":1},"pids":{"limit":-1},"blockIO":{"leafWeight":3},"unified":{"a":"b"}}"#;
    let resources: Resources = parse(text.as_bytes(), "state.json").unwrap();
    assert_eq!(written(&resources), text);
    let text = r#"{"poststop":[{"path":"/p","args":["p"],"timeout":1}]}"#;
    let hooks: Hooks = parse(text.as_bytes(), "state.json").unwrap();
    assert_eq!(written(&hooks), text);
    let text = r#"{"ociVersion":"0.2.0","id":"one","status":"running","pid":4422,"bundle":"/b","annotations":{"k":"v"}}"#;
    let state: State = parse(text.as_bytes(), "state.json").unwrap();
    assert_eq!(written(&state), text);
    let process_state = ContainerProcessState {
        oci_version: VERSION.into(),
        fds: vec!["seccompFd".into()],
        pid: 7,
        metadata: None,
        state: State {
            pid: 0,
            annotations: Default::default(),
            ..state
        },
    };
    let text = r#"{"ociVersion":"1.3.0","fds":["seccompFd"],"pid":7,"state":{"ociVersion":"0.2.0","id":"one","status":"running","pid":0,"bundle":"/b"}}"#;
    assert_eq!(written(&process_state), text);
}

#[test]
fn features_have_the_spec_s_names() {
    let features = Features {
        oci_version_min: "1.0.0".into(),
        oci_version_max: VERSION.into(),
        ..Default::default()
    };
    let text = written(&features);
    assert!(text.starts_with(
        r#"{"ociVersionMin":"1.0.0","ociVersionMax":"1.3.0","hooks":[],"mountOptions":[],"linux""#
    ));
    for part in [
        r#""systemdUser":false"#,
        r#""mountExtensions":{"idmap":{"enabled":false}}"#,
        r#""intelRdt":{"#,
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn words_and_types_agree() {
    for &kind in NamespaceType::ALL {
        let text = format!("{{\"type\": \"{}\"}}", kind.name());
        assert_eq!(parse::<Namespace>(text.as_bytes(), "f").unwrap().kind, kind);
    }
    assert_eq!(SeccompAction::ALL.len(), 9);
    assert_eq!(SeccompArch::ALL.len(), 23);
    assert_eq!(SeccompFlag::Tsync.name(), "SECCOMP_FILTER_FLAG_TSYNC");
    assert_eq!(SeccompOperator::MaskedEqual.name(), "SCMP_CMP_MASKED_EQ");
}
