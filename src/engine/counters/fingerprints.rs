//! An 8-bit fingerprint of each slot's tag, eight to a word. It answers most look-ups of sources without a
//! slot, so that the tags are not read.
//!
//! The tags of a set take a cache line. In a flood of forged sources that line has left the cache by the next
//! unsuccessful look-up. All fingerprints together take an eighth of that, and stay in the cache. (Cuckoo
//! filters use fingerprints in the same way: Fan, Andersen, Kaminsky and Mitzenmacher, 2014.)

use super::slot::WAYS;
use crate::base::sync::{AtomicU64, Ordering, OutOfMemory, zeroed};

/// Bytes per set.
pub(super) const EACH: usize = size_of::<AtomicU64>();

/// The fingerprints of all sets, or none. One thread alone writes and reads: all is `Relaxed`.
#[derive(Debug)]
pub(super) struct Fingerprints(Box<[AtomicU64]>);

impl Fingerprints {
    /// Makes the fingerprints of empty slots.
    pub(super) fn new(sets: usize) -> Result<Self, OutOfMemory> {
        Ok(Self(zeroed(sets)?))
    }

    /// Whether a slot of this set may have this tag. If false, no slot has it. One unsuccessful look-up in
    /// thirty is true, because one of the eight slots has the same fingerprint. Without fingerprints the
    /// result is always true.
    #[inline]
    pub(super) fn may_have(&self, set: usize, tag: u64) -> bool {
        self.0.get(set).is_none_or(|word| has_byte(word.load(Ordering::Relaxed), of(tag)))
    }

    /// Resets all fingerprints to those of empty slots.
    pub(super) fn clear(&self) {
        super::clear(self.0.iter());
    }

    /// Stores the fingerprint of a slot that gets this tag.
    pub(super) fn set(&self, set: usize, way: usize, tag: u64) {
        const { assert!(WAYS <= EACH, "a byte for each slot") };
        if let Some(word) = self.0.get(set) {
            let mut bytes = word.load(Ordering::Relaxed).to_le_bytes();
            bytes[way] = of(tag);
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
    }
}

/// The lowest bits of the tag, because the upper ones choose the set. 0 means an empty slot.
#[inline]
fn of(tag: u64) -> u8 {
    let [lowest, ..] = tag.to_le_bytes();
    lowest.max(1)
}

/// Whether one of its eight bytes equals this one. It tests for a zero byte in the difference, without a
/// branch (Warren, Hacker's Delight, 6-1).
#[inline]
fn has_byte(word: u64, byte: u8) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let difference = word ^ (ONES * u64::from(byte));
    difference.wrapping_sub(ONES) & !difference & TOPS != 0
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_byte_is_found_where_it_is(bytes: [u8; 8], byte: u8, few in 0..4u8) {
            for (bytes, byte) in [(bytes, byte), (bytes.map(|byte| byte % 4), few)] {
                prop_assert_eq!(has_byte(u64::from_le_bytes(bytes), byte), bytes.contains(&byte));
            }
        }

        #[test]
        fn who_has_a_slot_may_have_one_and_who_has_another_fingerprint_has_none(
            claims in proptest::collection::vec((0..3usize, 0..WAYS, any::<u64>()), 0..60),
            others: [u64; 8],
        ) {
            let fingerprints = Fingerprints::new(3).unwrap();
            let mut tags = [[None; WAYS]; 3];
            for (set, way, tag) in claims {
                fingerprints.set(set, way, tag);
                tags[set][way] = Some(tag);
            }
            for (set, tags) in tags.iter().enumerate() {
                let held = || tags.iter().flatten();
                for tag in held() {
                    prop_assert!(fingerprints.may_have(set, *tag));
                }
                for other in others {
                    prop_assert_eq!(fingerprints.may_have(set, other), held().any(|tag| of(*tag) == of(other)));
                }
            }
        }
    }

    #[test]
    fn where_none_are_kept_any_may_be_there() {
        assert!(Fingerprints::new(0).unwrap().may_have(0, 7));
    }
}
