//! Landlock: from names and numbers to the bits that the kernel has, and to operations.
//!
//! The `landlock` crate is not used here: it opens paths and makes rulesets by itself, in the process that calls it, where
//! they must be made in the stub; and it refuses bits that it has no name for. It serves the tests, as the
//! second opinion on the table below.

use super::Program;
use super::wire::Op;
use crate::error::{Error, Result};
use crate::oci::{Landlock, Right};
use std::fmt;

/// A right: its name, and the version of the interface that brought it.
type Row = (&'static str, u32);

/// `LANDLOCK_ACCESS_FS_*` in the order of their bits.
const FS: &[Row] = &[
    ("execute", 1),
    ("write_file", 1),
    ("read_file", 1),
    ("read_dir", 1),
    ("remove_dir", 1),
    ("remove_file", 1),
    ("make_char", 1),
    ("make_dir", 1),
    ("make_reg", 1),
    ("make_sock", 1),
    ("make_fifo", 1),
    ("make_block", 1),
    ("make_sym", 1),
    ("refer", 2),
    ("truncate", 3),
    ("ioctl_dev", 5),
    ("resolve_unix", 9),
];
/// `LANDLOCK_ACCESS_NET_*`.
const NET: &[Row] = &[
    ("bind_tcp", 4),
    ("connect_tcp", 4),
    ("bind_udp", 10),
    ("connect_send_udp", 10),
];
/// `LANDLOCK_SCOPE_*`.
const SCOPE: &[Row] = &[("abstract_unix_socket", 6), ("signal", 6)];
/// `LANDLOCK_RESTRICT_SELF_*`.
const RESTRICT: &[Row] = &[
    ("log_same_exec_off", 7),
    ("log_new_exec_on", 7),
    ("log_subdomains_off", 7),
    ("tsync", 8),
];
/// `LANDLOCK_RESTRICT_SELF_TSYNC`
const TSYNC: u64 = 1 << 3;
/// The newest version that the tables know. A newer kernel may know bits that they do not.
const NEWEST: u32 = 10;

/// The version that brought `LANDLOCK_ADD_RULE_QUIET` and the sets of what is quiet.
const QUIET: u32 = 10;
/// `LANDLOCK_ADD_RULE_QUIET`
const ADD_RULE_QUIET: u32 = 1;

/// What a file may be asked for: `ACCESS_FILE` of the kernel, execute, write_file, read_file, truncate, ioctl_dev,
/// resolve_unix.
const FILE: u64 = 1 | 2 | 4 | 1 << 14 | 1 << 15 | 1 << 16;
/// `vN.read_execute`.
const READ_EXECUTE: u64 = 1 | 4 | 8;

/// The most rulesets: one of `process`, one of the annotation.
const NAMES: [&str; 2] = ["process.landlock", "annotations: org.coracle.landlock"];

/// A kind of right.
struct Kind {
    rows: &'static [Row],
    prefix: &'static str,
}

static KINDS: [Kind; 4] = [
    Kind {
        rows: FS,
        prefix: "landlock_access_fs_",
    },
    Kind {
        rows: NET,
        prefix: "landlock_access_net_",
    },
    Kind {
        rows: SCOPE,
        prefix: "landlock_scope_",
    },
    Kind {
        rows: RESTRICT,
        prefix: "landlock_restrict_self_",
    },
];

impl Kind {
    /// The bits of all rights up to a version.
    fn up_to(&self, abi: u32) -> u64 {
        let bits = self.rows.iter().enumerate();
        bits.filter(|(_, row)| row.1 <= abi)
            .fold(0, |all, (bit, _)| all | 1 << bit)
    }

    /// The bits that a kernel of this version may know.
    fn known(&self, abi: u32) -> u64 {
        match abi {
            0..=NEWEST => self.up_to(abi),
            _ => u64::MAX,
        }
    }

    /// The bits of a name: of one right, as here or as in `landlock.h`, or of a group, `vN.all` and so on.
    fn named(&self, name: &str) -> Option<u64> {
        let lower = name.to_ascii_lowercase();
        let short = lower.strip_prefix(self.prefix).unwrap_or(&lower);
        if let Some(bit) = self.rows.iter().position(|row| row.0 == short) {
            return Some(1 << bit);
        }
        let (version, group) = short.strip_prefix('v')?.split_once('.')?;
        let abi = version
            .parse()
            .ok()
            .filter(|abi| (1..=NEWEST).contains(abi))?;
        let all = self.up_to(abi);
        match group {
            "all" => Some(all),
            "read_execute" if self.rows == FS => Some(all & READ_EXECUTE),
            "read_write" if self.rows == FS => Some(all & !1),
            _ => None,
        }
    }

    /// All of a list.
    fn bits(&self, rights: &[Right], field: &dyn fmt::Display) -> Result<u64> {
        let mut bits = 0;
        for (index, right) in rights.iter().enumerate() {
            bits |= match right {
                Right::Bits(bits) => *bits,
                Right::Name(name) => self.named(name).ok_or_else(|| {
                    let known: Vec<&str> = self.rows.iter().map(|row| row.0).collect();
                    Error::new(format!(
                        "{field}[{index}]: {name:?} is unknown: use one of {}, a group such as v{NEWEST}.all, or the \
                         number that the kernel's landlock.h has for it",
                        known.join(", ")
                    ))
                })?,
            };
        }
        Ok(bits)
    }

    /// The names of bits, for people.
    fn names(&self, bits: u64, names: &mut Vec<String>) {
        for bit in (0..64).filter(|bit| bits >> bit & 1 == 1) {
            names.push(match self.rows.get(bit) {
                Some(row) => row.0.to_string(),
                None => format!("{:#x}", 1u64 << bit),
            });
        }
    }
}

/// The names of the bits of a kind, for people: 0 files, 1 ports, 2 scopes, 3 flags.
pub fn names(kind: usize, bits: u64) -> String {
    let mut names = Vec::new();
    KINDS[kind].names(bits, &mut names);
    names.join(",")
}

/// Makes the rulesets: paths are looked up here, in the container.
pub fn rulesets(all: &[Landlock], abi: u32, program: &mut Program) -> Result<()> {
    for landlock in all {
        ruleset(landlock, abi, program)?;
    }
    Ok(())
}

/// Puts the rulesets into force, those of which the kernel can enforce anything.
pub fn restrict(all: &[Landlock], abi: u32, program: &mut Program) -> Result<()> {
    for landlock in all {
        let bits = Handled::of(landlock)?;
        if bits.masked(abi).is_some() {
            program.push(Op::LandlockRestrict {
                index: landlock.annotated.into(),
                flags: (bits.bits[3] & KINDS[3].known(abi)) as u32,
            });
        }
    }
    Ok(())
}

fn name(landlock: &Landlock) -> &'static str {
    NAMES[usize::from(landlock.annotated)]
}

