//! User namespaces, new and joined, beside every other namespace: new, joined, and the host's.

use crate::harness::*;
use crate::rootless::{Home, table};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// Each kind of namespace, with its name below `/proc/PID/ns`.
const KINDS: [(&str, &str); 6] = [
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("pid", "pid"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

/// Where a namespace of the container is to come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    /// It is made.
    New,
    /// It is another container's, which has the same user namespace or one beside it.
    Other,
    /// It is one of the host's, joined by its path.
    HostPath,
    /// It is the runtime's, as none is listed.
    Shared,
}

/// Mounts and names that need rights over a namespace: those of the host's are bound or left out.
fn adapt(config: &mut Value, kind: &str) {
    let mounts = config["mounts"].as_array_mut().unwrap();
    let bind = |mounts: &mut Vec<Value>, path: &str| {
        mounts.retain(|mount| mount["destination"] != path);
        let bound =
            json!({"destination": path, "type": "bind", "source": path, "options": ["rbind"]});
        mounts.insert(0, bound);
    };
    match kind {
        "network" => bind(mounts, "/sys"),
        "pid" => bind(mounts, "/proc"),
        "ipc" => mounts.retain(|mount| mount["type"] != "mqueue"),
        "uts" => drop(config.as_object_mut().unwrap().remove("hostname")),
        _ => {}
    }
}

/// The configuration's namespace of a kind is to come from there; `other` is the first process of another container.
fn set(config: &mut Value, (kind, file): (&str, &str), from: From, other: i32) {
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != kind);
    let path = match from {
        From::Shared => return,
        From::New => None,
        From::Other => Some(format!("/proc/{other}/ns/{file}")),
        From::HostPath => Some(format!("/proc/{}/ns/{file}", std::process::id())),
    };
    namespaces.push(json!({"type": kind, "path": path}));
}

fn id(pid: i32, file: &str) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/{file}"))
        .unwrap()
        .ino()
}

/// The user namespace that a namespace belongs to: ioctl_nsfs(2).
fn owner(pid: i32, file: &str) -> u64 {
    const NS_GET_USERNS: u64 = 0xb701;
    let namespace = File::open(format!("/proc/{pid}/ns/{file}")).unwrap();
    // SAFETY: takes numbers only, and makes a descriptor that is nobody else's.
    let owner = unsafe {
        let number = libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS as _);
        assert!(number >= 0, "{}", std::io::Error::last_os_error());
        File::from_raw_fd(number)
    };
    owner.metadata().unwrap().ino()
}

/// Where the namespace of a container is, and whom it belongs to.
#[track_caller]
fn check(pid: i32, (kind, file): (&str, &str), from: From, other: i32, case: &str) {
    let host = std::process::id() as i32;
    match from {
        From::New => {
            for known in [host, other] {
                assert_ne!(id(pid, file), id(known, file), "{case}: {kind}");
            }
            // A user namespace belongs to its parent; the runtime may make the others before it, which changes nothing.
            if !matches!(file, "user" | "cgroup" | "time") {
                assert_eq!(owner(pid, file), id(pid, "user"), "{case}: {kind}");
            }
        }
        From::Other => assert_eq!(id(pid, file), id(other, file), "{case}: {kind}"),
        From::HostPath | From::Shared => {
            assert_eq!(id(pid, file), id(host, file), "{case}: {kind}")
        }
    }
}

fn known(kind: &(&str, &str)) -> bool {
    fs::exists(format!("/proc/self/ns/{}", kind.1)).unwrap()
}

fn base() -> Bundle {
    let mut bundle = Bundle::sleeping();
    let config = &mut bundle.config;
    config["linux"]["namespaces"] = json!([{"type": "mount"}, {"type": "user"}]);
    let map = json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
    config["linux"]["uidMappings"] = map.clone();
    config["linux"]["gidMappings"] = map;
    let mounts = config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["type"] != "cgroup");
    for kind in KINDS.iter().filter(|kind| known(kind)) {
        set(config, *kind, From::New, 0);
    }
    let chown = Command::new("chown")
        .args(["-Rh", "100000:100000"])
        .arg(bundle.rootfs(""))
        .status();
    assert!(chown.unwrap().success());
    bundle
}

