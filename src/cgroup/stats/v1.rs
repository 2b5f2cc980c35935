//! Statistics from the files of cgroup v1.

use super::json::CPUSET;
use super::{BlockIoEntry, Counter, Files, Hugetlb, MemoryUse, Pids, Stats};
use crate::cgroup::Cgroup;
use crate::error::Result;

/// The unit of `cpuacct.stat`, in nanoseconds: USER_HZ is 100 on every architecture that we know.
const TICK_NSEC: u64 = 10_000_000;

/// Takes the statistics of one controller.
type Reader = fn(&Files<'_>, &mut Stats);

/// Of each controller that the container has.
pub fn stats(cgroup: &Cgroup) -> Result<Stats> {
    let mut stats = Stats::default();
    let readers: [(&str, Reader); 7] = [
        ("cpu", throttling),
        ("cpuacct", cpu_time),
        ("cpuset", cpuset),
        ("memory", memory),
        ("pids", pids),
        ("blkio", block_io),
        ("hugetlb", hugetlb),
    ];
    for (controller, read) in readers {
        if let Some(path) = cgroup.controller(controller) {
            let files = Files::open(path)?;
            read(&files, &mut stats);
            files.finish()?;
        }
    }
    Ok(stats)
}

fn throttling(files: &Files<'_>, stats: &mut Stats) {
    let cpu = &mut stats.cpu;
    for (key, value) in files.pairs("cpu.stat") {
        match key.as_str() {
            "nr_periods" => cpu.periods = value,
            "nr_throttled" => cpu.throttled_periods = value,
            "throttled_time" => cpu.throttled_time = value,
            _ => {}
        }
    }
}

fn cpu_time(files: &Files<'_>, stats: &mut Stats) {
    let cpu = &mut stats.cpu;
    for (key, value) in files.pairs("cpuacct.stat") {
        match key.as_str() {
            "user" => cpu.user = value * TICK_NSEC,
            "system" => cpu.kernel = value * TICK_NSEC,
            _ => {}
        }
    }
    cpu.total = files.or_zero("cpuacct.usage");
    let name = "cpuacct.usage_percpu";
    let each = files.text(name).unwrap_or_default();
    for word in each.split_whitespace() {
        cpu.each.push(files.parse(name, word));
    }
    // A table of cpu, user and system, with a head.
    let name = "cpuacct.usage_all";
    for line in files.text(name).unwrap_or_default().lines().skip(1) {
        let mut words = line.split(' ').skip(1);
        if let (Some(user), Some(kernel)) = (words.next(), words.next()) {
            cpu.each_user.push(files.parse(name, user));
            cpu.each_kernel.push(files.parse(name, kernel));
        }
    }
}

fn cpuset(files: &Files<'_>, stats: &mut Stats) {
    let cpuset = &mut stats.cpuset;
    cpuset.cpus = list(files, "cpuset.cpus");
    cpuset.mems = list(files, "cpuset.mems");
    for (name, flag) in CPUSET.iter().zip(&mut cpuset.flags) {
        *flag = files.or_zero(&["cpuset.", name].concat());
    }
    let name = "cpuset.sched_relax_domain_level";
    if let Some(level) = files.text(name) {
        let level = level.trim();
        cpuset.relax_domain_level = level
            .parse()
            .unwrap_or_else(|_| files.malformed(name, level));
    }
}

/// The numbers of a file with a list like `0-2,5`.
fn list(files: &Files<'_>, name: &str) -> Vec<u64> {
    let text = files.text(name).unwrap_or_default();
    let parts = text.trim().split(',').filter(|part| !part.is_empty());
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        // No kernel has more CPUs than 16 bits can count: a wrong line must not become a long list.
        let number = |text: &str| {
            text.parse::<u16>()
                .unwrap_or_else(|_| files.malformed(name, text))
        };
        number(from)..=number(to)
    };
    parts.flat_map(range).map(u64::from).collect()
}

fn memory(files: &Files<'_>, stats: &mut Stats) {
    let raw = files.pairs("memory.stat");
    stats.memory = MemoryUse {
        cache: Files::of(&raw, "cache"),
        usage: counter(files, "memory"),
        swap: counter(files, "memory.memsw"),
        kernel: counter(files, "memory.kmem"),
        kernel_tcp: counter(files, "memory.kmem.tcp"),
        raw,
        pressure: None,
    };
}

/// Zeroes where the kernel does not count it.
fn counter(files: &Files<'_>, name: &str) -> Counter {
    let value = |file: &str| files.or_zero(&[name, file].concat());
    match files.number(&[name, ".usage_in_bytes"].concat()) {
        None => Counter::default(),
        Some(usage) => Counter {
            usage,
            max: value(".max_usage_in_bytes"),
            failures: value(".failcnt"),
            limit: value(".limit_in_bytes"),
        },
    }
}

fn pids(files: &Files<'_>, stats: &mut Stats) {
    stats.pids = Pids {
        current: files.or_zero("pids.current"),
        limit: no_limit_is_zero(files.or_zero("pids.max")),
    };
}

