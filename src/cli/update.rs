//! `update`: its flags, or a file, as resources.

use super::Global;
use super::parse::Matches;
use crate::container::{self, Schema};
use crate::error::{Context, Error, Result};
use crate::oci::{self, Resources};
use crate::{check, log};
use std::ffi::OsStr;
use std::io::Read;

/// Changes a container's limits.
pub fn update(global: &Global, matches: &Matches) -> Result<u8> {
    let resources = match matches.path("resources") {
        Some(path) => {
            let mut text = Vec::new();
            match path.as_os_str() == "-" {
                true => std::io::stdin().read_to_end(&mut text),
                false => {
                    std::fs::File::open(&path).and_then(|mut file| file.read_to_end(&mut text))
                }
            }
            .with_context(|| format!("--resources: open {}", path.display()))?;
            oci::parse(&text, "--resources")?
        }
        None => from_flags(matches)?,
    };
    check::resources(&resources)?;
    if resources
        .memory
        .is_some_and(|memory| memory.kernel.is_some() || memory.kernel_tcp.is_some())
    {
        log::warn("Kernel memory settings are ignored and will be removed");
    }
    let schema = Schema {
        l3_cache: text(matches, "l3-cache-schema"),
        memory_bandwidth: text(matches, "mem-bw-schema"),
    };
    container::update(&global.store, matches.argument(0)?, resources, &schema)?;
    Ok(0)
}

fn from_flags(matches: &Matches) -> Result<Resources> {
    let signed = |flag| number(matches, flag, "a whole number", |text| text.parse().ok());
    let unsigned = |flag| {
        let read = |text: &str| text.parse().ok().filter(|number| *number >= 0);
        let read = number(matches, flag, "a number of 0 or more", read)?;
        Ok::<_, Error>(read.map(i64::cast_unsigned))
    };
    let bytes = |flag| {
        let what = "a size such as 1048576, 512k, 1.5GiB, or -1";
        number(matches, flag, what, size)
    };
    let mut resources = Resources::default();
    let memory = resources.memory.get_or_insert_default();
    for (limit, flag) in [
        (&mut memory.limit, "memory"),
        (&mut memory.reservation, "memory-reservation"),
        (&mut memory.swap, "memory-swap"),
        (&mut memory.kernel, "kernel-memory"),
        (&mut memory.kernel_tcp, "kernel-memory-tcp"),
    ] {
        *limit = bytes(flag)?;
    }
    let cpu = resources.cpu.get_or_insert_default();
    for (limit, flag) in [
        (&mut cpu.shares, "cpu-share"),
        (&mut cpu.period, "cpu-period"),
        (&mut cpu.burst, "cpu-burst"),
        (&mut cpu.realtime_period, "cpu-rt-period"),
    ] {
        *limit = unsigned(flag)?;
    }
    for (limit, flag) in [
        (&mut cpu.quota, "cpu-quota"),
        (&mut cpu.realtime_runtime, "cpu-rt-runtime"),
        (&mut cpu.idle, "cpu-idle"),
        (
            &mut resources.pids.get_or_insert_default().limit,
            "pids-limit",
        ),
    ] {
        *limit = signed(flag)?;
    }
    cpu.cpus = text(matches, "cpuset-cpus");
    cpu.mems = text(matches, "cpuset-mems");
    let weight = |text: &str| text.parse::<u16>().ok().map(i64::from);
    let weight = number(matches, "blkio-weight", "a number from 10 to 1000", weight)?;
    resources.block_io.get_or_insert_default().weight = weight.map(|weight| weight as u16);
    Ok(resources)
}

/// A flag's value, where it has one.
fn given<'a>(matches: &'a Matches, flag: &str) -> Option<&'a OsStr> {
    matches.value(flag).filter(|value| !value.is_empty())
}

fn text(matches: &Matches, flag: &str) -> Option<String> {
    given(matches, flag).map(|value| value.to_string_lossy().into_owned())
}

/// The number that `read` reads from a flag's value.
fn number(
    matches: &Matches,
    flag: &str,
    what: &str,
    read: fn(&str) -> Option<i64>,
) -> Result<Option<i64>> {
    let Some(value) = given(matches, flag) else {
        return Ok(None);
    };
    match value.to_str().and_then(read) {
        None => Err(Error::new(format!(
            "invalid value for {flag}: {value:?} is not {what}"
        ))),
        number => Ok(number),
    }
}

/// A number of bytes with or without a unit, as Docker reads it (`10`, `10b`, `1.5k`, `3 MB`, `2GiB`), or −1 for no limit.
fn size(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let end = text.rfind(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' '))? + 1;
    let (number, unit) = text.split_at(end);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let unit = unit.to_ascii_lowercase();
    let shift = match unit.strip_suffix("ib").filter(|unit| !unit.is_empty()) {
        Some(unit) => prefix(unit)?,
        None => match unit.strip_suffix('b').unwrap_or(&unit) {
            "" => 0,
            unit => prefix(unit)?,
        },
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let digits = |text: &str| match text {
        "" => Some(0),
        text if text.len() > 18 || !text.bytes().all(|c| c.is_ascii_digit()) => None,
        text => text.parse::<u128>().ok(),
    };
    let part = (digits(part)? << shift) / 10u128.pow(part.len() as u32);
    i64::try_from((digits(whole)? << shift) + part).ok()
}

fn prefix(unit: &str) -> Option<u32> {
    let letters = ["k", "m", "g", "t", "p"];
    let at = letters.iter().position(|letter| *letter == unit)?;
    Some(10 * (at as u32 + 1))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        for (text, bytes) in [
            ("32", 32),
            ("32b", 32),
            ("32k", 32 << 10),
            ("1.5GiB", 3 << 29),
            ("3 MB", 3 << 20),
            (".5k", 512),
            ("7.", 7),
            ("2t", 2 << 40),
            ("0", 0),
            ("-1", -1),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in [
            "", "k", "x", "-2", "1x", "1bb", "1kib2", "1.2.3", "1 2", "ib", "1ib", "9999999p",
            "1e3",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
