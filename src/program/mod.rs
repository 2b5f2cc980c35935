//! What a configuration compiles to.

pub mod seccomp;
