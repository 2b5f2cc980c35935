//! The systemd manager: a container's cgroup is that of a transient scope unit, which systemd makes and removes.
//!
//! Systemd makes no scope without a process in it. So the container's first process is cloned, and waits before it
//! executes anything until its scope is there: one call, and the signal that tells of its end.

mod bus;
mod dial;
mod line;
pub(super) mod properties;
mod reader;
mod value;

use crate::error::{Context, Error, Result};
use crate::json::object;
use crate::log;
use crate::oci::Resources;
use bus::{Bus, Refusal};
use line::Line;
use properties::Property;
use std::path::Path;
use value::{Value, Writer};

use super::Wanted;
use super::devices::Policy;

/// Annotations that are unit properties.
const PROPERTY: &str = "org.systemd.property.";
/// The annotation, of crun, that names a cgroup below the unit's for the processes.
const SUBGROUP: &str = "run.oci.systemd.subgroup";
const SLICE: &str = ".slice";

object! {
    /// A container's unit.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Unit {
        /// Such as `runc-first.scope`.
        pub name: String = required "name",
        /// The slice that it is in, such as `system.slice`.
        pub slice: String = required "slice",
        /// It is the user's systemd that has it.
        pub user: bool = required "user",
        /// The cgroup below the unit's in which the processes are.
        pub subgroup: Option<String> = "subgroup",
        ;
        /// What the annotations ask for.
        extra: Vec<(String, Value)>,
        description: String,
        line: Line,
    }
}

