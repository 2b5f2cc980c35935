//! The statistics as runc prints them: which members are left out when they are 0 is part of that.

use super::{BlockIo, Counter, CpuTime, Cpuset, MemoryUse, Pressure, Stats};

/// The members of `cpuset` that are numbers: the files of v1 after `cpuset.`.
pub const CPUSET: [&str; 8] = [
    "cpu_exclusive",
    "mem_hardwall",
    "mem_exclusive",
    "memory_migrate",
    "memory_spread_page",
    "memory_spread_slab",
    "memory_pressure",
    "sched_load_balance",
];

/// The tables of `blkio`.
pub const BLOCK_IO: [&str; 8] = [
    "ioServiceBytesRecursive",
    "ioServicedRecursive",
    "ioQueueRecursive",
    "ioServiceTimeRecursive",
    "ioWaitTimeRecursive",
    "ioMergedRecursive",
    "ioTimeRecursive",
    "sectorsRecursive",
];

/// A document being written.
struct Json(String);

impl Json {
    fn key(&mut self, key: &str) {
        if !self.0.ends_with(['{', '[']) {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    fn open(&mut self, key: &str) {
        self.key(key);
        self.0.push('{');
    }

    fn close(&mut self) {
        self.0.push('}');
    }

    /// A member that is left out when nothing was written into it.
    fn close_unless_empty(&mut self, key: &str) {
        let empty = format!("\"{key}\":{{");
        match self.0.strip_suffix(&empty) {
            Some(rest) => self.0.truncate(rest.trim_end_matches(',').len()),
            None => self.close(),
        }
    }

    fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.0.push_str(value);
    }

    fn number(&mut self, key: &str, value: u64) {
        self.raw(key, &value.to_string());
    }

    fn unless_zero(&mut self, key: &str, value: u64) {
        if value != 0 {
            self.number(key, value);
        }
    }

    fn list(&mut self, key: &str, values: &[u64]) {
        if values.is_empty() {
            return;
        }
        let texts: Vec<String> = values.iter().map(u64::to_string).collect();
        self.raw(key, &format!("[{}]", texts.join(",")));
    }
}

impl Stats {
    pub fn to_json(&self, intel_rdt: &str) -> String {
        let mut json = Json("{".into());
        self.cpu.write(&mut json);
        self.cpuset.write(&mut json);
        self.memory.write(&mut json);
        json.open("pids");
        json.unless_zero("current", self.pids.current);
        json.unless_zero("limit", self.pids.limit);
        json.close();
        self.block_io.write(&mut json);
        json.open("hugetlb");
        for (size, hugetlb) in &self.hugetlb {
            json.open(size);
            json.unless_zero("usage", hugetlb.usage);
            json.unless_zero("max", hugetlb.max);
            json.number("failcnt", hugetlb.failures);
            json.close();
        }
        json.close();
        json.raw("intel_rdt", intel_rdt);
        // Of interfaces that the runtime itself has made: it makes none.
        json.raw("network_interfaces", "null");
        json.close();
        json.0
    }
}

impl CpuTime {
    fn write(&self, json: &mut Json) {
        json.open("cpu");
        let lists = [
            ("percpu", &self.each),
            ("percpu_kernel", &self.each_kernel),
            ("percpu_user", &self.each_user),
        ];
        let idle = self.total == 0 && self.kernel == 0 && self.user == 0;
        if !idle || lists.iter().any(|(_, list)| !list.is_empty()) {
            json.open("usage");
            json.unless_zero("total", self.total);
            for (key, list) in lists {
                json.list(key, list);
            }
            json.number("kernel", self.kernel);
            json.number("user", self.user);
            json.close();
        }
        json.open("throttling");
        json.unless_zero("periods", self.periods);
        json.unless_zero("throttledPeriods", self.throttled_periods);
        json.unless_zero("throttledTime", self.throttled_time);
        json.close_unless_empty("throttling");
        write_pressure(json, &self.pressure);
        json.close();
    }
}

impl Cpuset {
    fn write(&self, json: &mut Json) {
        json.open("cpuset");
        json.list("cpus", &self.cpus);
        json.number(CPUSET[0], self.flags[0]);
        json.list("mems", &self.mems);
        for (key, value) in CPUSET.iter().zip(self.flags).skip(1) {
            json.number(key, value);
        }
        json.raw(
            "sched_relax_domain_level",
            &self.relax_domain_level.to_string(),
        );
        json.close();
    }
}

impl MemoryUse {
    fn write(&self, json: &mut Json) {
        json.open("memory");
        json.unless_zero("cache", self.cache);
        for (key, counter) in [
            ("usage", &self.usage),
            ("swap", &self.swap),
            ("kernel", &self.kernel),
            ("kernelTCP", &self.kernel_tcp),
        ] {
            if *counter == Counter::default() {
                continue;
            }
            json.open(key);
            json.number("limit", counter.limit);
            json.unless_zero("usage", counter.usage);
            json.unless_zero("max", counter.max);
            json.number("failcnt", counter.failures);
            json.close();
        }
        json.open("raw");
        for (key, value) in &self.raw {
            json.number(key, *value);
        }
        json.close_unless_empty("raw");
        write_pressure(json, &self.pressure);
        json.close();
    }
}

impl BlockIo {
    fn write(&self, json: &mut Json) {
        json.open("blkio");
        for (key, table) in BLOCK_IO.iter().zip(&self.tables) {
            if table.is_empty() {
                continue;
            }
            json.key(key);
            let mut before = '[';
            for entry in table {
                json.0.push(before);
                before = ',';
                json.0.push('{');
                json.unless_zero("major", entry.major);
                json.unless_zero("minor", entry.minor);
                if !entry.operation.is_empty() {
                    json.raw("op", &format!("\"{}\"", entry.operation));
                }
                json.unless_zero("value", entry.value);
                json.close();
            }
            json.0.push(']');
        }
        write_pressure(json, &self.pressure);
        json.close();
    }
}

fn write_pressure(json: &mut Json, pressure: &Option<Pressure>) {
    let Some(pressure) = pressure else {
        return;
    };
    json.open("psi");
    for (key, values) in [("some", &pressure.some), ("full", &pressure.full)] {
        let Some(values) = values else {
            continue;
        };
        json.open(key);
        for (key, value) in ["avg10", "avg60", "avg300", "total"].iter().zip(values) {
            json.raw(key, value);
        }
        json.close();
    }
    json.close();
}

#[cfg(test)]
mod tests {
    use super::super::{BlockIoEntry, Hugetlb};
    use super::*;

