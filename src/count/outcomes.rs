//! What is done with the news of an attempt: noted in its source's ring, counted for its episode, and for the limits by
//! outcome.

use crate::clock::Ticks;
use crate::connections::{Ends, Expired, News};
use crate::detector::{Attempt, Change, Event, Key};
use crate::outcome::{Code, Life, Outcome};
use crate::table::{self, Hint, Slot};
use crate::time::Timestamp;

use super::batch::Now;
use super::crossing::{Counted, Met};
use super::ledger::Ledger;
use super::parties::Parties;
use super::tally::{By, Counter, Tally};
use super::volumes::Owner;

/// The most SYNs that are given up waiting for at a tick.
const EXPIRED_AT_A_TICK: usize = 10_000;

impl Ledger {
    /// Gives up waiting for what should have come by now. Each counts at the time at which it was due: the tick may come
    /// long after, when no packets come.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let ticks = self.clock.ticks(now);
        let (then, left) = self.clock.left();
        for _ in 0..EXPIRED_AT_A_TICK {
            let Some(Expired { due, news }) = self.connections.expire(ticks) else { return };
            if let Some(news) = news {
                let time = then.after(Ticks::span(due.since(left)));
                self.tell(&news, &Now { time, ticks: due.max(left) });
            }
        }
    }

    /// Takes note of what became of an attempt, at the time of the segment that tells it, or when one was due.
    pub(super) fn tell(&mut self, news: &News, now: &Now) {
        let before = news.before.map(|life| life.outcome);
        if before.is_some_and(|before| is_settled_by(before, news.after.outcome)) {
            self.stats.became.add(Code::from(news.after));
        }
        if self.allow.contains(news.ends.client.0) {
            return;
        }
        let Ends { client, server, .. } = news.ends;
        let parties = self.hasher.parties(client.0, server, self.own.contains(&client.0));
        for watch in 0..self.watches.len() {
            if !self.watches[watch].ports.contains(news.ends.server.1) {
                continue;
            }
            for tally in 0..self.watches[watch].tallies.len() {
                // What came while its source had an episode was not counted for the network.
                let by = self.watches[watch].tallies[tally].by;
                if by != By::Network || !news.reported.is_in(watch) {
                    self.tell_tally(watch, tally, &parties, news, now);
                }
            }
        }
    }

    /// Notes it where a tally holds the attempt, and tells its episode.
    fn tell_tally(&mut self, watch: usize, tally: usize, parties: &Parties, news: &News, now: &Now) {
        let watching = &self.watches[watch];
        let Tally { by, counter: Counter { table, .. } } = &watching.tallies[tally];
        let by = *by;
        let Some(tag) = by.tag(watching.grouping, &self.hasher, parties) else { return };
        let found = table.find(tag);
        // What has been forgotten is still pending if its ring entry says so.
        let before = news.before.unwrap_or_default();
        let (from, to) = (Code::from(before), Code::from(news.after));
        let noted =
            found.is_some_and(|(slot, _)| table.settle(slot, news.started, parties.server.1, from, to));
        if news.before.is_none() && !noted {
            return;
        }
        if noted {
            let owner = Owner::tally(watching.number, by, tag);
            self.volumes.note(owner, (news.started, parties.server.1), before, news.after, now.ticks);
        }
        let key = by.key(watching, parties, tag);
        if let Some((_, true)) = found {
            let change = Change { key, started: (self.era, news.started), before, after: news.after };
            self.tell_episode(&change, now);
        }
        if by == By::Source && is_settled_by(before.outcome, news.after.outcome) {
            self.record_outcome(watch, key, parties, found, news, now);
        }
    }

    /// Tells the episode of what is flagged, if there is one or one is on its way.
    fn tell_episode(&mut self, change: &Change, now: &Now) {
        // Asked before the look: whoever sees that a crossing was dealt with finds its episode.
        let are_settled = self.episodes.are_settled();
        if let Some(episode) = self.episodes.get(&change.key) {
            if episode.lasts_at(now.time) {
                episode.change(change);
            }
            return;
        }
        if !are_settled {
            self.episodes.count_sent();
            if !self.handoff.offer(Event::Became(*change)) {
                self.episodes.count_handled();
                self.stats.losses.crossings += 1;
            }
        }
    }

    /// Counts an attempt for the limits by its outcome.
    fn record_outcome(
        &mut self,
        watch: usize,
        key: Key,
        parties: &Parties,
        found: Option<(Slot, bool)>,
        news: &News,
        now: &Now,
    ) {
        let outcome = news.after.outcome;
        let Some(counter) = self.watches[watch].outcome(outcome) else { return };
        let code = Code::from(news.after);
        let settled =
            table::Attempt { time: now.ticks, port: news.ends.server.1, code, ..Default::default() };
        let recorded = counter.table.record_attempt(key.tag, Hint::default(), &settled, &mut self.ties);
        let met = counter.table.met(&recorded);
        let owner = Owner::outcome(key.watch, outcome, key.tag);
        self.volumes.note(owner, (recorded.time, recorded.port), Life::default(), news.after, now.ticks);
        self.note_claim(&recorded, By::Source);
        self.note_outcome(watch, outcome, key, now.ticks);
        let slot = found.map(|(slot, _)| slot);
        // Of a source whose slot is gone, nothing is known.
        if met.is_none() && found.is_some_and(|(_, is_flagged)| !is_flagged) {
            return;
        }
        let Some(counter) = self.watches[watch].outcome(outcome) else { return };
        let attempt = attempt(key, parties, news, now);
        if let Some(episode) = self.episodes.get(&attempt.key).filter(|episode| episode.lasts_at(now.time)) {
            let own = counter.limits.iter().position(|limit| *limit == episode.limit());
            let span = own.and_then(|limit| counter.table.span(&recorded, limit));
            if own.is_some() && !episode.has((self.era, news.started)) {
                // Made before the episode began, and now what its limit counts.
                episode.count(&attempt.sight(), span, met.is_some());
                episode.settle(news.after);
            } else if met.is_some() {
                episode.meet(now.time, span);
            }
            // A source that had been forgotten has no flag in its new slot.
            if let Some(slot) = slot {
                self.watches[watch].tallies[0].counter.table.flag(slot, true);
            }
            return;
        }
        if let Some(limit) = met {
            self.cross(
                &Met { watch, counted: Counted::Outcome(outcome), recorded, limit },
                slot,
                attempt,
                now,
            );
        }
    }
}

/// Whether this is when a limit counts an outcome: once it is final, or known after all.
fn is_settled_by(before: Outcome, after: Outcome) -> bool {
    after.is_settled() && (!before.is_settled() || before == Outcome::Unknown && after != Outcome::Unknown)
}

/// The attempt that became something, at the time at which that was settled.
fn attempt(key: Key, parties: &Parties, news: &News, now: &Now) -> Attempt {
    let Ends { client, server, interface } = news.ends;
    Attempt {
        key,
        time: now.time,
        src_hash: parties.client_hash,
        dst_hash: parties.server_hash,
        src: client.0,
        src_port: client.1,
        dst: server.0,
        dst_port: server.1,
        interface,
    }
}
