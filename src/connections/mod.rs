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
//! - a **copy** when it comes within 100 ms at another place (interface, VLAN, tunnel or direction), or within 1 ms
//!   with the same IPv4 identification: a forwarding gateway's `any` shows every packet twice, a mirror port may;
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
mod set;
mod timers;
mod way;

use std::net::IpAddr;

use crate::clock::Ticks;
use crate::hash;
use crate::outcome::{Life, Outcome};
use crate::packet::InterfaceId;
use crate::pages::Pages;
use crate::segment::Segment;
use crate::sync::OutOfMemory;
use set::{CLIENT_IS_LOWER, Entry, PORTS_USED_AGAIN, Set, WAYS, is_from_lower, is_lower};
use timers::{Timer, Timers};
use way::Ways;

/// How far back an entry counts.
pub const LOOKS_BACK: std::time::Duration = std::time::Duration::from_secs(130);

/// How many connections are looked at together: enough for what the next ones need to come into the cache meanwhile.
pub const AT_ONCE: usize = 64;

/// The bytes in which the one who counts remembers more of a SYN that is waited for: they come out of the same memory.
pub const NOTED: usize = 12;

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
    /// Where it is remembered, if it still is.
    pub place: Option<Place>,
}

/// Where an attempt is remembered: who has to remember more of it has a place of the same number. In four bytes, since
/// each attempt takes its place along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place(u32);

impl Place {
    /// As many sets as places can tell: they would be 300 GB.
    const SETS: usize = u32::MAX as usize / WAYS;

    #[inline]
    fn new(set: usize, way: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "below so many sets")]
        Self((set * WAYS + way) as u32)
    }

    /// Its number, below [`Connections::places`].
    #[must_use]
    #[inline]
    pub fn number(self) -> usize {
        self.0 as usize
    }
}

/// What was found of a SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// What it is.
    pub syn: Syn,
    /// Where its attempt is remembered.
    pub place: Place,
    /// Where the attempt is remembered now that was remembered there before it, and still is.
    pub moved: Option<Place>,
    /// Whether it is waited for: then [`Connections::expire`] will tell of it by the number of such SYNs before it,
    /// modulo 2^32.
    pub waits: bool,
}

/// A SYN that is not waited for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// When its time was over.
    pub due: Ticks,
    /// What follows from that, where it changes what is known.
    pub news: Option<News>,
    /// How many were waited for before it.
    pub number: u32,
}

impl Connections {
    /// A table that takes at most `memory` bytes; it has one set at least.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(memory: usize) -> Result<Self, OutOfMemory> {
        let timers = memory / TIMERS_SHARE;
        let sets = ((memory - timers) / size_of::<Set>()).clamp(1, Place::SETS);
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

    /// Has the set of a connection brought into the cache.
    #[inline]
    pub fn prefetch(&self, connection: u64) {
        self.sets.prefetch(self.set_of(connection));
    }

    /// Once its set is in the cache, has its entry brought in, or the one that would give way for it now.
    #[inline]
    pub fn prefetch_entry(&self, connection: u64) {
        let set = &self.sets[self.set_of(connection)];
        set.prefetch(set.likely(connection.max(1)));
    }

    /// How many attempts there is room for.
    #[must_use]
    pub fn places(&self) -> usize {
        self.sets.length() * WAYS
    }

