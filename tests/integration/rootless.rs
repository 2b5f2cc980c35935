//! The runtime as an ordinary user, and user namespaces whose ids it has to find.

use crate::harness::{Bundle, Output, binary, parse_mountinfo};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

/// An id that no account of the host has.
const USER: u32 = 34567;

/// A bundle that belongs to an ordinary user, who runs the runtime in a shell with `$coracle` and `$id`.
pub struct Home {
    pub bundle: Bundle,
    /// What root does in the user's shell before it is the user's.
    pub before: String,
}

impl Home {
    pub fn new(script: &str) -> Home {
        let mut bundle = Bundle::sh(script);
        make_rootless(&mut bundle.config);
        let home = Home {
            bundle,
            before: String::new(),
        };
        let dir = &home.bundle.dir;
        fs::copy(binary(), dir.join("coracle")).unwrap();
        fs::set_permissions(dir.join("coracle"), fs::Permissions::from_mode(0o755)).unwrap();
        home.give_all();
        home
    }

    /// Makes all files of the test the user's.
    pub fn give_all(&self) {
        let chowned = Command::new("chown")
            .arg("-Rh")
            .arg(format!("{USER}:{USER}"))
            .arg(&self.bundle.dir)
            .status();
        assert!(chowned.unwrap().success());
    }

