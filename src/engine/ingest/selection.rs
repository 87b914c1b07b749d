//! Segments that later stages need, before their hashes are known.
//!
//! Segments are written here in the order of the packets, and read for their hashes when there are some
//! dozens of them: a processor that reads at once what it has just written, in other widths, waits until all
//! that it wrote before has reached the cache.

use std::net::IpAddr;

use super::batch::Now;
use crate::base::time::Timestamp;
use crate::engine::clock::Ticks;
use crate::wire::decode::Skipped;
use crate::wire::packet_copy::PacketCopy;
use crate::wire::segment::{Place, Segment};

/// A SYN that is to be counted, or another segment that may change the outcome of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selected {
    pub(super) segment: Segment,
    pub(super) now: Now,
    /// Whether it goes to a server, as every SYN does. Otherwise it comes from a server.
    pub(super) to_server: bool,
    /// Whether it is not a SYN, and comes from a server that opens or refuses a connection.
    pub(super) is_answer: bool,
    /// Whether it only stands for an unreadable packet between its addresses. Then it has no ports and no
    /// flags.
    pub(super) is_hidden: bool,
}

/// Selected segments, and the counts of all packets since the last ones.
#[derive(Debug)]
pub(super) struct Selection {
    /// The first `count` are selected.
    slots: Vec<Selected>,
    count: usize,
    /// The packets of the segments, where they are kept.
    pub(super) kept: Vec<PacketCopy>,
    /// Packets, and the reasons why some of them do not count.
    pub(super) packets: u64,
    pub(super) skipped: Skipped,
}

impl Default for Selected {
    fn default() -> Self {
        let unspecified = IpAddr::from([0; 4]);
        Self {
            segment: Segment::hidden(unspecified, unspecified, Place::default()),
            now: Now { time: Timestamp::default(), ticks: Ticks::default() },
            to_server: false,
            is_answer: false,
            is_hidden: false,
        }
    }
}

impl Selection {
    /// Makes an empty selection for this many segments. `keeps` says whether packets are kept beside them.
    pub(super) fn new(room: usize, keeps: bool) -> Self {
        Self {
            slots: vec![Selected::default(); room],
            count: 0,
            kept: Vec::with_capacity(if keeps { room } else { 0 }),
            packets: 0,
            skipped: Skipped::default(),
        }
    }

    /// Adds a segment. The caller writes all of it: it holds what was here before.
    #[inline]
    pub(super) fn add(&mut self) -> &mut Selected {
        if self.count == self.slots.len() {
            self.slots.push(Selected::default());
        }
        self.count += 1;
        &mut self.slots[self.count - 1]
    }

    /// The segments, in order.
    #[inline]
    pub(super) fn all(&self) -> &[Selected] {
        &self.slots[..self.count]
    }

    /// Whether its room is used.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.count == self.slots.len()
    }

    /// Empties it, without the counts. It keeps its memory.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.kept.clear();
    }
}
