//! Changing a container's limits.

use super::store::Store;
use crate::cgroup::Change;
use crate::error::{Error, Result};
use crate::oci::{Resources, Status};

/// Sets the limits that are asked for, and keeps them in the container's record. On an error none has changed.
pub fn update(store: &Store, id: &str, asked: Resources) -> Result<()> {
    let mut record = store.load(id)?;
    if matches!(store.status(&record), Status::Creating | Status::Stopped) {
        return Err(Error::new("container not running"));
    }
    let now = match record.resources.take() {
        Some(resources) => resources,
        None => store.config(id)?.linux.resources.unwrap_or_default(),
    };
    let change = Change::new(now, asked);
    record.cgroup.change(&change)?;
    record.resources = Some(change.keep);
    store.save(&record)
}