    /// Runs a line of shell as the user; `ranges` are the lines of subuid(5) and subgid(5) that the host has for the
    /// test alone.
    pub fn shell(&self, ranges: &str, line: &str) -> Output {
        self.bundle.write_config();
        let dir = &self.bundle.dir;
        chown(self.bundle.bundle().join("config.json"), Some(USER), None).unwrap();
        fs::write(dir.join("ranges"), ranges).unwrap();
        fs::write(
            dir.join("passwd"),
            format!("root:x:0:0::/:/bin/sh\ntester:x:{USER}:{USER}::/:/bin/sh\n"),
        )
        .unwrap();
        let script = format!(
            "cd '{dir}'; for file in subuid subgid; do touch /etc/$file; mount --bind ranges /etc/$file; done
             mount --bind passwd /etc/passwd
             export coracle='{dir}/coracle --root {dir}/state' id='{id}' XDG_RUNTIME_DIR={dir}/runtime
             {before}
             exec setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=-all sh -c \"$1\"",
            dir = dir.display(),
            id = self.bundle.id,
            before = self.before,
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", &script, "sh", line]);
        self.bundle.spawn(command).wait()
    }

    pub fn run(&self, ranges: &str) -> Output {
        self.shell(ranges, "$coracle run --bundle bundle $id")
    }
}

/// What `spec --rootless` writes for the user.
pub fn make_rootless(config: &mut Value) {
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "network");
    namespaces.push(json!({"type": "user"}));
    config["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": USER, "size": 1}]);
    config["linux"]["gidMappings"] = config["linux"]["uidMappings"].clone();
    config["linux"].as_object_mut().unwrap().remove("resources");
    for mount in config["mounts"].as_array_mut().unwrap() {
        if mount["destination"] == "/sys" {
            *mount = json!({"destination": "/sys", "type": "none", "source": "/sys",
                "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]});
        }
        if let Some(options) = mount["options"].as_array_mut() {
            options.retain(|option| option != "gid=5");
        }
    }
}

/// The words of each line.
pub fn table(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[test]
fn spec_rootless_and_run_just_work() {
    let home = Home::new("true");
    let output = home.shell(
        "",
        "cd bundle; rm config.json; $coracle spec --rootless
         sed -i 's/\"terminal\": true/\"terminal\": false/; s/\"sh\"/\"id\", \"-u\"/' config.json
         $coracle run $id",
    );
    assert_eq!(output.ok().stdout, "0\n");
    home.bundle.assert_nothing_left();
}

#[test]
fn a_users_container_lives_and_dies() {
    let home = Home::new("trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done");
    let output = home.shell(
        "",
        "set -e
         $coracle create --bundle bundle $id </dev/null >out 2>&1
         $coracle state $id | grep -q '\"status\": \"created\"'
         $coracle start $id
         $coracle list | grep -q \"$id .* running .* tester\"
         $coracle exec $id sh -c 'echo $(id -u) $(cat /proc/1/comm)'
         $coracle kill $id KILL
         while $coracle state $id | grep -q running; do sleep 0.05; done
         $coracle delete $id
         $coracle list -q",
    );
    assert_eq!(output.ok().stdout, "0 sh\n");
    home.bundle.assert_nothing_left();
}

#[test]
fn the_state_is_in_the_users_runtime_directory() {
    let home = Home::new("true");
    let output = home.shell(
        "",
        "mkdir -m 700 runtime; ./coracle create --bundle bundle $id </dev/null >out 2>&1
         ls runtime/coracle; ./coracle delete --force $id; ls runtime/coracle",
    );
    assert_eq!(output.ok().stdout, format!("{}\n", home.bundle.id));
}

#[test]
fn without_a_runtime_directory_the_state_is_in_tmp_where_nobody_else_can_write() {
    coracle_only!();
    let mut home = Home::new("true");
    let own = |made: &str| {
        format!(
            "mkdir -p tmp; chmod 1777 tmp; mount --bind . /mnt; mount --bind tmp /tmp; cd /mnt
             unset XDG_RUNTIME_DIR; place=/tmp/coracle-{USER}; rm -rf $place; {made}"
        )
    };
    home.before = own("");
    let line =
        "./coracle create --bundle bundle $id </dev/null >out 2>&1 || { cat out >&2; exit 1; }
        stat -c %a /tmp/coracle-*; ls /tmp/coracle-*; ./coracle delete $id; ./coracle list -q";
    let expected = format!("700\n{}\n", home.bundle.id);
    assert_eq!(home.shell("", line).ok().stdout, expected);
    for made in [
        "mkdir -m 777 $place",
        &format!("mkdir -m 777 $place; chown {USER} $place"),
        &format!("mkdir -m 700 tmp/own; chown {USER} tmp/own; ln -s own $place"),
        "touch $place",
    ] {
        home.before = own(made);
        home.shell("", line)
            .fails_with("is not a directory of yours alone: name another one with --root");
        home.bundle.assert_nothing_left();
    }
}

#[test]
fn cgroups_that_cannot_be_made_are_done_without_or_not() {
    coracle_only!();
    let mut home = Home::new("id -u");
    let run = |home: &Home, value: &str| {
        home.shell(
            "",
            &format!("$coracle --rootless {value} run --bundle bundle $id"),
        )
    };
    for value in ["true", "auto"] {
        assert_eq!(run(&home, value).ok().stdout, "0\n", "{value}");
    }
    run(&home, "false").fails_with("permission denied");
    run(&home, "maybe").fails_with("--rootless: \"maybe\" is unknown: use true, false or auto");
    home.bundle.config["linux"]["resources"] = json!({"pids": {"limit": 9}});
    for value in ["true", "auto"] {
        let output = run(&home, value).fails_with("");
        // On v1, and on v2.
        let known = ["cannot set pids limit", "rootless needs no limits"];
        assert!(
            known.iter().any(|text| output.stderr.contains(text)),
            "{output:?}"
        );
    }
    home.bundle.assert_nothing_left();
}

#[test]
fn missing_mappings_are_made_of_the_subordinate_ids() {
    let mut home =
        Home::new("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; id -G");
    let linux = home.bundle.config["linux"].as_object_mut().unwrap();
    linux.remove("uidMappings");
    linux.remove("gidMappings");
    let own = USER.to_string();
    let output = home.run("").ok();
    // Who cannot map other groups may not drop any, either.
    assert_eq!(
        table(&output.stdout)[..3],
        [vec!["0", &own, "1"], vec!["0", &own, "1"], vec!["deny"]]
    );

    home.bundle.config["process"]["user"] = json!({"uid": 7, "gid": 9, "additionalGids": [3, 4]});
    let output = home
        .run("other:1:5\ntester:200000:100\n34567:300000:50\n")
        .ok();
    assert_eq!(
        table(&output.stdout),
        [
            vec!["0", "200000", "7"],
            vec!["7", &own, "1"],
            vec!["8", "200007", "93"],
            vec!["101", "300000", "50"],
            vec!["0", "200000", "9"],
            vec!["9", &own, "1"],
            vec!["10", "200009", "91"],
            vec!["101", "300000", "50"],
            vec!["allow"],
            vec!["7"],
            vec!["9", "3", "4"],
        ]
    );
    home.bundle.assert_nothing_left();
}

#[test]
fn ranges_that_are_not_the_users_are_named() {
    let mut home = Home::new("true");
    let more = json!({"containerID": 1, "hostID": 200000, "size": 10});
    let add = |config: &mut Value, field: &str| {
        config["linux"][field]
            .as_array_mut()
            .unwrap()
            .push(more.clone());
    };
    add(&mut home.bundle.config, "uidMappings");
    home.run("")
        .fails_with("/etc/subuid does not give host ids 200000 to 200009 to user tester, but none");
    home.run("tester:200001:100\n").fails_with(
        "linux.uidMappings: newuidmap: uid range [1-11) -> [200000-200010) not allowed",
    );
    home.run("tester:200001:100\n")
        .fails_with("to user tester, but 200001 to 200100");
    home.run("tester:200000:10\n").ok();
    add(&mut home.bundle.config, "gidMappings");
    home.run("tester:200000:9\n")
        .fails_with("linux.uidMappings");
    home.run("tester:200000:10\n").ok();
    home.bundle.assert_nothing_left();
}

#[test]
fn groups_that_cannot_be_set_are_refused() {
    let mut home = Home::new("true");
    home.bundle.config["process"]["user"]["additionalGids"] = json!([0]);
    home.run("").fails_with(
        "process.user.additionalGids: cannot set any additional groups in a rootless container",
    );
    home.bundle.config["process"]["user"]["additionalGids"] = json!([7]);
    home.run("")
        .fails_with("process.user.additionalGids: cannot setgid to unmapped gid 7");
    home.bundle.assert_nothing_left();
}

#[test]
fn a_host_that_forbids_user_namespaces() {
    let home = Home::new("true");
    let output = home.shell(
        "",
        "unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces
            exec $coracle run --bundle bundle $id'",
    );
    output.fails_with(
        "linux.namespaces: no user namespace can be made: user.max_user_namespaces is 0",
    );
    home.bundle.assert_nothing_left();
}

/// In a chroot, the kernel refuses new user namespaces with the same error as for other reasons. The parameters that
/// name the reason are those of the whole host: so a copy of them is what the runtime finds.
#[test]
fn a_host_that_refuses_user_namespaces_without_saying_why() {
    coracle_only!();
    let mut home = Home::new("true");
    for (parameter, text) in [
        (
            "unprivileged_userns_clone 0",
            "kernel.unprivileged_userns_clone is 0, which forbids them to ordinary users: set it to 1",
        ),
        (
            "apparmor_restrict_unprivileged_userns 1",
            "kernel.apparmor_restrict_unprivileged_userns is 1, which denies them all rights: give coracle an AppArmor",
        ),
        ("other 0", "it is forbidden, as by a chroot"),
    ] {
        let (name, value) = parameter.split_once(' ').unwrap();
        home.before = format!(
            "mkdir -p chroot tools kernel; cp /proc/sys/kernel/cap_last_cap kernel; rm -f kernel/*userns*
             echo {value} > kernel/{name}; mount --bind kernel /proc/sys/kernel; mount --rbind / chroot
             printf '#!/bin/sh\\nexec chroot {dir}/chroot %s \"$@\"' $(command -v setpriv) > tools/setpriv
             chmod +x tools/setpriv; PATH={dir}/tools:$PATH",
            dir = home.bundle.dir.display(),
        );
        let line = format!(
            "cd '{}'; $coracle run --bundle bundle $id",
            home.bundle.dir.display()
        );
        home.shell("", &line).fails_with(&format!(
            "linux.namespaces: no user namespace can be made: {text}"
        ));
        home.bundle.assert_nothing_left();
    }
}

#[test]
fn what_needs_a_cgroup_says_so() {
    let home = Home::new("sleep 1000 & wait");
    let output = home.shell(
        "",
        "$coracle create --bundle bundle $id </dev/null >out 2>&1; $coracle start $id
         for command in pause 'update --memory 64M' 'update --pids-limit 9'; do
             $coracle $command $id && echo unexpected
         done
         until $coracle ps $id | grep -q 'sleep 1000'; do sleep 0.05; done
         $coracle exec $id sh -c 'sleep 2000 & echo' >/dev/null
         $coracle ps --format json $id | tr ',' '\n' | wc -l
         $coracle events --stats $id | grep -q '\"id\":\"'$id && echo counted
         $coracle resume $id
         $coracle kill --all $id KILL
         while $coracle state $id | grep -q running; do sleep 0.05; done
         $coracle ps --format json $id
         $coracle delete $id",
    );
    let (stdout, said) = (&output.stdout, &output.stderr);
    assert_eq!(table(stdout).concat(), ["3", "counted", "[]"], "{output:?}");
    let lines: Vec<&str> = said.lines().collect();
    let expected = [
        "cannot toggle freezer: cgroups not configured for container (an ordinary user needs one that is delegated",
        "cannot set memory limit: container could not join or create cgroup (an ordinary user needs one",
        "cannot set pids limit: container could not join or create cgroup (an ordinary user needs one",
        "container not paused",
    ];
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, text) in lines.iter().zip(expected) {
        let v2 =
            "rootless needs no limits + no cgrouppath when no permission is granted for cgroups (";
        assert!(line.contains(text) || line.contains(v2), "{line}");
    }
    home.bundle.assert_nothing_left();
}

#[test]
fn neither_cgroup_nor_pid_namespace() {
    let mut home = Home::new("exec sleep 1000");
    let config = &mut home.bundle.config;
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "pid");
    for mount in config["mounts"].as_array_mut().unwrap() {
        if mount["destination"] == "/proc" {
            *mount = json!({"destination": "/proc", "type": "none", "source": "/proc", "options": ["rbind"]});
        }
    }
    let output = home.shell(
        "",
        "$coracle create --bundle bundle $id </dev/null >out 2>&1; cat out >&2
         $coracle start $id
         $coracle ps $id
         $coracle kill --all $id KILL
         while $coracle state $id | grep -q running; do sleep 0.05; done
         $coracle delete $id",
    );
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert!(
        lines[0].contains("level=warning")
            && lines[0].contains("Such configuration is strongly discouraged")
    );
    assert!(lines[1].contains("neither a cgroup nor a PID namespace of its own"));
    home.bundle.assert_nothing_left();
}

