//! Parsing, by Go's conventions as runc takes them: `-flag` and `--flag` are the same, values come with `=` or as the
//! next argument.

use super::flags::{COMMANDS, Command, Flag, GLOBAL, Kind};
use crate::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The flags and arguments of a command, or the global flags.
#[derive(Debug, Default)]
pub struct Matches {
    flags: Vec<(&'static str, OsString)>,
    /// What is no flag.
    pub arguments: Vec<OsString>,
}

impl Matches {
    /// Whether a switch is on.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value == "true")
    }

    /// A flag's value: the last one.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.flags
            .iter()
            .rev()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// A flag's value as a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    /// All values of a flag.
    pub fn values(&self, name: &str) -> Vec<String> {
        let all = self.flags.iter().filter(|(known, _)| *known == name);
        all.map(|(_, value)| value.to_string_lossy().into_owned())
            .collect()
    }

    /// A flag's value as a number; 0 when it is not given.
    pub fn number(&self, name: &str) -> Result<u32> {
        let Some(value) = self.value(name) else {
            return Ok(0);
        };
        let number = value.to_str().and_then(|value| value.parse().ok());
        number
            .ok_or_else(|| Error::new(format!("--{name}: {value:?} is not a number of 0 or more")))
    }

    /// An argument as text.
    pub fn argument(&self, index: usize) -> Result<&str> {
        let argument = self
            .arguments
            .get(index)
            .ok_or_else(|| Error::new("container id cannot be empty"))?;
        argument
            .to_str()
            .ok_or_else(|| Error::new(format!("{argument:?} is not UTF-8")))
    }
}

/// A command line, in its parts.
#[derive(Debug)]
pub struct Invocation {
    /// What came before the command.
    pub global: Matches,
    /// The command; none when there was none.
    pub command: Option<&'static Command>,
    /// What came after it.
    pub matches: Matches,
}

/// Parses what follows the program's name.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Invocation> {
    let mut arguments = arguments.peekable();
    let mut global = Matches::default();
    while let Some(argument) = arguments.next_if(|argument| is_flag(argument)) {
        if argument == "--" {
            break;
        }
        take(&argument, GLOBAL, &mut arguments, &mut global)?;
    }
    let Some(name) = arguments.next().filter(|name| name != "help") else {
        return Ok(Invocation {
            global,
            command: None,
            matches: Matches::default(),
        });
    };
    let command = COMMANDS.iter().find(|command| name == command.name);
    let command =
        command.ok_or_else(|| Error::new(format!("No help topic for '{}'", name.display())))?;
    let mut matches = Matches::default();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            matches.arguments.extend(arguments.by_ref());
        } else if is_flag(&argument) {
            take(&argument, command.flags, &mut arguments, &mut matches)?;
        } else {
            matches.arguments.push(argument);
            // What follows exec's container id is the process's own, and ps's is for ps.
            if command.verbatim {
                matches.arguments.extend(arguments.by_ref());
            }
        }
    }
    Ok(Invocation {
        global,
        command: Some(command),
        matches,
    })
}

/// What there is of the global flags, up to the first mistake: enough to know where to log that mistake.
pub fn globals(arguments: impl Iterator<Item = OsString>) -> Matches {
    let mut arguments = arguments.peekable();
    let mut global = Matches::default();
    while let Some(argument) = arguments.next_if(|argument| is_flag(argument)) {
        if argument == "--" || take(&argument, GLOBAL, &mut arguments, &mut global).is_err() {
            break;
        }
    }
    global
}

/// `-` alone and `-9` are arguments.
fn is_flag(argument: &OsStr) -> bool {
    match argument.as_bytes() {
        [b'-', b'-', ..] => true,
        [b'-', first, ..] => first.is_ascii_alphabetic(),
        _ => false,
    }
}

