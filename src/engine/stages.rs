//! The stages after ingest, in their order. They take batches, with second boundaries after them.

use super::fleet::Fleet;
use crate::base::time::Timestamp;
use crate::engine::clock::{Reading, Ticks};
use crate::engine::conntrack::stage::ConntrackStage;
use crate::engine::conntrack::{Expired, OutcomeUpdate};
use crate::engine::counting::CounterStage;
use crate::engine::ingest::batch::{self, Batch, Now, SecondBoundary};

/// Maximum timers that expire at a second boundary: more would delay packets.
const EXPIRED_AT_A_BOUNDARY: usize = 10_000;

/// Conntrack, followed by the counters.
#[derive(Debug)]
pub(super) struct Stages {
    pub(super) conntrack: ConntrackStage,
    pub(super) counters: CounterStage,
    /// What a fleet shares. Whether there is one is looked at once for each batch, and not for each packet.
    pub(super) fleet: Option<Box<Fleet>>,
}

impl Stages {
    /// Counts a batch and empties it. `reading` is the clock after it.
    pub(super) fn count(&mut self, batch: &mut Batch, reading: &Reading) {
        let Self { conntrack, counters, fleet } = self;
        conntrack.judge_all(batch);
        counters.note_conntrack(conntrack.counts(), conntrack.untimed());
        counters.count_all(batch, &conntrack.findings, reading);
        if let Some(fleet) = fleet {
            fleet.see(batch, &conntrack.findings, counters);
        }
        batch.clear();
    }

    /// Counts the timers that expire by this second boundary, and then the boundary itself.
    pub(super) fn boundary(&mut self, boundary: &SecondBoundary) {
        let mut fleet = self.fleet.take();
        if boundary.stepped_from.is_none() {
            match &mut fleet {
                None => self.expire(boundary, |_, _, _| {}),
                Some(fleet) => self.expire_in_fleet(boundary, fleet),
            }
        }
        self.conntrack.end_second(boundary);
        self.counters.boundary(boundary);
        if let Some(fleet) = &mut fleet {
            fleet.boundary(boundary.reading.ticks(boundary.now), boundary.starts_anew);
        }
        self.fleet = fleet;
    }

    #[inline(never)]
    fn expire_in_fleet(&mut self, boundary: &SecondBoundary, fleet: &mut Fleet) {
        self.expire(boundary, |news, now, counters| fleet.outcome(news, now, counters));
    }

    /// Counts attempts whose timers have expired by this second boundary. Each one counts at its due time,
    /// because the boundary may come much later when there are no packets. `also` takes each update.
    #[inline]
    fn expire(
        &mut self,
        boundary: &SecondBoundary,
        mut also: impl FnMut(&OutcomeUpdate, &Now, &CounterStage),
    ) {
        let Self { conntrack, counters, .. } = self;
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
            if let Some(news) = &news {
                also(news, &now, counters);
            }
        }
    }

    /// Executes the commands of a fleet's threads.
    pub(super) fn serve_fleet(&mut self, now: Option<(Timestamp, Ticks)>) {
        let Self { counters, fleet, .. } = self;
        fleet.iter_mut().for_each(|fleet| fleet.serve(now, counters));
    }
}
