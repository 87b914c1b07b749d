//! Feeds baselines with the attempts as the limits count them: the same attempts, times and sources.

use crate::engine::baseline::{Baseline, Party};
use crate::engine::clock::Ticks;
use crate::engine::event::Key;
use crate::engine::outcome::Outcome;

use super::CounterStage;
use super::groups::{GroupRef, Watching};
use crate::engine::conntrack::findings::SegmentSummary;

impl CounterStage {
    /// Adds an attempt that a group has recorded.
    #[inline]
    pub(in crate::engine) fn note_attempt(&mut self, row: &GroupRef, tag: u64, segment: &SegmentSummary) {
        // Nearly always there is no baseline.
        if self.baseline.is_none() {
            return;
        }
        let GroupRef { watch, group, by, .. } = *row;
        let key = by.key(&self.watches[watch], &segment.endpoints, tag);
        self.note_in(watch, key, segment.now.ticks, |watching| {
            watching.groups[group].counter.baseline.as_mut()
        });
    }

    /// Adds an attempt whose outcome is resolved.
    pub(in crate::engine) fn note_outcome(&mut self, watch: usize, outcome: Outcome, key: Key, time: Ticks) {
        self.note_in(watch, key, time, |watching| {
            let counter = watching.outcomes.iter_mut().find(|(of, _)| *of == outcome);
            counter.and_then(|(_, counter)| counter.baseline.as_mut())
        });
    }

    fn note_in(
        &mut self,
        watch: usize,
        key: Key,
        time: Ticks,
        baseline: impl FnOnce(&mut Watching) -> Option<&mut Baseline>,
    ) {
        let Some(budget) = &mut self.baseline else { return };
        if let Some(baseline) = baseline(&mut self.watches[watch]) {
            baseline.count(Party::new(key.kind, key.source), time, budget);
        }
    }
}
