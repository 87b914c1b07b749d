//! Sinks: the destinations of reports, which the detector calls.

use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::detect::OpenEpisodes;
use crate::detect::RunFacts;
use crate::detect::alert::Alert;
use crate::engine::attempt::{Before, Logged};
use crate::engine::stats::{Heartbeat, Stats};
use crate::wire::packet_copy::PacketCopy;

/// A destination of reports. The default of each method does nothing.
pub trait Sink: Send {
    /// Handles one report.
    fn alert(&mut self, alert: &Alert);

    /// Handles the opening of an episode: its first report, and, if recorded, the attempts of the window that met the
    /// limit. Attempts that the episode gets later follow.
    fn opening(&mut self, _alert: &Alert, _before: &[Before]) {}

    /// Handles an attempt of an open episode, with its packet if that is known, where evidence is kept.
    fn attempt(&mut self, _episode: u64, _attempt: Logged, _packet: Option<PacketCopy>) {}

    /// Handles the number of attempts of an episode that the evidence misses. The last report of the episode
    /// follows.
    fn not_logged(&mut self, _episode: u64, _attempts: u64) {}

    /// Handles an open episode whose source has become verified since its last report.
    fn verified(&mut self, _alert: &Alert) {}

    /// Records the counters of a run at `now`.
    fn stats(&mut self, _now: Timestamp, _stats: &Stats, _run: &RunFacts) {}

    /// Records the counters at a tick. `run` returns the facts about the run.
    fn sample(&mut self, _now: Timestamp, _stats: &Stats, _run: &dyn Fn() -> RunFacts) {}

    /// Shows the counters on request.
    fn show(&mut self, _stats: &Stats) {}

    /// Flushes: everything before the second of `now` has been reported.
    fn tick(&mut self, _now: Timestamp) {}

    /// Handles the heartbeat, which has passed all stages from the source on. In live runs it comes once a second.
    fn heartbeat(&mut self, _beat: &Heartbeat) {}

    /// Handles the list of open episodes.
    fn open(&mut self, _open: &Arc<OpenEpisodes>) {}

    /// Reopens the file under the same name: log rotation has moved the old one away.
    fn reopen(&mut self) {}

    /// Flushes everything at the end of the run.
    fn finish(&mut self, _now: Timestamp) {}

    /// The number of reports held back by a rate limit.
    fn held_back(&self) -> u64 {
        0
    }

    /// The number of reports that could not be written.
    fn lost(&self) -> u64 {
        0
    }
}

/// Several sinks, called in order.
#[derive(Default)]
pub(crate) struct Sinks(Vec<Box<dyn Sink>>);

impl Sinks {
    /// Adds a sink.
    pub(crate) fn push(&mut self, sink: impl Sink + 'static) {
        self.0.push(Box::new(sink));
    }
}

impl Sink for Sinks {
    fn alert(&mut self, alert: &Alert) {
        self.0.iter_mut().for_each(|sink| sink.alert(alert));
    }

    fn opening(&mut self, alert: &Alert, before: &[Before]) {
        self.0.iter_mut().for_each(|sink| sink.opening(alert, before));
    }

    fn attempt(&mut self, episode: u64, attempt: Logged, packet: Option<PacketCopy>) {
        self.0.iter_mut().for_each(|sink| sink.attempt(episode, attempt, packet));
    }

    fn not_logged(&mut self, episode: u64, attempts: u64) {
        self.0.iter_mut().for_each(|sink| sink.not_logged(episode, attempts));
    }

    fn verified(&mut self, alert: &Alert) {
        self.0.iter_mut().for_each(|sink| sink.verified(alert));
    }

    fn stats(&mut self, now: Timestamp, stats: &Stats, run: &RunFacts) {
        self.0.iter_mut().for_each(|sink| sink.stats(now, stats, run));
    }

    fn sample(&mut self, now: Timestamp, stats: &Stats, run: &dyn Fn() -> RunFacts) {
        self.0.iter_mut().for_each(|sink| sink.sample(now, stats, run));
    }

    fn show(&mut self, stats: &Stats) {
        self.0.iter_mut().for_each(|sink| sink.show(stats));
    }

    fn tick(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|sink| sink.tick(now));
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.0.iter_mut().for_each(|sink| sink.heartbeat(heartbeat));
    }

    fn open(&mut self, open: &Arc<OpenEpisodes>) {
        self.0.iter_mut().for_each(|sink| sink.open(open));
    }

    fn reopen(&mut self) {
        self.0.iter_mut().for_each(|sink| sink.reopen());
    }

    fn finish(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|sink| sink.finish(now));
    }

    fn held_back(&self) -> u64 {
        self.0.iter().map(|sink| sink.held_back()).sum()
    }

    fn lost(&self) -> u64 {
        self.0.iter().map(|sink| sink.lost()).sum()
    }
}
