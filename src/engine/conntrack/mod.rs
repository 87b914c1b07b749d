//! Which SYNs are attempts, which repeat one, and what became of the attempts.
//!
//! A table of fixed size with one small entry per recent attempt, found by the keyed hash of both addresses and both
//! ports, and by the client's initial sequence number. It is fed by SYN, SYN-ACK, FIN and RST segments of the watched
//! ports in both directions, by empty ACKs, and by small segments of the client; no large data packet is needed.
//!
//! # Repeats
//!
//! A SYN of the same identity (addresses, ports, sequence number) as an entry is a **copy**, a **retransmission**, or
//! an attempt of its own (`repeats.rs`): a forwarding gateway's `any` shows every packet twice, a mirror port may, and
//! a translated SYN is a copy, too (`nat.rs`). What is compared is the newest SYN of the identity that is no copy.
//! After the attempt was completed it remains a repeat until it is answered by another server number, or after a valid
//! close answered again: then it was an attempt at the time of its SYN.
//!
//! # Attempts without a SYN
//!
//! A SYN that is hidden, or lost, is inferred from its SYN-ACK when the client acknowledges that exactly, or without a
//! proof when something else shows that it was sent (`infer.rs`).
//!
//! # Ports that are used again
//!
//! The set that the endpoints of a connection lead to holds their latest attempt. An earlier one that is still of use
//! makes way for it and moves to a set of its own, found by its client's initial sequence number too: so a flood from
//! one port to one server is spread over the whole table, and each of its attempts is followed. An answer, a reset or
//! the handshake's ACK names that number; all else belongs to the latest, or while that is not completed to the latest
//! completed one that its numbers fit: a forged SYN must not hide how a connection ends.
//!
//! # Outcomes
//!
//! Segments add facts to the entry (`facts.rs`), and the outcome follows from the facts. What shows only by time, that
//! no answer came or no ACK, follows from timers (`timers.rs`, [`Conntrack::expire`]). Whether the client is
//! proven to have received the answer hangs on its numbers, and on the path of that answer (`path.rs`).
//!
//! # Bounds
//!
//! The table belongs to one thread: all segments of one connection meet in it, whichever interface they were seen on.
//! So its entries are plain memory, and nothing here is atomic. It allocates nothing after it was made. In a full set
//! what is no attempt gives way first, then the entry whose SYN is the oldest, those of connections that are open last.

mod arrival;
mod events;
pub(in crate::engine) mod findings;
mod facts;
mod follow;
mod infer;
mod nat;
mod path;
mod proxy;
mod repeats;
mod segments;
mod set;
pub(in crate::engine) mod stage;
mod syns;
mod timers;
mod unseen;

use crate::base::hash;
use crate::base::pages::Pages;
use crate::base::sync::OutOfMemory;
use crate::engine::clock::Ticks;
use crate::engine::outcome::{ConnSummary, Outcome, Proof};
use crate::wire::links::Links;
pub use events::{Counts, Ends, Expired, Followed, Inferred, OutcomeUpdate, Place, Syn, SynVerdict};
pub use nat::EndpointHashes;
use path::Paths;
use proxy::Completed;
use set::{Entry, Set, UNTOLD, WAYS, is_lower};
use timers::{Timer, Timers};
pub use unseen::Hosts;
use unseen::{OneSided, Unreadable};

/// How far back an entry counts.
pub const LOOKS_BACK: std::time::Duration = std::time::Duration::from_secs(130);

/// How many connections are looked at together: enough for what the next ones need to come into the cache meanwhile.
pub const AT_ONCE: usize = 64;

/// The bytes of an annotation, which the counting stage keeps for each timer: they come out of the same memory.
pub const NOTED: usize = 12;

/// The part of the memory that the queue of timers gets.
const TIMERS_SHARE: usize = 2;

/// Recent attempts.
#[derive(Debug)]
pub struct Conntrack {
    sets: Pages<Set>,
    paths: Paths,
    timers: Timers,
    recent: nat::Recent,
    completed: Completed,
    unreadable: Unreadable,
    one_sided: OneSided,
    links: Links,
    /// What link-layer addresses prove.
    by_mac: Proof,
    counts: Counts,
}

