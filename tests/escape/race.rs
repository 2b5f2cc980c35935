//! Somebody who changes paths while they are used.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// A thread that exchanges two paths until it is dropped.
pub struct Exchange {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

/// `renameat2(2)` with these flags.
pub fn rename(from: &Path, to: &Path, flags: u32) -> bool {
    let (from, to) = (c_path(from), c_path(to));
    // SAFETY: both paths are C strings that outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            flags,
        ) == 0
    }
}

const EXCHANGE: u32 = 2;

impl Exchange {
    /// Begins.
    pub fn new(a: &Path, b: &Path) -> Exchange {
        Exchange::doing(a.into(), b.into(), |a, b| rename(a, b, EXCHANGE))
    }

    /// Does something else to two paths, again and again.
    pub fn doing(a: PathBuf, b: PathBuf, step: fn(&Path, &Path) -> bool) -> Exchange {
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicU64::new(0));
        let (seen, counted) = (stop.clone(), count.clone());
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                if step(&a, &b) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                // There are few CPUs, and the attacked one needs its share.
                std::thread::yield_now();
            }
        });
        Exchange {
            stop,
            count,
            thread: Some(thread),
        }
    }

    /// How often it has done so.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
