//! A set of eight entries, found by their tags: recent attempts, and what tells the repeat of one from another.

use std::net::IpAddr;

use prefetch_index::prefetch_index;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Syn;
use super::facts::Facts;
use super::way::Way;
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

/// Entries of a set: what is looked for in all of them fits a cache line.
pub(super) const WAYS: usize = 8;

/// A set: a cache line that says where to look, and a line for each entry.
#[derive(Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(super) struct Set {
    /// The lower half of each entry's tag; 0 where there is no entry.
    tags: [u32; WAYS],
    /// The upper bits of each entry's [`Newest`]: who gives way.
    ranks: [u32; WAYS],
    entries: [Entry; WAYS],
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

    /// The highest of its bits that tick, in 51 ms, under the bit that says whether it is established. No clock has
    /// more than 40 bits.
    fn rank(self) -> u32 {
        const COARSE: u32 = 40 - 31;
        let time = u32::try_from(self.time().0 >> COARSE).unwrap_or(u32::MAX) & !(1 << 31);
        time | u32::from(self.is_established()) << 31
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

/// One recent attempt: a cache line.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Entry {
    /// The hash of addresses and ports; 0 where there is no entry.
    pub(super) tag: u64,
    /// When the newest SYN came that is no copy, and whether the connection is established and not closed.
    pub(super) newest: Newest,
    pub(super) facts: Facts,
    /// Ticks from its first SYN to the newest.
    pub(super) age: u32,
    /// The way that the newest SYN came.
    pub(super) way: Way,
    /// That one's IPv4 identification.
    pub(super) ip_id: u16,
    /// [`HAS_IP_ID`], [`CLIENT_IS_LOWER`], [`PORTS_USED_AGAIN`].
    pub(super) marks: u8,
    /// Copies of the newest SYN in the lower four bits, retransmissions in the upper ones.
    pub(super) repeats: u8,
}

impl Set {
    /// An entry, or an empty place.
    #[inline]
    pub(super) fn entry(&self, way: usize) -> &Entry {
        &self.entries[way]
    }

    /// An entry that is to learn something: of its tag and its times nothing changes.
    #[inline]
    pub(super) fn entry_mut(&mut self, way: usize) -> &mut Entry {
        &mut self.entries[way]
    }

    /// Has an entry brought into the cache.
    #[inline]
    pub(super) fn prefetch(&self, way: usize) {
        prefetch_index(self.entries.as_slice(), way);
    }

    /// Where the entry with this tag is, or the one that gives way for it, as far as the first line tells.
    #[inline]
    pub(super) fn likely(&self, tag: u64) -> usize {
        match self.alike(tag) {
            0 => self.oldest(),
            alike => first(alike),
        }
    }

    /// The places whose tags agree with this one in their lower halves: a bit for each. In this form the compiler
    /// compares several at once.
    #[inline]
    fn alike(&self, tag: u64) -> u32 {
        let half = half(tag);
        (0..WAYS).fold(0, |alike, way| alike | u32::from(self.tags[way] == half) << way)
    }

    /// The places of the entries with this tag.
    #[inline]
    fn all(&self, tag: u64) -> impl Iterator<Item = usize> {
        let mut alike = self.alike(tag);
        std::iter::from_fn(move || {
            let way = (alike != 0).then(|| first(alike))?;
            alike &= alike - 1;
            Some(way)
        })
        .filter(move |way| self.entries[*way].tag == tag)
    }

    /// The entry with this tag that was made by this one of its two ends.
    #[inline]
    pub(super) fn find_latest(&self, tag: u64, from_lower: bool) -> Option<usize> {
        self.all(tag).find(|&way| (self.entries[way].marks & CLIENT_IS_LOWER != 0) == from_lower)
    }

