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
