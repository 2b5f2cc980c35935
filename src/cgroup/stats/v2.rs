//! Statistics from the files of cgroup v2, in the terms of v1.

use super::{BlockIo, BlockIoEntry, Counter, CpuTime, Files, Hugetlb, MemoryUse, Pids, Stats, v1};
use crate::error::Result;
use std::path::Path;

/// Of each controller that the cgroup has.
pub fn stats(path: &Path) -> Result<Stats> {
    let files = Files::open(path)?;
    let mut stats = Stats {
        cpu: cpu(&files),
        memory: memory(&files),
        pids: pids(&files),
        block_io: block_io(&files),
        ..Stats::default()
    };
    for size in files.huge_page_sizes() {
        if let Some(hugetlb) = hugetlb(&files, &size) {
            stats.hugetlb.push((size, hugetlb));
        }
    }
    files.finish().map(|()| stats)
}

fn cpu(files: &Files<'_>) -> CpuTime {
    let mut cpu = CpuTime {
        pressure: files.pressure("cpu.pressure"),
        ..CpuTime::default()
    };
    for (key, value) in files.pairs("cpu.stat") {
        match key.as_str() {
            "usage_usec" => cpu.total = value * 1000,
            "user_usec" => cpu.user = value * 1000,
            "system_usec" => cpu.kernel = value * 1000,
            "nr_periods" => cpu.periods = value,
            "nr_throttled" => cpu.throttled_periods = value,
            "throttled_usec" => cpu.throttled_time = value * 1000,
            _ => {}
        }
    }
    cpu
}

fn memory(files: &Files<'_>) -> MemoryUse {
    let raw = files.pairs("memory.stat");
    let usage = counter(files, "memory").unwrap_or_default();
    // v1 counts memory and swap together. Their highest sum is not known.
    let swap = counter(files, "memory.swap").map(|swap| Counter {
        usage: swap.usage + usage.usage,
        limit: swap.limit.saturating_add(usage.limit),
        max: 0,
        failures: 0,
    });
    MemoryUse {
        cache: Files::of(&raw, "file"),
        usage,
        swap: swap.unwrap_or(Counter { max: 0, ..usage }),
        pressure: files.pressure("memory.pressure"),
        raw,
        ..MemoryUse::default()
    }
}

/// None where the kernel does not count it.
fn counter(files: &Files<'_>, name: &str) -> Option<Counter> {
    let usage = files.number(&[name, ".current"].concat())?;
    Some(Counter {
        usage,
        limit: files.or_zero(&[name, ".max"].concat()),
        max: files.or_zero(&[name, ".peak"].concat()),
        failures: 0,
    })
}

fn pids(files: &Files<'_>) -> Pids {
    if let Some(current) = files.number("pids.current") {
        let limit = v1::no_limit_is_zero(files.or_zero("pids.max"));
        return Pids { current, limit };
    }
    // Without the controller, what is in the cgroup can still be counted; processes are not listed in a threaded one.
    let list = files
        .text("cgroup.procs")
        .or_else(|| files.text("cgroup.threads"));
    Pids {
        current: list.unwrap_or_default().lines().count() as u64,
        limit: 0,
    }
}

/// `io.stat`: lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`.
fn block_io(files: &Files<'_>) -> BlockIo {
    BlockIo {
        pressure: files.pressure("io.pressure"),
        ..table(files, "io.stat")
    }
}

fn table(files: &Files<'_>, name: &str) -> BlockIo {
    let number = |text: &str| files.parse(name, text);
    let mut block_io = BlockIo::default();
    for line in files.text(name).unwrap_or_default().lines() {
        let mut fields = line.split(' ');
        let device = fields.next().and_then(|device| device.split_once(':'));
        // Some kernels have lines of no device.
        let Some((major, minor)) = device else {
            continue;
        };
        let (major, minor) = (number(major), number(minor));
        for field in fields {
            let Some((key, value)) = field.split_once('=') else {
                continue;
            };
            let (table, operation) = match key {
                "rbytes" => (0, "Read"),
                "wbytes" => (0, "Write"),
                "rios" => (1, "Read"),
                "wios" => (1, "Write"),
                _ => continue,
            };
            block_io.tables[table].push(BlockIoEntry {
                major,
                minor,
                operation: operation.into(),
                value: number(value),
            });
        }
    }
    block_io
}

fn hugetlb(files: &Files<'_>, size: &str) -> Option<Hugetlb> {
    let name = ["hugetlb.", size].concat();
    let usage = files
        .number(&[&name, ".rsvd.current"].concat())
        .or_else(|| files.number(&[&name, ".current"].concat()))?;
    let events = files.pairs(&[&name, ".events"].concat());
    Some(Hugetlb {
        usage,
        max: 0,
        failures: Files::of(&events, "max"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_files;
    use super::*;

    #[test]
    fn io_is_read_into_v1s_tables() {
        let text = "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n7:1 \n";
        with_files(&[("io.stat", text)], |files| {
            let tables = table(&files, "io.stat").tables;
            files.finish().unwrap();
            let of = |table: usize| -> Vec<(&str, u64)> {
                let entries = tables[table].iter();
                entries
                    .map(|entry| (entry.operation.as_str(), entry.value))
                    .collect()
            };
            assert_eq!(of(0), [("Read", 1), ("Write", 2)]);
            assert_eq!(of(1), [("Read", 3), ("Write", 4)]);
        });
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        with_files(&[("io.stat", "8:0 rbytes=x")], |files| {
            table(&files, "io.stat");
            let error = files.finish().unwrap_err().to_string();
            assert!(error.contains("io.stat: \"x\""), "{error}");
        });
    }
}
