//! What a class of service in resctrl is given and uses, as runc prints it: Linux's filesystems/resctrl.rst.

use super::resctrl::{self, Class};
use crate::error::{Context, Error, Result};
use crate::json::{self, object};
use crate::sys::file;
use std::fs;
use std::path::Path;

object! {
    #[derive(Debug, Default)]
    struct Statistics {
        l3_cache_info: Option<L3Cache> = "l3_cache_info",
        l3_cache_schema_root: Option<String> = "l3_cache_schema_root",
        l3_cache_schema: Option<String> = "l3_cache_schema",
        mem_bw_info: Option<MemoryBandwidth> = "mem_bw_info",
        mem_bw_schema_root: Option<String> = "mem_bw_schema_root",
        mem_bw_schema: Option<String> = "mem_bw_schema",
        /// All lines of the class's own.
        schemata: Vec<String> = "schemata",
        /// Of each cache.
        traffic: Vec<Traffic> = "mbm_stats",
        occupancy: Vec<Occupancy> = "cmt_stats",
    }
}

object! {
    #[derive(Debug, Default)]
    struct L3Cache {
        cbm_mask: String = "cbm_mask",
        min_cbm_bits: u64 = "min_cbm_bits",
        num_closids: u64 = "num_closids",
    }
}

object! {
    #[derive(Debug, Default)]
    struct MemoryBandwidth {
        bandwidth_gran: u64 = "bandwidth_gran",
        delay_linear: u64 = "delay_linear",
        min_bandwidth: u64 = "min_bandwidth",
        num_closids: u64 = "num_closids",
    }
}

object! {
    /// Bytes that went to memory and came from there.
    #[derive(Debug, Default)]
    struct Traffic {
        total: u64 = always "mbm_total_bytes",
        local: u64 = always "mbm_local_bytes",
    }
}

object! {
    /// Bytes in the cache.
    #[derive(Debug, Default)]
    struct Occupancy {
        bytes: u64 = always "llc_occupancy",
    }
}

/// The statistics of a container's class in JSON; an empty object for a container without one.
pub fn json(class: Option<&Class>) -> Result<String> {
    let statistics = match class {
        Some(class) => Statistics::of(class, &resctrl::root()?)?,
        None => Statistics::default(),
    };
    Ok(String::from_utf8_lossy(&json::text(&statistics)).into_owned())
}

impl Statistics {
    fn of(class: &Class, root: &Path) -> Result<Statistics> {
        let above = text(root, "schemata")?;
        let own = text(&class.class, "schemata")?;
        let mut statistics = Statistics {
            schemata: own.lines().map(String::from).collect(),
            ..Statistics::default()
        };
        let info = root.join("info/L3");
        if info.exists() {
            statistics.l3_cache_info = Some(L3Cache {
                cbm_mask: text(&info, "cbm_mask")?,
                min_cbm_bits: number(&info, "min_cbm_bits")?,
                num_closids: number(&info, "num_closids")?,
            });
            statistics.l3_cache_schema_root = line(&above, "L3");
            statistics.l3_cache_schema = line(&own, "L3");
        }
        let info = root.join("info/MB");
        if info.exists() {
            statistics.mem_bw_info = Some(MemoryBandwidth {
                bandwidth_gran: number(&info, "bandwidth_gran")?,
                delay_linear: number(&info, "delay_linear")?,
                min_bandwidth: number(&info, "min_bandwidth")?,
                num_closids: number(&info, "num_closids")?,
            });
            statistics.mem_bw_schema_root = line(&above, "MB");
            statistics.mem_bw_schema = line(&own, "MB");
        }
        statistics.monitor(class, root)?;
        Ok(statistics)
    }

    fn monitor(&mut self, class: &Class, root: &Path) -> Result<()> {
        let info = root.join("info/L3_MON");
        if !info.exists() {
            return Ok(());
        }
        let features = text(&info, "mon_features")?;
        let has = |feature: &str| features.lines().any(|line| line == feature);
        let (total, local) = (has("mbm_total_bytes"), has("mbm_local_bytes"));
        let group = class.monitor.as_deref().unwrap_or(&class.class);
        let data = group.join("mon_data");
        let what = || format!("open {}", data.display());
        let mut caches = Vec::new();
        for entry in fs::read_dir(&data).with_context(what)? {
            caches.push(entry.with_context(what)?.path());
        }
        caches.sort();
        for cache in caches {
            let count = |there: bool, name| match there {
                true => number(&cache, name),
                false => Ok(0),
            };
            if total || local {
                self.traffic.push(Traffic {
                    total: count(total, "mbm_total_bytes")?,
                    local: count(local, "mbm_local_bytes")?,
                });
            }
            if has("llc_occupancy") {
                let bytes = number(&cache, "llc_occupancy")?;
                self.occupancy.push(Occupancy { bytes });
            }
        }
        Ok(())
    }
}

