//! The last steps: working directory, environment, program.

use super::text::Digits;
use crate::machine::{Failure, Machine, Outcome, Step, c};
use crate::sys::Errno;
use crate::sys::call::{self, AT_FDCWD, O_NOCTTY, O_NONBLOCK, S_IFDIR, S_IFMT, S_IFREG};
use crate::wire::{List, Text, call as step};
use core::ffi::CStr;

/// Changes the working directory, which must lie below the root: a descriptor of the host's that leaked in
/// would lead outside.
pub fn change_directory(path: Text<'_>) -> Outcome {
    call::chdir(c(path)?).step(step::CHDIR)?;
    if path.bytes() == b"/" {
        return Ok(());
    }
    let mut buffer = [0; 4096];
    match call::getcwd(&mut buffer) {
        Ok(_) if buffer.starts_with(b"/") => Ok(()),
        Ok(_) | Err(Errno::NOENT) => Err(Failure::new(step::OUTSIDE_ROOT, Errno::NOENT)),
        Err(errno) => Err(Failure::new(step::GETCWD, errno)),
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
    let file = call::openat(AT_FDCWD, c"/etc/passwd", O_NONBLOCK | O_NOCTTY, 0).ok()?;
    if call::stat(file.raw()).ok()?.mode & S_IFMT != S_IFREG {
        return None;
    }
    let (mut field, mut matches, mut digits, mut length) = (0, true, 0, 0);
    let mut buffer = [0; 1024];
    for _ in 0..MOST_READS {
        let read = call::read(file.raw(), &mut buffer)
            .ok()
            .filter(|read| *read > 0)?;
        for &byte in buffer.get(..read).unwrap_or(&[]) {
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
    let mut reason = Errno::NOENT;
    for candidate in candidates.iter() {
        match executable(c(candidate)?) {
            Ok(()) => {
                machine.program = Some(candidate);
                return Ok(());
            }
            // One that is there but may not be executed says more than others that are not there.
            Err(Errno::NOENT | Errno::NOTDIR) if candidates.len() > 1 => {}
            Err(errno) => reason = errno,
        }
    }
    Err(Failure::new(step::LOOKUP, reason))
}

fn executable(path: &CStr) -> crate::sys::Result<()> {
    call::may_execute(path)?;
    // A directory may be "executed" too, in another sense.
    match call::stat_at(AT_FDCWD, path, 0)?.mode & S_IFMT {
        S_IFDIR => Err(Errno::ISDIR),
        _ => Ok(()),
    }
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
    let arguments = machine.pointers.mark();
    for text in argv.iter() {
        machine.pointers.add(c(text)?).step(step::EXECVE)?;
    }
    machine.pointers.end().step(step::EXECVE)?;
    let environment = machine.pointers.mark();
    for text in envp.iter() {
        machine.pointers.add(c(text)?).step(step::EXECVE)?;
    }
    machine.pointers.end().step(step::EXECVE)?;
    if home && machine.home_length > 0 {
        machine
            .pointers
            .replace_end(&machine.home)
            .step(step::EXECVE)?;
    }
    Ok((arguments, environment))
}

/// Executes the user's program.
pub fn exec(machine: &mut Machine, argv: List<'static>, envp: List<'static>) -> Outcome {
    let (arguments, environment) = fill(machine, argv, envp, true)?;
    let program = machine
        .program
        .ok_or(Failure::new(step::LOOKUP, Errno::NOENT))?;
    let errno = machine.pointers.execve(c(program)?, arguments, environment);
    Err(Failure::new(step::EXECVE, errno))
}
