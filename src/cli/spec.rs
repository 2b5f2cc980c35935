//! `spec`: a configuration to begin with, the same as runc's.

use super::parse::Matches;
use crate::error::{Context, Error, Result};
use crate::json;
use crate::sys::{file, process};
use std::path::Path;

/// Writes `config.json` into the bundle.
pub fn spec(matches: &Matches) -> Result<u8> {
    let bundle = matches.path("bundle").unwrap_or_else(|| ".".into());
    let path = bundle.join("config.json");
    let text = template(matches.flag("rootless"));
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

fn template(rootless: bool) -> String {
    const CGROUP2_MAGIC: u64 = 0x6367_7270;
    let mut text = TEMPLATE.to_string();
    let magic = file::filesystem_magic(Path::new("/sys/fs/cgroup"));
    if magic.is_ok_and(|magic| magic == CGROUP2_MAGIC) {
        text = text.replace(
            LAST_NAMESPACE,
            &format!("{LAST_NAMESPACE}, {{\"type\": \"cgroup\"}}"),
        );
    }
    if rootless {
        text = make_rootless(&text);
    }
    json::pretty(text.as_bytes(), "\t") + "\n"
}

/// What another user than root can run: in a user namespace with only the own id, on the host's network.
fn make_rootless(text: &str) -> String {
    let map = |id: u32| format!(r#"[{{"containerID": 0, "hostID": {id}, "size": 1}}]"#);
    let maps = format!(
        r#""uidMappings": {}, "gidMappings": {},"#,
        map(process::euid()),
        map(process::egid())
    );
    text.replace(r#", {"type": "network"}"#, "")
        .replace(
            LAST_NAMESPACE,
            &format!(r#"{LAST_NAMESPACE}, {{"type": "user"}}"#),
        )
        .replace(RESOURCES, &maps)
        .replace(
            r#""type": "sysfs", "source": "sysfs", "options": ["#,
            r#""type": "none", "source": "/sys", "options": ["rbind", "#,
        )
        // That group is not mapped.
        .replace(r#", "gid=5""#, "")
}

const LAST_NAMESPACE: &str = r#"{"type": "mount"}"#;
const RESOURCES: &str = r#""resources": {"devices": [{"allow": false, "access": "rwm"}]},"#;
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
    use serde_json::{Value, json};

    fn parsed(rootless: bool) -> Value {
        serde_json::from_str(&template(rootless)).unwrap()
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
