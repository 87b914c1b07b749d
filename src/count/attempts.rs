//! What is done with a SYN: counted as an attempt, or for the episode of its source as the repeat of one.

use crate::connections::Syn;
use crate::detector::{Attempt, Episodes, Event};
use crate::outcome::Code;
use crate::segment::Segment;
use crate::table::Recorded;
use crate::time::Timestamp;

use super::batch::Now;
use super::crossing::Met;
use super::{Counted, Counting, key, source};

impl Counting {
    /// Counts an attempt, in each watch that it concerns.
    pub(super) fn count_attempt(&mut self, index: usize, segment: &Segment, now: &Now) {
        self.stats.attempts += 1;
        if self.allow.contains(segment.src) {
            self.stats.allowed += 1;
            return;
        }
        // Allowed too, but counted: one that is over a limit is warned of.
        self.stats.allowed += u64::from(self.own.contains(&segment.src));
        for watch in 0..self.watches.len() {
            if let Some(tag) = self.batch.tag(watch, index) {
                self.record(index, watch, tag, segment, now);
            }
        }
    }

    /// Records an attempt for a watch, and tells whoever has to know.
    fn record(&mut self, index: usize, watch: usize, tag: u64, segment: &Segment, now: &Now) {
        let table = &self.watches[watch].attempts.table;
        let recorded = table.record(tag, now.ticks, segment.dst_port, Code::default(), &mut self.ties);
        self.note_claim(&recorded);
        let counter = &self.watches[watch].attempts;
        let time = now.time.max(now.counted_at(&recorded));
        let attempt = attempt(watch, source(&self.watches[watch], &self.own, segment.src), segment, time);
        let met = counter.table.met(&recorded);
        if recorded.flagged {
            if let Some(episode) = self.episodes.get(&attempt.key) {
                // One that is over is closed by the detector at its next tick, or by the crossing below.
                if episode.lasts_at(attempt.time) {
                    let limit = counter.limits.iter().position(|limit| *limit == episode.limit());
                    let span = limit.and_then(|limit| counter.table.span(&recorded, limit));
                    episode.count(&attempt, span, met.is_some());
                    drop(episode);
                    return self.keep(index);
                }
            }
        }
        match met {
            Some(limit) => {
                let met = Met { watch, outcome: None, recorded, limit };
                if self.cross(&met, recorded.slot, attempt, now) {
                    self.keep(index);
                }
            }
            None if recorded.flagged => self.settle_flag(attempt, &recorded),
            None => {}
        }
    }

    /// An attempt that met no limit, of a source that is flagged but has no episode: it may be on its way, or over.
    fn settle_flag(&mut self, attempt: Attempt, recorded: &Recorded) {
        // Its crossing may have been dealt with since it was looked for. Whoever sees that finds it now.
        let is_over = |episodes: &Episodes| {
            episodes.get(&attempt.key).is_none_or(|episode| !episode.lasts_at(attempt.time))
        };
        if self.episodes.are_settled() && is_over(&self.episodes) {
            self.watches[usize::from(attempt.key.watch)].attempts.table.flag(recorded.slot, false);
            return;
        }
        self.episodes.count_sent();
        if !self.handoff.offer(Event::Late(attempt)) {
            self.episodes.count_handled();
            self.stats.losses.crossings += 1;
        }
    }

    /// Counts a copy or a retransmission for the episode of its source, if there is one.
    pub(super) fn count_repeat(&self, index: usize, segment: &Segment, now: &Now, repeat: Syn) {
        for (watch, watching) in self.watches.iter().enumerate() {
            let Some(tag) = self.batch.tag(watch, index) else { continue };
            let Some((_, true)) = watching.attempts.table.find(tag) else { continue };
            let key = key(watch, source(watching, &self.own, segment.src));
            let Some(episode) = self.episodes.get(&key) else { continue };
            if episode.lasts_at(now.time) {
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

fn attempt(watch: usize, source: Counted, segment: &Segment, time: Timestamp) -> Attempt {
    Attempt {
        key: key(watch, source),
        time,
        src: segment.src,
        src_port: segment.src_port,
        dst: segment.dst,
        dst_port: segment.dst_port,
        interface: segment.place.interface,
    }
}
