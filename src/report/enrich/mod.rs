//! Enrichment: the name of a source, and the network that it belongs to.
//!
//! ```text
//!   detector ──Alert──▶ Named ──Alert, with what is known──▶ sinks
//!                        │  ▲
//!                 asks   ▼  │ what is known by now
//!                       Names ◀──── resolver threads: reverse DNS, abuse contacts
//! ```
//!
//! A database lookup takes no time. A name comes from the system's resolver, which may be slow and cannot be
//! interrupted: so a few threads resolve names, and the results are cached. In a live run no report waits: the first
//! report of an episode has only a cached name, and later ones have the resolved name. Actions, each on its own thread,
//! may wait ([`Names::complete`]), and so does a replay.

mod cache;
mod contacts;
mod database;
mod resolver;

pub use cache::Names;
pub use contacts::contacts;
pub(crate) use contacts::name_servers;
pub use database::Databases;
pub use resolver::system;
pub(crate) use resolver::{LookUp, Resolver};

use std::sync::Arc;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::detect::alert::Alert;
use crate::detect::{OpenEpisodes, RunFacts, Sink};
use crate::engine::attempt::{Before, Logged};
use crate::engine::stats::{Heartbeat, Stats};
use crate::engine::subject::Kind;
use crate::wire::packet_copy::PacketCopy;

/// How long a replay waits for a name.
const REPLAY_WAITS: Duration = Duration::from_secs(5);

/// Adds what is known of its source to each report and forwards it.
pub(crate) struct Named<S> {
    names: Option<Names>,
    databases: Databases,
    mark: Option<Mark>,
    is_live: bool,
    sink: S,
}

/// A function that adds information to a report.
pub type Mark = Box<dyn Fn(&mut Alert) + Send>;

impl<S: Sink> Named<S> {
    /// Forwards to this sink. Without `names` no name is looked up.
    pub(crate) fn new(
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

    fn attempt(&mut self, episode: u64, attempt: Logged, packet: Option<PacketCopy>) {
        self.sink.attempt(episode, attempt, packet);
    }

    fn not_logged(&mut self, episode: u64, attempts: u64) {
        self.sink.not_logged(episode, attempts);
    }

    fn verified(&mut self, alert: &Alert) {
        self.sink.verified(alert);
    }

    fn stats(&mut self, now: Timestamp, stats: &Stats, run: &RunFacts) {
        self.sink.stats(now, stats, run);
    }

    fn sample(&mut self, now: Timestamp, stats: &Stats, run: &dyn Fn() -> RunFacts) {
        self.sink.sample(now, stats, run);
    }

    fn show(&mut self, stats: &Stats) {
        self.sink.show(stats);
    }

    fn tick(&mut self, now: Timestamp) {
        self.sink.tick(now);
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.sink.heartbeat(heartbeat);
    }

    fn open(&mut self, open: &Arc<OpenEpisodes>) {
        let reports = open.reports.iter().map(|alert| self.completed(alert)).collect();
        self.sink.open(&Arc::new(OpenEpisodes { reports, others: open.others }));
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
