//! What was seen of a set when it was touched, for the one who records there soon after.

use super::slot::Set;
use crate::sync::Ordering;

/// In which place of its set a tag was found, or that it was not. It may have gone since, or come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    way: u8,
    /// The entry that is wanted next, an index into the rings: the one that will be written, or the newest. Where the tag
    /// was not found, its set at the door.
    pub(super) entry: u32,
}

impl Default for Hint {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl Hint {
    /// No set has that many places.
    const UNKNOWN: Self = Self { way: u8::MAX, entry: 0 };
    const ABSENT: u8 = u8::MAX - 1;

    /// The tag was not there, and belongs to this set at the door.
    #[inline]
    pub(super) fn absent(at_the_door: usize) -> Self {
        Self { way: Self::ABSENT, entry: u32::try_from(at_the_door).unwrap_or_default() }
    }

    /// The tag stands at this place, and this entry is wanted next. Beyond the first 32 GiB of rings no entry is brought
    /// in beforehand.
    #[inline]
    pub(super) fn found(way: usize, entry: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a set has eight places")]
        Self { way: way as u8, entry: u32::try_from(entry).unwrap_or_default() }
    }

    /// Whether the tag was found not to be there.
    #[inline]
    pub(super) fn is_absent(self) -> bool {
        self.way == Self::ABSENT
    }

    /// The place, if the tag is still there.
    #[inline]
    pub(super) fn place(self, set: &Set, tag: u64) -> Option<usize> {
        let way = usize::from(self.way);
        let is_there = set.tags.get(way)?.load(Ordering::Acquire) == tag;
        is_there.then_some(way)
    }
}