impl Unit {
    /// The unit for `linux.cgroupsPath`, `slice:prefix:name`, or for the container's id.
    pub fn plan(wanted: &Wanted<'_>) -> Result<Unit> {
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(Error::new(
                "systemd not running on this host, cannot use systemd cgroups manager",
            ));
        }
        Unit::wanted(wanted)
    }

    /// The same, wherever it is for.
    pub(super) fn wanted(wanted: &Wanted<'_>) -> Result<Unit> {
        let path = wanted.path.filter(|path| !path.is_empty());
        let unit = Unit::named(path, wanted.id, wanted.rootless.applies())?;
        let subgroup = match wanted
            .annotations
            .get(SUBGROUP)
            .filter(|name| !name.is_empty())
        {
            Some(name) if name.contains('/') || name.starts_with('.') => {
                return Err(Error::new(format!(
                    "annotations: {SUBGROUP}={name}: must be a name without slashes"
                )));
            }
            name => name.cloned(),
        };
        let extra = wanted.annotations.iter().filter_map(|(key, text)| {
            let name = key.strip_prefix(PROPERTY)?;
            let property = annotated(name, text);
            Some(property.with_context(|| format!("annotation {key}={text:?} value parse error")))
        });
        Ok(Unit {
            subgroup,
            extra: extra.collect::<Result<_>>()?,
            ..unit
        })
    }

    fn named(path: Option<&str>, id: &str, user: bool) -> Result<Unit> {
        // The one letter of an id that no unit's name may have, as systemd-escape(1) writes it.
        let id = id.replace('+', "\\x2b");
        let (slice, prefix, name) = match path.map(|path| path.split(':').collect::<Vec<_>>()) {
            None => ("", "runc", id.as_str()),
            Some(parts) => match parts[..] {
                [slice, prefix, name] => (slice, prefix, name),
                _ => {
                    return Err(Error::new(format!(
                        "linux.cgroupsPath: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {:?} instead",
                        path.unwrap_or_default()
                    )));
                }
            },
        };
        let slice = match (slice, user) {
            ("", true) => "user.slice",
            ("", false) => "system.slice",
            (slice, _) => slice,
        };
        expand_slice(slice)?;
        if name.ends_with(SLICE) {
            return Err(Error::new(format!(
                "linux.cgroupsPath: {name}: a container is put into a scope, and a slice takes no processes: leave {SLICE} out"
            )));
        }
        let unit = [prefix, "-", name, ".scope"].concat();
        let valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        if name.is_empty() || unit.len() > 255 || !unit.chars().all(valid) {
            return Err(Error::new(format!(
                "linux.cgroupsPath: {unit:?} is no name of a unit: at most 255 letters, digits, and `:-_.\\@`"
            )));
        }
        Ok(Unit {
            name: unit,
            slice: slice.into(),
            user,
            subgroup: None,
            extra: Vec::new(),
            description: String::from("libcontainer container ") + name,
            line: Line::default(),
        })
    }

    /// Its cgroup below the one of its systemd, as systemd nests slices: `/a.slice/a-b.slice/runc-x.scope`.
    pub fn cgroup(&self) -> Result<String> {
        Ok(expand_slice(&self.slice)? + "/" + &self.name)
    }

    /// The cgroup of its systemd, of which our `own` tells: a user's, such as `/user.slice/user-7.slice/user@7.service`, is
    /// above our own.
    pub fn base<'a>(&self, own: &'a str) -> &'a str {
        const SERVICE: &str = ".service";
        let user = own.find("/user@").filter(|_| self.user);
        let end = user.and_then(|at| Some(at + own[at..].find(SERVICE)? + SERVICE.len()));
        &own[..end.unwrap_or(0)]
    }

    /// Connects to systemd, whom [`Unit::start`] is to ask soon.
    pub fn dial(&self) {
        self.line.dial(&self.name, self.user);
    }

    /// Closes the connection that is kept for [`Unit::stop`].
    pub fn hang_up(&self) {
        self.line.hang_up();
    }

    /// Makes the unit, with the process in it. The limits are in its properties.
    pub fn start(
        &self,
        pid: i32,
        resources: &mut Resources,
        policy: &Policy,
        unified: bool,
    ) -> Result<()> {
        let io = if unified {
            "IOAccounting"
        } else {
            "BlockIOAccounting"
        };
        let on = || Value::Bool(true);
        let fixed = [
            ("Description", Value::text(&self.description)),
            ("Slice", Value::text(&self.slice)),
            ("Delegate", on()),
            (
                "PIDs",
                Value::Array("u".into(), vec![Value::Number(b'u', pid as u64)]),
            ),
            ("MemoryAccounting", on()),
            ("CPUAccounting", on()),
            (io, on()),
            ("TasksAccounting", on()),
            ("DefaultDependencies", Value::Bool(false)),
        ];
        let mut limits = properties::of(resources, Some(policy), unified)?;
        limits.extend(properties::at_start(resources).filter(|_| unified));
        let what = || format!("unable to start unit {:?}", self.name);
        let mut cleared = false;
        loop {
            let body = |writer: &mut Writer| {
                writer.text(&self.name);
                writer.text("replace");
                writer.array(8, |writer| {
                    fixed
                        .iter()
                        .for_each(|(name, value)| property(writer, name, value));
                    self.extra
                        .iter()
                        .for_each(|(name, value)| property(writer, name, value));
                    limits
                        .iter()
                        .for_each(|limit| property(writer, limit.name, &limit.value));
                });
                // No auxiliary units.
                writer.array(8, |_| {});
            };
            let mut bus = self.line.take(&self.name, self.user)?;
            match bus.run_job("StartTransientUnit", "ssa(sv)a(sa(sv))", &body) {
                Ok(result) if result == "done" => {
                    self.line.keep(bus);
                    return Ok(());
                }
                Ok(result) => {
                    self.reset(&mut bus);
                    return Err(Error::new(format!("got `{result}`")).wrap(what()));
                }
                // One that has failed is kept until it is reset.
                Err(refusal) if refusal.name.ends_with(".UnitExists") && !cleared => {
                    self.reset(&mut bus);
                    cleared = true;
                }
                Err(refusal) if refusal.name.ends_with(".UnitExists") => {
                    return Err(refusal
                        .text
                        .wrap("linux.cgroupsPath: container's cgroup is not empty"));
                }
                Err(refusal) => {
                    do_without(&mut limits, refusal).map_err(|error| error.wrap(what()))?;
                }
            }
        }
    }

    /// Changes the limits. Without a policy, devices stay as they are.
    pub fn set(
        &self,
        resources: &mut Resources,
        policy: Option<&Policy>,
        unified: bool,
    ) -> Result<()> {
        let mut limits = properties::of(resources, policy, unified)?;
        while !limits.is_empty() {
            let mut bus = Bus::connect(self.user)?;
            let result = bus.call("SetUnitProperties", "sba(sv)", &|writer| {
                writer.text(&self.name);
                // Until the next boot only.
                writer.u32(1);
                writer.array(8, |writer| {
                    limits
                        .iter()
                        .for_each(|limit| property(writer, limit.name, &limit.value));
                });
            });
            match result {
                Ok(_) => return Ok(()),
                Err(refusal) => do_without(&mut limits, refusal)
                    .map_err(|error| error.wrap("unable to set unit properties"))?,
            }
        }
        Ok(())
    }

    /// Moves a process of ours into a cgroup of the unit, by its absolute path from there.
    pub fn attach(&self, path: &str, pid: i32) -> Result<()> {
        let mut bus = Bus::connect(self.user)?;
        bus.call("AttachProcessesToUnit", "ssau", &|writer| {
            writer.text(&self.name);
            writer.text(path);
            writer.array(4, |writer| writer.u32(pid as u32));
        })?;
        Ok(())
    }

    /// Stops the unit, which ends all processes in it, and has systemd forget it. One that is gone is stopped.
    pub fn stop(&self) -> Result<()> {
        let mut bus = self.line.take(&self.name, self.user)?;
        let result = bus.run_job("StopUnit", "ss", &|writer| {
            writer.text(&self.name);
            writer.text("replace");
        });
        match result {
            Ok(result) if result != "done" => {
                log::warn(&format!(
                    "error removing unit `{}`: got `{result}`",
                    self.name
                ));
            }
            Ok(_) => {}
            Err(refusal) if refusal.name.ends_with(".NoSuchUnit") => return Ok(()),
            Err(refusal) => {
                return Err(refusal
                    .text
                    .wrap(format_args!("unable to stop unit {:?}", self.name)));
            }
        }
        if !self.is_forgotten() {
            self.reset(&mut bus);
        }
        Ok(())
    }

    /// Whether systemd is known to have no such unit: it has a file for each transient one, systemd.unit(5). Old versions
    /// have not.
    pub fn is_forgotten(&self) -> bool {
        let files = dial::transient(self.user);
        files.is_some_and(|files| files.is_dir() && !files.join(&self.name).exists())
    }

    /// Has systemd forget it, if it has failed. That it is not there, or not failed, is as well.
    fn reset(&self, bus: &mut Bus) {
        let result = bus.call("ResetFailedUnit", "s", &|writer| writer.text(&self.name));
        if let Err(refusal) = result {
            log::debug(format_args!(
                "ResetFailedUnit {}: {}",
                self.name, refusal.text
            ));
        }
    }
}

