//! What was seen of a set when it was touched, for the one who records there soon after.

use super::slot::{Set, Word};
use crate::sync::Ordering;

/// In which place of its set a tag was found, or which slot would give way for it. Either may have changed since.
///
/// ```text
///   7     4 3       2    0
///  ┌───────┬─────────┬─────┐
///  │  gen  │ to give │ way │   found: 0 0 way; 1 0 0: neither is known
///  └───────┴─────────┴─────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint(u8);

impl Default for Hint {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl Hint {
    pub(super) const UNKNOWN: Self = Self(1 << 4);
    const TO_GIVE: u8 = 1 << 3;

    #[expect(clippy::cast_possible_truncation, reason = "a set has eight places, generations are four bits")]
    pub(super) fn found(way: usize) -> Self {
        Self(way as u8)
    }

    #[expect(clippy::cast_possible_truncation, reason = "as above")]
    pub(super) fn to_give(way: usize, word: Word) -> Self {
        Self((word.generation() as u8) << 4 | Self::TO_GIVE | way as u8)
    }

    fn way(self) -> usize {
        usize::from(self.0 & (Self::TO_GIVE - 1))
    }

    /// The place, if the tag is still there.
    #[inline]
    pub(super) fn place(self, set: &Set, tag: u64) -> Option<usize> {
        let is_there = self.0 < Self::TO_GIVE && set.tags.get(self.way())?.load(Ordering::Acquire) == tag;
        is_there.then(|| self.way())
    }

    /// The slot that gives way, if nobody has claimed it since.
    #[inline]
    pub(super) fn room(self, set: &Set) -> Option<usize> {
        let word = Word(set.words.get(self.way())?.load(Ordering::Relaxed));
        (self.0 & Self::TO_GIVE != 0 && Self::to_give(self.way(), word) == self).then(|| self.way())
    }
}
