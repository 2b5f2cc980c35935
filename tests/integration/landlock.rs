//! Landlock: what is denied on the real kernel, and what runs all the same.

use crate::config::add_mount;
use crate::harness::*;
use serde_json::{Value, json};
use std::path::Path;

/// The version of the kernel's interface.
fn abi() -> i64 {
    // SAFETY: with the flag for the version there are no attributes to read.
    unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0usize,
            1,
        )
    }
}

macro_rules! needs_landlock {
    ($version:literal) => {
        coracle_only!();
        if abi() < $version {
            skip!(
                "the kernel's Landlock is of version {}, not {}",
                abi(),
                $version
            );
        }
    };
}

/// Reading and executing below `/bin`, everything else only in the given places.
fn busybox(writable: &[&str]) -> Value {
    json!({
        "ruleset": {"handledAccessFS": ["v3.all"]},
        "rules": {"pathBeneath": [
            {"allowedAccess": ["v3.read_execute"], "paths": ["/bin"]},
            {"allowedAccess": ["v3.read_write"], "paths": writable},
        ]},
    })
}

#[test]
fn what_no_rule_allows_is_denied() {
    needs_landlock!(3);
    let mut bundle = Bundle::sh(
        "cat /etc/passwd; echo new > /tmp/file; cat /tmp/file; echo new > /etc/file; ls /; ls /bin/sh; \
         mv /tmp/file /etc/; truncate -s 0 /bin/data; grep NoNewPrivs /proc/self/status",
    );
    bundle.config["root"]["readonly"] = json!(false);
    std::fs::write(bundle.rootfs("bin/data"), "data").unwrap();
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    bundle.config["process"]["landlock"] =
        busybox(&["/tmp", "/proc", "/dev/null", "/no/such/path"]);
    let output = bundle.run();
    assert_eq!(
        output.stdout, "new\n/bin/sh\nNoNewPrivs:\t1\n",
        "{output:?}"
    );
    for denied in [
        "cat: can't open '/etc/passwd': Permission denied",
        "can't create /etc/file: Permission denied",
        "ls: can't open '/': Permission denied",
        "mv: can't rename '/tmp/file':",
        "truncate: /bin/data: open: Permission denied",
    ] {
        assert!(output.stderr.contains(denied), "{denied}: {output:?}");
    }
    bundle.assert_nothing_left();
}

#[test]
fn paths_are_those_of_the_container() {
    needs_landlock!(3);
    let mut bundle = Bundle::sh("cat /inner/file /secret/file");
    let host = bundle.dir.join("volume");
    for (dir, text) in [("shown", "shown"), ("hidden", "hidden")] {
        std::fs::create_dir_all(host.join(dir)).unwrap();
        std::fs::write(host.join(dir).join("file"), format!("{text}\n")).unwrap();
    }
    // A link of the image's leads inside the container, wherever it would lead outside.
    std::os::unix::fs::symlink("/shown", bundle.rootfs("inner")).unwrap();
    std::os::unix::fs::symlink("/hidden", bundle.rootfs("secret")).unwrap();
    for dir in ["shown", "hidden"] {
        add_mount(
            &mut bundle.config,
            json!({"destination": format!("/{dir}"), "source": host.join(dir), "options": ["bind"]}),
        );
    }
    bundle.config["process"]["landlock"] = busybox(&["/inner", "/dev/null"]);
    let output = bundle.run();
    assert_eq!(output.stdout, "shown\n", "{output:?}");
    assert!(output.stderr.contains("Permission denied"), "{output:?}");
}

#[test]
fn tcp_ports_are_allowed_one_by_one() {
    needs_landlock!(4);
    let mut bundle = Bundle::sh(
        "timeout 1 nc -l -p 8081; echo x | timeout 1 nc -l -p 8080 </dev/null; \
         nc 127.0.0.1 81 </dev/null; nc 127.0.0.1 80 </dev/null; echo end",
    );
    bundle.config["process"]["landlock"] = json!({
        "ruleset": {"handledAccessNet": ["bind_tcp", 2]},
        "rules": {"netPort": [
            {"allowedAccess": ["bind_tcp"], "ports": [8080]},
            {"allowedAccess": ["LANDLOCK_ACCESS_NET_CONNECT_TCP"], "ports": [80]},
        ]},
    });
    let output = bundle.run().ok();
    let denied: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.contains("Permission denied"))
        .collect();
    assert_eq!(denied.len(), 2, "{output:?}");
    assert!(
        denied[0].contains("bind") && denied[1].contains("127.0.0.1"),
        "{denied:?}"
    );
    assert!(
        output.stderr.contains("refused"),
        "port 80 may be tried: {output:?}"
    );
}

