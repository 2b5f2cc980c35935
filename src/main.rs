//! Coracle, an OCI container runtime: argv → command → exit status.

#[allow(dead_code, unused_imports)]
mod check;
mod error;
#[allow(dead_code, unused_imports)]
mod oci;

#[allow(dead_code)]
mod program;

fn main() {}
