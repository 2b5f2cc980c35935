//! What is done to a running container: exec, pause, resume.

use crate::harness::*;

#[test]
fn exec_joins_the_container() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let output = bundle.cli(&[
        "exec",
        "-e",
        "A=b c",
        &bundle.id,
        "sh",
        "-c",
        "echo $A; hostname; exit 7",
    ]);
    assert_eq!(output.code(), 7, "{output:?}");
    assert!(output.stdout.starts_with("b c\n"), "{output:?}");
    let inside = std::fs::read_link(format!("/proc/{}/ns/pid", container.pid())).unwrap();
    let output = bundle
        .cli(&["exec", &bundle.id, "readlink", "/proc/self/ns/pid"])
        .ok();
    assert_eq!(output.stdout.trim(), inside.to_str().unwrap());
    let output = bundle.cli(&["exec", &bundle.id, "nonesuch"]);
    assert_ne!(output.code(), 0);
    assert!(
        output.stderr.contains("executable file not found in $PATH"),
        "{output:?}"
    );
}

#[test]
fn pause_and_resume() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    bundle.cli(&["pause", &bundle.id]).ok();
    assert_eq!(container.status(), "paused");
    let output = bundle.cli(&["exec", &bundle.id, "true"]);
    assert!(output.stderr.contains("paused"), "{output:?}");
    bundle.cli(&["resume", &bundle.id]).ok();
    assert_eq!(container.status(), "running");
}
