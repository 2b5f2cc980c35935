//! What is tested, by whom and where; and tests that are skipped.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;

/// Ends the test as skipped: the reason is printed past libtest's capture, where `scripts/test` counts it.
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::harness::report_skip(&format!($($reason)*));
        return;
    }};
}

/// Skips the test unless the binary under test is Coracle itself.
macro_rules! coracle_only {
    () => {
        if !$crate::harness::is_coracle() {
            skip!("only Coracle does this");
        }
    };
}

/// Skips the test where the new mount API is out of reach: what it is about can be done with nothing else.
macro_rules! new_calls_only {
    () => {
        if $crate::harness::lacks_new_calls() {
            skip!("mount(2) cannot do this");
        }
    };
}

/// Whether all is to run as on a kernel without the new mount API.
pub fn lacks_new_calls() -> bool {
    std::env::var_os("CORACLE_TEST_OLD_KERNEL").is_some()
}

/// Prints the line of a skipped test, past the capture of libtest.
pub fn report_skip(reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("?");
    let _ = std::io::stderr().write_all(format!("SKIP {name}: {reason}\n").as_bytes());
}

/// The runtime under test.
pub fn binary() -> PathBuf {
    match std::env::var_os("CORACLE_TEST_BINARY") {
        Some(path) => path.into(),
        None => env!("CARGO_BIN_EXE_coracle").into(),
    }
}

/// Whether the runtime under test is Coracle (and not a peer to check the tests with).
pub fn is_coracle() -> bool {
    binary().file_name() == Some(OsStr::new("coracle"))
}

/// Whether the tests are to let systemd make the cgroups.
pub fn with_systemd() -> bool {
    std::env::var("CORACLE_TEST_CGROUPS").is_ok_and(|manager| manager == "systemd")
}

/// Whether we are root.
pub fn root() -> bool {
    // SAFETY: geteuid cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Skips the test where we are not root, and says what only root can have.
macro_rules! root_only {
    ($what:literal) => {
        if !$crate::harness::root() {
            skip!("only root can have {}", $what);
        }
    };
}

/// Skips the test where cgroups are made by systemd: then paths are of another form.
macro_rules! cgroupfs_only {
    () => {
        if $crate::harness::with_systemd() {
            skip!("systemd places its cgroups by itself");
        }
    };
}
