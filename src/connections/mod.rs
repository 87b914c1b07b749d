//! Which SYNs are attempts, which repeat one, and what became of the attempts.
//!
//! A table of fixed size with one small entry per recent attempt, found by the keyed hash of both addresses and both
//! ports, and by the client's initial sequence number. It is fed by SYN, SYN-ACK, FIN and RST segments of the watched
//! ports in both directions and by the client's empty ACKs; no data packet is needed.
//!
//! # Repeats
//!
//! A SYN of the same identity (addresses, ports, sequence number) as an entry is
//!
//! - a **copy** when it comes within 100 ms at another place (interface, VLAN, tunnel or direction), or within 1 ms with
//!   the same IPv4 identification: a forwarding gateway's `any` shows every packet twice, a mirror port may;
//! - a **retransmission** when it comes 0.2 s or more after the one before it, within 130 s of the first, as the 12th
//!   at most (Linux sends six in 127 s by default, `tcp_syn_retries`; RFC 6298 starts at 1 s, and older stacks at 3 s);
//! - an attempt of its own otherwise. The caps keep a sender from hiding a flood behind repeats.
//!
//! What is compared is the newest SYN of the identity that is no copy. Copies of one SYN are at most fifteen.
//!
//! # Ports that are used again
//!
//! The set that the ends of a connection lead to holds their latest attempt. An earlier one that is still of use makes
//! way for it and moves to a set of its own, found by its client's initial sequence number too: so a flood from one
//! port to one server is spread over the whole table, and each of its attempts is followed. An answer, a reset or the
//! handshake's ACK names that number; all else belongs to the latest.
//!
//! # Outcomes
//!
//! Segments add facts to the entry (`facts.rs`), and the outcome follows from the facts. What shows only by time, that
//! no answer came or no ACK, is settled by [`Connections::expire`] from a queue (`timers.rs`).
//!
//! # Bounds
//!
//! The table belongs to one thread: all segments of one connection meet in it, whichever interface they were seen on.
//! So its entries are plain memory, and nothing here is atomic. It allocates nothing after it was made. In a full set
//! the entry whose SYN is the oldest gives way, those of connections that are open last.

mod facts;
mod timers;
mod way;

use std::net::IpAddr;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::clock::Ticks;
use crate::hash;
use crate::outcome::{Life, Outcome};
use crate::packet::InterfaceId;
use crate::pages::Pages;
use crate::segment::Segment;
use crate::sync::OutOfMemory;
use facts::Facts;
use timers::{Timer, Timers};
use way::{Way, Ways};

/// A copy at another place comes within this many ticks: 100 ms.
const COPY_ELSEWHERE: u64 = 1000;
/// A copy with the same IPv4 identification comes within this many ticks: 1 ms.
const COPY_SAME_ID: u64 = 10;
/// A retransmission comes this many ticks after the SYN before it, or later: 0.2 s.
const RETRANSMISSION_AFTER: u64 = 2000;
/// A retransmission comes within this many ticks of the first SYN: 130 s.
const RETRANSMISSION_WITHIN: u64 = 1_300_000;
/// The most retransmissions of one attempt.
const MOST_RETRANSMISSIONS: u8 = 12;
/// The most copies of one SYN: a packet that crosses bridges, VLANs and tunnels of a host shows up on each.
const MOST_COPIES: u8 = 15;

/// How far back an entry counts.
pub const LOOKS_BACK: std::time::Duration = std::time::Duration::from_secs(130);

/// Entries of a set: as many as their hashes fit a cache line.
const WAYS: usize = 8;
/// The part of the memory that the queue of timers gets.
const TIMERS_SHARE: usize = 2;

/// Recent attempts.
#[derive(Debug)]
pub struct Connections {
    sets: Pages<Set>,
    ways: Ways,
    timers: Timers,
    evicted: u64,
}

/// What a SYN is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syn {
    /// A connection attempt.
    Attempt,
    /// A SYN that was seen already, at another place or mirrored.
    Copy,
    /// A SYN that its sender sent again.
    Retransmission,
}

/// The two ends of a connection, and where its attempt was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The address and port that it was made from.
    pub client: (IpAddr, u16),
    /// The address and port that it was made to.
    pub server: (IpAddr, u16),
    /// Where what is told of it was seen.
    pub interface: InterfaceId,
}