fn take(
    argument: &OsStr,
    flags: &'static [Flag],
    rest: &mut impl Iterator<Item = OsString>,
    matches: &mut Matches,
) -> Result<()> {
    const HELP: Flag = Flag {
        name: "help",
        short: "h",
        kind: Kind::Switch,
        value: "",
        help: "",
        hidden: false,
    };
    let bytes = argument.as_bytes();
    let bytes = bytes
        .strip_prefix(b"--")
        .or_else(|| bytes.strip_prefix(b"-"))
        .unwrap_or(bytes);
    let equals = bytes.iter().position(|byte| *byte == b'=');
    let (name, given) = match equals {
        Some(at) => (
            &bytes[..at],
            Some(OsString::from_vec(bytes[at + 1..].to_vec())),
        ),
        None => (bytes, None),
    };
    let named = |flag: &&Flag| {
        name == flag.name.as_bytes() || !name.is_empty() && name == flag.short.as_bytes()
    };
    let flag = flags.iter().find(named).or(Some(&HELP).filter(named));
    let shown = String::from_utf8_lossy(name);
    let flag =
        flag.ok_or_else(|| Error::new(format!("flag provided but not defined: -{shown}")))?;
    let value = match (flag.kind, given) {
        (Kind::Switch, None) => "true".into(),
        (Kind::Switch, Some(value)) => match value.to_str() {
            Some("true" | "t" | "T" | "1" | "TRUE" | "True" | "") => "true".into(),
            Some("false" | "f" | "F" | "0" | "FALSE" | "False") => "false".into(),
            _ => {
                return Err(Error::new(format!(
                    "invalid boolean value {value:?} for -{shown}: use true or false"
                )));
            }
        },
        (_, Some(value)) => value,
        (_, None) => rest
            .next()
            .ok_or_else(|| Error::new(format!("flag needs an argument: {}", argument.display())))?,
    };
    matches.flags.push((flag.name, value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn flags_take_every_form_of_go() {
        let line =
            parsed("-root=/r --log /l run -b x --detach=false --keep id --pid-file p").unwrap();
        assert_eq!(line.global.value("root").unwrap(), "/r");
        assert_eq!(line.global.value("log").unwrap(), "/l");
        assert_eq!(line.matches.value("bundle").unwrap(), "x");
        assert!(!line.matches.flag("detach") && line.matches.flag("keep"));
        assert_eq!(line.matches.value("pid-file").unwrap(), "p");
        assert_eq!(line.matches.arguments, ["id"]);
    }

    #[test]
    fn what_follows_the_id_of_exec_is_the_command() {
        let line = parsed("exec -e A=1 -env B=2 id ls -d --tty").unwrap();
        assert_eq!(line.matches.values("env"), ["A=1", "B=2"]);
        assert_eq!(line.matches.arguments, ["id", "ls", "-d", "--tty"]);
    }

    #[test]
    fn double_dashes_end_the_flags() {
        let line = parsed("--debug -- run --keep -- --id").unwrap();
        assert!(line.global.flag("debug") && line.matches.flag("keep"));
        assert_eq!(line.matches.arguments, ["--id"]);
    }

    #[test]
    fn a_value_may_look_like_a_flag_or_be_empty() {
        let line = parsed("run --pid-file --keep --bundle= id").unwrap();
        assert_eq!(line.matches.value("pid-file").unwrap(), "--keep");
        assert_eq!(line.matches.value("bundle").unwrap(), "");
        assert!(line.matches.path("bundle").is_none() && !line.matches.flag("keep"));
    }

    #[test]
    fn the_last_of_a_value_counts_and_switches_can_be_taken_back() {
        let line = parsed("run -b a --bundle b --keep=1 --keep=F id").unwrap();
        assert_eq!(line.matches.value("bundle").unwrap(), "b");
        assert!(!line.matches.flag("keep"));
    }

    #[test]
    fn dashes_and_negative_numbers_are_arguments() {
        let line = parsed("kill id -9").unwrap();
        assert_eq!(line.matches.arguments, ["id", "-9"]);
        let line = parsed("kill id --all - ").unwrap();
        assert!(line.matches.flag("all"));
        assert_eq!(line.matches.arguments[1], "-");
    }

    #[test]
    fn what_follows_the_id_of_ps_is_for_ps() {
        let line = parsed("ps -f json id -aux").unwrap();
        assert_eq!(line.matches.value("format").unwrap(), "json");
        assert_eq!(line.matches.arguments, ["id", "-aux"]);
    }

    #[test]
    fn paths_need_not_be_utf8() {
        let bytes = OsString::from_vec(b"--root=/\xff".to_vec());
        let line = parse([bytes, "list".into()].into_iter()).unwrap();
        assert_eq!(line.global.value("root").unwrap().as_bytes(), b"/\xff");
    }

    #[test]
    fn the_log_is_known_though_the_rest_is_wrong() {
        let line = "--log /l --debug nosuch --bad".split(' ');
        let global = globals(line.map(OsString::from));
        assert_eq!(global.value("log").unwrap(), "/l");
        assert!(global.flag("debug"));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |line| parsed(line).unwrap_err().to_string();
        assert_eq!(
            error("run --nosuch id"),
            "flag provided but not defined: -nosuch"
        );
        assert_eq!(error("run id --bundle"), "flag needs an argument: --bundle");
        assert!(error("run --detach=maybe id").contains("invalid boolean value"));
        assert_eq!(error("nosuch"), "No help topic for 'nosuch'");
    }
}
