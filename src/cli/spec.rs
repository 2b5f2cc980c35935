//! `spec`: a configuration to begin with, the same as runc's.

use super::parse::Matches;
use crate::error::{Context, Error, Result};
use crate::sys::{file, process};
use serde_json::{Value, json};
use std::path::Path;

/// Writes `config.json` into the bundle.
pub fn spec(matches: &Matches) -> Result<u8> {
    let bundle = matches.path("bundle").unwrap_or_else(|| ".".into());
    let path = bundle.join("config.json");
    let text = template(matches.flag("rootless"))?;
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
    {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::new("File config.json exists. Remove it first"))
        }
        result => {
            let mut file = result.with_context(|| format!("open {}", path.display()))?;
            std::io::Write::write_all(&mut file, text.as_bytes())
                .with_context(|| format!("write {}", path.display()))?;
            Ok(0)
        }
    }
}

fn template(rootless: bool) -> Result<String> {
    const CGROUP2_MAGIC: u64 = 0x6367_7270;
    let mut spec: Value =
        serde_json::from_str(TEMPLATE).map_err(|error| Error::new(error.to_string()))?;
    let namespaces = spec["linux"]["namespaces"].as_array_mut();
    if let Some(namespaces) = namespaces
        && file::filesystem_magic(Path::new("/sys/fs/cgroup"))
            .is_ok_and(|magic| magic == CGROUP2_MAGIC)
    {
        namespaces.push(json!({"type": "cgroup"}));
    }
    if rootless {
        make_rootless(&mut spec);
    }
    let mut text = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indent);
    serde::Serialize::serialize(&spec, &mut serializer)
        .map_err(|error| Error::new(error.to_string()))?;
    text.push(b'\n');
    String::from_utf8(text).map_err(|error| Error::new(error.to_string()))
}

/// What another user than root can run: in a user namespace with only the own id, on the host's network.
fn make_rootless(spec: &mut Value) {
    let linux = &mut spec["linux"];
    if let Some(namespaces) = linux["namespaces"].as_array_mut() {
        namespaces
            .retain(|namespace| namespace["type"] != "network" && namespace["type"] != "user");
        namespaces.push(json!({"type": "user"}));
    }
    let map = |id: u32| json!([{"containerID": 0, "hostID": id, "size": 1}]);
    linux["uidMappings"] = map(process::euid());
    linux["gidMappings"] = map(process::egid());
    if let Some(linux) = linux.as_object_mut() {
        linux.remove("resources");
    }
    for mount in spec["mounts"].as_array_mut().into_iter().flatten() {
        if mount["destination"] == "/sys" {
            *mount = json!({
                "destination": "/sys", "type": "none", "source": "/sys",
                "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]
            });
        }
        if let Some(options) = mount["options"].as_array_mut() {
            // These groups are not mapped.
            options.retain(|option| {
                !option
                    .as_str()
                    .is_some_and(|o| o.starts_with("gid=") || o.starts_with("uid="))
            });
        }
    }
}

const TEMPLATE: &str = r#"{
"ociVersion": "1.3.0",
"process": {
    "terminal": true,
    "user": {"uid": 0, "gid": 0},
    "args": ["sh"],
    "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    "cwd": "/",
    "capabilities": {
        "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    },
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
    "noNewPrivileges": true
},
"root": {"path": "rootfs", "readonly": true},
"hostname": "coracle",
"mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
        "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
],
"linux": {
    "resources": {"devices": [{"allow": false, "access": "rwm"}]},
    "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
    "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
    "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}
}"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(rootless: bool) -> Value {
        serde_json::from_str(&template(rootless).unwrap()).unwrap()
    }

    #[test]
    fn the_template_is_runcs() {
        let spec = parsed(false);
        assert_eq!(spec["ociVersion"], crate::oci::VERSION);
        assert_eq!(spec["process"]["args"], json!(["sh"]));
        assert_eq!(spec["process"]["rlimits"][0]["soft"], 1024);
        assert_eq!(spec["root"], json!({"path": "rootfs", "readonly": true}));
        assert_eq!(spec["mounts"].as_array().unwrap().len(), 7);
        assert_eq!(
            spec["linux"]["resources"]["devices"],
            json!([{"allow": false, "access": "rwm"}])
        );
        assert!(spec["linux"]["uidMappings"].is_null());
    }

    #[test]
    fn without_root_there_is_a_user_namespace_and_no_network() {
        let spec = parsed(true);
        let namespaces = spec["linux"]["namespaces"].as_array().unwrap();
        assert!(namespaces.contains(&json!({"type": "user"})));
        assert!(!namespaces.contains(&json!({"type": "network"})));
        assert_eq!(spec["linux"]["uidMappings"][0]["hostID"], process::euid());
        assert!(spec["linux"]["resources"].is_null());
        let mounts = spec["mounts"].as_array().unwrap();
        let at = |path| mounts.iter().find(|it| it["destination"] == path).unwrap();
        assert_eq!(at("/sys")["type"], "none");
        let options = at("/dev/pts")["options"].as_array().unwrap();
        assert!(!options.contains(&json!("gid=5")));
    }
}
