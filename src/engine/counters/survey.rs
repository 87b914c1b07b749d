//! A reader's view of the slots during writes: the live ones, and the number of attempts in each window.
//!
//! A [`Look`] is the tag and the word of one slot, under one claim. Each count checks it again: every entry
//! contains the generation of its claim, and another generation means that the slot was evicted. Attempts
//! that are recorded at the same time may count or not.

use super::ring::{Entry, position};
use super::slot::{EMPTY, WAYS, Word};
use super::{Slot, Table, nonzero};
use crate::base::sync::Ordering;
use crate::engine::clock::Ticks;

/// A slot under one claim, at the time of the read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The hash of its source.
    pub tag: u64,
    /// Whether it was flagged: its source has an episode, or is over a limit.
    pub is_flagged: bool,
    pub(super) slot: Slot,
    count: u32,
}

impl Table {
    /// Number of sets.
    #[must_use]
    pub fn sets(&self) -> usize {
        self.sets.len()
    }

    /// The slots of a set whose sources came within the longest window before now, or slightly earlier. Any
    /// thread may call it.
    pub fn looks(&self, set: usize, now: Ticks) -> impl Iterator<Item = Look> {
        let live_from = Word::of_second(now.second().saturating_sub(self.idle_after));
        let ways = 0..if set < self.sets.len() { WAYS } else { 0 };
        ways.filter_map(move |way| {
            let is_live = |word: Word| word.is_since(live_from);
            is_live(Word(self.sets[set].slots[way].word.load(Ordering::Relaxed))).then_some(())?;
            let tag = self.sets[set].slots[way].tag.load(Ordering::Acquire);
            (tag != EMPTY).then(|| self.look_at(set, way, tag))?
        })
    }

    /// The slot of a source that has one. Any thread may call it.
    #[must_use]
    pub fn look_for(&self, tag: u64) -> Option<Look> {
        let (set, tag) = (self.set_of(tag), nonzero(tag));
        let way = self.way_of(set, tag)?;
        self.look_at(set, way, tag)
    }

    /// The slot where this tag was found, if it still belongs to its source.
    fn look_at(&self, set: usize, way: usize, tag: u64) -> Option<Look> {
        let cells = &self.sets[set];
        // This load publishes the entries that the word counts. Partner: the `Release` in `slot::publish`.
        let word = Word(cells.slots[way].word.load(Ordering::Acquire));
        // The word may be of a later claim than the tag: see `Table::find`.
        let is_still_there = cells.slots[way].tag.load(Ordering::Acquire) == tag
            && Word(cells.slots[way].word.load(Ordering::Relaxed)).generation() == word.generation();
        let (slot, is_flagged, count) = (Slot::new(set, way, word), word.is_flagged(), word.count());
        is_still_there.then_some(Look { tag, is_flagged, slot, count })
    }

    /// The number of attempts within the window of a limit that ends now. `limit` is an index into the
    /// table's limits. The result is `None` if the slot was evicted since.
    ///
    /// The ring has no room for N attempts of the largest limit. It counts as N if the N-1 attempts in the
    /// ring are in the window and the slot is flagged.
    #[must_use]
    pub fn count(&self, look: &Look, limit: usize, now: Ticks) -> Option<u32> {
        let (back, window) = *self.limits.get(limit)?;
        let count = self.since(look, Ticks(now.0.saturating_sub(window)))?;
        let is_all = count == self.ring && count == back;
        Some(if is_all && look.is_flagged { count + 1 } else { count })
    }

    /// N of a limit, by its index into the table's limits.
    #[must_use]
    pub fn attempts(&self, limit: usize) -> Option<u32> {
        self.limits.get(limit).map(|(back, _)| back + 1)
    }

    /// The maximum result of [`Table::count`], as a fraction of its limit's N: at least 1 if a limit may be
    /// met.
    #[must_use]
    pub fn at_most(&self, look: &Look) -> f64 {
        let held = look.count.min(self.ring) + u32::from(look.is_flagged);
        f64::from(held) / f64::from(self.fewest + 1)
    }

    /// The attempts per second within the longest window that ends now, or since the oldest entry of the ring
    /// if that is shorter; `None` if the slot was evicted since.
    #[must_use]
    pub fn rate(&self, look: &Look, now: Ticks) -> Option<f64> {
        let from = Ticks(now.0.saturating_sub(self.longest_window()));
        let count = self.since(look, from)?;
        let mut span = self.longest_window();
        if count == self.ring {
            span = span.min(now.since(self.seen(look, count)?.time()));
        }
        // Attempts within one tick have no rate, so one tick is assumed between them.
        Some(f64::from(count) / Ticks::span(span.max(1)).as_secs_f64())
    }

    /// Number of attempts in the ring at or after this time.
    fn since(&self, look: &Look, from: Ticks) -> Option<u32> {
        let is_within = |back: u32| self.seen(look, back).map(|entry| entry.time() >= from);
        // Times fall with the distance from the newest. `near` are inside, `far` is outside.
        let (mut near, mut far) = (0, look.count.min(self.ring) + 1);
        if far > 1 && is_within(far - 1)? {
            return Some(far - 1);
        }
        while near + 1 < far {
            let middle = near.midpoint(far);
            if is_within(middle)? { near = middle } else { far = middle }
        }
        Some(near)
    }

    /// The entry that many before the next one of the look's word.
    fn seen(&self, look: &Look, back: u32) -> Option<Entry> {
        self.attempt(look.slot, position(look.count, back, self.ring))
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
