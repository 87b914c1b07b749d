//! Segments that wait to be counted together.
//!
//! One segment alone waits for memory several times over. A batch touches the places of all its segments first, whose
//! loads overlap, and counts them after that.

use crate::clock::{Clock, Ticks};
use crate::segment::Segment;
use crate::table::{Hint, Recorded};
use crate::time::Timestamp;

use super::parties::{Hashes, Parties};

/// Segments in a batch.
pub(super) const SIZE: usize = 64;

/// A SYN that is to be counted, or another segment that tells what became of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) segment: Segment,
    pub(super) now: Now,
    pub(super) hashes: Hashes,
    /// Whether it is a SYN of an own address.
    pub(super) is_own: bool,
}

impl Pending {
    /// The parties to an attempt, if it is a SYN.
    pub(super) fn parties(&self) -> Parties {
        let Self { segment, hashes, is_own, .. } = self;
        Parties {
            client: segment.src,
            server: (segment.dst, segment.dst_port),
            client_hash: hashes.src,
            server_hash: hashes.dst,
            end_hash: hashes.dst_end,
            is_own: *is_own,
        }
    }
}

/// A moment of capture time, as it was captured and as the tables count it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) time: Timestamp,
    pub(super) ticks: Ticks,
}

impl Now {
    /// The beginning of the tick that an attempt at this moment counts at: its own, or where that is later (disorder)
    /// the newest of its source. Reports tell no earlier time either, or a flood could start before its first attempt.
    pub(super) fn counted_at(&self, clock: &Clock, recorded: &Recorded) -> Timestamp {
        clock.floor(self.time).after(Ticks::span(recorded.time.since(self.ticks)))
    }
}

/// The tag of what is not concerned: no hash is taken as it is from below 2 by the tables.
const NONE: u64 = 0;

/// The batch: a fixed number of places, and for each tally the tag of what each SYN counts for.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pending: Vec<Pending>,
    /// A row for each tally, each [`SIZE`] long.
    tags: Vec<u64>,
    /// Likewise, where the tag was found in its set when the batch was touched.
    hints: Vec<Hint>,
}

impl Batch {
    pub(super) fn new(tallies: usize) -> Self {
        let places = SIZE * tallies;
        let hints = vec![Hint::default(); places];
        Self { pending: Vec::with_capacity(SIZE), tags: vec![NONE; places], hints }
    }

    /// Sets the tag for a tally of the segment that is added next.
    #[inline]
    pub(super) fn set_tag(&mut self, tally: usize, tag: Option<u64>) {
        self.tags[tally * SIZE + self.pending.len()] = tag.map_or(NONE, |tag| tag.max(NONE + 1));
    }

    /// Adds a segment, and says whether the batch is full now.
    #[inline]
    pub(super) fn push(&mut self, pending: Pending) -> bool {
        self.pending.push(pending);
        self.pending.len() == SIZE
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn all(&self) -> &[Pending] {
        &self.pending
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = u64> + '_ {
        self.pending.iter().map(|pending| pending.hashes.connection)
    }

    /// The tag of a segment for a tally, if it concerns that.
    #[inline]
    pub(super) fn tag(&self, tally: usize, index: usize) -> Option<u64> {
        Some(self.tags[tally * SIZE + index]).filter(|tag| *tag != NONE)
    }

    /// Where a segment's tag for a tally was found in its set.
    #[inline]
    pub(super) fn hint(&self, tally: usize, index: usize) -> Hint {
        self.hints[tally * SIZE + index]
    }

    /// All tags for a tally.
    pub(super) fn tags(&self, tally: usize) -> impl Iterator<Item = u64> + '_ {
        let row = &self.tags[tally * SIZE..][..self.pending.len()];
        row.iter().copied().filter(|tag| *tag != NONE)
    }

    /// All tags for a tally, and where to note in which place of its set each was found.
    pub(super) fn tags_to_find(&mut self, tally: usize) -> impl Iterator<Item = (u64, &mut Hint)> + '_ {
        let row = tally * SIZE..tally * SIZE + self.pending.len();
        let tags = self.tags[row.clone()].iter().copied();
        tags.zip(&mut self.hints[row]).filter(|(tag, _)| *tag != NONE)
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }
}
