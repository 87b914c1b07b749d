//! Who comes for the first time waits at the door: a source gets a slot with its second attempt.
//!
//! A slot with its ring is hundreds of bytes, and of a flood of forged sources each comes once. So the first attempt of
//! a source is kept here, in sixteen bytes, until it comes again within the longest window; then it gets a slot, and its
//! first attempt goes there before the second one. Nothing is lost on the way. (TinyLFU has such a doorkeeper before its
//! cache: Einziger, Friedman and Manes, 2017. That one only knows that somebody was there; this one must know when.)
//!
//! ```text
//!   a set, one cache line   ┌ tags  t0 t1 t2 t3 │ entries e0 e1 e2 e3 ┐
//! ```
//!
//! In a full set the oldest attempt gives way. So a flood of sources that come once pushes out others like them, and
//! nobody who has a slot.

use super::Attempt;
use super::marks::Marks;
use super::ring::Entry;
use crate::clock::Ticks;
use crate::hash;
use crate::sync::{AtomicU64, Ordering, OutOfMemory, zeroed};

/// Places of a set: as many as fit a cache line.
const WAYS: usize = 4;

/// First attempts. One thread alone writes and reads: all is `Relaxed`.
#[derive(Debug)]
pub(super) struct Door {
    sets: Box<[Set]>,
    /// Whose attempts they are, where that is asked for.
    marks: Marks,
    /// How long a second attempt is waited for, in ticks: the longest window.
    patience: u64,
}

/// A cache line.
#[derive(Debug)]
#[cfg_attr(loom, derive(Default))]
#[cfg_attr(not(loom), derive(zerocopy::FromZeros, zerocopy::KnownLayout))]
#[repr(C, align(64))]
struct Set {
    /// Whose attempts they are; 0 where there is none.
    tags: [AtomicU64; WAYS],
    /// As in a ring, but of no generation. The time stands on top, so that the oldest is the least, and none before any.
    entries: [AtomicU64; WAYS],
}

/// What is done with an attempt of a source that has no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It waits here.
    Waits {
        /// Where: the number of the place.
        place: usize,
        /// Whether another source's attempt had to give way although it was still waited for.
        evicted: bool,
    },
    /// The source gets a slot. It made this attempt before.
    Enters(Attempt),
}

impl Door {
    /// Takes at most `memory` bytes, and has one set at least.
    pub(super) fn new(memory: usize, marks: bool, patience: u64) -> Result<Self, OutOfMemory> {
        let mark = if marks { size_of::<crate::estimate::Mark>() } else { 0 };
        let sets = (memory / (size_of::<Set>() + WAYS * mark)).max(1);
        Ok(Self { sets: zeroed(sets)?, marks: Marks::new(if marks { sets * WAYS } else { 0 })?, patience })
    }

    /// Brings the set of a source into the cache.
    #[inline]
    pub(super) fn touch(&self, tag: u64) -> u64 {
        self.sets[self.set_of(tag)].tags[0].load(Ordering::Relaxed)
    }

    /// Brings the set of a place into the cache.
    #[inline]
    pub(super) fn touch_place(&self, place: usize) -> u64 {
        self.sets.get(place / WAYS).map_or(0, |set| set.entries[place % WAYS].load(Ordering::Relaxed))
    }

    /// Keeps the first attempt of a source, or lets the source in at its second one.
    #[inline]
    pub(super) fn admit(&self, tag: u64, attempt: &Attempt) -> Admitted {
        let at = self.set_of(tag);
        let set = &self.sets[at];
        let way = match set.find(tag) {
            Some(way) => {
                if self.is_waited_for(set.entry(way), attempt.time) {
                    return Admitted::Enters(self.take(at, way));
                }
                way
            }
            None => set.oldest(),
        };
        let evicted = self.is_waited_for(set.entry(way), attempt.time) && set.tag(way) != tag;
        self.put(at, way, tag, attempt);
        Admitted::Waits { place: at * WAYS + way, evicted }
    }

    /// Notes what became of the first attempt of a source, if it is kept as `before`, and says whether it is.
    pub(super) fn settle(&self, tag: u64, before: &Attempt, after: &Attempt) -> bool {
        let at = self.set_of(tag);
        self.sets[at].find(tag).is_some_and(|way| self.settle_at(at * WAYS + way, before, after))
    }