/// Bits of each kind, and those of the first three kinds that are quiet.
struct Handled {
    bits: [u64; 4],
    quiet: [u64; 3],
}

impl Handled {
    fn of(landlock: &Landlock) -> Result<Handled> {
        let name = name(landlock);
        let set = &landlock.ruleset;
        let lists = [
            (&set.handled_fs, "ruleset.handledAccessFS"),
            (&set.handled_net, "ruleset.handledAccessNet"),
            (&set.scoped, "ruleset.scoped"),
            (&landlock.restrict_flags, "restrictFlags"),
        ];
        let mut bits = [0; 4];
        for ((kind, bits), (rights, field)) in KINDS.iter().zip(&mut bits).zip(lists) {
            *bits = kind.bits(rights, &format_args!("{name}.{field}"))?;
        }
        // The process has one thread.
        bits[3] &= !TSYNC;
        let lists = [
            (&set.quiet_fs, "quietAccessFS"),
            (&set.quiet_net, "quietAccessNet"),
            (&set.quiet_scoped, "quietScoped"),
        ];
        let mut quiet = [0; 3];
        for (kind, (rights, field)) in lists.into_iter().enumerate() {
            let field = format!("{name}.ruleset.{field}");
            quiet[kind] = KINDS[kind].bits(rights, &field)?;
            within(kind, quiet[kind], bits[kind], &field)?;
        }
        Ok(Handled { bits, quiet })
    }

