//! Hooks: their order, their input, and what a failing one does.

use crate::harness::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[test]
fn hooks_run_in_their_order_with_the_state() {
    let mut bundle = Bundle::sh("true");
    let log = bundle.dir.join("log");
    let hook = |kind: &str| {
        let script = format!(
            "printf '{kind} ' >> {0}; cat | grep -o '\"status\":\"[a-z]*\"' >> {0}",
            log.display()
        );
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}])
    };
    bundle.config["hooks"] = json!({
        "prestart": hook("prestart"),
        "createRuntime": hook("createRuntime"),
        "createContainer": hook("createContainer"),
        "poststart": hook("poststart"),
        "poststop": hook("poststop"),
    });
    bundle.run().ok();
    let text = std::fs::read_to_string(&log).unwrap();
    let kinds: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        kinds,
        [
            "prestart",
            "createRuntime",
            "createContainer",
            "poststart",
            "poststop"
        ],
        "{text}"
    );
    assert!(
        text.contains("createContainer \"status\":\"creating\""),
        "{text}"
    );
    bundle.assert_nothing_left();
}

#[test]
fn a_failing_hook_undoes_the_container() {
    for kind in [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
    ] {
        let mut bundle = Bundle::sh("echo never");
        let told = bundle.dir.join("told");
        bundle.config["hooks"] = json!({
            kind: [shell("exit 3")],
            "poststop": [shell(&format!("cat > {}", told.display()))]
        });
        let output = bundle.run();
        assert_ne!(output.code(), 0, "{kind}: {output:?}");
        assert_eq!(output.stdout, "", "{kind}");
        let state = fs::read_to_string(&told).unwrap();
        assert!(state.contains("\"stopped\""), "{kind}: {state}");
        bundle.assert_nothing_left();
    }
}

/// A hook that is a shell script.
fn shell(script: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", script]})
}

const KINDS: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

/// The kinds whose failure is the command's.
const FATAL: [&str; 5] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
];

/// The kinds that run in the host's mount namespace.
const OUTSIDE: [&str; 4] = ["prestart", "createRuntime", "poststart", "poststop"];

#[test]
fn each_hook_runs_at_its_moment_in_its_namespaces() {
    let mut bundle = Bundle::sh("echo program >> /log/file");
    fs::create_dir(bundle.dir.join("log")).unwrap();
    let log = bundle.dir.join("log/file");
    let source = bundle.dir.join("log");
    bundle.config["mounts"].as_array_mut().unwrap().push(json!({
        "destination": "/log", "type": "bind", "source": source, "options": ["bind"]
    }));
    bundle.config["hostname"] = json!("boat");
    for kind in KINDS {
        // createContainer hooks are in the container's namespaces, but the host's files are still there.
        let path = match kind {
            "startContainer" => "/log/file".to_owned(),
            _ => log.to_str().unwrap().to_owned(),
        };
        let script = format!(
            "s=$(cat); printf '%s %s %s %s %s\\n' {kind} \
             $(echo \"$s\" | sed 's/.*\"status\":\"\\([a-z]*\\).*/\\1/') \
             $(test -e {marker} && echo outside || echo inside) \
             $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/uts) >> {path}",
            marker = bundle.dir.join("bundle").display()
        );
        bundle.config["hooks"][kind] = json!([shell(&script)]);
    }
    let container = bundle.create();
    let text = fs::read_to_string(&log).unwrap();
    let names = |text: &str| -> Vec<String> {
        let first = |line: &str| line.split(' ').next().unwrap().to_owned();
        text.lines().map(first).collect()
    };
    assert_eq!(
        names(&text),
        ["prestart", "createRuntime", "createContainer"],
        "{text}"
    );
    container.cli("start").ok();
    container.wait_for_status("stopped");
    container.cli("delete").ok();
    let text = fs::read_to_string(&log).unwrap();
    // The program races with poststart.
    let names = names(&text);
    let order: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "program")
        .collect();
    assert_eq!(order, KINDS, "{text}");
    let ours = |kind: &str| {
        fs::read_link(format!("/proc/self/ns/{kind}"))
            .unwrap()
            .display()
            .to_string()
    };
    for line in text.lines().filter(|line| *line != "program") {
        let fields: Vec<&str> = line.split(' ').collect();
        let status = match fields[0] {
            "startContainer" => "created",
            "poststart" => "running",
            "poststop" => "stopped",
            _ => "creating",
        };
        assert_eq!(fields[1], status, "{line}");
        let outside = OUTSIDE.contains(&fields[0]);
        assert_eq!(
            fields[2] == "outside",
            outside || fields[0] == "createContainer",
            "{line}"
        );
        assert_eq!(fields[3] == ours("mnt"), outside, "{line}");
        assert_eq!(fields[4] == ours("uts"), outside, "{line}");
    }
    bundle.assert_nothing_left();
}

