//! A set of eight slots, in two cache lines: tag and word of four in each.
//!
//! A slot's **tag** identifies its source: the keyed hash of the source, or [`EMPTY`]. Its **word** holds
//! everything else that changes with an attempt, so that one store changes it all:
//!
//! ```text
//!   63 62        47 46           17 16          4 3    0
//!  ┌───┬────────────┬───────────────┬─────────────┬──────┐
//!  │ F │  priority  │  last second  │    count    │ gen  │
//!  └───┴────────────┴───────────────┴─────────────┴──────┘
//! ```
//!
//! - *gen*, 1 to 15: the number of the claim. It advances with each claim; ring entries contain it too.
//! - *F*: the source has, or may have, an episode (see `count`).
//! - *count*: attempts since the claim. From twice the ring's length it falls back to once the length,
//!   because only the next position and the number of entries matter.
//! - *priority*: attempts plus the inherited priority. The slot with the lowest one gives way, flagged ones
//!   last, so these two are the highest bits.
//! - *last second*: the time of the last attempt, in seconds of the clock's ticks.

use crate::base::sync::{AtomicU64, Ordering};

/// Slots of a set: as many as have their fingerprints in one word.
#[cfg(not(loom))]
pub(super) const WAYS: usize = 8;
/// Two under loom, which tries every order of a model's steps: each further slot multiplies them.
#[cfg(loom)]
pub(super) const WAYS: usize = 2;

/// The tag of a slot that is unclaimed, or whose claim is in progress.
pub(super) const EMPTY: u64 = 0;

/// Eight slots.
#[derive(Debug)]
#[cfg_attr(loom, derive(Default))]
#[cfg_attr(not(loom), derive(zerocopy::FromZeros, zerocopy::KnownLayout))]
#[repr(C, align(64))]
pub(super) struct Set {
    pub(super) slots: [Cells; WAYS],
}

/// The tag and the word of a slot: what most attempts need of a set is in one cache line.
#[derive(Debug)]
#[cfg_attr(loom, derive(Default))]
#[cfg_attr(not(loom), derive(zerocopy::FromZeros, zerocopy::KnownLayout))]
#[repr(C)]
pub(super) struct Cells {
    /// Written by the recording thread, read by any. `Release` when the claim is done: it publishes the word
    /// of the claim. Partners: the `Acquire` in [`Set::has`] and in `Table::looks`.
    pub(super) tag: AtomicU64,
    /// Written by the recording thread, read by any: see [`publish`].
    pub(super) word: AtomicU64,
}

impl Set {
    /// Whether this slot is that of the source with this tag.
    #[inline]
    pub(super) fn has(&self, way: usize, tag: u64) -> bool {
        self.slots[way].tag.load(Ordering::Acquire) == tag
    }
}

/// Stores a slot's word. `Release`: it publishes the entries that the word counts, and at a claim that the
/// tag is cleared. Partners: the `Acquire` loads in `Table::find`, `Table::look_at` and `Table::last`.
#[inline]
pub(super) fn publish(cell: &AtomicU64, word: Word) {
    cell.store(word.0, Ordering::Release);
}

/// The value of a slot's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

const GENERATION_BITS: u32 = 4;
const GENERATION: u64 = (1 << GENERATION_BITS) - 1;
const COUNT_SHIFT: u32 = GENERATION_BITS;
const COUNT_BITS: u32 = 13;
const SECOND_SHIFT: u32 = COUNT_SHIFT + COUNT_BITS;
const SECOND_BITS: u32 = 30;
const SECOND: u64 = LAST_SECOND << SECOND_SHIFT;
const PRIORITY_SHIFT: u32 = SECOND_SHIFT + SECOND_BITS;
const PRIORITY_BITS: u32 = 16;
const COUNT_ONE: u64 = 1 << COUNT_SHIFT;
const PRIORITY_ONE: u64 = 1 << PRIORITY_SHIFT;
const FLAG: u64 = 1 << (PRIORITY_SHIFT + PRIORITY_BITS);

/// The maximum priority.
pub(super) const TOP_PRIORITY: u32 = (1 << PRIORITY_BITS) - 1;

/// The last second that fits a word: some 34 years.
pub(super) const LAST_SECOND: u64 = (1 << SECOND_BITS) - 1;

/// The longest ring whose doubled length fits the count.
#[cfg(test)]
pub(super) const LONGEST_RING: u32 = 1 << (COUNT_BITS - 1);

impl Word {
    /// The value that [`Word::is_since`] compares with for this second.
    pub(super) fn of_second(second: u64) -> Self {
        // A slot that was never claimed compares as earlier than any second.
        Self((second.min(LAST_SECOND) << SECOND_SHIFT).max(1))
    }

    /// Whether its last attempt was in this second or later; false for one that was never claimed.
    #[inline]
    pub(super) fn is_since(self, second: Self) -> bool {
        self.0 & (SECOND | GENERATION) >= second.0
    }

    /// Its flag and its priority, in the order of eviction. The lower [`Word::FREE_BITS`] are zero.
    #[inline]
    pub(super) fn standing(self) -> u64 {
        self.0 & !((1 << Self::FREE_BITS) - 1)
    }

    pub(super) const FREE_BITS: u32 = PRIORITY_SHIFT;

    pub(super) fn generation(self) -> u64 {
        self.0 & GENERATION
    }

    pub(super) fn is_flagged(self) -> bool {
        self.0 & FLAG != 0
    }

