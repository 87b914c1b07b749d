//! Alert in, bytes out: how what is found is said.
//!
//! A sink is driven by the detector's thread and told the time. It adds nothing to an alert but form. Whatever it
//! cannot write (the disk is full, nobody reads any more) is warned of once and counted; the run goes on.

mod advice;
pub mod capture;
pub mod console;
mod escape;
mod files;
mod eve;
mod governor;
mod journal;
mod lines;
mod metrics;
mod pcapng;
mod record;
#[cfg(test)]
pub(crate) mod sample;
pub mod summary;
mod syslog;
mod text;

pub use advice::{Advice, Grounds};
pub use capture::{CaptureHandle, CaptureWriter, Kept};
pub use console::Console;
pub use escape::Escaped;
pub use eve::{Eve, record_of};
pub use governor::{Governed, Voice};
pub use journal::{LogFormat, Priority};
pub use lines::Lines;
pub use metrics::{Metrics, Page};
pub(crate) use pcapng::file as pcapng_of;
#[cfg(test)]
pub(crate) use pcapng::tests as pcapng_tests;
pub use syslog::Syslog;
pub use text::Text;
pub(crate) use text::{Elapsed, Rate};

use crate::alert::{Alert, Before, Logged};
use crate::stats::{Beat, Stats};
use crate::time::Timestamp;

/// Where reports go. What a sink has no use for, it leaves at its default: nothing is done.
pub trait Sink: Send {
    /// Reports one event of an episode.
    fn alert(&mut self, alert: &Alert);

    /// Hears that an episode is about to be opened: of its first report, and of the attempts of the window that met the
    /// limit, where those are wanted. What is added to the episode comes later.
    fn opening(&mut self, _alert: &Alert, _before: &[Before]) {}

    /// Hears of an attempt of an open episode that came before the counting thread could know of it.
    fn late(&mut self, _episode: u64, _attempt: Logged) {}

    /// Hears that the source of an open episode has been verified since its last report.
    fn verified(&mut self, _alert: &Alert) {}

    /// Records the counters as they stand at `now`.
    fn stats(&mut self, _now: Timestamp, _stats: &Stats) {}

    /// Shows the counters as they stand, because somebody asked.
    fn show(&mut self, _stats: &Stats) {}

    /// Writes out what waits: all that happened before the second of `now` has been reported.
    fn tick(&mut self, _now: Timestamp) {}

    /// Takes note that all are alive from the source to here, and of what they know: once a second, live.
    fn beat(&mut self, _beat: &Beat) {}

    /// Opens its file again under the same name: the old one has been moved away (log rotation).
    fn reopen(&mut self) {}

    /// Says and writes out all that is left, at the end of the run.
    fn finish(&mut self, _now: Timestamp) {}

    /// Reports that were held back because there were too many in a second.
    fn held_back(&self) -> u64 {
        0
    }

    /// Reports that could not be written.
    fn lost(&self) -> u64 {
        0
    }
}

/// Several sinks as one, served in order.
#[derive(Default)]
pub struct Sinks(Vec<Box<dyn Sink>>);

impl Sinks {
    /// Adds one more.
    pub fn push(&mut self, sink: impl Sink + 'static) {
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

    fn late(&mut self, episode: u64, attempt: Logged) {
        self.0.iter_mut().for_each(|sink| sink.late(episode, attempt));
    }

    fn verified(&mut self, alert: &Alert) {
        self.0.iter_mut().for_each(|sink| sink.verified(alert));
    }

    fn stats(&mut self, now: Timestamp, stats: &Stats) {
        self.0.iter_mut().for_each(|sink| sink.stats(now, stats));
    }

    fn show(&mut self, stats: &Stats) {
        self.0.iter_mut().for_each(|sink| sink.show(stats));
    }

    fn tick(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|sink| sink.tick(now));
    }

    fn beat(&mut self, beat: &Beat) {
        self.0.iter_mut().for_each(|sink| sink.beat(beat));
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
