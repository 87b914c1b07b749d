//! What is done with a SYN: counted as an attempt, or for the episode of its source as the repeat of one.

use crate::base::estimate::Mark;
use crate::base::time::Timestamp;
use crate::engine::attempt::Logged;
use crate::engine::conntrack::Syn;
use crate::engine::counters::{self, Hint, Recorded, Taken};
use crate::engine::episodes::Admission;
use crate::engine::event::{Key, Observation};
use crate::wire::packet_copy::PacketCopy;

use super::batch::Pending;
use super::counter_stage::CounterStage;
use super::groups::{By, Row, Tally};
use super::limit_hit::{Counted, Met};
use super::noted::{Memo, Reported};

impl CounterStage {
    /// Counts an attempt in each tally that it concerns; `concern` gives its tag there. Gives in which watches its source
    /// had an episode, and where it was recorded.
    pub(super) fn count_attempt(
        &mut self,
        rows: &[Row],
        pending: &Pending,
        kept: Option<&PacketCopy>,
        concern: impl Fn(usize) -> Option<(u64, Hint)>,
    ) -> (Reported, Memo) {
        let Pending { parties, now, .. } = pending;
        self.stats.attempts += 1;
        let is_allowed = self.allow.contains(parties.client.0);
        // An own address is allowed too, but counted: one that is over a limit is warned of.
        let allowed = u64::from(is_allowed || parties.is_own);
        self.stats.allowed += allowed;
        // The watch in which the source has an episode: there it does not count for its network.
        let mut reported_in = None;
        let mut reported = Reported::default();
        let mut is_kept = false;
        let mut memo = Memo::default();
        let mark = Mark::of(parties.client_hash);
        let attempt =
            counters::Attempt { time: now.ticks, port: parties.server.1, mark, ..Default::default() };
        for (number, row) in rows.iter().enumerate() {
            let Some((tag, hint)) = concern(number) else { continue };
            let Row { watch, by, ref table, .. } = *row;
            if by == By::Source {
                let stats = &mut self.watches[watch].stats;
                stats.attempts += 1;
                stats.allowed += allowed;
            }
            // Forged attempts have the address of an allowed host as easily as any other: their destination counts them.
            if is_allowed && by != By::Destination || by == By::Network && reported_in == Some(watch) {
                continue;
            }
            let taken = table.record_attempt(tag, hint, &attempt, &mut self.ties);
            memo.set(number, taken.place());
            self.note_attempt(row, tag, pending);
            if let Some(slot) = self.note_taken(watch, &taken, by) {
                table.name_holder(slot, parties.client.0);
            }
            // The first one of a source meets no limit, or has a slot.
            let Taken::Recorded(recorded) = taken else { continue };
            let met = table.met(&recorded);
            // Nearly all attempts end here: nobody has to know, so that whose they are need not be put together.
            if met.is_none() && !recorded.flagged {
                continue;
            }
            let is_reported = self.report(row, tag, (pending, kept), &recorded, met);
            if is_reported && by == By::Source {
                reported_in = Some(watch);
                reported.add(watch);
            }
            let is_wanted = is_reported && by != By::Destination;
            if is_wanted && !std::mem::replace(&mut is_kept, true) {
                self.keep(kept);
            }
        }
        (reported, memo)
    }

    /// Counts an attempt for its episode, or opens one if it met a limit, and says whether it has one.
    fn report(
        &mut self,
        row: &Row,
        tag: u64,
        (pending, kept): (&Pending, Option<&PacketCopy>),
        recorded: &Recorded,
        met: Option<usize>,
    ) -> bool {
        let Pending { parties, now, segment, .. } = pending;
        let Row { watch, tally, .. } = *row;
        let watching = &self.watches[watch];
        let Tally { by, counter } = &watching.tallies[tally];
        let time = if recorded.time > now.ticks { now.counted_at(&self.clock, recorded) } else { now.time };
        if recorded.flagged {
            let is_it = |key: &Key| key.watch == watching.watch.number && by.is(key.kind);
            // One that is over is closed at the next second boundary, or by the limit hit below.
            let episode = self.episodes.get(tag, is_it);
            if let Some(episode) = episode.filter(|episode| episode.lasts_at(time)) {
                let limit = counter.limits.iter().position(|limit| *limit == episode.limit());
                let span = limit.and_then(|limit| counter.table.span(recorded, limit));
                let src = (parties.client_hash, &parties.client.0);
                let dst = (parties.server_hash, &parties.server.0);
                let sight = Observation { time, src, dst, dst_port: parties.server.1 };
                episode.count(&sight, span, met.is_some());
                if let Some(kept) = kept.filter(|_| self.keeps_evidence && *by != By::Destination) {
                    let (attempt, packet) = (logged(pending, time), kept.headers(segment.payload));
                    let is_told = self.handoff.offer_attempt(episode.number(), attempt, Some(packet));
                    episode.not_logged += u64::from(!is_told);
                }
                return true;
            }
        }
        let Some(limit) = met else {
            // While there is no room for its episode, the flag says that it is counted as refused: what becomes of its
            // attempts may meet a limit again and again, between attempts that meet none.
            if self.episodes.admits() == Admission::All {
                counter.table.flag(recorded.slot, false);
            }
            return false;
        };
        let attempt = parties.attempt(by.key(watching, parties, tag), segment.place.interface, time);
        let met = Met { watch, counted: Counted::Attempts(tally), recorded: *recorded, limit };
        self.cross(&met, Some(recorded.slot), attempt, now)
    }

    /// Counts a copy or a retransmission for the watches and the episodes that its attempt would count for.
    pub(super) fn count_repeat(
        &mut self,
        pending: &Pending,
        concern: impl Fn(usize) -> Option<(u64, Hint)>,
        repeat: Syn,
    ) {
        let Pending { now, .. } = pending;
        let mut reported_in = None;
        for (row, &Row { watch, tally, .. }) in self.rows.iter().enumerate() {
            let Some((tag, _)) = concern(row) else { continue };
            let watching = &mut self.watches[watch];
            if watching.tallies[tally].by == By::Source {
                match repeat {
                    Syn::Copy => watching.stats.copies += 1,
                    Syn::Attempt | Syn::SecondLeg | Syn::Retransmission => {
                        watching.stats.retransmissions += 1
                    }
                }
            }
            let watching = &*watching;
            let Tally { by, counter } = &watching.tallies[tally];
            if *by == By::Network && reported_in == Some(watch) {
                continue;
            }
            let Some((_, true)) = counter.table.find(tag) else { continue };
            let is_it = |key: &Key| key.watch == watching.watch.number && by.is(key.kind);
            let Some(episode) = self.episodes.get(tag, is_it) else { continue };
            if episode.lasts_at(now.time) {
                if *by == By::Source {
                    reported_in = Some(watch);
                }
                match repeat {
                    Syn::Copy => episode.count_copy(),
                    Syn::Attempt | Syn::SecondLeg | Syn::Retransmission => episode.count_retransmission(),
                }
            }
        }
    }

    /// Has the packet of an attempt written.
    fn keep(&self, kept: Option<&PacketCopy>) {
        if let (Some(writer), Some(kept)) = (&self.writer, kept) {
            if self.handoff.waits() {
                writer.keep(*kept);
            } else {
                writer.try_keep(*kept);
            }
        }
    }
}

/// An attempt as evidence tells it.
fn logged(pending: &Pending, time: Timestamp) -> Logged {
    let Pending { parties, segment, .. } = pending;
    let ((src, src_port), (dst, dst_port)) = (parties.client, parties.server);
    Logged { time, src, src_port, dst, dst_port, flags: segment.flags }
}
