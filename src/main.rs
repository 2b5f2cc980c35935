//! Coracle, an OCI container runtime: argv → command → exit status.

mod error;

fn main() {}