    /// What of it a kernel of this version can enforce, as `struct landlock_ruleset_attr` has it; none if that is
    /// nothing.
    fn masked(&self, abi: u32) -> Option<[u64; 6]> {
        let mut rights = [0; 6];
        for kind in 0..3 {
            rights[kind] = self.bits[kind] & KINDS[kind].known(abi);
            if abi >= QUIET {
                rights[3 + kind] = self.quiet[kind] & rights[kind];
            }
        }
        (rights[..3] != [0; 3]).then_some(rights)
    }

    /// What of it such a kernel lacks.
    fn lacking(&self, abi: u32) -> Vec<String> {
        let mut names = Vec::new();
        for (kind, bits) in KINDS.iter().zip(self.bits) {
            kind.names(bits & !kind.known(abi), &mut names);
        }
        if abi < QUIET && self.quiet != [0; 3] {
            names.push("quiet rights".into());
        }
        names
    }
}

/// Rights must be among those that the ruleset handles.
fn within(kind: usize, bits: u64, handled: u64, field: &str) -> Result<()> {
    match bits & !handled {
        0 => Ok(()),
        beyond => Err(Error::new(format!(
            "{field}: {}: is not among the rights that the ruleset handles",
            names(kind, beyond)
        ))),
    }
}

fn ruleset(landlock: &Landlock, abi: u32, program: &mut Program) -> Result<()> {
    let name = name(landlock);
    let handled = Handled::of(landlock)?;
    if handled.bits[..3] == [0; 3] {
        return Err(Error::new(format!(
            "{name}.ruleset: handles no rights: name some in handledAccessFS, handledAccessNet or scoped"
        )));
    }
    let lacking = handled.lacking(abi);
    if !lacking.is_empty() {
        let have = match abi {
            0 => "the kernel has no Landlock".to_string(),
            abi => format!(
                "the kernel's Landlock (version {abi}) has no {}",
                lacking.join(", ")
            ),
        };
        if landlock.disable_best_effort {
            return Err(Error::new(format!(
                "{name}: {have}, and disableBestEffort is set"
            )));
        }
        program
            .warnings
            .push(format!("{name}: {have}: not enforced"));
    }
    let rules = rules(landlock, &handled)?;
    let Some(rights) = handled.masked(abi) else {
        return Ok(());
    };
    let index = u32::from(landlock.annotated);
    program.push(Op::LandlockRuleset { index, rights });
    let optional = u8::from(!landlock.disable_best_effort);
    let quiet = if abi >= QUIET { ADD_RULE_QUIET } else { 0 };
    for Rule { on, access, flags } in rules {
        let access = access & rights[on.kind()];
        let flags = flags & quiet;
        if access == 0 && flags == 0 {
            continue;
        }
        program.push(match on {
            On::Path(path) => Op::LandlockPath {
                index,
                path: path.into(),
                access,
                file_access: access & FILE,
                flags,
                optional,
            },
            On::Port(port) => Op::LandlockPort {
                index,
                port: port.into(),
                access,
                flags,
            },
        });
    }
    Ok(())
}

/// What a rule is about.
enum On<'a> {
    Path(&'a str),
    Port(u16),
}

impl On<'_> {
    /// The kind of its rights.
    fn kind(&self) -> usize {
        match self {
            On::Path(_) => 0,
            On::Port(_) => 1,
        }
    }
}

struct Rule<'a> {
    on: On<'a>,
    access: u64,
    /// `LANDLOCK_ADD_RULE_*`
    flags: u32,
}