    #[test]
    fn nothing_is_what_runc_prints_of_nothing() {
        let expected = r#"{"cpu":{},"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},"memory":{},"pids":{},"blkio":{},"hugetlb":{},"intel_rdt":{},"network_interfaces":null}"#;
        assert_eq!(Stats::default().to_json("{}"), expected);
    }

    #[test]
    fn members_are_where_runc_has_them() {
        let mut stats = Stats::default();
        stats.cpu.total = 5;
        stats.cpu.each = vec![2, 3];
        stats.cpu.periods = 1;
        stats.cpuset.cpus = vec![0, 1];
        stats.memory.usage.limit = 9;
        stats.memory.raw.push(("cache".into(), 4));
        stats.memory.pressure = Some(Pressure {
            some: Some(["1.5", "0", "0", "7"].map(String::from)),
            full: None,
        });
        stats.pids.current = 3;
        stats.block_io.tables[0].push(BlockIoEntry {
            major: 8,
            minor: 0,
            operation: "Read".into(),
            value: 12,
        });
        stats.hugetlb.push(("2MB".into(), Hugetlb::default()));
        let json = stats.to_json("{}");
        for part in [
            r#"{"cpu":{"usage":{"total":5,"percpu":[2,3],"kernel":0,"user":0},"throttling":{"periods":1}},"#,
            r#""cpuset":{"cpus":[0,1],"cpu_exclusive":0,"#,
            r#""memory":{"usage":{"limit":9,"failcnt":0},"raw":{"cache":4},"psi":{"some":{"avg10":1.5,"avg60":0,"avg300":0,"total":7}}},"#,
            r#""pids":{"current":3},"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":12}]},"#,
            r#""hugetlb":{"2MB":{"failcnt":0}},"#,
        ] {
            assert!(json.contains(part), "{part} is not in {json}");
        }
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }
}