fn property(writer: &mut Writer, name: &str, value: &Value) {
    writer.align(8);
    writer.text(name);
    writer.variant(value);
}

/// Takes out the property that systemd refused, if it can be done without; else that is the error.
fn do_without(limits: &mut Vec<Property>, refusal: Refusal) -> Result<()> {
    let said = refusal.text.to_string();
    let blamed = |limit: &Property| limit.optional && said.contains(limit.name);
    match limits.iter().position(blamed) {
        Some(at) => {
            let name = limits.remove(at).name;
            log::debug(format_args!(
                "systemd is too old for {name}, which is set in the cgroup's files alone: {said}"
            ));
            Ok(())
        }
        None => Err(refusal.text),
    }
}

/// A slice's place among slices: `a-b.slice` is `/a.slice/a-b.slice`, and `-.slice` is the root.
fn expand_slice(slice: &str) -> Result<String> {
    let name = slice.strip_suffix(SLICE);
    if name == Some("-") {
        return Ok(String::new());
    }
    let valid = |name: &&str| !name.contains('/') && !name.split('-').any(str::is_empty);
    let Some(name) = name.filter(valid) else {
        return Err(Error::new(format!(
            "linux.cgroupsPath: invalid slice name: {slice:?} (such as `system.slice` or `a-b.slice`)"
        )));
    };
    let ends = name
        .match_indices('-')
        .map(|(at, _)| at)
        .chain([name.len()]);
    let path = ends.map(|end| ["/", &name[..end], SLICE].concat());
    Ok(path.collect())
}