#[test]
fn a_user_namespace_beside_each_other_namespace() {
    coracle_only!();
    let first = base();
    let container = first.create();
    let other = container.pid();
    let mut bundle = base();
    let whole = bundle.config.clone();
    for user in [From::New, From::Other] {
        for kind in KINDS.iter().copied().filter(known) {
            for from in [From::New, From::Other, From::HostPath, From::Shared] {
                let case = format!("user {user:?}, {} {from:?}", kind.0);
                bundle.config = whole.clone();
                set(&mut bundle.config, ("user", "user"), user, other);
                set(&mut bundle.config, kind, from, other);
                if user == From::Other {
                    let linux = bundle.config["linux"].as_object_mut().unwrap();
                    linux.remove("uidMappings");
                    linux.remove("gidMappings");
                }
                // A new user namespace has no rights over what belongs to one beside it.
                if matches!(from, From::HostPath | From::Shared)
                    || (user, from) == (From::New, From::Other)
                {
                    adapt(&mut bundle.config, kind.0);
                }
                let second = bundle.create();
                let pid = second.pid();
                check(pid, ("user", "user"), user, other, &case);
                for each in KINDS.iter().copied().filter(known) {
                    let from = if each == kind { from } else { From::New };
                    check(pid, each, from, other, &case);
                }
                let script = format!(
                    "cat /proc/self/uid_map; id -u; readlink /proc/self/ns/{}",
                    kind.1
                );
                let output = bundle.cli(&["exec", &bundle.id, "sh", "-c", &script]).ok();
                let link = format!("{}:[{}]", kind.1, id(pid, kind.1));
                let expected = [vec!["0", "100000", "65536"], vec!["0"], vec![link.as_str()]];
                assert_eq!(table(&output.stdout), expected, "{case}");
                second.kill("KILL").ok();
                second.wait_for_status("stopped");
                second.cli("delete").ok();
            }
        }
    }
}

/// The pid of a container that the user makes.
#[track_caller]
fn create(home: &Home, id: &str) -> i32 {
    let script = format!(
        "$coracle create --bundle bundle --pid-file pid {id} </dev/null >out 2>&1 || {{ cat out >&2; exit 1; }}; cat pid"
    );
    home.shell("", &script).ok().stdout.parse().unwrap()
}

#[test]
fn an_ordinary_user_and_each_other_namespace() {
    let mut home = Home::new("trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done");
    let config = &mut home.bundle.config;
    let mounts = config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["type"] != "cgroup");
    for kind in KINDS.iter().filter(|kind| known(kind)) {
        set(config, *kind, From::New, 0);
    }
    let whole = config.clone();
    let other = create(&home, "first");
    for user in [From::New, From::Other] {
        for kind in KINDS.iter().copied().filter(known) {
            for from in [From::New, From::Other, From::Shared] {
                // Nobody has rights over both.
                if (user, from) == (From::New, From::Other) {
                    continue;
                }
                let case = format!("user {user:?}, {} {from:?}", kind.0);
                let config = &mut home.bundle.config;
                *config = whole.clone();
                set(config, ("user", "user"), user, other);
                set(config, kind, from, other);
                if kind.0 == "time" && from == From::New {
                    config["linux"]["timeOffsets"] = json!({"boottime": {"secs": 7777777}});
                }
                if from == From::Shared {
                    adapt(config, kind.0);
                }
                let second = create(&home, &home.bundle.id);
                check(second, ("user", "user"), user, other, &case);
                for each in KINDS.iter().copied().filter(known) {
                    let from = if each == kind { from } else { From::New };
                    check(second, each, from, other, &case);
                }
                let output = home.shell("", "$coracle start $id; $coracle exec $id sh -c 'id -u; cut -d. -f1 /proc/uptime'; $coracle delete --force $id").ok();
                assert_eq!(output.stderr, "", "{case}");
                let lines = output.lines();
                assert_eq!(lines[0], "0", "{case}: {output:?}");
                let shifted = lines[1].parse::<u64>().unwrap() > 7_777_777;
                assert_eq!(
                    shifted,
                    kind.0 == "time" && from == From::New,
                    "{case}: {output:?}"
                );
            }
        }
    }
    home.shell("", "$coracle delete --force first").ok();
    home.bundle.assert_nothing_left();
}

