//! Annotations and flags that crun's users know.

use crate::harness::*;
use serde_json::json;
use std::fs;
use std::os::unix::process::CommandExt;

#[test]
fn hooks_write_to_the_files_that_annotations_name() {
    let mut bundle = Bundle::sh("echo container");
    let (out, err) = (bundle.dir.join("hooks.out"), bundle.dir.join("hooks.err"));
    fs::write(&out, "before\n").unwrap();
    bundle.config["annotations"] =
        json!({"run.oci.hooks.stdout": out, "run.oci.hooks.stderr": err});
    let hook = |name: &str| json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("echo {name}; echo {name} >&2")]}]);
    let names = [
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ];
    for name in names {
        bundle.config["hooks"][name] = hook(name);
    }
    let output = bundle.run().ok();
    assert_eq!(output.stdout, "container\n");
    assert_eq!(output.stderr, "");
    let lines = |path| fs::read_to_string(path).unwrap();
    assert_eq!(lines(&out), format!("before\n{}\n", names.join("\n")));
    assert_eq!(lines(&err), format!("{}\n", names.join("\n")));
    bundle.config["annotations"]["run.oci.hooks.stderr"] = json!("/no/such/dir/file");
    bundle.run().fails_with("/no/such/dir/file");
    bundle.assert_nothing_left();
}

#[test]
fn the_caller_s_groups_are_kept_when_asked_for() {
    let mut bundle = Bundle::sh("id -G");
    let groups = |bundle: &Bundle| {
        let mut command = bundle.bundle_command("run", &[]);
        // SAFETY: setgroups is async-signal-safe and reads a live array.
        unsafe {
            command.pre_exec(|| match libc::setgroups(2, [4321, 4322].as_ptr()) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        bundle.spawn(command).wait().ok().stdout.trim().to_string()
    };
    assert_eq!(groups(&bundle), "0");
    bundle.config["annotations"] = json!({"run.oci.keep_original_groups": "1"});
    assert_eq!(groups(&bundle), "0 4321 4322");
    bundle.config["annotations"] = json!({"run.oci.keep_original_groups": "0"});
    assert_eq!(groups(&bundle), "0");

    // A user namespace shows them as the overflow group.
    bundle.config["annotations"] = json!({"run.oci.keep_original_groups": "1"});
    bundle.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "user"}));
    for kind in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][kind] = json!([{"containerID": 0, "hostID": 0, "size": 1000}]);
    }
    assert_eq!(groups(&bundle), "0 65534 65534");
    bundle.assert_nothing_left();
}

/// `struct sock_filter[]` in base64.
fn base64(program: &[(u16, u8, u8, u32)]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for (code, yes, no, k) in program {
        bytes.extend(code.to_ne_bytes());
        bytes.extend([*yes, *no]);
        bytes.extend(k.to_ne_bytes());
    }
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            text.push(match digit <= chunk.len() {
                true => DIGITS[(word >> (18 - 6 * digit) & 63) as usize] as char,
                false => '=',
            });
        }
    }
    text
}

#[test]
fn a_filter_in_an_annotation_takes_the_place_of_the_profile() {
    let mut bundle = Bundle::sh("mkdir /tmp/a || rmdir /tmp || echo on");
    bundle.config["root"]["readonly"] = json!(false);
    // ld [0]; jeq mkdirat; jeq mkdir; ret ALLOW; ret ERRNO(ENOSPC)
    let errno = libc::SECCOMP_RET_ERRNO | libc::ENOSPC as u32;
    let program = [
        (0x20, 0, 0, 0),
        (0x15, 2, 0, libc::SYS_mkdirat as u32),
        (0x15, 1, 0, libc::SYS_mkdir as u32),
        (0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
        (0x06, 0, 0, errno),
    ];
    bundle.config["annotations"] = json!({"run.oci.seccomp_bpf_data": base64(&program)});
    bundle.config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]});
    let output = bundle.run();
    assert!(output.stderr.contains("No space left"), "{output:?}");
    assert!(
        !output.stderr.contains("not implemented"),
        "the profile counts: {output:?}"
    );
    // A filter of one instruction that does not load.
    bundle.config["annotations"] = json!({"run.oci.seccomp_bpf_data": base64(&[(0xff, 0, 0, 0)])});
    bundle
        .run()
        .fails_with("linux.seccomp: installing the filter");
    bundle.assert_nothing_left();
}

