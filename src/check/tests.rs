//! Each rule, by a configuration that breaks it, and what must not be refused.

use crate::oci::{Config, parse};

const PROCESS: &str = r#"{"args": ["sh"], "cwd": "/"}"#;

/// The error of a configuration with these further members, or the empty string.
fn config(members: &str) -> String {
    let text = format!(r#"{{"ociVersion": "1.3.0", "root": {{"path": "rootfs"}}, {members}}}"#);
    let config: Config = parse(text.as_bytes(), "config.json").unwrap();
    super::config(&config)
        .err()
        .map_or(String::new(), |error| error.to_string())
}

/// The same, for a process with these further members.
fn process(members: &str) -> String {
    config(&format!(
        r#""process": {{"args": ["sh"], "cwd": "/", {members}}}"#
    ))
}

/// The same, for members of `linux`.
fn linux(members: &str) -> String {
    config(&format!(r#""linux": {{{members}}}"#))
}

fn starts(error: &str, start: &str) {
    assert!(
        error.starts_with(start) && !start.is_empty(),
        "{error:?} should start with {start:?}"
    );
}

#[test]
fn the_root() {
    let error = |text: &str| {
        super::config(&parse(text.as_bytes(), "f").unwrap())
            .unwrap_err()
            .to_string()
    };
    starts(&error(r#"{"ociVersion": "1.3.0"}"#), "root: missing");
    starts(
        &error(r#"{"ociVersion": "1.3.0", "root": {}}"#),
        "root.path: missing",
    );
    starts(
        &error(r#"{"ociVersion": "1.3.0", "root": {"path": "a\u0000b"}}"#),
        "root.path: contains a NUL",
    );
    assert_eq!(config(&format!(r#""process": {PROCESS}"#)), "");
}

#[test]
fn processes() {
    starts(
        &config(r#""process": {"args": ["sh"]}"#),
        "process.cwd: \"\" must be an absolute path",
    );
    starts(
        &config(r#""process": {"args": [], "cwd": "/"}"#),
        "process.args: args must not be empty",
    );
    starts(
        &config(r#""process": {"args": ["a", "b\u0000"], "cwd": "/"}"#),
        "process.args[1]: contains a NUL",
    );
    starts(
        &process(r#""env": ["A=b", "SECRET"]"#),
        "process.env[1]: missing `=`",
    );
    starts(&process(r#""env": ["=b"]"#), "process.env[0]: the name");
    starts(
        &process(r#""env": ["A=\u0000"]"#),
        "process.env[0]: contains a NUL",
    );
    starts(
        &process(r#""rlimits": [{"type": "RLIMIT_X"}]"#),
        "process.rlimits[0].type: wrong rlimit value",
    );
    starts(
        &process(r#""rlimits": [{"type": "RLIMIT_AS"}, {"type": "RLIMIT_AS"}]"#),
        "process.rlimits[1].type: RLIMIT_AS is given twice",
    );
    starts(
        &process(r#""rlimits": [{"type": "RLIMIT_AS", "soft": 2, "hard": 1}]"#),
        "process.rlimits[0].soft: 2 is above",
    );
    starts(
        &process(r#""oomScoreAdj": 1001"#),
        "process.oomScoreAdj: 1001 must be",
    );
    starts(
        &process(r#""scheduler": {"policy": "SCHED_BATCH", "nice": 20}"#),
        "process.scheduler.nice: 20",
    );
    starts(
        &process(r#""scheduler": {"policy": "SCHED_OTHER", "priority": 1}"#),
        "process.scheduler.priority: only",
    );
    starts(
        &process(r#""scheduler": {"policy": "SCHED_FIFO", "period": 1}"#),
        "process.scheduler.period: only",
    );
    starts(
        &process(r#""ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 8}"#),
        "process.ioPriority.priority: 8",
    );
    starts(
        &process(r#""execCPUAffinity": {"initial": "3-1"}"#),
        "process.execCPUAffinity.initial: \"3-1\"",
    );
    starts(
        &process(r#""execCPUAffinity": {"final": " , "}"#),
        "process.execCPUAffinity.final: names no CPU",
    );
    for good in [
        r#""env": ["A=", "B==", "A=b"], "capabilities": {"bounding": ["CAP_NONE"]}"#,
        r#""rlimits": [{"type": "RLIMIT_AS", "soft": 1, "hard": 1}, {"type": "RLIMIT_NOFILE"}]"#,
        r#""scheduler": {"policy": "SCHED_IDLE", "nice": 50}, "ioPriority": {"class": "IOPRIO_CLASS_BE"}"#,
        r#""scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}"#,
        r#""execCPUAffinity": {"initial": "", "final": "0-3, 7,"}"#,
    ] {
        assert_eq!(process(good), "");
    }
}

#[test]
fn namespaces() {
    starts(
        &linux(
            r#""namespaces": [{"type": "pid"}, {"type": "uts"}, {"type": "pid", "path": "/p"}]"#,
        ),
        "linux.namespaces[2].type: duplicated ns \"pid\"",
    );
    starts(
        &linux(r#""namespaces": [{"type": "pid", "path": "\u0000"}]"#),
        "linux.namespaces[0].path: contains a NUL",
    );
    starts(
        &config(r#""hostname": "h""#),
        "hostname: unable to set hostname without a private UTS",
    );
    starts(
        &config(r#""domainname": "h""#),
        "domainname: unable to set domainname without a private UTS",
    );
    starts(
        &linux(r#""maskedPaths": ["/a"]"#),
        "linux.maskedPaths: unable to restrict",
    );
    starts(
        &linux(r#""readonlyPaths": ["/a"]"#),
        "linux.readonlyPaths: unable to restrict",
    );
    assert_eq!(
        config(r#""hostname": "h", "linux": {"namespaces": [{"type": "uts", "path": "/p"}]}"#),
        ""
    );
    assert_eq!(
        linux(
            r#""namespaces": [{"type": "mount"}], "maskedPaths": ["/a"], "readonlyPaths": ["b"]"#
        ),
        ""
    );
}

#[test]
fn user_namespaces() {
    let map = r#""uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]"#;
    starts(
        &linux(map),
        "linux.uidMappings: user namespace mappings specified",
    );
    let new = |user: &str| {
        config(&format!(
            r#""process": {{"cwd": "/", "args": ["a"], "user": {user}}},
                "linux": {{"namespaces": [{{"type": "user"}}], {map},
                    "gidMappings": [{{"containerID": 0, "hostID": 1, "size": 3}}]}}"#
        ))
    };
    assert_eq!(new(r#"{"uid": 0, "gid": 2, "additionalGids": [1]}"#), "");
    starts(
        &new(r#"{"uid": 1, "gid": 0}"#),
        "process.user.uid: cannot setuid to unmapped uid 1",
    );
    starts(
        &new(r#"{"uid": 0, "gid": 3}"#),
        "process.user.gid: cannot setgid to unmapped gid 3",
    );
    starts(
        &new(r#"{"uid": 0, "gid": 0, "additionalGids": [1, 9]}"#),
        "process.user.additionalGids: cannot setgid to unmapped gid 9",
    );
    assert_eq!(
        linux(&format!(r#""namespaces": [{{"type": "user"}}], {map}"#)),
        ""
    );
    assert_eq!(
        linux(r#""namespaces": [{"type": "user", "path": "/p"}]"#),
        ""
    );
    assert_eq!(
        linux(&format!(
            r#""namespaces": [{{"type": "user", "path": "/p"}}], {map}"#
        )),
        ""
    );
    starts(
        &linux(r#""gidMappings": [{"containerID": 0, "hostID": 1}]"#),
        "linux.gidMappings[0].size: must be above 0",
    );
    starts(
        &linux(r#""uidMappings": [{"containerID": 0, "hostID": 4294967295, "size": 2}]"#),
        "linux.uidMappings[0].hostID: 4294967295",
    );
}

#[test]
fn time_namespaces() {
    let offsets = r#""timeOffsets": {"boottime": {"secs": -5}}"#;
    starts(
        &linux(offsets),
        "linux.timeOffsets: time namespace offsets specified",
    );
    let with = |namespace: &str| {
        linux(&format!(
            r#""namespaces": [{{"type": "time"{namespace}}}], {offsets}"#
        ))
    };
    starts(&with(r#", "path": "/p""#), "linux.timeOffsets: only a new");
    assert_eq!(with(""), "");
    starts(
        &linux(
            r#""namespaces": [{"type": "time"}], "timeOffsets": {"monotonic": {"nanosecs": 1000000000}}"#,
        ),
        "linux.timeOffsets.monotonic.nanosecs: 1000000000 must be below",
    );
}

#[test]
fn network_devices() {
    starts(
        &linux(r#""netDevices": {"eth0": {}}"#),
        "linux.netDevices: unable to move",
    );
    let with = |devices: &str| {
        linux(&format!(
            r#""namespaces": [{{"type": "network"}}], "netDevices": {{{devices}}}"#
        ))
    };
    assert_eq!(
        with(r#""eth0": {"name": "veth%d"}, "abcdefghijklmno": {"name": ""}"#),
        ""
    );
    for bad in [
        "",
        ".",
        "..",
        "a/b",
        "a:b",
        "a b",
        "a\\n",
        "abcdefghijklmnop",
    ] {
        starts(
            &with(&format!(r#""{bad}": {{}}"#)),
            "linux.netDevices: invalid network device name",
        );
    }
    starts(
        &with(r#""eth0": {"name": "a/b"}"#),
        "linux.netDevices: invalid network device name \"a/b\"",
    );
}

#[test]
fn sysctls() {
    let with = |name: &str, namespaces: &str| {
        linux(&format!(
            r#""sysctl": {{"{name}": "1"}}, "uidMappings": [{{"hostID": 1, "size": 1}}],
            "namespaces": [{{"type": "user"}}{namespaces}]"#
        ))
    };
    let (ipc, net, uts) = (
        r#", {"type": "ipc"}"#,
        r#", {"type": "network"}"#,
        r#", {"type": "uts"}"#,
    );
    for (name, namespaces) in [
        ("kernel.shmmax", ipc),
        ("kernel/shm_rmid_forced", ipc),
        ("fs.mqueue.msg_max", ipc),
        ("net.ipv4.ip_forward", net),
        ("net/ipv4/conf/eno2.100/rp_filter", net),
        ("kernel.domainname", uts),
        ("user.max_user_namespaces", ""),
    ] {
        assert_eq!(with(name, namespaces), "", "{name}");
        if !namespaces.is_empty() {
            starts(&with(name, ""), &format!("linux.sysctl: sysctl {name:?} "));
        }
    }
    for name in [
        "kernel.hostname",
        "kernel.panic",
        "vm.swappiness",
        "net",
        "",
        "net/../kernel/panic",
        "net.//.vm.x",
    ] {
        starts(
            &with(name, &format!("{ipc}{net}{uts}")),
            &format!("linux.sysctl: sysctl {name:?} "),
        );
    }
    starts(
        &linux(r#""sysctl": {"user.max_mnt_namespaces": "1"}"#),
        "linux.sysctl: sysctl \"user.max_mnt_n",
    );
    assert_eq!(
        super::sysctl_path("net.ipv4.conf.eno2/100.rp_filter"),
        "net/ipv4/conf/eno2.100/rp_filter"
    );
    assert_eq!(
        super::sysctl_path("net/ipv4/conf/eno2.100/rp_filter"),
        "net/ipv4/conf/eno2.100/rp_filter"
    );
}

#[test]
fn mounts() {
    let with = |members: &str| {
        config(&format!(
            r#""mounts": [{{"destination": "/a", {members}}}]"#
        ))
    };
    starts(
        &config(r#""mounts": [{"source": "/a"}]"#),
        "mounts[0].destination: missing",
    );
    assert_eq!(config(r#""mounts": [{"destination": "a"}]"#), "");
    starts(
        &with(r#""source": "\u0000""#),
        "mounts[0].source: contains a NUL",
    );
    starts(
        &with(r#""options": ["a", "\u0000"]"#),
        "mounts[0].options[1]: contains a NUL",
    );
    let uids = r#""uidMappings": [{"hostID": 1, "size": 1}]"#;
    let gids = r#""gidMappings": [{"hostID": 1, "size": 1}]"#;
    assert_eq!(
        with(&format!(r#""options": ["rbind"], {uids}, {gids}"#)),
        ""
    );
    starts(
        &with(&format!(r#""options": ["ro"], {uids}, {gids}"#)),
        "mounts[0]: id-mapped mounts are only",
    );
    starts(
        &with(&format!(r#""options": ["bind"], {uids}"#)),
        "mounts[0]: id-mapped mounts must have both",
    );
    starts(
        &with(r#""options": ["bind", "idmap"]"#),
        "mounts[0]: an id-mapped mount needs",
    );
    starts(
        &with(&format!(
            r#""options": ["bind"], "uidMappings": [{{"hostID": 1}}], {gids}"#
        )),
        "mounts[0].uidMappings[0].size: must be above 0",
    );
}

#[test]
fn devices_and_hooks() {
    starts(
        &linux(r#""devices": [{"type": "p", "path": "dev/x"}]"#),
        "linux.devices[0].path: \"dev/x\" must be",
    );
    assert_eq!(linux(r#""devices": [{"type": "p", "path": "/dev/x"}]"#), "");
    starts(
        &config(r#""hooks": {"poststop": [{"path": "/a"}, {"path": "a"}]}"#),
        "hooks.poststop[1].path: \"a\" must be",
    );
    starts(
        &config(r#""hooks": {"prestart": [{"path": "/a", "timeout": 0}]}"#),
        "hooks.prestart[0].timeout: 0 must",
    );
    starts(
        &config(r#""hooks": {"poststart": [{"path": "/a", "env": ["\u0000"]}]}"#),
        "hooks.poststart[0].env[0]: con",
    );
    assert_eq!(
        config(r#""hooks": {"startContainer": [{"path": "/a", "timeout": 1, "env": ["A"]}]}"#),
        ""
    );
}

#[test]
fn resources() {
    let with = |members: &str| linux(&format!(r#""resources": {{{members}}}"#));
    assert_eq!(
        with(r#""devices": [{"allow": false, "access": "rwm"}], "unified": {"memory.high": "1"}"#),
        ""
    );
    starts(
        &with(r#""devices": [{"allow": false}]"#),
        "linux.resources.devices[0].access: \"\" must be",
    );
    starts(
        &with(r#""devices": [{"access": "rx"}]"#),
        "linux.resources.devices[0].access: \"rx\" must be",
    );
    for bad in ["64kB", "", "MB", "02MB", "2TB", "2M"] {
        let error = with(&format!(
            r#""hugepageLimits": [{{"pageSize": "{bad}", "limit": 1}}]"#
        ));
        starts(&error, "linux.resources.hugepageLimits[0].pageSize: ");
    }
    assert_eq!(
        with(r#""hugepageLimits": [{"pageSize": "64KB", "limit": 1}, {"pageSize": "1GB"}]"#),
        ""
    );
    starts(
        &with(r#""unified": {"../x": "1"}"#),
        "linux.resources.unified: unified resource \"../x\" must be",
    );
}

#[test]
fn intel_rdt_and_memory_policy() {
    for bad in [".", "..", "a/b", "//"] {
        starts(
            &linux(&format!(r#""intelRdt": {{"closID": "{bad}"}}"#)),
            "linux.intelRdt.closID: invalid",
        );
    }
    for good in ["", "/", "class-1"] {
        assert_eq!(linux(&format!(r#""intelRdt": {{"closID": "{good}"}}"#)), "");
    }
    let with = |mode: &str, nodes: &str| {
        linux(&format!(
            r#""memoryPolicy": {{"mode": "{mode}", "nodes": "{nodes}"}}"#
        ))
    };
    starts(
        &with("MPOL_LOCAL", "0"),
        "linux.memoryPolicy.nodes: memory policy mode requires 0 nodes but got 1",
    );
    starts(
        &with("MPOL_BIND", ""),
        "linux.memoryPolicy.nodes: memory policy mode requires at least one node",
    );
    starts(
        &with("MPOL_BIND", "x"),
        "linux.memoryPolicy.nodes: invalid memory policy nodes \"x\"",
    );
    for (mode, nodes) in [
        ("MPOL_DEFAULT", ""),
        ("MPOL_PREFERRED", ""),
        ("MPOL_INTERLEAVE", "0-1"),
    ] {
        assert_eq!(with(mode, nodes), "");
    }
}
