//! What is done with a SYN: counted as an attempt, or for the episode of its source as the repeat of one.

use crate::connections::Syn;
use crate::detector::{Attempt, Episodes, Event, Key};
use crate::estimate::Mark;
use crate::segment::Segment;
use crate::table::{self, Slot};
use crate::time::Timestamp;

use super::Counting;
use super::batch::Now;
use super::crossing::{Counted, Met};
use super::tally::By;

impl Counting {
    /// Counts an attempt, in each tally that it concerns.
    pub(super) fn count_attempt(&mut self, index: usize, connection: u64, segment: &Segment, now: &Now) {
        self.stats.attempts += 1;
        if self.allow.contains(segment.src) {
            self.stats.allowed += 1;
            return;
        }
        // Allowed too, but counted: one that is over a limit is warned of.
        self.stats.allowed += u64::from(self.own.contains(&segment.src));
        // The watch in which the source has an episode: there it does not count for its network.
        let mut reported_in = None;
        let mut is_kept = false;
        for row in 0..self.rows.len() {
            let (watch, tally) = self.rows[row];
            let by = self.watches[watch].tallies[tally].by;
            if by == By::Network && reported_in == Some(watch) {
                continue;
            }
            if let Some(tag) = self.batch.tag(row, index) {
                let is_reported = self.record(watch, tally, tag, segment, now);
                if is_reported && by == By::Source {
                    reported_in = Some(watch);
                    self.connections.note_reported(connection, segment, watch);
                }
                let is_wanted = is_reported && by != By::Destination;
                if is_wanted && !std::mem::replace(&mut is_kept, true) {
                    self.keep(index);
                }
            }
        }
    }

    /// Records an attempt, tells whoever has to know, and says whether it belongs to an episode.
    fn record(&mut self, watch: usize, tally: usize, tag: u64, segment: &Segment, now: &Now) -> bool {
        let table = &self.watches[watch].tallies[tally].counter.table;
        let by = self.watches[watch].tallies[tally].by;
        // Whose it is, is asked where many share what it counts for.
        let mark = if by == By::Source { Mark::default() } else { Mark::of(self.key.address(segment.src)) };
        let counted = table::Attempt { time: now.ticks, port: segment.dst_port, mark, ..Default::default() };
        let recorded = table.record_attempt(tag, &counted, &mut self.ties);
        self.note_claim(&recorded, by);
        let watching = &self.watches[watch];
        let counter = &watching.tallies[tally].counter;
        let met = counter.table.met(&recorded);
        // Nearly all attempts end here: nobody has to know, so that whose they are need not be put together.
        if met.is_none() && !recorded.flagged {
            return false;
        }
        let server = (segment.dst, segment.dst_port);
        let Some((key, _)) = by.subject((watch, watching), &self.key, &self.own, segment.src, server) else {
            return false;
        };
        let time = now.time.max(now.counted_at(&recorded));
        let attempt = attempt(key, self.key.address(segment.src), segment, time);
        if recorded.flagged {
            if let Some(episode) = self.episodes.get(&attempt.key) {
                // One that is over is closed by the detector at its next tick, or by the crossing below.
                if episode.lasts_at(attempt.time) {
                    let limit = counter.limits.iter().position(|limit| *limit == episode.limit());
                    let span = limit.and_then(|limit| counter.table.span(&recorded, limit));
                    episode.count(&attempt, span, met.is_some());
                    return true;
                }
            }
        }
        match met {
            Some(limit) => {
                let met = Met { watch, counted: Counted::Attempts(tally), recorded, limit };
                self.cross(&met, Some(recorded.slot), attempt, now)
            }
            None => {
                self.settle_flag(watch, tally, recorded.slot, attempt);
                false
            }
        }
    }

    /// An attempt that met no limit, of one that is flagged but has no episode: it may be on its way, or over.
    fn settle_flag(&mut self, watch: usize, tally: usize, slot: Slot, attempt: Attempt) {
        // Its crossing may have been dealt with since it was looked for. Whoever sees that finds it now.
        let is_over = |episodes: &Episodes| {
            episodes.get(&attempt.key).is_none_or(|episode| !episode.lasts_at(attempt.time))
        };
        if self.episodes.are_settled() && is_over(&self.episodes) {
            // While there is no room for its episode, the flag says that it is counted as refused: what becomes of its
            // attempts may meet a limit again and again, between attempts that meet none.
            if !self.episodes.is_full() {
                self.watches[watch].tallies[tally].counter.table.flag(slot, false);
            }
            return;
        }
        self.episodes.count_sent();
        if !self.handoff.offer(Event::Late(attempt)) {
            self.episodes.count_handled();
            self.stats.losses.crossings += 1;
        }
    }

    /// Counts a copy or a retransmission for the episodes that its attempt would count for.
    pub(super) fn count_repeat(&self, index: usize, segment: &Segment, now: &Now, repeat: Syn) {
        let mut reported_in = None;
        for (row, &(watch, tally)) in self.rows.iter().enumerate() {
            let Some(tag) = self.batch.tag(row, index) else { continue };
            let watching = &self.watches[watch];
            if watching.tallies[tally].by == By::Network && reported_in == Some(watch) {
                continue;
            }
            let Some((_, true)) = watching.tallies[tally].counter.table.find(tag) else { continue };
            let server = (segment.dst, segment.dst_port);
            let by = watching.tallies[tally].by;
            let subject = by.subject((watch, watching), &self.key, &self.own, segment.src, server);
            let Some(episode) = subject.and_then(|(key, _)| self.episodes.get(&key)) else { continue };
            if episode.lasts_at(now.time) {
                if by == By::Source {
                    reported_in = Some(watch);
                }
                match repeat {
                    Syn::Copy => episode.count_copy(),
                    Syn::Attempt | Syn::Retransmission => episode.count_retransmission(),
                }
            }
        }
    }

    /// Has the packet of an attempt written.
    fn keep(&self, index: usize) {
        if let (Some(writer), Some(kept)) = (&self.writer, self.kept.get(index)) {
            if self.handoff.is_in_turns() {
                writer.keep(*kept);
            } else {
                writer.try_keep(*kept);
            }
        }
    }
}

fn attempt(key: Key, src_hash: u64, segment: &Segment, time: Timestamp) -> Attempt {
    Attempt {
        key,
        time,
        src_hash,
        src: segment.src,
        src_port: segment.src_port,
        dst: segment.dst,
        dst_port: segment.dst_port,
        interface: segment.place.interface,
    }
}
