//! `linux.netDevices`: devices that move into the container.

use crate::harness::*;
use serde_json::json;
use std::path::Path;
use std::process::Command;

fn ip(args: &str) -> bool {
    let output = Command::new("ip").args(args.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}

/// A pair of devices with names of their own; taken away at the end, if the container's end has not done so.
struct Pair {
    one: String,
    other: String,
}

impl Pair {
    fn new(letter: char) -> Option<Pair> {
        let number = std::process::id() % 1_000_000;
        let pair = Pair {
            one: format!("cor{letter}{number}"),
            other: format!("cor{letter}{number}p"),
        };
        ip(&format!(
            "link add {} type veth peer name {}",
            pair.one, pair.other
        ))
        .then_some(pair)
    }

    fn is_here(&self) -> bool {
        Path::new("/sys/class/net").join(&self.one).exists()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        ip(&format!("link del {}", self.other));
    }
}

#[test]
fn devices_move_with_their_addresses() {
    let Some(pair) = Pair::new('a') else {
        skip!("no veth devices can be made here");
    };
    let one = &pair.one;
    assert!(ip(&format!("address add 192.0.2.17/24 dev {one}")));
    assert!(ip(&format!(
        "address add 169.254.9.9/16 scope link dev {one}"
    )));
    let v6 = ip(&format!("address add 2001:db8::17/64 dev {one} nodad"));
    assert!(ip(&format!(
        "link set {one} mtu 1400 address 00:11:22:33:44:55 up"
    )));
    assert!(ip(&format!("link set {} up", pair.other)));
    let mut bundle = Bundle::sh("ip address show dev inside; ip route");
    bundle.config["linux"]["netDevices"] = json!({ one: {"name": "inside"} });
    let output = bundle.run().ok().stdout;
    for text in [
        "192.0.2.17/24",
        "mtu 1400",
        "00:11:22:33:44:55",
        ",UP",
        "192.0.2.0/24 dev inside",
    ] {
        assert!(output.contains(text), "no {text:?} in {output}");
    }
    assert!(!output.contains("169.254.9.9"), "{output}");
    assert!(!v6 || output.contains("2001:db8::17/64"), "{output}");
    bundle.assert_nothing_left();
}

#[test]
fn devices_move_into_namespaces_that_are_joined() {
    let Some(pair) = Pair::new('b') else {
        skip!("no veth devices can be made here");
    };
    let name = format!("coracle{}", std::process::id());
    if !ip(&format!("netns add {name}")) {
        skip!("no network namespace can be made by ip(8) here");
    }
    for user_namespace in [false, true] {
        let mut bundle = Bundle::sh("cat /proc/net/dev");
        bundle.config["linux"]["netDevices"] = json!({ &pair.one: {} });
        let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "network");
        let path = format!("/run/netns/{name}");
        namespaces.push(json!({"type": "network", "path": path}));
        if user_namespace {
            namespaces.push(json!({"type": "user"}));
            let map = json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
            bundle.config["linux"]["uidMappings"] = map.clone();
            bundle.config["linux"]["gidMappings"] = map;
            bundle.config["mounts"]
                .as_array_mut()
                .unwrap()
                .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/sys"));
        }
        let output = bundle.run();
        let is_here = pair.is_here();
        let back = ip(&format!("-n {name} link set {} netns 1", pair.one));
        let output = output.ok().stdout;
        assert!(output.contains(&pair.one), "{output}");
        assert!(!is_here);
        assert!(back || pair.is_here());
        if !user_namespace && !pair.is_here() {
            // The first process of the machine may have another network than we do.
            break;
        }
    }
    ip(&format!("netns del {name}"));
}

#[test]
fn devices_that_cannot_be_moved_are_errors() {
    let mut bundle = Bundle::sh("true");
    bundle.config["linux"]["netDevices"] = json!({"nosuchdevice": {}});
    bundle
        .run()
        .fails_with("link not found for interface nosuchdevice");
    bundle.assert_nothing_left();
}
