//! Findings in, counts and crossings out: what an attempt, and what became of one, means to the tables and the
//! detector.
//!
//! The last part of counting. It owns the tables, and learns the time from the findings alone: a turn of the second
//! goes to the detector as a tick, after all that happened before it.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use super::batch::{Orders, Turn};
use super::findings::{Findings, Verdict};
use super::handoff::{Handoff, Open};
use super::lookahead::{self, some_at_a_time, with_next};
use super::noted::{Memo, Memos, ReportedIn};
use super::parties::Hasher;
use super::plan::NONE;
use super::tally::{self, By, Row, Watching};
use super::tracking::{GivenUp, Next};
use super::volumes::Volumes;
use crate::census::{Budget, Census};
use crate::clock::Reading;
use crate::connections::Syn;
use crate::detector::{Episodes, Event, Recent};
use crate::hash;
use crate::packet::InterfaceId;
use crate::respond::Tap;
use crate::sink::CaptureHandle;
use crate::source::Received;
use crate::stats::{Beat, Stats};
use crate::table::{Claim, Hint, Recorded, Taken, Ties};
use crate::watch::AllowList;

/// The last part of counting.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) clock: Reading,
    /// What is remembered of attempts that may still be told of.
    pub(super) reported: ReportedIn,
    pub(super) memos: Memos,
    pub(super) volumes: Volumes,
    pub(super) watches: Vec<Watching>,
    /// Every tally, in order.
    pub(super) rows: Arc<[Row]>,
    pub(super) allow: AllowList,
    pub(super) own: Vec<IpAddr>,
    pub(super) hasher: Hasher,
    pub(super) ties: Ties,
    /// The memory that is left for censuses, where they are taken.
    pub(super) census: Option<Budget>,
    pub(super) writer: Option<CaptureHandle>,
    pub(super) evidence: Option<Tap>,
    pub(super) handoff: Handoff,
    pub(super) open: Open,
    pub(super) recent: Recent,
    /// How often the range of ticks was used up.
    pub(super) era: u32,
    pub(super) stats: Stats,
}

/// What a [`Ledger`] is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// How many attempts the connections have room for, and how many SYNs they wait for.
    pub(super) places: usize,
    pub(super) waiting: usize,
    pub(super) volumes: Volumes,
    pub(super) watches: Vec<Watching>,
    pub(super) allow: AllowList,
    pub(super) census: Option<Budget>,
    pub(super) key: hash::Key,
    pub(super) writer: Option<CaptureHandle>,
    pub(super) evidence: Option<Tap>,
    pub(super) handoff: Handoff,
    pub(super) episodes: Arc<Episodes>,
}

impl Next for Ledger {
    const IS_FAR: bool = false;

    fn judged(&mut self, findings: &mut Findings) {
        self.stats.packets += findings.packets;
        self.stats.skipped += findings.skipped;
        self.stats.answers += findings.answers;
        self.stats.connections_evicted = findings.forgotten;
        self.stats.untimed = findings.untimed;
        if let Some(received) = findings.orders.received {
            self.stats.kernel_packets = received.packets;
            self.stats.losses.kernel = received.kernel_drops;
            self.stats.losses.interface = received.interface_drops;
        }
        self.stats.last_watched = findings.last_watched.or(self.stats.last_watched);
        let rows = Arc::clone(&self.rows);
        self.prefetch(&rows, findings);
        for (some, next) in with_next(some_at_a_time(findings.all().len())) {
            some.iter().for_each(|some| self.prefetch_episodes(&rows, findings, some.clone()));
            next.into_iter().for_each(|next| self.prefetch_next(&rows, findings, next));
            for index in some.into_iter().flatten() {
                self.count(&rows, findings, index);
            }
            self.volumes.settle();
        }
        self.clock = findings.reading;
        self.follow_orders(std::mem::take(&mut findings.orders));
        findings.clear();
    }

