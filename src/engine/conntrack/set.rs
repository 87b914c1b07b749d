//! A set of eight entries, found by their tags: recent attempts, and what tells the repeat of one from another.

use std::net::IpAddr;

use prefetch_index::prefetch_index;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::arrival::{Following, Opening};
use super::facts::Facts;
use super::path::{Link, Path};
use super::repeats::RETRANSMISSION_WITHIN;
use crate::engine::clock::Ticks;
use crate::engine::outcome::{ConnSummary, Proof};
use crate::wire::segment::Segment;

/// Entries of a set: what is looked for in all of them fits a cache line.
pub(super) const WAYS: usize = 8;

/// Paths on which a SYN is remembered to be seen: the first one, and three of copies.
pub(super) const PATHS: usize = 4;

/// A set: a cache line that says where to look, and two lines for each entry.
#[derive(Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(super) struct Set {
    /// The lower half of each entry's tag; 0 where there is no entry.
    tags: [u32; WAYS],
    /// The upper bits of each entry's [`Newest`]: which one gives way.
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
}

/// There is an IPv4 identification.
pub(super) const HAS_IP_ID: u16 = 1 << 0;
/// The client's address and port are the lower ones of the two endpoints.
pub(super) const CLIENT_IS_LOWER: u16 = 1 << 1;
/// An earlier attempt of the same endpoints has moved to a set of its own.
pub(super) const PORTS_USED_AGAIN: u16 = 1 << 2;
/// No SYN was seen: a SYN-ACK made this entry. It is no attempt until the client has acknowledged that.
pub(super) const NO_SYN: u16 = 1 << 3;
/// A SYN-ACK made the attempt of this entry.
pub(super) const INFERRED: u16 = 1 << 4;
/// The same attempt behind a translation of addresses (NAT): its segments say nothing that the attempt's do not.
pub(super) const BEHIND_NAT: u16 = 1 << 5;
/// What was seen before the SYN came has not been told yet.
pub(super) const UNTOLD: u16 = 1 << 6;
/// The client's path is not known: the SYN-ACK alone made the attempt of this entry.
pub(super) const NO_PATH: u16 = 1 << 7;
/// A transparent proxy's own connection with its client's address: goes with [`BEHIND_NAT`].
pub(super) const SECOND_LEG: u16 = 1 << 8;

