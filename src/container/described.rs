//! The process that `exec` starts: from a file, or the container's own with what the flags change.

use super::exec::Exec;
use crate::error::{Context, Error, Result};
use crate::oci::{self, Process};
use std::fs;

/// The process that the command line describes.
pub fn described(options: &Exec, config: &oci::Config) -> Result<Process> {
    if let Some(path) = &options.process {
        let text = fs::read(path).with_context(|| format!("--process: open {}", path.display()))?;
        let mut process: Process = oci::parse(&text, &path.to_string_lossy())?;
        process.terminal |= options.terminal;
        return Ok(process);
    }
    let mut process = config.process.clone().unwrap_or_default();
    if options.arguments.is_empty() {
        return Err(Error::new(
            "exec args cannot be empty: name a command, or --process",
        ));
    }
    process.args.clone_from(&options.arguments);
    process.terminal = options.terminal;
    for (field, flag) in [
        (&mut process.apparmor_profile, &options.apparmor),
        (&mut process.selinux_label, &options.process_label),
    ] {
        if flag.is_some() {
            field.clone_from(flag);
        }
    }
    if let Some(cwd) = &options.cwd {
        process.cwd.clone_from(cwd);
    }
    process.env.extend(options.env.iter().cloned());
    if let Some(given) = options.no_new_privileges {
        process.no_new_privileges = given;
    }
    if let Some(user) = &options.user {
        let (uid, gid) = user
            .split_once(':')
            .map_or((user.as_str(), None), |(uid, gid)| (uid, Some(gid)));
        process.user.uid = id("--user", uid)?;
        if let Some(gid) = gid {
            process.user.gid = id("--user", gid)?;
        }
    }
    for gid in &options.additional_gids {
        process
            .user
            .additional_gids
            .push(id("--additional-gids", gid)?);
    }
    if !options.capabilities.is_empty() {
        let capabilities = process.capabilities.get_or_insert_default();
        let ambient = !capabilities.inheritable.is_empty();
        for name in &options.capabilities {
            capabilities.bounding.push(name.clone());
            capabilities.effective.push(name.clone());
            capabilities.permitted.push(name.clone());
            // Without an inheritable set there can be no ambient one.
            if ambient {
                capabilities.ambient.push(name.clone());
            }
        }
    }
    Ok(process)
}

fn id(flag: &str, text: &str) -> Result<u32> {
    let number = text.parse().ok().filter(|id| *id <= i32::MAX as u32);
    number.ok_or_else(|| Error::new(format!("{flag}: {text:?} is not an id of 0 to 2147483647")))
}
