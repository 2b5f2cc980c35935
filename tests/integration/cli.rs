//! The command line: help, version, flags in Go's forms, logs.

use crate::harness::*;
use serde_json::Value;
use std::fs;

const COMMANDS: [&str; 8] = [
    "create", "delete", "kill", "list", "run", "spec", "start", "state",
];

#[test]
fn every_command_has_help() {
    let bundle = Bundle::new();
    let all = bundle.cli(&["--help"]).ok();
    let commands = COMMANDS
        .iter()
        .copied()
        .chain(is_coracle().then_some("plan"));
    for command in commands {
        assert!(
            all.stdout.contains(command),
            "{command} is missing in --help"
        );
        for flag in ["--help", "-h", "-help"] {
            let help = bundle.cli(&[command, flag]).ok();
            assert!(help.stdout.contains(command), "{command} {flag}: {help:?}");
        }
    }
    bundle.cli(&["-h"]).ok();
    bundle.cli(&["help"]).ok();
}

#[test]
fn version() {
    let bundle = Bundle::new();
    for flag in ["--version", "-v", "-version"] {
        let output = bundle.cli(&[flag]).ok();
        if is_coracle() {
            assert!(
                output
                    .stdout
                    .starts_with(concat!("coracle version ", env!("CARGO_PKG_VERSION"))),
                "{output:?}"
            );
            assert!(output.lines().contains(&"spec: 1.3.0"), "{output:?}");
        }
    }
}

#[test]
fn wrong_command_lines() {
    let bundle = Bundle::new();
    for args in [
        &["state"][..],
        &["state", "a", "b"],
        &["start"],
        &["kill"],
        &["create"],
        &["run"],
        &["state", "--nonesuch", "a"],
        &["run", "--pid-file"],
        &["list", "--quiet=perhaps"],
    ] {
        let output = bundle.cli(args);
        assert_eq!(output.code(), 1, "{args:?}: {output:?}");
        assert!(
            !output.stderr.is_empty() || !output.stdout.is_empty(),
            "{args:?}"
        );
    }
    assert_ne!(bundle.cli(&["--nonesuch", "list"]).code(), 0);
    assert_ne!(bundle.cli(&["nonesuch"]).code(), 0);
    bundle
        .cli(&["--log-format", "xml", "list"])
        .fails_with("log-format");
    if is_coracle() {
        let mut command = std::process::Command::new(binary());
        command.args(["--root", "/", "list"]);
        assert_eq!(bundle.spawn(command).wait().code(), 1);
    }
}

#[test]
fn flags_in_gos_forms() {
    let bundle = Bundle::sh("echo ran");
    bundle.write_config();
    let dir = bundle.bundle();
    let dir = dir.to_str().unwrap();
    for args in [
        &["run", "-bundle", dir][..],
        &["run", "--bundle", dir],
        &["run", "-b", dir],
        &["run", &format!("-b={dir}")],
        &["run", &format!("-bundle={dir}")],
        &[
            "run",
            &format!("--bundle={dir}"),
            "--detach=false",
            "--no-pivot=false",
        ],
        &["--debug=false", "run", "-d=false", "-b", dir],
        &["run", "-b", dir, "-no-subreaper", "--"],
        &["run", "-b", dir, "--no-new-keyring"],
    ] {
        let mut args = args.to_vec();
        args.push(&bundle.id);
        assert_eq!(bundle.cli(&args).ok().lines(), ["ran"], "{args:?}");
    }
}

#[test]
fn the_bundle_defaults_to_the_working_directory() {
    let bundle = Bundle::sh("echo ran");
    bundle.write_config();
    let mut command = bundle.command(&["run", &bundle.id]);
    command.current_dir(bundle.bundle());
    assert_eq!(bundle.spawn(command).wait().ok().lines(), ["ran"]);
}

#[test]
fn json_logs_have_runcs_keys() {
    let bundle = Bundle::new();
    let log = bundle.dir.join("log.json");
    let path = log.to_str().unwrap();
    let output = bundle.cli(&["--log", path, "--log-format", "json", "state", "nonesuch"]);
    assert_eq!(output.code(), 1);
    assert!(
        output.stderr.contains("does not exist"),
        "it is said on stderr too: {output:?}"
    );
    let text = fs::read_to_string(&log).unwrap();
    let entry: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(entry["level"], "error", "{entry}");
    assert!(
        entry["msg"].as_str().unwrap().contains("does not exist"),
        "{entry}"
    );
    let time = entry["time"].as_str().unwrap();
    assert!(time.len() >= 20 && time.as_bytes()[10] == b'T', "{time}");
}

#[test]
fn text_logs() {
    let bundle = Bundle::new();
    let log = bundle.dir.join("log.txt");
    assert_eq!(
        bundle
            .cli(&["--log", log.to_str().unwrap(), "state", "nonesuch"])
            .code(),
        1
    );
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("level=error") && text.contains("msg=\""),
        "{text:?}"
    );
}

#[test]
fn the_log_of_a_failed_create_names_the_command() {
    let mut bundle = Bundle::new();
    bundle.set_args(&["nonesuch"]);
    bundle.write_config();
    let log = bundle.dir.join("log.json");
    let dir = bundle.bundle();
    let args = [
        "--log",
        log.to_str().unwrap(),
        "--log-format=json",
        "create",
        "-b",
        dir.to_str().unwrap(),
        &bundle.id,
    ];
    assert_eq!(bundle.cli(&args).code(), 1);
    let text = fs::read_to_string(&log).unwrap();
    let entry: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(
        entry["msg"]
            .as_str()
            .unwrap()
            .contains("executable file not found in $PATH"),
        "{entry}"
    );
}

#[test]
fn spec_writes_a_configuration_once() {
    let bundle = Bundle::new();
    let dir = bundle.dir.join("fresh");
    fs::create_dir(&dir).unwrap();
    let path = dir.to_str().unwrap();
    bundle.cli(&["spec", "--bundle", path]).ok();
    let spec: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("config.json")).unwrap()).unwrap();
    assert_eq!(spec["process"]["terminal"], true);
    assert_eq!(spec["process"]["args"], serde_json::json!(["sh"]));
    assert_eq!(
        spec["root"],
        serde_json::json!({"path": "rootfs", "readonly": true})
    );
    bundle
        .cli(&["spec", "-b", path])
        .fails_with("exists. Remove it first");

    fs::remove_file(dir.join("config.json")).unwrap();
    bundle.cli(&["spec", "--rootless", "-b", path]).ok();
    let spec: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("config.json")).unwrap()).unwrap();
    let kinds: Vec<&str> = spec["linux"]["namespaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["type"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"user") && !kinds.contains(&"network"),
        "{kinds:?}"
    );
    assert_eq!(spec["linux"]["uidMappings"][0]["containerID"], 0);
}

#[test]
fn the_state_directory_is_the_one_that_root_names() {
    let bundle = Bundle::sleeping();
    let container = bundle.create();
    assert!(bundle.root().join(&bundle.id).is_dir());
    container.cli("delete").ok();
    assert!(!bundle.root().join(&bundle.id).exists());
}
