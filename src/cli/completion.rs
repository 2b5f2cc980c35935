//! Completion scripts for shells, from the table.

use super::flags::{COMMANDS, Flag, GLOBAL};
use crate::error::{Error, Result};

/// The script for that shell.
pub fn script(shell: &str) -> Result<String> {
    match shell {
        "bash" => Ok(bash()),
        "zsh" => Ok(format!(
            "#compdef coracle\nautoload -U +X bashcompinit && bashcompinit\n{}",
            bash()
        )),
        "fish" => Ok(fish()),
        _ => Err(Error::new(format!(
            "completion: {shell:?} is unknown: use bash, zsh or fish"
        ))),
    }
}

const BASH: &str = r#"        esac
    done
    if [[ ${COMP_WORDS[COMP_CWORD]} != -* && -n $command ]]; then
        COMPREPLY=($(compgen -f -W "$(coracle list -q 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
    else
        COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
    fi
}
complete -F _coracle coracle
"#;

/// The command is the first word that is one of them: nothing is asked of the value before it.
fn bash() -> String {
    let mut text = String::from("_coracle() {\n    local word command= words=\"--help --version");
    flags(GLOBAL, &mut text);
    for command in COMMANDS.iter().filter(|command| !command.hidden) {
        text.push(' ');
        text.push_str(command.name);
    }
    text.push_str(
        "\"\n    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        \
         [[ -n $command ]] && break\n        case $word in\n",
    );
    for command in COMMANDS {
        let name = command.name;
        text.push_str(&format!(
            "            {name}) command={name} words=\"--help"
        ));
        flags(command.flags, &mut text);
        text.push_str("\" ;;\n");
    }
    text.push_str(BASH);
    text
}

fn flags(flags: &[Flag], text: &mut String) {
    let shown = flags.iter().filter(|flag| !flag.hidden);
    for flag in shown.filter(|flag| flag.name != "help" && flag.name != "version") {
        text.push_str(" --");
        text.push_str(flag.name);
    }
}

fn fish() -> String {
    let mut text = String::from("complete -c coracle -f\n");
    fish_flags(GLOBAL, "__fish_use_subcommand", &mut text);
    for command in COMMANDS.iter().filter(|command| !command.hidden) {
        let (name, help) = (command.name, command.help);
        text.push_str(&format!(
            "complete -c coracle -n __fish_use_subcommand -a {name} -d \"{help}\"\n"
        ));
        let seen = format!("\"__fish_seen_subcommand_from {name}\"");
        fish_flags(command.flags, &seen, &mut text);
        if command.arguments.starts_with("<container-id>") {
            text.push_str(&format!(
                "complete -c coracle -n {seen} -a \"(coracle list -q 2>/dev/null)\"\n"
            ));
        }
    }
    text
}

fn fish_flags(flags: &[Flag], when: &str, text: &mut String) {
    for flag in flags.iter().filter(|flag| !flag.hidden) {
        text.push_str(&format!("complete -c coracle -n {when} -l {}", flag.name));
        if !flag.short.is_empty() {
            text.push_str(" -s ");
            text.push_str(flag.short);
        }
        match flag.value {
            "" => {}
            "path" => text.push_str(" -r -F"),
            _ => text.push_str(" -x"),
        }
        // The help of a flag may name variables; fish is not to expand them.
        let help = flag.help.replace('\\', "\\\\").replace('$', "\\$");
        text.push_str(&format!(" -d \"{help}\"\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_every_command() {
        for shell in ["bash", "zsh", "fish"] {
            let text = script(shell).unwrap();
            for command in COMMANDS.iter().filter(|command| !command.hidden) {
                assert!(text.contains(&format!(" {}", command.name)));
            }
        }
        assert!(script("nosuch").is_err());
    }
}
