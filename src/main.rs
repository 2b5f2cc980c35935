//! Coracle, an OCI container runtime: argv → command → exit status.

mod cgroup;
mod check;
mod cli;
mod container;
mod error;
mod log;
// The whole of the specification, also what no command asks for yet.
#[allow(dead_code, unused_imports)]
mod oci;
mod program;
mod sys;

fn main() -> std::process::ExitCode {
    sys::ensure_stdio();
    cli::run(std::env::args_os().skip(1)).into()
}