    /// How many SYNs it waits for at once.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.timers.room()
    }

    /// The number of the first SYN that is waited for, or of the next one: see [`Judged::waits`].
    #[must_use]
    pub fn waiting_from(&self) -> u32 {
        self.timers.first()
    }

    /// Says what a SYN is, and remembers it.
    pub fn syn(&mut self, connection: u64, time: Ticks, segment: &Segment) -> Judged {
        let tag = connection.max(1);
        let at = self.set_of(tag);
        let set = &self.sets[at];
        let from_lower = is_from_lower(segment);
        let Some(way) = set.find_latest(tag, from_lower) else {
            let way = set.oldest();
            self.make_room(at, way, time);
            self.remember((at, way), tag, time, segment, from_lower, 0);
            let waits = self.wait(connection, time, time, segment);
            return Judged { syn: Syn::Attempt, place: Place::new(at, way), moved: None, waits };
        };
        let entry = set.entry(way);
        if entry.facts.client_isn == segment.seq {
            return self.syn_again((at, way), connection, time, segment);
        }
        // The ports are used again: by this SYN, or by one that came between it and the one that it repeats.
        if entry.marks & PORTS_USED_AGAIN != 0 {
            if let Some(found) = self.find_moved(tag, from_lower, segment.seq) {
                return self.syn_again(found, connection, time, segment);
            }
        }
        let moved = self.move_aside(at, way, time);
        self.remember((at, way), tag, time, segment, from_lower, PORTS_USED_AGAIN);
        let waits = self.wait(connection, time, time, segment);
        Judged { syn: Syn::Attempt, place: Place::new(at, way), moved, waits }
    }

    /// A SYN of the identity of this entry.
    fn syn_again(
        &mut self,
        (at, way): (usize, usize),
        connection: u64,
        time: Ticks,
        segment: &Segment,
    ) -> Judged {
        let way_here = self.ways.of(segment);
        let set = &mut self.sets[at];
        let (syn, entry) = set.entry(way).judge(time, segment, way_here);
        set.put(way, entry);
        let waits = syn != Syn::Copy && self.wait(connection, entry.newest.time(), entry.started(), segment);
        Judged { syn, place: Place::new(at, way), moved: None, waits }
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
        let set = &mut self.sets[at];
        let mut entry = Entry::attempt(tag, time, segment, way_here, from_lower);
        entry.marks |= marks;
        set.put(way, entry);
    }

    /// Has this entry of a set give way.
    fn make_room(&mut self, at: usize, way: usize, time: Ticks) {
        self.evicted += u64::from(self.sets[at].entry(way).is_of_use(time));
    }

    /// Moves an entry that is still of use to the set of its own number.
    fn move_aside(&mut self, at: usize, way: usize, time: Ticks) -> Option<Place> {
        let entry = *self.sets[at].entry(way);
        if !entry.is_of_use(time) {
            return None;
        }
        let tag = moved(entry.tag, entry.facts.client_isn);
        let to = self.set_of(tag);
        let room = self.sets[to].oldest();
        self.make_room(to, room, time);
        self.sets[to].put(room, Entry { tag, ..entry });
        Some(Place::new(to, room))
    }

    /// Adds what another segment of a connection says: news, when that changes what is known.
    pub fn follow(&mut self, connection: u64, segment: &Segment) -> Option<News> {
        let tag = connection.max(1);
        let at = self.set_of(tag);
        let way = self.sets[at].find_newest(tag)?;
        let entry = self.sets[at].entry(way);
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
        let set = &mut self.sets[at];
        let entry = set.entry_mut(way);
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
        let started = entry.started();
        let newest = entry.newest.with_established(after.outcome == Outcome::Open);
        set.set_newest(way, newest);
        let (ends, place) = (Ends::of(segment, from_client), Some(Place::new(at, way)));
        Some(News { ends, started, before: Some(before), after, place })
    }

    /// Has the entries of the next SYNs that have been waited for long enough brought into the cache, [`AT_ONCE`] of
    /// them, and the sets of as many after them.
    pub fn prefetch_due(&self, now: Ticks) {
        let due = || self.timers.due(now).map(|timer| timer.connection);
        due().skip(AT_ONCE).take(AT_ONCE).for_each(|connection| self.prefetch(connection));
        due().take(AT_ONCE).for_each(|connection| self.prefetch_entry(connection));
    }

    /// Settles the next SYN that has been waited for long enough; `None` when there is none.
    pub fn expire(&mut self, now: Ticks) -> Option<Expired> {
        let timer = self.timers.pop(now)?;
        Some(Expired { due: timer.due(), news: self.settle(&timer), number: timer.number })
    }

    fn settle(&mut self, timer: &Timer) -> Option<News> {
        let Timer { connection, client_isn, syn, ends, .. } = *timer;
        let started = timer.started();
        let news = |before, after, place| News { ends, started, before, after, place };
        let found = self.find_attempt(connection.max(1), is_lower(ends.client, ends.server), client_isn);
        let Some((at, way)) = found.filter(|&(at, way)| self.sets[at].entry(way).started() == started) else {
            // It had to give way, or the same SYN was an attempt once more: what became of it will not be known.
            let after = Life { outcome: Outcome::Unknown, ..Life::default() };
            return Some(news(None, after, None));
        };
        let entry = self.sets[at].entry_mut(way);
        // A later SYN of the attempt stands in the queue for itself.
        if entry.newest.time() != syn {
            return None;
        }
        let before = entry.facts.life();
        entry.facts.expire();
        let after = entry.facts.life();
        (before != after).then(|| news(Some(before), after, Some(Place::new(at, way))))
    }

    /// Waits for nothing any more: the clock was set.
    pub fn stop_waiting(&mut self) {
        self.timers.clear();
    }

    /// Moves all times back by so many ticks; what is older is forgotten.
    pub fn move_back(&mut self, ticks: u64) {
        for set in self.sets.all_mut() {
            for way in 0..WAYS {
                let Entry { tag, newest, age, .. } = *set.entry(way);
                // Memory that was never written is only read.
                if tag == 0 {
                    continue;
                }
                match newest.moved_back(ticks, age) {
                    Some(moved) => set.set_newest(way, moved),
                    None => set.forget(way),
                }
            }
        }
        self.timers.move_back(ticks);
    }

    /// Waits for an answer to a SYN, and says whether there was room for that.
    fn wait(&mut self, connection: u64, syn: Ticks, started: Ticks, segment: &Segment) -> bool {
        let ends = Ends::of(segment, true);
        // Within 130 s, or it would be an attempt of its own.
        let age = u32::try_from(syn.since(started)).unwrap_or(u32::MAX);
        self.timers.push(connection, segment.seq, syn, age, ends)
    }

    /// Where an attempt is remembered: its set and its place in that.
    fn find_attempt(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<(usize, usize)> {
        let at = self.set_of(tag);
        let found = self.sets[at].find_attempt(tag, from_lower, client_isn).map(|way| (at, way));
        found.or_else(|| self.find_moved(tag, from_lower, client_isn))
    }

    /// The same, of one whose ports were used again.
    fn find_moved(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<(usize, usize)> {
        let tag = moved(tag, client_isn);
        let at = self.set_of(tag);
        self.sets[at].find_attempt(tag, from_lower, client_isn).map(|way| (at, way))
    }

    fn set_of(&self, tag: u64) -> usize {
        hash::set_of(tag, self.sets.length())
    }
}

/// The tag of an attempt whose ports were used again.
fn moved(tag: u64, client_isn: u32) -> u64 {
    hash::with_number(tag, client_isn).max(1)
}

impl Ends {
    fn of(segment: &Segment, from_client: bool) -> Self {
        let (from, to) = ((segment.src, segment.src_port), (segment.dst, segment.dst_port));
        let (client, server) = if from_client { (from, to) } else { (to, from) };
        Self { client, server, interface: segment.place.interface }
    }
}

#[cfg(test)]
mod tests;
