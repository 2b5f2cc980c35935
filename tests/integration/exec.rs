//! exec: its flags, what a further process has of the container, and what happens when the container ends meanwhile.

use crate::harness::*;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// `exec FLAGS ID COMMAND`.
#[track_caller]
fn exec(bundle: &Bundle, flags: &[&str], command: &[&str]) -> Output {
    bundle.cli(&[&["exec"], flags, &[&bundle.id], command].concat())
}

/// `exec FLAGS ID sh -c SCRIPT`, which must succeed: what it printed.
#[track_caller]
fn sh(bundle: &Bundle, flags: &[&str], script: &str) -> String {
    exec(bundle, flags, &["sh", "-c", script]).ok().stdout
}

/// Binds a command that is yet to be started to the first CPU.
fn bind_to_first_cpu(command: &mut Command) {
    // SAFETY: sched_setaffinity is async-signal-safe, and the mask is the closure's own.
    unsafe {
        command.pre_exec(|| {
            let mask = 1u64;
            match libc::sched_setaffinity(0, size_of_val(&mask), (&raw const mask).cast()) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
}

/// The line of /proc/self/status about CPUs.
fn own_cpus() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("Cpus_allowed_list:"));
    line.unwrap().to_owned()
}

#[test]
fn failures_have_a_status_of_their_own() {
    let bundle = Bundle::sleeping();
    let failed = |output: Output, text: &str| {
        assert_eq!(output.code(), 255, "{output:?}");
        let complaint = output.complaint();
        assert!(complaint.contains("exec failed: "), "{output:?}");
        assert!(complaint.contains(text), "{output:?}");
    };
    failed(exec(&bundle, &[], &["true"]), "container does not exist");
    let container = bundle.start();
    failed(
        exec(&bundle, &["--pid-file", "/nonesuch/pid"], &["true"]),
        "--pid-file: open /nonesuch/pid: no such file or directory",
    );
    failed(
        exec(&bundle, &[], &["/nonesuch"]),
        "stat /nonesuch: no such file or directory",
    );
    fs::write(bundle.rootfs("script"), "#!/nonesuch\n").unwrap();
    Command::new("chmod")
        .arg("755")
        .arg(bundle.rootfs("script"))
        .status()
        .unwrap();
    failed(
        exec(&bundle, &[], &["/script"]),
        "exec /script: no such file or directory",
    );
    failed(exec(&bundle, &["--user", "x"], &["true"]), "--user: \"x\"");
    failed(exec(&bundle, &[], &[]), "args cannot be empty");
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    failed(
        exec(&bundle, &[], &["true"]),
        "cannot exec in a stopped container",
    );
}

#[test]
fn flags_change_the_containers_process() {
    root_only!("other users");
    let mut bundle = Bundle::sleeping();
    bundle.config["process"]["env"] = json!(["PATH=/bin", "HOME=", "A=1"]);
    bundle.config["process"]["user"]["umask"] = json!(0o027);
    let _container = bundle.start();
    let script = "id -u; id -G; pwd; echo $HOME $A; umask; grep NoNewPrivs /proc/self/status";
    assert_eq!(
        sh(&bundle, &["--no-new-privs=false"], script),
        "0\n0\n/\n/root 1\n0027\nNoNewPrivs:\t0\n"
    );
    let flags = [
        "-u",
        "1000:100",
        "-g",
        "7",
        "-g",
        "8",
        "--cwd",
        "/tmp",
        "-e",
        "A=2",
        "--no-new-privs",
    ];
    assert_eq!(
        sh(&bundle, &flags, script),
        "1000\n100 7 8\n/tmp\n/home/user 2\n0027\nNoNewPrivs:\t1\n"
    );
    let file = bundle.dir.join("process.json");
    let process =
        json!({"args": ["sh", "-c", "pwd; echo $B"], "cwd": "/mnt", "env": ["PATH=/bin", "B=3"]});
    fs::write(&file, process.to_string()).unwrap();
    let output = exec(&bundle, &["--process", file.to_str().unwrap()], &[]).ok();
    assert_eq!(output.stdout, "/mnt\n3\n");
}

#[test]
fn capabilities_are_added() {
    let mut bundle = Bundle::sleeping();
    let set = json!(["CAP_KILL"]);
    bundle.config["process"]["capabilities"] =
        json!({"bounding": set, "effective": set, "permitted": set, "inheritable": set});
    let _container = bundle.start();
    let caps = |flags: &[&str]| -> Vec<u64> {
        let text = sh(&bundle, flags, "grep Cap /proc/self/status");
        let numbers = text
            .lines()
            .map(|line| line.split_whitespace().nth(1).unwrap());
        numbers
            .map(|number| u64::from_str_radix(number, 16).unwrap())
            .collect()
    };
    // Inheritable, permitted, effective, bounding, ambient.
    assert_eq!(caps(&[])[1..], [1 << 5, 1 << 5, 1 << 5, 0]);
    assert_eq!(
        caps(&["--cap", "CAP_CHOWN"])[1..],
        [1 << 5 | 1, 1 << 5 | 1, 1 << 5 | 1, 0]
    );
}

#[test]
fn what_cannot_be_ambient_is_a_warning() {
    let mut bundle = Bundle::sh("grep CapAmb /proc/self/status");
    bundle.config["process"]["capabilities"]["ambient"] = json!(["CAP_KILL"]);
    bundle.config["process"]["capabilities"]["inheritable"] = json!([]);
    let output = bundle.run().ok();
    assert_eq!(output.stdout, "CapAmb:\t0000000000000000\n");
    assert!(
        output
            .stderr
            .contains("can't raise ambient capability CAP_KILL: "),
        "{output:?}"
    );
}

#[test]
fn the_process_is_in_a_cgroup_below() {
    let bundle = Bundle::sleeping();
    let container = bundle.start();
    let Some(directory) = cgroup_dir(container.pid(), "pids") else {
        skip!("there is no pids controller");
    };
    let sub = directory.join("sub");
    let v1 = fs::exists(directory.join("tasks")).unwrap();
    let prefix = if v1 { "pids:" } else { "" };
    for (cgroup, text) in [
        ("nonesuch", "no such file or directory"),
        ("..", "bad sub cgroup path: .."),
        ("sub/../..", "bad sub cgroup path"),
    ] {
        let output = exec(
            &bundle,
            &["--cgroup", &format!("{prefix}{cgroup}")],
            &["true"],
        );
        assert_eq!(output.code(), 255, "{output:?}");
        assert!(output.complaint().contains(text), "{output:?}");
    }
    fs::create_dir(&sub).unwrap();
    let script = "cat /proc/self/cgroup";
    let cgroup = |flags: &[&str]| {
        let text = sh(&bundle, flags, script);
        let line = text
            .lines()
            .find(|line| line.contains(":pids:") || line.starts_with("0::") && !v1);
        line.unwrap().rsplit(':').next().unwrap().to_owned()
    };
    let own = cgroup(&[]);
    assert_eq!(cgroup(&["--cgroup", &format!("{prefix}/")]), own);
    assert_eq!(
        cgroup(&["--cgroup", &format!("{prefix}sub")]),
        format!("{}/sub", own.trim_end_matches('/'))
    );
    if v1 {
        let output = exec(&bundle, &["--cgroup", "nonesuch:/"], &["true"]);
        assert!(
            output.complaint().contains("unknown controller nonesuch"),
            "{output:?}"
        );
    }
}

#[test]
fn affinity_is_that_of_the_cgroup() {
    let all = own_cpus();
    if all.ends_with("\t0") {
        skip!("there is one CPU only");
    }
    let bundle = Bundle::sh("grep Cpus_allowed_list /proc/self/status; exec sleep 1000");
    bundle.write_config();
    let directory = bundle.bundle();
    let bound = |args: &[&str]| {
        let mut command = bundle.command(args);
        bind_to_first_cpu(&mut command);
        bundle.spawn(command)
    };
    let dir = directory.to_str().unwrap();
    let mut running = bound(&["run", "--bundle", dir, &bundle.id]);
    running.wait_for_output("Cpus_allowed_list");
    assert_eq!(running.stdout().trim_end(), all);
    let script = ["grep", "Cpus_allowed_list", "/proc/self/status"];
    let output = bound(&[&["exec", &bundle.id], &script[..]].concat())
        .wait()
        .ok();
    assert_eq!(output.stdout.trim_end(), all);

    let with = |affinity: Value| {
        let file = bundle.dir.join("process.json");
        let process = json!({
            "args": script, "cwd": "/", "env": ["PATH=/bin"], "execCPUAffinity": affinity
        });
        fs::write(&file, process.to_string()).unwrap();
        let output = exec(&bundle, &["--process", file.to_str().unwrap()], &[]);
        output
            .ok()
            .stdout
            .trim_end()
            .replace("Cpus_allowed_list:\t", "")
    };
    assert_eq!(with(json!({"initial": "1"})), "1");
    assert_eq!(with(json!({"initial": "1", "final": "0"})), "0");
    assert_eq!(with(json!({"final": "0,1"})), "0-1");
    bundle.cli(&["kill", &bundle.id, "KILL"]).ok();
    running.wait();
}

#[test]
fn personality_and_memory_policy_are_those_of_the_container() {
    if !fs::exists("/proc/self/numa_maps").unwrap() {
        skip!("the kernel has no NUMA memory policies");
    }
    let mut bundle = Bundle::sleeping();
    bundle.config["linux"]["personality"] = json!({"domain": "LINUX32"});
    bundle.config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_INTERLEAVE", "nodes": "0"});
    let container = bundle.start();
    let maps = fs::read_to_string(format!("/proc/{}/numa_maps", container.pid())).unwrap();
    assert!(maps.contains(" interleave:0 "), "{maps}");
    let output = sh(&bundle, &[], "uname -m; head -n1 /proc/self/numa_maps");
    assert!(output.contains(" interleave:0 "), "{output}");
    if cfg!(target_arch = "x86_64") {
        assert!(output.starts_with("i686\n"), "{output}");
    }
}

/// Asserts that the container's process and one that is executed see one session keyring of the container.
fn check_session_keyring(mut bundle: Bundle) {
    bundle.set_args(&["sh", "-c", "cat /proc/keys; exec sleep 1000"]);
    bundle.config["linux"]["maskedPaths"] = json!([]);
    let container = bundle.start();
    let name = format!("_ses.{}", bundle.id);
    let keyrings = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains(&name));
        lines.map(|line| line[..8].to_owned()).collect()
    };
    container.wait_for_output(&name);
    let own = keyrings(&container.output());
    assert_eq!(own.len(), 1, "{}", container.output());
    assert_eq!(keyrings(&sh(&bundle, &[], "cat /proc/keys")), own);
}