#[test]
fn udp_ports_are_allowed_one_by_one() {
    needs_landlock!(10);
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        skip!("{python} is not installed");
    }
    let script = "
import socket
def attempt(name, deed):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try: deed(s); print(name)
        except OSError as error: print(name, error.strerror)
for port in (53, 54):
    attempt(f'connect {port}', lambda s: s.connect(('127.0.0.1', port)))
    attempt(f'send {port}', lambda s: s.sendto(b'x', ('127.0.0.1', port)))
for port in (0, 8053, 8054):
    attempt(f'bind {port}', lambda s: s.bind(('127.0.0.1', port)))
";
    let landlock = json!({
        "disableBestEffort": true,
        "ruleset": {"handledAccessNet": ["bind_udp", "connect_send_udp"], "quietAccessNet": ["bind_udp"]},
        "rules": {"netPort": [
            // To send, a port of the kernel's choice is bound first.
            {"allowedAccess": ["bind_udp"], "ports": [0, 8053]},
            {"allowedAccess": ["connect_send_udp"], "ports": [53]},
            {"quiet": true, "ports": [8054]},
        ]},
    });
    let output = debian(&[python, "-I", "-c", script], landlock).run().ok();
    assert_eq!(
        output.stdout,
        "connect 53\nsend 53\nconnect 54 Permission denied\nsend 54 Permission denied\nbind 0\nbind 8053\n\
         bind 8054 Permission denied\n",
        "{output:?}"
    );
}

#[test]
fn sockets_of_others_are_reached_by_the_paths_that_are_allowed() {
    needs_landlock!(9);
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        skip!("{python} is not installed");
    }
    let script = "
import socket
for name in ('allowed', 'denied'):
    with socket.socket(socket.AF_UNIX) as s:
        try: s.connect('/tmp/' + name + '/socket'); print(name)
        except OSError as error: print(name, error.strerror)
";
    let mut bundle = debian(&[python, "-I", "-c", script], Value::Null);
    let mut listeners = Vec::new();
    for name in ["allowed", "denied"] {
        let dir = bundle.dir.join(name);
        std::fs::create_dir(&dir).unwrap();
        listeners.push(std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap());
        add_mount(
            &mut bundle.config,
            json!({"destination": format!("/tmp/{name}"), "source": dir, "options": ["bind"]}),
        );
    }
    bundle.config["process"]["landlock"] = json!({
        "disableBestEffort": true,
        "ruleset": {"handledAccessFS": ["resolve_unix"]},
        "rules": {"pathBeneath": [{"allowedAccess": [1u64 << 16], "paths": ["/tmp/allowed/socket"]}]},
    });
    let output = bundle.run().ok();
    assert_eq!(output.stdout, "allowed\ndenied Permission denied\n");
}

#[test]
fn exec_is_restricted_as_the_container_is() {
    needs_landlock!(6);
    let mut bundle = Bundle::sleeping();
    let mut landlock = busybox(&["/dev/null"]);
    landlock["ruleset"]["scoped"] = json!(["signal", "abstract_unix_socket"]);
    landlock["restrictFlags"] = match abi() {
        7.. => json!(["log_same_exec_off", "log_subdomains_off"]),
        _ => json!([]),
    };
    let json = landlock.to_string();
    bundle.config["annotations"] = json!({"org.coracle.landlock": json});
    let container = bundle.start();
    let exec = |script: &str| bundle.cli(&["exec", &bundle.id, "sh", "-c", script]);
    let output = exec("cat /etc/passwd; kill -0 1; kill -0 $$ && echo self");
    assert!(
        output.stderr.contains("/etc/passwd': Permission denied"),
        "{output:?}"
    );
    // The container's first process is of another domain.
    assert!(
        output.stderr.contains("Operation not permitted"),
        "{output:?}"
    );
    assert_eq!(output.stdout, "self\n");
    // A process that comes from a file is restricted all the same, and may restrict itself more.
    let mut process = bundle.config["process"].clone();
    process["args"] = json!(["sh", "-c", "cat /etc/passwd; ls /bin"]);
    let file = bundle.dir.join("process.json");
    for (landlock, denied) in [
        (Value::Null, 1),
        (json!({"ruleset": {"handledAccessFS": ["read_dir"]}}), 2),
    ] {
        process["landlock"] = landlock;
        std::fs::write(&file, process.to_string()).unwrap();
        let output = bundle.cli(&["exec", "--process", file.to_str().unwrap(), &bundle.id]);
        let lines = output.stderr.matches("Permission denied").count();
        assert_eq!(lines, denied, "{output:?}");
    }
    // The runtime itself is in no domain.
    container.kill("TERM").ok();
    container.wait_for_status("stopped");
}