    fn given_up(&mut self, given_up: &mut GivenUp) {
        for (some, next) in with_next(given_up.all().chunks(lookahead::SIZE)) {
            next.into_iter().for_each(|next| self.prefetch_given_up(next));
            for vain in some.into_iter().flatten() {
                let memo = self.memos.get(vain.number);
                self.tell(&vain.news, &vain.now, |row| memo.place(row));
            }
        }
        given_up.clear();
    }

    fn turn(&mut self, turn: &Turn, waiting_from: u32) {
        self.memos.drop_before(waiting_from);
        let now = turn.now;
        if let Some(before) = turn.stepped_from {
            self.stats.clock_steps += 1;
            self.handoff.deliver(Event::Step(before, now));
        } else {
            self.volumes.settle();
            self.handoff.tick(Event::Tick(now, self.counted()));
        }
        if let Some(ticks) = turn.moved_back {
            self.era += 1;
            self.volumes.clear();
            for counter in self.watches.iter_mut().flat_map(Watching::counters_mut) {
                counter.table.move_back(ticks);
                counter.census.iter_mut().for_each(|census| census.move_back(ticks));
            }
        }
        self.clock = turn.after;
    }
}

impl Ledger {
    pub(super) fn new(mut parts: Parts) -> Self {
        parts.volumes.look_back(tally::longest_window(&parts.watches));
        let rows = tally::rows(&parts.watches);
        let slots = tally::slots(&parts.watches);
        Self {
            clock: Reading::default(),
            reported: ReportedIn::new(parts.places),
            memos: Memos::new(parts.waiting),
            volumes: parts.volumes,
            rows,
            watches: parts.watches,
            allow: parts.allow,
            own: Vec::new(),
            ties: Ties::new(parts.key.address(IpAddr::from([0; 4]))),
            hasher: Hasher::new(parts.key),
            census: parts.census,
            writer: parts.writer,
            evidence: parts.evidence,
            handoff: parts.handoff,
            open: Open::new(parts.episodes),
            recent: Recent::default(),
            era: 0,
            stats: Stats { slots, ..Stats::default() },
        }
    }

    /// Tells the detector that this is the end, and gives the censuses of each watch, where they were taken.
    pub(super) fn finish(self) -> Vec<Vec<Census>> {
        self.handoff.deliver(Event::End(self.clock.now(), self.counted()));
        self.watches.into_iter().map(|watching| watching.into_censuses().collect()).collect()
    }

    /// In replay, waits until the detector has dealt with all that it was told.
    pub(super) fn settle(&self) {
        self.handoff.wait();
    }

    /// Tells that a second has passed, if there is room to tell it.
    pub(super) fn beat(&self, interfaces: Vec<(InterfaceId, Received)>) {
        let watches = self.watches.iter().map(Watching::counted).collect();
        self.handoff.offer(Event::Beat(Box::new(Beat { stats: self.counted(), watches, interfaces })));
    }

    fn follow_orders(&mut self, orders: Orders) {
        if let Some(own) = orders.own {
            self.own = own;
        }
        if orders.reopen {
            if let Some(writer) = &self.writer {
                writer.reopen();
            }
            self.handoff.deliver(Event::Reopen);
        }
        if orders.show {
            self.handoff.deliver(Event::Show(self.counted()));
        }
    }

    fn counted(&self) -> Stats {
        Stats {
            volumes_evicted: self.volumes.evicted(),
            not_written: self.writer.as_ref().map_or(0, CaptureHandle::not_written),
            not_queued: self.writer.as_ref().map_or(0, CaptureHandle::not_queued),
            ..self.stats
        }
    }

    /// Has the sets that these need brought into the cache, or for who has no slot the places at the door.
    fn prefetch(&self, rows: &[Row], findings: &mut Findings) {
        for finding in findings.all() {
            if let Verdict::Attempt { place, .. } = finding.verdict {
                self.reported.prefetch(place);
            }
        }
        // One tally after the other: where its table is, is then known from one to the next.
        for (row, Row { watch, by, table, .. }) in rows.iter().enumerate() {
            findings.tag_news(row, |parties| self.watches[*watch].tag(*by, &self.hasher, parties));
            let (_, tags, hints) = findings.column(row);
            for (tag, hint) in tags.iter().zip(hints) {
                *hint = if *tag == NONE { Hint::default() } else { table.prefetch(*tag) };
            }
        }
    }

