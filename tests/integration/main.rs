//! Real containers on the real kernel: the tests make a busybox bundle, edit its configuration in code, run the
//! binary, and look at the container from inside and from outside. They need root and `busybox-static`.
//!
//! With `CORACLE_TEST_OLD_KERNEL` set, all of them run as on a kernel that lacks openat2(2) and the new mount API.
//! With `CORACLE_TEST_CGROUPS=systemd`, cgroups are made by systemd, where it runs.
//! `CORACLE_TEST_BINARY` names another runtime to run them with (tests of what only Coracle does are then skipped).

// clippy.toml is for the runtime.
#![allow(clippy::disallowed_methods)]

#[macro_use]
mod harness;
#[macro_use]
mod limits;

mod added;
mod apparmor;
mod binds;
mod cgroups;
mod cli;
mod config;
mod criu;
mod crun;
mod delegation;
mod devices;
mod engines;
mod events;
mod exec;
mod failure;
mod features;
mod golden;
mod hooks;
mod kernel;
mod landlock;
mod lifecycle;
mod mounts;
mod namespaces;
mod nested;
mod net_devices;
mod nodes;
mod notify;
mod paused;
mod placed;
mod process;
mod resources;
mod rootless;
mod roots;
mod running;
mod seccomp;
mod security;
mod stdio;
mod systemd;
mod terminal;
mod update;
mod userns;
mod userns_files;