#[test]
fn the_state_of_hooks_is_whole() {
    for kind in KINDS {
        let mut bundle = Bundle::sh("true");
        bundle.config["annotations"] = json!({"quote": "a \"b\" \n ü"});
        let to = bundle.dir.join("state.json");
        let inside = match kind {
            "startContainer" => {
                let source = bundle.dir.clone();
                bundle.config["mounts"].as_array_mut().unwrap().push(json!({
                    "destination": "/tmp", "type": "bind", "source": source, "options": ["bind"]
                }));
                "/tmp/state.json"
            }
            _ => to.to_str().unwrap(),
        };
        bundle.config["hooks"][kind] = json!([shell(&format!("cat > {inside}"))]);
        bundle.run().ok();
        let state: Value = serde_json::from_slice(&fs::read(&to).unwrap()).unwrap();
        assert_eq!(state["id"], bundle.id.as_str(), "{kind}");
        assert_eq!(state["annotations"], bundle.config["annotations"], "{kind}");
        assert_eq!(state["bundle"], bundle.bundle().to_str().unwrap(), "{kind}");
        let pid = state["pid"].as_i64().unwrap_or(0);
        assert!(pid > 0 || kind == "poststop", "{kind}: {state}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn arguments_and_environment_of_hooks() {
    for kind in FATAL {
        let mut bundle = Bundle::sleeping();
        bundle.config["process"]["env"] = json!(["PATH=/bin", "FROM=process"]);
        let script = "echo $0 $1 $A $B ${FROM-unset}; exit 4";
        bundle.config["hooks"][kind] = json!([
            {"path": "/bin/sh", "args": ["sh", "-c", script, "zero", "one two"], "env": ["A=x=y", "B=", "PATH=/bin"]}
        ]);
        bundle
            .run()
            .fails_with("exit status 4, output: zero one two x=y unset");
        bundle.assert_nothing_left();
        // One without any inherits: the runtime's environment outside, the process's inside.
        let script = "echo from ${FROM-unset} ${CORACLE_TEST_GIVEN-unset}; exit 4";
        bundle.config["hooks"][kind] = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
        let wanted = match kind {
            "createContainer" | "startContainer" => "from process unset",
            _ => "from unset runtime",
        };
        bundle.write_config();
        let here = bundle.bundle();
        let mut command = bundle.command(&["run", "--bundle", here.to_str().unwrap(), &bundle.id]);
        command.env("CORACLE_TEST_GIVEN", "runtime");
        bundle.spawn(command).wait().fails_with(wanted);
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_hook_that_takes_too_long_is_killed() {
    for kind in FATAL {
        let mut bundle = Bundle::sleeping();
        let mut hook = shell("echo slow; exec sleep 1000");
        hook["timeout"] = json!(1);
        bundle.config["hooks"][kind] = json!([hook]);
        let text = format!("error running {kind} hook #0: hook ran past specified timeout of 1.0s");
        bundle.run().fails_with(&text);
        bundle.assert_nothing_left();
    }
}

#[test]
fn the_second_hook_is_named_and_the_third_not_run() {
    for kind in FATAL {
        let mut bundle = Bundle::sleeping();
        let second = shell("echo why >&2; kill -9 $$");
        bundle.config["hooks"][kind] =
            json!([{"path": "/bin/true"}, second, shell("echo third; exit 1")]);
        let text = format!("error running {kind} hook #1: signal: killed, output: why");
        let output = bundle.run().fails_with(&text);
        assert!(!output.stderr.contains("third"), "{kind}: {output:?}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_hook_that_cannot_be_executed_is_named() {
    for kind in FATAL {
        let mut bundle = Bundle::sleeping();
        bundle.config["hooks"][kind] = json!([{"path": "/no/such/hook"}]);
        let output = bundle
            .run()
            .fails_with(&format!("error running {kind} hook #0: "));
        assert!(
            output.stderr.contains("no such file or directory"),
            "{kind}: {output:?}"
        );
        bundle.assert_nothing_left();
    }
}

#[test]
fn hooks_that_read_nothing_and_print_much() {
    for kind in KINDS {
        let mut bundle = Bundle::sh("true");
        // More than a pipe holds, for a hook that does not read; and much that it says, with a child that stays.
        bundle.config["annotations"] = json!({"long": "x".repeat(100_000)});
        let script = "head -c 300000 /dev/zero; (sleep 2 &)";
        bundle.config["hooks"][kind] = json!([shell(script)]);
        let output = bundle.run().ok();
        assert!(!output.stdout.contains('\0'), "{kind}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_failing_poststart_hook_stops_the_container() {
    let mut bundle = Bundle::sleeping();
    bundle.config["hooks"]["poststart"] = json!([shell("exit 1")]);
    let container = bundle.create();
    let output = container.cli("start");
    output.fails_with("error running poststart hook #0: exit status 1");
    bundle.assert_nothing_left();
}

#[test]
fn a_failing_poststop_hook_is_only_logged() {
    let mut bundle = Bundle::sleeping();
    let second = format!("touch {}", bundle.dir.join("second").display());
    bundle.config["hooks"]["poststop"] = json!([shell("exit 1"), shell(&second)]);
    let container = bundle.start();
    container.kill("KILL").ok();
    container.wait_for_status("stopped");
    let output = container.cli("delete").ok();
    if is_coracle() {
        assert!(output.stderr.contains("poststop hook #0"), "{output:?}");
        // The spec: the others run all the same.
        assert!(bundle.dir.join("second").exists(), "{output:?}");
    }
    bundle.assert_nothing_left();
}

#[test]
fn the_working_directory_of_hooks() {
    for (kind, outside) in [
        ("prestart", true),
        ("createRuntime", true),
        ("startContainer", false),
    ] {
        let mut bundle = Bundle::sh("true");
        bundle.config["hooks"][kind] = json!([shell("pwd; exit 1")]);
        let here = bundle.bundle();
        let wanted = if outside {
            here.as_path()
        } else {
            Path::new("/")
        };
        bundle
            .run()
            .fails_with(&format!("output: {}\"", wanted.display()));
        bundle.assert_nothing_left();
    }
}

#[test]
fn hooks_that_are_wrong_are_refused() {
    for (hook, field) in [
        (json!({"path": "relative"}), "path"),
        (json!({"path": "/bin/true", "timeout": 0}), "timeout"),
        (json!({"path": "/bin/true", "timeout": -1}), "timeout"),
        (json!({}), "path"),
    ] {
        let mut bundle = Bundle::sh("true");
        bundle.config["hooks"]["createRuntime"] = json!([hook]);
        let field = format!("hooks.createRuntime[0].{field}");
        bundle.run().fails_with(&field);
        bundle.assert_nothing_left();
    }
}
