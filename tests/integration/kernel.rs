//! Kernels and hosts that forbid or lack something, and what is done instead.

use crate::harness::*;
use std::os::unix::process::CommandExt;
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
    // SAFETY: between fork and exec, only two prctl calls with live arguments are made.
    unsafe {
        command.pre_exec(|| {
            let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
            let clone3 = libc::SYS_clone3 as u32;
            let mut steps = [
                step(0x20, 0, 0, 0),
                step(0x15, 0, 1, clone3),
                step(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
                step(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
            ];
            let program = libc::sock_fprog {
                len: 4,
                filter: steps.as_mut_ptr(),
            };
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            let mode = libc::SECCOMP_MODE_FILTER;
            match libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    let output = bundle.spawn(command).wait().ok();
    assert_eq!(output.stdout.trim(), "works");
    bundle.assert_nothing_left();
}
