//! A set of eight entries, found by their tags: recent attempts, and what tells the repeat of one from another.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::facts::Facts;
use super::way::Way;
use super::{Reported, Syn};
use crate::clock::Ticks;
use crate::segment::Segment;

/// A copy at another place comes within this many ticks: 100 ms.
const COPY_ELSEWHERE: u64 = 1000;
/// A copy with the same IPv4 identification comes within this many ticks: 1 ms.
const COPY_SAME_ID: u64 = 10;
/// A retransmission comes this many ticks after the SYN before it, or later: 0.2 s.
const RETRANSMISSION_AFTER: u64 = 2000;
/// A retransmission comes within this many ticks of the first SYN: 130 s.
pub(super) const RETRANSMISSION_WITHIN: u64 = 1_300_000;
/// The most retransmissions of one attempt.
const MOST_RETRANSMISSIONS: u8 = 12;
/// The most copies of one SYN: a packet that crosses bridges, VLANs and tunnels of a host shows up on each.
const MOST_COPIES: u8 = 15;

/// Entries of a set: as many as their hashes fit a cache line.
pub(super) const WAYS: usize = 8;

/// A set: the tags of its entries in one cache line, their times in the next.
#[derive(Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(super) struct Set {
    /// Hashes of addresses and ports; 0 where there is no entry.
    pub(super) connections: [u64; WAYS],
    /// When the newest SYN came that is no copy, and whether the connection is established and not closed.
    pub(super) newest: [Newest; WAYS],
    pub(super) entries: [Entry; WAYS],
}

/// A time in the lower 63 bits, and in the highest whether the connection is established and not closed: what gives way
/// first is the lowest.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub(super) struct Newest(pub(super) u64);

impl Newest {
    const ESTABLISHED: u64 = 1 << 63;

    pub(super) fn new(time: Ticks) -> Self {
        Self(time.0)
    }

    pub(super) fn time(self) -> Ticks {
        Ticks(self.0 & !Self::ESTABLISHED)
    }

    pub(super) fn is_established(self) -> bool {
        self.0 & Self::ESTABLISHED != 0
    }

    pub(super) fn with_established(self, established: bool) -> Self {
        Self(self.0 & !Self::ESTABLISHED | if established { Self::ESTABLISHED } else { 0 })
    }

    /// The same so many ticks earlier, if the first SYN, which is so much older, still has a tick then.
    pub(super) fn moved_back(self, ticks: u64, age: u32) -> Option<Self> {
        let time = self.time().0.checked_sub(ticks).filter(|time| *time > u64::from(age))?;
        Some(Self(time | self.0 & Self::ESTABLISHED))
    }
}

/// There is an IPv4 identification.
pub(super) const HAS_IP_ID: u8 = 1;
/// The client's address and port are the lower ones of the two ends.
pub(super) const CLIENT_IS_LOWER: u8 = 2;
/// An earlier attempt of the same ends has moved to a set of its own.
pub(super) const PORTS_USED_AGAIN: u8 = 4;
/// What goes with the attempt, whichever of its SYNs is the newest, begins here: see [`Reported`].
pub(super) const REPORTED_SHIFT: u32 = 3;

/// One recent attempt.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Entry {
    pub(super) facts: Facts,
    /// Ticks from its first SYN to the newest.
    pub(super) age: u32,
    /// The way that the newest SYN came.
    pub(super) way: Way,
    /// That one's IPv4 identification.
    pub(super) ip_id: u16,
    /// [`HAS_IP_ID`], [`CLIENT_IS_LOWER`], [`PORTS_USED_AGAIN`], and from [`REPORTED_SHIFT`] on [`Reported`].
    pub(super) marks: u8,
    /// Copies of the newest SYN in the lower four bits, retransmissions in the upper ones.
    pub(super) repeats: u8,
}

impl Set {
    pub(super) fn find(&self, tag: u64) -> Option<usize> {
        self.connections.iter().position(|known| *known == tag)
    }

    /// The entry with this tag that was made by this one of its two ends.
    #[inline]
    pub(super) fn find_latest(&self, tag: u64, from_lower: bool) -> Option<usize> {
        // Nearly all are not there at all.
        let first = self.find(tag)?;
        (first..WAYS).find(|&way| {
            self.connections[way] == tag && (self.entries[way].marks & CLIENT_IS_LOWER != 0) == from_lower
        })
    }

