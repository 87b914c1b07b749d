//! Who a source is: its name, and whose network it is in.
//!
//! ```text
//!   detector ──Alert──▶ Named ──Alert, with what is known──▶ sinks
//!                        │  ▲
//!                 asks   ▼  │ what is known by now
//!                       Names ◀──── resolver threads: reverse DNS, abuse contacts
//! ```
//!
//! A database is asked at once. A name is looked up by the system's resolver, which may take long and cannot be
//! interrupted: so that is done by a few threads, whose answers are kept. Live, no report waits for it: the first one
//! of an episode has the name only where it is known already, those that follow have it. What acts on a report, on a
//! thread of its own, may wait a while ([`Names::complete`]), and so does a replay.

mod cache;
mod contacts;
mod database;
mod introduce;
mod resolver;

pub use cache::Names;
pub use contacts::{contacts, name_servers};
pub use database::Databases;
pub use introduce::introduce;
pub use resolver::{LookUp, Resolver, system};

use std::time::Duration;

use crate::alert::{Alert, Before, Kind, Logged};
use crate::sink::Sink;
use crate::stats::{Beat, Stats};
use crate::time::Timestamp;

/// How long a replay waits for a name.
const REPLAY_WAITS: Duration = Duration::from_secs(5);

/// Adds to each report what is known of its source, and hands it on.
pub struct Named<S> {
    names: Option<Names>,
    databases: Databases,
    mark: Option<Mark>,
    is_live: bool,
    sink: S,
}

/// Adds to a report what is known elsewhere.
pub type Mark = Box<dyn Fn(&mut Alert) + Send>;

impl<S: Sink> Named<S> {
    /// Hands reports to this sink. Without `names` no name is looked up.
    pub fn new(
        names: Option<Names>,
        databases: Databases,
        mark: Option<Mark>,
        is_live: bool,
        sink: S,
    ) -> Self {
        Self { names, databases, mark, is_live, sink }
    }

    fn completed(&mut self, alert: &Alert) -> Alert {
        let mut alert = alert.clone();
        if !matches!(alert.kind, Kind::Destination(_)) {
            alert.about = self.databases.about(alert.trigger.src);
        }
        if let Some(names) = &self.names {
            names.complete(&mut alert, if self.is_live { Duration::ZERO } else { REPLAY_WAITS });
        }
        if let Some(mark) = &self.mark {
            mark(&mut alert);
        }
        alert
    }
}

impl<S: Sink> Sink for Named<S> {
    fn alert(&mut self, alert: &Alert) {
        if self.names.is_none() && self.databases.is_empty() && self.mark.is_none() {
            return self.sink.alert(alert);
        }
        let alert = self.completed(alert);
        self.sink.alert(&alert);
    }

    fn opening(&mut self, alert: &Alert, before: &[Before]) {
        self.sink.opening(alert, before);
    }

    fn late(&mut self, episode: u64, attempt: Logged) {
        self.sink.late(episode, attempt);
    }

    fn verified(&mut self, alert: &Alert) {
        self.sink.verified(alert);
    }

    fn stats(&mut self, now: Timestamp, stats: &Stats) {
        self.sink.stats(now, stats);
    }

    fn show(&mut self, stats: &Stats) {
        self.sink.show(stats);
    }

    fn tick(&mut self, now: Timestamp) {
        self.sink.tick(now);
    }

    fn beat(&mut self, beat: &Beat) {
        self.sink.beat(beat);
    }

    fn reopen(&mut self) {
        self.sink.reopen();
    }

    fn finish(&mut self, now: Timestamp) {
        self.sink.finish(now);
    }

    fn held_back(&self) -> u64 {
        self.sink.held_back()
    }

    fn lost(&self) -> u64 {
        self.sink.lost()
    }
}
