//! Verdicts in, counts and crossings out: what an attempt, and what became of one, means to the tables and the detector.
//!
//! The last part of counting. It owns the tables, and learns the time from the batches alone: a turn of the second
//! goes to the detector as a tick, after all that happened before it.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use super::batch::{self, Batch, Turn, Verdict};
use super::handoff::{Handoff, Open};
use super::noted::{Memo, Memos, ReportedIn};
use super::parties::Hasher;
use super::plan::NONE;
use super::tally::{self, By, Row, Watching};
use super::tracking::{GivenUp, Next};
use super::volumes::Volumes;
use crate::census::{Budget, Census};
use crate::clock::Reading;
use crate::connections::{AT_ONCE, Syn};
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
    /// Counts what a batch holds.
    fn judged(&mut self, batch: &mut Batch) {
        self.stats.packets += batch.packets;
        self.stats.skipped += batch.skipped;
        self.stats.answers += batch.answers;
        self.stats.connections_evicted = batch.forgotten;
        self.stats.untimed = batch.untimed;
        if let Some(received) = batch.orders.received {
            self.stats.kernel_packets = received.packets;
            self.stats.losses.kernel = received.kernel_drops;
            self.stats.losses.interface = received.interface_drops;
        }
        if let Some(last) = batch.all().last() {
            self.stats.last_watched = Some(last.now.time);
        }
        let rows = Arc::clone(&self.rows);
        self.prefetch(&rows, batch);
        for (some, next) in batch::with_next(batch.some_at_a_time()) {
            some.iter().for_each(|some| self.prefetch_episodes(batch, some.clone()));
            next.into_iter().for_each(|next| self.prefetch_next(&rows, batch, next));
            for index in some.into_iter().flatten() {
                self.count(&rows, batch, index);
            }
            self.volumes.settle();
        }
        // Where a turn follows, what shows by then comes before it.
        self.clock = batch.turn.map_or(batch.reading, |turn| turn.reading);
        self.follow_orders(batch);
    }

    fn given_up(&mut self, given_up: &mut GivenUp) {
        for (some, next) in batch::with_next(given_up.all().chunks(AT_ONCE)) {
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

    fn follow_orders(&mut self, batch: &mut Batch) {
        let orders = std::mem::take(&mut batch.orders);
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

    /// Has the sets that these segments need brought into the cache, or for who has no slot the places at the door.
    fn prefetch(&self, rows: &[Row], batch: &mut Batch) {
        self.tag_news(batch);
        for verdict in batch.verdicts() {
            if let Verdict::Attempt { place, .. } = verdict {
                self.reported.prefetch(*place);
            }
        }
        let (_, tags, hints) = batch.tags(0..batch.all().len());
        let each = rows.len();
        // One tally after the other: where its table is, is then known from one segment to the next.
        for (row, Row { table, .. }) in rows.iter().enumerate() {
            let of_row = tags.iter().skip(row).step_by(each).zip(hints.iter_mut().skip(row).step_by(each));
            for (tag, hint) in of_row {
                *hint = if *tag == NONE { Hint::default() } else { table.prefetch(*tag) };
            }
        }
    }

    /// Has what their sets point to brought in, and of those that are flagged where their episodes are known.
    fn prefetch_next(&self, rows: &[Row], batch: &mut Batch, range: Range<usize>) {
        let (pending, tags, hints) = batch.tags(range);
        let each = rows.len();
        for (row, Row { table, .. }) in rows.iter().enumerate() {
            let of_row = tags.iter().skip(row).step_by(each).zip(hints.iter_mut().skip(row).step_by(each));
            for (pending, (tag, hint)) in pending.iter().zip(of_row) {
                if pending.segment.flags.is_attempt() {
                    table.prefetch_attempt(*tag, hint);
                } else {
                    table.prefetch_newest(*tag, hint);
                }
                if hint.is_flagged() {
                    self.recent.prefetch(*tag);
                }
            }
        }
    }

    /// Has these episodes brought in.
    fn prefetch_episodes(&self, batch: &mut Batch, range: Range<usize>) {
        let (_, tags, hints) = batch.tags(range);
        for (tag, _) in tags.iter().zip(hints).filter(|(_, hint)| hint.is_flagged()) {
            self.recent.prefetch_episode(*tag);
        }
    }

    /// Sets the tags of what is no SYN.
    fn tag_news(&self, batch: &mut Batch) {
        for index in 0..batch.all().len() {
            match batch.verdicts()[index] {
                Verdict::News(_) => {
                    let parties = batch.all()[index].parties();
                    let tag =
                        |Row { watch, by, .. }: &Row| self.watches[*watch].tag(*by, &self.hasher, &parties);
                    batch.set_tags(index, |row| self.rows.get(row).and_then(tag).unwrap_or(NONE));
                }
                Verdict::Nothing => batch.set_tags(index, |_| NONE),
                Verdict::Attempt { .. } | Verdict::Copy | Verdict::Retransmission { .. } => (),
            }
        }
    }

    #[inline]
    fn count(&mut self, rows: &[Row], batch: &Batch, index: usize) {
        match batch.verdicts()[index] {
            Verdict::Nothing => (),
            Verdict::News(news) => self.tell_of(batch.news(news), batch, index),
            Verdict::Attempt { place, moved, waits } => {
                let (reported, memo) = self.count_attempt(rows, batch, index);
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
                self.count_repeat(batch, index, Syn::Copy);
            }
            Verdict::Retransmission { waits } => {
                self.stats.retransmissions += 1;
                self.count_repeat(batch, index, Syn::Retransmission);
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
