//! Hooks: their order, their input, and what a failing one does.

use crate::harness::*;
use serde_json::json;

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
        bundle.config["hooks"] =
            json!({kind: [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]});
        let output = bundle.run();
        assert_ne!(output.code(), 0, "{kind}: {output:?}");
        assert_eq!(output.stdout, "", "{kind}");
        bundle.assert_nothing_left();
    }
}
