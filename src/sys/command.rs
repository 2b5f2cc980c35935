//! Programs of the host's, run as children: hooks, criu(8), ps(1), newuidmap(1).

use super::image;
use super::process::{self, Ended};
use crate::error::Result;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;

/// The size of the child's stack, in bytes.
const STACK_BYTES: usize = 64 << 10;

/// A program to be run, and what it finds.
#[derive(Default)]
pub struct Command<'a> {
    /// Its file; looked for in our PATH when there is no slash in it.
    pub program: &'a str,
    /// Its arguments, of which the first is its own name.
    pub arguments: Vec<&'a [u8]>,
    /// Its environment, if it is not ours.
    pub environment: Option<Vec<&'a [u8]>>,
    /// Its working directory, if it is not ours.
    pub directory: Option<&'a Path>,
    /// Its standard input, output and error, if they are not ours.
    pub streams: [Option<BorrowedFd<'a>>; 3],
    /// What the child does first.
    pub begin: Option<&'a dyn Fn() -> Result<()>>,
}

/// What the child is given, and what it gives back when it could not execute the program.
struct Start<'a> {
    command: &'a Command<'a>,
    program: CString,
    directory: Option<CString>,
    argv: *const *const c_char,
    envp: *const *const c_char,
    error: Option<io::Error>,
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

impl Command<'_> {
    /// Starts it: its pid. What it cannot be executed for is an error, too.
    pub fn start(&self) -> io::Result<i32> {
        let arguments = Array::new(&self.arguments)?;
        let environment = self.environment.as_deref().map(Array::new).transpose()?;
        let directory = self
            .directory
            .map(|path| CString::new(path.as_os_str().as_bytes()));
        let mut start = Start {
            command: self,
            program: CString::new(self.program)?,
            directory: directory.transpose()?,
            argv: arguments.pointers.as_ptr(),
            envp: match &environment {
                Some(array) => array.pointers.as_ptr(),
                // SAFETY: we have no threads, and change nothing of our environment.
                None => unsafe { environ },
            },
            error: None,
        };
        let mut stack: Vec<u8> = Vec::with_capacity(STACK_BYTES);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the child uses our memory, with a stack of its own in it, which grows down from its end; we have no
        // threads, and wait until it has executed the program or has ended. All that it was given lives so long.
        let pid = unsafe {
            let end = stack.as_mut_ptr().add(STACK_BYTES);
            let top = end.sub(end.addr() % 16).cast::<c_void>();
            libc::clone(child, top, flags, (&raw mut start).cast())
        };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        let Some(error) = start.error else {
            return Ok(pid);
        };
        let _ = process::ended(pid);
        Err(error)
    }
}

/// Runs a program without input, and waits for it: how it has ended, what it put out, and its errors.
pub fn output(program: &str, arguments: Vec<&[u8]>) -> io::Result<(Ended, String, String)> {
    let null = File::open("/dev/null")?;
    let (stdout, stderr) = (image::memory_file(0)?, image::memory_file(0)?);
    let streams = [&null, &stdout, &stderr].map(|file| Some(file.as_fd()));
    let command = Command {
        program,
        arguments,
        streams,
        ..Command::default()
    };
    let ended = process::ended(command.start()?)?;
    let text = |mut file: &File| {
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok((ended, text(&stdout)?, text(&stderr)?))
}

/// Texts as execve(2) takes them.
struct Array {
    _texts: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Array {
    fn new(texts: &[&[u8]]) -> io::Result<Array> {
        let mut owned = Vec::with_capacity(texts.len());
        for text in texts {
            owned.push(CString::new(*text)?);
        }
        let pointers = owned.iter().map(|text| text.as_ptr());
        let pointers = pointers.chain([null()]).collect();
        Ok(Array {
            _texts: owned,
            pointers,
        })
    }
}

/// The child's life, up to the program.
extern "C" fn child(start: *mut c_void) -> c_int {
    // SAFETY: this is what it was started with, and our parent waits.
    let start = unsafe { &mut *start.cast::<Start<'_>>() };
    if let Err(error) = execute(start) {
        start.error = Some(error);
    }
    127
}

fn execute(start: &Start<'_>) -> io::Result<()> {
    let check = |result: c_int| match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    if let Some(begin) = start.command.begin {
        begin().map_err(|error| io::Error::other(error.to_string()))?;
    }
    // SAFETY: numbers, and C strings and arrays that outlive the calls; this process is a child of ours, which has
    // signal handlers and descriptors of its own.
    unsafe {
        for (to, stream) in (0..).zip(&start.command.streams) {
            if let Some(stream) = stream {
                check(libc::dup2(stream.as_raw_fd(), to))?;
            }
        }
        if let Some(directory) = &start.directory {
            check(libc::chdir(directory.as_ptr()))?;
        }
        // As we ignore SIGPIPE, and hold back signals while we wait for others.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        check(libc::sigprocmask(
            libc::SIG_SETMASK,
            &raw const none,
            std::ptr::null_mut(),
        ))?;
        if start.command.program.contains('/') {
            libc::execve(start.program.as_ptr(), start.argv, start.envp);
        } else {
            libc::execvp(start.program.as_ptr(), start.argv);
        }
    }
    Err(io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_run_and_heard() {
        let script = b"printf %s \"$0\"; echo no >&2; exit 7";
        let (ended, printed, errors) = output("sh", vec![b"sh", b"-c", script, b"name"]).unwrap();
        assert_eq!((ended.code(), ended.signal()), (Some(7), None));
        assert_eq!((printed.as_str(), errors.as_str()), ("name", "no\n"));
        let (ended, ..) = output("sh", vec![b"sh", b"-c", b"kill -KILL $$"]).unwrap();
        assert_eq!((ended.code(), ended.signal()), (None, Some(9)));
        let error = output("no-such-program", vec![b"x"]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_child_alone_begins() {
        let begin = || {
            // SAFETY: takes a number only.
            unsafe { libc::umask(0o027) };
            Ok(())
        };
        let command = |begin| Command {
            program: "/bin/sh",
            arguments: vec![b"sh", b"-c", b"[ $(umask) = 0027 ]"],
            begin: Some(begin),
            ..Command::default()
        };
        let failure = |pid: i32| process::ended(pid).unwrap().failure();
        assert_eq!(failure(command(&begin).start().unwrap()), None);
        let idle = || Ok(());
        let status = failure(command(&idle).start().unwrap());
        assert_eq!(status.as_deref(), Some("exit status 1"));
        let fails = || Err(crate::error::Error::new("not today"));
        let error = command(&fails).start().unwrap_err();
        assert_eq!(error.to_string(), "not today");
    }

    #[test]
    fn an_environment_of_its_own_is_the_childs() {
        let command = Command {
            program: "/bin/sh",
            arguments: vec![b"sh", b"-c", b"[ \"$A-${HOME-none}-$PWD\" = x=y-none-/ ]"],
            environment: Some(vec![b"A=x=y", b"PATH=/bin"]),
            directory: Some(Path::new("/")),
            ..Command::default()
        };
        let ended = process::ended(command.start().unwrap()).unwrap();
        assert_eq!(ended.failure(), None);
    }
}
