//! What conntrack hands over to the counters: a batch with its findings, expired timers, a second boundary.

use super::clock::Reading;
use super::conntrack::findings::Findings;
use super::conntrack::{Counts, OutcomeUpdate};
use super::ingest::batch::{self, Batch, Now, SecondBoundary};

/// One hand-over. The counters handle its parts in the order of the fields; most have a batch alone.
#[derive(Debug)]
pub(super) struct Classified {
    pub(super) batch: Batch,
    pub(super) findings: Findings,
    /// The clock after the batch.
    pub(super) reading: Reading,
    pub(super) expired: Vec<Expiry>,
    pub(super) boundary: Option<SecondBoundary>,
    /// The counters of conntrack, and its SYNs without a timer.
    pub(super) counts: Counts,
    pub(super) untimed: u64,
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
    /// Makes an empty one for batches like this one.
    pub(super) fn new(batch: Batch) -> Self {
        Self {
            batch,
            findings: Findings::new(batch::SIZE),
            reading: Reading::default(),
            expired: Vec::with_capacity(batch::SIZE),
            boundary: None,
            counts: Counts::default(),
            untimed: 0,
        }
    }

    /// Empties it. It keeps its memory.
    pub(super) fn clear(&mut self) {
        self.batch.clear();
        self.findings.clear();
        self.expired.clear();
        self.boundary = None;
    }
}
