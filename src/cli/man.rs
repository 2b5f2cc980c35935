//! Manual pages, from the table.

use super::flags::{COMMANDS, Command, Flag, GLOBAL};
use super::help::names;
use super::parse::Matches;
use crate::error::{Error, Result};

/// The page of the command that is named, or else the program's.
pub fn page(matches: &Matches) -> Result<String> {
    if matches.arguments.is_empty() {
        return Ok(program());
    }
    let name = matches.argument(0)?;
    let found = COMMANDS.iter().find(|command| command.name == name);
    found
        .map(command)
        .ok_or_else(|| Error::new(format!("No help topic for '{name}'")))
}

fn program() -> String {
    let mut text = String::from(
        ".TH coracle 8\n.SH NAME\ncoracle \\- Open Container Initiative runtime\n.SH SYNOPSIS\n\
         .B coracle\n[global options] command [command options] [arguments...]\n.SH COMMANDS\n",
    );
    for command in COMMANDS.iter().filter(|command| !command.hidden) {
        item(command.name, command.help, &mut text);
    }
    text.push_str(".SH GLOBAL OPTIONS\n");
    options(GLOBAL, &mut text);
    text
}

fn command(command: &Command) -> String {
    let name = command.name;
    let mut text = format!(".TH coracle-{name} 8\n.SH NAME\ncoracle-{name} \\- ");
    line(command.help, &mut text);
    text.push_str(&format!(
        ".SH SYNOPSIS\n.B coracle {name}\n[command options] "
    ));
    line(command.arguments, &mut text);
    if !command.more.is_empty() {
        text.push_str(".SH DESCRIPTION\n");
        line(command.more, &mut text);
    }
    text.push_str(".SH OPTIONS\n");
    options(command.flags, &mut text);
    item("--help, -h", "show the help", &mut text);
    text.push_str(".SH SEE ALSO\n.BR coracle (8)\n");
    text
}

fn options(flags: &[Flag], text: &mut String) {
    for flag in flags.iter().filter(|flag| !flag.hidden) {
        item(&names(flag, ", "), flag.help, text);
    }
}

fn item(name: &str, help: &str, text: &mut String) {
    text.push_str(".TP\n.B ");
    line(name, text);
    line(help, text);
}

/// A line that roff takes as it is. No text begins with a dot or an apostrophe.
fn line(from: &str, text: &mut String) {
    for character in from.chars() {
        match character {
            '\\' => text.push_str("\\e"),
            '-' => text.push_str("\\-"),
            other => text.push(other),
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_what_the_table_holds() {
        assert!(program().contains(".TP\n.B \\-\\-systemd\\-cgroup\nmake cgroups"));
        for it in COMMANDS {
            let text = command(it);
            assert!(text.starts_with(&format!(".TH coracle-{} 8\n", it.name)));
            for flag in it.flags.iter().filter(|flag| !flag.hidden) {
                let mut wanted = String::new();
                item(&names(flag, ", "), flag.help, &mut wanted);
                assert!(text.contains(&wanted));
                assert!(!flag.help.starts_with(['.', '\'']));
            }
        }
    }
}