/// One recent attempt: two cache lines.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Entry {
    /// The hash of addresses and ports; 0 where there is no entry.
    pub(super) tag: u64,
    /// When the newest SYN came that is no copy, and whether the connection is established and not closed.
    pub(super) newest: Newest,
    pub(super) facts: Facts,
    /// Ticks from its first SYN to the newest that is no copy, to the last of all, and to the client's end.
    pub(super) age: u32,
    pub(super) repeated: u32,
    pub(super) ended: u32,
    /// The path on which the newest SYN that is no copy was first seen.
    pub(super) path: Path,
    /// What follows of the paths of its copies; 0 where there is none.
    pub(super) others: [u32; PATHS - 1],
    pub(super) other_links: [Link; PATHS - 1],
    /// The first answer's path.
    pub(super) answer_link: Link,
    pub(super) answer_from: u32,
    /// See [`Segment::digest`].
    pub(super) digest: u32,
    /// The number of the attempt that segments which name none may belong to, when [`PORTS_USED_AGAIN`].
    pub(super) aside: u32,
    /// The newest SYN's IPv4 identification.
    pub(super) ip_id: u16,
    /// [`HAS_IP_ID`] and the others.
    pub(super) marks: u16,
    /// Copies of the newest SYN in the lower four bits, retransmissions in the upper ones.
    pub(super) repeats: u8,
    /// Retransmissions after a refusal.
    pub(super) after_refusal: u8,
    pub(super) _room: [u8; 2],
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

    /// Prefetches an entry.
    #[inline]
    pub(super) fn prefetch(&self, way: usize) {
        prefetch_index(self.entries.as_slice(), way);
    }

    /// Where the entry with this tag is, as far as the first line tells; where there is none, the one that gives way
    /// for it if one is to come.
    #[inline]
    pub(super) fn likely(&self, tag: u64, is_to_come: bool) -> Option<usize> {
        match self.alike(tag) {
            0 => is_to_come.then(|| self.oldest()),
            alike => Some(first(alike)),
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

    /// The entry with this tag that was made by this one of its two endpoints.
    #[inline]
    pub(super) fn find_latest(&self, tag: u64, from_lower: bool) -> Option<usize> {
        self.all(tag).find(|&way| self.entries[way].client_is_lower() == from_lower)
    }

    /// The entry with this tag: of two, one for each endpoint that opened a connection, the newest.
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

    /// Whether it remembers all attempts whose newest SYN came within so many ticks: then it still has a place that
    /// gives way before theirs.
    pub(super) fn spans(&self, time: Ticks, ticks: u64) -> bool {
        let gives_way_before = |entry: &Entry| {
            let is_spare = entry.tag == 0 || entry.marks & NO_SYN != 0;
            is_spare || !entry.newest.is_established() && time.since(entry.newest.time()) >= ticks
        };
        self.entries.iter().any(gives_way_before)
    }

    /// Puts an entry into a place. One without a SYN gives way first.
    #[inline]
    pub(super) fn put(&mut self, way: usize, entry: Entry) {
        let is_attempt = entry.marks & (NO_SYN | BEHIND_NAT) == 0;
        self.tags[way] = half(entry.tag);
        self.ranks[way] = if is_attempt { entry.newest.rank() } else { 1 };
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
    pub(super) fn attempt(tag: u64, time: Ticks, syn: &Opening<'_>) -> Self {
        let Opening { segment, path, from_lower, .. } = *syn;
        Self {
            tag,
            newest: Newest::new(time),
            facts: Facts::attempt(segment),
            path,
            digest: segment.digest,
            ip_id: segment.ip_id.unwrap_or(0),
            marks: if segment.ip_id.is_some() { HAS_IP_ID } else { 0 }
                | if from_lower { CLIENT_IS_LOWER } else { 0 },
            ..Self::default()
        }
    }

    /// The entry of a connection whose SYN was not seen, by its SYN-ACK.
    pub(super) fn unseen(answer: &Following<'_>) -> Self {
        Self {
            tag: answer.tag,
            newest: Newest::new(answer.time),
            facts: Facts::unseen(answer.segment),
            marks: NO_SYN | if answer.from_lower { 0 } else { CLIENT_IS_LOWER },
            ..Self::default()
        }
    }

    /// Remembers that it took the place of an earlier attempt of the same endpoints, and which one segments that name
    /// no number may belong to: a SYN that proves nothing must not hide how an open connection ends.
    pub(super) fn takes_the_place_of(&mut self, earlier: &Self) {
        let is_forged = !earlier.facts.is_known() && earlier.marks & PORTS_USED_AGAIN != 0;
        self.aside = if is_forged { earlier.aside } else { earlier.facts.client_isn };
        self.marks |= PORTS_USED_AGAIN;
    }

    /// What was told of it last, before a segment adds to it.
    pub(super) fn told(&self, by_mac: Proof) -> ConnSummary {
        if self.marks & UNTOLD == 0 { self.facts.life(by_mac) } else { ConnSummary::default() }
    }

    /// Whether the client is the lower one of the two endpoints.
    #[inline]
    pub(super) fn client_is_lower(&self) -> bool {
        self.marks & CLIENT_IS_LOWER != 0
    }

    /// When its first SYN came.
    pub(super) fn started(&self) -> Ticks {
        Ticks(self.newest.time().0 - u64::from(self.age))
    }

    /// Ticks from its first SYN until now.
    pub(super) fn since_start(&self, now: Ticks) -> u32 {
        u32::try_from(now.since(self.started())).unwrap_or(u32::MAX)
    }

    /// Whether it may still be told of: by a retransmission, or by the end of an established connection.
    pub(super) fn is_of_use(&self, time: Ticks) -> bool {
        self.tag != 0
            && self.marks & (NO_SYN | BEHIND_NAT) == 0
            && (self.newest.is_established() || time.since(self.newest.time()) <= RETRANSMISSION_WITHIN)
    }

    /// All links on which its SYN was seen; those that are none are without a direction.
    pub(super) fn links(&self) -> [Link; PATHS] {
        let [one, two, three] = self.other_links;
        [self.path.link, one, two, three]
    }

    /// Whether its SYN was seen on this path.
    pub(super) fn knows(&self, path: &Path) -> bool {
        self.path.id == path.id || self.others.contains(&path.id)
    }

    /// Remembers a further path of its SYN, while there is room.
    pub(super) fn add_path(&mut self, path: &Path) {
        if self.knows(path) {
            return;
        }
        if let Some(free) = self.others.iter().position(|id| *id == 0) {
            (self.others[free], self.other_links[free]) = (path.id, path.link);
        }
    }

    /// Whether there is room for a further path of its SYN.
    pub(super) fn has_room_for_path(&self) -> bool {
        self.others.contains(&0)
    }
}

/// Whether the sender is the lower one of the two endpoints.
#[inline]
pub(super) fn is_from_lower(segment: &Segment) -> bool {
    is_lower((segment.src, segment.src_port), (segment.dst, segment.dst_port))
}

/// Whether one endpoint of a connection is lower than the other: by their numbers, which is all that matters here, and
/// less work than to compare addresses of two families.
#[inline]
pub(super) fn is_lower(one: (IpAddr, u16), other: (IpAddr, u16)) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    (number(one.0), one.1) < (number(other.0), other.1)
}
