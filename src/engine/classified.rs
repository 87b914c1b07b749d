//! What conntrack hands over to the counters: its findings on a batch, expired timers, a second boundary.

use super::clock::Reading;
use super::conntrack::findings::Findings;
use super::conntrack::{Counts, OutcomeUpdate};
use super::ingest::batch::{self, Batch, Now, SecondBoundary};
use crate::base::time::Timestamp;
use crate::wire::decode::Skipped;

/// One hand-over. The counters handle its parts in the order of the fields; most have findings alone.
#[derive(Debug)]
pub(super) struct Classified {
    pub(super) batch: BatchCounts,
    pub(super) findings: Findings,
    /// The clock after the batch.
    pub(super) reading: Reading,
    pub(super) expired: Vec<Expiry>,
    pub(super) boundary: Option<SecondBoundary>,
    /// The counters of conntrack, and its SYNs without a timer.
    pub(super) counts: Counts,
    pub(super) untimed: u64,
}

/// What the counters need of a batch besides its findings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BatchCounts {
    pub(super) packets: u64,
    /// The reasons why some of them do not count.
    pub(super) skipped: Skipped,
    /// The time of the last readable segment.
    pub(super) last: Option<Timestamp>,
}

impl BatchCounts {
    pub(super) fn of(batch: &Batch) -> Self {
        let last = batch.all().iter().rev().find(|pending| !pending.is_hidden);
        Self { packets: batch.packets, skipped: batch.skipped, last: last.map(|last| last.now.time) }
    }
}

/// A timer that has expired.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expiry {
    /// When it counts: at its due time, because the boundary that shows it may come much later.
    pub(super) now: Now,
    /// The update, if the expiry changes the outcome.
    pub(super) news: Option<OutcomeUpdate>,
}

impl Classified {
    /// Makes an empty one. `keeps` says whether packets are kept.
    pub(super) fn new(keeps: bool) -> Self {
        Self {
            batch: BatchCounts::default(),
            findings: Findings::new(batch::SIZE, keeps),
            reading: Reading::default(),
            expired: Vec::with_capacity(batch::SIZE),
            boundary: None,
            counts: Counts::default(),
            untimed: 0,
        }
    }

    /// Takes over what another one has, without an allocation.
    pub(super) fn copy(&mut self, other: &Self) {
        let Self { batch, findings, reading, expired, boundary, counts, untimed } = other;
        self.findings.copy(findings);
        self.expired.clone_from(expired);
        (self.batch, self.reading, self.boundary) = (*batch, *reading, *boundary);
        (self.counts, self.untimed) = (*counts, *untimed);
    }

    /// Empties it. It keeps its memory.
    pub(super) fn clear(&mut self) {
        self.batch = BatchCounts::default();
        self.findings.clear();
        self.expired.clear();
        self.boundary = None;
    }
}