    /// Has what the sets of some point to brought in, and of those that are flagged where their episodes are known.
    fn prefetch_next(&self, rows: &[Row], findings: &mut Findings, some: Range<usize>) {
        for (row, Row { table, .. }) in rows.iter().enumerate() {
            let (all, tags, hints) = findings.column(row);
            let some = all[some.clone()].iter().zip(tags[some.clone()].iter().zip(&mut hints[some.clone()]));
            for (finding, (tag, hint)) in some {
                if let Verdict::News(_) = finding.verdict {
                    table.prefetch_newest(*tag, hint);
                } else {
                    table.prefetch_attempt(*tag, hint);
                }
                if hint.is_flagged() {
                    self.recent.prefetch(*tag);
                }
            }
        }
    }

    /// Has the episodes of some brought in.
    fn prefetch_episodes(&self, rows: &[Row], findings: &mut Findings, some: Range<usize>) {
        for row in 0..rows.len() {
            let (_, tags, hints) = findings.column(row);
            let some = tags[some.clone()].iter().zip(&hints[some.clone()]);
            for (tag, _) in some.filter(|(_, hint)| hint.is_flagged()) {
                self.recent.prefetch_episode(*tag);
            }
        }
    }

    #[inline]
    fn count(&mut self, rows: &[Row], findings: &Findings, index: usize) {
        match findings.all()[index].verdict {
            Verdict::News(news) => self.tell_of(findings.news(news), findings, index),
            Verdict::Attempt { place, moved, waits, .. } => {
                let (reported, memo) = self.count_attempt(rows, findings, index);
                if let Some(moved) = moved {
                    self.reported.set(moved, self.reported.get(place));
                }
                self.reported.set(place, reported);
                if waits {
                    self.memos.push(memo);
                }
            }
            Verdict::Copy => {
                self.stats.copies += 1;
                self.count_repeat(findings, index, Syn::Copy);
            }
            Verdict::Retransmission { waits } => {
                self.stats.retransmissions += 1;
                self.count_repeat(findings, index, Syn::Retransmission);
                if waits {
                    self.memos.push(Memo::default());
                }
            }
        }
    }

    /// Takes note of how a place was come by. Networks and destinations that gave way are no sources lost.
    #[inline]
    pub(super) fn note_taken(&mut self, watch: usize, taken: &Taken, by: By) {
        let claimed = match taken {
            Taken::Waits { evicted: false, .. } | Taken::Recorded(Recorded { claimed: None, .. }) => return,
            Taken::Waits { evicted: true, .. } => None,
            Taken::Recorded(Recorded { claimed, .. }) => *claimed,
        };
        self.stats.slots_claimed += u64::from(claimed.is_some());
        self.watches[watch].stats.slots_claimed += u64::from(claimed.is_some());
        self.note_evictions(watch, u64::from(claimed != Some(Claim::Free)), by);
    }

    /// Takes note of so many that were forgotten although they were live.
    pub(super) fn note_evictions(&mut self, watch: usize, evicted: u64, by: By) {
        let stats = &mut self.watches[watch].stats;
        match by {
            By::Source => {
                self.stats.losses.evictions += evicted;
                stats.evictions += evicted;
            }
            By::Network | By::Destination => {
                self.stats.groups_evicted += evicted;
                stats.groups_evicted += evicted;
            }
        }
    }

    /// Takes note of what the detector has no time for.
    pub(super) fn note_dropped(&mut self, watch: usize) {
        self.stats.losses.crossings += 1;
        self.watches[watch].stats.crossings += 1;
    }
}
