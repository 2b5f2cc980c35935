//! Builds `init-stub` for the target and leaves its image in `OUT_DIR/init-stub`, to be embedded.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

const MOST_BYTES: u64 = 40 * 1024;

fn main() {
    println!("cargo:rerun-if-changed=init-stub");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let image = PathBuf::from(variable("OUT_DIR")).join("init-stub");
    let script = root.join("init-stub/link.ld");

    if variable("PROFILE") == "release" {
        for name in ["link.ld", "hot.ld"] {
            println!("cargo:rerun-if-changed={name}");
            println!("cargo:rustc-link-arg-bins=-T{}", root.join(name).display());
        }
        println!("cargo:rustc-link-arg-bins=--no-eh-frame-hdr");
        println!("cargo:rustc-link-arg-bins=--icf=all");
        // Nothing makes it read-only in a static program: it would only be a segment more.
        println!("cargo:rustc-link-arg-bins=-znorelro");
    }

    // rustc itself, as the stub has no dependencies: no second cargo, no lock, no network.
    let status = Command::new(variable("RUSTC"))
        .args([
            "--edition=2024",
            "--crate-name=init_stub",
            "--crate-type=bin",
        ])
        .args(["--target", &variable("TARGET")])
        .args([
            "-Copt-level=s",
            "-Clto=fat",
            "-Ccodegen-units=1",
            "-Cpanic=abort",
            "-Cstrip=symbols",
            // Its calls cost nothing beside the system calls that they are for.
            "-Cllvm-args=-inline-threshold=5",
        ])
        .args([
            "-Crelocation-model=static",
            "-Clinker=rust-lld",
            "-Clinker-flavor=ld.lld",
        ])
        .args(["-Clink-self-contained=no", "-Cdefault-linker-libraries=no"])
        .args([
            "-Clink-arg=-nostdlib",
            "-Clink-arg=--gc-sections",
            "-Clink-arg=--no-eh-frame-hdr",
            "-Clink-arg=--icf=all",
        ])
        .arg(format!("-Clink-arg=-T{}", script.display()))
        .arg("-o")
        .arg(&image)
        .arg(root.join("init-stub/src/main.rs"))
        .status()
        .expect("rustc can be run");
    assert!(status.success(), "init-stub does not build");

    let bytes = fs::metadata(&image).expect("init-stub is built").len();
    assert!(
        bytes <= MOST_BYTES,
        "init-stub has {bytes} bytes: more than {MOST_BYTES}"
    );
}
