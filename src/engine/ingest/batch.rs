//! Segments that wait to be looked at together, and what else the other parts of counting have to know.

use std::iter;

use super::endpoints::Endpoints;
use crate::base::time::Timestamp;
use crate::engine::clock::{Reading, Ticks};
use crate::engine::conntrack;
use crate::engine::counters::Recorded;
use crate::wire::decode::Skipped;
use crate::wire::packet_copy::PacketCopy;
use crate::wire::segment::Segment;

/// How many segments a batch has at most: enough for what the next ones need to come into the cache while these are
/// counted.
pub(in crate::engine) const SIZE: usize = conntrack::AT_ONCE;

/// A SYN that is to be counted, or another segment that may tell what became of one.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Pending {
    pub(in crate::engine) segment: Segment,
    pub(in crate::engine) now: Now,
    /// The endpoints of the attempt that it is, or tells of.
    pub(in crate::engine) endpoints: Endpoints,
    /// The hash of the connection, in either direction.
    pub(in crate::engine) connection: u64,
    /// Whether it goes to a server: a SYN always does. Otherwise it comes from one.
    pub(in crate::engine) to_server: bool,
    /// Whether it is no SYN, and came from a server that opens or refuses a connection.
    pub(in crate::engine) is_answer: bool,
    /// Whether it only says that a packet between its addresses could not be read: it has no ports and no flags.
    pub(in crate::engine) is_hidden: bool,
}

/// A moment of capture time, as it was captured and as the tables count it.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Now {
    pub(in crate::engine) time: Timestamp,
    pub(in crate::engine) ticks: Ticks,
}

impl Now {
    /// The beginning of the tick that an attempt at this moment counts at: its own, or where that is later (disorder)
    /// the newest of its source. Reports tell no earlier time either, or a flood could start before its first attempt.
    pub(in crate::engine) fn counted_at(&self, clock: &Reading, recorded: &Recorded) -> Timestamp {
        clock.floor(self.time).after(Ticks::span(recorded.time.since(self.ticks)))
    }
}

/// Another second begins.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct SecondBoundary {
    pub(in crate::engine) now: Timestamp,
    /// Where the clock stepped from, if it did: back, or from the end of the range of ticks to its start.
    pub(in crate::engine) stepped_from: Option<Timestamp>,
    pub(in crate::engine) reading: Reading,
    /// The clock after it.
    pub(in crate::engine) after: Reading,
    /// Whether the range of ticks starts anew after that, so that no tick of before tells anything.
    pub(in crate::engine) starts_anew: bool,
}

/// The batch: a fixed number of places.
#[derive(Debug, Default)]
pub(in crate::engine) struct Batch {
    pending: Vec<Pending>,
    room: usize,
    /// The packets of the segments, where they are kept.
    pub(in crate::engine) kept: Vec<PacketCopy>,
    /// How many packets there were since the last batch, and why some of them do not count.
    pub(in crate::engine) packets: u64,
    pub(in crate::engine) skipped: Skipped,
}

impl Batch {
    pub(in crate::engine) fn new(room: usize, keeps: bool) -> Self {
        let kept = Vec::with_capacity(if keeps { room } else { 0 });
        Self { pending: Vec::with_capacity(room), room, kept, ..Self::default() }
    }

    /// Adds a segment, which is put together where it is to wait: its bytes are not copied again.
    #[inline]
    pub(in crate::engine) fn push(&mut self, pending: impl FnOnce() -> Pending) {
        self.pending.extend(iter::once_with(pending));
    }

    #[inline]
    pub(in crate::engine) fn is_full(&self) -> bool {
        self.pending.len() == self.room
    }

    pub(in crate::engine) fn all(&self) -> &[Pending] {
        &self.pending
    }

    /// Empties it.
    pub(in crate::engine) fn clear(&mut self) {
        self.pending.clear();
        self.kept.clear();
        (self.packets, self.skipped) = (0, Skipped::default());
    }
}
