//! Seccomp filters, seen by what they refuse.

use crate::harness::*;
use serde_json::json;

#[test]
fn a_seccomp_filter_decides_over_calls() {
    let mut bundle = Bundle::sh("mkdir /tmp/made && echo made; echo on");
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}],
    });
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let output = bundle.run();
        assert_eq!(output.stdout.trim(), "on", "{output:?}");
        assert!(output.stderr.contains("No space left"), "{output:?}");
    }
    bundle.assert_nothing_left();
}

#[test]
fn what_the_runtime_needs_does_not_depend_on_the_profile() {
    // Whatever a container needs to come to its program is done before the filter, but for execve.
    let mut bundle = Bundle::sh("echo on");
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"action": "SCMP_ACT_ERRNO", "errnoRet": 38, "names": [
            "close_range", "rt_sigaction", "sendto", "sendmsg", "recvfrom", "prctl", "seccomp", "openat", "openat2",
            "accept4", "fcntl", "landlock_restrict_self"]}],
    });
    assert_eq!(bundle.run().stdout, "on\n");
    // And what goes wrong with the program itself is told all the same.
    bundle.config["linux"]["seccomp"]["syscalls"][0]["action"] = json!("SCMP_ACT_KILL");
    std::fs::write(bundle.rootfs("bin/broken"), "\x7fELF").unwrap();
    std::fs::set_permissions(
        bundle.rootfs("bin/broken"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    bundle.set_args(&["/bin/broken"]);
    bundle.run().fails_with("exec format error");
    let container = bundle.create();
    container.cli("start").fails_with("exec format error");
}

#[test]
fn start_container_hooks_are_filtered_too() {
    let mut bundle = Bundle::sh("echo on");
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["rlimits"] = json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]);
    bundle.config["hooks"] = json!({"startContainer": [
        {"path": "/bin/sh", "args": ["sh", "-c", "true"]},
        {"path": "/bin/sh", "args": ["sh", "-c", "exec mkdir /tmp/made"]}]});
    let output = bundle.run().ok();
    assert_eq!(output.stdout, "on\n");
    std::fs::remove_dir(bundle.rootfs("tmp/made")).unwrap();
    bundle.config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL"}]});
    let output = bundle
        .run()
        .fails_with("error running startContainer hook #1");
    assert!(
        output.stderr.contains("signal: bad system call"),
        "{output:?}"
    );
    let container = bundle.create();
    container
        .cli("start")
        .fails_with("error running startContainer hook");
}
