//! `process.landlock`, in the shape proposed to the specification (runtime-spec, pull requests 1111 and 1241).

use crate::error::Result;
use crate::json::{self, Reader, Value, Writer, object};

object! {
    /// What landlock(7) leaves a process of its rights.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Landlock {
        /// Which rights are denied where no rule allows them.
        pub ruleset: LandlockRuleset = "ruleset",
        /// What is allowed.
        pub rules: LandlockRules = "rules",
        /// Flags of landlock_restrict_self(2): what is written to the audit log.
        pub restrict_flags: Vec<Right> = "restrictFlags",
        /// Whether it is an error when the kernel cannot enforce all of this; else what it cannot is left out.
        pub disable_best_effort: bool = "disableBestEffort",
        ;
        /// It comes from the annotation.
        pub annotated: bool,
    }
}

object! {
    /// The rights that a ruleset handles.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct LandlockRuleset {
        /// Of files and directories.
        pub handled_fs: Vec<Right> = "handledAccessFS" | "handledAccessFs",
        /// Of TCP and UDP ports.
        pub handled_net: Vec<Right> = "handledAccessNet" | "handledAccessNetwork",
        /// What does not reach out of the container's domain: no rule allows it.
        pub scoped: Vec<Right> = "scoped",
        /// Of the rights over files, those whose denial is not written to the audit log below a quiet path.
        pub quiet_fs: Vec<Right> = "quietAccessFS" | "quietAccessFs",
        /// The same of TCP and UDP ports.
        pub quiet_net: Vec<Right> = "quietAccessNet" | "quietAccessNetwork",
        /// Of the scopes, those whose denial is not written to the audit log.
        pub quiet_scoped: Vec<Right> = "quietScoped",
    }
}

object! {
    /// The rules of a ruleset, by their type.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct LandlockRules {
        /// For files and directories, with all below them.
        pub path_beneath: Vec<PathRule> = "pathBeneath",
        /// For TCP and UDP ports.
        pub net_port: Vec<PortRule> = "netPort" | "networkPort",
    }
}

object! {
    /// Rights on some paths.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct PathRule {
        /// The rights.
        pub allowed_access: Vec<Right> = "allowedAccess",
        /// The paths, as the container has them.
        pub paths: Vec<String> = "paths",
        /// Whether the denials that `quietAccessFS` names are not written to the audit log here.
        pub quiet: bool = "quiet",
    }
}

object! {
    /// Rights on some ports.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct PortRule {
        /// The rights.
        pub allowed_access: Vec<Right> = "allowedAccess",
        /// The ports.
        pub ports: Vec<u16> = "ports",
        /// Whether the denials that `quietAccessNet` names are not written to the audit log here.
        pub quiet: bool = "quiet",
    }
}

/// A right: by its name, or by its bits as the kernel's `landlock.h` has them, so that a new kernel's rights need no
/// new runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// Its name.
    Name(String),
    /// Its bits.
    Bits(u64),
}

impl Default for Right {
    fn default() -> Right {
        Right::Bits(0)
    }
}

impl Value for Right {
    fn read(&mut self, reader: &mut Reader<'_>) -> json::Result<()> {
        *self = if reader.is_string() {
            Right::Name(reader.text()?.into_owned())
        } else {
            let expected = "the name of a right, or its bits as a number";
            Right::Bits(reader.integer(0, u64::MAX.into(), expected)? as u64)
        };
        Ok(())
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Right::Name(name) => name.write(writer),
            Right::Bits(bits) => bits.write(writer),
        }
    }
}

/// The rulesets of a process: the configuration's, which is one object, and the annotation's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rulesets(pub Vec<Landlock>);

impl Value for Rulesets {
    fn read(&mut self, reader: &mut Reader<'_>) -> json::Result<()> {
        let mut landlock = Landlock::default();
        landlock.read(reader)?;
        self.0 = vec![landlock];
        Ok(())
    }

    fn write(&self, writer: &mut Writer) {
        self.0.first().cloned().write(writer);
    }

    fn is_left_out(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads the annotation that sets a ruleset where an engine does not let `process.landlock` through.
pub(super) fn annotated(json: &str) -> Result<Landlock> {
    let name = ["annotations: ", super::annotation::LANDLOCK].concat();
    let mut landlock: Landlock = super::parse(json.as_bytes(), &name)?;
    landlock.annotated = true;
    Ok(landlock)
}