#[test]
fn the_annotation_and_the_process_are_both_enforced() {
    needs_landlock!(3);
    let mut bundle = Bundle::sh("cat /etc/passwd; cat /etc/group; cat /home/file");
    std::fs::write(bundle.rootfs("home/file"), "home\n").unwrap();
    let allowing = |paths: &[&str]| {
        let all: Vec<&str> = ["/bin", "/dev"].iter().chain(paths).copied().collect();
        json!({"ruleset": {"handledAccessFS": ["read_file"]},
            "rules": {"pathBeneath": [{"allowedAccess": ["read_file"], "paths": all}]}})
    };
    bundle.config["process"]["landlock"] = allowing(&["/etc/passwd", "/home"]);
    bundle.config["annotations"] =
        json!({"org.coracle.landlock": allowing(&["/etc/group", "/home"]).to_string()});
    let output = bundle.run().ok();
    assert_eq!(output.stdout, "home\n");
    bundle.config["annotations"] =
        json!({"org.coracle.landlock": "{\"ruleset\": {\"scoped\": [true]}}"});
    bundle
        .run()
        .fails_with("annotations: org.coracle.landlock: ruleset.scoped[0]: ");
}

#[test]
fn strict_rulesets_fail_where_best_effort_goes_on() {
    needs_landlock!(3);
    let mut bundle = Bundle::sh("echo on");
    let unknown = 1u64 << 62;
    for (handled, paths, wrong) in [
        (
            json!(["v3.all", unknown]),
            json!(["/"]),
            "0x4000000000000000",
        ),
        (
            json!(["v3.all"]),
            json!(["/", "/no/such/path"]),
            "\"/no/such/path\"",
        ),
    ] {
        if abi() > 7 && wrong.starts_with("0x") {
            continue;
        }
        bundle.config["process"]["landlock"] = json!({
            "ruleset": {"handledAccessFS": handled},
            "rules": {"pathBeneath": [{"allowedAccess": ["v3.all"], "paths": paths}]}});
        let output = bundle.run().ok();
        assert_eq!(output.stdout, "on\n");
        assert_eq!(
            output.stderr.contains("not enforced"),
            wrong.starts_with("0x"),
            "{output:?}"
        );
        bundle.config["process"]["landlock"]["disableBestEffort"] = json!(true);
        bundle.run().fails_with(wrong);
    }
    bundle.config["process"]["landlock"]["ruleset"] = json!({"handledAccessFS": ["read"]});
    bundle
        .run()
        .fails_with("process.landlock.ruleset.handledAccessFS[0]: \"read\" is unknown");
    bundle.assert_nothing_left();
}

/// A container of the host's Debian, read-only, with `/tmp` of its own.
fn debian(args: &[&str], profile: Value) -> Bundle {
    let mut bundle = Bundle::new();
    bundle.set_args(args);
    bundle.config["root"]["readonly"] = json!(false);
    for path in ["/usr", "/lib", "/lib64", "/etc/nginx", "/etc/ssl"] {
        if Path::new(path).exists() {
            std::fs::create_dir_all(bundle.rootfs(path)).unwrap();
            add_mount(
                &mut bundle.config,
                json!({"destination": path, "source": path, "options": ["rbind", "ro"]}),
            );
        }
    }
    add_mount(
        &mut bundle.config,
        json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}),
    );
    bundle.config["process"]["landlock"] = profile;
    bundle
}

