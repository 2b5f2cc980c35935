//! The arrays of execve(2).

use super::{done, syscall};
use crate::sys::{Errno, Outcome, Path, failed};
use crate::wire::call as step;

/// The null-terminated arrays of pointers that execve(2) takes, built in the program's scratch space.
pub struct Pointers {
    words: &'static mut [usize],
    used: usize,
}

impl Pointers {
    /// Arrays in that space, which is zeroed.
    pub fn new(words: &'static mut [usize]) -> Pointers {
        Pointers { words, used: 0 }
    }

    /// Begins anew: what was built before is forgotten.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Where the next array begins.
    pub fn mark(&self) -> usize {
        self.used
    }

    /// Adds a text, which lives as long as the program does.
    pub fn add(&mut self, text: Path<'_>) -> Outcome {
        self.put(text.as_ptr() as usize)
    }

    /// Ends an array.
    pub fn end(&mut self) -> Outcome {
        self.put(0)
    }

    /// Puts one more text before the end of the last array. The text must live until execve(2).
    pub fn replace_end(&mut self, text: &[u8]) -> Outcome {
        self.used = self.used.saturating_sub(1);
        self.put(text.as_ptr() as usize)?;
        self.end()
    }

    fn put(&mut self, word: usize) -> Outcome {
        match self.words.get_mut(self.used) {
            Some(place) => *place = word,
            None => return failed(step::EXECVE, Errno::INVAL),
        }
        self.used += 1;
        Ok(())
    }

    /// execve(2) with two arrays by where they begin. Returns only when it fails.
    pub fn execve(&self, path: Path<'_>, argv: usize, envp: usize) -> Outcome {
        let at = |mark: usize| {
            self.words
                .get(mark..)
                .map_or(core::ptr::null(), <[usize]>::as_ptr)
        };
        done(syscall!(EXECVE, EXECVE, path.as_ptr(), at(argv), at(envp)))
    }
}