    /// The same, if it has this number.
    pub(super) fn find_attempt(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<usize> {
        let has_number = |way: &usize| self.entries[*way].facts.client_isn == client_isn;
        self.find_latest(tag, from_lower).filter(has_number)
    }

    /// The entry with this tag: of two, one for each end that opened a connection, the newest.
    pub(super) fn find_newest(&self, tag: u64) -> Option<usize> {
        self.all(tag).max_by_key(|&way| self.entries[way].newest.time())
    }

    /// An empty place, or the entry whose newest SYN is the oldest, of those not established if there are any.
    #[inline]
    pub(super) fn oldest(&self) -> usize {
        // An empty place has rank 0. Each rank carries its place in lower bits, so that the least one tells it.
        let ranked = |way: usize| u64::from(self.ranks[way]) << 3 | way as u64;
        let oldest = (0..WAYS).fold(u64::MAX, |oldest, way| oldest.min(ranked(way)));
        (oldest & 0b111) as usize
    }

    /// Puts an entry into a place.
    #[inline]
    pub(super) fn put(&mut self, way: usize, entry: Entry) {
        self.tags[way] = half(entry.tag);
        self.ranks[way] = entry.newest.rank();
        self.entries[way] = entry;
    }

    /// Empties a place.
    pub(super) fn forget(&mut self, way: usize) {
        (self.tags[way], self.ranks[way]) = (0, 0);
        (self.entries[way].tag, self.entries[way].newest) = (0, Newest::default());
    }

    pub(super) fn set_newest(&mut self, way: usize, newest: Newest) {
        self.ranks[way] = newest.rank();
        self.entries[way].newest = newest;
    }
}

/// The first place of those that are alike.
#[inline]
fn first(alike: u32) -> usize {
    alike.trailing_zeros() as usize
}

/// What the first line of a set holds of a tag.
#[inline]
fn half(tag: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "its lower half; the upper bits choose the set")]
    let half = tag as u32;
    half.max(1)
}

impl Entry {
    /// The entry of an attempt whose SYN came at this time.
    pub(super) fn attempt(tag: u64, time: Ticks, segment: &Segment, way: Way, from_lower: bool) -> Self {
        Self {
            tag,
            newest: Newest::new(time),
            facts: Facts::attempt(segment),
            way,
            ip_id: segment.ip_id.unwrap_or(0),
            marks: if segment.ip_id.is_some() { HAS_IP_ID } else { 0 }
                | if from_lower { CLIENT_IS_LOWER } else { 0 },
            ..Self::default()
        }
    }

    /// When its first SYN came.
    pub(super) fn started(&self) -> Ticks {
        Ticks(self.newest.time().0 - u64::from(self.age))
    }

    /// Whether it may still be told of: by a retransmission, or by the end of an established connection.
    pub(super) fn is_of_use(&self, time: Ticks) -> bool {
        self.tag != 0
            && (self.newest.is_established() || time.since(self.newest.time()) <= RETRANSMISSION_WITHIN)
    }

    /// What a SYN of this entry's identity is, and the entry after it.
    pub(super) fn judge(&self, time: Ticks, segment: &Segment, way: Way) -> (Syn, Self) {
        let newest = self.newest.time();
        let (copies, retransmissions) = (self.repeats & 0xf, self.repeats >> 4);
        if copies < MOST_COPIES && self.is_copied_by(newest, time, segment) {
            return (Syn::Copy, Self { repeats: self.repeats + 1, ..*self });
        }
        let since = time.since(newest);
        let age = u64::from(self.age) + since;
        // A SYN a little older than the newest leaves the time of the newest as it is.
        let from_lower = self.marks & CLIENT_IS_LOWER != 0;
        let again = Self::attempt(self.tag, newest.max(time), segment, way, from_lower);
        if since >= RETRANSMISSION_AFTER
            && age <= RETRANSMISSION_WITHIN
            && retransmissions < MOST_RETRANSMISSIONS
        {
            #[expect(clippy::cast_possible_truncation, reason = "at most 130 s of ticks")]
            let age = age as u32;
            let mut facts = self.facts;
            facts.repeat();
            let marks = again.marks | self.marks & !(HAS_IP_ID | CLIENT_IS_LOWER);
            return (
                Syn::Retransmission,
                Self { facts, age, marks, repeats: (retransmissions + 1) << 4, ..again },
            );
        }
        (Syn::Attempt, Self { marks: again.marks | self.marks & PORTS_USED_AGAIN, ..again })
    }

    fn is_copied_by(&self, newest: Ticks, time: Ticks, segment: &Segment) -> bool {
        // Two interfaces deliver their packets when they please: a copy may be the earlier of the two.
        let apart = time.0.abs_diff(newest.0);
        let same_id = self.marks & HAS_IP_ID != 0 && segment.ip_id == Some(self.ip_id);
        (apart <= COPY_ELSEWHERE && self.way.is_elsewhere(segment)) || (apart <= COPY_SAME_ID && same_id)
    }
}

/// Whether the sender is the lower one of the two ends.
#[inline]
pub(super) fn is_from_lower(segment: &Segment) -> bool {
    is_lower((segment.src, segment.src_port), (segment.dst, segment.dst_port))
}

/// Whether one end of a connection is lower than the other: by their numbers, which is all that matters here, and less
/// work than to compare addresses of two families.
#[inline]
pub(super) fn is_lower(one: (IpAddr, u16), other: (IpAddr, u16)) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    (number(one.0), one.1) < (number(other.0), other.1)
}
