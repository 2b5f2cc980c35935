//! The last steps: working directory, environment, program.

use super::text::{Digits, filled};
use crate::machine::{Machine, c};
use crate::sys::call::{self, AT_FDCWD, O_NOCTTY, O_NONBLOCK, S_IFDIR, S_IFMT, S_IFREG};
use crate::sys::{Errno, Failure, Outcome, Path, failed};
use crate::wire::{List, Text, call as step};

/// Changes the working directory, which must lie below the root: a descriptor of the host's that leaked in
/// would lead outside.
pub fn change_directory(path: Text<'_>) -> Outcome {
    call::chdir(c(path))?;
    if path.bytes() == b"/" {
        return Ok(());
    }
    let mut buffer = [0; 4096];
    match call::getcwd(&mut buffer) {
        Ok(_) if buffer.starts_with(b"/") => Ok(()),
        Err(failure) if !failure.is(Errno::NOENT) => Err(failure),
        _ => failed(step::OUTSIDE_ROOT, Errno::NOENT),
    }
}

/// Finds the user's home in the container's /etc/passwd.
pub fn home(machine: &mut Machine, uid: u32) -> Outcome {
    const PREFIX: &[u8] = b"HOME=";
    let mut digits = Digits::new(uid);
    let mut path = [0; 512];
    let length = lookup(digits.bytes(), &mut path).unwrap_or(0);
    let path: &[u8] = if length == 0 {
        b"/"
    } else {
        path.get(..length).unwrap_or(b"/")
    };
    let text = PREFIX.iter().chain(path);
    machine.home_length = PREFIX.len() + path.len();
    machine
        .home
        .iter_mut()
        .zip(text)
        .for_each(|(to, from)| *to = *from);
    Ok(())
}

/// The sixth field of the line whose third field is `uid`: passwd(5). Its length in `home`.
/// Whatever stands there is the image's: a FIFO would not open, and a device or a vast hole never end.
fn lookup(uid: &[u8], home: &mut [u8]) -> Option<usize> {
    const MOST_READS: usize = 16 * 1024;
    let file = call::openat(AT_FDCWD, Path::of(c"/etc/passwd"), O_NONBLOCK | O_NOCTTY, 0).ok()?;
    if call::stat(file.raw()).ok()?.mode & S_IFMT != S_IFREG {
        return None;
    }
    let (mut field, mut matches, mut digits, mut length) = (0, true, 0, 0);
    let mut buffer = [0; 1024];
    for _ in 0..MOST_READS {
        let read = call::read(file.raw(), &mut buffer)
            .ok()
            .filter(|read| *read > 0)?;
        for &byte in filled(&buffer, read) {
            match byte {
                b':' | b'\n' => {
                    if field == 2 {
                        matches &= digits == uid.len();
                    }
                    if matches && (field == 5 || byte == b'\n' && field > 5) {
                        return Some(length);
                    }
                    field += 1;
                    if byte == b'\n' {
                        (field, matches, digits, length) = (0, true, 0, 0);
                    }
                }
                _ if field == 2 => {
                    matches &= uid.get(digits) == Some(&byte);
                    digits += 1;
                }
                _ if field == 5 && matches => {
                    *home.get_mut(length)? = byte;
                    length += 1;
                }
                _ => {}
            }
        }
    }
    None
}

/// Finds the first candidate that is an executable file.
pub fn find(machine: &mut Machine, candidates: List<'static>) -> Outcome {
    let mut reason = Failure::new(step::LOOKUP, Errno::NOENT);
    for candidate in candidates.iter() {
        match executable(c(candidate)) {
            Ok(()) => {
                machine.program = Some(candidate);
                return Ok(());
            }
            // One that is there but may not be executed says more than others that are not there.
            Err(failure)
                if matches!(failure.errno(), Errno::NOENT | Errno::NOTDIR)
                    && candidates.len() > 1 => {}
            Err(failure) => reason = failure.at(step::LOOKUP),
        }
    }
    Err(reason)
}

fn executable(path: Path<'_>) -> Outcome {
    call::may_execute(path)?;
    // A directory may be "executed" too, in another sense.
    match call::stat_at(AT_FDCWD, path, 0)?.mode & S_IFMT {
        S_IFDIR => failed(step::LOOKUP, Errno::ISDIR),
        _ => Ok(()),
    }
}

/// Adds an array: where it begins.
fn add(machine: &mut Machine, texts: List<'static>) -> Outcome<usize> {
    let start = machine.pointers.mark();
    for text in texts.iter() {
        machine.pointers.add(c(text))?;
    }
    machine.pointers.end()?;
    Ok(start)
}

/// Builds the arrays of execve(2), the environment with or without the home that was looked up: where arguments and
/// environment begin.
pub fn fill(
    machine: &mut Machine,
    argv: List<'static>,
    envp: List<'static>,
    home: bool,
) -> Outcome<(usize, usize)> {
    machine.pointers.clear();
    let arguments = add(machine, argv)?;
    let environment = add(machine, envp)?;
    if home && machine.home_length > 0 {
        machine.pointers.replace_end(&machine.home)?;
    }
    Ok((arguments, environment))
}

/// Executes the user's program.
pub fn exec(machine: &mut Machine, argv: List<'static>, envp: List<'static>) -> Outcome {
    let (arguments, environment) = fill(machine, argv, envp, true)?;
    let first = || argv.iter().next();
    let Some(path) = machine.program.or_else(first).map(c) else {
        return failed(step::LOOKUP, Errno::NOENT);
    };
    let result = machine.pointers.execve(path, arguments, environment);
    match executable(path) {
        Err(reason) if machine.program.is_none() => Err(reason.at(step::LOOKUP)),
        _ => result,
    }
}
