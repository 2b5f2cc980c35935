//! The options of a mount: one table for all of the spec's and runc's names.

/// `MOUNT_ATTR_*` of mount_setattr(2).
pub mod attribute {
    #![allow(missing_docs)]
    pub const RDONLY: u64 = 0x1;
    pub const NOSUID: u64 = 0x2;
    pub const NODEV: u64 = 0x4;
    pub const NOEXEC: u64 = 0x8;
    pub const ATIME_MASK: u64 = 0x70;
    pub const RELATIME: u64 = 0;
    pub const NOATIME: u64 = 0x10;
    pub const STRICTATIME: u64 = 0x20;
    pub const NODIRATIME: u64 = 0x80;
    pub const NOSYMFOLLOW: u64 = 0x20_0000;
}

/// `MS_*` of mount(2), as wide on every machine.
pub mod flag {
    #![allow(missing_docs)]
    pub const RDONLY: u64 = 1;
    pub const NOSUID: u64 = 2;
    pub const NODEV: u64 = 4;
    pub const NOEXEC: u64 = 8;
    pub const SYNCHRONOUS: u64 = 16;
    pub const REMOUNT: u64 = 32;
    pub const MANDLOCK: u64 = 64;
    pub const DIRSYNC: u64 = 128;
    pub const NOATIME: u64 = 1024;
    pub const NODIRATIME: u64 = 2048;
    pub const BIND: u64 = 4096;
    pub const REC: u64 = 16384;
    pub const SILENT: u64 = 32768;
    pub const UNBINDABLE: u64 = 1 << 17;
    pub const PRIVATE: u64 = 1 << 18;
    pub const SLAVE: u64 = 1 << 19;
    pub const SHARED: u64 = 1 << 20;
    pub const I_VERSION: u64 = 1 << 23;
    pub const STRICTATIME: u64 = 1 << 24;
    pub const LAZYTIME: u64 = 1 << 25;
}
use attribute::*;

/// What the options of one mount add up to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Options {
    /// A bind mount, and whether of the whole tree.
    pub bind: Option<Bind>,
    /// `remount`.
    pub remount: bool,
    /// `MOUNT_ATTR_*` to set and to clear on the mount itself.
    pub set: u64,
    /// See `set`.
    pub clear: u64,
    /// The same for all mounts of the tree.
    pub set_tree: u64,
    /// See `set_tree`.
    pub clear_tree: u64,
    /// `MS_*` flags of the superblock.
    pub superblock: u64,
    /// Propagation changes (`MS_*`), in their order.
    pub propagation: Vec<u64>,
    /// `tmpcopyup`.
    pub copy_up: bool,
    /// The mount is idmapped: the whole tree or only its top.
    pub idmap: Option<Bind>,
    /// crun's `src-nofollow`.
    pub source_nofollow: bool,
    /// crun's `dest-nofollow`.
    pub target_nofollow: bool,
    /// crun's `copy-symlink`.
    pub copy_symlink: bool,
    /// What only the file system understands.
    pub data: Vec<String>,
}

/// How much of a tree an option is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// The one mount.
    Top,
    /// With all mounts below.
    Tree,
}

/// Options that set or clear an attribute: name, attribute, whether it is set. With an `r` before it, the option is
/// about the whole tree.
const ATTRIBUTES: &[(&str, u64, bool)] = &[
    ("ro", RDONLY, true),
    ("rw", RDONLY, false),
    ("nosuid", NOSUID, true),
    ("suid", NOSUID, false),
    ("nodev", NODEV, true),
    ("dev", NODEV, false),
    ("noexec", NOEXEC, true),
    ("exec", NOEXEC, false),
    ("nodiratime", NODIRATIME, true),
    ("diratime", NODIRATIME, false),
    ("relatime", RELATIME, true),
    ("norelatime", RELATIME, false),
    ("noatime", NOATIME, true),
    ("atime", NOATIME, false),
    ("strictatime", STRICTATIME, true),
    ("nostrictatime", STRICTATIME, false),
    ("nosymfollow", NOSYMFOLLOW, true),
    ("symfollow", NOSYMFOLLOW, false),
];

/// Options that set or clear a flag of the superblock.
const SUPERBLOCK: &[(&str, u64, bool)] = &[
    ("sync", flag::SYNCHRONOUS, true),
    ("async", flag::SYNCHRONOUS, false),
    ("dirsync", flag::DIRSYNC, true),
    ("mand", flag::MANDLOCK, true),
    ("nomand", flag::MANDLOCK, false),
    ("iversion", flag::I_VERSION, true),
    ("noiversion", flag::I_VERSION, false),
    ("lazytime", flag::LAZYTIME, true),
    ("nolazytime", flag::LAZYTIME, false),
    ("silent", flag::SILENT, true),
    ("loud", flag::SILENT, false),
];

const PROPAGATION: &[(&str, u64)] = &[
    ("private", flag::PRIVATE),
    ("slave", flag::SLAVE),
    ("shared", flag::SHARED),
    ("unbindable", flag::UNBINDABLE),
];