#[test]
fn a_user_looks_into_what_waits_in_a_joined_user_namespace() {
    let mut home = Home::new("echo started; exec sleep 1000");
    let config = &mut home.bundle.config;
    set(config, ("network", "net"), From::New, 0);
    let first = create(&home, "first");
    let config = &mut home.bundle.config;
    set(config, ("user", "user"), From::Other, first);
    // Each of these has a descriptor of its own.
    config["linux"]["sysctl"] = json!({"net.ipv4.ip_unprivileged_port_start": "80"});
    if is_coracle() {
        config["process"]["landlock"] = json!({
            "ruleset": {"handledAccessFS": ["make_sock"]},
            "rules": {"pathBeneath": [{"allowedAccess": ["make_sock"], "paths": ["/tmp"]}]},
        });
    }
    let output = home.bundle.dir.join("hook").display().to_string();
    config["annotations"] = json!({"run.oci.hooks.stdout": output});
    config["hooks"] =
        json!({"startContainer": [{"path": "/bin/echo", "args": ["echo", "from a hook"]}]});
    fs::write(&output, "").unwrap();
    home.give_all();
    let second = create(&home, &home.bundle.id);
    let script = format!("$coracle exec $id id -u; ls -l /proc/{second}/fd | sed -n 's/.*-> //p'");
    let seen = home.shell("", &script).ok();
    let known = |link: &str| {
        ["socket:", "/dev/null", "anon_inode:[landlock"]
            .iter()
            .any(|known| link.starts_with(known))
            || link == output
            || link.ends_with("/out")
    };
    let strange: Vec<&str> = seen.lines()[1..]
        .iter()
        .filter(|link| !known(link))
        .copied()
        .collect();
    assert_eq!(seen.lines()[0], "0");
    assert_eq!(strange, [] as [&str; 0], "{seen:?}");
    assert!(seen.lines().len() > 4, "{seen:?}");
    let script = "$coracle start $id; until grep -q started out; do sleep 0.05; done; cat hook
        $coracle exec $id cat /proc/sys/net/ipv4/ip_unprivileged_port_start
        $coracle delete --force $id; $coracle delete --force first";
    assert_eq!(home.shell("", script).ok().stdout, "from a hook\n80\n");
    home.bundle.assert_nothing_left();
}

/// Without a mount namespace of their own, containers have what is there already.
fn without_mounts(config: &mut Value) {
    config["mounts"] = json!([]);
    config["linux"]["maskedPaths"] = json!([]);
    config["linux"]["readonlyPaths"] = json!([]);
    config["root"]["readonly"] = json!(false);
}

#[test]
fn a_user_namespace_beside_mounts_of_others() {
    coracle_only!();
    let mut bundle = base();
    without_mounts(&mut bundle.config);
    let whole = bundle.config.clone();
    let mount = ("mount", "mnt");
    for user in [From::New, From::Other] {
        for from in [From::Shared, From::HostPath, From::Other] {
            let case = format!("user {user:?}, mount {from:?}");
            let first = base();
            let container = first.start();
            let other = container.pid();
            bundle.config = whole.clone();
            set(&mut bundle.config, ("user", "user"), user, other);
            set(&mut bundle.config, mount, from, other);
            let refused = match (user, from) {
                (_, From::Shared) => {
                    bundle.config["mounts"] = json!([{"destination": "/tmp", "type": "tmpfs"}]);
                    Some("mounts: need a mount namespace in linux.namespaces")
                }
                (From::New, _) => Some("no rights over a mount namespace that is joined"),
                // As for the user who asks.
                (_, From::HostPath) => {
                    Some("make all mounts slave recursively: mount: operation not permitted")
                }
                _ => None,
            };
            if let Some(text) = refused {
                bundle.try_create().fails_with(text);
                bundle.assert_nothing_left();
                bundle.config["mounts"] = json!([]);
            }
            match from {
                From::HostPath => continue,
                From::Other if user == From::New => continue,
                // A root that is / hides the host's devices once its own /dev is mounted: mount(2) finds them no more.
                From::Other if lacks_new_calls() => continue,
                // The root is found in there.
                From::Other => bundle.config["root"]["path"] = json!("/"),
                _ => {}
            }
            let second = bundle.start();
            let pid = second.pid();
            check(pid, ("user", "user"), user, other, &case);
            check(pid, mount, from, other, &case);
            let script = "cat /proc/self/uid_map 2>/dev/null; ls -d /home/user; id -u";
            let output = bundle.cli(&["exec", &bundle.id, "sh", "-c", script]).ok();
            let seen = output.lines().join(" ");
            assert!(seen.ends_with("/home/user 0"), "{case}: {output:?}");
        }
    }
}

