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
    pub const NOSYMFOLLOW: u64 = 256;
    pub const NOATIME: u64 = 1024;
    pub const NODIRATIME: u64 = 2048;
    pub const BIND: u64 = 4096;
    pub const REC: u64 = 16384;
    pub const SILENT: u64 = 32768;
    pub const UNBINDABLE: u64 = 1 << 17;
    pub const PRIVATE: u64 = 1 << 18;
    pub const SLAVE: u64 = 1 << 19;
    pub const SHARED: u64 = 1 << 20;
    pub const RELATIME: u64 = 1 << 21;
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
    /// `MS_*` flags of the mount itself that are asked for, and that are asked to be off.
    pub set: u64,
    /// See `set`.
    pub cleared: u64,
    /// `MOUNT_ATTR_*` to set and to clear on all mounts of the tree.
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

/// Options of a mount: name, flag of mount(2), attribute of mount_setattr(2), whether they are set. With an `r`
/// before it, the option is about the whole tree.
const ATTRIBUTES: &[(&str, u64, u64, bool)] = &[
    ("ro", flag::RDONLY, RDONLY, true),
    ("rw", flag::RDONLY, RDONLY, false),
    ("nosuid", flag::NOSUID, NOSUID, true),
    ("suid", flag::NOSUID, NOSUID, false),
    ("nodev", flag::NODEV, NODEV, true),
    ("dev", flag::NODEV, NODEV, false),
    ("noexec", flag::NOEXEC, NOEXEC, true),
    ("exec", flag::NOEXEC, NOEXEC, false),
    ("nodiratime", flag::NODIRATIME, NODIRATIME, true),
    ("diratime", flag::NODIRATIME, NODIRATIME, false),
    ("relatime", flag::RELATIME, RELATIME, true),
    ("norelatime", flag::RELATIME, RELATIME, false),
    ("noatime", flag::NOATIME, NOATIME, true),
    ("atime", flag::NOATIME, NOATIME, false),
    ("strictatime", flag::STRICTATIME, STRICTATIME, true),
    ("nostrictatime", flag::STRICTATIME, STRICTATIME, false),
    ("nosymfollow", flag::NOSYMFOLLOW, NOSYMFOLLOW, true),
    ("symfollow", flag::NOSYMFOLLOW, NOSYMFOLLOW, false),
];

/// The flags that say when access times are written.
const ATIME: u64 = flag::RELATIME | flag::NOATIME | flag::STRICTATIME | flag::NODIRATIME;

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
    names.sort_unstable();
    names
}

/// Whether one of these is among the options of a mount.
pub fn has(options: &[String], wanted: &[&str]) -> bool {
    let is_wanted = |option: &String| wanted.iter().any(|name| is(name, option));
    options.iter().any(is_wanted)
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
    // No name that is known has a value.
    if option.as_bytes().contains(&b'=') {
        return parsed.data.extend(split(option));
    }
    if let Some(&(_, flag, _, on)) = ATTRIBUTES.iter().find(|row| is(row.0, option)) {
        return switch(&mut parsed.set, &mut parsed.cleared, flag, on);
    }
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
    let tree = option
        .strip_prefix('r')
        .and_then(|rest| ATTRIBUTES.iter().find(|row| is(row.0, rest)));
    if let Some(&(_, flag, attribute, on)) = tree {
        // Of the kinds of atime there is always one: the kernel wants the whole field cleared to change it.
        if flag & ATIME & !flag::NODIRATIME != 0 {
            parsed.set_tree &= !ATIME_MASK;
            parsed.clear_tree |= ATIME_MASK;
            parsed.set_tree |= if on { attribute } else { RELATIME };
            return;
        }
        return switch(&mut parsed.set_tree, &mut parsed.clear_tree, attribute, on);
    }
    if let Some(&(_, flag, on)) = SUPERBLOCK.iter().find(|row| is(row.0, option)) {
        return if on {
            parsed.superblock |= flag
        } else {
            parsed.superblock &= !flag
        };
    }
    match propagation(option) {
        Some(flags) => parsed.propagation.push(flags),
        None => parsed.data.extend(split(option)),
    }
}

/// Whether the option has that name: most differ in the first byte.
fn is(name: &str, option: &str) -> bool {
    name.as_bytes().first() == option.as_bytes().first() && name == option
}

