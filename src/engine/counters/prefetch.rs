//! Prefetches what the next attempts of some sources need, in two steps: the second needs what the first has fetched.
//!
//! A prefetch waits for nothing. What it sees meanwhile is kept as a [`Hint`] for the recording.

use prefetch_index::prefetch_index;

use super::ring::position;
use super::slot::Word;
use super::{Hint, Table, nonzero};
use crate::base::sync::Ordering;

impl Table {
    /// Where a source is, as far as that is known without waiting. Prefetches its set, if it may have a slot there, or
    /// else its set in the doorkeeper.
    #[must_use]
    #[inline]
    pub fn prefetch(&self, tag: u64) -> Hint {
        let at = self.set_of(tag);
        let tag = nonzero(tag);
        if !self.fingerprints.may_have(at, tag) {
            return self.absent(tag);
        }
        let set = &self.sets[at];
        prefetch_index(&set.tags, 0);
        prefetch_index(&set.words, 0);
        Hint::IN_SET
    }

    /// That a source has no slot.
    #[inline]
    fn absent(&self, tag: u64) -> Hint {
        if let Some(doorkeeper) = &self.doorkeeper {
            doorkeeper.prefetch(doorkeeper.set_of(tag));
        }
        Hint::ABSENT
    }

    /// Once that is in the cache, prefetches the place of a source's next attempt.
    #[inline]
    pub fn prefetch_attempt(&self, tag: u64, hint: &mut Hint) {
        if let Some((at, way, count)) = self.look(tag, hint) {
            self.prefetch_entry(self.index(at, way, position(count, 0, self.ring)));
            // The newest one, which may be at the end of the line before.
            prefetch_index(&self.rings, self.index(at, way, position(count, 1, self.ring)));
            // The attempt by which the least limit is judged.
            if count >= self.fewest && self.fewest > 0 {
                self.prefetch_entry(self.index(at, way, position(count, self.fewest, self.ring)));
            }
        }
    }

    /// The same of a source's newest attempt: one that something becomes known of is mostly among the latest.
    #[inline]
    pub(crate) fn prefetch_newest(&self, tag: u64, hint: &mut Hint) {
        if let Some((at, way, count)) = self.look(tag, hint) {
            self.prefetch_entry(self.index(at, way, position(count, count.min(1), self.ring)));
        }
    }

    /// Looks for a tag in its set, if that has not been done. If it is there, says in which set and at which place, and
    /// how many attempts there are.
    #[inline]
    fn look(&self, tag: u64, hint: &mut Hint) -> Option<(usize, usize, u32)> {
        if *hint != Hint::IN_SET {
            return None;
        }
        let at = self.set_of(tag);
        let tag = nonzero(tag);
        let Some(way) = self.sets[at].find(tag) else {
            *hint = self.absent(tag);
            return None;
        };
        let word = Word(self.sets[at].words[way].load(Ordering::Relaxed));
        *hint = Hint::found(way, word.is_flagged());
        Some((at, way, word.count()))
    }

    #[inline]
    fn prefetch_entry(&self, entry: usize) {
        prefetch_index(&self.rings, entry);
        self.marks.prefetch(entry);
    }
}