fn rules<'a>(landlock: &'a Landlock, handled: &Handled) -> Result<Vec<Rule<'a>>> {
    let name = name(landlock);
    let mut rules = Vec::new();
    let allowed = |kind: usize, rights: &[Right], quiet: bool, field: &str| {
        let field = format!("{name}.rules.{field}.allowedAccess");
        let access = KINDS[kind].bits(rights, &field)?;
        if access == 0 && !quiet {
            return Err(Error::new(format!(
                "{field}: allows nothing: name some rights"
            )));
        }
        within(kind, access, handled.bits[kind], &field)?;
        Ok((access, if quiet { ADD_RULE_QUIET } else { 0 }))
    };
    for (i, rule) in landlock.rules.path_beneath.iter().enumerate() {
        let field = format!("pathBeneath[{i}]");
        let (access, flags) = allowed(0, &rule.allowed_access, rule.quiet, &field)?;
        for (j, path) in rule.paths.iter().enumerate() {
            if !path.starts_with('/') || path.contains('\0') {
                return Err(Error::new(format!(
                    "{name}.rules.{field}.paths[{j}]: {path:?} must be an absolute path inside the container"
                )));
            }
            let on = On::Path(path);
            rules.push(Rule { on, access, flags });
        }
    }
    for (i, rule) in landlock.rules.net_port.iter().enumerate() {
        let field = format!("netPort[{i}]");
        let (access, flags) = allowed(1, &rule.allowed_access, rule.quiet, &field)?;
        rules.extend(rule.ports.iter().map(|&port| Rule {
            on: On::Port(port),
            access,
            flags,
        }));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use landlock::{ABI, Access, AccessFs, AccessNet, Scope};
    use serde_json::{Value, json};

    fn compiled(landlock: Value, abi: u32) -> Result<Program> {
        let all = [crate::json::parse(landlock.to_string().as_bytes(), "").unwrap()];
        let mut program = Program::new(0);
        rulesets(&all, abi, &mut program)?;
        restrict(&all, abi, &mut program)?;
        Ok(program)
    }

    fn error(landlock: Value, abi: u32) -> String {
        compiled(landlock, abi).unwrap_err().to_string()
    }

    #[test]
    fn the_tables_agree_with_the_landlock_crate() {
        for abi in 1..=6 {
            let theirs = ABI::from(abi);
            let abi = abi as u32;
            assert_eq!(
                KINDS[0].up_to(abi),
                AccessFs::from_all(theirs).bits(),
                "{abi}"
            );
            assert_eq!(
                KINDS[1].up_to(abi),
                AccessNet::from_all(theirs).bits(),
                "{abi}"
            );
            assert_eq!(KINDS[2].up_to(abi), Scope::from_all(theirs).bits(), "{abi}");
            let read = AccessFs::from_read(theirs).bits();
            assert_eq!(KINDS[0].named(&format!("v{abi}.read_execute")), Some(read));
            let rest = AccessFs::from_all(theirs).bits() & !1;
            assert_eq!(KINDS[0].named(&format!("v{abi}.read_write")), Some(rest));
        }
        let old = KINDS[0].up_to(6);
        assert_eq!(AccessFs::from_file(ABI::V6).bits(), FILE & old);
    }

    #[test]
    fn names_and_numbers_add_up() {
        let bits = |rights: Value| {
            let rights: Vec<Right> = crate::json::parse(rights.to_string().as_bytes(), "").unwrap();
            KINDS[0].bits(&rights, &"f")
        };
        assert_eq!(
            bits(json!(["execute", 8, "LANDLOCK_ACCESS_FS_REFER"])),
            Ok(1 | 8 | 1 << 13)
        );
        assert_eq!(bits(json!(["v3.all"])), Ok(0x7fff));
        for wrong in ["exec", "v11.all", "v0.all", "v1.some", "bind_tcp", ""] {
            let error = bits(json!(["execute", wrong])).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("f[1]: {wrong:?} is unknown")),
                "{error}"
            );
        }
        assert!(crate::json::parse::<Right>(b"-1", "").is_err());
    }

    #[test]
    fn best_effort_leaves_out_what_the_kernel_lacks() {
        let all = json!({"ruleset": {"handledAccessFS": ["v7.all", 1u64 << 40], "handledAccessNet": ["v4.all"],
                "scoped": ["signal"]},
            "restrictFlags": ["log_new_exec_on"],
            "rules": {"pathBeneath": [{"allowedAccess": ["read_file", "truncate"], "paths": ["/a", "/b"]}],
                "netPort": [{"allowedAccess": ["bind_tcp"], "ports": [80]}]}});
        let text = |abi| {
            let program = compiled(all.clone(), abi).unwrap();
            let warnings = program.warnings.len();
            (program.to_string(), warnings)
        };
        assert_eq!(text(0), (String::new(), 1));
        let (old, warnings) = text(1);
        assert!(
            old.contains("landlock: allow read_file below /a\n"),
            "{old}"
        );
        assert!(
            !old.contains("port") && !old.contains("signal") && !old.contains("log_new"),
            "{old}"
        );
        assert_eq!(warnings, 1);
        let (now, warnings) = text(7);
        assert!(
            now.contains("landlock: allow read_file,truncate below /b\n"),
            "{now}"
        );
        assert!(now.contains("landlock: allow bind_tcp on port 80"), "{now}");
        assert!(
            now.contains("signal") && now.contains("log_new_exec_on"),
            "{now}"
        );
        assert_eq!(warnings, 1, "the bit that no name is known for");
        // A kernel newer than the tables is asked.
        let (new, warnings) = text(11);
        assert!(new.contains("0x10000000000"), "{new}");
        assert_eq!(warnings, 0);
    }

    #[test]
    fn denials_can_be_quiet() {
        let quiet = json!({"ruleset": {"handledAccessFS": ["read_file"], "handledAccessNet": ["v10.all"],
                "scoped": ["signal"], "quietAccessFS": ["read_file"], "quietAccessNet": ["bind_udp"],
                "quietScoped": ["signal"]},
            "restrictFlags": ["tsync"],
            "rules": {"pathBeneath": [{"paths": ["/a"], "quiet": true}],
                "netPort": [{"allowedAccess": ["bind_udp"], "ports": [80], "quiet": true}]}});
        let program = compiled(quiet.clone(), 10).unwrap();
        assert_eq!(program.warnings.len(), 0);
        let text = program.to_string();
        for line in [
            "handles read_file bind_tcp,connect_tcp,bind_udp,connect_send_udp signal, quietly read_file, quietly \
             bind_udp, quietly signal\n",
            "landlock: deny quietly below /a\n",
            "landlock: allow quietly bind_udp on port 80\n",
            "restrict the process\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let program = compiled(quiet.clone(), 9).unwrap();
        let text = program.to_string();
        assert!(!text.contains("quiet") && !text.contains("/a"), "{text}");
        assert!(
            program.warnings[0]
                .ends_with("has no bind_udp, connect_send_udp, quiet rights: not enforced")
        );
        let mut beyond = quiet;
        beyond["ruleset"]["quietScoped"] = json!(["abstract_unix_socket"]);
        assert_eq!(
            error(beyond, 10),
            "process.landlock.ruleset.quietScoped: abstract_unix_socket: is not among the rights that the ruleset \
             handles"
        );
    }

    #[test]
    fn strict_names_what_is_missing() {
        let strict = |right: &str| json!({"ruleset": {"handledAccessFS": ["execute", right]}, "disableBestEffort": true});
        assert_eq!(
            error(strict("ioctl_dev"), 4),
            "process.landlock: the kernel's Landlock (version 4) has no ioctl_dev, and disableBestEffort is set"
        );
        assert!(error(strict("execute"), 0).contains("the kernel has no Landlock"));
        assert!(compiled(strict("ioctl_dev"), 5).is_ok());
    }

    #[test]
    fn errors_name_the_field() {
        let handled = json!({"handledAccessFS": ["execute"], "handledAccessNet": ["bind_tcp"]});
        let rule = |rule: Value| error(json!({"ruleset": handled, "rules": rule}), 7);
        assert!(error(json!({}), 7).starts_with("process.landlock.ruleset: handles no rights"));
        assert!(
            error(json!({"ruleset": {"scoped": ["x"]}}), 7)
                .starts_with("process.landlock.ruleset.scoped[0]: ")
        );
        assert_eq!(
            rule(json!({"pathBeneath": [{"allowedAccess": ["read_dir"], "paths": ["/"]}]})),
            "process.landlock.rules.pathBeneath[0].allowedAccess: read_dir: is not among the rights that the ruleset handles"
        );
        assert!(
            rule(json!({"pathBeneath": [{"allowedAccess": ["execute"], "paths": ["/", "bin"]}]}))
                .starts_with("process.landlock.rules.pathBeneath[0].paths[1]: \"bin\" must be an absolute path")
        );
        assert!(
            rule(json!({"netPort": [{"allowedAccess": [], "ports": [1]}]}))
                .starts_with("process.landlock.rules.netPort[0].allowedAccess: allows nothing")
        );
    }
}
