//! The doorkeeper holds the first attempt of each source. A source gets a slot with its second attempt.
//!
//! A slot with its ring takes hundreds of bytes, and in a flood of forged sources each one comes once. So the
//! doorkeeper keeps the first attempt of a source, in sixteen bytes, until the source comes again within the
//! longest window. Then the source gets a slot, and its first attempt moves there before the second one is
//! added. Nothing is lost on the way. (TinyLFU has such a doorkeeper in front of its cache: Einziger,
//! Friedman and Manes, 2017. That one only stores that a source was there; this one must store the time.)
//!
//! ```text
//!   a set, one cache line   ┌ tags  t0 t1 t2 t3 │ entries e0 e1 e2 e3 ┐
//! ```
//!
//! In a full set the oldest attempt gives way. So a flood of one-off sources evicts other one-off sources,
//! but no source with a slot. While all four are within their time it is the newest one once in sixteen
//! times, at random: otherwise five sources that come by turns would evict each other forever. (Bimodal
//! insertion: Qureshi et al., 2007.)

use prefetch_index::prefetch_index;

use super::Attempt;
use super::marks::Marks;
use super::ring::Entry;
use crate::base::hash;
use crate::base::sync::{AtomicU64, Ordering, OutOfMemory, zeroed};
use crate::engine::clock::Ticks;

/// Entries of a set: as many as fit a cache line.
const WAYS: usize = 4;

/// First attempts. One thread alone writes and reads: all is `Relaxed`.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    /// The sets, from the first whole cache line on. Memory for a type with the alignment of a cache line
    /// would be zeroed by writing to it, and so be resident from the start.
    cells: Box<[AtomicU64]>,
    /// Index of the first set.
    first: usize,
    sets: usize,
    /// Marks of the attempts' sources, if the table keeps them.
    marks: Marks,
    /// Maximum time between the first and the second attempt, in ticks: the longest window.
    patience: u64,
}

/// The cells of a set. The first half holds tags, 0 in an unused entry. The second half holds entries as in a
/// ring, but without a generation. The time is in their upper bits, so the oldest entry is the least, and an
/// unused one is less still.
#[derive(Debug, Clone, Copy)]
struct Set<'a>(&'a [AtomicU64]);

/// Cells of a set.
const CELLS: usize = 2 * WAYS;
/// Bytes of a cache line, which is a set.
const LINE: usize = CELLS * size_of::<u64>();

/// The result for an attempt of a source without a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// The doorkeeper keeps it.
    Waits {
        /// Index of its entry.
        place: usize,
        /// Whether this evicted another source's attempt within its time.
        evicted: bool,
    },
    /// The source gets a slot. This is its first attempt.
    Enters(Attempt),
}

impl Doorkeeper {
    /// Makes a doorkeeper of at most `memory` bytes, with at least one set.
    pub(super) fn new(memory: usize, marks: bool, patience: u64) -> Result<Self, OutOfMemory> {
        let mark = if marks { size_of::<crate::base::hyperloglog::Mark>() } else { 0 };
        let sets = (memory / (LINE + WAYS * mark)).max(1);
        // One set more, so that the number of whole cache lines is right wherever the memory begins.
        let cells: Box<[AtomicU64]> = zeroed((sets + 1) * CELLS)?;
        let first = cells.as_ptr().align_offset(LINE).min(CELLS);
        Ok(Self { cells, first, sets, marks: Marks::new(if marks { sets * WAYS } else { 0 })?, patience })
    }

