//! Kernels that know less than this one.

use super::{Bundle, Output};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The calls that came after mount(2) and open(2): Linux 5.2, 5.6 and 5.12.
pub const NEW_CALLS: [libc::c_long; 8] = [
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_openat2,
    libc::SYS_mount_setattr,
];

/// Lets the kernel answer the command, and all that it starts, as one that does not know these calls.
pub fn forbid(command: &mut Command, calls: &[libc::c_long]) {
    refuse(command, calls, libc::ENOSYS);
}

/// Lets the kernel answer these calls of the command, and of all that it starts, with an error.
pub fn refuse(command: &mut Command, calls: &[libc::c_long], errno: i32) {
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = vec![step(0x20, 0, 0, 0)];
    for call in calls {
        steps.push(step(0x15, 0, 1, *call as u32));
        steps.push(step(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
    }
    steps.push(step(0x06, 0, 0, libc::SECCOMP_RET_ALLOW));
    // SAFETY: between fork and exec, only one prctl call with live arguments is made.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog {
                len: steps.len() as u16,
                filter: steps.as_mut_ptr(),
            };
            let mode = libc::SECCOMP_MODE_FILTER;
            match libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
}

/// `run` of the bundle as on a kernel without the new mount API.
#[track_caller]
pub fn run_on_old_kernel(bundle: &Bundle) -> Output {
    run_after(bundle, "true", true)
}

/// `run` of the bundle in a mount namespace that a script has prepared, on this kernel or as on one without the new
/// mount API.
#[track_caller]
pub fn run_after(bundle: &Bundle, script: &str, old_kernel: bool) -> Output {
    let run = bundle.bundle_command("run", &[]);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg(format!("{script} && exec \"$@\""))
        .arg("sh")
        .arg(run.get_program())
        .args(run.get_args())
        .current_dir(&bundle.dir);
    if old_kernel {
        forbid(&mut command, &NEW_CALLS);
    }
    bundle.spawn(command).wait()
}
