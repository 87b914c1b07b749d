//! Chooses the slot that gives way in a full set.
//!
//! An empty slot is taken first, then an idle one, then the one with the lowest priority. Ties are broken at
//! random. Within the idle ones and within the others, a source with an episode gives way last: an episode
//! may outlast the windows, and its attempts are counted through its slot. The new source inherits the
//! priority of the evicted one, and each attempt adds one (the Space-Saving algorithm of Metwally, Agrawal
//! and El Abbadi, within a set). So returning hosts rise above one-off sources, even if each of these sends
//! twice. The priorities of a set are halved before they reach their maximum, so that the difference survives
//! a flood of any length.
//!
//! A claim has three steps. First the tag is cleared, so that no reader finds the slot. Then the word moves
//! to the next generation, so that a reader that found the slot before does not take the entries of the next
//! owner for those of the last one. Finally the tag is set to that of the new source.

use super::Claim;
use super::slot::{Cells, EMPTY, Set, TOP_PRIORITY, WAYS, Word, publish};
use crate::base::sync::Ordering;

/// Claims this slot for a source without a slot.
pub(super) fn claim(set: &Set, way: usize, tag: u64, second: u64, idle_after: u64) -> Claim {
    let old = set.slots[way].tag.load(Ordering::Relaxed);
    let word = Word(set.slots[way].word.load(Ordering::Relaxed));
    let (claimed, how) = next_claim(old, word, second, idle_after);
    exchange(set, way, tag, claimed);
    if word.priority() > TOP_PRIORITY / 2 {
        halve(set);
    }
    how
}

/// Claims a free slot for a source that came last in this second.
pub(super) fn take(set: &Set, way: usize, tag: u64, second: u64) {
    let word = Word(set.slots[way].word.load(Ordering::Relaxed));
    exchange(set, way, tag, word.after_claim(0, second));
}

/// Gives a slot to another source, with the word of the new claim.
fn exchange(set: &Set, way: usize, tag: u64, claimed: Word) {
    // The word publishes it. Partners: the `Acquire` of the word in `Table::find` and `Table::look_at`.
    set.slots[way].tag.store(EMPTY, Ordering::Relaxed);
    publish(&set.slots[way].word, claimed);
    // Publishes the word of this claim. Partners: the `Acquire` in `Set::has` and in `Table::looks`.
    set.slots[way].tag.store(tag, Ordering::Release);
}

/// The word of the next claim, and how the slot was obtained.
fn next_claim(tag: u64, word: Word, second: u64, idle_after: u64) -> (Word, Claim) {
    if tag == EMPTY || is_idle(word, second, idle_after) {
        (word.after_claim(0, second), Claim::Free)
    } else {
        (word.after_claim(word.priority(), second), Claim::Evicted)
    }
}

/// The slot that gives way: the one with the lowest rank.
pub(super) fn choose(set: &Set, second: u64, idle_after: u64, ties: &mut Ties) -> usize {
    let (random, live_from) = (ties.next(), Word::of_second(second.saturating_sub(idle_after)));
    let mut lowest = u64::MAX;
    for way in 0..WAYS {
        let word = Word(set.slots[way].word.load(Ordering::Relaxed));
        lowest = lowest.min(rank(word, way, random, live_from));
    }
    (lowest & WAY) as usize
}

/// A slot that is empty, or idle.
pub(super) fn free(set: &Set, second: u64, idle_after: u64) -> Option<usize> {
    (0..WAYS).find(|way| {
        let word = Word(set.slots[*way].word.load(Ordering::Relaxed));
        set.slots[*way].tag.load(Ordering::Relaxed) == EMPTY || is_idle(word, second, idle_after)
    })
}

const WAY: u64 = 0b111;
const TIE_SHIFT: u32 = 3;
const CLAIMED: u64 = 1 << 11;
const FLAGGED: u64 = 1 << 12;
const LIVE: u64 = 1 << 13;

/// Order of eviction, the lowest first: never claimed, idle, live. Slots without a flag come before those
/// with one. Live ones are ordered by priority, then at random. Free slots are taken in order.
/// ```text
///          63 62      47          13      12        11       10   3 2   0
///         ┌──┬──────────┬───────┬──────┬─────────┬─────────┬───────┬─────┐
///   live  │F │ priority │       │  1   │         │         │  tie  │ way │
///   else  │  │          │       │  0   │  flag   │ claimed │       │ way │
///         └──┴──────────┴───────┴──────┴─────────┴─────────┴───────┴─────┘
/// ```
#[inline]
fn rank(word: Word, way: usize, random: u64, live_from: Word) -> u64 {
    let way = way as u64;
    if word.is_since(live_from) {
        let tie = (random >> (8 * way) & 0xff) << TIE_SHIFT;
        return word.standing() | LIVE | tie | way;
    }
    let claimed = if word == Word(0) { 0 } else { CLAIMED };
    let flagged = if word.is_flagged() { FLAGGED } else { 0 };
    flagged | claimed | way
}

pub(super) fn is_idle(word: Word, second: u64, idle_after: u64) -> bool {
    second.saturating_sub(word.second()) > idle_after
}

fn halve(set: &Set) {
    for Cells { word, .. } in &set.slots {
        publish(word, Word(word.load(Ordering::Relaxed)).halved());
    }
}

/// Breaks ties at random: xorshift64 (Marsaglia 2003). It needs to be cheap and even, not secret.
#[derive(Debug, Clone)]
pub struct Ties(u64);

impl Ties {
    /// Makes a sequence for this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next 64 bits.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