#[test]
fn an_ordinary_user_beside_mounts_of_others() {
    coracle_only!();
    let mut home = Home::new("trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done");
    let other = create(&home, "first");
    without_mounts(&mut home.bundle.config);
    let whole = home.bundle.config.clone();
    for (user, from, root) in [
        (From::New, From::Shared, "rootfs"),
        (From::Other, From::Shared, "rootfs"),
        (From::Other, From::Other, "/"),
    ] {
        let config = &mut home.bundle.config;
        *config = whole.clone();
        set(config, ("user", "user"), user, other);
        set(config, ("mount", "mnt"), from, other);
        config["root"]["path"] = json!(root);
        let case = format!("user {user:?}, mount {from:?}");
        let script = "$coracle create --bundle bundle --pid-file pid $id </dev/null >out 2>&1 || cat out
            $coracle exec $id ls -d /home/user; $coracle start $id; $coracle exec $id id -u; cat pid";
        let output = home.shell("", script).ok();
        let lines = output.lines();
        assert_eq!(lines[..2], ["/home/user", "0"], "{case}: {output:?}");
        let second = lines[2].parse().unwrap();
        check(second, ("user", "user"), user, other, &case);
        // What is shared is that of the user's shell.
        let with_other = id(second, "mnt") == id(other, "mnt");
        assert_eq!(with_other, from == From::Other, "{case}");
        home.shell("", "$coracle delete --force $id").ok();
    }
    home.shell("", "$coracle delete --force first").ok();
    home.bundle.assert_nothing_left();
}

#[test]
fn maps_of_any_number_and_order() {
    // As many as fit into a page, from the last id to the first; and those of users who are not beside each other.
    let one = |i: u32| json!({"containerID": i, "hostID": 100_000 + 2 * i, "size": 1});
    let map = Value::from_iter((0..300).rev().map(one));
    let mut bundle = base();
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map.clone();
    for user in ["0:0", "7:9", "299:299"] {
        let (uid, gid) = user.split_once(':').unwrap();
        let ids = [uid, gid].map(|id| id.parse::<u32>().unwrap());
        bundle.config["process"]["user"] = json!({"uid": ids[0], "gid": ids[1]});
        bundle.set_args(&["sh", "-c", "id -u; id -g; cat /proc/self/uid_map | wc -l"]);
        assert_eq!(bundle.run().ok().lines(), [uid, gid, "300"], "{user}");
    }
    bundle.config["process"]["user"] = json!({"uid": 0, "gid": 0});
    bundle.set_args(&["sleep", "1000"]);
    let container = bundle.create();
    let first = container.pid();
    let map_line = fs::read_to_string(format!("/proc/{first}/uid_map")).unwrap();
    assert_eq!(table(&map_line)[7], ["7", &100_014.to_string(), "1"]);

    // Beside the path of a namespace, they may be given as they are, in any order, or left out.
    let mut second = base();
    set(&mut second.config, ("user", "user"), From::Other, first);
    second.set_args(&["id", "-u"]);
    for given in [map, Value::from_iter((0..300).map(one)), json!([])] {
        second.config["linux"]["uidMappings"] = given.clone();
        second.config["linux"]["gidMappings"] = given;
        assert_eq!(second.run().ok().stdout, "0\n");
    }
    for kind in ["uidMappings", "gidMappings"] {
        second.config["linux"][kind] = Value::from_iter((0..299).map(one));
        second.run().fails_with(
            "user namespaces enabled, but both namespace path and non-matching mapping specified",
        );
        second.assert_nothing_left();
        second.config["linux"][kind] = json!([]);
    }
    drop(container);
    bundle.config["linux"]["uidMappings"] = Value::from_iter((0..341).map(one));
    bundle.run().fails_with("linux.uidMappings: write /proc/");
    bundle.assert_nothing_left();
}

