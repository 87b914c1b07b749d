//! Marks of the sources of a ring's attempts, where many sources share a slot: one beside each entry.
//!
//! A mark is 16 bits of the hash of an attempt's source, as [`HyperLogLog`](crate::base::hyperloglog::HyperLogLog)
//! takes them. It is not part of the entry, which is full.

use prefetch_index::prefetch_index;

use crate::base::hyperloglog::Mark;
use crate::base::sync::{AtomicU16, Ordering, OutOfMemory, zeroed};

/// The marks of all rings; empty where no limit needs them.
#[derive(Debug)]
pub(super) struct Marks {
    /// Written and read by the recording thread. `Relaxed`: a mark publishes nothing.
    marks: Box<[AtomicU16]>,
}

impl Marks {
    pub(super) fn new(entries: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { marks: zeroed(entries)? })
    }

    /// Sets the mark beside an entry.
    #[inline]
    pub(super) fn set(&self, entry: usize, mark: Mark) {
        if let Some(cell) = self.marks.get(entry) {
            cell.store(mark.0, Ordering::Relaxed);
        }
    }

    /// Prefetches the mark beside an entry, if marks are kept.
    #[inline]
    pub(super) fn prefetch(&self, entry: usize) {
        if self.are_kept() {
            prefetch_index(&self.marks, entry);
        }
    }

    /// The mark beside an entry.
    pub(super) fn get(&self, entry: usize) -> Mark {
        self.marks.get(entry).map_or(Mark::default(), |cell| Mark(cell.load(Ordering::Relaxed)))
    }

    /// Whether they are kept.
    pub(super) fn are_kept(&self) -> bool {
        !self.marks.is_empty()
    }
}
