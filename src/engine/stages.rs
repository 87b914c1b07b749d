//! The stages behind ingest, in their order: batches in, second boundaries after them.

use super::batch::{Batch, Turn};
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
    pub(super) fn turn(&mut self, turn: &Turn) {
        let Self { conntrack, counters } = self;
        if turn.stepped_from.is_none() {
            conntrack.give_up(turn, |vain| counters.give_up(vain));
        }
        let waiting_from = conntrack.end_second(turn);
        counters.turn(turn, waiting_from);
    }
}
