//! What a container uses: the files of its cgroup as the document that `events` prints.

mod json;
mod v1;
mod v2;

use super::Cgroup;
use crate::error::{Context, Error, Result};
use crate::sys::file;
use std::cell::Cell;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// All of it. What a hierarchy does not count is 0 or empty.
#[derive(Debug, Default)]
struct Stats {
    cpu: CpuTime,
    cpuset: Cpuset,
    memory: MemoryUse,
    pids: Pids,
    block_io: BlockIo,
    /// By size, in the order of the sizes' names.
    hugetlb: Vec<(String, Hugetlb)>,
}

/// CPU time, in nanoseconds.
#[derive(Debug, Default)]
struct CpuTime {
    total: u64,
    kernel: u64,
    user: u64,
    /// Of each CPU.
    each: Vec<u64>,
    each_kernel: Vec<u64>,
    each_user: Vec<u64>,
    periods: u64,
    throttled_periods: u64,
    throttled_time: u64,
    pressure: Option<Pressure>,
}

#[derive(Debug, Default)]
struct Cpuset {
    cpus: Vec<u64>,
    mems: Vec<u64>,
    /// The files of [`json::CPUSET`], in that order.
    flags: [u64; json::CPUSET.len()],
    relax_domain_level: i64,
}

#[derive(Debug, Default)]
struct MemoryUse {
    /// Bytes of files.
    cache: u64,
    usage: Counter,
    /// Memory and swap together.
    swap: Counter,
    kernel: Counter,
    kernel_tcp: Counter,
    /// `memory.stat` as it is.
    raw: Vec<(String, u64)>,
    pressure: Option<Pressure>,
}

/// A use of memory, in bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counter {
    limit: u64,
    usage: u64,
    max: u64,
    /// How often the limit was met.
    failures: u64,
}

#[derive(Debug, Default)]
struct Pids {
    current: u64,
    /// 0 is none.
    limit: u64,
}

#[derive(Debug, Default)]
struct BlockIo {
    /// The tables of [`json::BLOCK_IO`], in that order.
    tables: [Vec<BlockIoEntry>; json::BLOCK_IO.len()],
    pressure: Option<Pressure>,
}

#[derive(Debug, PartialEq, Eq)]
struct BlockIoEntry {
    major: u64,
    minor: u64,
    operation: String,
    value: u64,
}

#[derive(Debug, Default)]
struct Hugetlb {
    usage: u64,
    max: u64,
    failures: u64,
}

/// PSI: avg10, avg60, avg300 and total, as the kernel writes them. The first are percentages, the last is in microseconds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pressure {
    some: Option<[String; 4]>,
    full: Option<[String; 4]>,
}

impl Cgroup {
    /// The cgroup's statistics: the `data` of runc's event, in JSON. `intel_rdt` is that member's.
    pub fn stats(&self, intel_rdt: &str) -> Result<String> {
        let stats = match (self.unified, self.directories.first()) {
            (true, Some(directory)) => v2::stats(&directory.path),
            (true, None) => Ok(Stats::default()),
            (false, _) => v1::stats(self),
        };
        Ok(stats
            .context("unable to get container cgroup stats")?
            .to_json(intel_rdt))
    }
}

/// The files of one directory. The first that cannot be read is told at the end.
struct Files<'a> {
    path: &'a Path,
    fd: OwnedFd,
    error: Cell<Option<Error>>,
}

