//! A set of eight entries with tags. They hold recent attempts and the data that classifies repeats.

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

/// Entries of a set. The fields that a search compares fit one cache line.
pub(super) const WAYS: usize = 8;

/// Paths that are stored for a SYN: the first one and three of its copies.
pub(super) const PATHS: usize = 4;

/// Bytes of a cache line.
const LINE: usize = 64;

/// A set: one cache line as an index, and two lines for each entry.
#[derive(Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(super) struct Set {
    /// The lower half of each entry's tag; 0 where there is no entry.
    tags: [u32; WAYS],
    /// The upper bits of each entry's [`Newest`]. The entry with the lowest value gives way first.
    ranks: [u32; WAYS],
    entries: [Entry; WAYS],
}

/// The rank of an entry that is no attempt. That of an empty one is less.
const NO_ATTEMPT: u32 = 1;

/// A time in the lower 63 bits. The highest bit is set while the connection is established and not closed.
/// The entry with the lowest value gives way first.
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

    /// The upper bits of the time, in units of 51 ms, below the bit for established. No clock exceeds 40
    /// bits.
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
/// A SYN-ACK made this entry, and no SYN was seen. It is not an attempt until the client acknowledges the
/// SYN-ACK.
pub(super) const NO_SYN: u16 = 1 << 3;
/// The attempt of this entry was inferred from a SYN-ACK.
pub(super) const INFERRED: u16 = 1 << 4;
/// The same attempt after a translation of addresses (NAT). Its segments add nothing to those of the attempt.
pub(super) const BEHIND_NAT: u16 = 1 << 5;
/// The facts from before the SYN have not been reported yet.
pub(super) const UNREPORTED: u16 = 1 << 6;
/// The client's path is unknown, because the attempt was inferred from the SYN-ACK alone.
pub(super) const NO_PATH: u16 = 1 << 7;
/// A transparent proxy's own connection with its client's address. Set together with [`BEHIND_NAT`].
pub(super) const SECOND_LEG: u16 = 1 << 8;

/// One recent attempt, in two cache lines.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Entry {
    /// The hash of addresses and ports; 0 where there is no entry.
    pub(super) tag: u64,
    /// Time of the newest SYN that is not a copy, and whether the connection is established and not closed.
    pub(super) newest: Newest,
    pub(super) facts: Facts,
    /// Ticks from the first SYN to the newest that is not a copy (`age`), to the last of any kind
    /// (`repeated`), and to the client's end (`ended`).
    pub(super) age: u32,
    pub(super) repeated: u32,
    pub(super) ended: u32,
    /// The path of the first observation of the newest SYN that is not a copy.
    pub(super) path: Path,
    /// Ids and links of the paths of its copies; 0 for an unused one.
    pub(super) others: [u32; PATHS - 1],
    pub(super) other_links: [Link; PATHS - 1],
    /// The path of the first answer.
    pub(super) answer_link: Link,
    pub(super) answer_from: u32,
    /// See [`Segment::digest`].
    pub(super) digest: u32,
    /// With [`PORTS_USED_AGAIN`]: the number of the earlier attempt that a segment without a number may
    /// belong to.
    pub(super) aside: u32,
    /// The newest SYN's IPv4 identification.
    pub(super) ip_id: u16,
    /// [`HAS_IP_ID`] and the other flags.
    pub(super) marks: u16,
    /// Copies of the newest SYN in the lower four bits, retransmissions in the upper four.
    pub(super) repeats: u8,
    /// Retransmissions after a refusal.
    pub(super) after_refusal: u8,
    pub(super) _room: [u8; 2],
}

impl Set {
    /// An entry, which may be empty.
    #[inline]
    pub(super) fn entry(&self, way: usize) -> &Entry {
        &self.entries[way]
    }

    /// An entry to change. The caller must not change its tag, its times, or whether it is an attempt.
    #[inline]
    pub(super) fn entry_mut(&mut self, way: usize) -> &mut Entry {
        &mut self.entries[way]
    }