    pub(super) fn with_flag(self, flag: bool) -> Self {
        Self(if flag { self.0 | FLAG } else { self.0 & !FLAG })
    }

    pub(super) fn count(self) -> u32 {
        ((self.0 >> COUNT_SHIFT) & ((1 << COUNT_BITS) - 1)) as u32
    }

    pub(super) fn priority(self) -> u32 {
        ((self.0 >> PRIORITY_SHIFT) & u64::from(TOP_PRIORITY)) as u32
    }

    pub(super) fn halved(self) -> Self {
        Self::new(self.generation(), self.count(), self.priority() / 2, self.second())
            .with_flag(self.is_flagged())
    }

    pub(super) fn second(self) -> u64 {
        (self.0 & SECOND) >> SECOND_SHIFT
    }

    /// The word after one more attempt, in a ring of this length.
    #[inline]
    pub(super) fn after_attempt(self, ring: u32, second: u64) -> Self {
        // Nearly always the two counts increase by one and the rest stays the same.
        let is_plain = self.second() == second.min(LAST_SECOND)
            && self.count() + 1 < 2 * ring
            && self.priority() < TOP_PRIORITY;
        if is_plain { Self(self.0 + PRIORITY_ONE + COUNT_ONE) } else { self.after_any_attempt(ring, second) }
    }

    fn after_any_attempt(self, ring: u32, second: u64) -> Self {
        let count = self.count() + 1;
        let count = if count == 2 * ring { ring } else { count };
        let priority = (self.priority() + 1).min(TOP_PRIORITY);
        Self::new(self.generation(), count, priority, second.max(self.second())).with_flag(self.is_flagged())
    }

    /// The word of the claim that follows this one, with no attempt recorded yet.
    pub(super) fn after_claim(self, priority: u32, second: u64) -> Self {
        let generation = self.generation() % ((1 << GENERATION_BITS) - 1) + 1;
        Self::new(generation, 0, priority.min(TOP_PRIORITY), second)
    }

    fn new(generation: u64, count: u32, priority: u32, second: u64) -> Self {
        Self(
            generation
                | u64::from(count) << COUNT_SHIFT
                | u64::from(priority) << PRIORITY_SHIFT
                | second.min(LAST_SECOND) << SECOND_SHIFT,
        )
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_two_cache_lines() {
        assert_eq!(size_of::<Set>(), 128);
        assert_eq!(align_of::<Set>(), 64);
    }

    #[test]
    fn a_word_keeps_its_parts_apart() {
        let word = Word::new(15, 8191, TOP_PRIORITY, LAST_SECOND).with_flag(true);
        assert_eq!(word.0, u64::MAX);
        let word = Word::new(3, 4095, 77, 1_000_000);
        assert_eq!(
            (word.generation(), word.is_flagged(), word.count(), word.priority(), word.second()),
            (3, false, 4095, 77, 1_000_000)
        );
        assert_eq!(word.with_flag(true).with_flag(false), word);
        assert_eq!(word.halved().priority(), 38);
    }

    #[test]
    fn a_word_tells_whether_it_is_since_a_second() {
        let most = |second| Word::new(15, 8191, TOP_PRIORITY, second).with_flag(true);
        let least = |second| Word::new(1, 0, 0, second);
        for second in [1, 2, 1000, LAST_SECOND] {
            assert!(!most(second - 1).is_since(Word::of_second(second)));
            assert!(least(second).is_since(Word::of_second(second)));
        }
        assert!(!Word(0).is_since(Word::of_second(0)));
        assert!(least(0).is_since(Word::of_second(0)));
    }

    #[test]
    fn words_stand_in_the_order_of_their_flags_and_priorities() {
        let standing = |flag, priority| Word::new(7, 99, priority, 1234).with_flag(flag).standing();
        let order =
            [(false, 0), (false, 1), (false, TOP_PRIORITY), (true, 0), (true, 1), (true, TOP_PRIORITY)];
        assert!(order.windows(2).all(|two| standing(two[0].0, two[0].1) < standing(two[1].0, two[1].1)));
        assert!(
            order
                .iter()
                .all(|(flag, priority)| standing(*flag, *priority).trailing_zeros() >= Word::FREE_BITS)
        );
    }

    #[test]
    fn the_count_falls_back_to_a_full_ring() {
        for ring in [1, 2, 59, 4095, LONGEST_RING] {
            let mut word = Word(0).after_claim(0, 0);
            for n in 1..=3 * ring {
                word = word.after_attempt(ring, 0);
                let expected = if n < ring { n } else { ring + (n - ring) % ring };
                assert_eq!(word.count(), expected, "ring {ring}, attempt {n}");
            }
        }
    }

    #[test]
    fn generations_run_from_1_to_15_and_never_touch_0() {
        let mut word = Word(0);
        for n in 0..40 {
            word = word.after_claim(0, 0);
            assert_eq!(word.generation(), n % 15 + 1);
        }
    }

    #[test]
    fn priority_and_second_stop_at_their_top() {
        let word = Word::new(1, 0, TOP_PRIORITY, LAST_SECOND).after_attempt(59, LAST_SECOND + 5);
        assert_eq!((word.priority(), word.second()), (TOP_PRIORITY, LAST_SECOND));
        assert_eq!(word.after_claim(TOP_PRIORITY + 1, 0).priority(), TOP_PRIORITY);
    }
}
