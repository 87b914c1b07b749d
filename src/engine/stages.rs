//! The stages behind ingest, in their order: batches in, second boundaries after them.

use super::batch::{Batch, SecondBoundary};
use super::conntrack_stage::ConntrackStage;
use super::counter_stage::CounterStage;
use crate::engine::clock::Reading;

/// Conntrack, and the counters behind it.
#[derive(Debug)]
pub(super) struct Stages {
    pub(super) conntrack: ConntrackStage,
    pub(super) counters: CounterStage,
}

impl Stages {
    /// Counts what a batch holds, and leaves it empty. The clock reads so after it.
    pub(super) fn count(&mut self, batch: &mut Batch, reading: &Reading) {
        let Self { conntrack, counters } = self;
        conntrack.judge_all(batch);
        counters.note_conntrack(conntrack.counts(), conntrack.untimed());
        counters.count_all(batch, &conntrack.findings, reading);
        batch.clear();
    }

    /// Has what shows by this second boundary counted, and then the boundary itself.
    pub(super) fn boundary(&mut self, boundary: &SecondBoundary) {
        let Self { conntrack, counters } = self;
        if boundary.stepped_from.is_none() {
            conntrack.expire(boundary, |timed_out| counters.expire(timed_out));
        }
        let waiting_from = conntrack.end_second(boundary);
        counters.boundary(boundary, waiting_from);
    }
}