    /// The same, if it has this number.
    pub(super) fn find_attempt(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<usize> {
        let has_number = |way: &usize| self.entries[*way].facts.client_isn == client_isn;
        self.find_latest(tag, from_lower).filter(has_number)
    }

    /// The entry with this tag: of two, one for each end that opened a connection, the newest.
    pub(super) fn find_newest(&self, tag: u64) -> Option<usize> {
        (0..WAYS).filter(|&way| self.connections[way] == tag).max_by_key(|&way| self.newest[way].time())
    }

    /// Whether an entry may still be told of: by a retransmission, or by the end of an established connection.
    pub(super) fn is_of_use(&self, way: usize, time: Ticks) -> bool {
        self.connections[way] != 0
            && (self.newest[way].is_established()
                || time.since(self.newest[way].time()) <= RETRANSMISSION_WITHIN)
    }

    /// When an entry's first SYN came.
    pub(super) fn started(&self, way: usize) -> Ticks {
        Ticks(self.newest[way].time().0 - u64::from(self.entries[way].age))
    }

    /// An empty entry, or the one whose newest SYN is the oldest, of those not established if there are any.
    pub(super) fn oldest(&self) -> usize {
        // An empty entry has time 0.
        let mut oldest = 0;
        for way in 1..WAYS {
            if self.newest[way].0 < self.newest[oldest].0 {
                oldest = way;
            }
        }
        oldest
    }
}

impl Entry {
    pub(super) fn attempt(segment: &Segment, way: Way, from_lower: bool) -> Self {
        Self {
            facts: Facts::attempt(segment),
            way,
            ip_id: segment.ip_id.unwrap_or(0),
            marks: if segment.ip_id.is_some() { HAS_IP_ID } else { 0 }
                | if from_lower { CLIENT_IS_LOWER } else { 0 },
            ..Self::default()
        }
    }

    pub(super) fn reported(&self) -> Reported {
        Reported(self.marks >> REPORTED_SHIFT)
    }

    /// What a SYN of this entry's identity is, and the time of the newest SYN after it.
    pub(super) fn judge(&mut self, newest: Ticks, time: Ticks, segment: &Segment, way: Way) -> (Syn, Ticks) {
        let (copies, retransmissions) = (self.repeats & 0xf, self.repeats >> 4);
        if copies < MOST_COPIES && self.is_copied_by(newest, time, segment) {
            self.repeats += 1;
            return (Syn::Copy, newest);
        }
        let since = time.since(newest);
        let age = u64::from(self.age) + since;
        let again = Self::attempt(segment, way, self.marks & CLIENT_IS_LOWER != 0);
        if since >= RETRANSMISSION_AFTER
            && age <= RETRANSMISSION_WITHIN
            && retransmissions < MOST_RETRANSMISSIONS
        {
            #[expect(clippy::cast_possible_truncation, reason = "at most 130 s of ticks")]
            let age = age as u32;
            let mut facts = self.facts;
            facts.repeat();
            let marks = again.marks | self.marks & !(HAS_IP_ID | CLIENT_IS_LOWER);
            *self = Self { facts, age, marks, repeats: (retransmissions + 1) << 4, ..again };
            return (Syn::Retransmission, time);
        }
        // A SYN a little older than the newest leaves the time of the newest as it is.
        *self = Self { marks: again.marks | self.marks & PORTS_USED_AGAIN, ..again };
        (Syn::Attempt, newest.max(time))
    }

    pub(super) fn is_copied_by(&self, newest: Ticks, time: Ticks, segment: &Segment) -> bool {
        // Two interfaces deliver their packets when they please: a copy may be the earlier of the two.
        let apart = time.0.abs_diff(newest.0);
        let same_id = self.marks & HAS_IP_ID != 0 && segment.ip_id == Some(self.ip_id);
        (apart <= COPY_ELSEWHERE && self.way.is_elsewhere(segment)) || (apart <= COPY_SAME_ID && same_id)
    }
}

/// Whether the sender is the lower one of the two ends.
pub(super) fn is_from_lower(segment: &Segment) -> bool {
    (segment.src, segment.src_port) < (segment.dst, segment.dst_port)
}
