//! A bundle to edit, a container to hold, and eyes on the host.

use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

#[path = "harness/host.rs"]
mod host;
#[path = "harness/old_kernel.rs"]
mod old_kernel;
#[path = "harness/output.rs"]
mod output;
// By their paths, as the tests of escapes have this file elsewhere. The first, for its macros.
#[macro_use]
#[path = "harness/under_test.rs"]
mod under_test;

pub use host::*;
pub use old_kernel::*;
pub use output::*;
pub use under_test::*;

/// How long anything may take on a loaded machine before a test gives it up.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// Waits for a condition.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A bundle with a busybox root filesystem in a directory of its own, a private `--root`, and a unique container id.
pub struct Bundle {
    /// The directory that holds all that belongs to the test.
    pub dir: PathBuf,
    /// The container's id.
    pub id: String,
    /// The configuration, written out before each command that reads it.
    pub config: Value,
    /// Whether systemd is to make the cgroup.
    pub systemd: bool,
}

impl Bundle {
    /// A bundle with the configuration that `spec` writes for us, without a terminal.
    pub fn new() -> Bundle {
        // The last letter keeps one id from being the beginning of another.
        let id = format!(
            "coracle-test-{}-{}x",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = std::env::temp_dir().join(&id);
        fs::create_dir_all(dir.join("bundle")).unwrap();
        for path in [&dir, &dir.join("bundle")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(dir.join("state")).unwrap();
        make_rootfs(&dir.join("bundle/rootfs"));
        let mut bundle = Bundle {
            dir,
            id,
            config: default_spec().clone(),
            systemd: with_systemd(),
        };
        bundle.config["process"]["terminal"] = json!(false);
        // An ordinary user's has none.
        if bundle.config["linux"]["resources"].is_null() {
            bundle.config["linux"]["resources"] = json!({});
        }
        bundle
    }

    /// A bundle whose process is `sh -c script`.
    pub fn sh(script: &str) -> Bundle {
        let mut bundle = Bundle::new();
        bundle.set_args(&["sh", "-c", script]);
        bundle
    }

    /// A bundle whose process waits to be killed (it ends on SIGTERM, as a polite init).
    pub fn sleeping() -> Bundle {
        Bundle::sh("trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done")
    }

    /// Sets `process.args`.
    pub fn set_args(&mut self, args: &[&str]) {
        self.config["process"]["args"] = json!(args);
    }

    /// The bundle's directory.
    pub fn bundle(&self) -> PathBuf {
        self.dir.join("bundle")
    }

    /// A path in the root filesystem.
    pub fn rootfs(&self, path: &str) -> PathBuf {
        self.dir
            .join("bundle/rootfs")
            .join(path.trim_start_matches('/'))
    }

    /// The state directory of the runtime.
    pub fn root(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Writes config.json.
    pub fn write_config(&self) {
        let text = serde_json::to_vec_pretty(&self.config).unwrap();
        fs::write(self.bundle().join("config.json"), text).unwrap();
    }

    /// The runtime with these arguments after `--root`, not yet started.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(binary());
        command
            .arg("--root")
            .arg(self.root())
            .args(self.systemd.then_some("--systemd-cgroup"))
            .args(args)
            .current_dir(&self.dir);
        if lacks_new_calls() {
            forbid(&mut command, &NEW_CALLS);
        }
        command
    }

    /// Starts a command with its output in files.
    pub fn spawn(&self, command: Command) -> Running {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = |name: &str| self.dir.join(format!("{name}-{n}"));
        Running::start(command, file("out"), file("err"))
    }

    /// Runs the runtime with these arguments after `--root`.
    #[track_caller]
    pub fn cli<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.spawn(self.command(args)).wait()
    }

    /// A command that takes the bundle, with more flags, not yet started.
    pub fn bundle_command(&self, name: &str, flags: &[&str]) -> Command {
        self.write_config();
        let bundle = self.bundle();
        let mut args: Vec<&OsStr> =
            vec![OsStr::new(name), OsStr::new("--bundle"), bundle.as_os_str()];
        args.extend(flags.iter().map(OsStr::new));
        args.push(OsStr::new(&self.id));
        self.command(&args)
    }

    /// `run` in the foreground, with more flags.
    #[track_caller]
    pub fn run_with(&self, flags: &[&str]) -> Output {
        self.spawn(self.bundle_command("run", flags)).wait()
    }

    /// `run` in the foreground.
    #[track_caller]
    pub fn run(&self) -> Output {
        self.run_with(&[])
    }

    /// `run` in the foreground, while the test goes on.
    pub fn run_in_background(&self) -> Running {
        self.spawn(self.bundle_command("run", &[]))
    }

    /// `create`, whatever comes of it.
    #[track_caller]
    pub fn try_create(&self) -> Output {
        self.spawn(self.bundle_command("create", &[])).wait()
    }

    /// `create`, which must succeed.
    #[track_caller]
    pub fn create(&self) -> Container<'_> {
        let running = self.spawn(self.bundle_command("create", &[]));
        let stdout = running.stdout.clone();
        let guard = Container {
            bundle: self,
            stdout,
        };
        running.wait().ok();
        guard
    }

