//! The chronicle: a bounded record of a run, a day or a log, for a page or a digest.
//!
//! ```text
//!   detector ──ticks, alerts──▶ recorder ─┐
//!                                         ├──Sample, Report──▶ Chronicle ──▶ picture
//!   eve.json ──lines──▶ chronicle::log ───┘
//! ```
//!
//! Both inputs give the same values, to the microsecond, so that a run and its log agree. The chronicle reads
//! no clock and no file. Its size does not depend on its input: 1,440 buckets of time, 200 episodes with
//! their series, the numbers of 65,536 more. Anything beyond is counted.

mod buckets;
mod counters;
mod episodes;
mod eve;
mod log;
mod report;
mod runs;
mod series;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use buckets::{Bucket, Buckets, SETTLED, UNSETTLED};
pub(crate) use counters::{COUNTERS, Counter, Counters};
pub(crate) use episodes::{Episode, Episodes};
pub(crate) use log::Log;
pub(crate) use report::{Kind, Report};
pub(crate) use runs::Sample;
#[cfg(test)]
use series::Series;

use crate::base::time::Timestamp;
use crate::detect::{RunFacts, WatchFacts};
use runs::{Change, Runs};

/// The record of a run, a day or a log.
#[derive(Debug, Clone)]
pub(crate) struct Chronicle {
    period: Period,
    runs: Runs,
    buckets: Buckets,
    counters: Counters,
    episodes: Episodes,
    inputs: Vec<String>,
    watches: Vec<WatchFacts>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// The period that a page covers: it includes its start and not its end; either may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Period {
    /// Its start.
    pub(crate) since: Option<Timestamp>,
    /// Its end.
    pub(crate) until: Option<Timestamp>,
}

impl Period {
    /// Whether it holds this moment.
    pub(crate) fn contains(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}

impl Chronicle {
    /// Maximum number of watches and of inputs that are named.
    const NAMED: usize = RunFacts::INPUTS;

    /// Makes an empty chronicle. Buckets of time begin at whole units of a local time that is `offset`
    /// seconds ahead of UTC.
    pub(crate) fn new(period: Period, offset: i64) -> Self {
        Self {
            period,
            runs: Runs::default(),
            buckets: Buckets::new(offset),
            counters: Counters::default(),
            episodes: Episodes::default(),
            inputs: Vec::new(),
            watches: Vec::new(),
            first: None,
            last: None,
        }
    }

    /// Adds the counters at a moment.
    pub(crate) fn sample(&mut self, sample: &Sample) {
        if self.period.until.is_some_and(|until| sample.time > until) {
            return;
        }
        let change = self.runs.pass(sample, self.period.since);
        // The counts at its start are from before it.
        if self.period.since.is_some_and(|since| sample.time <= since) {
            return;
        }
        self.name(&sample.run);
        let Some(Change { from, to, covered_from, counters, outcomes, is_timed }) = change else { return };
        self.counters.add(&counters);
        self.saw(if is_timed { covered_from } else { sample.run.started.unwrap_or(to) });
        self.saw(sample.time);
        if is_timed {
            self.buckets.cover(covered_from, sample.time);
            self.buckets.count(from, to, counters.get(Counter::Attempts), counters.losses());
            self.buckets.settle(sample.time, &outcomes);
        } else {
            self.buckets.add_untimed(counters.get(Counter::Attempts), &outcomes);
        }
    }

    /// Adds a report of an episode.
    pub(crate) fn report(&mut self, report: Report) {
        if self.period.contains(report.time) {
            self.saw(report.first_seen.max(self.period.since.unwrap_or(report.first_seen)));
            self.saw(report.time);
            self.episodes.take_in(report);
        }
    }

    /// The span of the data, or the requested period; `None` without data.
    pub(crate) fn span(&self) -> Option<Range<Timestamp>> {
        match (self.period.since, self.period.until) {
            (Some(since), Some(until)) => Some(since..until),
            (since, until) => {
                let first = since.or(self.first)?;
                Some(first..until.or(self.last).unwrap_or(first).max(first))
            }
        }
    }

    /// The timeline.
    pub(crate) fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// The counters.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The episodes.
    pub(crate) fn episodes(&self) -> &Episodes {
        &self.episodes
    }

    /// The interfaces or files of the packets, as far as they are listed.
    pub(crate) fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The watches with their limits.
    pub(crate) fn watches(&self) -> &[WatchFacts] {
        &self.watches
    }

    /// Number of runs.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.count()
    }

    /// Whether a run was live.
    pub(crate) fn is_live(&self) -> bool {
        self.runs.is_live()
    }

    fn saw(&mut self, time: Timestamp) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }

    /// Adds the inputs and watches of a run. The newest limits of a changed watch apply.
    fn name(&mut self, run: &RunFacts) {
        for input in &run.inputs {
            if self.inputs.len() < Self::NAMED && !self.inputs.iter().any(|known| **known == **input) {
                self.inputs.push(input.to_string());
            }
        }
        for watch in &run.watches {
            match self.watches.iter().position(|known| known.name == watch.name) {
                Some(place) if self.watches[place] == *watch => {}
                Some(place) => self.watches[place] = watch.clone(),
                None if self.watches.len() < Self::NAMED => self.watches.push(watch.clone()),
                None => {}
            }
        }
    }
}