impl Files<'_> {
    fn open(path: &Path) -> Result<Files<'_>> {
        let fd = file::open_directory(path).with_context(|| format!("open {}", path.display()))?;
        Ok(Files {
            path,
            fd,
            error: Cell::new(None),
        })
    }

    /// The first error.
    fn finish(self) -> Result<()> {
        self.error.into_inner().map_or(Ok(()), Err)
    }

    fn fail(&self, name: &str, error: Error) {
        let first = self.error.take();
        let what = || error.wrap(format_args!("read {}", self.path.join(name).display()));
        self.error.set(Some(first.unwrap_or_else(what)));
    }

    /// A file's text; none where the kernel does not have the file.
    fn text(&self, name: &str) -> Option<String> {
        match file::read_text_at(self.fd.as_fd(), name) {
            Ok(text) => return Some(text),
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    || error.raw_os_error() == Some(libc::ENOTSUP) => {}
            Err(error) => self.fail(name, error.into()),
        }
        None
    }

    /// A file's number; none where the kernel does not have the file.
    fn number(&self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        Some(self.parse(name, text.trim()))
    }

    fn or_zero(&self, name: &str) -> u64 {
        self.number(name).unwrap_or(0)
    }

    /// The lines of a file, each a word and a number.
    fn pairs(&self, name: &str) -> Vec<(String, u64)> {
        let text = self.text(name).unwrap_or_default();
        let pair = |line: &str| {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            (key.to_string(), self.parse(name, value))
        };
        text.lines().map(pair).collect()
    }

    fn parse(&self, name: &str, text: &str) -> u64 {
        number(text).unwrap_or_else(|| self.malformed(name, text))
    }

    /// Zero, or none, in place of what was not as expected.
    fn malformed<T: Default>(&self, name: &str, text: &str) -> T {
        self.fail(
            name,
            Error::new(format!("{text:?} is not what it should be")),
        );
        T::default()
    }

    /// The number of a word; 0 where the kernel does not count it.
    fn of(pairs: &[(String, u64)], word: &str) -> u64 {
        let pair = pairs.iter().find(|(known, _)| known == word);
        pair.map_or(0, |(_, value)| *value)
    }

    /// Pressure stall information, where the kernel keeps it.
    fn pressure(&self, name: &str) -> Option<Pressure> {
        let text = self.text(name)?;
        let pressure = pressure(&text);
        if pressure.is_none() {
            self.malformed::<()>(name, &text);
        }
        pressure
    }

    /// The sizes of huge pages that the kernel has, as cgroup files are named after them.
    fn huge_page_sizes(&self) -> Vec<String> {
        let directory = "/sys/kernel/mm/hugepages";
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => Some(entries),
            // A kernel without huge pages.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                self.fail(directory, error.into());
                None
            }
        };
        let size = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let kilobytes = name.strip_prefix("hugepages-")?.strip_suffix("kB")?;
            Some(huge_page_size(kilobytes.parse().ok()?))
        };
        let mut sizes: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(size)
            .collect();
        sizes.sort_unstable();
        sizes
    }
}

/// What the kernel writes for a number: `max` too, and negative ones, by mistake, for small differences.
fn number(text: &str) -> Option<u64> {
    match text {
        "max" => Some(u64::MAX),
        text if text.starts_with('-') => text.parse::<i64>().ok().map(|_| 0),
        text => text.parse().ok(),
    }
}

/// None where the text is not the kernel's.
fn pressure(text: &str) -> Option<Pressure> {
    let mut pressure = Pressure::default();
    for line in text.lines() {
        let mut fields = line.split(' ');
        let to = match fields.next() {
            Some("some") => &mut pressure.some,
            Some("full") => &mut pressure.full,
            _ => continue,
        };
        let mut values = [const { String::new() }; 4];
        for (value, key) in values
            .iter_mut()
            .zip(["avg10=", "avg60=", "avg300=", "total="])
        {
            let field = fields.next()?.strip_prefix(key)?;
            if !is_decimal(field) {
                return None;
            }
            *value = plain(field);
        }
        *to = Some(values).filter(|values| values.iter().any(|value| value != "0"));
    }
    Some(pressure)
}

fn is_decimal(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|c| c.is_ascii_digit() || c == b'.')
}

/// `1.50` as `1.5`, and `0.00` as `0`.
fn plain(number: &str) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').into(),
        false => number.into(),
    }
}

fn huge_page_size(kilobytes: u64) -> String {
    let (shift, unit) = match kilobytes {
        1_048_576.. => (20, "GB"),
        1024.. => (10, "MB"),
        _ => (0, "KB"),
    };
    format!("{}{unit}", kilobytes >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Calls `check` with files of this content.
    pub fn with_files(contents: &[(&str, &str)], check: impl FnOnce(Files<'_>)) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "coracle-unit-stats-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        for (name, text) in contents {
            fs::write(directory.join(name), text).unwrap();
        }
        check(Files::open(&directory).unwrap());
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(
            ["max", "-7", "12", "x"].map(number),
            [Some(u64::MAX), Some(0), Some(12), None]
        );
        assert_eq!(
            ["0.00", "1.50", "0.05", "10", "100.00"].map(plain),
            ["0", "1.5", "0.05", "10", "100"]
        );
        assert_eq!(
            [64, 2048, 1_048_576].map(huge_page_size),
            ["64KB", "2MB", "1GB"]
        );
    }

    #[test]
    fn pressure_of_nothing_is_left_out() {
        let text = "some avg10=1.50 avg60=0.00 avg300=0.05 total=123\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        let some = ["1.5", "0", "0.05", "123"].map(String::from);
        assert_eq!(
            pressure(text),
            Some(Pressure {
                some: Some(some),
                full: None
            })
        );
        assert_eq!(pressure("some avg10=x avg60=0 avg300=0 total=0\n"), None);
        assert_eq!(pressure("some avg10=1\n"), None);
    }
}
