//! Attackers that must be quicker than a shell: this test binary itself, as the container's program.

use crate::harness::Bundle;
use serde_json::json;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Makes the attacker of that name the container's program.
pub fn attack_with(bundle: &mut Bundle, name: &str) {
    let here = std::env::current_exe().unwrap();
    fs::copy(here, bundle.rootfs("attacker")).unwrap();
    bundle.set_args(&[
        "/attacker",
        "--ignored",
        "--exact",
        "inside::attacker",
        "--nocapture",
    ]);
    let env = bundle.config["process"]["env"].as_array_mut().unwrap();
    env.push(json!(format!("ATTACK={name}")));
    env.push(json!("RUST_TEST_THREADS=1"));
}

/// Not a test: what [`attack_with`] runs in a container.
#[test]
#[ignore = "runs only inside a container"]
fn attacker() {
    match std::env::var("ATTACK").as_deref() {
        Ok("join") => watch_who_joins(),
        _ => println!("nothing to attack"),
    }
}

/// Looks at each process that appears, as closely as it is let: CVE-2016-9962, CVE-2019-5736.
fn watch_who_joins() {
    println!("watching");
    let own = fs::read_link("/proc/self/exe").unwrap();
    loop {
        for pid in 2..200 {
            let path = format!("/proc/{pid}/exe");
            // O_PATH keeps the file though its process goes on to another.
            // SAFETY: the path is a C string that outlives the call.
            let held = unsafe {
                let path = std::ffi::CString::new(path.as_str()).unwrap();
                libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC)
            };
            if held < 0 {
                continue;
            }
            let held_path = format!("/proc/self/fd/{held}");
            let link = fs::read_link(&held_path).unwrap_or_default();
            let foreign = link != own && !link.as_os_str().as_bytes().starts_with(b"/bin/");
            if foreign {
                if !link.to_string_lossy().contains("memfd:") {
                    println!("ESCAPED: holds {}", link.display());
                }
                if fs::symlink_metadata(format!("/proc/{pid}/root/attacker")).is_err()
                    && fs::symlink_metadata(format!("/proc/{pid}/root/proc")).is_ok()
                {
                    println!("ESCAPED: another root in {pid}");
                }
                for _ in 0..1000 {
                    if let Ok(mut file) = fs::OpenOptions::new().write(true).open(&held_path) {
                        let wrote = std::io::Write::write(&mut file, b"pwned");
                        println!("opened {} for writing: {wrote:?}", link.display());
                        if wrote.is_ok() {
                            println!("ESCAPED: wrote to {}", link.display());
                        }
                        break;
                    }
                }
            }
            for fd in fs::read_dir(format!("/proc/{pid}/fd"))
                .into_iter()
                .flatten()
                .flatten()
            {
                if foreign
                    && let Ok(link) = fs::read_link(fd.path())
                    && link.starts_with("/")
                    && fs::symlink_metadata(&link).is_err()
                    && !link.to_string_lossy().contains("memfd:")
                {
                    // Its own standard streams are files of the host's too: those of whoever called exec.
                    let number = fd.file_name();
                    if !matches!(number.to_str(), Some("0" | "1" | "2")) {
                        println!(
                            "ESCAPED: descriptor {number:?} of {pid} is {}",
                            link.display()
                        );
                    }
                }
            }
            // SAFETY: the descriptor is ours.
            unsafe { libc::close(held) };
        }
    }
}
