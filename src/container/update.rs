//! Changing a container's limits.

use super::resctrl::{Class, Schema};
use super::store::Store;
use crate::cgroup::Change;
use crate::error::{Error, Result};
use crate::oci::{Resources, Status};

/// Sets the limits and the schema that are asked for, and keeps the limits in the container's record. On an error
/// none has changed.
pub fn update(store: &Store, id: &str, asked: Resources, schema: &Schema) -> Result<()> {
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
    if let Err(error) = Class::update(record.rdt.as_ref(), schema) {
        record.cgroup.change_back(&change);
        return Err(error);
    }
    record.resources = Some(change.keep);
    store.save(&record)
}