/// News of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Between whom it was.
    pub ends: Ends,
    /// When its first SYN came.
    pub started: Ticks,
    /// What was known of it before; `None` when that has been forgotten.
    pub before: Option<Life>,
    /// What is known of it now.
    pub after: Life,
    /// Where it came while its source had an episode.
    pub reported: Reported,
}

/// In which watches an attempt came while its source had an episode. The first four are told apart, the others are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reported(u8);

impl Reported {
    const LAST: usize = 7 - REPORTED_SHIFT as usize;

    /// Whether it did in this watch.
    #[must_use]
    pub fn is_in(self, watch: usize) -> bool {
        self.0 & Self::bit(watch) != 0
    }

    fn bit(watch: usize) -> u8 {
        1 << watch.min(Self::LAST)
    }
}

/// A SYN that is not waited for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// When its time was over.
    pub due: Ticks,
    /// What follows from that, where it changes what is known.
    pub news: Option<News>,
}

#[derive(Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct Set {
    /// Hashes of addresses and ports; 0 where there is no entry.
    connections: [u64; WAYS],
    /// When the newest SYN came that is no copy, and whether the connection is established and not closed.
    newest: [Newest; WAYS],
    entries: [Entry; WAYS],
}

/// A time in the lower 63 bits, and in the highest whether the connection is established and not closed: what gives way
/// first is the lowest.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
struct Newest(u64);

impl Newest {
    const ESTABLISHED: u64 = 1 << 63;

    fn new(time: Ticks) -> Self {
        Self(time.0)
    }

    fn time(self) -> Ticks {
        Ticks(self.0 & !Self::ESTABLISHED)
    }

    fn is_established(self) -> bool {
        self.0 & Self::ESTABLISHED != 0
    }

    fn with_established(self, established: bool) -> Self {
        Self(self.0 & !Self::ESTABLISHED | if established { Self::ESTABLISHED } else { 0 })
    }

    /// The same so many ticks earlier, if the first SYN, which is so much older, still has a tick then.
    fn moved_back(self, ticks: u64, age: u32) -> Option<Self> {
        let time = self.time().0.checked_sub(ticks).filter(|time| *time > u64::from(age))?;
        Some(Self(time | self.0 & Self::ESTABLISHED))
    }
}

/// There is an IPv4 identification.
const HAS_IP_ID: u8 = 1;
/// The client's address and port are the lower ones of the two ends.
const CLIENT_IS_LOWER: u8 = 2;
/// An earlier attempt of the same ends has moved to a set of its own.
const PORTS_USED_AGAIN: u8 = 4;
/// What goes with the attempt, whichever of its SYNs is the newest, begins here: see [`Reported`].
const REPORTED_SHIFT: u32 = 3;

/// One recent attempt.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Entry {
    facts: Facts,
    /// Ticks from its first SYN to the newest.
    age: u32,
    /// The way that the newest SYN came.
    way: Way,
    /// That one's IPv4 identification.
    ip_id: u16,
    /// [`HAS_IP_ID`], [`CLIENT_IS_LOWER`], [`PORTS_USED_AGAIN`], and from [`REPORTED_SHIFT`] on [`Reported`].
    marks: u8,
    /// Copies of the newest SYN in the lower four bits, retransmissions in the upper ones.
    repeats: u8,
}