#[test]
fn a_cgroup_that_is_given_is_used() {
    let mut home = Home::new("exec sleep 1000");
    let parent = format!("/coracle-test-{}-given", std::process::id());
    home.bundle.config["linux"]["cgroupsPath"] = json!(format!("{parent}/{}", home.bundle.id));
    home.run("")
        .fails_with("unable to apply cgroup configuration: linux.cgroupsPath: mkdir");
    home.bundle.assert_nothing_left();

    let roots = cgroup_roots();
    for root in &roots {
        let directory = root.join(&parent[1..]);
        fs::create_dir_all(&directory).unwrap();
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(text) = fs::read_to_string(root.join(file)) {
                let _ = fs::write(directory.join(file), text);
            }
        }
        // On v2, only who may write to what is above both moves a process: the user's is beside the container's.
        let caller = directory.join("caller");
        if fs::write(root.join("cgroup.subtree_control"), "+pids").is_ok() {
            fs::create_dir(&caller).unwrap();
            home.before = format!("echo $$ > {}/cgroup.procs", caller.display());
        }
        let entries = fs::read_dir(&directory)
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let given = ["cgroup.procs", "tasks", "cgroup.subtree_control"];
        for path in entries.filter(|path| given.iter().any(|name| path.ends_with(name))) {
            chown(path, Some(USER), None).unwrap();
        }
        chown(&directory, Some(USER), None).unwrap();
    }
    home.bundle.config["linux"]["resources"] = json!({"pids": {"limit": 77}});
    let output = home.shell(
        "",
        "$coracle create --bundle bundle $id </dev/null >out 2>&1 || cat out
         $coracle start $id
         $coracle pause $id; $coracle state $id | grep status; $coracle resume $id
         $coracle update --pids-limit 55 $id; find /sys/fs/cgroup -path \"*-given/$id/pids.max\" -exec cat {} +
         $coracle ps $id | grep -c 'sleep 1000'
         $coracle delete --force $id",
    );
    for root in &roots {
        let directory = root.join(&parent[1..]);
        let _ = fs::remove_dir(directory.join("caller"));
        fs::remove_dir(directory).unwrap();
    }
    assert_eq!(
        table(&output.stdout),
        [vec!["\"status\":", "\"paused\","], vec!["55"], vec!["1"]],
        "{output:?}"
    );
    assert_eq!(output.stderr, "", "{output:?}");
    home.bundle.assert_nothing_left();
}

/// Where the hierarchies that a cgroup needs are mounted: those of v1, or that of v2.
fn cgroup_roots() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounted = |kind: &str| {
        let lines = parse_mountinfo(&mounts)
            .into_iter()
            .filter(|mount| mount.kind == kind);
        lines
            .map(|mount| PathBuf::from(mount.target))
            .collect::<Vec<_>>()
    };
    match mounted("cgroup") {
        v1 if v1.is_empty() => mounted("cgroup2"),
        v1 => v1,
    }
}
