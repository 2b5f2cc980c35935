//! `checkpoint` and `restore`.

use super::parse::Matches;
use super::{Global, commands, descriptors};
use crate::container::{self, Images};
use crate::criu::{CGROUP_MODES, SWITCHES};
use crate::error::{Error, Result};
use crate::sys::process;

fn images(matches: &Matches) -> Result<Images> {
    let text = |flag: &str| {
        let value = matches.value(flag).filter(|value| !value.is_empty());
        value.map(|value| value.to_string_lossy().into_owned())
    };
    let mode = text("manage-cgroups-mode").unwrap_or_default();
    let mode = CGROUP_MODES.iter().find(|(name, _)| *name == mode);
    let &(_, cgroups_mode) = mode.ok_or_else(|| {
        Error::new("--manage-cgroups-mode: invalid mode: use soft, full, strict or ignore")
    })?;
    for name in matches.values("empty-ns") {
        if name != "network" {
            return Err(Error::new(format!(
                "--empty-ns: namespace {name:?} is not supported: use network"
            )));
        }
    }
    let switches = SWITCHES.iter().filter(|(name, _)| matches.flag(name));
    Ok(Images {
        directory: matches
            .path("image-path")
            .unwrap_or_else(|| "checkpoint".into()),
        work: matches.path("work-path"),
        parent: matches.path("parent-path"),
        switches: switches.map(|(_, field)| *field).collect(),
        pre_dump: matches.flag("pre-dump"),
        cgroups_mode,
        page_server: text("page-server").map(|it| address(&it)).transpose()?,
        status_fd: descriptors::status_fd(matches)?,
        lsm_profile: text("lsm-profile"),
        lsm_mount_context: text("lsm-mount-context"),
    })
}

/// Both parts of `ADDRESS:PORT`; an IPv6 address is in brackets.
fn address(text: &str) -> Result<(String, u16)> {
    let (address, port) = text.rsplit_once(':').unwrap_or_default();
    let bracketed = address
        .strip_prefix('[')
        .and_then(|address| address.strip_suffix(']'));
    let plain = Some(address).filter(|address| !address.contains(':') && !address.is_empty());
    match (bracketed.or(plain), port.parse()) {
        (Some(address), Ok(port)) => Ok((address.into(), port)),
        _ => Err(Error::new(format!(
            "--page-server: {text:?}: Use --page-server ADDRESS:PORT to specify page server"
        ))),
    }
}

pub fn checkpoint(global: &Global, matches: &Matches) -> Result<u8> {
    let images = images(matches)?;
    container::checkpoint(&global.store, matches.argument(0)?, &images).map(|()| 0)
}

pub fn restore(global: &Global, matches: &Matches) -> Result<u8> {
    let images = images(matches)?;
    let options = commands::options(global, matches)?;
    let signals = process::signalfd()?;
    if !options.detach && !matches.flag("no-subreaper") {
        process::become_subreaper()?;
    }
    let created = container::restore(&global.store, &options, &images)?;
    if options.detach {
        return Ok(0);
    }
    commands::stay(global, created, signals, false)
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_have_ports() {
        assert_eq!(address("0.0.0.0:99").unwrap(), ("0.0.0.0".into(), 99));
        assert_eq!(address("[::1]:99").unwrap(), ("::1".into(), 99));
        for bad in ["", "host", ":99", "host:", "host:x", "::1:99", "host:70000"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