    /// Prefetches both cache lines of an entry: even what gives way unread is overwritten in both.
    #[inline]
    pub(super) fn prefetch(&self, way: usize) {
        let bytes = self.entries.as_bytes();
        prefetch_index(bytes, way * size_of::<Entry>());
        prefetch_index(bytes, way * size_of::<Entry>() + LINE);
    }

    /// Where the first cache line says that this tag is. If it is absent and `is_to_come`, the entry that
    /// gives way for it.
    #[inline]
    pub(super) fn likely(&self, tag: u64, is_to_come: bool) -> Option<usize> {
        match self.alike(tag) {
            0 => is_to_come.then(|| self.oldest()),
            alike => Some(first(alike)),
        }
    }

    /// A bit for each entry whose tag has the same lower half. In this form the compiler compares several at
    /// once.
    #[inline]
    fn alike(&self, tag: u64) -> u32 {
        let half = half(tag);
        (0..WAYS).fold(0, |alike, way| alike | u32::from(self.tags[way] == half) << way)
    }

    /// The indexes of the entries with this tag.
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

    /// Finds the entry with this tag whose client is the lower (or higher) endpoint.
    #[inline]
    pub(super) fn find_latest(&self, tag: u64, from_lower: bool) -> Option<usize> {
        self.all(tag).find(|&way| self.entries[way].client_is_lower() == from_lower)
    }

    /// Finds the newest entry with this tag. There are two if each endpoint opened a connection.
    pub(super) fn find_newest(&self, tag: u64) -> Option<usize> {
        self.all(tag).max_by_key(|&way| self.entries[way].newest.time())
    }

    /// An empty entry, or the entry with the oldest newest SYN. Entries that are not established come first.
    #[inline]
    pub(super) fn oldest(&self) -> usize {
        // An empty entry has rank 0. The lower bits carry the index, so the minimum yields it.
        let ranked = |way: usize| u64::from(self.ranks[way]) << 3 | way as u64;
        let oldest = (0..WAYS).fold(u64::MAX, |oldest, way| oldest.min(ranked(way)));
        (oldest & 0b111) as usize
    }

    /// Whether an update of this entry may still follow, as [`Entry::is_of_use`] says. Nearly always the first cache
    /// line tells, so that nothing waits for the entry, which is about to be overwritten.
    #[inline]
    pub(super) fn is_of_use(&self, way: usize, time: Ticks) -> bool {
        if self.tags[way] == 0 {
            return false;
        }
        let rank = self.ranks[way];
        let last_of_use = Newest::new(Ticks(time.0.saturating_sub(RETRANSMISSION_WITHIN))).rank();
        // Within the first seconds of a clock no rank is too low, and that of an entry that is no attempt says nothing.
        match () {
            () if rank > last_of_use.max(NO_ATTEMPT) => true,
            () if rank < last_of_use => false,
            () => self.entries[way].is_of_use(time),
        }
    }

    /// Whether this entry has this tag.
    #[inline]
    pub(super) fn has(&self, way: usize, tag: u64) -> bool {
        self.tags[way] == half(tag) && self.entries[way].tag == tag
    }

    /// Whether the set still holds every attempt whose newest SYN came within this many ticks. That is so
    /// while it has an entry that gives way before them.
    pub(super) fn spans(&self, time: Ticks, ticks: u64) -> bool {
        let gives_way_before = |entry: &Entry| {
            let is_spare = entry.tag == 0 || entry.marks & NO_SYN != 0;
            is_spare || !entry.newest.is_established() && time.since(entry.newest.time()) >= ticks
        };
        self.entries.iter().any(gives_way_before)
    }

    /// Stores an entry. An entry without a SYN gives way first.
    #[inline]
    pub(super) fn put(&mut self, way: usize, entry: Entry) {
        let is_attempt = entry.marks & (NO_SYN | BEHIND_NAT) == 0;
        self.tags[way] = half(entry.tag);
        self.ranks[way] = if is_attempt { entry.newest.rank() } else { NO_ATTEMPT };
        self.entries[way] = entry;
    }

