//! Coracle, an OCI container runtime: argv → command → exit status.

// `main` is in `sys::entry`.
#![cfg_attr(not(test), no_main)]
// clippy.toml says what must not be called, and why: none of it matters in tests.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod cgroup;
mod check;
mod cli;
mod container;
mod criu;
mod error;
#[cfg(test)]
mod fuzz;
mod json;
mod log;
// The whole of the specification, also what no command asks for yet.
#[allow(dead_code, unused_imports)]
mod oci;
mod path;
mod program;
mod sys;

/// The whole of it; what it returns is the exit status.
#[cfg_attr(test, allow(dead_code))]
fn run(arguments: Vec<std::ffi::OsString>) -> u8 {
    cli::run(arguments)
}
