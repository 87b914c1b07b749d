//! Segments that wait to be looked at together, and what else the other parts of counting have to know.

use std::iter;

use super::endpoints::Endpoints;
use crate::base::time::Timestamp;
use crate::engine::clock::{Reading, Ticks};
use crate::engine::counters::Recorded;
use crate::wire::decode::Skipped;
use crate::wire::packet_copy::PacketCopy;
use crate::wire::segment::Segment;

/// A SYN that is to be counted, or another segment that may tell what became of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) segment: Segment,
    pub(super) now: Now,
    /// The endpoints of the attempt that it is, or tells of.
    pub(super) endpoints: Endpoints,
    /// The hash of the connection, in either direction.
    pub(super) connection: u64,
    /// Whether it goes to a server: a SYN always does. Otherwise it comes from one.
    pub(super) to_server: bool,
    /// Whether it is no SYN, and came from a server that opens or refuses a connection.
    pub(super) is_answer: bool,
    /// Whether it only says that a packet between its addresses could not be read: it has no ports and no flags.
    pub(super) is_hidden: bool,
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

/// Another second begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct SecondBoundary {
    pub(super) now: Timestamp,
    /// Where the clock stepped from, if it did: back, or from the end of the range of ticks to its start.
    pub(super) stepped_from: Option<Timestamp>,
    pub(super) reading: Reading,
    /// The clock after it.
    pub(super) after: Reading,
    /// Whether the range of ticks starts anew after that, so that no tick of before tells anything.
    pub(super) starts_anew: bool,
}

/// The batch: a fixed number of places.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pending: Vec<Pending>,
    room: usize,
    /// The packets of the segments, where they are kept.
    pub(super) kept: Vec<PacketCopy>,
    /// How many packets there were since the last batch, and why some of them do not count.
    pub(super) packets: u64,
    pub(super) skipped: Skipped,
}

impl Batch {
    pub(super) fn new(room: usize, keeps: bool) -> Self {
        let kept = Vec::with_capacity(if keeps { room } else { 0 });
        Self { pending: Vec::with_capacity(room), room, kept, ..Self::default() }
    }

    /// Adds a segment, which is put together where it is to wait: its bytes are not copied again.
    #[inline]
    pub(super) fn push(&mut self, pending: impl FnOnce() -> Pending) {
        self.pending.extend(iter::once_with(pending));
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() == self.room
    }

    pub(super) fn all(&self) -> &[Pending] {
        &self.pending
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.kept.clear();
        (self.packets, self.skipped) = (0, Skipped::default());
    }
}
