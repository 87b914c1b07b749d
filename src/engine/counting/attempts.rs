//! Counts SYNs: as attempts, or as repeats of an attempt for the episode of its source.

use crate::base::hyperloglog::Mark;
use crate::base::time::Timestamp;
use crate::engine::attempt::Logged;
use crate::engine::conntrack::Syn;
use crate::engine::counters::{self, Hint, Recorded, Taken};
use crate::engine::episodes::Admission;
use crate::engine::event::{Key, Observation};
use crate::wire::packet_copy::PacketCopy;

use super::CounterStage;
use super::annotations::{Annotation, Reported};
use super::groups::{CounterGroup, GroupBy, GroupRef};
use super::limit_hit::{Counted, Hit};
use crate::engine::conntrack::findings::SegmentSummary;

impl CounterStage {
    /// Counts an attempt in each group that it concerns; `group_tag` returns its tag there. Returns the
    /// watches in which its source had an episode, and where it was recorded.
    pub(in crate::engine) fn count_attempt(
        &mut self,
        rows: &[GroupRef],
        segment: &SegmentSummary,
        kept: Option<&PacketCopy>,
        group_tag: impl Fn(usize) -> Option<(u64, Hint)>,
    ) -> (Reported, Annotation) {
        let SegmentSummary { endpoints, now, .. } = segment;
        self.stats.attempts += 1;
        let is_allowed = self.allow.contains(endpoints.client.0);
        // This host's own address is allowed too, but counted: synwatch warns when it exceeds a limit.
        let allowed = u64::from(is_allowed || endpoints.is_own);
        self.stats.allowed += allowed;
        // The watch in which the source has an episode. There the attempt does not count for its network.
        let mut reported_in = None;
        let mut reported = Reported::default();
        let mut is_kept = false;
        let mut annotation = Annotation::default();
        let mark = Mark::of(endpoints.client_hash);
        let attempt =
            counters::Attempt { time: now.ticks, port: endpoints.server.1, mark, ..Default::default() };
        for (number, row) in rows.iter().enumerate() {
            let Some((tag, hint)) = group_tag(number) else { continue };
            let GroupRef { watch, by, ref table, .. } = *row;
            if by == GroupBy::Source {
                let stats = &mut self.watches[watch].stats;
                stats.attempts += 1;
                stats.allowed += allowed;
            }
            // Forged attempts may carry the address of an allowed host as well as any other. So their
            // destination counts them.
            if is_allowed && by != GroupBy::Destination
                || by == GroupBy::Network && reported_in == Some(watch)
            {
                continue;
            }
            let taken = table.record_attempt(tag, hint, &attempt, &mut self.ties);
            annotation.set(number, taken.place());
            self.note_attempt(row, tag, segment);
            if let Some(slot) = self.note_taken(watch, &taken, by) {
                table.name_holder(slot, endpoints.client.0);
            }
            // The first attempt of a source either meets no limit or has a slot.
            let Taken::Recorded(recorded) = taken else { continue };
            let met = table.met(&recorded);
            // Nearly all attempts end here. They concern no episode, so the loop does not build their key.
            if met.is_none() && !recorded.flagged {
                continue;
            }
            let is_reported = self.report(row, tag, (segment, kept), &recorded, met);
            if is_reported && by == GroupBy::Source {
                reported_in = Some(watch);
                reported.add(watch);
            }
            let is_wanted = is_reported && by != GroupBy::Destination;
            if is_wanted && !std::mem::replace(&mut is_kept, true) {
                self.keep(kept);
            }
        }
        (reported, annotation)
    }

