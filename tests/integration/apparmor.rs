//! AppArmor, on hosts that have it: `scripts/test --vm` is such a host.

use crate::harness::*;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Loads a profile that forbids to write to files whose name ends in `secret`.
fn load(name: &str) -> bool {
    use std::io::Write;
    let text = format!(
        "profile {name} flags=(attach_disconnected,mediate_deleted) {{\n  file,\n  capability,\n  signal,\n  ptrace,\n  \
         deny /**secret w,\n}}\n"
    );
    let child = Command::new("apparmor_parser")
        .args(["--replace", "--skip-cache"])
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else { return false };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    child.wait().unwrap().success()
}

#[test]
fn the_profile_is_that_of_the_process() {
    if !Path::new("/sys/kernel/security/apparmor").exists() {
        skip!("the kernel has no AppArmor");
    }
    let name = format!("coracle-test-{}", std::process::id());
    if !load(&name) {
        skip!("apparmor_parser could not load a profile");
    }
    let mut bundle = Bundle::sh(
        "cat /proc/self/attr/current; echo x > /tmp/open && cat /tmp/open; echo x > /tmp/secret",
    );
    bundle.config["process"]["apparmorProfile"] = json!(name);
    bundle.config["root"]["readonly"] = json!(false);
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let output = bundle.run();
        assert_eq!(
            output.stdout,
            format!("{name} (enforce)\nx\n"),
            "{output:?}"
        );
        assert!(output.stderr.contains("Permission denied"), "{output:?}");
    }

    // A process of exec has its own, or the container's.
    let sleeping = {
        let mut bundle = Bundle::sleeping();
        bundle.config["process"]["apparmorProfile"] = json!(name);
        bundle
    };
    let _container = sleeping.start();
    let label = ["cat", "/proc/self/attr/current"];
    let exec = |flags: &[&str]| {
        let args = [&["exec"], flags, &[sleeping.id.as_str()], &label].concat();
        sleeping.cli(&args).ok().stdout
    };
    assert_eq!(exec(&[]), format!("{name} (enforce)\n"));
    assert_eq!(exec(&["--apparmor", "unconfined"]), "unconfined\n");
    let args = ["exec", "--apparmor", "nonesuch", &sleeping.id, "true"];
    let output = sleeping.cli(&args);
    assert_eq!(output.code(), 255, "{output:?}");
    assert!(output.stderr.contains("apparmor"), "{output:?}");
    let _ = fs::write("/sys/kernel/security/apparmor/.remove", &name);
}
