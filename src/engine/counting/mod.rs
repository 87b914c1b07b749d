//! The counting stage turns findings into counts and reports: it counts attempts and outcomes in the tables
//! and in the open episodes.
//!
//! It is the last stage of counting. It owns the tables and the open episodes. It sends a second boundary to
//! the detector as a tick, after all earlier events.

mod annotations;
mod attempts;
mod baselines;
pub(in crate::engine) mod groups;
pub(in crate::engine) mod limit_hit;
pub(in crate::engine) mod lookahead;
pub(in crate::engine) mod outcomes;
mod proofs;
pub(in crate::engine) mod provers;
pub(in crate::engine) mod volumes;

use std::net::IpAddr;
use std::slice;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::hash;
use crate::base::time::Timestamp;
use crate::capture::Received;
use crate::engine::baseline::{Baseline, Budget};
use crate::engine::classified::BatchCounts;
use crate::engine::clock::{Reading, Ticks};
use crate::engine::conntrack::findings::{Finding, Findings, SegmentSummary, Verdict};
use crate::engine::conntrack::{self, Counts, Inferred, OutcomeUpdate, Syn};
use crate::engine::copies::CaptureHandle;
use crate::engine::counters::{Claim, Hint, Recorded, Slot, Taken, Ties};
use crate::engine::episodes::Episodes;
use crate::engine::event::Event;
use crate::engine::handoff::Handoff;
use crate::engine::ingest::batch::{Now, SecondBoundary};
use crate::engine::ingest::endpoints::Hasher;
use crate::engine::stats::{Heartbeat, Stats};
use crate::engine::watch::AllowList;
use crate::wire::packet::InterfaceId;
use crate::wire::packet_copy::PacketCopy;
use crate::wire::segment::Flags;
use annotations::{Annotation, Annotations, Reported, ReportedIn};
use groups::{GroupBy, GroupRef, Watching};
use lookahead::GroupTags;
use provers::Provers;
use volumes::Volumes;

/// The last stage of counting.
#[derive(Debug)]
pub(in crate::engine) struct CounterStage {
    pub(in crate::engine) clock: Reading,
    /// The watches that reported each attempt, until its outcome is known.
    pub(in crate::engine) reported: ReportedIn,
    pub(in crate::engine) annotations: Annotations,
    pub(in crate::engine) volumes: Volumes,
    pub(in crate::engine) provers: Provers,
    pub(in crate::engine) lists_pairs: bool,
    pub(in crate::engine) watches: Vec<Watching>,
    /// Every group, in order.
    pub(in crate::engine) rows: Arc<[GroupRef]>,
    pub(in crate::engine) allow: AllowList,
    pub(in crate::engine) own: Vec<IpAddr>,
    pub(in crate::engine) hasher: Hasher,
    pub(in crate::engine) ties: Ties,
    /// Memory that is left for baselines, if they are taken.
    pub(in crate::engine) baseline: Option<Budget>,
    pub(in crate::engine) writer: Option<CaptureHandle>,
    pub(in crate::engine) keeps_evidence: bool,
    pub(in crate::engine) handoff: Handoff,
    pub(in crate::engine) episodes: Episodes,
    /// The tags under which the findings of a batch count.
    pub(in crate::engine) group_tags: GroupTags,
    pub(in crate::engine) stats: Stats,
}

/// The parts of a [`CounterStage`].
#[derive(Debug)]
pub(in crate::engine) struct Parts {
    /// Conntrack's capacity in attempts, and in timers.
    pub(in crate::engine) places: usize,
    pub(in crate::engine) timers: usize,
    pub(in crate::engine) volumes: Volumes,
    pub(in crate::engine) provers: Provers,
    pub(in crate::engine) lists_pairs: bool,
    pub(in crate::engine) watches: Vec<Watching>,
    pub(in crate::engine) allow: AllowList,
    pub(in crate::engine) baseline: Option<Budget>,
    pub(in crate::engine) key: hash::Key,
    pub(in crate::engine) writer: Option<CaptureHandle>,
    pub(in crate::engine) keeps_evidence: bool,
    pub(in crate::engine) handoff: Handoff,
    pub(in crate::engine) episodes: Episodes,
}

impl CounterStage {
    pub(in crate::engine) fn new(mut parts: Parts) -> Self {
        parts.volumes.look_back(groups::longest_window(&parts.watches));
        let rows = groups::rows(&parts.watches);
        let slots = groups::slots(&parts.watches);
        let group_tags = GroupTags::new(rows.len());
        Self {
            clock: Reading::default(),
            reported: ReportedIn::new(parts.places),
            annotations: Annotations::new(parts.timers),
            volumes: parts.volumes,
            provers: parts.provers,
            lists_pairs: parts.lists_pairs,
            rows,
            watches: parts.watches,
            allow: parts.allow,
            own: Vec::new(),
            ties: Ties::new(parts.key.address(IpAddr::from([0; 4]))),
            hasher: Hasher::new(parts.key),
            baseline: parts.baseline,
            writer: parts.writer,
            keeps_evidence: parts.keeps_evidence,
            handoff: parts.handoff,
            episodes: parts.episodes,
            group_tags,
            stats: Stats { slots, ..Stats::default() },
        }
    }

