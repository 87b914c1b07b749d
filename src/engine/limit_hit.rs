//! From a limit that was met to the detector.

use std::sync::Arc;

use crate::engine::attempt::Before;
use crate::engine::clock::Ticks;
use crate::engine::counters::{Recorded, Slot, Table};
use crate::engine::episodes::Admission;
use crate::engine::event::{Attempt, Event, Key, LimitHit};
use crate::engine::outcome::{Outcome, OutcomeCounts};
use crate::engine::subject::Kind;

use super::batch::Now;
use super::counter_stage::CounterStage;
use super::groups::Counter;
use super::volumes::Owner;

/// A limit that was met: in which counters of a watch, and with which record.
pub(super) struct Met {
    pub(super) watch: usize,
    pub(super) counted: Counted,
    pub(super) recorded: Recorded,
    /// The limit, by its place among those of the counters.
    pub(super) limit: usize,
}

/// What counters count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Attempts: in which tally.
    Attempts(usize),
    /// A source's attempts that became this.
    Outcome(Outcome),
}

impl CounterStage {
    /// Tells the detector of a limit that was met, unless it could do nothing with it, and says whether it did. The
    /// slot is that of the attempts: it is flagged. When what became of them shows only later, it may be gone.
    pub(super) fn cross(&mut self, met: &Met, slot: Option<Slot>, attempt: Attempt, now: &Now) -> bool {
        let tally = match met.counted {
            Counted::Attempts(tally) => tally,
            Counted::Outcome(_) => 0,
        };
        let table = &self.watches[met.watch].tallies[tally].counter.table;
        let is_flagged = slot.is_none_or(|slot| table.is_flagged(slot));
        let flag = || slot.into_iter().for_each(|slot| table.flag(slot, true));
        if self.own.contains(&attempt.src) {
            if !is_flagged && self.handoff.offer(Event::Own(attempt.src)) {
                flag();
            }
            return false;
        }
        // From here on the work grows with the limit's N: what would be dropped is not begun.
        let is_admitted = match self.open.now(&self.handoff).admits() {
            Admission::All | Admission::AnyInstead => true,
            Admission::ProvenInstead => self.has_proof(met.watch, met.counted, attempt.key.tag),
        };
        if !is_admitted {
            // The flag has each such source counted once, and costs the same as for one that has an episode.
            self.stats.episodes_refused += u64::from(!is_flagged);
            flag();
            return false;
        }
        if self.handoff.is_full() {
            self.note_dropped(met.watch);
            return false;
        }
        flag();
        let Some(limit_hit) = self.limit_hit(met, slot, attempt, now) else { return false };
        let limit_hit = LimitHit { is_known: is_flagged, ..limit_hit };
        self.open.now(&self.handoff).count_sent();
        let is_sent = self.handoff.offer(Event::LimitHit(limit_hit));
        if !is_sent {
            self.open.now(&self.handoff).count_handled();
            self.note_dropped(met.watch);
        }
        is_sent
    }

    /// What the detector is to know.
    fn limit_hit(&mut self, met: &Met, slot: Option<Slot>, attempt: Attempt, now: &Now) -> Option<LimitHit> {
        let watching = &self.watches[met.watch];
        let Key { watch, tag, .. } = attempt.key;
        let (Counter { table, limits, .. }, owner) = match met.counted {
            Counted::Attempts(tally) => {
                let tally = &watching.tallies[tally];
                (&tally.counter, Owner::tally(watch, tally.by, tag))
            }
            Counted::Outcome(outcome) => (watching.outcome(outcome)?, Owner::outcome(watch, outcome, tag)),
        };
        let Met { recorded, limit, .. } = met;
        let span = table.span(recorded, *limit)?;
        let since = match met.counted {
            Counted::Attempts(_) => Ticks(recorded.time.0 - span),
            // What became something was an attempt before that. Only later ones are still to be counted.
            Counted::Outcome(_) => {
                let last = slot.and_then(|slot| watching.tallies[0].counter.table.last(slot));
                Ticks(last.unwrap_or(now.ticks).0 + 1)
            }
        };
        let mut outcomes = OutcomeCounts::default();
        table.window(recorded, *limit).for_each(|attempt| outcomes.add(attempt.code));
        let (verified, provers) =
            self.verified_by_now(met.watch, met.counted, &attempt.key, now, recorded.time);
        let window = table.window(recorded, *limit);
        let bytes = self.volumes.sum(owner, window.map(|attempt| (attempt.time, attempt.port)));
        #[expect(clippy::cast_possible_truncation, reason = "limits are few")]
        Some(LimitHit {
            attempt,
            limit: limits[*limit] as u16,
            is_known: false,
            first: now.counted_at(&self.clock, recorded).before(Ticks::span(span)),
            span,
            ports: table.window(recorded, *limit).map(|attempt| attempt.port).collect(),
            outcomes,
            verified,
            provers,
            bytes,
            hosts: table.sources(recorded, *limit).map(Arc::new),
            since,
            before: self.before(table, met, &attempt, now),
        })
    }

    /// The attempts of the window one by one, where evidence is kept of what they belong to.
    fn before(&self, table: &Table, met: &Met, attempt: &Attempt, now: &Now) -> Box<[Before]> {
        if self.evidence.is_none() || matches!(attempt.key.kind, Kind::Destination(_)) {
            return Box::default();
        }
        let Met { recorded, limit, .. } = met;
        let last = now.counted_at(&self.clock, recorded);
        let window = table.window(recorded, *limit);
        let all: Vec<_> = window
            .map(|attempt| {
                let time = last.before(Ticks::span(recorded.time.since(attempt.time)));
                Before { time, port: attempt.port, code: attempt.code }
            })
            .collect();
        all[all.len().saturating_sub(Before::MOST)..].into()
    }
}
