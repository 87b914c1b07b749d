//! A batch of segments that ingest and conntrack handle together, with the derived values that later stages need.
//!
//! Segments are written in the order of the packets, and read when there are some dozens of them. A processor that
//! reads at once what it has just written, in other widths, waits until all that it wrote before has reached the cache.

use std::net::IpAddr;

use super::endpoints::Endpoints;
use crate::base::time::Timestamp;
use crate::engine::clock::{Reading, Ticks};
use crate::engine::conntrack;
use crate::engine::counters::Recorded;
use crate::wire::decode::Skipped;
use crate::wire::packet_copy::PacketCopy;
use crate::wire::segment::{Place, Segment};

/// Maximum segments of a batch: enough that the data of the next ones reaches the cache while these are
/// counted.
pub(in crate::engine) const SIZE: usize = conntrack::AT_ONCE;

/// A SYN that is to be counted, or another segment that may change the outcome of an attempt.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Pending {
    pub(in crate::engine) segment: Segment,
    pub(in crate::engine) now: Now,
    /// Whether it goes to a server, as every SYN does. Otherwise it comes from a server.
    pub(in crate::engine) to_server: bool,
    /// Whether it is not a SYN, and comes from a server that opens or refuses a connection.
    pub(in crate::engine) is_answer: bool,
    /// Whether it only stands for an unreadable packet between its addresses. Then it has no ports and no
    /// flags.
    pub(in crate::engine) is_hidden: bool,
    /// The endpoints of its attempt, once the batch is hashed.
    pub(in crate::engine) endpoints: Endpoints,
    /// The hash of the connection, in either direction, once the batch is hashed.
    pub(in crate::engine) connection: u64,
}

/// A moment of capture time, as captured and as the tick of the tables.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Now {
    pub(in crate::engine) time: Timestamp,
    pub(in crate::engine) ticks: Ticks,
}

impl Now {
    /// The time at the beginning of the tick at which an attempt counts. That is its own tick, or after
    /// disorder the newest tick of its source if that is later. Reports use no earlier time, or a flood could
    /// start before its first attempt.
    pub(in crate::engine) fn counted_at(&self, clock: &Reading, recorded: &Recorded) -> Timestamp {
        clock.floor(self.time).after(Ticks::span(recorded.time.since(self.ticks)))
    }
}

/// A second boundary.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct SecondBoundary {
    pub(in crate::engine) now: Timestamp,
    /// The time before a step of the clock: back, or from the end of the range of ticks to its start.
    pub(in crate::engine) stepped_from: Option<Timestamp>,
    pub(in crate::engine) reading: Reading,
    /// The clock after it.
    pub(in crate::engine) after: Reading,
    /// Whether the range of ticks starts again after it, so that no earlier tick is valid.
    pub(in crate::engine) starts_anew: bool,
}

/// A batch with a fixed capacity.
#[derive(Debug)]
pub(in crate::engine) struct Batch {
    /// The first `count` are its segments.
    slots: Vec<Pending>,
    count: usize,
    /// The packets of the segments, where they are kept.
    pub(in crate::engine) kept: Vec<PacketCopy>,
    /// Packets since the last batch, and the reasons why some of them do not count.
    pub(in crate::engine) packets: u64,
    pub(in crate::engine) skipped: Skipped,
}

impl Default for Pending {
    fn default() -> Self {
        let none = IpAddr::from([0; 4]);
        Self {
            segment: Segment::hidden(none, none, Place::default()),
            now: Now { time: Timestamp::default(), ticks: Ticks::default() },
            to_server: false,
            is_answer: false,
            is_hidden: false,
            endpoints: Endpoints::unknown(),
            connection: 0,
        }
    }
}

impl Batch {
    /// Makes an empty batch for this many segments. `keeps` says whether their packets are kept.
    pub(in crate::engine) fn new(room: usize, keeps: bool) -> Self {
        Self {
            slots: vec![Pending::default(); room],
            count: 0,
            kept: Vec::with_capacity(if keeps { room } else { 0 }),
            packets: 0,
            skipped: Skipped::default(),
        }
    }

    /// The next slot. It still holds an earlier segment: the caller writes every field but the hashes. A caller that
    /// ignores [`Batch::is_full`] makes the batch larger.
    #[inline]
    pub(in crate::engine) fn add(&mut self) -> &mut Pending {
        if self.count == self.slots.len() {
            self.slots.push(Pending::default());
        }
        self.count += 1;
        &mut self.slots[self.count - 1]
    }

    #[inline]
    pub(in crate::engine) fn is_full(&self) -> bool {
        self.count == self.slots.len()
    }

    #[inline]
    pub(in crate::engine) fn all(&self) -> &[Pending] {
        &self.slots[..self.count]
    }

    #[inline]
    pub(in crate::engine) fn all_mut(&mut self) -> &mut [Pending] {
        &mut self.slots[..self.count]
    }

    /// Empties it.
    pub(in crate::engine) fn clear(&mut self) {
        self.count = 0;
        self.kept.clear();
        (self.packets, self.skipped) = (0, Skipped::default());
    }
}
