//! What engines make of the runtime's words: their own rules, applied to what it says. Each rule names the function that
//! it is taken from. (That the engines themselves run is for scripts/engines.)

use crate::harness::*;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// containerd's getLastRuntimeError (cmd/containerd-shim-runc-v2/process/utils.go): the last error of the JSON log.
fn last_error(log: &str) -> String {
    let entries = serde_json::Deserializer::from_str(log).into_iter::<Value>();
    let mut last = String::new();
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("{error} in {log}"));
        let time = entry["time"].as_str().unwrap();
        assert!(is_rfc3339(time), "{time}");
        if entry["level"] == "error" {
            last = entry["msg"].as_str().unwrap().trim().to_owned();
        }
    }
    last
}

/// Whether Go's time.Time takes it.
fn is_rfc3339(time: &str) -> bool {
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    let (head, zone) = time.as_bytes().split_at(time.len().min(pattern.len()));
    let digits = |it: &u8| it.is_ascii_digit() || *it == b'.';
    head.len() == pattern.len()
        && head.iter().zip(pattern).all(|(have, want)| match want {
            b'd' => have.is_ascii_digit(),
            _ => have == want,
        })
        && match zone.iter().find(|it| !digits(it)) {
            Some(b'Z') => true,
            Some(b'+' | b'-') => zone.ends_with(b"00") || zone.len() >= 6,
            _ => false,
        }
}

#[derive(Debug, PartialEq, Eq)]
enum Kill {
    Finished,
    NoContainer,
    Unknown,
}

/// containerd's checkKillError (process/utils.go there), of the command's output.
fn containerd_kill(output: &Output) -> Kill {
    let text = format!("{}{}", output.stdout, output.stderr);
    let finished = ["os: process already finished", "container not running"];
    if finished.iter().any(|it| text.contains(it))
        || text.to_lowercase().contains("no such process")
    {
        Kill::Finished
    } else if text.contains("does not exist") {
        Kill::NoContainer
    } else {
        Kill::Unknown
    }
}

/// CRI-O's runtimeCmd (internal/oci/runtime_oci.go): whether it takes the failure for "not found".
fn crio_finds_nothing(output: &Output) -> bool {
    [
        "no such process",
        "container not running",
        "invalid process",
    ]
    .iter()
    .any(|it| output.stderr.contains(it))
}

/// Docker's setExitCodeFromError (daemon/errors.go of moby), by which `docker run` ends.
fn docker_status(error: &str) -> i32 {
    let error = error.to_lowercase();
    let has = |text: &str| error.contains(text);
    if has("permission denied") || has("is a directory") {
        126
    } else if has("not a directory")
        || has("executable file not found")
        || has("no such file or directory")
    {
        127
    } else {
        128
    }
}

/// Podman's getOCIRuntimeError (libpod/oci_util.go) and, after it, TranslateExecErrorToExitCode: the status by which
/// `podman run` ends.
fn podman_status(error: &str) -> i32 {
    let error = error.to_lowercase();
    let has = |text: &str| error.contains(text);
    if has("permission denied") || has("operation not permitted") {
        126
    } else if has("executable file not found in")
        || has("no such file or directory")
        || has("open executable")
    {
        127
    } else {
        125
    }
}

/// The runtime with a JSON log, as containerd calls it: its output, and the log's last error.
fn logged(bundle: &Bundle, args: &[&str]) -> (Output, String) {
    let log = bundle.dir.join("log.json");
    let _ = fs::remove_file(&log);
    let output = bundle.cli(
        &[
            &["--log", log.to_str().unwrap(), "--log-format", "json"],
            args,
        ]
        .concat(),
    );
    let text = fs::read_to_string(&log).unwrap_or_default();
    (output, last_error(&text))
}

/// Commands that cannot be executed: what is executed, the engines' exit status.
const COMMANDS: &[(&str, i32)] = &[
    ("nonesuch", 127),
    ("/nonesuch", 127),
    ("/bin/orphan", 127),
    ("/etc/passwd", 126),
    ("/etc", 126),
];

/// A bundle with a script whose interpreter is missing.
fn with_an_orphan() -> Bundle {
    let bundle = Bundle::sleeping();
    let script = bundle.rootfs("bin/orphan");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).unwrap();
    bundle
}

