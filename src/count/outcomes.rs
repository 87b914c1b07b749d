//! What is done with the news of an attempt: noted in its source's ring, counted for its episode, and for the limits by
//! outcome.

use crate::connections::{Ends, News};
use crate::detector::{Attempt, Change, Event};
use crate::outcome::{Code, Life};
use crate::table::Slot;
use crate::time::Timestamp;

use super::batch::Now;
use super::crossing::Met;
use super::{Counted, Counting, key, source};

/// The most SYNs that are given up waiting for at a tick.
const EXPIRED_AT_A_TICK: usize = 10_000;

impl Counting {
    /// Gives up waiting for what should have come by now.
    pub(super) fn expire(&mut self, time: Timestamp) {
        let now = Now { time, floor: self.clock.floor(time), ticks: self.clock.ticks(time) };
        for _ in 0..EXPIRED_AT_A_TICK {
            match self.connections.expire(now.ticks) {
                Some(Some(news)) => self.tell(&news, &now),
                Some(None) => {}
                None => return,
            }
        }
    }

    /// Takes note of what became of an attempt, at the time of the segment or of the tick that tells it.
    pub(super) fn tell(&mut self, news: &News, now: &Now) {
        if self.allow.contains(news.ends.client.0) {
            return;
        }
        for watch in 0..self.watches.len() {
            let watching = &self.watches[watch];
            if !watching.ports.contains(news.ends.server.1) {
                continue;
            }
            let source = source(watching, &self.own, news.ends.client.0);
            let tag = self.key.address(source.0.addr());
            let found = watching.attempts.table.find(tag);
            let code = Code::from(news.after);
            let noted = found.and_then(|(slot, _)| {
                watching.attempts.table.settle(slot, news.started, news.ends.server.1, code)
            });
            let before = match (news.before, noted) {
                (Some(before), _) => before,
                // Forgotten: it is still pending if its ring entry says so.
                (None, Some(code)) if code == Code::default() => Life::default(),
                (None, _) => continue,
            };
            if let Some((_, true)) = found {
                let key = key(watch, source);
                self.tell_episode(&Change { key, started: news.started, before, after: news.after }, now);
            }
            if !before.outcome.is_settled() && news.after.outcome.is_settled() {
                self.record_outcome(watch, tag, source, found.map(|(slot, _)| slot), news, now);
            }
        }
    }

    /// Tells the episode of a flagged source, if there is one or one is on its way.
    fn tell_episode(&mut self, change: &Change, now: &Now) {
        // Asked before the look: whoever sees that a crossing was dealt with finds its episode.
        let are_settled = self.episodes.are_settled();
        match self.episodes.get(&change.key) {
            Some(episode) if episode.lasts_at(now.time) => episode.change(change),
            Some(_) => {}
            None if are_settled => {}
            None => {
                self.episodes.count_sent();
                if !self.handoff.offer(Event::Became(*change)) {
                    self.episodes.count_handled();
                    self.stats.losses.crossings += 1;
                }
            }
        }
    }

    /// Counts an attempt for the limits by its outcome.
    fn record_outcome(
        &mut self,
        watch: usize,
        tag: u64,
        source: Counted,
        slot: Option<Slot>,
        news: &News,
        now: &Now,
    ) {
        let outcome = Some(news.after.outcome);
        let Some(counter) = self.watches[watch].counter(outcome) else { return };
        let code = Code::from(news.after);
        let recorded = counter.table.record(tag, now.ticks, news.ends.server.1, code, &mut self.ties);
        let met = counter.table.met(&recorded);
        self.note_claim(&recorded);
        let Some(limit) = met else { return };
        let attempt = attempt(watch, source, news, now);
        if let Some(episode) = self.episodes.get(&attempt.key) {
            if episode.lasts_at(now.time) {
                return episode.meet(now.time);
            }
        }
        // The flag stands in the slot of the source's attempts. Where that is gone, so is most of what would be told.
        if let Some(slot) = slot {
            self.cross(&Met { watch, outcome, recorded, limit }, slot, attempt, now);
        }
    }
}

/// The attempt that became something, at the time at which that was settled.
fn attempt(watch: usize, source: Counted, news: &News, now: &Now) -> Attempt {
    let Ends { client, server, interface } = news.ends;
    Attempt {
        key: key(watch, source),
        time: now.time,
        src: client.0,
        src_port: client.1,
        dst: server.0,
        dst_port: server.1,
        interface,
    }
}