impl Connections {
    /// A table that takes at most `memory` bytes; it has one set at least.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(memory: usize) -> Result<Self, OutOfMemory> {
        let timers = memory / TIMERS_SHARE;
        let sets = ((memory - timers) / size_of::<Set>()).max(1);
        Ok(Self {
            sets: Pages::zeroed(sets)?,
            ways: Ways::default(),
            timers: Timers::new(timers),
            evicted: 0,
        })
    }

    /// Entries that gave way although a retransmission of their attempt could still come, or their connection was
    /// established.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// SYNs for whose answer nothing waits: the queue was full.
    #[must_use]
    pub fn untimed(&self) -> u64 {
        self.timers.refused()
    }

    /// Brings the hashes of a connection's set into the cache. The result is of no use but to be kept from being
    /// optimised away.
    #[must_use]
    pub fn touch(&self, connection: u64) -> u64 {
        let set = &self.sets.all()[self.set_of(connection)];
        set.connections[0] ^ set.newest[0].0
    }

    /// Brings a connection's entry into the cache, once its set is there, or the one that will give way for it.
    #[must_use]
    pub fn touch_entry(&self, connection: u64) -> u64 {
        let set = &self.sets.all()[self.set_of(connection)];
        let way = set.find(connection).unwrap_or_else(|| set.oldest());
        // Where it begins and where it ends: that may be two lines.
        let entry = &set.entries[way];
        u64::from(entry.facts.client_isn) ^ u64::from(entry.repeats)
    }

    /// Says what a SYN is, and remembers it.
    pub fn syn(&mut self, connection: u64, time: Ticks, segment: &Segment) -> Syn {
        let tag = connection.max(1);
        let at = self.set_of(tag);
        let set = &self.sets.all()[at];
        let from_lower = is_from_lower(segment);
        let Some(way) = set.find_latest(tag, from_lower) else {
            let way = self.make_room(at, time);
            self.remember((at, way), tag, time, segment, from_lower, 0);
            self.wait(connection, time, time, segment);
            return Syn::Attempt;
        };
        if set.entries[way].facts.client_isn == segment.seq {
            return self.syn_again((at, way), connection, time, segment);
        }
        // The ports are used again: by this SYN, or by one that came between it and the one that it repeats.
        if set.entries[way].marks & PORTS_USED_AGAIN != 0 {
            if let Some(found) = self.find_moved(tag, from_lower, segment.seq) {
                return self.syn_again(found, connection, time, segment);
            }
        }
        self.move_aside(at, way, time);
        self.remember((at, way), tag, time, segment, from_lower, PORTS_USED_AGAIN);
        self.wait(connection, time, time, segment);
        Syn::Attempt
    }

    /// A SYN of the identity of this entry.
    fn syn_again(&mut self, place: (usize, usize), connection: u64, time: Ticks, segment: &Segment) -> Syn {
        let (at, way) = place;
        let way_here = self.ways.of(segment);
        let set = &mut self.sets.all_mut()[at];
        let (syn, newest) = set.entries[way].judge(set.newest[way].time(), time, segment, way_here);
        if syn != Syn::Copy {
            set.newest[way] = Newest::new(newest);
            let started = set.started(way);
            self.wait(connection, newest, started, segment);
        }
        syn
    }

    fn remember(
        &mut self,
        place: (usize, usize),
        tag: u64,
        time: Ticks,
        segment: &Segment,
        from_lower: bool,
        marks: u8,
    ) {
        let (at, way) = place;
        let way_here = self.ways.of(segment);
        let set = &mut self.sets.all_mut()[at];
        set.connections[way] = tag;
        set.newest[way] = Newest::new(time);
        set.entries[way] = Entry::attempt(segment, way_here, from_lower);
        set.entries[way].marks |= marks;
    }

    /// Where there is room in a set: an entry that may be overwritten.
    fn make_room(&mut self, at: usize, time: Ticks) -> usize {
        let set = &self.sets.all()[at];
        let way = set.oldest();
        self.evicted += u64::from(set.is_of_use(way, time));
        way
    }

    /// Moves an entry that is still of use to the set of its own number.
    fn move_aside(&mut self, at: usize, way: usize, time: Ticks) {
        let from = &self.sets.all()[at];
        if !from.is_of_use(way, time) {
            return;
        }
        let (newest, entry) = (from.newest[way], from.entries[way]);
        let tag = moved(from.connections[way], entry.facts.client_isn);
        let to = self.set_of(tag);
        let room = self.make_room(to, time);
        let set = &mut self.sets.all_mut()[to];
        (set.connections[room], set.newest[room], set.entries[room]) = (tag, newest, entry);
    }

    /// Remembers that this attempt came while its source had an episode in this watch.
    pub fn note_reported(&mut self, connection: u64, segment: &Segment, watch: usize) {
        let found = self.find_attempt(connection.max(1), is_from_lower(segment), segment.seq);
        if let Some((at, way)) = found {
            self.sets.all_mut()[at].entries[way].marks |= Reported::bit(watch) << REPORTED_SHIFT;
        }
    }

    /// Adds what another segment of a connection says: news, when that changes what is known.
    pub fn follow(&mut self, connection: u64, segment: &Segment) -> Option<News> {
        let tag = connection.max(1);
        let at = self.set_of(tag);
        let way = self.sets.all()[at].find_newest(tag)?;
        let entry = &self.sets.all()[at].entries[way];
        let client_is_lower = entry.marks & CLIENT_IS_LOWER != 0;
        let from_client = client_is_lower == is_from_lower(segment);
        if entry.marks & PORTS_USED_AGAIN != 0 {
            let isn = if from_client { segment.seq } else { segment.ack }.wrapping_sub(1);
            if isn != entry.facts.client_isn {
                if let Some(found) = self.find_moved(tag, client_is_lower, isn) {
                    return self.add(found, segment, from_client);
                }
            }
        }
        self.add((at, way), segment, from_client)
    }

    /// Adds what a segment says to an entry.
    fn add(&mut self, place: (usize, usize), segment: &Segment, from_client: bool) -> Option<News> {
        let (at, way) = place;
        let set = &mut self.sets.all_mut()[at];
        let entry = &mut set.entries[way];
        let before = entry.facts.life();
        if from_client {
            entry.facts.client(segment);
        } else {
            let opposite = entry.way.is_opposite(segment);
            entry.facts.server(segment, opposite);
        }
        let after = entry.facts.life();
        if before == after {
            return None;
        }
        let started = set.started(way);
        set.newest[way] = set.newest[way].with_established(after.outcome == Outcome::Open);
        let reported = set.entries[way].reported();
        Some(News { ends: Ends::of(segment, from_client), started, before: Some(before), after, reported })
    }

    /// Settles the next SYN that has been waited for long enough; `None` when there is none.
    pub fn expire(&mut self, now: Ticks) -> Option<Expired> {
        let timer = self.timers.pop(now)?;
        Some(Expired { due: timer.due(), news: self.settle(&timer) })
    }

    fn settle(&mut self, timer: &Timer) -> Option<News> {
        let Timer { connection, client_isn, syn, started, ends } = *timer;
        let news = |before, after, reported| News { ends, started, before, after, reported };
        let found = self.find_attempt(connection.max(1), ends.client < ends.server, client_isn);
        let Some((at, way)) = found.filter(|&(at, way)| self.sets.all()[at].started(way) == started) else {
            // It had to give way, or the same SYN was an attempt once more: what became of it will not be known.
            let after = Life { outcome: Outcome::Unknown, ..Life::default() };
            return Some(news(None, after, Reported::default()));
        };
        let set = &mut self.sets.all_mut()[at];
        // A later SYN of the attempt stands in the queue for itself.
        if set.newest[way].time() != syn {
            return None;
        }
        let entry = &mut set.entries[way];
        let before = entry.facts.life();
        entry.facts.expire();
        let after = entry.facts.life();
        (before != after).then(|| news(Some(before), after, entry.reported()))
    }

    /// Waits for nothing any more: the clock was set.
    pub fn stop_waiting(&mut self) {
        self.timers.clear();
    }

    /// Moves all times back by so many ticks; what is older is forgotten.
    pub fn move_back(&mut self, ticks: u64) {
        for set in self.sets.all_mut() {
            for way in 0..WAYS {
                if set.connections[way] == 0 {
                    continue;
                }
                match set.newest[way].moved_back(ticks, set.entries[way].age) {
                    Some(moved) => set.newest[way] = moved,
                    None => (set.connections[way], set.newest[way]) = (0, Newest::default()),
                }
            }
        }
        self.timers.move_back(ticks);
    }

    fn wait(&mut self, connection: u64, syn: Ticks, started: Ticks, segment: &Segment) {
        let ends = Ends::of(segment, true);
        self.timers.push(Timer { connection, client_isn: segment.seq, syn, started, ends });
    }

    /// Where an attempt is remembered: its set and its place in that.
    fn find_attempt(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<(usize, usize)> {
        let at = self.set_of(tag);
        let found = self.sets.all()[at].find_attempt(tag, from_lower, client_isn).map(|way| (at, way));
        found.or_else(|| self.find_moved(tag, from_lower, client_isn))
    }

    /// The same, of one whose ports were used again.
    fn find_moved(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<(usize, usize)> {
        let tag = moved(tag, client_isn);
        let at = self.set_of(tag);
        self.sets.all()[at].find_attempt(tag, from_lower, client_isn).map(|way| (at, way))
    }

    fn set_of(&self, tag: u64) -> usize {
        hash::set_of(tag, self.sets.all().len())
    }
}

/// The tag of an attempt whose ports were used again.
fn moved(tag: u64, client_isn: u32) -> u64 {
    hash::with_number(tag, client_isn).max(1)
}

impl Set {
    fn find(&self, tag: u64) -> Option<usize> {
        self.connections.iter().position(|known| *known == tag)
    }

    /// The entry with this tag that was made by this one of its two ends.
    #[inline]
    fn find_latest(&self, tag: u64, from_lower: bool) -> Option<usize> {
        // Nearly all are not there at all.
        let first = self.find(tag)?;
        (first..WAYS).find(|&way| {
            self.connections[way] == tag && (self.entries[way].marks & CLIENT_IS_LOWER != 0) == from_lower
        })
    }

    /// The same, if it has this number.
    fn find_attempt(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<usize> {
        let has_number = |way: &usize| self.entries[*way].facts.client_isn == client_isn;
        self.find_latest(tag, from_lower).filter(has_number)
    }

    /// The entry with this tag: of two, one for each end that opened a connection, the newest.
    fn find_newest(&self, tag: u64) -> Option<usize> {
        (0..WAYS).filter(|&way| self.connections[way] == tag).max_by_key(|&way| self.newest[way].time())
    }

    /// Whether an entry may still be told of: by a retransmission, or by the end of an established connection.
    fn is_of_use(&self, way: usize, time: Ticks) -> bool {
        self.connections[way] != 0
            && (self.newest[way].is_established()
                || time.since(self.newest[way].time()) <= RETRANSMISSION_WITHIN)
    }

    /// When an entry's first SYN came.
    fn started(&self, way: usize) -> Ticks {
        Ticks(self.newest[way].time().0 - u64::from(self.entries[way].age))
    }

    /// An empty entry, or the one whose newest SYN is the oldest, of those not established if there are any.
    fn oldest(&self) -> usize {
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

impl Ends {
    fn of(segment: &Segment, from_client: bool) -> Self {
        let (from, to) = ((segment.src, segment.src_port), (segment.dst, segment.dst_port));
        let (client, server) = if from_client { (from, to) } else { (to, from) };
        Self { client, server, interface: segment.place.interface }
    }
}

/// Whether the sender is the lower one of the two ends.
fn is_from_lower(segment: &Segment) -> bool {
    (segment.src, segment.src_port) < (segment.dst, segment.dst_port)
}

impl Entry {
    fn attempt(segment: &Segment, way: Way, from_lower: bool) -> Self {
        Self {
            facts: Facts::attempt(segment),
            way,
            ip_id: segment.ip_id.unwrap_or(0),
            marks: if segment.ip_id.is_some() { HAS_IP_ID } else { 0 }
                | if from_lower { CLIENT_IS_LOWER } else { 0 },
            ..Self::default()
        }
    }

    fn reported(&self) -> Reported {
        Reported(self.marks >> REPORTED_SHIFT)
    }

    /// What a SYN of this entry's identity is, and the time of the newest SYN after it.
    fn judge(&mut self, newest: Ticks, time: Ticks, segment: &Segment, way: Way) -> (Syn, Ticks) {
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

    fn is_copied_by(&self, newest: Ticks, time: Ticks, segment: &Segment) -> bool {
        // Two interfaces deliver their packets when they please: a copy may be the earlier of the two.
        let apart = time.0.abs_diff(newest.0);
        let same_id = self.marks & HAS_IP_ID != 0 && segment.ip_id == Some(self.ip_id);
        (apart <= COPY_ELSEWHERE && self.way.is_elsewhere(segment)) || (apart <= COPY_SAME_ID && same_id)
    }
}

#[cfg(test)]
mod tests;
