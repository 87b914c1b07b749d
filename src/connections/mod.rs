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

use zerocopy::{FromZeros, Immutable, KnownLayout};

use crate::clock::Ticks;
use crate::hash;
use crate::outcome::{Life, Outcome};
use crate::packet::InterfaceId;
use crate::segment::Segment;
use crate::sync::{OutOfMemory, zeroed};
use facts::Facts;
use timers::{Timer, Timers};
use way::Way;

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
const TIMERS_SHARE: usize = 4;

/// Recent attempts.
#[derive(Debug)]
pub struct Connections {
    sets: Box<[Set]>,
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
}

/// A SYN that is not waited for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// When its time was over.
    pub due: Ticks,
    /// What follows from that, where it changes what is known.
    pub news: Option<News>,
}

#[derive(Debug, Default, FromZeros, KnownLayout)]
#[repr(C, align(64))]
struct Set {
    /// Hashes of addresses and ports; 0 where there is no entry.
    connections: [u64; WAYS],
    /// When the newest SYN came that is no copy, and whether the connection is established and not closed.
    newest: [Newest; WAYS],
    entries: [Entry; WAYS],
}

/// A time in the upper 63 bits, and in the lowest whether the connection is established and not closed.
#[derive(Debug, Clone, Copy, Default, FromZeros, Immutable, KnownLayout)]
#[repr(transparent)]
struct Newest(u64);

impl Newest {
    fn new(time: Ticks) -> Self {
        Self(time.0 << 1)
    }

    fn time(self) -> Ticks {
        Ticks(self.0 >> 1)
    }

    fn is_established(self) -> bool {
        self.0 & 1 != 0
    }

    fn with_established(self, established: bool) -> Self {
        Self(self.0 & !1 | u64::from(established))
    }

    /// The same so many ticks earlier, if the first SYN, which is so much older, still has a tick then.
    fn moved_back(self, ticks: u64, age: u32) -> Option<Self> {
        let time = self.time().0.checked_sub(ticks).filter(|time| *time > u64::from(age))?;
        Some(Self(time << 1 | self.0 & 1))
    }
}

/// There is an IPv4 identification.
const HAS_IP_ID: u8 = 1;
/// The client's address and port are the lower ones of the two ends.
const CLIENT_IS_LOWER: u8 = 2;