    /// Counts an attempt for its episode, or opens one if it met a limit. Returns whether it has one.
    fn report(
        &mut self,
        row: &GroupRef,
        tag: u64,
        (segment, kept): (&SegmentSummary, Option<&PacketCopy>),
        recorded: &Recorded,
        met: Option<usize>,
    ) -> bool {
        let SegmentSummary { endpoints, now, .. } = segment;
        let GroupRef { watch, group, .. } = *row;
        let watching = &self.watches[watch];
        let CounterGroup { by, counter } = &watching.groups[group];
        let time = if recorded.time > now.ticks { now.counted_at(&self.clock, recorded) } else { now.time };
        if recorded.flagged {
            let is_it = |key: &Key| key.watch == watching.watch.number && by.is(key.kind);
            // An episode that is over is closed at the next second boundary, or by the limit hit below.
            let episode = self.episodes.get(tag, is_it);
            if let Some(episode) = episode.filter(|episode| episode.lasts_at(time)) {
                let limit = counter.limits.iter().position(|limit| *limit == episode.limit());
                let span = limit.and_then(|limit| counter.table.span(recorded, limit));
                let src = (endpoints.client_hash, &endpoints.client.0);
                let dst = (endpoints.server_hash, &endpoints.server.0);
                let sight = Observation { time, src, dst, dst_port: endpoints.server.1 };
                episode.count(&sight, span, met.is_some());
                if let Some(kept) = kept.filter(|_| self.keeps_evidence && *by != GroupBy::Destination) {
                    let (attempt, packet) = (logged(segment, time), kept.headers(segment.payload));
                    let is_told = self.handoff.offer_attempt(episode.number(), attempt, Some(packet));
                    episode.not_logged += u64::from(!is_told);
                }
                return true;
            }
        }
        let Some(limit) = met else {
            // While there is no room for its episode, the flag means that it is counted as refused. Outcomes
            // of its attempts may meet a limit again and again, between attempts that meet none.
            if self.episodes.admits() == Admission::All {
                counter.table.flag(recorded.slot, false);
            }
            return false;
        };
        let attempt = endpoints.attempt(by.key(watching, endpoints, tag), segment.interface, time);
        let hit = Hit { watch, counted: Counted::Attempts(group), recorded: *recorded, limit };
        self.open_episode(&hit, Some(recorded.slot), attempt, now)
    }

    /// Counts a copy or a retransmission for the watches and the episodes that count its attempt.
    pub(in crate::engine) fn count_repeat(
        &mut self,
        segment: &SegmentSummary,
        group_tag: impl Fn(usize) -> Option<(u64, Hint)>,
        repeat: Syn,
    ) {
        let SegmentSummary { now, .. } = segment;
        let mut reported_in = None;
        for (row, &GroupRef { watch, group, .. }) in self.rows.iter().enumerate() {
            let Some((tag, _)) = group_tag(row) else { continue };
            let watching = &mut self.watches[watch];
            if watching.groups[group].by == GroupBy::Source {
                match repeat {
                    Syn::Copy => watching.stats.copies += 1,
                    Syn::Attempt | Syn::SecondLeg | Syn::Retransmission => {
                        watching.stats.retransmissions += 1
                    }
                }
            }
            let watching = &*watching;
            let CounterGroup { by, counter } = &watching.groups[group];
            if *by == GroupBy::Network && reported_in == Some(watch) {
                continue;
            }
            let Some((_, true)) = counter.table.find(tag) else { continue };
            let is_it = |key: &Key| key.watch == watching.watch.number && by.is(key.kind);
            let Some(episode) = self.episodes.get(tag, is_it) else { continue };
            if episode.lasts_at(now.time) {
                if *by == GroupBy::Source {
                    reported_in = Some(watch);
                }
                match repeat {
                    Syn::Copy => episode.count_copy(),
                    Syn::Attempt | Syn::SecondLeg | Syn::Retransmission => episode.count_retransmission(),
                }
            }
        }
    }

    /// Sends the packet of an attempt to the writer.
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

/// An attempt in the form of the evidence.
fn logged(segment: &SegmentSummary, time: Timestamp) -> Logged {
    let SegmentSummary { endpoints, flags, .. } = *segment;
    let ((src, src_port), (dst, dst_port)) = (endpoints.client, endpoints.server);
    Logged { time, src, src_port, dst, dst_port, flags }
}