    /// `create` and `start`.
    #[track_caller]
    pub fn start(&self) -> Container<'_> {
        let container = self.create();
        container.cli("start").ok();
        container
    }

    /// What of this test's containers is still on the host: state, cgroups, processes, mounts.
    pub fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for entry in fs::read_dir(self.root()).into_iter().flatten().flatten() {
            left.push(format!("state {}", entry.path().display()));
        }
        find_cgroups(Path::new("/sys/fs/cgroup"), &self.id, 4, &mut left);
        for pid in pids() {
            if pid != std::process::id() as i32 && belongs(pid, &self.id) {
                let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                left.push(format!("process {pid} {}", comm.trim()));
            }
        }
        for line in fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .lines()
            .filter(|line| line.contains(&self.id))
        {
            left.push(format!("mount {line}"));
        }
        left
    }

    /// Asserts that nothing of this test's containers is left. Processes that were killed are given time to be
    /// reaped by whoever is their parent.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let start = Instant::now();
        loop {
            let left = self.leftovers();
            if left.is_empty() {
                return;
            }
            let only_processes = left.iter().all(|line| line.starts_with("process"));
            assert!(
                only_processes && start.elapsed() < Duration::from_secs(20),
                "left behind: {left:#?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.root()).into_iter().flatten().flatten() {
            let _ = self
                .command(&["delete", "--force"])
                .arg(entry.file_name())
                .output();
        }
        if std::thread::panicking() && std::env::var_os("CORACLE_TEST_KEEP").is_some() {
            return;
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A created container; it is deleted by force when it goes out of scope.
pub struct Container<'a> {
    bundle: &'a Bundle,
    stdout: PathBuf,
}

impl Container<'_> {
    /// A command of the runtime with the container's id as its only argument.
    #[track_caller]
    pub fn cli(&self, command: &str) -> Output {
        self.bundle.cli(&[command, &self.bundle.id])
    }

    /// What the container printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// Waits until the container has printed `text`.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        wait_until(&format!("the container prints {text:?}"), || {
            self.output().contains(text)
        });
    }

    /// The state as JSON.
    #[track_caller]
    pub fn state(&self) -> Value {
        serde_json::from_str(&self.cli("state").ok().stdout).unwrap()
    }

    /// The status in the state.
    #[track_caller]
    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap().to_owned()
    }

    /// The pid of its init.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        self.state()["pid"].as_i64().unwrap() as i32
    }

    /// `kill ID SIGNAL`.
    #[track_caller]
    pub fn kill(&self, signal: &str) -> Output {
        self.bundle.cli(&["kill", &self.bundle.id, signal])
    }

    /// Waits until the state says so.
    #[track_caller]
    pub fn wait_for_status(&self, status: &str) {
        wait_until(&format!("the container is {status}"), || {
            self.status() == status
        });
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self
            .bundle
            .command(&["delete", "--force", &self.bundle.id])
            .output();
    }
}

/// The configuration that `spec` writes (asked once).
pub fn default_spec() -> &'static Value {
    static SPEC: OnceLock<Value> = OnceLock::new();
    SPEC.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("coracle-test-spec-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let output = Command::new(binary())
            .args(["spec", "--bundle"])
            .arg(&dir)
            .args((!root()).then_some("--rootless"))
            .output()
            .unwrap();
        assert!(output.status.success(), "spec: {output:?}");
        let spec = serde_json::from_slice(&fs::read(dir.join("config.json")).unwrap()).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        spec
    })
}

/// Makes a root filesystem of busybox, its applets as symlinks.
fn make_rootfs(rootfs: &Path) {
    static APPLETS: OnceLock<Vec<String>> = OnceLock::new();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .find(|path| Path::new(path).exists());
    let busybox = busybox.expect("busybox-static is not installed");
    let applets = APPLETS.get_or_init(|| {
        let list = Command::new(busybox).arg("--list").output().unwrap();
        String::from_utf8(list.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    });
    for dir in [
        "bin",
        "proc",
        "sys",
        "dev",
        "etc",
        "tmp",
        "home/user",
        "root",
        "mnt",
    ] {
        fs::create_dir_all(rootfs.join(dir)).unwrap();
    }
    fs::set_permissions(rootfs.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::copy(busybox, rootfs.join("bin/busybox")).unwrap();
    for applet in applets.iter().filter(|applet| *applet != "busybox") {
        symlink("busybox", rootfs.join("bin").join(applet)).unwrap();
    }
    let passwd = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n";
    fs::write(rootfs.join("etc/passwd"), passwd).unwrap();
    fs::write(
        rootfs.join("etc/group"),
        "root:x:0:\ntty:x:5:\nuser:x:1000:\n",
    )
    .unwrap();
}
