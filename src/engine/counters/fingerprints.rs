//! An 8-bit fingerprint of each slot's tag, eight to a word. It answers most look-ups of sources without a
//! slot, so that the tags are not read, and tells which slot's cache line the others need.
//!
//! In a flood of forged sources the tags of a set have left the cache by the next unsuccessful look-up. All
//! fingerprints together take a sixteenth of the sets, and stay in the cache. (Cuckoo filters use fingerprints in
//! the same way: Fan, Andersen, Kaminsky and Mitzenmacher, 2014.)

use super::slot::WAYS;
use crate::base::sync::{AtomicU64, Ordering, OutOfMemory, zeroed};

/// Bytes per set.
pub(super) const EACH: usize = size_of::<AtomicU64>();

/// The fingerprints of all sets. The recording thread writes them, any may read: all is `Relaxed`. A reader
/// that gets an old one misses a source that has come since, or finds another tag in its slot.
#[derive(Debug)]
pub(super) struct Fingerprints(Box<[AtomicU64]>);

impl Fingerprints {
    /// Makes the fingerprints of empty slots.
    pub(super) fn new(sets: usize) -> Result<Self, OutOfMemory> {
        Ok(Self(zeroed(sets)?))
    }

    /// The slots of this set that may have this tag. No other one has it. One unsuccessful look-up in thirty
    /// has a candidate, because one of the eight slots has the same fingerprint.
    #[inline]
    pub(super) fn candidates(&self, set: usize, tag: u64) -> Candidates {
        Candidates(bytes_like(self.0[set].load(Ordering::Relaxed), of(tag)))
    }

    /// Resets all fingerprints to those of empty slots.
    pub(super) fn clear(&self) {
        super::clear(self.0.iter());
    }

    /// Stores the fingerprint of a slot that gets this tag.
    pub(super) fn set(&self, set: usize, way: usize, tag: u64) {
        const { assert!(WAYS <= EACH, "a byte for each slot") };
        let word = &self.0[set];
        let mut bytes = word.load(Ordering::Relaxed).to_le_bytes();
        bytes[way] = of(tag);
        word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
    }
}

/// The lowest bits of the tag, because the upper ones choose the set. 0 means an empty slot.
#[inline]
fn of(tag: u64) -> u8 {
    let [lowest, ..] = tag.to_le_bytes();
    lowest.max(1)
}

/// The highest bit of each byte.
const TOPS: u64 = u64::from_le_bytes([1 << 7; 8]);

/// The highest bit of each of its bytes that equals this one; it may be set in bytes above such a one, too. It
/// tests for zero bytes in the difference, without a branch (Warren, Hacker's Delight, 6-1).
#[inline]
fn bytes_like(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let difference = word ^ (ONES * u64::from(byte));
    difference.wrapping_sub(ONES) & !difference & TOPS
}

/// Slots of a set, as a bit in the byte of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidates(u64);

impl Iterator for Candidates {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        // Fewer slots than bytes there are only under loom.
        let way = (self.0.trailing_zeros() / u8::BITS) as usize;
        self.0 &= self.0.wrapping_sub(1);
        (way < WAYS).then_some(way)
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_found_where_they_are(bytes: [u8; 8], byte: u8, few in 0..4u8) {
            for (bytes, byte) in [(bytes, byte), (bytes.map(|byte| byte % 4), few)] {
                let found: Vec<_> = Candidates(bytes_like(u64::from_le_bytes(bytes), byte)).collect();
                let there = |way: &usize| bytes[*way] == byte;
                prop_assert!((0..WAYS).filter(there).all(|way| found.contains(&way)));
                prop_assert_eq!(found.first().copied(), (0..WAYS).find(there));
            }
        }

        #[test]
        fn who_has_a_slot_is_a_candidate_and_who_has_another_fingerprint_has_none(
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
                let held = || tags.iter().enumerate().filter_map(|(way, tag)| tag.map(|tag| (way, tag)));
                for (way, tag) in held() {
                    prop_assert!(fingerprints.candidates(set, tag).any(|candidate| candidate == way));
                }
                for other in others {
                    let first = held().find(|(_, tag)| of(*tag) == of(other)).map(|(way, _)| way);
                    prop_assert_eq!(fingerprints.candidates(set, other).next(), first);
                }
            }
        }
    }
}
