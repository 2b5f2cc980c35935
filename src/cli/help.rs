//! Help texts, from the table.

use super::flags::{COMMANDS, Command, Flag, GLOBAL};

/// The program's help.
pub fn program() -> String {
    let mut text = String::from(
        "NAME:\n   coracle - Open Container Initiative runtime\n\n\
         USAGE:\n   coracle [global options] command [command options] [arguments...]\n\nCOMMANDS:\n",
    );
    for command in COMMANDS.iter().filter(|command| !command.hidden) {
        row(command.name, 13, command.help, &mut text);
    }
    text.push_str("\nGLOBAL OPTIONS:\n");
    options(GLOBAL, &mut text);
    text
}

/// A command's help.
pub fn command(command: &Command) -> String {
    let Command {
        name,
        arguments,
        help,
        more,
        ..
    } = command;
    let mut text = format!(
        "NAME:\n   coracle {name} - {help}\n\nUSAGE:\n   coracle {name} [command options] {arguments}\n"
    );
    if !more.is_empty() {
        text.push_str("\nDESCRIPTION:\n   ");
        text.push_str(more);
        text.push('\n');
    }
    text.push_str("\nOPTIONS:\n");
    options(command.flags, &mut text);
    row("--help, -h", 30, "show this help", &mut text);
    text
}

fn options(flags: &[Flag], text: &mut String) {
    for flag in flags.iter().filter(|flag| !flag.hidden) {
        row(&names(flag, ", "), 30, flag.help, text);
    }
}

/// A flag's names and value, as the help has them: `--env value, -e value`.
pub fn names(flag: &Flag, between: &str) -> String {
    let mut text = String::new();
    for (dashes, name) in [("--", flag.name), ("-", flag.short)] {
        if name.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str(between);
        }
        text.push_str(dashes);
        text.push_str(name);
        if !flag.value.is_empty() {
            text.push(' ');
            text.push_str(flag.value);
        }
    }
    text
}

fn row(left: &str, width: usize, right: &str, text: &mut String) {
    text.push_str("   ");
    text.push_str(left);
    let blanks = width.saturating_sub(left.len()).max(2);
    text.extend(std::iter::repeat_n(' ', blanks));
    text.push_str(right);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_help() {
        for it in COMMANDS {
            let text = command(it);
            assert!(text.starts_with(&format!("NAME:\n   coracle {} - ", it.name)));
            assert!(text.contains("USAGE:") && text.contains("--help, -h"));
            for flag in it.flags {
                assert_eq!(text.contains(&names(flag, ", ")), !flag.hidden);
                assert!(flag.short.len() < 2 && !flag.help.is_empty());
            }
            assert_eq!(program().contains(&format!("   {} ", it.name)), !it.hidden);
        }
        assert!(!program().contains("--criu"));
    }

    #[test]
    fn names_are_told_apart() {
        for flags in COMMANDS.iter().map(|it| it.flags).chain([GLOBAL]) {
            let all = flags.iter().flat_map(|flag| [flag.name, flag.short]);
            let mut all: Vec<_> = all.filter(|name| !name.is_empty()).collect();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count);
        }
    }
}
