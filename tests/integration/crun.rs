//! Annotations that crun's users know.

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
        bundle.write_config();
        let dir = bundle.bundle();
        let mut command = bundle.command(&["run", "--bundle", dir.to_str().unwrap(), &bundle.id]);
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
