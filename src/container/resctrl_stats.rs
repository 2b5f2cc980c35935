//! What a class of service in resctrl is given and uses, as runc prints it: Linux's filesystems/resctrl.rst.

use super::resctrl::{self, Class};
use crate::error::{Context, Error, Result};
use crate::json;
use crate::sys::file;
use std::fs;
use std::path::Path;

/// A resource: its name in `info` and in `schemata`; runc's names for what is told of it, for the root's line and for
/// the class's own; and the files of it.
type Resource = (&'static str, [&'static str; 3], &'static [&'static str]);

const RESOURCES: [Resource; 2] = [
    (
        "L3",
        ["l3_cache_info", "l3_cache_schema_root", "l3_cache_schema"],
        &[MASK, "min_cbm_bits", "num_closids"],
    ),
    (
        "MB",
        ["mem_bw_info", "mem_bw_schema_root", "mem_bw_schema"],
        &[
            "bandwidth_gran",
            "delay_linear",
            "min_bandwidth",
            "num_closids",
        ],
    ),
];

/// The only one of the files that holds no decimal number.
const MASK: &str = "cbm_mask";

/// What is counted for each cache: runc's name for the list, and the features and files of the kernel's.
const COUNTS: [(&str, &[&str]); 2] = [
    ("mbm_stats", &["mbm_total_bytes", "mbm_local_bytes"]),
    ("cmt_stats", &["llc_occupancy"]),
];

/// The statistics of a container's class in JSON; an empty object for a container without one.
pub fn json(class: Option<&Class>) -> Result<String> {
    match class {
        Some(class) => statistics(class, &resctrl::root()?),
        None => Ok("{}".into()),
    }
}

fn statistics(class: &Class, root: &Path) -> Result<String> {
    let above = text(&root.join("schemata"))?;
    let own = text(&class.class.join("schemata"))?;
    let mut members = Vec::new();
    for (resource, names, files) in RESOURCES {
        let info = root.join("info").join(resource);
        if !info.exists() {
            continue;
        }
        let value = |name: &&str| {
            let path = info.join(name);
            let value = match *name == MASK {
                true => json::quoted(&text(&path)?),
                false => number(&path)?,
            };
            Ok(member(name, &value))
        };
        let values = files.iter().map(value).collect::<Result<Vec<_>>>()?;
        members.push(member(names[0], &object(&values)));
        for (name, schemata) in [(names[1], &above), (names[2], &own)] {
            let mut lines = schemata.lines().map(str::trim);
            if let Some(line) = lines.rfind(|line| line.starts_with(resource)) {
                members.push(member(name, &json::quoted(line)));
            }
        }
    }
    let lines: Vec<String> = own.lines().map(json::quoted).collect();
    members.push(member("schemata", &list(&lines)));
    monitored(class, root, &mut members)?;
    Ok(object(&members))
}

/// Adds what is counted, in the container's own group where it has one.
fn monitored(class: &Class, root: &Path, members: &mut Vec<String>) -> Result<()> {
    let info = root.join("info/L3_MON");
    if !info.exists() {
        return Ok(());
    }
    let features = text(&info.join("mon_features"))?;
    let has = |feature: &&&str| features.lines().any(|line| line == **feature);
    let group = class.monitor.as_deref().unwrap_or(&class.class);
    let data = group.join("mon_data");
    let caches = names(&data)?;
    for (name, counts) in COUNTS {
        if !counts.iter().any(|count| has(&count)) {
            continue;
        }
        let mut all = Vec::new();
        for cache in &caches {
            let count = |count: &&str| {
                let value = match has(&count) {
                    true => number(&data.join(cache).join(count))?,
                    false => "0".into(),
                };
                Ok(member(count, &value))
            };
            let values = counts.iter().map(count).collect::<Result<Vec<_>>>()?;
            all.push(object(&values));
        }
        members.push(member(name, &list(&all)));
    }
    Ok(())
}

fn member(name: &str, value: &str) -> String {
    ["\"", name, "\":", value].concat()
}

fn object(members: &[String]) -> String {
    ["{", &members.join(","), "}"].concat()
}

fn list(elements: &[String]) -> String {
    ["[", &elements.join(","), "]"].concat()
}

fn names(path: &Path) -> Result<Vec<String>> {
    let what = || format!("open {}", path.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(path).with_context(what)? {
        let name = entry.with_context(what)?.file_name();
        found.push(name.to_string_lossy().into_owned());
    }
    found.sort_unstable();
    Ok(found)
}

fn text(path: &Path) -> Result<String> {
    let text = file::read_text(path).with_context(|| format!("open {}", path.display()))?;
    Ok(text.trim_end().into())
}

fn number(path: &Path) -> Result<String> {
    let text = text(path)?;
    match !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        true => Ok(text),
        false => Err(Error::new(format!(
            "read {}: {text:?} is not a number",
            path.display()
        ))),
    }
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
        let text = statistics(&class, &root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(
            text,
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
        assert_eq!(json(None).unwrap(), "{}");
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let (root, class) = looks_like_resctrl("resctrl-stats-errors");
        let error = || statistics(&class, &root).unwrap_err().to_string();
        let count = class.class.join("mon_data/mon_L3_01/mbm_total_bytes");
        fs::write(&count, "Unavailable\n").unwrap();
        assert!(error().ends_with("mbm_total_bytes: \"Unavailable\" is not a number"));
        fs::remove_file(&count).unwrap();
        assert!(error().ends_with("mbm_total_bytes: no such file or directory"));
        fs::remove_dir_all(&root).unwrap();
    }
}
