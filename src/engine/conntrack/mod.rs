//! Conntrack decides which SYNs are attempts, which ones repeat an attempt, and how each attempt ended.
//!
//! The table has a fixed size, with one small entry per recent attempt. The key is the keyed hash of both
//! addresses and both ports, plus the client's initial sequence number. The input is the SYN, SYN-ACK, FIN
//! and RST segments of the watched ports in both directions, empty ACKs, and small segments of the client.
//! Conntrack needs no large data packet.
//!
//! # Repeats
//!
//! A SYN with the identity of an entry (addresses, ports, sequence number) is a **copy**, a
//! **retransmission**, or a new attempt (`repeats.rs`). A forwarding gateway's `any` shows every packet
//! twice, a mirror port may do so, and a translated SYN is a copy, too (`nat.rs`). Conntrack compares with
//! the newest SYN of the identity that is not a copy. After the attempt was completed, a further SYN remains
//! a repeat until the server answers it with another sequence number, or answers it after a valid close. Then
//! it was an attempt at the time of its SYN.
//!
//! # Attempts without a SYN
//!
//! Conntrack infers a hidden or lost SYN from its SYN-ACK when the client acknowledges the SYN-ACK exactly.
//! It also infers the SYN, but without a proof, when other evidence shows that the client sent one
//! (`infer.rs`).
//!
//! # Port reuse
//!
//! The set for the endpoints of a connection holds their latest attempt. An earlier attempt that is still of
//! use makes way for it and moves to another set, whose key includes the client's initial sequence number.
//! This spreads a flood from one port to one server over the whole table, and conntrack follows each of its
//! attempts. An answer, a reset or the handshake's ACK contains that number. Any other segment belongs to the
//! latest attempt. While the latest attempt is not completed, the segment belongs to the latest completed
//! attempt that its numbers fit: a forged SYN must not hide how a connection ends.
//!
//! # Outcomes
//!
//! Segments add facts to the entry (`facts.rs`), and the outcome is a function of the facts. Only time shows
//! that no answer or no ACK came, so timers add that (`timers.rs`, [`Conntrack::expire`]). The proof that the
//! client received the answer depends on its sequence numbers and on the path of that answer (`path.rs`).
//!
//! # Bounds
//!
//! The table belongs to one thread. All segments of one connection meet in it, whatever interface captured
//! them. So its entries are plain memory without atomics. The table allocates nothing after its construction.
//! In a full set, entries that are not attempts give way first, then the entry with the oldest SYN. Open
//! connections give way last.

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
use set::{Entry, Set, UNREPORTED, WAYS, is_lower};
use timers::{Timer, Timers};
pub use unseen::Hosts;
use unseen::{OneSided, Unreadable};

/// Retention time of an entry.
pub const LOOKS_BACK: std::time::Duration = std::time::Duration::from_secs(130);

/// Prefetch batch size: enough connections that the data of the next batch reaches the cache in the meantime.
pub const AT_ONCE: usize = 64;

/// Bytes of an annotation. The counting stage keeps one for each timer, and both share one memory budget.
pub const NOTED: usize = 12;

/// The timer queue gets one part in this many of the memory.
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
    /// The proof that link-layer addresses give.
    by_mac: Proof,
    counts: Counts,
}

impl Conntrack {
    /// Makes a table of at most `memory` bytes, with at least one set. `by_mac` is the proof that link-layer
    /// addresses give. It is weaker live, where any station of the segment can forge them, than in a capture.
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

    /// Prefers huge pages for its table: for a run that fills it and goes on for long.
    pub fn prefer_huge_pages(&self) {
        self.sets.prefer_huge();
    }

    /// Sets which interfaces count as one, from now on.
    pub fn set_links(&mut self, links: Links) {
        self.links = links;
    }

