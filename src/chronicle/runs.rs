//! Samples of counters, and the differences between consecutive samples.
//!
//! Counters begin at 0 with each run. The time of its first packet identifies a run. If a run began before
//! the log or the period, its first sample only gives the base of later differences.

use std::time::Duration;

use super::buckets::SETTLED;
use super::counters::{Counter, Counters};
use super::report::micro;
use crate::base::time::Timestamp;
use crate::detect::RunFacts;
use crate::engine::stats::Stats;

/// A live run without a sample for this many intervals was not running, or its log is lost.
const GAP: u32 = 3;
/// Maximum delay of a sample.
const LATE: Duration = Duration::from_secs(2);
/// Maximum number of runs that write to logs at the same time.
const AT_ONCE: usize = 8;
/// Maximum time that a run may have counted after its last attempt: a tick follows within a second.
const TICK: Duration = Duration::from_secs(1);

/// The counters of a run at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The moment.
    pub(crate) time: Timestamp,
    /// The run.
    pub(crate) run: RunFacts,
    /// The last packet that was an attempt, or belonged to one.
    pub(crate) last_watched: Option<Timestamp>,
    /// The counters.
    pub(crate) counters: Counters,
    /// Attempts by resolved outcome, in the order of [`SETTLED`].
    pub(crate) outcomes: [u64; SETTLED.len()],
}

impl Sample {
    /// Makes a sample from the detector's statistics.
    pub(crate) fn new(time: Timestamp, stats: &Stats, run: RunFacts) -> Self {
        Self {
            time: micro(time),
            run: RunFacts { started: run.started.map(micro), ..run },
            last_watched: stats.last_watched.map(micro),
            counters: Counters::from(stats),
            outcomes: SETTLED.map(|outcome| stats.became.count(outcome)),
        }
    }
}

/// The difference between two samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// The times of the two samples.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// The time from which the run is known to have counted, until the sample.
    pub(super) covered_from: Timestamp,
    pub(super) counters: Counters,
    pub(super) outcomes: [i64; SETTLED.len()],
    /// Whether the times are known precisely enough.
    pub(super) is_timed: bool,
}

/// The runs, one after another.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    /// The last sample of each run, the latest first. When there are too many runs, the one whose last sample
    /// is the oldest is dropped.
    last: Vec<Sample>,
    count: u64,
    is_live: bool,
}

impl Runs {
    /// Adds a sample. Returns the difference from the one before.
    pub(super) fn pass(&mut self, sample: &Sample, since: Option<Timestamp>) -> Option<Change> {
        let known = self.last.iter().position(|before| before.is_of_run(sample));
        let before = known.map(|known| self.last.remove(known));
        self.last.insert(0, sample.clone());
        self.last.truncate(AT_ONCE);
        let interval = sample.run.interval;
        let is_inside = since.is_none_or(|since| since < sample.time);
        if before.is_none() {
            self.count += 1;
        }
        self.is_live |= sample.run.is_live;
        let begin = match &before {
            // The clock may have stepped back.
            Some(before) => before.time.min(sample.time),
            None => sample.run.started?,
        };
        let apart = sample.time.since(begin);
        let most = interval.map(|interval| interval.saturating_mul(GAP).saturating_add(LATE));
        let is_gap = sample.run.is_live && most.is_some_and(|most| apart > most);
        // The counts from before the log or the period are not part of this difference.
        let begins_before = match (&before, interval) {
            (None, Some(_)) => is_gap,
            (None, None) => since.is_some_and(|since| begin < since),
            (Some(_), _) => false,
        };
        if begins_before || !is_inside {
            return None;
        }
        let covered_from = match interval.filter(|_| is_gap) {
            Some(interval) => sample.time.before(interval),
            None => begin,
        };
        let covered_from = since.map_or(covered_from, |since| since.max(covered_from));
        let last = sample.last_watched.filter(|last| *last >= covered_from);
        let to = last.map_or(sample.time, |last| last.after(TICK).min(sample.time));
        let (counters, outcomes) = sample.since(before.as_ref());
        let is_timed = interval.is_some();
        Some(Change {
            from: covered_from,
            to: to.max(covered_from),
            covered_from,
            counters,
            outcomes,
            is_timed,
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }
}

impl Sample {
    fn is_of_run(&self, later: &Self) -> bool {
        let attempts = |sample: &Self| sample.counters.get(Counter::Attempts);
        self.run.started == later.run.started
            && attempts(self) <= attempts(later)
            && self.counters.get(Counter::Packets) <= later.counters.get(Counter::Packets)
    }

    fn since(&self, before: Option<&Self>) -> (Counters, [i64; SETTLED.len()]) {
        let counters = before.map_or(self.counters, |before| self.counters.since(&before.counters));
        let mut outcomes = self.outcomes.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        if let Some(before) = before {
            for (change, before) in outcomes.iter_mut().zip(before.outcomes) {
                *change = change.saturating_sub_unsigned(before);
            }
        }
        (counters, outcomes)
    }
}
