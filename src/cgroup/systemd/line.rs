//! The connection that a unit is made over, and that it is stopped over if its container does not stay.

use super::bus::Bus;
use crate::error::Result;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// A connection, shared by the copies of a unit, or none.
#[derive(Clone, Default)]
pub struct Line(Rc<RefCell<Option<Bus>>>);

/// Units that differ in it alone are the same.
impl PartialEq for Line {
    fn eq(&self, _: &Line) -> bool {
        true
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Line")
    }
}

impl Line {
    /// Opens it before it is needed: the bus greets us while we go on. Why it cannot be opened is told when it is needed.
    pub fn dial(&self, unit: &str, user: bool) {
        if let Ok(mut bus) = connect(unit, user)
            && bus.send().is_ok()
        {
            self.0.replace(Some(bus));
        }
    }

    /// What is open, or a new one.
    pub fn take(&self, unit: &str, user: bool) -> Result<Bus> {
        match self.0.take() {
            // The bus may have ended since.
            Some(bus) if bus.is_open() => Ok(bus),
            _ => connect(unit, user),
        }
    }

    /// Keeps it open, unless the signals of all units come over it.
    pub fn keep(&self, bus: Bus) {
        self.0.replace(Some(bus).filter(Bus::is_routed));
    }

    /// Closes it: a bus has only so many.
    pub fn hang_up(&self) {
        self.0.replace(None);
    }
}

fn connect(unit: &str, user: bool) -> Result<Bus> {
    let mut bus = Bus::connect(user)?;
    bus.watch_jobs(unit);
    Ok(bus)
}