    /// The same of the attempt at this place, whosever it is: of two at one tick to one port, one is as good as the other.
    #[inline]
    pub(super) fn settle_at(&self, place: usize, before: &Attempt, after: &Attempt) -> bool {
        let Some(set) = self.sets.get(place / WAYS) else { return false };
        let cell = &set.entries[place % WAYS];
        let is_there = cell.load(Ordering::Relaxed) == Entry::of_attempt(before, 0).0;
        if is_there {
            cell.store(Entry::of_attempt(after, 0).0, Ordering::Relaxed);
        }
        is_there
    }

    /// The attempt that a source waits with, which waits no more.
    pub(super) fn let_in(&self, tag: u64) -> Option<Attempt> {
        let at = self.set_of(tag);
        let way = self.sets[at].find(tag)?;
        Some(self.take(at, way))
    }

    fn take(&self, at: usize, way: usize) -> Attempt {
        let attempt = self.attempt(at, way, self.sets[at].entry(way));
        self.sets[at].put(way, 0, Entry::NONE);
        attempt
    }

    /// Takes over what another one holds, and gives how many found no room.
    pub(super) fn take_over(&self, old: &Self, now: Ticks) -> u64 {
        let mut lost = 0;
        for (at, way, set) in old.places() {
            let entry = set.entry(way);
            if old.is_waited_for(entry, now) {
                let (tag, to) = (set.tag(way), self.set_of(set.tag(way)));
                let room = self.sets[to].oldest();
                let held = self.sets[to].entry(room);
                lost += u64::from(held != Entry::NONE);
                if held.0 < entry.0 {
                    self.put(to, room, tag, &old.attempt(at, way, entry));
                }
            }
        }
        lost
    }

    /// Moves all times back by so many ticks; what is older is forgotten.
    pub(super) fn move_back(&self, ticks: u64) {
        for (_, way, set) in self.places() {
            // Memory that was never written is only read.
            if set.tag(way) != 0 {
                let moved = set.entry(way).moved_back(ticks);
                set.put(way, if moved == Entry::NONE { 0 } else { set.tag(way) }, moved);
            }
        }
    }

    fn places(&self) -> impl Iterator<Item = (usize, usize, &Set)> {
        self.sets.iter().enumerate().flat_map(|(at, set)| (0..WAYS).map(move |way| (at, way, set)))
    }

    /// Whether an attempt still waits for the next one of its source at this time.
    fn is_waited_for(&self, entry: Entry, now: Ticks) -> bool {
        entry != Entry::NONE && now.since(entry.time()) <= self.patience
    }

    fn attempt(&self, at: usize, way: usize, entry: Entry) -> Attempt {
        let mark = self.marks.get(at * WAYS + way);
        Attempt { time: entry.time(), port: entry.port(), code: entry.code(), mark }
    }

    fn put(&self, at: usize, way: usize, tag: u64, attempt: &Attempt) {
        self.sets[at].put(way, tag, Entry::of_attempt(attempt, 0));
        self.marks.set(at * WAYS + way, attempt.mark);
    }

    fn set_of(&self, tag: u64) -> usize {
        hash::set_of(tag, self.sets.len())
    }
}

impl Set {
    fn tag(&self, way: usize) -> u64 {
        self.tags[way].load(Ordering::Relaxed)
    }

    fn entry(&self, way: usize) -> Entry {
        Entry(self.entries[way].load(Ordering::Relaxed))
    }

    fn find(&self, tag: u64) -> Option<usize> {
        (0..WAYS).find(|way| self.tag(*way) == tag)
    }

    /// An empty place, or that of the oldest attempt.
    fn oldest(&self) -> usize {
        // The lowest bits of an entry are its generation, and here none: so each can carry its place, and the least one
        // tells it without a branch, which would be guessed wrong as often as not.
        let placed = |way: usize| self.entry(way).0 | way as u64;
        (0..WAYS).fold(u64::MAX, |oldest, way| oldest.min(placed(way))) as usize % WAYS
    }

    fn put(&self, way: usize, tag: u64, entry: Entry) {
        self.tags[way].store(tag, Ordering::Relaxed);
        self.entries[way].store(entry.0, Ordering::Relaxed);
    }
}
