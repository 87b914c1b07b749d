//! What was seen of a set when it was brought into the cache, for the one who records there soon after.

use super::slot::Set;
use crate::sync::Ordering;

/// In which place of its set a tag was found, or that it was not. It may have gone since, or come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint(u8);

impl Default for Hint {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

// No set has that many places.
impl Hint {
    const UNKNOWN: Self = Self(u8::MAX);
    /// The tag does not stand in its set.
    pub(super) const ABSENT: Self = Self(u8::MAX - 1);
    /// The tag may stand in its set, which is to be looked at.
    pub(super) const IN_SET: Self = Self(u8::MAX - 2);

    /// The tag stands at this place.
    #[inline]
    pub(super) fn found(way: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a set has eight places")]
        Self(way as u8)
    }

    /// The place, if the tag is still there.
    #[inline]
    pub(super) fn place(self, set: &Set, tag: u64) -> Option<usize> {
        let way = usize::from(self.0);
        let is_there = set.tags.get(way)?.load(Ordering::Acquire) == tag;
        is_there.then_some(way)
    }
}
