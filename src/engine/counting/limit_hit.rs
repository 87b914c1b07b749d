//! Opens an episode after a limit hit.

use crate::engine::attempt::Before;
use crate::engine::clock::Ticks;
use crate::engine::counters::{Recorded, Slot, Table};
use crate::engine::episodes::{Admission, LimitHit, Opened};
use crate::engine::event::{Attempt, Event, Key};
use crate::engine::fleet::Gateways;
use crate::engine::outcome::{Outcome, OutcomeCounts};
use crate::engine::subject::Kind;

use super::CounterStage;
use super::groups::Counter;
use super::volumes::Owner;
use crate::engine::ingest::batch::Now;

/// A limit that was met: the counters of a watch, and the record.
pub(in crate::engine) struct Hit {
    pub(in crate::engine) watch: usize,
    pub(in crate::engine) counted: Counted,
    pub(in crate::engine) recorded: Recorded,
    /// The limit, as an index among those of the counter.
    pub(in crate::engine) limit: usize,
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Counted {
    /// Attempts, in the group of this index.
    Attempts(usize),
    /// A source's attempts with this outcome.
    Outcome(Outcome),
}

impl CounterStage {
    /// Opens the episode of a limit hit, if there is room. Returns whether there is an episode. `slot` is the
    /// slot of the attempts, and gets the flag. It may be gone if their outcome became known later.
    pub(in crate::engine) fn open_episode(
        &mut self,
        hit: &Hit,
        slot: Option<Slot>,
        attempt: Attempt,
        now: &Now,
    ) -> bool {
        let group = match hit.counted {
            Counted::Attempts(group) => group,
            Counted::Outcome(_) => 0,
        };
        let table = &self.watches[hit.watch].groups[group].counter.table;
        let is_flagged = slot.is_none_or(|slot| table.is_flagged(slot));
        let flag = || slot.into_iter().for_each(|slot| table.flag(slot, true));
        if self.own.contains(&attempt.src) {
            if !is_flagged && self.handoff.offer(Event::Own(attempt.src)) {
                flag();
            }
            return false;
        }
        // From here on the work grows with the limit's N, so an episode that would be dropped must not get
        // here.
        let is_admitted = match self.episodes.admits() {
            Admission::All | Admission::AnyInstead => true,
            Admission::ProvenInstead => self.has_proof(hit.watch, hit.counted, attempt.key.tag),
        };
        if !is_admitted {
            // With the flag, each refused source counts once, and costs the same as a source with an episode.
            self.stats.episodes_refused += u64::from(!is_flagged);
            flag();
            return false;
        }
        if self.handoff.is_full() {
            self.note_dropped(hit.watch);
            return false;
        }
        flag();
        self.episodes.advance(attempt.time, &|event| self.handoff.offer(event));
        match self.episodes.of(&attempt.key).map(|episode| episode.lasts_at(attempt.time)) {
            Some(true) => {
                self.count_unflagged(hit, &attempt);
                return true;
            }
            // The end of that episode has not been reported yet.
            Some(false) => {
                self.note_dropped(hit.watch);
                return false;
            }
            None => (),
        }
        let Some(limit_hit) = self.limit_hit(hit, slot, attempt, now) else { return false };
        let opened = self.episodes.start(limit_hit, &|event| self.handoff.offer(event));
        match opened {
            Opened::Yes => (),
            Opened::Refused => self.stats.episodes_refused += u64::from(!is_flagged),
            Opened::Dropped => self.note_dropped(hit.watch),
        }
        opened == Opened::Yes
    }

    /// Counts an attempt for the open episode of its source. The slot with the flag was evicted, and the
    /// source has another one by now. An attempt whose outcome changed was counted when it came.
    fn count_unflagged(&mut self, hit: &Hit, attempt: &Attempt) {
        let Some(episode) = self.episodes.of(&attempt.key) else { return };
        let Some(counter) = self.watches[hit.watch].counter(hit.counted) else { return };
        let is_its_own = counter.limits[hit.limit] == episode.limit();
        let span = counter.table.span(&hit.recorded, hit.limit).filter(|_| is_its_own);
        match hit.counted {
            Counted::Outcome(_) => episode.meet(attempt.time, span),
            Counted::Attempts(_) => {
                episode.count(&attempt.sight(), span, true);
                if self.keeps_evidence && !matches!(attempt.key.kind, Kind::Destination(_)) {
                    let is_told = self.handoff.offer_attempt(episode.number(), attempt.logged(), None);
                    episode.not_logged += u64::from(!is_told);
                }
            }
        }
    }

    /// The initial content of the episode.
    fn limit_hit(&mut self, hit: &Hit, slot: Option<Slot>, attempt: Attempt, now: &Now) -> Option<LimitHit> {
        let watching = &self.watches[hit.watch];
        let Key { watch, tag, .. } = attempt.key;
        let (Counter { table, limits, .. }, owner) = match hit.counted {
            Counted::Attempts(group) => {
                let group = &watching.groups[group];
                (&group.counter, Owner::group(watch, group.by, tag))
            }
            Counted::Outcome(outcome) => (watching.outcome(outcome)?, Owner::outcome(watch, outcome, tag)),
        };
        let Hit { recorded, limit, .. } = hit;
        let span = table.span(recorded, *limit)?;
        let since = match hit.counted {
            Counted::Attempts(_) => Ticks(recorded.time.0 - span),
            // Every attempt with an outcome already came as an attempt. The episode still has to count the
            // later ones only.
            Counted::Outcome(_) => {
                let last = slot.and_then(|slot| watching.groups[0].counter.table.last(slot));
                Ticks(last.unwrap_or(now.ticks).0 + 1)
            }
        };
        let mut outcomes = OutcomeCounts::default();
        table.window(recorded, *limit).for_each(|attempt| outcomes.add(attempt.code));
        let (verified, provers) =
            self.verified_by_now(hit.watch, hit.counted, &attempt.key, now, recorded.time);
        let window = table.window(recorded, *limit);
        let bytes = self.volumes.sum(owner, window.map(|attempt| (attempt.time, attempt.port)));
        #[expect(clippy::cast_possible_truncation, reason = "limits are few")]
        Some(LimitHit {
            attempt,
            limit: limits[*limit] as u16,
            first: now.counted_at(&self.clock, recorded).before(Ticks::span(span)),
            span,
            ports: table.window(recorded, *limit).map(|attempt| attempt.port).collect(),
            outcomes,
            verified,
            provers,
            bytes,
            hosts: table.sources(recorded, *limit),
            since,
            before: self.before(table, hit, &attempt, now),
            gateways: Gateways::default(),
        })
    }

    /// The single attempts of the window, if evidence is kept for this kind of episode.
    fn before(&self, table: &Table, hit: &Hit, attempt: &Attempt, now: &Now) -> Box<[Before]> {
        if !self.keeps_evidence || matches!(attempt.key.kind, Kind::Destination(_)) {
            return Box::default();
        }
        let Hit { recorded, limit, .. } = hit;
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