#[test]
fn the_session_keyring_is_that_of_the_container() {
    if !fs::exists("/proc/keys").unwrap() {
        skip!("the kernel has no keyrings");
    }
    check_session_keyring(Bundle::new());
    if !root() {
        return;
    }
    // In the user namespace of an ordinary user its maker and its root are one, and else they are two.
    for host in [0, 100_000] {
        let mut bundle = Bundle::new();
        let map = json!([{"containerID": 0, "hostID": host, "size": 1000}]);
        let linux = &mut bundle.config["linux"];
        linux["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "user"}));
        (linux["uidMappings"], linux["gidMappings"]) = (map.clone(), map);
        check_session_keyring(bundle);
    }
}

#[test]
fn the_session_keyring_is_the_caller_s_when_asked_for() {
    if !fs::exists("/proc/keys").unwrap() {
        skip!("the kernel has no keyrings");
    }
    let mut bundle = Bundle::sleeping();
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.write_config();
    // In a session keyring of this name, which only those see in /proc/keys who have it.
    let join = |name: &str, args: &[&str]| {
        let mut command = bundle.command(args);
        let name = std::ffi::CString::new(name).unwrap();
        // SAFETY: keyctl is async-signal-safe, and the name lives in the closure.
        unsafe {
            command.pre_exec(move || {
                const JOIN_SESSION_KEYRING: libc::c_long = 1;
                const SETPERM: libc::c_long = 5;
                const POSSESSOR_ALL: libc::c_long = 0x3f00_0000;
                let own = libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, name.as_ptr());
                match libc::syscall(libc::SYS_keyctl, SETPERM, own, POSSESSOR_ALL) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        bundle.spawn(command).wait()
    };
    let dir = bundle.bundle();
    let dir = dir.to_str().unwrap();
    let script = ["sh", "-c", "cat /proc/keys"];
    for keeps in [false, true] {
        let name = format!("{}-caller-{keeps}", bundle.id);
        let mut run = vec!["run", "--detach", "--bundle", dir];
        run.extend(keeps.then_some("--no-new-keyring"));
        run.push(&bundle.id);
        join(&name, &run).ok();
        let output = join(&name, &[&["exec", &bundle.id], &script[..]].concat()).ok();
        assert_eq!(output.stdout.contains(&name), keeps, "{output:?}");
        bundle.cli(&["delete", "--force", &bundle.id]).ok();
    }
    bundle.assert_nothing_left();
}

#[test]
fn a_process_in_a_user_namespace_has_its_limits() {
    root_only!("a map of root");
    let mut bundle = Bundle::sh("cat /proc/self/oom_score_adj; exec sleep 1000");
    bundle.config["process"]["oomScoreAdj"] = json!(333);
    bundle.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "user"}));
    let map = json!([{"containerID": 0, "hostID": 0, "size": 65536}]);
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map;
    let container = bundle.start();
    container.wait_for_output("333\n");
    assert_eq!(sh(&bundle, &[], "cat /proc/self/oom_score_adj"), "333\n");
}