pub(super) fn no_limit_is_zero(limit: u64) -> u64 {
    if limit == u64::MAX { 0 } else { limit }
}

/// The files of the schedulers, the first of which that has anything counts; beside each the place of its table. The
/// whole of BFQ's and CFQ's are there only where the kernel was built for debugging.
const BLOCK_IO_FILES: [&[(&str, usize)]; 5] = [
    &[
        ("blkio.bfq.sectors_recursive", 7),
        ("blkio.bfq.io_service_time_recursive", 3),
        ("blkio.bfq.io_wait_time_recursive", 4),
        ("blkio.bfq.io_merged_recursive", 5),
        ("blkio.bfq.io_queued_recursive", 2),
        ("blkio.bfq.time_recursive", 6),
        ("blkio.bfq.io_serviced_recursive", 1),
        ("blkio.bfq.io_service_bytes_recursive", 0),
    ],
    &[
        ("blkio.bfq.io_serviced_recursive", 1),
        ("blkio.bfq.io_service_bytes_recursive", 0),
    ],
    &[
        ("blkio.sectors_recursive", 7),
        ("blkio.io_service_time_recursive", 3),
        ("blkio.io_wait_time_recursive", 4),
        ("blkio.io_merged_recursive", 5),
        ("blkio.io_queued_recursive", 2),
        ("blkio.time_recursive", 6),
        ("blkio.io_serviced_recursive", 1),
        ("blkio.io_service_bytes_recursive", 0),
    ],
    &[
        ("blkio.throttle.io_serviced_recursive", 1),
        ("blkio.throttle.io_service_bytes_recursive", 0),
    ],
    &[
        ("blkio.throttle.io_serviced", 1),
        ("blkio.throttle.io_service_bytes", 0),
    ],
];

fn block_io(files: &Files<'_>, stats: &mut Stats) {
    let tables = &mut stats.block_io.tables;
    for group in BLOCK_IO_FILES {
        for (i, (name, table)) in group.iter().enumerate() {
            let entries = block_io_table(files, name);
            match (i, entries.is_empty()) {
                (0, true) => break,
                (_, true) => return,
                _ => tables[*table] = entries,
            }
            if i + 1 == group.len() {
                return;
            }
        }
    }
}

/// Lines of `8:0 Read 4096`, or without an operation; the last one, `Total …`, is none of a device.
fn block_io_table(files: &Files<'_>, name: &str) -> Vec<BlockIoEntry> {
    let number = |text: &str| files.parse(name, text);
    let entry = |line: &str| {
        if line.starts_with("Total ") {
            return None;
        }
        let Some((major, rest)) = line.split_once(':') else {
            return files.malformed(name, line);
        };
        let (minor, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (operation, value) = rest.split_once(' ').unwrap_or(("", rest));
        Some(BlockIoEntry {
            major: number(major),
            minor: number(minor),
            operation: operation.into(),
            value: number(value),
        })
    };
    let text = files.text(name).unwrap_or_default();
    text.lines().filter_map(entry).collect()
}

fn hugetlb(files: &Files<'_>, stats: &mut Stats) {
    for size in files.huge_page_sizes() {
        let reserved = counter(files, &["hugetlb.", &size, ".rsvd"].concat());
        let counted = match reserved == Counter::default() {
            true => counter(files, &["hugetlb.", &size].concat()),
            false => reserved,
        };
        let hugetlb = Hugetlb {
            usage: counted.usage,
            max: counted.max,
            failures: counted.failures,
        };
        stats.hugetlb.push((size, hugetlb));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_files;
    use super::*;

    #[test]
    fn lists_and_tables_are_read() {
        let table = "8:0 Read 4096\n8:16 7\nTotal 4096\n";
        with_files(
            &[("list", "0-2,5\n"), ("none", "\n"), ("table", table)],
            |files| {
                assert_eq!(list(&files, "list"), [0, 1, 2, 5]);
                assert!(list(&files, "none").is_empty());
                let table = block_io_table(&files, "table");
                assert_eq!(table.len(), 2);
                assert_eq!(
                    (table[0].operation.as_str(), table[0].value),
                    ("Read", 4096)
                );
                assert_eq!(
                    (table[1].minor, table[1].operation.as_str(), table[1].value),
                    (16, "", 7)
                );
                files.finish().unwrap();
            },
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let wrong = [
            ("list", "0-x"),
            ("table", "8:0 Read many"),
            ("line", "8 9 Read 3"),
        ];
        with_files(&wrong, |files| {
            list(&files, "list");
            block_io_table(&files, "table");
            let error = files.finish().unwrap_err().to_string();
            assert!(error.contains("/list: \"x\""), "{error}");
        });
        with_files(&wrong, |files| {
            assert!(block_io_table(&files, "line").is_empty());
            let error = files.finish().unwrap_err().to_string();
            assert!(error.contains("/line: \"8 9 Read 3\""), "{error}");
        });
    }
}
