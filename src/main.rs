//! Coracle, an OCI container runtime: argv → command → exit status.

mod error;
#[allow(dead_code, unused_imports)]
mod oci;

fn main() {}
