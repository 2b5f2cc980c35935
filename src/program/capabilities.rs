//! Capabilities by name: capabilities(7).

/// The names in the order of their numbers, without their `CAP_`.
const NAMES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// All capabilities that have a name, as a bit set.
pub const ALL: u64 = (1 << NAMES.len()) - 1;

/// The number of CAP_SYS_ADMIN.
pub const SYS_ADMIN: u32 = 21;

/// CAP_SYS_PTRACE, as a bit set.
pub const SYS_PTRACE: u64 = 1 << 19;

/// The capabilities that are in any of the five sets, as a bit set.
pub fn any_of(capabilities: &crate::oci::Capabilities) -> u64 {
    let sets = capabilities.sets();
    let names = sets.iter().flat_map(|(_, names)| names.iter());
    let bits = names.filter_map(|name| number(name));
    bits.fold(0, |set, bit| set | 1 << bit)
}

/// The names of all capabilities, as the spec has them.
pub fn all_names() -> Vec<String> {
    NAMES.iter().map(|name| ["CAP_", name].concat()).collect()
}

/// The number of a capability of that name.
pub fn number(name: &str) -> Option<u32> {
    let short = match name.as_bytes().split_at_checked(4) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(b"CAP_") => rest,
        _ => name.as_bytes(),
    };
    let known = |known: &&str| known.as_bytes().eq_ignore_ascii_case(short);
    NAMES.iter().position(known).map(|index| index as u32)
}

/// The names of a bit set, lower-case and joined by commas, for people.
pub fn names(set: u64) -> String {
    if set == 0 {
        return "none".into();
    }
    if set == ALL {
        return "all".into();
    }
    let names = NAMES
        .iter()
        .enumerate()
        .filter(|(bit, _)| set >> bit & 1 == 1);
    names
        .map(|(_, name)| name.to_ascii_lowercase())
        .collect::<Vec<_>>()
        .join(",")
}

/// The bit set of the names. What has no such name, or is not in `allowed`, goes into `refused` instead.
pub fn set(names: &[String], allowed: u64, refused: &mut Vec<String>) -> u64 {
    let mut set = 0;
    for name in names {
        match number(name) {
            Some(bit) if allowed >> bit & 1 == 1 => set |= 1 << bit,
            _ if refused.contains(name) => {}
            _ => refused.push(name.clone()),
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        assert_eq!(number("CAP_CHOWN"), Some(0));
        assert_eq!(number("CAP_SYS_ADMIN"), Some(SYS_ADMIN));
        assert_eq!(
            number("CAP_SYS_PTRACE").map(|bit| 1 << bit),
            Some(SYS_PTRACE)
        );
        assert_eq!(number("CAP_CHECKPOINT_RESTORE"), Some(40));
        assert_eq!(number("CAP_NOSUCH"), None);
        assert_eq!(names(1 << 5 | 1 << 29), "kill,audit_write");
    }

    #[test]
    fn what_cannot_be_granted_is_named_once() {
        let mut refused = Vec::new();
        let wanted = [
            "CAP_KILL".to_string(),
            "CAP_X".into(),
            "CAP_X".into(),
            "CAP_SYS_RESOURCE".into(),
        ];
        assert_eq!(set(&wanted, ALL & !(1 << 24), &mut refused), 1 << 5);
        assert_eq!(refused, ["CAP_X", "CAP_SYS_RESOURCE"]);
    }
}