    /// Empties an entry.
    pub(super) fn forget(&mut self, way: usize) {
        (self.tags[way], self.ranks[way]) = (0, 0);
        (self.entries[way].tag, self.entries[way].newest) = (0, Newest::default());
    }

    pub(super) fn set_newest(&mut self, way: usize, newest: Newest) {
        self.ranks[way] = newest.rank();
        self.entries[way].newest = newest;
    }
}

/// The index of the first matching tag.
#[inline]
fn first(alike: u32) -> usize {
    alike.trailing_zeros() as usize
}

/// The part of a tag that the first cache line of a set holds.
#[inline]
fn half(tag: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "its lower half; the upper bits choose the set")]
    let half = tag as u32;
    half.max(1)
}

impl Entry {
    /// Makes the entry of an attempt whose SYN came at this time.
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

    /// Makes the entry of a connection without a SYN from its SYN-ACK.
    pub(super) fn unseen(answer: &Following<'_>) -> Self {
        Self {
            tag: answer.tag,
            newest: Newest::new(answer.time),
            facts: Facts::unseen(answer.segment),
            marks: NO_SYN | if answer.from_lower { 0 } else { CLIENT_IS_LOWER },
            ..Self::default()
        }
    }

    /// Notes that this entry replaces an earlier attempt of the same endpoints, and to which attempt a
    /// segment without a number may belong. A SYN that proves nothing must not hide how an open connection
    /// ends.
    pub(super) fn takes_the_place_of(&mut self, earlier: &Self) {
        let is_forged = !earlier.facts.is_known() && earlier.marks & PORTS_USED_AGAIN != 0;
        self.aside = if is_forged { earlier.aside } else { earlier.facts.client_isn };
        self.marks |= PORTS_USED_AGAIN;
    }

    /// The summary that was reported last, before a segment changes it.
    pub(super) fn reported(&self, by_mac: Proof) -> ConnSummary {
        if self.marks & UNREPORTED == 0 { self.facts.life(by_mac) } else { ConnSummary::default() }
    }

    /// Whether the client is the lower one of the two endpoints.
    #[inline]
    pub(super) fn client_is_lower(&self) -> bool {
        self.marks & CLIENT_IS_LOWER != 0
    }

    /// Time of the first SYN.
    pub(super) fn started(&self) -> Ticks {
        Ticks(self.newest.time().0 - u64::from(self.age))
    }

    /// Ticks since the first SYN.
    pub(super) fn since_start(&self, now: Ticks) -> u32 {
        u32::try_from(now.since(self.started())).unwrap_or(u32::MAX)
    }

    /// Whether an update may still follow: from a retransmission, or from the end of an established
    /// connection.
    pub(super) fn is_of_use(&self, time: Ticks) -> bool {
        self.tag != 0
            && self.marks & (NO_SYN | BEHIND_NAT) == 0
            && (self.newest.is_established() || time.since(self.newest.time()) <= RETRANSMISSION_WITHIN)
    }

    /// All links on which its SYN was seen. Unused ones have no direction.
    pub(super) fn links(&self) -> [Link; PATHS] {
        let [one, two, three] = self.other_links;
        [self.path.link, one, two, three]
    }

    /// Whether its SYN was seen on this path.
    pub(super) fn knows(&self, path: &Path) -> bool {
        self.path.id == path.id || self.others.contains(&path.id)
    }

    /// Stores a further path of its SYN, while there is room.
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

/// Whether one endpoint of a connection is lower than the other. Any fixed order will do. The ports come first,
/// because they nearly always differ; addresses are compared as plain numbers, which costs less than to
/// compare those of two families.
#[inline]
pub(super) fn is_lower(one: (IpAddr, u16), other: (IpAddr, u16)) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    one.1 < other.1 || one.1 == other.1 && number(one.0) < number(other.0)
}