/// The property of an annotation. As unit files have times in seconds and D-Bus in microseconds, a name that ends in
/// `Sec` becomes `USec`.
fn annotated(name: &str, text: &str) -> Result<(String, Value)> {
    if name.len() < 3 || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(Error::new(format!(
            "{name:?} is no name of a property: at least three letters"
        )));
    }
    let value = value::parse(text)?;
    match name.strip_suffix("Sec") {
        Some(stem) if stem.ends_with(|c: char| c.is_ascii_lowercase()) => Ok((
            String::from(stem) + "USec",
            Value::number(microseconds(&value)?),
        )),
        _ => Ok((name.into(), value)),
    }
}

fn microseconds(seconds: &Value) -> Result<u64> {
    match seconds {
        Value::Number(_, seconds) => Ok(seconds.wrapping_mul(1_000_000)),
        Value::Double(seconds) => Ok((seconds * 1e6) as u64),
        _ => Err(Error::new("not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_named() {
        let named = |path| Unit::named(path, "id", false);
        let unit = named(None).unwrap();
        assert_eq!(
            (unit.name.as_str(), unit.slice.as_str()),
            ("runc-id.scope", "system.slice")
        );
        let unit = Unit::named(None, "a+b", false).unwrap();
        assert_eq!(unit.name, "runc-a\\x2bb.scope");
        let unit = named(Some("a-b.slice:docker:x")).unwrap();
        assert_eq!(unit.cgroup().unwrap(), "/a.slice/a-b.slice/docker-x.scope");
        assert_eq!(
            Unit::named(Some("::x"), "id", true).unwrap().slice,
            "user.slice"
        );
        assert_eq!(
            named(Some("-.slice:p:x")).unwrap().cgroup().unwrap(),
            "/p-x.scope"
        );
        for wrong in [
            "/a/b",
            "a:b",
            "a.slice:b:c:d",
            "a:b:c",
            "a--b.slice:p:n",
            "-a.slice:p:n",
            "a/b.slice:p:n",
            ".slice:p:n",
            "a.slice:p:",
            "a.slice:p:x.slice",
            "a.slice:p:x'y",
            "a.slice:p/q:x",
        ] {
            assert!(named(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_users_units_are_below_its_systemd() {
        let own = "/user.slice/user-7.slice/user@7.service/app.slice/x.scope";
        let unit = |user| Unit::named(None, "id", user).unwrap();
        assert_eq!(unit(true).base(own), &own[..39]);
        assert_eq!(unit(false).base(own), "");
        assert_eq!(unit(true).base("/init.scope"), "");
    }

    #[test]
    fn annotations_become_properties() {
        let usec = |text| annotated("TimeoutStopSec", text).unwrap();
        for text in ["234", "byte 234", "int16 234", "uint64 234", "double 234"] {
            assert_eq!(
                usec(text),
                ("TimeoutStopUSec".into(), Value::number(234_000_000))
            );
        }
        assert_eq!(usec("234.789").1, Value::number(234_789_000));
        assert_eq!(annotated("FOOSec", "123").unwrap().0, "FOOSec");
        assert_eq!(annotated("Sec", "123").unwrap().0, "Sec");
        assert_eq!(
            annotated("CollectMode", "'inactive-or-failed'").unwrap().1,
            Value::text("inactive-or-failed")
        );
        for (name, text) in [
            ("TimeoutStopSec", "false"),
            ("TimeoutStopSec", "'x'"),
            ("Xo", "1"),
            ("Number1", "1"),
            ("ValidName", "invalid-value"),
        ] {
            assert!(annotated(name, text).is_err(), "{name}={text}");
        }
    }
}
