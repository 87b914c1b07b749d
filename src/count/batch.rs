//! Attempts that wait to be counted together.
//!
//! One attempt alone waits for memory several times over. A batch touches the places of all its attempts first, whose
//! loads overlap, and counts them after that.

use crate::clock::Ticks;
use crate::segment::Segment;
use crate::time::Timestamp;

/// Attempts in a batch.
pub(super) const SIZE: usize = 64;

/// An attempt, or the repeat of one, that is to be counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) segment: Segment,
    pub(super) time: Timestamp,
    /// The time at the beginning of its tick.
    pub(super) floor: Timestamp,
    pub(super) ticks: Ticks,
    /// The hash of its identity.
    pub(super) identity: u64,
}

/// The batch: a fixed number of places, and for each watch the tag of each attempt's source.
#[derive(Debug)]
pub(super) struct Batch {
    pending: Vec<Pending>,
    /// A row for each watch, as long as the batch; `None` where the watch is not concerned.
    tags: Vec<Vec<Option<u64>>>,
}

impl Batch {
    pub(super) fn new(watches: usize) -> Self {
        Self { pending: Vec::with_capacity(SIZE), tags: vec![Vec::with_capacity(SIZE); watches] }
    }

    /// Adds an attempt, with its source's tag in each watch that it concerns; says whether the batch is full now.
    pub(super) fn push(&mut self, pending: Pending, tags: impl Iterator<Item = Option<u64>>) -> bool {
        self.pending.push(pending);
        for (row, tag) in self.tags.iter_mut().zip(tags) {
            row.push(tag);
        }
        self.pending.len() == SIZE
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn pending(&self, index: usize) -> Pending {
        self.pending[index]
    }

    pub(super) fn identities(&self) -> impl Iterator<Item = u64> + '_ {
        self.pending.iter().map(|pending| pending.identity)
    }

    pub(super) fn tag(&self, watch: usize, index: usize) -> Option<u64> {
        self.tags[watch][index]
    }

    /// The tags of all sources in a watch.
    pub(super) fn tags(&self, watch: usize) -> impl Iterator<Item = u64> + '_ {
        self.tags[watch].iter().copied().flatten()
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.tags.iter_mut().for_each(Vec::clear);
    }
}