#[test]
fn a_start_that_fails_tells_the_engines_their_exit_status() {
    for (command, status) in COMMANDS {
        let mut bundle = with_an_orphan();
        bundle.set_args(&[command]);
        bundle.write_config();
        let dir = bundle.bundle();
        let flags = ["create", "--bundle", dir.to_str().unwrap(), &bundle.id];
        let (mut output, mut error) = logged(&bundle, &flags);
        if output.code() == 0 {
            // What the program needs is seen by the kernel alone.
            (output, error) = logged(&bundle, &["start", &bundle.id]);
            bundle.cli(&["delete", "--force", &bundle.id]).ok();
        }
        let found = (docker_status(&error), podman_status(&output.stderr));
        assert_eq!(found, (*status, *status), "{command}: {error}: {output:?}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn an_exec_that_fails_tells_the_engines_its_exit_status() {
    let bundle = with_an_orphan();
    let _container = bundle.start();
    for (command, status) in COMMANDS {
        let process = bundle.dir.join("process.json");
        let mut text = bundle.config["process"].clone();
        text["args"] = json!([command]);
        fs::write(&process, text.to_string()).unwrap();
        let process = process.to_str().unwrap();
        let (output, error) = logged(
            &bundle,
            &["exec", "--process", process, "--detach", &bundle.id],
        );
        let found = (docker_status(&error), podman_status(&output.stderr));
        assert_eq!(found, (*status, *status), "{command}: {error}: {output:?}");
    }
}

#[test]
fn a_mount_of_the_wrong_kind_is_told_by_docker() {
    // Docker adds "Are you trying to mount a directory onto a file (or vice-versa)?" to it.
    for (source, destination) in [("/etc/passwd", "/etc"), ("/etc", "/etc/passwd")] {
        let mut bundle = Bundle::new();
        let mounts = bundle.config["mounts"].as_array_mut().unwrap();
        mounts.push(json!({"destination": destination, "source": source, "type": "bind", "options": ["rbind"]}));
        bundle.write_config();
        let dir = bundle.bundle();
        let (_, error) = logged(
            &bundle,
            &["create", "--bundle", dir.to_str().unwrap(), &bundle.id],
        );
        assert!(error.contains("not a directory"), "{error}");
        bundle.assert_nothing_left();
    }
}

#[test]
fn signals_to_what_is_gone_are_told_apart() {
    let bundle = Bundle::sh("true");
    let container = bundle.start();
    container.wait_for_status("stopped");
    for args in [
        &["kill", &bundle.id, "9"][..],
        &["kill", &bundle.id, "KILL"],
    ] {
        let (output, error) = logged(&bundle, args);
        assert_eq!(containerd_kill(&output), Kill::Finished, "{output:?}");
        assert!(crio_finds_nothing(&output), "{output:?}");
        assert_eq!(error, "container not running");
    }
    // With --all, what is left in the cgroup is asked for, and nothing being left is no error.
    for all in ["--all", "-a"] {
        let (output, _) = logged(&bundle, &["kill", all, &bundle.id, "9"]);
        assert_ne!(containerd_kill(&output), Kill::NoContainer, "{output:?}");
        assert!(
            output.code() == 0 || crio_finds_nothing(&output),
            "{output:?}"
        );
    }
    bundle.cli(&["delete", &bundle.id]).ok();
    for args in [
        &["kill", "--all", &bundle.id, "9"][..],
        &["kill", &bundle.id, "9"],
        &["delete", &bundle.id],
        &["state", &bundle.id],
        &["pause", &bundle.id],
        &["start", &bundle.id],
    ] {
        let (output, error) = logged(&bundle, args);
        assert_eq!(output.code(), 1, "{args:?}");
        assert_eq!(containerd_kill(&output), Kill::NoContainer, "{output:?}");
        assert_eq!(error, "container does not exist");
    }
    // All engines take it for done.
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
}

#[test]
fn the_version_is_read_by_the_engines() {
    let output = Bundle::new().cli(&["--version"]).ok();
    // parseRuntimeVersion of moby's daemon/info_unix.go: the name before "version", and what is behind it.
    let line = output.lines().into_iter().find(|it| it.contains("version"));
    let (name, version) = line.unwrap().split_once("version").unwrap();
    assert!(!name.trim().is_empty() && !version.trim().is_empty());
    // parseVersion of go-runc.
    let spec = output
        .lines()
        .into_iter()
        .find_map(|it| it.strip_prefix("spec: "));
    assert!(spec.is_some_and(|it| it.starts_with("1.")), "{output:?}");
}

#[test]
fn podman_finds_that_checkpoints_can_be_made() {
    // CRRuntimeSupportsCheckpointRestore and CRRuntimeSupportsPodCheckpointRestore of its pkg/checkpoint/crutils.
    let call = |args: &[&str]| Command::new(binary()).args(args).output().unwrap();
    assert!(call(&["checkpoint", "--help"]).status.success());
    let output = call(&["restore", "--lsm-mount-context"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("flag needs an argument"), "{text}");
}

#[test]
fn crio_reads_the_features() {
    // initializeRuntimeFeatures of its pkg/config/config.go.
    let output = Bundle::new().cli(&["features"]).ok();
    let features: Value = serde_json::from_str(&output.stdout).unwrap();
    for name in ["ociVersionMin", "ociVersionMax"] {
        assert!(
            features[name].as_str().is_some_and(|it| !it.is_empty()),
            "{name}"
        );
    }
    assert_eq!(
        features["linux"]["mountExtensions"]["idmap"]["enabled"],
        true
    );
    let options = features["mountOptions"].as_array().unwrap();
    assert!(options.contains(&json!("rro")), "{options:?}");
}
