//! What was seen of a set when it was touched, for the one who records there soon after.

use super::slot::{Set, Word};
use crate::sync::Ordering;

/// In which place of its set a tag was found, or which slot would give way for it. Either may have changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    seen: Seen,
    /// The entry that is wanted next, an index into the rings: the one that will be written, or the newest.
    pub(super) entry: u32,
}

/// What was seen, in a byte.
///
/// ```text
///   7     4 3       2    0
///  ┌───────┬─────────┬─────┐
///  │  gen  │ to give │ way │   found: 0 0 way; 1 0 0: neither is known
///  └───────┴─────────┴─────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen(u8);

impl Default for Hint {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl Hint {
    pub(super) const UNKNOWN: Self = Self { seen: Seen::NOTHING, entry: 0 };

    /// The tag stands at this place, and this entry is wanted next.
    pub(super) fn found(way: usize, entry: usize) -> Self {
        Self { seen: Seen::found(way), entry: index(entry) }
    }

    /// This slot will give way, and the first entry goes there.
    pub(super) fn to_give(way: usize, word: Word, entry: usize) -> Self {
        Self { seen: Seen::to_give(way, word), entry: index(entry) }
    }

    /// The place, if the tag is still there.
    #[inline]
    pub(super) fn place(self, set: &Set, tag: u64) -> Option<usize> {
        let Seen(seen) = self.seen;
        let way = self.seen.way();
        let is_there = seen < Seen::TO_GIVE && set.tags.get(way)?.load(Ordering::Acquire) == tag;
        is_there.then_some(way)
    }

    /// The slot that gives way, if nobody has claimed it since.
    #[inline]
    pub(super) fn room(self, set: &Set) -> Option<usize> {
        let way = self.seen.way();
        let word = Word(set.words.get(way)?.load(Ordering::Relaxed));
        (self.seen.0 & Seen::TO_GIVE != 0 && Seen::to_give(way, word) == self.seen).then_some(way)
    }
}

impl Seen {
    const NOTHING: Self = Self(1 << 4);
    const TO_GIVE: u8 = 1 << 3;

    #[expect(clippy::cast_possible_truncation, reason = "a set has eight places, generations are four bits")]
    fn found(way: usize) -> Self {
        Self(way as u8)
    }

    #[expect(clippy::cast_possible_truncation, reason = "as above")]
    fn to_give(way: usize, word: Word) -> Self {
        Self((word.generation() as u8) << 4 | Self::TO_GIVE | way as u8)
    }

    fn way(self) -> usize {
        usize::from(self.0 & (Self::TO_GIVE - 1))
    }
}

/// Beyond the first 32 GiB of rings no entry is brought in beforehand.
fn index(entry: usize) -> u32 {
    u32::try_from(entry).unwrap_or_default()
}
