//! Prefetches the memory for the next attempts, in two steps: the second step needs the result of the first.
//!
//! A prefetch does not wait. What it finds on the way is kept as a [`Hint`] for the recording.

use prefetch_index::prefetch_index;

use super::ring::position;
use super::slot::{WAYS, Word};
use super::{Hint, Table, nonzero};
use crate::base::sync::Ordering;

impl Table {
    /// The position of a source, as far as it is known without waiting. Prefetches the slot that it may have, or
    /// else its set in the doorkeeper.
    #[must_use]
    #[inline]
    pub fn prefetch(&self, tag: u64) -> Hint {
        let at = self.set_of(tag);
        let tag = nonzero(tag);
        let Some(way) = self.fingerprints.candidates(at, tag).next() else { return self.absent(at, tag) };
        prefetch_index(&self.sets[at].slots, way);
        Hint::candidate(way)
    }

    /// Prefetches for a source without a slot.
    #[inline]
    fn absent(&self, at: usize, tag: u64) -> Hint {
        match &self.doorkeeper {
            Some(doorkeeper) => doorkeeper.prefetch(doorkeeper.set_of(tag)),
            // It gets a slot at once, and all eight are compared for that.
            None => [0, WAYS / 2].into_iter().for_each(|way| prefetch_index(&self.sets[at].slots, way)),
        }
        Hint::ABSENT
    }

    /// After the first step has fetched the slot, prefetches the ring position of a source's next attempt.
    #[inline]
    pub fn prefetch_attempt(&self, tag: u64, hint: &mut Hint) {
        if let Some((at, way, count)) = self.look(tag, hint) {
            self.prefetch_entry(self.index(at, way, position(count, 0, self.ring)));
            // The newest entry, which may be at the end of the preceding cache line.
            prefetch_index(&self.rings, self.index(at, way, position(count, 1, self.ring)));
            // The entry that decides on the lowest limit.
            if count >= self.fewest && self.fewest > 0 {
                self.prefetch_entry(self.index(at, way, position(count, self.fewest, self.ring)));
            }
        }
    }

    /// The same for a source's newest attempt, because most outcome updates concern one of the latest
    /// attempts.
    #[inline]
    pub(crate) fn prefetch_newest(&self, tag: u64, hint: &mut Hint) {
        if let Some((at, way, count)) = self.look(tag, hint) {
            self.prefetch_entry(self.index(at, way, position(count, count.min(1), self.ring)));
        }
    }

    /// Searches a tag in its set, unless that was done before. Returns its set, its index and its number of
    /// attempts.
    #[inline]
    fn look(&self, tag: u64, hint: &mut Hint) -> Option<(usize, usize, u32)> {
        if !hint.is_candidate() {
            return None;
        }
        let at = self.set_of(tag);
        let tag = nonzero(tag);
        let Some(way) = hint.place(&self.sets[at], tag).or_else(|| self.way_of(at, tag)) else {
            *hint = self.absent(at, tag);
            return None;
        };
        let word = Word(self.sets[at].slots[way].word.load(Ordering::Relaxed));
        *hint = Hint::found(way, word.is_flagged());
        Some((at, way, word.count()))
    }

    #[inline]
    fn prefetch_entry(&self, entry: usize) {
        prefetch_index(&self.rings, entry);
        self.marks.prefetch(entry);
    }
}
