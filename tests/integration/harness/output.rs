//! Commands that run, and what they leave.

use super::PATIENCE;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a finished command left.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it (and for a foreground run, the container) printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Output {
    /// The exit status, or 128+n as a shell gives it.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Asserts success, and gives the output on.
    #[track_caller]
    pub fn ok(self) -> Output {
        assert!(self.status.success(), "the command failed: {self:#?}");
        self
    }

    /// Asserts exit status 1 and that stderr contains `text`.
    #[track_caller]
    pub fn fails_with(self, text: &str) -> Output {
        assert_eq!(self.code(), 1, "{self:#?}");
        assert!(
            self.complaint().contains(text),
            "stderr lacks {text:?}: {self:#?}"
        );
        self
    }

    /// What stderr says, without the escapes of a log line's `msg="…"`.
    pub fn complaint(&self) -> String {
        self.stderr.replace("\\\"", "\"")
    }

    /// The lines of stdout.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// A command that runs, with its output going to files (a detached container keeps them open).
pub struct Running {
    child: Child,
    /// The file with what it prints.
    pub stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts a command, whose output goes to these files.
    pub fn start(mut command: Command, stdout: PathBuf, stderr: PathBuf) -> Running {
        command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Running {
            child,
            stdout,
            stderr,
        }
    }

    /// The command's process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// What it printed so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// Waits until it has printed `text`.
    #[track_caller]
    pub fn wait_for_output(&mut self, text: &str) {
        let start = Instant::now();
        while !self.stdout().contains(text) {
            if let Some(status) = self.child.try_wait().unwrap() {
                let stderr = fs::read_to_string(&self.stderr).unwrap_or_default();
                if !self.stdout().contains(text) {
                    panic!("ended ({status}) before it printed {text:?}: {stderr}");
                }
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "no {text:?} in {:?}",
                self.stdout()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill has no memory to harm; the child is not yet waited for, so the pid is ours.
        unsafe { libc::kill(self.pid(), signal) };
    }

    /// Waits for its end, and kills it when it takes too long.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("the command hung; it had printed {:?}", self.stdout());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Output {
            status,
            stdout: String::from_utf8_lossy(&fs::read(&self.stdout).unwrap()).into_owned(),
            stderr: String::from_utf8_lossy(&fs::read(&self.stderr).unwrap()).into_owned(),
        }
    }
}

/// Gives a command one more descriptor to inherit.
pub fn inherit_fd(command: &mut Command, fd: i32) {
    // SAFETY: dup2 is async-signal-safe, and the closure touches no memory of the parent.
    unsafe {
        command.pre_exec(move || {
            if libc::dup2(2, fd) < 0 {
                Err(std::io::Error::last_os_error())
            } else {
                Ok(())
            }
        });
    }
}
