//! `--html`: the sink that records a run, and the page that is made of it when the run and its actions have
//! ended.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Evidence, Story, page, words};
use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::chronicle::{Chronicle, Period, Report, Sample};
use crate::detect::alert::Alert;
use crate::detect::{RunFacts, Sink};
use crate::engine::stats::Stats;
use std::time::Duration;

/// Sampling interval of a run without statistics records: at each tick.
const TICK: Duration = Duration::from_secs(1);

/// The sink.
pub(crate) struct Recorder {
    zone: Zone,
    chronicle: Option<Chronicle>,
    /// Whether samples are those of the JSON output, so that a page of that is the same.
    is_as_recorded: bool,
    done: Sender<Chronicle>,
}

/// The recorded data.
pub(crate) struct Recording {
    zone: Zone,
    done: Receiver<Chronicle>,
}

impl Recorder {
    /// Makes a sink, and the data that it records.
    pub(crate) fn new(zone: Zone, is_as_recorded: bool) -> (Self, Recording) {
        let (done, receiver) = bounded(1);
        let recording = Recording { zone: zone.clone(), done: receiver };
        (Self { zone, chronicle: None, is_as_recorded, done }, recording)
    }

    fn chronicle(&mut self, time: Timestamp) -> &mut Chronicle {
        self.chronicle
            .get_or_insert_with(|| Chronicle::new(Period::default(), words::offset(time, &self.zone)))
    }
}

impl Sink for Recorder {
    fn alert(&mut self, alert: &Alert) {
        self.chronicle(alert.first_seen).report(Report::from(alert));
    }

    fn stats(&mut self, now: Timestamp, stats: &Stats, run: &RunFacts) {
        let interval = if self.is_as_recorded { run.interval } else { Some(TICK) };
        let run = RunFacts { interval, ..run.clone() };
        self.chronicle(run.started.unwrap_or(now)).sample(&Sample::new(now, stats, run));
    }

    fn sample(&mut self, now: Timestamp, stats: &Stats, run: &dyn Fn() -> RunFacts) {
        if !self.is_as_recorded {
            self.stats(now, stats, &run());
        }
    }

    fn finish(&mut self, _now: Timestamp) {
        let nothing = || Chronicle::new(Period::default(), 0);
        // If the run could not start, there is no receiver.
        let _ = self.done.try_send(self.chronicle.take().unwrap_or_else(nothing));
    }
}

impl Recording {
    /// The page, once the run has ended.
    pub(crate) fn page(&self, evidence: Option<&Evidence>) -> Option<String> {
        let chronicle = self.done.try_recv().ok()?;
        Some(page(&Story { chronicle: &chronicle, zone: &self.zone, evidence }))
    }
}
