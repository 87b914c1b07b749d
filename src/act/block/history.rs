//! Earlier blocks of each target: each further block lasts twice as long.

use std::collections::HashMap;
use std::time::Duration;

use super::target::Target;
use crate::base::time::Timestamp;

/// Longest block that doubling gives.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How long a block is remembered after its end.
const REMEMBERED: Duration = LONGEST;

/// Tolerance for a firewall that runs printed lines late: its blocks end up to this much later.
const LATE: Duration = Duration::from_secs(60);

/// Maximum number of remembered blocks. The one that ended first makes room.
pub(super) const MOST_REMEMBERED: usize = 4096;

/// The blocks of the last day.
#[derive(Debug)]
pub(super) struct History {
    /// Duration of a first block.
    first: Duration,
    blocks: HashMap<Target, Before>,
}

/// An earlier block of a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    times: u32,
    until: Timestamp,
}

impl History {
    pub(super) fn new(first: Duration) -> Self {
        Self { first, blocks: HashMap::new() }
    }

    /// The duration of a block that begins now: twice the last one, up to [`LONGEST`].
    pub(super) fn time(&self, target: &Target, now: Timestamp) -> Duration {
        let doubled =
            2_u32.checked_pow(self.times(target, now)).and_then(|times| self.first.checked_mul(times));
        doubled.unwrap_or(LONGEST).min(LONGEST.max(self.first))
    }

    /// Stores a block that begins now. Returns the one before it.
    pub(super) fn add(&mut self, target: Target, until: Timestamp, now: Timestamp) -> Option<Before> {
        let times = self.times(&target, now) + 1;
        let before = self.blocks.get(&target).copied();
        self.remember(target, Before { times, until });
        before
    }

    /// Restores the record of before a block that was not carried out.
    pub(super) fn restore(&mut self, target: Target, before: Option<Before>) {
        match before {
            Some(before) => self.remember(target, before),
            None => drop(self.blocks.remove(&target)),
        }
    }

    /// Remembers a block of an earlier run. Its duration shows how often the target was blocked.
    pub(super) fn adopt(&mut self, target: Target, time: Duration, until: Timestamp) {
        let reaches = |times: &u32| self.first.saturating_mul(1 << (times - 1)) >= time;
        let times = (1..u32::BITS).find(reaches).unwrap_or(u32::BITS);
        self.remember(target, Before { times, until });
    }

    /// The targets that overlap this one and that a firewall may still block, in order.
    pub(super) fn overlapping(&self, target: &Target, now: Timestamp) -> Vec<Target> {
        let lasts = |before: &Before| before.until.after(LATE) > now;
        let overlapping =
            self.blocks.iter().filter(|(blocked, before)| target.overlaps(blocked) && lasts(before));
        let mut all: Vec<_> = overlapping.map(|(blocked, _)| *blocked).collect();
        all.sort_unstable();
        all
    }

    /// The number of remembered blocks.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    fn times(&self, target: &Target, now: Timestamp) -> u32 {
        let before = self.blocks.get(target).filter(|before| now.since(before.until) < REMEMBERED);
        before.map_or(0, |before| before.times)
    }

    fn remember(&mut self, target: Target, before: Before) {
        self.blocks.insert(target, before);
        if self.blocks.len() > MOST_REMEMBERED {
            let first = self.blocks.iter().min_by_key(|(target, before)| (before.until, **target));
            if let Some(first) = first.map(|(target, _)| *target) {
                self.blocks.remove(&first);
            }
        }
    }
}
