//! Where snapshots come from, and what can be asked of it: the service, an own capture, a replay.

use std::time::Duration;

use crate::control::TopSnapshot;

/// What gives snapshots: the connection to a service, a capture, a replay.
pub trait Source {
    /// Waits for a snapshot, for this long at most.
    fn next(&mut self, wait: Duration) -> Next;

    /// The speed of a replay, as shown: `10x`, `max`. `None` where speed cannot be changed.
    fn speed(&self) -> Option<String> {
        None
    }

    /// Makes a replay faster or slower by one step.
    fn change_speed(&mut self, _faster: bool) {}

    /// Whether [`Source::change`] can be asked for.
    fn takes_changes(&self) -> bool {
        false
    }

    /// Asks the service for a change. Returns what came of it: a sentence either way.
    ///
    /// # Errors
    ///
    /// The service refuses, or cannot be asked.
    fn change(&mut self, _change: &Change) -> Result<String, String> {
        Err("no service takes changes here".to_owned())
    }
}

/// What a source has.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// A snapshot.
    Snapshot(Box<TopSnapshot>),
    /// Nothing yet.
    Nothing,
    /// The connection is gone. The source tries again when it is asked next.
    Lost,
    /// A replay has ended: nothing more comes.
    Ended,
    /// Nothing will come, for this reason: the program ends with it.
    Failed(String),
}

/// What a user may change from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Takes a source from the block list.
    Unblock(String),
    /// Allows a source.
    Allow(String),
}