#[test]
fn labels_need_their_security_module() {
    let bundle = Bundle::sleeping();
    let _container = bundle.start();
    if !fs::exists("/sys/kernel/security/apparmor").unwrap() {
        let output = exec(&bundle, &["--apparmor", "nonesuch"], &["true"]);
        assert_eq!(output.code(), 255, "{output:?}");
        assert!(
            output.stderr.contains("process.apparmorProfile"),
            "{output:?}"
        );
    }
    if !fs::exists("/sys/fs/selinux/enforce").unwrap() {
        let output = exec(&bundle, &["--process-label", "a:b:c:s0"], &["true"]);
        assert_eq!(output.code(), 255, "{output:?}");
        assert!(
            output
                .stderr
                .contains("selinux is disabled or not supported"),
            "{output:?}"
        );
    }
}

#[test]
fn a_container_that_ends_during_exec() {
    for round in 0..8 {
        let bundle = Bundle::sh("exec sleep 1000");
        let container = bundle.start();
        let mut running = Vec::new();
        for index in 0..12 {
            let args = ["exec", &bundle.id, "sh", "-c", "echo in; sleep 1000"];
            running.push(bundle.spawn(bundle.command(&args)));
            if index == round {
                container.kill("KILL").ok();
            }
        }
        for one in running {
            let output = one.wait();
            let ended = output.code() == 137 && output.stderr.is_empty();
            let refused = output.code() == 255
                && (output.stderr.contains("cannot exec in a stopped container")
                    || output.stderr.contains("killed before"));
            assert!(ended || refused, "{output:?}");
            assert!(ended || output.stdout.is_empty(), "{output:?}");
        }
        container.wait_for_status("stopped");
        container.cli("delete").ok();
        bundle.assert_nothing_left();
    }
}

