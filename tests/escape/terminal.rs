//! The terminal of whoever calls the runtime, which a process inside could type on (TIOCSTI) if it controlled that.

use crate::harness::*;
use std::path::Path;
use std::process::Command;

/// The command as on a terminal of its own.
#[track_caller]
fn on_a_terminal(bundle: &Bundle, command: &Command) -> Output {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| format!("'{}'", word.to_str().unwrap()));
    let line = words.collect::<Vec<_>>().join(" ");
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(&bundle.dir);
    bundle.spawn(script).wait()
}

/// A process without a terminal of its own may be given the caller's as its standard streams, yet does not control it:
/// it is in a session of its own, which has none.
#[test]
fn the_terminal_of_the_caller_is_not_controlled_from_inside() {
    if !Path::new("/usr/bin/script").exists() {
        skip!("script is not installed");
    }
    // Field 7 is the number of the terminal that controls.
    const LOOK: &str = "[ -t 0 ] && echo given; cut -d \" \" -f 7 /proc/self/stat; : < /dev/tty";
    let judge = |output: Output| {
        assert!(output.stdout.starts_with("given\r\n0\r\n"), "{output:?}");
        assert!(
            output
                .stdout
                .contains("can't open /dev/tty: No such device or address"),
            "{output:?}"
        );
    };
    let bundle = Bundle::sh(LOOK);
    judge(on_a_terminal(&bundle, &bundle.bundle_command("run", &[])));
    let bundle = Bundle::sleeping();
    let _container = bundle.start();
    let exec = bundle.command(&["exec", &bundle.id, "sh", "-c", LOOK]);
    judge(on_a_terminal(&bundle, &exec));
}