/// The last line about a resource, as in `    L3:0=7f;1=7f`.
fn line(schemata: &str, resource: &str) -> Option<String> {
    let mut lines = schemata.lines().map(str::trim);
    lines
        .rfind(|line| line.starts_with(resource))
        .map(String::from)
}

fn text(directory: &Path, name: &str) -> Result<String> {
    let path = directory.join(name);
    let text = file::read_text(&path).with_context(|| format!("open {}", path.display()))?;
    Ok(text.trim_end().into())
}

fn number(directory: &Path, name: &str) -> Result<u64> {
    let text = text(directory, name)?;
    text.parse().map_err(|_| {
        let path = directory.join(name);
        Error::new(format!("read {}: {text:?} is not a number", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A directory that looks like resctrl with a class in it.
    fn looks_like_resctrl(name: &str) -> (PathBuf, Class) {
        let root = std::env::temp_dir().join(format!("coracle-unit-{name}-{}", std::process::id()));
        for (path, text) in [
            ("schemata", "    MB:0=100;1=100\n    L3:0=fffff;1=fffff\n"),
            ("info/L3/cbm_mask", "fffff\n"),
            ("info/L3/min_cbm_bits", "1\n"),
            ("info/L3/num_closids", "16\n"),
            ("info/MB/bandwidth_gran", "10\n"),
            ("info/MB/delay_linear", "1\n"),
            ("info/MB/min_bandwidth", "10\n"),
            ("info/MB/num_closids", "8\n"),
            (
                "info/L3_MON/mon_features",
                "llc_occupancy\nmbm_total_bytes\n",
            ),
            ("box/schemata", "    MB:0=20;1=100\n    L3:0=f;1=f\n"),
            ("box/mon_data/mon_L3_00/llc_occupancy", "4096\n"),
            ("box/mon_data/mon_L3_00/mbm_total_bytes", "7\n"),
            ("box/mon_data/mon_L3_01/llc_occupancy", "0\n"),
            ("box/mon_data/mon_L3_01/mbm_total_bytes", "9\n"),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let class = Class {
            class: root.join("box"),
            ..Class::default()
        };
        (root, class)
    }

    #[test]
    fn what_a_class_is_given_and_uses() {
        let (root, class) = looks_like_resctrl("resctrl-stats");
        let text = json::line(&Statistics::of(&class, &root).unwrap());
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(
            text.trim(),
            concat!(
                r#"{"l3_cache_info":{"cbm_mask":"fffff","min_cbm_bits":1,"num_closids":16},"#,
                r#""l3_cache_schema_root":"L3:0=fffff;1=fffff","l3_cache_schema":"L3:0=f;1=f","#,
                r#""mem_bw_info":{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8},"#,
                r#""mem_bw_schema_root":"MB:0=100;1=100","mem_bw_schema":"MB:0=20;1=100","#,
                r#""schemata":["    MB:0=20;1=100","    L3:0=f;1=f"],"#,
                r#""mbm_stats":[{"mbm_total_bytes":7,"mbm_local_bytes":0},{"mbm_total_bytes":9,"mbm_local_bytes":0}],"#,
                r#""cmt_stats":[{"llc_occupancy":4096},{"llc_occupancy":0}]}"#
            )
        );
        assert_eq!(super::json(None).unwrap(), "{}");
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let (root, class) = looks_like_resctrl("resctrl-stats-errors");
        let error = || Statistics::of(&class, &root).unwrap_err().to_string();
        let count = class.class.join("mon_data/mon_L3_01/mbm_total_bytes");
        fs::write(&count, "Unavailable\n").unwrap();
        assert!(error().ends_with("mbm_total_bytes: \"Unavailable\" is not a number"));
        fs::remove_file(&count).unwrap();
        assert!(error().ends_with("mbm_total_bytes: no such file or directory"));
        fs::remove_dir_all(&root).unwrap();
    }
}
