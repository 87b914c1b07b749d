//! The stages after ingest, in their order. They take batches, with second boundaries after them.

use super::classified::{BatchCounts, Classified, Expiry};
use super::clock::{Reading, Ticks};
use super::conntrack::Expired;
use super::conntrack::stage::ConntrackStage;
use super::counting_thread::Counters;
use super::ingest::batch::{self, Batch, Now, SecondBoundary};

/// Maximum timers that expire at a second boundary: more would delay packets.
const EXPIRED_AT_A_BOUNDARY: usize = 10_000;

/// Conntrack, followed by the counters.
#[derive(Debug)]
pub(super) struct Stages {
    pub(super) conntrack: ConntrackStage,
    /// The next hand-over to the counters. It is empty between two calls.
    next: Classified,
    pub(super) counters: Counters,
}

impl Stages {
    /// `keeps` says whether packets are kept.
    pub(super) fn new(conntrack: ConntrackStage, keeps: bool, counters: Counters) -> Self {
        Self { conntrack, next: Classified::new(keeps), counters }
    }

    /// Counts a batch and empties it. `reading` is the clock after it.
    pub(super) fn count(&mut self, batch: &mut Batch, reading: &Reading) {
        let Self { conntrack, next, .. } = self;
        conntrack.judge_all(batch, &mut next.findings);
        (next.batch, next.reading) = (BatchCounts::of(batch), *reading);
        batch.clear();
        self.hand_over();
    }

    /// Counts the timers that expire by this second boundary, and then the boundary itself.
    pub(super) fn boundary(&mut self, boundary: &SecondBoundary) {
        self.next.reading = boundary.reading;
        if boundary.stepped_from.is_none() {
            self.expire(boundary);
        }
        self.conntrack.end_second(boundary);
        self.next.boundary = Some(*boundary);
        self.hand_over();
    }

    /// Counts attempts whose timers have expired by this second boundary.
    fn expire(&mut self, boundary: &SecondBoundary) {
        let ticks = boundary.reading.ticks(boundary.now);
        let (then, left) = boundary.reading.left();
        let mut expired = 0;
        while expired < EXPIRED_AT_A_BOUNDARY {
            let Self { conntrack, next, .. } = self;
            conntrack.prefetch_expired(ticks);
            let room = batch::SIZE.min(EXPIRED_AT_A_BOUNDARY - expired);
            let expiries = std::iter::from_fn(|| conntrack.expire(ticks)).map(|Expired { due, news }| {
                let now = Now { time: then.after(Ticks::span(due.since(left))), ticks: due.max(left) };
                Expiry { now, news }
            });
            next.expired.extend(expiries.take(room));
            if next.expired.is_empty() {
                break;
            }
            expired += next.expired.len();
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let Self { conntrack, next, counters } = self;
        (next.counts, next.untimed) = (conntrack.counts(), conntrack.untimed());
        counters.count(next);
    }
}