/// The `MS_*` flags of a propagation's name, such as `rslave`.
pub fn propagation(name: &str) -> Option<u64> {
    let find = |name: &str| {
        PROPAGATION
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, flag)| *flag)
    };
    find(name).or_else(|| {
        name.strip_prefix('r')
            .and_then(find)
            .map(|flag| flag | flag::REC)
    })
}

/// The options that stand for themselves.
const WORDS: [&str; 10] = [
    "bind",
    "copy-symlink",
    "defaults",
    "dest-nofollow",
    "idmap",
    "rbind",
    "remount",
    "ridmap",
    "src-nofollow",
    "tmpcopyup",
];

/// The names of all options that are not the file system's, sorted.
pub fn names() -> Vec<String> {
    let attributes = ATTRIBUTES.iter().map(|(name, ..)| *name);
    let propagation = PROPAGATION.iter().map(|(name, _)| *name);
    let with_tree = attributes.chain(propagation);
    let mut names: Vec<String> = with_tree
        .flat_map(|name| [name.to_string(), ["r", name].concat()])
        .chain(SUPERBLOCK.iter().map(|(name, ..)| name.to_string()))
        .chain(WORDS.iter().map(|name| name.to_string()))
        .collect();
    names.sort();
    names
}

/// Reads the options of a mount. Those that are in no table are the file system's.
pub fn parse(options: &[String]) -> Options {
    let mut parsed = Options::default();
    for option in options {
        parse_one(option, &mut parsed);
    }
    parsed
}

fn parse_one(option: &str, parsed: &mut Options) {
    match option {
        "defaults" => return,
        "bind" => return parsed.bind = parsed.bind.or(Some(Bind::Top)),
        "rbind" => return parsed.bind = Some(Bind::Tree),
        "remount" => return parsed.remount = true,
        "tmpcopyup" => return parsed.copy_up = true,
        "idmap" => return parsed.idmap = Some(Bind::Top),
        "ridmap" => return parsed.idmap = Some(Bind::Tree),
        "src-nofollow" => return parsed.source_nofollow = true,
        "dest-nofollow" => return parsed.target_nofollow = true,
        "copy-symlink" => return parsed.copy_symlink = true,
        _ => {}
    }
    if let Some(&(_, attribute, on)) = ATTRIBUTES.iter().find(|(name, ..)| *name == option) {
        return change(&mut parsed.set, &mut parsed.clear, attribute, on, option);
    }
    let tree = option
        .strip_prefix('r')
        .and_then(|rest| ATTRIBUTES.iter().find(|(name, ..)| *name == rest));
    if let Some(&(_, attribute, on)) = tree {
        return change(
            &mut parsed.set_tree,
            &mut parsed.clear_tree,
            attribute,
            on,
            &option[1..],
        );
    }
    if let Some(&(_, flag, on)) = SUPERBLOCK.iter().find(|(name, ..)| *name == option) {
        return if on {
            parsed.superblock |= flag
        } else {
            parsed.superblock &= !flag
        };
    }
    match propagation(option) {
        Some(flags) => parsed.propagation.push(flags),
        None => parsed.data.push(option.to_string()),
    }
}

/// The later option wins. The kinds of atime exclude each other, and the kernel wants their whole field
/// cleared when one of them is set.
fn change(set: &mut u64, clear: &mut u64, attribute: u64, on: bool, name: &str) {
    let atime = name.ends_with("atime") && !name.ends_with("diratime");
    if atime {
        *set &= !ATIME_MASK;
        *clear |= ATIME_MASK;
        if on {
            *set |= attribute;
        }
    } else if on {
        *set |= attribute;
        *clear &= !attribute;
    } else {
        *set &= !attribute;
        *clear |= attribute;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(options: &[&str]) -> Options {
        parse(
            &options
                .iter()
                .map(|option| option.to_string())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn the_later_option_wins() {
        assert_eq!(parsed(&["ro", "rw"]).set, 0);
        assert_eq!(parsed(&["rw", "ro"]).set, RDONLY);
        assert_eq!(parsed(&["noatime", "strictatime"]).set, STRICTATIME);
        assert_eq!(parsed(&["noatime", "relatime"]).set, 0);
    }

    #[test]
    fn tree_options_are_told_from_plain_ones() {
        let options = parsed(&["rbind", "rro", "relatime", "rslave"]);
        assert_eq!(options.bind, Some(Bind::Tree));
        assert_eq!((options.set, options.set_tree), (0, RDONLY));
        assert_eq!(options.propagation, [flag::SLAVE | flag::REC]);
    }

    #[test]
    fn every_listed_option_is_read() {
        for name in names() {
            let read = parsed(&[&name]);
            assert!(read.data.is_empty(), "{name}");
            let silent = [
                "defaults",
                "async",
                "nomand",
                "noiversion",
                "nolazytime",
                "loud",
            ];
            assert!(
                read != Options::default() || silent.contains(&name.as_str()),
                "{name}"
            );
        }
    }

    #[test]
    fn the_rest_is_data() {
        assert_eq!(
            parsed(&["mode=755", "nosuid", "size=65536k"]).data,
            ["mode=755", "size=65536k"]
        );
    }
}
