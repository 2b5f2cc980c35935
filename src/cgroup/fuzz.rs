//! For tests: what any limits come to, as far as no kernel is needed for that.

use super::devices::Policy;
use super::systemd::{Unit, properties};
use super::{Change, Rootless, Wanted, devices_v2};
use crate::error::Result;
use crate::oci::{Config, Resources};

/// Follows a configuration's limits down to where they are written, and a change of them to others.
pub fn try_limits(config: &Config, unified: bool, other: Resources) -> Result<()> {
    let mut resources = config.linux.resources.clone().unwrap_or_default();
    let policy = Policy::new(&resources.devices)?;
    let program = devices_v2::compile(&policy);
    for (at, instruction) in program.iter().enumerate() {
        // jeq and jne; they and what they may skip come before the last two.
        if matches!(instruction.code, 0x15 | 0x55) {
            assert!(instruction.offset >= 0);
            assert!(at + 1 + (instruction.offset as usize) < program.len());
        }
    }
    let change = Change::new(resources.clone(), other);
    assert_eq!(
        Change::new(change.keep.clone(), Resources::default()).keep,
        change.keep
    );
    properties::of(&mut resources, Some(&policy), unified)?;
    let path = config.linux.cgroups_path.as_deref();
    Unit::wanted(&Wanted {
        id: "first",
        path: path.filter(|path| !path.starts_with('/')),
        manager: super::Manager::Systemd,
        rootless: Rootless::No,
        owner: None,
        annotations: &config.annotations,
    })?;
    Ok(())
}
