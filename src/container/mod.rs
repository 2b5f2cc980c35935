//! The life cycle of containers, and the store of their states.

mod bundle;
mod create;
mod described;
mod events;
mod exec;
mod foreground;
mod handles;
mod hooks;
mod host;
mod identity;
mod joined;
mod launch;
mod life;
mod mounts;
mod net_devices;
mod notify;
mod processes;
mod readiness;
mod report;
mod resctrl;
mod stdio;
mod store;
mod subordinate;
mod trees;
mod update;

pub use bundle::plan;
pub use create::{Options, create};
pub use events::events;
pub use exec::{Exec, exec};
pub use foreground::{Terminal, wait};
pub use life::{delete, kill, remove, start};
pub use mounts::mounts;
pub use processes::processes;
pub use readiness::Readiness;
pub use store::{Record, Store};
pub use update::update;