impl Conntrack {
    /// A table that takes at most `memory` bytes; it has one set at least. `by_mac` is what link-layer addresses prove:
    /// live, where anyone on the segment forges them, less than in a capture.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(memory: usize, by_mac: Proof) -> Result<Self, OutOfMemory> {
        let recent = nat::Recent::new(memory);
        let memory = memory.saturating_sub(recent.memory());
        let timers = memory / TIMERS_SHARE;
        let sets = ((memory - timers) / size_of::<Set>()).clamp(1, Place::SETS);
        Ok(Self {
            sets: Pages::zeroed(sets)?,
            paths: Paths::default(),
            timers: Timers::new(timers),
            recent,
            completed: Completed::new(),
            unreadable: Unreadable::new(),
            one_sided: OneSided::new(),
            links: Links::default(),
            by_mac,
            counts: Counts::default(),
        })
    }

    /// Tells which interfaces are one, from now on.
    pub fn set_links(&mut self, links: Links) {
        self.links = links;
    }

    /// What it has counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { unseen_evicted: self.unreadable.evicted + self.one_sided.evicted, ..self.counts }
    }

    /// SYNs without a timer: the queue was full.
    #[must_use]
    pub fn untimed(&self) -> u64 {
        self.timers.refused()
    }

    /// Prefetches the set of a connection.
    #[inline]
    pub fn prefetch(&self, connection: u64) {
        self.sets.prefetch(self.set_of(connection));
    }

    /// Once its set is in the cache, prefetches its entry; for a SYN that has none, the entry that would give way for
    /// it now.
    #[inline]
    pub fn prefetch_entry(&self, connection: u64, is_syn: bool) {
        let set = &self.sets[self.set_of(connection)];
        if let Some(way) = set.likely(connection.max(1), is_syn) {
            set.prefetch(way);
        }
    }

    /// How many attempts there is room for.
    #[must_use]
    pub fn places(&self) -> usize {
        self.sets.length() * WAYS
    }

    /// The most timers that run at once.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.timers.room()
    }

    /// Prefetches for timers that have expired: the entries of those [`AT_ONCE`] that come after the next [`AT_ONCE`],
    /// and the sets of these, where the entry is another one by now.
    pub fn prefetch_due(&self, now: Ticks) {
        for timer in self.timers.due(now).skip(AT_ONCE).take(AT_ONCE) {
            let (at, way) = timer.place.split();
            self.sets[at].prefetch(way);
        }
        let is_elsewhere = |timer: &&Timer| self.entry(timer.place).tag != timer.connection;
        let elsewhere = self.timers.due(now).take(AT_ONCE).filter(is_elsewhere);
        elsewhere.for_each(|timer| self.prefetch(timer.connection));
    }

    /// Takes the next timer that has expired by now; `None` when there is none.
    #[inline]
    pub fn expire(&mut self, now: Ticks) -> Option<Expired> {
        let timer = self.timers.pop(now)?;
        Some(Expired { due: timer.due(), news: self.time_out(&timer) })
    }

    #[inline]
    fn time_out(&mut self, timer: &Timer) -> Option<OutcomeUpdate> {
        let Timer { ends, .. } = *timer;
        let started = timer.started();
        let news = |before, after, place| OutcomeUpdate { ends, started, before, after, place };
        let Some(place) = self.find_timed(timer) else {
            // It had to give way, or the same SYN was an attempt once more: what became of it will not be known.
            let after = ConnSummary { outcome: Outcome::Unknown, ..ConnSummary::default() };
            return Some(news(None, after, None));
        };
        let by_mac = self.by_mac;
        let entry = self.entry_mut(place);
        // A later SYN of the attempt has a timer of its own.
        if entry.newest.time() != timer.syn {
            return None;
        }
        let before = entry.told(by_mac);
        entry.marks &= !UNTOLD;
        entry.facts.expire();
        let after = entry.facts.life(by_mac);
        (before != after).then(|| news(Some(before), after, Some(place)))
    }

    /// The attempt of a timer: mostly where it was, or else where its ports and numbers lead to.
    fn find_timed(&self, timer: &Timer) -> Option<Place> {
        let Timer { connection, client_isn, place, ends, .. } = *timer;
        let from_lower = is_lower(ends.client, ends.server);
        let has_number = |place: &Place| self.entry(*place).facts.client_isn == client_isn;
        let entry = self.entry(place);
        let is_there = entry.tag == connection && entry.client_is_lower() == from_lower;
        let latest = if is_there { Some(place) } else { self.find_latest(connection, from_lower) };
        let found = latest.filter(has_number).or_else(|| self.find_moved(connection, from_lower, client_isn));
        found.filter(|&place| self.entry(place).started() == timer.started())
    }

    /// Stops all timers: the clock was set.
    pub fn stop_timers(&mut self) {
        self.timers.clear();
    }

    /// Forgets all: its clock starts anew.
    pub fn clear(&mut self) {
        for set in self.sets.all_mut() {
            for way in 0..WAYS {
                // Memory that was never written is only read.
                if set.entry(way).tag != 0 {
                    set.forget(way);
                }
            }
        }
        self.timers.clear();
        self.completed.clear();
        self.unreadable.clear();
        self.one_sided.clear();
    }

    #[inline]
    fn entry(&self, place: Place) -> &Entry {
        let (at, way) = place.split();
        self.sets[at].entry(way)
    }

    #[inline]
    fn entry_mut(&mut self, place: Place) -> &mut Entry {
        let (at, way) = place.split();
        self.sets[at].entry_mut(way)
    }

    #[inline]
    fn put(&mut self, place: Place, entry: Entry) {
        let (at, way) = place.split();
        self.sets[at].put(way, entry);
    }

    /// The entry with this tag that was made by this one of its two endpoints.
    #[inline]
    fn find_latest(&self, tag: u64, from_lower: bool) -> Option<Place> {
        let at = self.set_of(tag);
        self.sets[at].find_latest(tag, from_lower).map(|way| Place::new(at, way))
    }

    /// The attempt with this number whose ports were used again.
    fn find_moved(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<Place> {
        let found = self.find_latest(moved(tag, client_isn), from_lower);
        found.filter(|&place| self.entry(place).facts.client_isn == client_isn)
    }

    /// An empty place for an entry with this tag, or that of the entry which gives way for it.
    fn oldest(&self, tag: u64) -> Place {
        let at = self.set_of(tag);
        Place::new(at, self.sets[at].oldest())
    }

    fn set_of(&self, tag: u64) -> usize {
        hash::set_of(tag, self.sets.length())
    }
}

/// The tag of an attempt whose ports were used again.
fn moved(tag: u64, client_isn: u32) -> u64 {
    hash::with_number(tag, client_isn).max(1)
}

#[cfg(test)]
mod tests;