/// What a service needs: programs and libraries to read and execute, devices, and places to write to.
fn plain() -> Value {
    json!({
        "ruleset": {"handledAccessFS": ["v5.all"], "handledAccessNet": ["v4.all"], "scoped": ["v6.all"]},
        "rules": {
            "pathBeneath": [
                {"allowedAccess": ["v1.read_execute"], "paths": ["/usr", "/bin", "/lib", "/lib64", "/etc", "/proc"]},
                {"allowedAccess": ["v3.read_write"], "paths": ["/tmp", "/dev"]},
            ],
            "netPort": [{"allowedAccess": ["bind_tcp", "connect_tcp"], "ports": [8080]}],
        },
    })
}

#[test]
fn debian_s_python_runs_under_a_plain_profile() {
    needs_landlock!(6);
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        skip!("{python} is not installed");
    }
    let script = r#"
import os, socket, subprocess, tempfile
with tempfile.NamedTemporaryFile() as file:
    file.write(b'x'); file.flush(); print('temporary', os.stat(file.name).st_size)
print(subprocess.check_output(['/bin/busybox', 'echo', 'child']).decode().strip())
def attempt(name, deed):
    try: deed(); print(name, 'allowed')
    except OSError as error: print(name, error.strerror)
def bind(port):
    with socket.socket() as s: s.bind(('127.0.0.1', port))
def abstract(name):
    with socket.socket(socket.AF_UNIX) as s: s.connect('\0' + name)
attempt('home', lambda: os.listdir('/home'))
attempt('root', lambda: open('/root/file', 'w'))
attempt('8080', lambda: bind(8080))
attempt('8081', lambda: bind(8081))
attempt('abstract', lambda: abstract(os.environ['SOCKET']))
"#;
    let mut bundle = debian(&[python, "-I", "-c", script], plain());
    // The host's network, and so its abstract sockets.
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&bundle.id).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    bundle.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .retain(|namespace| namespace["type"] != "network");
    let socket = json!(format!("SOCKET={}", bundle.id));
    bundle.config["process"]["env"]
        .as_array_mut()
        .unwrap()
        .push(socket);
    let output = bundle.run().ok();
    assert_eq!(
        output.stdout,
        "temporary 1\nchild\nhome Permission denied\nroot Permission denied\n8080 allowed\n8081 Permission denied\n\
         abstract Operation not permitted\n",
        "{output:?}"
    );
    // It is Landlock that keeps the socket from it.
    bundle.config["process"]["landlock"]["ruleset"]["scoped"] = json!(["signal"]);
    assert!(bundle.run().ok().stdout.contains("abstract allowed"));
}

#[test]
fn debian_s_nginx_serves_under_a_plain_profile() {
    needs_landlock!(6);
    let nginx = "/usr/sbin/nginx";
    if !Path::new(nginx).exists() {
        skip!("{nginx} is not installed");
    }
    let config = "daemon off; pid /tmp/pid; error_log stderr; user root; events {} http { access_log off; \
        client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi; \
        uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi; \
        server { listen 8080; location = / { return 200 'served\\n'; } \
        location /etc/ { alias /etc/; } location /home/ { alias /home/; } } }";
    let mut bundle = debian(&["/bin/sh", "-c", "nginx -c /tmp/conf"], plain());
    std::fs::write(bundle.rootfs("home/file"), "home\n").unwrap();
    std::fs::write(bundle.rootfs("etc/file"), "etc\n").unwrap();
    let all = ["CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_OVERRIDE"];
    for set in ["bounding", "effective", "permitted"] {
        bundle.config["process"]["capabilities"][set] = json!(all);
    }
    bundle.config["process"]["args"] = json!([
        "sh",
        "-c",
        format!(
            "echo \"$CONF\" > /tmp/conf; {nginx} -e stderr -c /tmp/conf & \
         for i in $(seq 100); do wget -qO- http://127.0.0.1:8080/ 2>/dev/null && break; sleep 0.1; done; \
         wget -qO- http://127.0.0.1:8080/etc/file; wget -O- http://127.0.0.1:8080/home/file; \
         kill $(cat /tmp/pid); wait"
        )
    ]);
    let conf = json!(format!("CONF={config}"));
    bundle.config["process"]["env"]
        .as_array_mut()
        .unwrap()
        .push(conf);
    let output = bundle.run();
    assert_eq!(output.stdout, "served\netc\n", "{output:?}");
    assert!(output.stderr.contains("403 Forbidden"), "{output:?}");
    assert!(
        output
            .stderr
            .contains("\"/home/file\" failed (13: Permission denied)"),
        "{output:?}"
    );
}
