//! `update`: its flags, or a file, as resources.

use super::Global;
use super::parse::Matches;
use crate::error::{Context, Error, Result};
use crate::oci::{self, Resources};
use crate::{check, container, log};
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
    let given = |flag: &str| matches.value(flag).is_some_and(|value| !value.is_empty());
    if given("l3-cache-schema") {
        return Err(Error::new(
            "--l3-cache-schema: Intel RDT/CAT: l3 cache schema is not enabled: no resctrl is mounted",
        ));
    }
    if given("mem-bw-schema") {
        return Err(Error::new(
            "--mem-bw-schema: Intel RDT/MBA: memory bandwidth schema is not enabled: no resctrl is mounted",
        ));
    }
    container::update(&global.store, matches.argument(0)?, resources)?;
    Ok(0)
}

fn from_flags(matches: &Matches) -> Result<Resources> {
    let text = |flag: &str| matches.value(flag).filter(|value| !value.is_empty());
    let wrong = |flag: &str, what: &str| {
        let value = text(flag).unwrap_or_default();
        Error::new(format!("invalid value for {flag}: {value:?} is not {what}"))
    };
    let signed = |flag: &str| {
        let number =
            text(flag).map(|value| value.to_str().and_then(|value| value.parse::<i64>().ok()));
        number
            .map(|number| number.ok_or_else(|| wrong(flag, "a whole number")))
            .transpose()
    };
    let unsigned = |flag: &str| {
        let number =
            text(flag).map(|value| value.to_str().and_then(|value| value.parse::<u64>().ok()));
        number
            .map(|number| number.ok_or_else(|| wrong(flag, "a number of 0 or more")))
            .transpose()
    };
    let bytes = |flag: &str| {
        let number = text(flag).map(|value| value.to_str().and_then(size));
        number
            .map(|number| {
                number.ok_or_else(|| wrong(flag, "a size such as 1048576, 512k, 1.5GiB, or -1"))
            })
            .transpose()
    };
    let string = |flag: &str| text(flag).map(|value| value.to_string_lossy().into_owned());
    let mut resources = Resources::default();
    let memory = resources.memory.get_or_insert_default();
    memory.limit = bytes("memory")?;
    memory.reservation = bytes("memory-reservation")?;
    memory.swap = bytes("memory-swap")?;
    memory.kernel = bytes("kernel-memory")?;
    memory.kernel_tcp = bytes("kernel-memory-tcp")?;
    let cpu = resources.cpu.get_or_insert_default();
    cpu.shares = unsigned("cpu-share")?;
    cpu.quota = signed("cpu-quota")?;
    cpu.period = unsigned("cpu-period")?;
    cpu.burst = unsigned("cpu-burst")?;
    cpu.realtime_period = unsigned("cpu-rt-period")?;
    cpu.realtime_runtime = signed("cpu-rt-runtime")?;
    cpu.cpus = string("cpuset-cpus");
    cpu.mems = string("cpuset-mems");
    cpu.idle = signed("cpu-idle")?;
    resources.pids.get_or_insert_default().limit = signed("pids-limit")?;
    let weight = unsigned("blkio-weight")?.map(|weight| {
        u16::try_from(weight).map_err(|_| wrong("blkio-weight", "a number from 10 to 1000"))
    });
    resources.block_io.get_or_insert_default().weight = weight.transpose()?;
    Ok(resources)
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