    /// The counters of conntrack.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { unseen_evicted: self.unreadable.evicted + self.one_sided.evicted, ..self.counts }
    }

    /// SYNs without a timer, because the queue was full.
    #[must_use]
    pub fn untimed(&self) -> u64 {
        self.timers.refused()
    }

    /// Prefetches the set of a connection.
    #[inline]
    pub fn prefetch(&self, connection: u64) {
        self.sets.prefetch(self.set_of(connection));
    }

    /// Prefetches an entry whose set is in the cache. For a SYN without an entry, it prefetches the entry
    /// that would give way.
    #[inline]
    pub fn prefetch_entry(&self, connection: u64, is_syn: bool) {
        let set = &self.sets[self.set_of(connection)];
        if let Some(way) = set.likely(connection.max(1), is_syn) {
            set.prefetch(way);
        }
    }

    /// Capacity of the table in attempts.
    #[must_use]
    pub fn places(&self) -> usize {
        self.sets.length() * WAYS
    }

    /// Capacity of the timer queue.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.timers.room()
    }

    /// Prefetches for expired timers. It skips the next [`AT_ONCE`] and prefetches the entries of the
    /// [`AT_ONCE`] after them. For the next [`AT_ONCE`] it prefetches the set where the handle holds another
    /// entry by now.
    pub fn prefetch_due(&self, now: Ticks) {
        for timer in self.timers.due(now).skip(AT_ONCE).take(AT_ONCE) {
            let (at, way) = timer.place.split();
            self.sets[at].prefetch(way);
        }
        let is_elsewhere = |timer: &&Timer| self.entry(timer.place).tag != timer.connection;
        let elsewhere = self.timers.due(now).take(AT_ONCE).filter(is_elsewhere);
        elsewhere.for_each(|timer| self.prefetch(timer.connection));
    }

    /// Removes and returns the next expired timer, if there is one.
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
            // The entry was evicted, or a later SYN of the same identity was a new attempt. The outcome stays
            // unknown.
            let after = ConnSummary { outcome: Outcome::Unknown, ..ConnSummary::default() };
            return Some(news(None, after, None));
        };
        let by_mac = self.by_mac;
        let entry = self.entry_mut(place);
        // A later SYN of the attempt has its own timer.
        if entry.newest.time() != timer.syn {
            return None;
        }
        let before = entry.reported(by_mac);
        entry.marks &= !UNREPORTED;
        entry.facts.expire();
        let after = entry.facts.life(by_mac);
        (before != after).then(|| news(Some(before), after, Some(place)))
    }

    /// Finds the attempt of a timer: usually at its handle, otherwise by its ports and numbers.
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

    /// Stops all timers, because the clock was set.
    pub fn stop_timers(&mut self) {
        self.timers.clear();
    }

    /// Clears the table, because its clock starts again.
    pub fn clear(&mut self) {
        for set in self.sets.all_mut() {
            for way in 0..WAYS {
                // The loop only reads memory that was never written.
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

    /// Finds the entry with this tag whose client is the lower (or higher) endpoint.
    #[inline]
    fn find_latest(&self, tag: u64, from_lower: bool) -> Option<Place> {
        let at = self.set_of(tag);
        self.sets[at].find_latest(tag, from_lower).map(|way| Place::new(at, way))
    }

    /// Finds the attempt with this number that moved aside when its ports were reused.
    fn find_moved(&self, tag: u64, from_lower: bool, client_isn: u32) -> Option<Place> {
        let found = self.find_latest(moved(tag, client_isn), from_lower);
        found.filter(|&place| self.entry(place).facts.client_isn == client_isn)
    }

    /// The handle of an empty entry for this tag, or of the entry that gives way for it.
    fn oldest(&self, tag: u64) -> Place {
        let at = self.set_of(tag);
        Place::new(at, self.sets[at].oldest())
    }

    fn set_of(&self, tag: u64) -> usize {
        hash::set_of(tag, self.sets.length())
    }
}

/// The tag of an attempt that moved aside when its ports were reused.
fn moved(tag: u64, client_isn: u32) -> u64 {
    hash::with_number(tag, client_isn).max(1)
}

#[cfg(test)]
mod tests;