#[test]
fn many_at_a_time() {
    let bundle = Bundle::sleeping();
    let _container = bundle.start();
    let start = |number: usize| {
        let script = format!("echo {number}; exit {}", number % 7);
        bundle.spawn(bundle.command(&["exec", &bundle.id, "sh", "-c", &script]))
    };
    for batch in [0, 100] {
        let running: Vec<Running> = (batch..batch + 100).map(start).collect();
        for (number, one) in (batch..).zip(running) {
            let output = one.wait();
            assert_eq!(output.code() as usize, number % 7, "{output:?}");
            assert_eq!(output.stdout, format!("{number}\n"), "{output:?}");
        }
    }
}

#[test]
fn ps_shows_the_containers_processes() {
    if !fs::exists("/usr/bin/ps").unwrap() && !fs::exists("/bin/ps").unwrap() {
        skip!("ps is not installed");
    }
    let bundle = Bundle::sh("sleep 1000 & echo ready; wait");
    let container = bundle.start();
    container.wait_for_output("ready");
    let json = bundle.cli(&["ps", "-f", "json", &bundle.id]).ok().stdout;
    let pids: Vec<i32> = serde_json::from_str(&json).unwrap();
    assert_eq!(pids.len(), 2);
    assert!(pids.contains(&container.pid()));
    let rows = |args: &[&str], title: &str| -> Vec<i32> {
        let output = bundle.cli(&[&["ps", &bundle.id], args].concat()).ok();
        let mut lines = output.stdout.lines();
        let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
        let column = head.iter().position(|name| *name == "PID").unwrap();
        assert!(head.contains(&title), "{output:?}");
        let pid = |line: &str| line.split_whitespace().nth(column).unwrap().parse();
        lines.map(|line| pid(line).unwrap()).collect()
    };
    for (args, title) in [
        (&[][..], "STIME"),
        (&["-e", "-x"], "STAT"),
        (&["-aux"], "USER"),
    ] {
        let mut found = rows(args, title);
        found.sort_unstable();
        assert_eq!(found, pids, "{args:?}");
    }
    bundle
        .cli(&["ps", &bundle.id, "--nonesuch"])
        .fails_with("ps: ");
    bundle
        .cli(&["ps", "-f", "yaml", &bundle.id])
        .fails_with("invalid format option");
    bundle.cli(&["ps", "nonesuch"]).fails_with("does not exist");
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    assert!(rows(&[], "STIME").is_empty());
}