/// Parameters of each namespace that has some, as its own user namespace's root may set them.
const SYSCTLS: [(&str, &str); 5] = [
    ("net.ipv4.ip_forward", "1"),
    ("kernel.shmmni", "321"),
    ("fs.mqueue.msg_max", "7"),
    ("kernel.domainname", "inner.example"),
    ("user.max_net_namespaces", "3"),
];

/// Sets all of them; what the container prints if it has them.
fn with_sysctls(config: &mut Value) -> String {
    config["linux"]["sysctl"] = SYSCTLS.into_iter().collect();
    let path = |(name, _): (&str, &str)| format!("/proc/sys/{}", name.replace('.', "/"));
    let paths = SYSCTLS.map(path).join(" ");
    config["process"]["args"] = json!(["sh", "-c", format!("cat {paths}")]);
    SYSCTLS.map(|(_, value)| format!("{value}\n")).concat()
}

#[test]
fn parameters_of_the_kernel_in_a_user_namespace() {
    let bundle = base();
    let container = bundle.create();
    let first = container.pid();
    let mut second = base();
    let expected = with_sysctls(&mut second.config);
    let new = second.config.clone();
    set(&mut second.config, ("user", "user"), From::Other, first);
    for config in [new, second.config.clone()] {
        second.config = config;
        assert_eq!(second.run().ok().stdout, expected);
    }

    let mut home = Home::new("");
    set(&mut home.bundle.config, ("network", "net"), From::New, 0);
    let expected = with_sysctls(&mut home.bundle.config);
    assert_eq!(home.run("").ok().stdout, expected);
    drop(container);
    bundle.assert_nothing_left();
    for (name, network, text) in [
        (
            "net.ipv4.ip_forward",
            From::Shared,
            "linux.sysctl: sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace",
        ),
        (
            "kernel.pid_max",
            From::New,
            "linux.sysctl: sysctl \"kernel.pid_max\" is not in a separate kernel namespace",
        ),
        // The host's alone, and not to be seen from inside; and one that nobody may write.
        (
            "net.core.netdev_max_backlog",
            From::New,
            "linux.sysctl: write \"1\" to /proc/sys/net/core/netdev_max_backlog: openat2: no such file",
        ),
        (
            "net.ipv4.tcp_available_congestion_control",
            From::New,
            "linux.sysctl: write \"1\" to /proc/sys/net/ipv4/tcp_available_congestion_control: openat2: permission denied",
        ),
    ] {
        let config = &mut home.bundle.config;
        set(config, ("network", "net"), network, 0);
        config["linux"]["sysctl"] = json!({name: "1"});
        let output = home.run("");
        if is_coracle() {
            output.fails_with(text);
        } else {
            output.fails_with("");
        }
        home.bundle.assert_nothing_left();
    }
}

#[test]
fn file_systems_of_namespaces_that_are_not_the_containers() {
    coracle_only!();
    let mut bundle = base();
    bundle.set_args(&["ls", "/sys/kernel"]);
    let whole = bundle.config.clone();
    for (kind, text) in [
        ("network", ""),
        ("pid", "needs a PID namespace of its own"),
        ("ipc", "needs an IPC namespace of its own"),
    ] {
        bundle.config = whole.clone();
        let name = KINDS.iter().find(|known| known.0 == kind).unwrap();
        set(&mut bundle.config, *name, From::Shared, 0);
        match text {
            // The host's is bound in its place.
            "" => drop(bundle.run().ok()),
            text => drop(bundle.run().fails_with(text)),
        }
        bundle.assert_nothing_left();
    }
}
