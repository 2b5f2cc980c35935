//! Coracle in a container of its own: with the rights of root, with fewer, and with those of an ordinary user.

use crate::harness::*;
use crate::rootless::Home;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Puts the runtime and a second bundle, in `/inner`, into the rootfs.
fn furnish(rootfs: &Path) {
    fs::copy(binary(), rootfs.join("bin/coracle")).unwrap();
    let inner = rootfs.join("inner/rootfs");
    for directory in ["bin", "proc", "sys", "dev", "tmp"] {
        fs::create_dir_all(inner.join(directory)).unwrap();
    }
    fs::hard_link(rootfs.join("bin/busybox"), inner.join("bin/busybox")).unwrap();
    for applet in ["sh", "cat", "id", "sleep", "echo", "grep"] {
        std::os::unix::fs::symlink("busybox", inner.join("bin").join(applet)).unwrap();
    }
    fs::create_dir(rootfs.join("run")).unwrap();
}

/// Writes the inner configuration, with a word for sed(1), and runs a container through its life.
fn script(spec: &str, edit: &str) -> String {
    format!(
        "cd /inner; rm -f config.json; coracle {spec} && sed -i 's/\"terminal\": true/\"terminal\": false/; {edit}' config.json || exit
         sed 's/\"sh\"/\"sh\", \"-c\", \"id -u; echo $$; cat \\/proc\\/self\\/uid_map\"/' config.json > once.json
         coracle run --config once.json once || exit
         sed -i 's/\"sh\"/\"sleep\", \"1000\"/' config.json
         coracle create second </dev/null >/dev/null && coracle start second && coracle exec second echo hello
         coracle kill second KILL; until coracle state second | grep -q stopped; do sleep 0.05; done
         coracle delete second && coracle list -q"
    )
}

/// All that the test itself has, as `--privileged` gives it.
fn privilege(config: &mut Value) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapPrm:"));
    let set = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
    let features = Bundle::new().cli(&["features"]).ok().stdout;
    let features: Value = serde_json::from_str(&features).unwrap();
    let names = features["linux"]["capabilities"].as_array().unwrap();
    let held: Vec<&Value> = names
        .iter()
        .enumerate()
        .filter(|(bit, _)| set >> bit & 1 == 1)
        .map(|(_, name)| name)
        .collect();
    for kind in ["bounding", "effective", "permitted"] {
        config["process"]["capabilities"][kind] = json!(held);
    }
    config["linux"]["maskedPaths"] = json!([]);
    config["linux"]["readonlyPaths"] = json!([]);
    config["linux"]["resources"] = json!({"devices": [{"allow": true, "access": "rwm"}]});
    for mount in config["mounts"].as_array_mut().unwrap() {
        if let Some(options) = mount["options"].as_array_mut() {
            options.retain(|option| option != "ro");
        }
    }
}

fn outer(script: &str) -> Bundle {
    let mut bundle = Bundle::sh(script);
    furnish(&bundle.rootfs(""));
    bundle.config["root"]["readonly"] = json!(false);
    bundle
}

#[test]
fn root_in_root() {
    coracle_only!();
    let mut bundle = outer(&script("spec", ""));
    privilege(&mut bundle.config);
    let output = bundle.run().ok();
    assert_eq!(output.lines()[..2], ["0", "1"], "{output:?}");
    assert_eq!(output.lines()[3..], ["hello"], "{output:?}");
    bundle.assert_nothing_left();
}

#[test]
fn rootless_in_rootless() {
    let mut home = Home::new(&script("spec --rootless", ""));
    furnish(&home.bundle.rootfs(""));
    home.give_all();
    home.bundle.config["root"]["readonly"] = json!(false);
    home.run("")
        .fails_with("root needs CAP_SETFCAP to map itself");
    for set in ["bounding", "effective", "permitted"] {
        let set = &mut home.bundle.config["process"]["capabilities"][set];
        set.as_array_mut().unwrap().push(json!("CAP_SETFCAP"));
    }
    home.run("").fails_with("must see all of another proc");
    home.bundle.config["linux"]["maskedPaths"] = json!([]);
    home.bundle.config["linux"]["readonlyPaths"] = json!([]);
    let output = home.run("").ok();
    assert_eq!(output.lines()[..2], ["0", "1"], "{output:?}");
    assert_eq!(output.lines()[3..], ["hello"], "{output:?}");
    home.bundle.assert_nothing_left();
}

/// What is left to a container without privileges, as Docker makes it: no user namespaces, and no rights to do without.
#[test]
fn in_a_container_without_privileges() {
    coracle_only!();
    let mut bundle = outer(
        "cd /inner; coracle spec; coracle run once; coracle --rootless true run once; rm config.json
         coracle spec --rootless; coracle --rootless true run twice; ls /run/coracle",
    );
    let calls = json!(["unshare", "setns", "mount", "open_tree", "fsopen"]);
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": calls, "action": "SCMP_ACT_ERRNO"},
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            {"names": ["clone"], "action": "SCMP_ACT_ERRNO",
             "args": [{"index": 0, "value": 0x1000_0000, "valueTwo": 0x1000_0000, "op": "SCMP_CMP_MASKED_EQ"}]},
        ],
    });
    let output = bundle.run();
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(
        (lines.len(), output.stdout.as_str()),
        (3, ""),
        "{output:#?}"
    );
    for (line, text) in lines.iter().zip([
        "`--rootless true` does without cgroups",
        "clone3: operation not permitted",
        "no user namespace can be made: it is forbidden",
    ]) {
        assert!(line.contains(text), "{line}");
    }
    bundle.assert_nothing_left();
}