    /// The bytes that it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let marks = if self.marks.are_kept() {
            self.sets * WAYS * size_of::<crate::base::hyperloglog::Mark>()
        } else {
            0
        };
        size_of_val(&*self.cells) + marks
    }

    /// Prefetches a set.
    #[inline]
    pub(super) fn prefetch(&self, set: usize) {
        prefetch_index(&self.cells, self.first + set * CELLS);
    }

    /// Prefetches the set of an entry.
    #[inline]
    pub(super) fn prefetch_place(&self, place: usize) {
        self.prefetch(place / WAYS);
    }

    /// Keeps the first attempt of a source, or admits the source at its second one.
    #[inline]
    pub(super) fn admit(&self, tag: u64, attempt: &Attempt) -> Admission {
        let at = self.set_of(tag);
        let set = self.set(at);
        let way = match set.find(tag) {
            Some(way) => {
                if self.is_waited_for(set.entry(way), attempt.time) {
                    return Admission::Enters(self.take(at, way));
                }
                way
            }
            None => self.to_replace(set, tag, attempt.time),
        };
        let evicted = self.is_waited_for(set.entry(way), attempt.time) && set.tag(way) != tag;
        self.put(at, way, tag, attempt);
        Admission::Waits { place: at * WAYS + way, evicted }
    }

    /// The attempt within its time that gives way when this source's first one comes now, with its tag.
    pub(super) fn displaced_by(&self, tag: u64, now: Ticks) -> Option<(u64, Attempt)> {
        let at = self.set_of(tag);
        let set = self.set(at);
        if set.find(tag).is_some() {
            return None;
        }
        let way = self.to_replace(set, tag, now);
        let entry = set.entry(way);
        self.is_waited_for(entry, now).then(|| (set.tag(way), self.attempt(at, way, entry)))
    }

    /// Stores the outcome of a source's first attempt, if the entry still equals `before`. Returns whether it
    /// does.
    pub(super) fn resolve(&self, tag: u64, before: &Attempt, after: &Attempt) -> bool {
        let at = self.set_of(tag);
        self.set(at).find(tag).is_some_and(|way| self.resolve_at(at * WAYS + way, before, after))
    }

    /// The same for the entry at this index, whatever its source. Two attempts at one tick to one port are
    /// interchangeable.
    #[inline]
    pub(super) fn resolve_at(&self, place: usize, before: &Attempt, after: &Attempt) -> bool {
        let (at, way) = (place / WAYS, place % WAYS);
        let is_there = at < self.sets && self.set(at).entry(way) == Entry::of_attempt(before, 0);
        if is_there {
            self.set(at).put_entry(way, Entry::of_attempt(after, 0));
        }
        is_there
    }

    /// Removes and returns the attempt of a source.
    pub(super) fn let_in(&self, tag: u64) -> Option<Attempt> {
        let at = self.set_of(tag);
        let way = self.set(at).find(tag)?;
        Some(self.take(at, way))
    }

    /// Removes the attempt of a source, if it has this time and port.
    pub(super) fn withdraw(&self, tag: u64, time: Ticks, port: u16) {
        let at = self.set_of(tag);
        let is_it = |way: &usize| {
            let entry = self.set(at).entry(*way);
            entry.time() == time && entry.port() == port
        };
        if let Some(way) = self.set(at).find(tag).filter(is_it) {
            self.take(at, way);
        }
    }

    /// The index of the entry that gives way for a source that has none.
    #[inline]
    fn to_replace(&self, set: Set<'_>, tag: u64, now: Ticks) -> usize {
        let oldest = set.oldest();
        if is_exception(tag, now) && self.is_waited_for(set.entry(oldest), now) {
            set.newest()
        } else {
            oldest
        }
    }

    fn take(&self, at: usize, way: usize) -> Attempt {
        let attempt = self.attempt(at, way, self.set(at).entry(way));
        self.set(at).put(way, 0, Entry::NONE);
        attempt
    }

    /// Clears the doorkeeper.
    pub(super) fn clear(&self) {
        super::clear(self.cells.iter());
    }

    #[inline]
    fn set(&self, at: usize) -> Set<'_> {
        let first = self.first + at * CELLS;
        Set(&self.cells[first..first + CELLS])
    }

    /// Whether the second attempt of an entry's source would still be in time now.
    fn is_waited_for(&self, entry: Entry, now: Ticks) -> bool {
        entry != Entry::NONE && now.since(entry.time()) <= self.patience
    }

    fn attempt(&self, at: usize, way: usize, entry: Entry) -> Attempt {
        let mark = self.marks.get(at * WAYS + way);
        Attempt { time: entry.time(), port: entry.port(), code: entry.code(), mark }
    }

    fn put(&self, at: usize, way: usize, tag: u64, attempt: &Attempt) {
        self.set(at).put(way, tag, Entry::of_attempt(attempt, 0));
        self.marks.set(at * WAYS + way, attempt.mark);
    }

    /// The set of a source.
    #[inline]
    pub(super) fn set_of(&self, tag: u64) -> usize {
        hash::set_of(tag, self.sets)
    }
}

/// One time in sixteen, for a source at a time: without the key of the tags it cannot be told when.
#[inline]
fn is_exception(tag: u64, time: Ticks) -> bool {
    // Any odd number that spreads (Knuth's golden ratio): times that differ by a whole second must not agree.
    (tag ^ time.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60 == 0
}

impl Set<'_> {
    fn tag(self, way: usize) -> u64 {
        self.0[way].load(Ordering::Relaxed)
    }

    fn entry(self, way: usize) -> Entry {
        Entry(self.0[WAYS + way].load(Ordering::Relaxed))
    }

    fn find(self, tag: u64) -> Option<usize> {
        (0..WAYS).find(|way| self.tag(*way) == tag)
    }

    /// The index of an unused entry, or of the oldest attempt.
    fn oldest(self) -> usize {
        (0..WAYS).fold(u64::MAX, |oldest, way| oldest.min(self.placed(way))) as usize % WAYS
    }

    /// The index of the newest attempt.
    fn newest(self) -> usize {
        (0..WAYS).fold(0, |newest, way| newest.max(self.placed(way))) as usize % WAYS
    }

    /// An entry for comparison. Its lowest bits are a generation, which is unused here. They carry the index, so
    /// a minimum yields it without a branch, whose prediction would fail half of the time.
    fn placed(self, way: usize) -> u64 {
        self.entry(way).0 | way as u64
    }

    fn put(self, way: usize, tag: u64, entry: Entry) {
        self.0[way].store(tag, Ordering::Relaxed);
        self.put_entry(way, entry);
    }

    fn put_entry(self, way: usize, entry: Entry) {
        self.0[WAYS + way].store(entry.0, Ordering::Relaxed);
    }
}
