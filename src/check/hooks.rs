//! `hooks`.

use super::{fail, no_nul, no_nuls};
use crate::error::Result;
use crate::oci::Hooks;

/// Checks every hook.
pub fn check(hooks: &Hooks) -> Result<()> {
    for (name, list) in hooks.lists() {
        for (i, hook) in list.iter().enumerate() {
            let field = format!("hooks.{name}[{i}]");
            no_nul(format_args!("{field}.path"), &hook.path)?;
            no_nuls(format_args!("{field}.args"), &hook.args)?;
            no_nuls(format_args!("{field}.env"), &hook.env)?;
            if !hook.path.starts_with('/') {
                let what = format_args!("{:?} must be an absolute path", hook.path);
                return fail(format_args!("{field}.path"), what);
            }
            if let Some(timeout) = hook.timeout
                && timeout <= 0
            {
                let what = format_args!("{timeout} must be above 0 (seconds)");
                return fail(format_args!("{field}.timeout"), what);
            }
        }
    }
    Ok(())
}
