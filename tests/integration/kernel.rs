//! Kernels and hosts that forbid or lack something, and what is done instead.

use crate::harness::*;
use std::process::Command;

fn run_command(bundle: &Bundle) -> Command {
    bundle.write_config();
    let dir = bundle.bundle();
    bundle.command(&["run", "--bundle", dir.to_str().unwrap(), &bundle.id])
}

#[test]
fn a_host_that_forbids_executable_memfds() {
    coracle_only!();
    // The setting is the PID namespace's: a new one has its own.
    let bundle = Bundle::sh("echo works");
    let inner = run_command(&bundle);
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", "sh", "-c"])
        .arg("echo 2 > /proc/sys/vm/memfd_noexec && exec \"$@\"")
        .arg("sh")
        .arg(inner.get_program())
        .args(inner.get_args());
    let output = bundle.spawn(command).wait().ok();
    assert_eq!(output.stdout.trim(), "works");
    bundle.assert_nothing_left();
}

#[test]
fn a_host_without_clone3() {
    coracle_only!();
    let bundle = Bundle::sh("echo works");
    let mut command = run_command(&bundle);
    forbid(&mut command, &[libc::SYS_clone3]);
    let output = bundle.spawn(command).wait().ok();
    assert_eq!(output.stdout.trim(), "works");
    bundle.assert_nothing_left();
}
