//! Device rules, tried from inside: their order, wildcards, what every container has, and changes.

use crate::harness::*;
use serde_json::{Value, json};

/// A container that can make device nodes, with these rules: `+c 1:3 rwm`, `-a`.
fn with(rules: &[&str]) -> Bundle {
    let mut bundle = Bundle::sleeping();
    bundle.config["root"]["readonly"] = json!(false);
    for set in ["bounding", "effective", "permitted"] {
        bundle.config["process"]["capabilities"][set] =
            json!(["CAP_MKNOD", "CAP_SYS_RAWIO", "CAP_SYSLOG", "CAP_KILL"]);
    }
    bundle.config["linux"]["resources"]["devices"] = json_rules(rules);
    bundle
}

fn json_rules(rules: &[&str]) -> Value {
    let rule = |text: &&str| {
        let mut words = text[1..].split(' ');
        let kind = words.next().unwrap();
        let mut rule = json!({"allow": text.starts_with('+'), "type": kind, "access": "rwm"});
        if let Some((major, minor)) = words.next().and_then(|numbers| numbers.split_once(':')) {
            for (key, number) in [("major", major), ("minor", minor)] {
                if let Ok(number) = number.parse::<i64>() {
                    rule[key] = json!(number);
                }
            }
            rule["access"] = json!(words.next().unwrap());
        }
        rule
    };
    rules.iter().map(rule).collect()
}

/// What the container may do with a device, `c 1:3`, of `rwm`. Another error than EPERM is not the cgroup's.
#[track_caller]
fn access(bundle: &Bundle, device: &str) -> String {
    let script = format!(
        "rm -f /dev/n; mknod /dev/n {} 2>/dev/null && m=m || exit 0
         (: < /dev/n) 2>&1 | grep -q 'not permitted' || echo -n r
         (: >> /dev/n) 2>&1 | grep -q 'not permitted' || echo -n w
         echo -n m",
        device.replace(':', " ")
    );
    bundle
        .cli(&["exec", &bundle.id, "sh", "-c", &script])
        .ok()
        .stdout
}

#[track_caller]
fn check(rules: &[&str], wanted: &[(&str, &str)]) {
    let bundle = with(rules);
    let _container = bundle.start();
    for (device, access_wanted) in wanted {
        assert_eq!(
            access(&bundle, device),
            *access_wanted,
            "{device} under {rules:?}"
        );
    }
}

#[test]
fn without_rules_there_are_the_usual_devices() {
    let usual = [
        ("c 1:3", "rwm"),
        ("c 1:5", "rwm"),
        ("c 1:7", "rwm"),
        ("c 1:8", "rwm"),
        ("c 1:9", "rwm"),
        ("c 5:0", "rwm"),
        ("c 136:5", "rwm"),
        ("c 1:11", "m"),
        ("c 5:1", "m"),
        ("c 10:229", "m"),
        ("b 7:0", "m"),
    ];
    check(&[], &usual);
    check(&["-a", "-c 1:3 rwm"], &usual);
}

#[test]
fn numbers_and_wildcards() {
    check(
        &["-a", "+c 10:229 rw", "+b 7:0 r", "+c 13:* r", "+c *:77 w"],
        &[
            ("c 10:229", "rwm"),
            ("c 10:228", "m"),
            ("b 7:0", "rm"),
            ("b 7:1", "m"),
            ("b 10:229", "m"),
            ("c 13:63", "rm"),
            ("c 250:77", "wm"),
            ("c 250:78", "m"),
        ],
    );
}

#[test]
fn the_last_rule_decides() {
    check(
        &["-a", "+c 10:229 rw", "-c 10:229 w"],
        &[("c 10:229", "rm")],
    );
    check(
        &["+c 10:229 rw", "-a", "+b 7:0 w"],
        &[("c 10:229", "m"), ("b 7:0", "wm")],
    );
}

#[test]
fn all_but_some() {
    check(
        &["+a", "-b 7:* w", "-c 1:11 rw"],
        &[
            ("b 7:0", "rm"),
            ("b 7:1", "rm"),
            ("b 8:0", "rwm"),
            ("c 1:11", "m"),
            ("c 1:3", "rwm"),
        ],
    );
}

#[test]
fn what_v1_could_not_hold_is_refused_on_both() {
    let bundle = with(&["-a", "+c 9:* rw", "-c 9:9 w"]);
    bundle
        .try_create()
        .fails_with("linux.resources.devices[2]: `c 9:9 w` cannot make a hole");
    bundle.assert_nothing_left();
}

#[test]
fn an_update_changes_them_with_cgroups_below_too() {
    let bundle = with(&["-a", "+c 10:229 rw"]);
    let container = bundle.start();
    let dir =
        cgroup_dir(container.pid(), "devices").or_else(|| cgroup_dir(container.pid(), "pids"));
    let Some(dir) = dir else {
        skip!("no cgroups here");
    };
    // v1 takes no rule on everything any more.
    std::fs::create_dir(dir.join("below")).unwrap();
    let file = bundle.dir.join("resources.json");
    for (rules, fuse, loop0) in [
        (&["-a", "+b 7:0 r"][..], "m", "rm"),
        (&["-a", "+b 7:0 rw", "+c 10:229 r"], "rm", "rwm"),
        (&["-a", "+c 10:229 rw"], "rwm", "m"),
    ] {
        let resources = json!({"devices": json_rules(rules)}).to_string();
        std::fs::write(&file, resources).unwrap();
        bundle
            .cli(&["update", "-r", file.to_str().unwrap(), &bundle.id])
            .ok();
        assert_eq!(access(&bundle, "c 10:229"), fuse, "{rules:?}");
        assert_eq!(access(&bundle, "b 7:0"), loop0, "{rules:?}");
        assert_eq!(access(&bundle, "c 1:3"), "rwm", "{rules:?}");
    }
}
