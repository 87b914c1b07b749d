//! Attempts as the limits count them, for a census: the same ones, at the same times, for the same sources.

use crate::census::{Census, Party};
use crate::clock::Ticks;
use crate::detector::Key;
use crate::outcome::Outcome;

use super::findings::Finding;
use super::ledger::Ledger;
use super::tally::{Row, Watching};

impl Ledger {
    /// Takes note of an attempt that a tally has recorded.
    #[inline]
    pub(super) fn note_attempt(&mut self, row: &Row, tag: u64, finding: &Finding) {
        // Nearly always there is none.
        if self.census.is_none() {
            return;
        }
        let Row { watch, tally, by, .. } = *row;
        let key = by.key(&self.watches[watch], &finding.parties, tag);
        self.note_in(watch, key, finding.now.ticks, |watching| {
            watching.tallies[tally].counter.census.as_mut()
        });
    }

    /// Takes note of an attempt that became something, when that is settled.
    pub(super) fn note_outcome(&mut self, watch: usize, outcome: Outcome, key: Key, time: Ticks) {
        self.note_in(watch, key, time, |watching| {
            let counter = watching.outcomes.iter_mut().find(|(of, _)| *of == outcome);
            counter.and_then(|(_, counter)| counter.census.as_mut())
        });
    }

    fn note_in(
        &mut self,
        watch: usize,
        key: Key,
        time: Ticks,
        census: impl FnOnce(&mut Watching) -> Option<&mut Census>,
    ) {
        let Some(budget) = &mut self.census else { return };
        if let Some(census) = census(&mut self.watches[watch]) {
            census.count(Party::new(key.kind, key.source), time, budget);
        }
    }
}
