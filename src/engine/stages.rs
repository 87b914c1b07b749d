//! The stages after ingest, in their order. They take batches, with second boundaries after them.

use crate::engine::clock::{Reading, Ticks};
use crate::engine::conntrack::Expired;
use crate::engine::conntrack::stage::ConntrackStage;
use crate::engine::counting::CounterStage;
use crate::engine::ingest::batch::{self, Batch, Now, SecondBoundary};

/// Maximum timers that expire at a second boundary: more would delay packets.
const EXPIRED_AT_A_BOUNDARY: usize = 10_000;

/// Conntrack, followed by the counters.
#[derive(Debug)]
pub(super) struct Stages {
    pub(super) conntrack: ConntrackStage,
    pub(super) counters: CounterStage,
}

impl Stages {
    /// Counts a batch and empties it. `reading` is the clock after it.
    pub(super) fn count(&mut self, batch: &mut Batch, reading: &Reading) {
        let Self { conntrack, counters } = self;
        conntrack.judge_all(batch);
        counters.note_conntrack(conntrack.counts(), conntrack.untimed());
        counters.count_all(batch, &conntrack.findings, reading);
        batch.clear();
    }

    /// Counts the timers that expire by this second boundary, and then the boundary itself.
    pub(super) fn boundary(&mut self, boundary: &SecondBoundary) {
        if boundary.stepped_from.is_none() {
            self.expire(boundary);
        }
        self.conntrack.end_second(boundary);
        self.counters.boundary(boundary);
    }

    /// Counts attempts whose timers have expired by this second boundary. Each one counts at its due time,
    /// because the boundary may come much later when there are no packets.
    fn expire(&mut self, boundary: &SecondBoundary) {
        let Self { conntrack, counters } = self;
        let ticks = boundary.reading.ticks(boundary.now);
        let (then, left) = boundary.reading.left();
        for number in 0..EXPIRED_AT_A_BOUNDARY {
            if number % batch::SIZE == 0 {
                conntrack.prefetch_expired(ticks);
                counters.prefetch_expired();
            }
            let Some(Expired { due, news }) = conntrack.expire(ticks) else { break };
            let now = Now { time: then.after(Ticks::span(due.since(left))), ticks: due.max(left) };
            counters.time_out(news.as_ref(), &now);
        }
    }
}