#[test]
fn commands_take_containers_by_a_pattern() {
    coracle_only!();
    let bundle = Bundle::sleeping();
    bundle.write_config();
    let dir = bundle.bundle();
    let ids: Vec<String> = ["a1", "a22", "b1"]
        .iter()
        .map(|name| format!("{}-{name}", bundle.id))
        .collect();
    for id in &ids {
        let args = ["run", "--detach", "--bundle", dir.to_str().unwrap(), id];
        bundle.cli(&args).ok();
    }
    let status = |id: &str| {
        let output = bundle.cli(&["state", id]);
        match output.code() {
            0 => {
                let state: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
                state["status"].as_str().unwrap().to_owned()
            }
            _ => "gone".to_owned(),
        }
    };
    bundle
        .cli(&["delete", "--regex", "--force", "x(a"])
        .fails_with("--regex: invalid regular expression \"x(a\": unmatched (");
    bundle
        .cli(&["kill", "--regex", "x-a[0-9]{2}$", "KILL"])
        .ok();
    let deadline = std::time::Instant::now() + PATIENCE;
    while status(&ids[1]) != "stopped" {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // One that runs does not keep the others from being deleted.
    let output = bundle.cli(&["delete", "--regex", "x-a"]);
    assert_eq!(output.code(), 1, "{output:?}");
    assert!(
        output.stderr.contains(&format!(
            "{}: cannot delete container {} that is not stopped: running",
            ids[0], ids[0]
        )),
        "{output:?}"
    );
    assert_eq!(
        [0, 1, 2].map(|i| status(&ids[i])),
        ["running", "gone", "running"]
    );
    bundle.cli(&["delete", "--regex", "none of them"]).ok();
    bundle.cli(&["delete", "-f", "-r", "."]).ok();
    bundle.assert_nothing_left();
}

#[test]
fn without_a_cgroup_manager_the_container_stays_in_its_maker_s_cgroups() {
    coracle_only!();
    if with_systemd() {
        skip!("is about another manager");
    }
    let mut bundle = Bundle::sh("cat /proc/self/cgroup; exec sleep 1000");
    bundle.config["linux"]["cgroupsPath"] = json!(format!("/{}", bundle.id));
    bundle.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|namespace| namespace["type"] != "cgroup");
    bundle.write_config();
    let dir = bundle.bundle();
    let mut command = bundle.command(&["--cgroup-manager", "disabled", "run", "--detach"]);
    command.arg("--bundle").arg(&dir).arg(&bundle.id);
    let running = bundle.spawn(command);
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    // The command ends before the container has printed anything.
    wait_until("the container prints our cgroups", || {
        running.stdout() == own
    });
    running.wait().ok();
    let output = bundle
        .cli(&["exec", &bundle.id, "cat", "/proc/self/cgroup"])
        .ok();
    assert_eq!(output.stdout, own);
    bundle
        .cli(&["pause", &bundle.id])
        .fails_with("cgroups not configured for container");
    bundle.cli(&["kill", &bundle.id, "KILL"]).ok();
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_nothing_left();

    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 10});
    bundle.write_config();
    let mut command = bundle.command(&["--cgroup-manager=disabled", "run"]);
    command.arg("--bundle").arg(&dir).arg(&bundle.id);
    bundle
        .spawn(command)
        .wait()
        .fails_with("linux.resources: limits need a cgroup");
    bundle.assert_nothing_left();
}
