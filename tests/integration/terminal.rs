//! `run` from a terminal, which `script` provides.

use crate::harness::*;
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Runs a shell line below a pty, where `$RUN` runs the container.
#[track_caller]
fn on_a_terminal(bundle: &Bundle, line: &str) -> Output {
    bundle.write_config();
    let run = format!(
        "{} --root {} run --bundle {} {}",
        binary().display(),
        bundle.root().display(),
        bundle.bundle().display(),
        bundle.id
    );
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", line, "/dev/null"])
        .env("RUN", run)
        .current_dir(&bundle.dir);
    bundle.spawn(command).wait()
}

macro_rules! needs_script {
    () => {
        if !Path::new("/usr/bin/script").exists() {
            skip!("script is not installed");
        }
    };
}

fn terminal_bundle(script: &str) -> Bundle {
    let mut bundle = Bundle::sh(script);
    bundle.config["process"]["terminal"] = json!(true);
    bundle
}

#[test]
fn the_container_has_a_terminal() {
    needs_script!();
    let bundle = terminal_bundle(
        "tty; test -t 0 && test -t 1 && test -t 2 && echo all three; ls /dev/console; echo x > /dev/tty",
    );
    let output = on_a_terminal(&bundle, "$RUN");
    for text in ["/dev/pts/0", "all three", "/dev/console"] {
        assert!(output.stdout.contains(text), "no {text:?}: {output:?}");
    }
    assert_eq!(output.code(), 0, "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn the_window_size_is_passed_on() {
    needs_script!();
    // Coracle sets it before the process starts; peers may be late.
    let late = "while [ \"$(stty size)\" = '0 0' ]; do sleep 0.1; done; stty size";
    let bundle = terminal_bundle(if is_coracle() { "stty size" } else { late });
    let output = on_a_terminal(&bundle, "stty rows 33 cols 77; $RUN");
    assert!(output.stdout.contains("33 77"), "{output:?}");
}

#[test]
fn the_exit_status_is_passed_on() {
    needs_script!();
    let bundle = terminal_bundle("exit 7");
    let output = on_a_terminal(&bundle, "$RUN; echo status $?");
    assert!(output.stdout.contains("status 7"), "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn the_terminal_is_restored() {
    needs_script!();
    let bundle = terminal_bundle("stty raw -echo");
    let output = on_a_terminal(
        &bundle,
        "stty -g > before; $RUN; stty -g > after; cmp before after && echo restored",
    );
    assert!(output.stdout.contains("restored"), "{output:?}");
}

#[test]
fn lines_end_as_the_container_wrote_them() {
    needs_script!();
    let bundle = terminal_bundle("stty -a | grep -o -e '-*onlcr'");
    let output = on_a_terminal(&bundle, "$RUN");
    assert!(
        output.stdout.contains("-onlcr"),
        "the console translates line ends: {output:?}"
    );
}

#[test]
fn much_output_comes_through_whole() {
    needs_script!();
    let bundle = terminal_bundle(
        "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo the end",
    );
    let output = on_a_terminal(&bundle, "$RUN");
    assert!(output.stdout.contains("the end"), "the end is missing");
    // The first line may follow what `script` echoes at the end of its own input.
    assert_eq!(
        output
            .stdout
            .lines()
            .filter(|line| line.contains("line "))
            .count(),
        3000
    );
}

#[test]
fn input_is_passed_on() {
    needs_script!();
    let bundle = terminal_bundle("read line; echo read $line");
    let output = on_a_terminal(
        &bundle,
        "(sleep 1; echo words) | script -qec \"$RUN\" /dev/null",
    );
    assert!(output.stdout.contains("read words"), "{output:?}");
    bundle.assert_nothing_left();
}
