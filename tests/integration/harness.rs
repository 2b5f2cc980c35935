//! A bundle to edit, a container to hold, and eyes on the host.

use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take on a loaded machine before a test gives it up.
pub const PATIENCE: Duration = Duration::from_secs(150);

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
        if std::env::var_os("CORACLE_TEST_OLD_KERNEL").is_some() {
            skip!("mount(2) cannot do this");
        }
    };
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
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
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
        if std::env::var_os("CORACLE_TEST_OLD_KERNEL").is_some() {
            forbid(&mut command, &NEW_CALLS);
        }
        command
    }

    /// Starts a command with its output in files.
    pub fn spawn(&self, mut command: Command) -> Running {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let stdout = self.dir.join(format!("out-{n}"));
        let stderr = self.dir.join(format!("err-{n}"));
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

/// Waits for a condition.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
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

/// All processes of the host.
pub fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Whether a process has to do with a test, by its arguments, cgroup, root, directory or descriptors.
fn belongs(pid: i32, id: &str) -> bool {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
    if status
        .lines()
        .any(|line| line.starts_with("State:\tZ") || line.starts_with("State:\tX"))
    {
        // Waits only to be reaped by a parent that is not the runtime.
        return false;
    }
    let names =
        |path: &Path| fs::read_link(path).is_ok_and(|link| link.to_string_lossy().contains(id));
    ["cmdline", "cgroup"].iter().any(|file| {
        fs::read(proc.join(file)).is_ok_and(|text| String::from_utf8_lossy(&text).contains(id))
    }) || names(&proc.join("root"))
        || names(&proc.join("cwd"))
        || fs::read_dir(proc.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
            .any(|fd| names(&fd.path()))
}

fn find_cgroups(dir: &Path, id: &str, depth: u32, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().contains(id) {
            found.push(format!("cgroup {}", entry.path().display()));
        } else if depth > 0 {
            find_cgroups(&entry.path(), id, depth - 1, found);
        }
    }
}

/// The directory of a process's cgroup: of the v1 hierarchy with this controller, or the v2 one.
pub fn cgroup_dir(pid: i32, controller: &str) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let has = |list: &str| list.split(',').any(|name| name == controller);
    let path_in = |wanted: &dyn Fn(&str) -> bool| {
        text.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let list = parts.next()?;
            let path = parts.next()?;
            wanted(list).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount_of = |kind: &str, wanted: &dyn Fn(&str) -> bool| {
        mounts.lines().find_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut right = right.split(' ');
            (right.next()? == kind && wanted(right.nth(1)?))
                .then(|| PathBuf::from(left.split(' ').nth(4).unwrap()))
        })
    };
    if let (Some(path), Some(mount)) = (
        path_in(&|list| has(list)),
        mount_of("cgroup", &|options| has(options)),
    ) {
        return Some(mount.join(path));
    }
    let dir = mount_of("cgroup2", &|_| true)?.join(path_in(&|list| list.is_empty())?);
    let controllers = fs::read_to_string(dir.join("cgroup.controllers")).ok()?;
    controllers
        .split_whitespace()
        .any(|name| name == controller)
        .then_some(dir)
}

/// One line of a process's mountinfo.
#[derive(Debug, Clone)]
pub struct MountLine {
    /// Where it is mounted.
    pub target: String,
    /// The options of this mount.
    pub options: Vec<String>,
    /// `shared:1`, `master:2` and the like.
    pub propagation: Vec<String>,
    /// The filesystem's type.
    pub kind: String,
    /// The options of the filesystem.
    pub super_options: Vec<String>,
}

impl MountLine {
    /// Whether the mount itself or its filesystem has this option.
    pub fn has(&self, option: &str) -> bool {
        self.options
            .iter()
            .chain(&self.super_options)
            .any(|o| o == option)
    }
}

/// Reads a mountinfo text.
pub fn parse_mountinfo(text: &str) -> Vec<MountLine> {
    let list = |text: &str| text.split(',').map(str::to_owned).collect();
    text.lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let left: Vec<&str> = left.split(' ').collect();
            let right: Vec<&str> = right.split(' ').collect();
            Some(MountLine {
                target: left[4].to_owned(),
                options: list(left[5]),
                propagation: left[6..].iter().map(|field| (*field).to_owned()).collect(),
                kind: right[0].to_owned(),
                super_options: list(right.last()?),
            })
        })
        .collect()
}

/// The topmost mount at a target.
#[track_caller]
pub fn mount_at<'a>(mounts: &'a [MountLine], target: &str) -> &'a MountLine {
    let found = mounts.iter().rev().find(|mount| mount.target == target);
    found.unwrap_or_else(|| panic!("nothing is mounted at {target}: {mounts:#?}"))
}
