//! What one thread counts of an episode.
//!
//! One thread adds, the one that counts or the detector, and the detector reads; each counter stands for itself. In
//! replay nothing is added while the detector has something to do, live a report may miss what is being counted at that
//! moment.

use std::slice;

use prefetch_index::prefetch_index;

use super::collect::{AddressSet, PortCounts};
use super::lone::{Count, Latest, Least, Sum};
use crate::base::estimate::{HyperLogLog, Mark};
use crate::base::time::Timestamp;
use crate::engine::event::{LimitHit, Observation};
use crate::engine::outcome::{Code, ConnSummary, Outcome, Proof};

/// The counts of one thread.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) copies: Count,
    pub(super) retransmissions: Count,
    /// The last attempt that met no limit.
    last_seen: Latest,
    /// The last attempt that met one.
    last_over: Latest,
    /// The last time that a limit by outcome was met.
    last_met: Latest,
    /// The shortest span of N attempts, in ticks, N being that of the limit.
    pub(super) shortest: Least,
    /// Attempts by outcome; those that are pending are the rest.
    pub(super) outcomes: [Sum; Outcome::ALL.len()],
    pub(super) greeted: Sum,
    pub(super) proofs: Sum,
    pub(super) wire_proofs: Sum,
    pub(super) sent: Count,
    pub(super) received: Count,
    /// Attempts by port.
    pub(super) ports: PortCounts,
    /// Where they went.
    pub(super) destinations: AddressSet,
    /// The hosts that they came from.
    pub(super) hosts: AddressSet,
}

impl Counts {
    /// The attempts of the window that a limit hit ends.
    pub(super) fn of(limit_hit: &LimitHit) -> Self {
        let LimitHit { attempt, span, ports: window, outcomes, bytes: (sent, received), .. } = limit_hit;
        let time = attempt.time.nanos();
        let counts = Self {
            last_seen: Latest::new(time),
            last_over: Latest::new(time),
            last_met: Latest::new(time),
            shortest: Least::new(*span),
            outcomes: Outcome::BY_NUMBER.map(|outcome| Sum::new(signed(outcomes.count(outcome)))),
            greeted: Sum::new(signed(outcomes.greeted)),
            proofs: Sum::new(signed(outcomes.proofs)),
            wire_proofs: Sum::new(signed(outcomes.wire_proofs)),
            ..Self::default()
        };
        counts.sent.add(*sent);
        counts.received.add(*received);
        window.iter().for_each(|(port, attempts)| counts.ports.add(port, attempts));
        counts.ports.add_others(window.others());
        counts.destinations.add(attempt.dst_hash, &attempt.dst);
        counts.hosts.add(attempt.src_hash, &attempt.src);
        counts
    }

    /// Prefetches what one more attempt changes, but for the hosts.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_index(slice::from_ref(&self.last_over), 0);
        self.ports.prefetch();
        self.destinations.prefetch();
    }

    /// One more attempt. Hosts are told apart where there is an estimate of how many there are.
    #[inline]
    pub(super) fn count(
        &self,
        sight: &Observation<'_>,
        span: Option<u64>,
        met: bool,
        hosts: Option<&HyperLogLog>,
    ) {
        let Observation { time, src, dst, dst_port } = *sight;
        if met { &self.last_over } else { &self.last_seen }.raise(time.nanos());
        self.shorten(span);
        self.ports.add(dst_port, 1);
        self.destinations.add(dst.0, dst.1);
        if let Some(estimate) = hosts {
            // What is kept has been estimated.
            if !self.hosts.add(src.0, src.1) {
                estimate.add(Mark::of(src.0));
            }
        }
    }

    /// Applies a changed outcome of an attempt.
    pub(super) fn change(&self, before: ConnSummary, after: ConnSummary) {
        if before.outcome != after.outcome {
            self.outcomes[before.outcome as usize].add(-1);
            // Who sees this sees that the attempt was counted: see `Episode::attempts`.
            self.outcomes[after.outcome as usize].add(1);
        }
        let greeted = |life| i64::from(Code::from(life).life().1);
        self.greeted.add(greeted(after) - greeted(before));
        let is = |life: ConnSummary, proof| i64::from(life.proof == proof);
        self.proofs.add(is(after, Proof::Yes) - is(before, Proof::Yes));
        self.wire_proofs.add(is(after, Proof::Wire) - is(before, Proof::Wire));
        // Wrapping is how a smaller number is added.
        self.sent.add(u64::from(after.sent).wrapping_sub(before.sent.into()));
        self.received.add(u64::from(after.received).wrapping_sub(before.received.into()));
    }

    /// That a limit by outcome was met.
    pub(super) fn meet(&self, time: Timestamp, span: Option<u64>) {
        self.last_met.raise(time.nanos());
        self.shorten(span);
    }

    #[inline]
    fn shorten(&self, span: Option<u64>) {
        span.into_iter().for_each(|span| self.shortest.lower(span));
    }

    /// When a limit was met last, in nanoseconds.
    #[inline]
    pub(super) fn last_over(&self) -> i64 {
        self.last_over.get().max(self.last_met.get())
    }

    /// When the last attempt was, in nanoseconds.
    pub(super) fn last_seen(&self) -> i64 {
        self.last_seen.get().max(self.last_over.get())
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