    /// Stores the counters of conntrack, and the total of SYNs without a timer.
    pub(in crate::engine) fn note_conntrack(&mut self, counts: Counts, untimed: u64) {
        self.stats.connections_evicted = counts.evicted;
        self.stats.wrong_numbers = counts.wrong_numbers;
        self.stats.wrong_checksums = counts.wrong_checksums;
        self.stats.second_legs = counts.second_legs;
        self.stats.one_sided = counts.one_sided;
        self.stats.unseen_evicted = counts.unseen_evicted;
        self.stats.untimed = untimed;
    }

    /// Stores the numbers of received and lost packets that the source reports.
    pub(in crate::engine) fn note(&mut self, received: Received) {
        self.stats.kernel_packets = received.packets;
        self.stats.losses.kernel = received.kernel_drops;
        self.stats.losses.interface = received.interface_drops;
    }

    /// Counts the findings of a batch. `reading` is the clock after it.
    #[inline(never)] // A stage has the registers to itself.
    pub(in crate::engine) fn count_all(
        &mut self,
        batch: &BatchCounts,
        findings: &Findings,
        reading: &Reading,
    ) {
        self.stats.packets += batch.packets;
        self.stats.skipped += batch.skipped;
        self.stats.answers += findings.answers;
        self.stats.last_watched = batch.last.or(self.stats.last_watched);
        let mut group_tags = std::mem::take(&mut self.group_tags);
        self.look_ahead(findings, &mut group_tags);
        let rows = Arc::clone(&self.rows);
        let mut kept = findings.kept.iter();
        for (index, finding) in findings.all.iter().enumerate() {
            self.count(&rows, findings, finding, &mut kept, |row| group_tags.get(row, index));
        }
        self.group_tags = group_tags;
        self.volumes.flush();
        self.clock = *reading;
    }

    /// Counts the expiry of the next timer, and the update that follows from it.
    #[inline]
    pub(in crate::engine) fn time_out(&mut self, news: Option<&OutcomeUpdate>, now: &Now) {
        let annotation = self.annotations.pop();
        if let Some(news) = news {
            self.notify(news, now, |row| annotation.place(row));
        }
    }

    /// Sends the events that are due at a second boundary.
    pub(in crate::engine) fn boundary(&mut self, boundary: &SecondBoundary) {
        let now = boundary.now;
        if let Some(before) = boundary.stepped_from {
            self.annotations.clear();
            self.stats.clock_steps += 1;
            self.handoff.deliver(Event::Step(before, now));
            self.episodes.step(before, now, &|event| self.handoff.deliver(event));
            self.handoff.deliver(Event::Restart(now));
        } else {
            self.volumes.flush();
            self.episodes.tick(now, self.stats.losses, &|event| self.handoff.offer(event));
            self.handoff.offer(Event::Tick(now, self.counted()));
        }
        if boundary.starts_anew {
            self.volumes.clear();
            self.provers.clear();
            for counter in self.watches.iter_mut().flat_map(Watching::counters_mut) {
                counter.table.clear();
                counter.proven.iter().for_each(|proven| proven.clear());
                counter.baseline.iter_mut().for_each(Baseline::restart);
            }
        }
        self.clock = boundary.after;
    }

    /// Ends all episodes. Returns the baselines of each watch, if they were taken.
    pub(in crate::engine) fn finish(mut self) -> Vec<Vec<Baseline>> {
        let send = |event| self.handoff.deliver(event);
        let now = self.episodes.end(self.clock.now(), self.stats.losses, &send);
        self.handoff.deliver(Event::End(now, self.counted()));
        self.watches.into_iter().map(|watching| watching.into_baselines().collect()).collect()
    }

    /// Waits until the detector has handled every event.
    pub(in crate::engine) fn barrier(&self) {
        self.handoff.barrier();
    }

    /// Sends the heartbeat of a second, with the reading of the clock, if the channel has room.
    pub(in crate::engine) fn heartbeat(
        &self,
        now: Option<(Timestamp, Ticks)>,
        interfaces: Vec<(InterfaceId, Received)>,
    ) {
        let watches = self.watches.iter().map(Watching::counted).collect();
        self.handoff.offer(Event::Heartbeat(Box::new(Heartbeat {
            stats: self.counted(),
            watches,
            now,
            interfaces,
        })));
    }

    /// Sends at most this many open episodes, if the channel has room. Returns whether it had.
    pub(in crate::engine) fn list_episodes(&self, most: usize) -> bool {
        let (listed, others) = self.episodes.list(most);
        self.handoff.offer(Event::Listed(listed, others))
    }

    /// Asks the detector to open the log files again.
    pub(in crate::engine) fn reopen(&self) {
        if let Some(writer) = &self.writer {
            writer.reopen();
        }
        self.handoff.deliver(Event::Reopen);
    }

    /// Asks the detector to show the statistics.
    pub(in crate::engine) fn show(&self) {
        self.handoff.deliver(Event::Show(self.counted()));
    }