/// One recent attempt.
#[derive(Debug, Clone, Copy, Default, FromZeros, Immutable, KnownLayout)]
#[repr(C)]
struct Entry {
    facts: Facts,
    /// Ticks from its first SYN to the newest.
    age: u32,
    /// The way that the newest SYN came.
    way: Way,
    /// That one's IPv4 identification.
    ip_id: u16,
    /// [`HAS_IP_ID`] and [`CLIENT_IS_LOWER`].
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
        Ok(Self { sets: zeroed(sets)?, timers: Timers::new(timers), evicted: 0 })
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
        let set = &self.sets[self.set_of(connection)];
        set.connections[0] ^ set.newest[0].0
    }

    /// Brings a connection's entry into the cache, once its set is there.
    #[must_use]
    pub fn touch_entry(&self, connection: u64) -> u64 {
        let set = &self.sets[self.set_of(connection)];
        set.find(connection).map_or(0, |way| set.entries[way].age.into())
    }

    /// Says what a SYN is, and remembers it.
    pub fn syn(&mut self, connection: u64, time: Ticks, segment: &Segment) -> Syn {
        let at = self.set_of(connection);
        let connection = connection.max(1);
        let set = &mut self.sets[at];
        let Some(way) = set.find_attempt(connection, is_from_lower(segment), segment.seq) else {
            let way = set.oldest();
            let gives_way = set.connections[way] != 0
                && (set.newest[way].is_established()
                    || time.since(set.newest[way].time()) <= RETRANSMISSION_WITHIN);
            self.evicted += u64::from(gives_way);
            set.connections[way] = connection;
            set.newest[way] = Newest::new(time);
            set.entries[way] = Entry::attempt(segment);
            self.wait(connection, time, time, segment);
            return Syn::Attempt;
        };
        let (syn, newest) = set.entries[way].judge(set.newest[way].time(), time, segment);
        if syn != Syn::Copy {
            set.newest[way] = Newest::new(newest);
            let started = set.started(way);
            self.wait(connection, newest, started, segment);
        }
        syn
    }

    /// Adds what another segment of a connection says: news, when that changes what is known.
    pub fn follow(&mut self, connection: u64, segment: &Segment) -> Option<News> {
        let at = self.set_of(connection);
        let set = &mut self.sets[at];
        let way = set.find_newest(connection.max(1))?;
        let entry = &mut set.entries[way];
        let before = entry.facts.life();
        let from_client = (entry.marks & CLIENT_IS_LOWER != 0) == is_from_lower(segment);
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
        Some(News { ends: Ends::of(segment, from_client), started, before: Some(before), after })
    }

    /// Settles the next SYN that has been waited for long enough; `None` when there is none.
    pub fn expire(&mut self, now: Ticks) -> Option<Expired> {
        let timer = self.timers.pop(now)?;
        Some(Expired { due: timer.due(), news: self.settle(&timer) })
    }

    fn settle(&mut self, timer: &Timer) -> Option<News> {
        let Timer { connection, client_isn, syn, started, ends } = *timer;
        let at = self.set_of(connection);
        let set = &mut self.sets[at];
        let news = |before, after| News { ends, started, before, after };
        let found = set.find_attempt(connection, ends.client < ends.server, client_isn);
        let Some(way) = found.filter(|&way| set.started(way) == started) else {
            // It had to give way, or the same SYN was an attempt once more: what became of it will not be known.
            let after = Life { outcome: Outcome::Unknown, ..Life::default() };
            return Some(news(None, after));
        };
        // A later SYN of the attempt stands in the queue for itself.
        if set.newest[way].time() != syn {
            return None;
        }
        let facts = &mut set.entries[way].facts;
        let before = facts.life();
        facts.expire();
        let after = facts.life();
        (before != after).then(|| news(Some(before), after))
    }

    /// Waits for nothing any more: the clock was set.
    pub fn stop_waiting(&mut self) {
        self.timers.clear();
    }

    /// Moves all times back by so many ticks; what is older is forgotten.
    pub fn move_back(&mut self, ticks: u64) {
        for set in &mut self.sets {
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

    /// Forgets everything.
    pub fn clear(&mut self) {
        for set in &mut self.sets {
            set.connections = [0; WAYS];
            set.newest = [Newest::default(); WAYS];
        }
        self.timers.clear();
    }

    fn wait(&mut self, connection: u64, syn: Ticks, started: Ticks, segment: &Segment) {
        let ends = Ends::of(segment, true);
        self.timers.push(Timer { connection, client_isn: segment.seq, syn, started, ends });
    }

    fn set_of(&self, connection: u64) -> usize {
        hash::set_of(connection, self.sets.len())
    }
}

impl Set {
    fn find(&self, connection: u64) -> Option<usize> {
        self.connections.iter().position(|known| *known == connection)
    }

    /// The entry of an attempt: of these two ends, by this one of them, with this number.
    fn find_attempt(&self, connection: u64, from_lower: bool, client_isn: u32) -> Option<usize> {
        (0..WAYS).find(|&way| {
            let entry = &self.entries[way];
            self.connections[way] == connection
                && (entry.marks & CLIENT_IS_LOWER != 0) == from_lower
                && entry.facts.client_isn == client_isn
        })
    }

    /// The entry of a connection: of several, for ports that were used again, the newest.
    fn find_newest(&self, connection: u64) -> Option<usize> {
        (0..WAYS)
            .filter(|&way| self.connections[way] == connection)
            .max_by_key(|&way| self.newest[way].time())
    }

    /// When an entry's first SYN came.
    fn started(&self, way: usize) -> Ticks {
        Ticks(self.newest[way].time().0 - u64::from(self.entries[way].age))
    }

    /// An empty entry, or the one whose newest SYN is the oldest, of those not established if there are any.
    fn oldest(&self) -> usize {
        // An empty entry has time 0.
        let age = |way: &usize| (self.newest[*way].is_established(), self.newest[*way].time());
        (0..WAYS).min_by_key(age).unwrap_or(0)
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
    fn attempt(segment: &Segment) -> Self {
        Self {
            facts: Facts::attempt(segment),
            way: Way::of(segment),
            ip_id: segment.ip_id.unwrap_or(0),
            marks: if segment.ip_id.is_some() { HAS_IP_ID } else { 0 }
                | if is_from_lower(segment) { CLIENT_IS_LOWER } else { 0 },
            ..Self::default()
        }
    }

    /// What a SYN of this entry's identity is, and the time of the newest SYN after it.
    fn judge(&mut self, newest: Ticks, time: Ticks, segment: &Segment) -> (Syn, Ticks) {
        let (copies, retransmissions) = (self.repeats & 0xf, self.repeats >> 4);
        if copies < MOST_COPIES && self.is_copied_by(newest, time, segment) {
            self.repeats += 1;
            return (Syn::Copy, newest);
        }
        let since = time.since(newest);
        let age = u64::from(self.age) + since;
        let again = Self::attempt(segment);
        if since >= RETRANSMISSION_AFTER
            && age <= RETRANSMISSION_WITHIN
            && retransmissions < MOST_RETRANSMISSIONS
        {
            #[expect(clippy::cast_possible_truncation, reason = "at most 130 s of ticks")]
            let age = age as u32;
            let mut facts = self.facts;
            facts.repeat();
            *self = Self { facts, age, repeats: (retransmissions + 1) << 4, ..again };
            return (Syn::Retransmission, time);
        }
        // A SYN a little older than the newest leaves the time of the newest as it is.
        *self = again;
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
