//! Segments that wait to be counted together.
//!
//! One segment alone waits for memory several times over. A batch touches the places of all its segments first, whose
//! loads overlap, and counts them after that.

use crate::clock::Ticks;
use crate::segment::Segment;
use crate::table::Recorded;
use crate::time::Timestamp;

/// Segments in a batch.
pub(super) const SIZE: usize = 64;

/// A SYN that is to be counted, or another segment that tells what became of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) segment: Segment,
    pub(super) now: Now,
    /// The hash of its connection.
    pub(super) connection: u64,
}

/// A moment of capture time, as it was captured and as the tables count it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) time: Timestamp,
    /// The time at the beginning of its tick.
    pub(super) floor: Timestamp,
    pub(super) ticks: Ticks,
}

impl Now {
    /// The beginning of the tick that an attempt at this moment counts at: its own, or where that is later (disorder)
    /// the newest of its source. Reports tell no earlier time either, or a flood could start before its first attempt.
    pub(super) fn counted_at(&self, recorded: &Recorded) -> Timestamp {
        self.floor.after(Ticks::span(recorded.time.since(self.ticks)))
    }
}

/// The batch: a fixed number of places, and for each tally the tag of what each SYN counts for.
#[derive(Debug)]
pub(super) struct Batch {
    pending: Vec<Pending>,
    /// A row for each tally, as long as the batch; `None` where it is not concerned.
    tags: Vec<Vec<Option<u64>>>,
}

impl Batch {
    pub(super) fn new(tallies: usize) -> Self {
        Self { pending: Vec::with_capacity(SIZE), tags: vec![Vec::with_capacity(SIZE); tallies] }
    }

    /// Adds a segment, with a tag for each tally that it concerns if it is a SYN; says whether the batch is full now.
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

    pub(super) fn connections(&self) -> impl Iterator<Item = u64> + '_ {
        self.pending.iter().map(|pending| pending.connection)
    }

    pub(super) fn tag(&self, tally: usize, index: usize) -> Option<u64> {
        self.tags[tally][index]
    }

    /// All tags for a tally.
    pub(super) fn tags(&self, tally: usize) -> impl Iterator<Item = u64> + '_ {
        self.tags[tally].iter().copied().flatten()
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.tags.iter_mut().for_each(Vec::clear);
    }
}