/// The parts of a text of several options, as mount(2) would take them: a comma that is escaped or in quotes belongs
/// to a value.
fn split(option: &str) -> impl Iterator<Item = String> {
    let (mut quoted, mut escaped) = (false, false);
    option
        .as_bytes()
        .split(move |byte| {
            let separates = *byte == b',' && !quoted && !escaped;
            quoted ^= *byte == b'"';
            escaped = *byte == b'\\' && !escaped;
            separates
        })
        .filter(|part| !part.is_empty())
        // Commas are no part of another character.
        .map(|part| String::from_utf8_lossy(part).into_owned())
}

/// The later option wins.
fn switch(set: &mut u64, clear: &mut u64, bits: u64, on: bool) {
    let (to, from) = if on { (set, clear) } else { (clear, set) };
    *to |= bits;
    *from &= !bits;
}

impl Options {
    /// Whether something is asked for of the whole tree, or of its propagation.
    pub fn changes_tree(&self) -> bool {
        self.set_tree | self.clear_tree != 0 || !self.propagation.is_empty()
    }

    /// The attributes that are asked for, as mount(2) would understand them: of several kinds of atime, the strictest.
    pub fn attributes(&self) -> u64 {
        let of = |flags: u64| {
            let rows = ATTRIBUTES.iter().filter(|row| row.3 && row.1 & flags != 0);
            rows.fold(0, |all, row| all | row.2)
        };
        let atime = match self.set {
            set if set & flag::STRICTATIME != 0 => STRICTATIME,
            set if set & flag::NOATIME != 0 => NOATIME,
            _ => RELATIME,
        };
        of(self.set & !(flag::STRICTATIME | flag::NOATIME)) | atime
    }

    /// What changes on a bind mount, to be set, to be cleared, and what of this is asked to be off. Without any option,
    /// the source's attributes are kept; with one, all others are off, as runc has it: but for atime, which only
    /// changes when a kind of it is asked for.
    pub fn bind_change(&self) -> Option<(u64, u64, u64)> {
        if self.set | self.cleared == 0 {
            return None;
        }
        const ALL: u64 = RDONLY | NOSUID | NODEV | NOEXEC | NOSYMFOLLOW;
        let (set, mut clear) = (self.attributes(), ALL);
        if self.set & ATIME != 0 {
            clear |= ATIME_MASK | NODIRATIME;
        }
        let off = |row: &&(&str, u64, u64, bool)| !row.3 && row.1 & self.cleared != 0;
        let cleared = ATTRIBUTES
            .iter()
            .filter(off)
            .fold(0, |all, row| all | row.2);
        Some((set, clear & !(set & !ATIME_MASK), cleared))
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
        assert_eq!(
            parsed(&["noatime", "strictatime"]).attributes(),
            STRICTATIME
        );
        assert_eq!(
            parsed(&["noatime", "atime", "relatime"]).attributes(),
            RELATIME
        );
        assert_eq!(parsed(&["rnoatime", "rrelatime"]).set_tree, RELATIME);
    }

    #[test]
    fn a_bind_mount_without_options_changes_nothing() {
        assert_eq!(parsed(&["bind", "rprivate"]).bind_change(), None);
        let (set, clear, cleared) = parsed(&["bind", "ro", "dev"]).bind_change().unwrap();
        assert_eq!((set, cleared), (RDONLY, NODEV));
        assert_eq!(clear, NOSUID | NODEV | NOEXEC | NOSYMFOLLOW);
        let (set, clear, _) = parsed(&["bind", "nodiratime"]).bind_change().unwrap();
        assert_eq!(set, NODIRATIME);
        assert_eq!(clear & (ATIME_MASK | NODIRATIME), ATIME_MASK);
    }

    #[test]
    fn tree_options_are_told_from_plain_ones() {
        let options = parsed(&["rbind", "rro", "relatime", "rslave"]);
        assert_eq!(options.bind, Some(Bind::Tree));
        assert_eq!((options.set, options.set_tree), (flag::RELATIME, RDONLY));
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
        assert_eq!(
            parsed(&["size=1k,mode=700", r#"context="a,b",lowerdir=/x\,y"#]).data,
            ["size=1k", "mode=700", r#"context="a,b""#, r"lowerdir=/x\,y"]
        );
    }
}
