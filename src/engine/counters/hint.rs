//! What the prefetch of a slot found, for the recording that follows soon.

use super::slot::{Set, WAYS};

/// The index of a tag in its set and whether the slot was flagged, or that the tag was absent. The tag may
/// have been evicted or added since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint(u8);

impl Default for Hint {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl Hint {
    /// The bits of the index. The other hints have 14 or 15 here, which is not an index of any set.
    const PLACE: u8 = 0x0f;
    const FLAGGED: u8 = 0x10;
    const CANDIDATE: u8 = 0x20;
    const UNKNOWN: Self = Self(u8::MAX);
    /// The tag is not in its set.
    pub(super) const ABSENT: Self = Self(u8::MAX - 1);

    /// The slot at this index may have the tag.
    #[inline]
    pub(super) fn candidate(way: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a set has eight places")]
        Self(way as u8 | Self::CANDIDATE)
    }

    #[inline]
    pub(super) fn is_candidate(self) -> bool {
        self.0 & !Self::PLACE == Self::CANDIDATE
    }

    /// The tag is at this index.
    #[inline]
    pub(super) fn found(way: usize, is_flagged: bool) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a set has eight places")]
        Self(way as u8 | if is_flagged { Self::FLAGGED } else { 0 })
    }

    /// Whether the tag was found, and its slot flagged.
    #[must_use]
    #[inline]
    pub fn is_flagged(self) -> bool {
        self.0 & !Self::PLACE == Self::FLAGGED
    }

    /// The index, if the tag is still there.
    #[inline]
    pub(super) fn place(self, set: &Set, tag: u64) -> Option<usize> {
        let way = usize::from(self.0 & Self::PLACE);
        (way < WAYS && set.has(way, tag)).then_some(way)
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::base::sync::Ordering;

    #[test]
    fn a_hint_tells_the_place_while_the_tag_is_there_and_whether_it_was_flagged() {
        let set = Set::new_zeroed();
        for way in 0..WAYS {
            set.slots[way].tag.store(7 + way as u64, Ordering::Relaxed);
        }
        for way in 0..WAYS {
            for is_flagged in [false, true] {
                let hint = Hint::found(way, is_flagged);
                assert_eq!(hint.place(&set, 7 + way as u64), Some(way));
                assert_eq!(hint.place(&set, 99), None, "another one stands there");
                assert_eq!(hint.is_flagged(), is_flagged);
            }
        }
        for way in 0..WAYS {
            let hint = Hint::candidate(way);
            assert_eq!((hint.place(&set, 7 + way as u64), hint.place(&set, 99)), (Some(way), None));
            assert!(hint.is_candidate() && !hint.is_flagged() && !Hint::found(way, true).is_candidate());
        }
        for hint in [Hint::default(), Hint::ABSENT] {
            assert!((0..WAYS).all(|way| hint.place(&set, 7 + way as u64).is_none()));
            assert!(!hint.is_flagged() && !hint.is_candidate());
        }
    }
}