    fn counted(&self) -> Stats {
        Stats {
            volumes_evicted: self.volumes.evicted(),
            episodes: self.episodes.opened(),
            not_written: self.writer.as_ref().map_or(0, CaptureHandle::not_written),
            not_queued: self.writer.as_ref().map_or(0, CaptureHandle::not_queued),
            ..self.stats
        }
    }

    /// Counts a finding. `kept` has the packets of this attempt and of the next ones, where packets are kept.
    /// `group_tag` returns the finding's tag in a counter group.
    #[inline]
    fn count(
        &mut self,
        rows: &[GroupRef],
        findings: &Findings,
        finding: &Finding,
        kept: &mut slice::Iter<'_, PacketCopy>,
        group_tag: impl Fn(usize) -> Option<(u64, Hint)>,
    ) {
        let segment = &findings.segments[finding.segment as usize];
        match finding.verdict {
            Verdict::OutcomeUpdate(news) => self.notify_of(&findings.news[news as usize], segment, group_tag),
            Verdict::Attempt { place, moved, has_timer } => {
                let counted = self.count_attempt(rows, segment, kept.next(), group_tag);
                self.remember(counted, place, moved, has_timer);
            }
            Verdict::Inferred(inferred) => {
                self.count_inferred(rows, segment, &findings.inferred[inferred as usize]);
            }
            Verdict::Copy => {
                self.stats.copies += 1;
                self.count_repeat(segment, group_tag, Syn::Copy);
            }
            Verdict::Retransmission { has_timer } => {
                self.stats.retransmissions += 1;
                self.count_repeat(segment, group_tag, Syn::Retransmission);
                if has_timer {
                    self.annotations.push(Annotation::default());
                }
            }
        }
    }

    /// Stores where an attempt was recorded, for its later outcome.
    fn remember(
        &mut self,
        (reported, annotation): (Reported, Annotation),
        place: conntrack::Place,
        moved: Option<conntrack::Place>,
        has_timer: bool,
    ) {
        if let Some(moved) = moved {
            self.reported.set(moved, self.reported.get(place));
        }
        self.reported.set(place, reported);
        if has_timer {
            self.annotations.push(annotation);
        }
    }

    /// Counts an inferred attempt at the time of its SYN. Its endpoints come from conntrack: where both ports
    /// are watched, the segment alone does not show which side is the client.
    #[inline(never)]
    fn count_inferred(&mut self, rows: &[GroupRef], segment: &SegmentSummary, inferred: &Inferred) {
        let Inferred { ends, started, place, moved, has_timer } = *inferred;
        let endpoints = self.hasher.endpoints(ends.client, ends.server, self.own.contains(&ends.client.0));
        let since = Ticks::span(segment.now.ticks.since(started));
        let now = Now { time: segment.now.time.before(since), ticks: started };
        let segment =
            SegmentSummary { now, endpoints, flags: Flags::SYN, interface: ends.interface, ..*segment };
        let tags: SmallVec<[_; 8]> =
            rows.iter().map(|row| self.watches[row.watch].tag(row.by, &self.hasher, &endpoints)).collect();
        self.stats.inferred += 1;
        let group_tag = |row: usize| tags[row].map(|tag| (tag, Hint::default()));
        let counted = self.count_attempt(rows, &segment, None, group_tag);
        self.remember(counted, place, moved, has_timer);
    }

    /// Counts how a slot or a place was taken. Returns the slot if one was claimed. Evicted networks and
    /// destinations do not count as lost sources.
    #[inline]
    pub(in crate::engine) fn note_taken(&mut self, watch: usize, taken: &Taken, by: GroupBy) -> Option<Slot> {
        let (claimed, slot) = match taken {
            Taken::Waits { evicted: false, .. } | Taken::Recorded(Recorded { claimed: None, .. }) => {
                return None;
            }
            Taken::Waits { evicted: true, .. } => (None, None),
            Taken::Recorded(Recorded { claimed, slot, .. }) => (*claimed, Some(*slot)),
        };
        match claimed {
            Some(claimed) => self.note_claim(watch, claimed, by),
            None => self.note_evictions(watch, 1, by),
        }
        slot
    }

    /// Counts a slot that was claimed.
    pub(in crate::engine) fn note_claim(&mut self, watch: usize, claimed: Claim, by: GroupBy) {
        self.stats.slots_claimed += 1;
        self.watches[watch].stats.slots_claimed += 1;
        self.note_evictions(watch, u64::from(claimed == Claim::Evicted), by);
    }

    /// Counts this many live entries as evicted.
    pub(in crate::engine) fn note_evictions(&mut self, watch: usize, evicted: u64, by: GroupBy) {
        let stats = &mut self.watches[watch].stats;
        match by {
            GroupBy::Source => {
                self.stats.losses.evictions += evicted;
                stats.evictions += evicted;
            }
            GroupBy::Network | GroupBy::Destination => {
                self.stats.groups_evicted += evicted;
                stats.groups_evicted += evicted;
            }
        }
    }

    /// Counts a limit hit that the detector has no time for.
    pub(in crate::engine) fn note_dropped(&mut self, watch: usize) {
        self.stats.losses.crossings += 1;
        self.watches[watch].stats.crossings += 1;
    }
}
