//! Segments that wait to be looked at together, and what else the other parts of counting have to know.

use std::iter;
use std::net::IpAddr;
use std::ops::Range;

use super::parties::{End, Hashes, Parties, ends};
use super::plan::NONE;
use crate::clock::{Reading, Ticks};
use crate::decode::Skipped;
use crate::segment::Segment;
use crate::sink::Kept;
use crate::source::Received;
use crate::table::Recorded;
use crate::time::Timestamp;

/// A SYN that is to be counted, or another segment that may tell what became of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) segment: Segment,
    pub(super) now: Now,
    pub(super) hashes: Hashes,
    /// Whether it goes to a server: a SYN always does. Otherwise it comes from one.
    pub(super) to_server: bool,
    /// Whether its client's is an own address.
    pub(super) is_own: bool,
    /// Whether it is no SYN, and came from a server that opens or refuses a connection.
    pub(super) is_answer: bool,
}

impl Pending {
    /// The client's end and the server's.
    #[inline]
    pub(super) fn ends(&self) -> (End, End) {
        ends(&self.segment, self.to_server)
    }

    /// The parties to the attempt that it is, or tells of.
    #[inline]
    pub(super) fn parties(&self) -> Parties {
        Parties::of(&self.segment, self.to_server, &self.hashes, self.is_own)
    }
}

/// A moment of capture time, as it was captured and as the tables count it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) time: Timestamp,
    pub(super) ticks: Ticks,
}

impl Now {
    /// The beginning of the tick that an attempt at this moment counts at: its own, or where that is later (disorder)
    /// the newest of its source. Reports tell no earlier time either, or a flood could start before its first attempt.
    pub(super) fn counted_at(&self, clock: &Reading, recorded: &Recorded) -> Timestamp {
        clock.floor(self.time).after(Ticks::span(recorded.time.since(self.ticks)))
    }
}

/// Another second begins, after all that is in the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) now: Timestamp,
    /// Where the clock stepped back from, if it did.
    pub(super) stepped_from: Option<Timestamp>,
    pub(super) reading: Reading,
    /// The clock after it.
    pub(super) after: Reading,
    /// By how many ticks everything is moved back after that, if it is.
    pub(super) moved_back: Option<u64>,
}

/// What else is to be known or done, but for the first after all that is in the batch. Only that goes with a turn.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// What the source says it received and lost.
    pub(super) received: Option<Received>,
    /// The own addresses have changed.
    pub(super) own: Option<Vec<IpAddr>>,
    /// Log files are to be opened again.
    pub(super) reopen: bool,
    /// The statistics are to be shown.
    pub(super) show: bool,
}

impl Orders {
    /// Adds those of later on.
    pub(super) fn add(&mut self, later: Self) {
        let Self { received, own, reopen, show } = later;
        self.received = received.or(self.received);
        self.own = own.or(self.own.take());
        self.reopen |= reopen;
        self.show |= show;
    }

    /// Whether there is something to be done.
    pub(super) fn are_pressing(&self) -> bool {
        let Self { received: _, own, reopen, show } = self;
        own.is_some() || *reopen || *show
    }
}

/// The batch: a fixed number of places, and for each SYN and each tally the tag of what it counts for.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pending: Vec<Pending>,
    room: usize,
    /// How many tallies there are.
    rows: usize,
    /// For each segment, a tag for each tally: of SYNs alone.
    tags: Vec<u64>,
    /// The packets of the segments, where they are kept.
    pub(super) kept: Vec<Kept>,
    /// How many packets there were since the last batch, and why some of them do not count.
    pub(super) packets: u64,
    pub(super) skipped: Skipped,
    /// The clock after all of them.
    pub(super) reading: Reading,
    pub(super) turn: Option<Turn>,
    pub(super) orders: Orders,
}

impl Batch {
    pub(super) fn new(room: usize, rows: usize, keeps: bool) -> Self {
        Self {
            pending: Vec::with_capacity(room),
            room,
            rows,
            tags: vec![NONE; room * rows],
            kept: Vec::with_capacity(if keeps { room } else { 0 }),
            ..Self::default()
        }
    }

    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Sets the tag for a tally of the segment that is added next.
    #[inline]
    pub(super) fn set_tag_of_next(&mut self, row: usize, tag: u64) {
        let place = self.pending.len() * self.rows + row;
        self.tags[place] = tag;
    }

    /// Has the segment that is added next concern what one of another batch does, whose tallies are the same.
    #[inline]
    pub(super) fn copy_tags_to_next(&mut self, of: &Self, index: usize) {
        let next = self.of(self.pending.len());
        self.tags[next].copy_from_slice(of.tags(index));
    }

    /// Adds a segment, which is put together where it is to wait: its 168 bytes are not copied again.
    #[inline]
    pub(super) fn push(&mut self, pending: impl FnOnce() -> Pending) {
        self.pending.extend(iter::once_with(pending));
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() == self.room
    }

    /// Whether there is nothing in it that has to be handed over.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.turn.is_none() && !self.orders.are_pressing()
    }

    pub(super) fn all(&self) -> &[Pending] {
        &self.pending
    }

    /// The tag of a SYN for each tally, [`NONE`] for those that it does not concern.
    #[inline]
    pub(super) fn tags(&self, index: usize) -> &[u64] {
        &self.tags[self.of(index)]
    }

    /// Where what concerns a segment stands.
    #[inline]
    fn of(&self, index: usize) -> Range<usize> {
        index * self.rows..(index + 1) * self.rows
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.kept.clear();
        (self.packets, self.skipped) = (0, Skipped::default());
        (self.turn, self.orders) = (None, Orders::default());
    }
}
