//! Seccomp filters, seen by what they refuse.

use crate::harness::*;
use serde_json::{Value, json};

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

/// A static program of x86_64 that consists of these instructions, which begin at 0x400078.
#[cfg(target_arch = "x86_64")]
fn program(bundle: &Bundle, name: &str, code: &[u8]) {
    const BASE: u64 = 0x40_0000;
    let size = (120 + code.len()) as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // Executable, x86_64.
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    for word in [BASE + 120, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // One segment, to be loaded, read and executed.
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0, BASE, BASE, size, size, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    let path = bundle.rootfs(&format!("bin/{name}"));
    std::fs::write(&path, file).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_the_kin_of_x86_64_are_filtered_by_their_own_numbers() {
    /// `neg eax; mov edi, eax; mov eax, SYS_exit; syscall`: the status is the errno.
    const EXIT: [u8; 11] = [0xf7, 0xd8, 0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    let mut bundle = Bundle::new();
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["rlimits"] = json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]);
    let path = |length: u32| (0x40_0078 + length).to_le_bytes();
    // mov eax, number; mov ebx, path; mov ecx, 0700; int 0x80
    let mut i386 = vec![0xb8, 39, 0, 0, 0, 0xbb];
    i386.extend(path(28));
    i386.extend([0xb9, 0xc0, 1, 0, 0, 0xcd, 0x80]);
    // mov eax, number; mov edi, path; mov esi, 0700; syscall
    let mut x32 = vec![0xb8, 83, 0, 0, 0x40, 0xbf];
    x32.extend(path(28));
    x32.extend([0xbe, 0xc0, 1, 0, 0, 0x0f, 0x05]);
    for (name, code) in [("i386", &mut i386), ("x32", &mut x32)] {
        code.extend(EXIT);
        assert_eq!(code.len(), 28);
        code.extend(b"/tmp/made\0");
        program(&bundle, name, code);
    }
    let mut run = |name: &str, seccomp: Value| {
        bundle.set_args(&[&format!("/bin/{name}")]);
        bundle.config["linux"]["seccomp"] = seccomp;
        let code = bundle.run().code();
        let _ = std::fs::remove_dir(bundle.rootfs("tmp/made"));
        code
    };
    let profile = |architectures: Value| {
        json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": architectures,
            "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]})
    };
    let killed = 128 + libc::SIGSYS;
    for (name, arch) in [("i386", "SCMP_ARCH_X86"), ("x32", "SCMP_ARCH_X32")] {
        if name == "i386" && run(name, Value::Null) != 0 {
            skip!("the kernel runs no calls of i386");
        }
        assert_eq!(run(name, profile(json!(["SCMP_ARCH_X86_64"]))), killed);
        let listed = profile(json!(["SCMP_ARCH_X86_64", arch]));
        assert_eq!(run(name, listed), 28, "{name}");
        // What x86_64 calls by the number that is i386's mkdir, or x32's without its bit, is another rule's.
        let mut other = profile(json!(["SCMP_ARCH_X86_64", arch]));
        other["syscalls"][0]["names"] = json!(["sched_yield"]);
        assert_ne!(run(name, other), 28, "{name}");
    }
}

#[test]
fn every_action_does_what_it_is_named_for() {
    let mut bundle = Bundle::sh("mkdir /tmp/made; echo $?");
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["rlimits"] = json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]);
    let killed = "159\n";
    for (action, errno, stdout, stderr) in [
        ("ALLOW", None, "0\n", ""),
        ("LOG", None, "0\n", ""),
        ("ERRNO", None, "1\n", "Operation not permitted"),
        ("ERRNO", Some(28), "1\n", "No space left"),
        // No tracer is there.
        ("TRACE", Some(7), "1\n", "not implemented"),
        ("TRAP", None, killed, "Bad system call"),
        ("KILL", None, killed, "Bad system call"),
        ("KILL_THREAD", None, killed, "Bad system call"),
        ("KILL_PROCESS", None, killed, "Bad system call"),
    ] {
        let mut rule =
            json!({"names": ["mkdir", "mkdirat"], "action": format!("SCMP_ACT_{action}")});
        if let Some(errno) = errno {
            rule["errnoRet"] = json!(errno);
        }
        // Another default, else the rule would not be needed.
        let default = if action == "ALLOW" { "LOG" } else { "ALLOW" };
        bundle.config["linux"]["seccomp"] = json!({"defaultAction": format!("SCMP_ACT_{default}"), "syscalls": [rule],
            "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]});
        let output = bundle.run();
        assert_eq!(output.stdout, stdout, "{action}: {output:?}");
        assert!(output.stderr.contains(stderr), "{action}: {output:?}");
        let _ = std::fs::remove_dir(bundle.rootfs("tmp/made"));
    }
    bundle.assert_nothing_left();
}

#[test]
fn a_profile_of_thousands_of_rules_is_one_filter() {
    let mut bundle = Bundle::sh("kill -0 $$; kill -URG $$; echo on");
    let mut rules = Vec::new();
    for number in 0..4000 {
        let name = ["no_such_call", "lchown", "mknod", "getsid"][number % 4];
        rules.push(
            json!({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
            "args": [{"index": 1, "value": 0x1000 + number % 300, "op": "SCMP_CMP_EQ"}]}),
        );
    }
    rules.push(json!({"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28,
        "args": [{"index": 1, "value": 0x1f, "valueTwo": libc::SIGURG, "op": "SCMP_CMP_MASKED_EQ"}]}));
    bundle.config["linux"]["seccomp"] =
        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules});
    let output = bundle.run();
    assert_eq!(output.stdout, "on\n", "{output:?}");
    let refused = output.stderr.matches("No space left").count();
    assert_eq!(refused, 1, "{output:?}");
}

/// The flags that the kernel tells of a process's filter: `PTRACE_SECCOMP_GET_METADATA`.
fn filter_flags(pid: i32) -> std::io::Result<u64> {
    const GET_METADATA: libc::c_uint = 0x420d;
    // Which filter, and its flags.
    let mut metadata = [0u64; 2];
    // SAFETY: the process is the container's; the kernel fills in the 16 bytes that it is told of.
    let result = unsafe {
        assert_eq!(libc::ptrace(libc::PTRACE_SEIZE as _, pid, 0, 0), 0);
        assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT as _, pid, 0, 0), 0);
        assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL), pid);
        let result = libc::ptrace(GET_METADATA as _, pid, 16, metadata.as_mut_ptr());
        let error = std::io::Error::last_os_error();
        libc::ptrace(libc::PTRACE_DETACH as _, pid, 0, 0);
        if result < 0 { Err(error) } else { Ok(()) }
    };
    result.map(|()| metadata[1])
}

#[test]
fn flags_are_those_of_the_kernel_s_filter() {
    root_only!("a look at filters");
    if lacks_new_calls() {
        skip!("the first filter is the one that hides the new calls");
    }
    const LOG: u64 = 2;
    for (flags, expected) in [(&["SECCOMP_FILTER_FLAG_LOG"][..], LOG), (&[], 0)] {
        let mut bundle = Bundle::sleeping();
        bundle.config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": flags,
            "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_LOG"}]});
        let container = bundle.start();
        match filter_flags(container.pid()) {
            Ok(found) => assert_eq!(found, expected, "{flags:?}"),
            Err(error) => skip!("the kernel tells no flags: {error}"),
        }
    }
}
