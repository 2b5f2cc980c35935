//! Help texts, from the table.

use super::flags::{COMMANDS, Command, Flag, GLOBAL, Kind};

/// The program's help.
pub fn program() -> String {
    let mut text = String::from(
        "NAME:\n   coracle - an OCI container runtime\n\n\
         USAGE:\n   coracle [global options] command [command options] [arguments...]\n\nCOMMANDS:\n",
    );
    for command in COMMANDS {
        text.push_str(&format!("   {:<10} {}\n", command.name, command.help));
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
        ..
    } = command;
    let mut text = format!(
        "NAME:\n   coracle {name} - {help}\n\nUSAGE:\n   coracle {name} [command options] {arguments}\n"
    );
    text.push_str("\nOPTIONS:\n");
    options(command.flags, &mut text);
    text.push_str("   --help, -h                  show this help\n");
    text
}

fn options(flags: &[Flag], text: &mut String) {
    for flag in flags {
        let value = if flag.kind == Kind::Switch {
            ""
        } else {
            " value"
        };
        let short = if flag.short.is_empty() {
            String::new()
        } else {
            format!(", -{}{value}", flag.short)
        };
        let names = format!("--{}{value}{short}", flag.name);
        text.push_str(&format!("   {names:<28}{}\n", flag.help));
    }
}
