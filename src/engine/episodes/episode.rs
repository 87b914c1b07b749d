//! What is counted of an open episode.
//!
//! The counting thread adds to it, and the detector where an attempt comes late; the detector reads it for reports.

use std::slice;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prefetch_index::prefetch_index;

use super::collect::{AddressSet, PortCounts};
use super::counts::Counts;
use super::lone::Latest;
use super::{Addresses, Ports};
use crate::base::estimate::{HyperLogLog, Mark};
use crate::base::time::Timestamp;
use crate::engine::clock::Ticks;
use crate::engine::event::{LimitHit, Observation};
use crate::engine::outcome::{ConnSummary, Outcome, OutcomeCounts, Proof};
use crate::engine::rank::Rank;
use crate::engine::watch::Limit;

/// The shortest interval between two messages that name the provers of an episode, in nanoseconds.
const PROVERS_PAUSE: i64 = 1_000_000_000;

/// What is counted of an open episode.
#[derive(Debug)]
pub struct Episode {
    number: u64,
    limit: u16,
    /// In nanoseconds.
    quiet_time: i64,
    /// The tick from which on attempts are the episode's.
    since: Ticks,
    /// What the thread that counts has counted.
    counted: Counts,
    /// What the detector has: attempts that were on their way to it when the episode began.
    late: OnceLock<Box<Counts>>,
    /// What proven attempts alone have met a limit by, as its number: raised by the counting thread and the detector.
    verified: AtomicU8,
    /// When the provers were sent last, in nanoseconds. Written by the counting thread.
    provers_told: Latest,
    /// How many hosts the attempts came from, where there can be several.
    hosts_estimate: Option<Arc<HyperLogLog>>,
}

impl Episode {
    /// The episode of this number that a limit hit opens: the window's attempts are counted.
    #[must_use]
    pub fn new(number: u64, limit_hit: &LimitHit, quiet_time: Duration) -> Self {
        let LimitHit { attempt, limit, .. } = limit_hit;
        let key = attempt.key;
        let hosts_estimate = key.has_several_hosts().then(|| limit_hit.hosts.clone().unwrap_or_default());
        if let Some(estimate) = &hosts_estimate {
            estimate.add(Mark::of(attempt.src_hash));
        }
        Self {
            number,
            limit: *limit,
            quiet_time: i64::try_from(quiet_time.as_nanos()).unwrap_or(i64::MAX),
            since: limit_hit.since,
            counted: Counts::of(limit_hit),
            late: OnceLock::new(),
            verified: AtomicU8::new(limit_hit.verified as u8),
            provers_told: Latest::new(attempt.time.nanos()),
            hosts_estimate,
        }
    }

    /// Prefetches what one more attempt changes.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch_index(slice::from_ref(self), 0);
        self.counted.prefetch();
    }

    /// Its number, which no other episode of the run has.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The limit that opened it, by its place among the watch's limits.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.into()
    }

    /// Whether it still lasts at this time: the quiet time has not passed since the last attempt that met a limit.
    #[must_use]
    #[inline]
    pub(crate) fn lasts_at(&self, time: Timestamp) -> bool {
        time <= self.over_after()
    }

    /// Whether an attempt whose first SYN came at this tick is the episode's.
    #[must_use]
    pub fn has(&self, started: Ticks) -> bool {
        started >= self.since
    }

    /// Counts one more attempt: the span of the N attempts that it ends, if there are that many, and whether it met
    /// a limit. This and what follows is for the one thread that counts.
    #[inline]
    pub fn count(&self, sight: &Observation<'_>, span: Option<u64>, met: bool) {
        self.counted.count(sight, span, met, self.hosts_estimate.as_deref());
    }

    /// Applies a changed outcome of an attempt that began at this tick, if it is the episode's.
    pub fn change(&self, started: Ticks, before: ConnSummary, after: ConnSummary) {
        if self.has(started) {
            self.counted.change(before, after);
        }
    }

    /// Adds what is known of an attempt that counts from now on.
    pub fn settle(&self, life: ConnSummary) {
        self.counted.change(ConnSummary::default(), life);
    }

    /// Records that a limit by outcome was met at this time, and in what span if it is the episode's own.
    pub fn meet(&self, time: Timestamp, span: Option<u64>) {
        self.counted.meet(time, span);
    }

    /// Records that proven attempts alone have met a limit, and gives whether that is new.
    pub fn verify(&self, proof: Proof) -> bool {
        self.verified.fetch_max(proof as u8, Ordering::Relaxed) < proof as u8
    }

    /// How far its source is verified.
    #[must_use]
    pub fn verified(&self) -> Proof {
        let number = self.verified.load(Ordering::Relaxed);
        Proof::ALL.into_iter().rfind(|proof| *proof as u8 <= number).unwrap_or_default()
    }

    /// Whether to send the provers now: once a second at most. For the one thread that counts.
    pub(crate) fn tells_provers(&self, now: Timestamp) -> bool {
        let is_due = now.nanos().saturating_sub(self.provers_told.get()) >= PROVERS_PAUSE;
        if is_due {
            self.provers_told.raise(now.nanos());
        }
        is_due
    }

    /// Counts a copy of an attempt.
    pub(crate) fn count_copy(&self) {
        self.counted.copies.add(1);
    }

    /// Counts a retransmission of an attempt.
    pub(crate) fn count_retransmission(&self) {
        self.counted.retransmissions.add(1);
    }

    /// Counts an attempt, as [`Episode::count`] does. This and the next two are for the detector.
    pub(crate) fn count_late(&self, sight: &Observation<'_>, span: Option<u64>, met: bool) {
        self.late().count(sight, span, met, self.hosts_estimate.as_deref());
    }

    /// The same as [`Episode::change`].
    pub(crate) fn change_late(&self, started: Ticks, before: ConnSummary, after: ConnSummary) {
        if self.has(started) {
            self.late().change(before, after);
        }
    }

    /// The same as [`Episode::meet`].
    pub(crate) fn meet_late(&self, time: Timestamp, span: Option<u64>) {
        self.late().meet(time, span);
    }

    fn late(&self) -> &Counts {
        self.late.get_or_init(Box::default)
    }

    /// All that was counted, by either thread.
    #[inline]
    fn all(&self) -> impl Iterator<Item = &Counts> {
        std::iter::once(&self.counted).chain(self.late.get().map(|late| &**late))
    }

    /// The time after which it is over, if no further attempt meets a limit.
    #[inline]
    pub(crate) fn over_after(&self) -> Timestamp {
        let last = self.all().map(Counts::last_over).fold(i64::MIN, i64::max);
        Timestamp::from_nanos(last.saturating_add(self.quiet_time))
    }

    /// How many attempts there were, and their outcomes.
    ///
    /// Live, this goes on while it is read. What comes later in an attempt's life is read first: one that moves on
    /// meanwhile is missed, and is pending here, rather than counted twice.
    pub(crate) fn attempts(&self) -> (u64, OutcomeCounts) {
        // Of what came and went. Where an attempt's ring entry did not tell of a change before the episode (it was out
        // of order), one more may have gone than came.
        let sum = |of: &dyn Fn(&Counts) -> i64| u64::try_from(self.all().map(of).sum::<i64>()).unwrap_or(0);
        let greeted = sum(&|counts| counts.greeted.get());
        let (proofs, wire_proofs) =
            (sum(&|counts| counts.proofs.get()), sum(&|counts| counts.wire_proofs.get()));
        let mut mix = OutcomeCounts::default();
        let settled = Outcome::ALL.into_iter().filter(|outcome| outcome.is_settled());
        let counts: Vec<_> = settled
            .chain([Outcome::Open])
            .map(|outcome| (outcome, sum(&|counts| counts.outcomes[outcome as usize].get())))
            .collect();
        let attempts = self.all().map(|counts| counts.ports.total()).sum();
        // Of attempts within one tick, one before the episode is not told from one that is the episode's. They sum to
        // the attempts all the same.
        let mut rest = attempts;
        for (outcome, count) in counts {
            let count = count.min(rest);
            rest -= count;
            mix.set(outcome, count);
        }
        mix.set(Outcome::Pending, rest);
        mix.greeted = greeted.min(mix.count(Outcome::Silent));
        mix.proofs = proofs.min(attempts);
        mix.wire_proofs = wire_proofs.min(attempts - mix.proofs);
        (attempts, mix)
    }

    /// Its rank at this time, under its limit. One that has met no limit for as long as a window has no attempts to show.
    pub(crate) fn rank(&self, limit: Limit, now: Timestamp) -> Rank {
        let sum = |of: &dyn Fn(&Counts) -> i64| u64::try_from(self.all().map(of).sum::<i64>()).unwrap_or(0);
        let proven = sum(&|counts| counts.proofs.get() + counts.wire_proofs.get());
        let last = Timestamp::from_nanos(self.all().map(Counts::last_over).fold(i64::MIN, i64::max));
        let attempts = match now.since(last) <= limit.window {
            true => self.all().map(|counts| counts.ports.total()).sum(),
            false => 0,
        };
        Rank::new(self.verified(), proven, attempts, limit.attempts)
    }

    pub(crate) fn bytes(&self) -> (u64, u64) {
        // One that is told late may have been told before as more: that is taken away here.
        let sum = |of: &dyn Fn(&Counts) -> u64| self.all().map(of).fold(0, u64::wrapping_add);
        (sum(&|counts| counts.sent.get()), sum(&|counts| counts.received.get()))
    }

    pub(crate) fn copies(&self) -> u64 {
        self.all().map(|counts| counts.copies.get()).sum()
    }

    pub(crate) fn retransmissions(&self) -> u64 {
        self.all().map(|counts| counts.retransmissions.get()).sum()
    }

    pub(crate) fn last_seen(&self) -> Timestamp {
        Timestamp::from_nanos(self.all().map(Counts::last_seen).fold(i64::MIN, i64::max))
    }

    /// The shortest span of N attempts, in ticks, N being that of the limit.
    pub(crate) fn shortest(&self) -> u64 {
        self.all().map(|counts| counts.shortest.get()).fold(u64::MAX, u64::min)
    }

    /// Attempts by port.
    pub(crate) fn ports(&self) -> Ports {
        PortCounts::ports(self.all().map(|counts| &counts.ports))
    }

    /// Where they went.
    pub(crate) fn destinations(&self) -> Addresses {
        AddressSet::addresses(self.all().map(|counts| &counts.destinations))
    }

    /// The hosts that they came from, where there can be several, and an estimate of how many that were.
    pub(crate) fn hosts(&self) -> Option<(Addresses, u64)> {
        let estimate = self.hosts_estimate.as_deref()?;
        Some((AddressSet::addresses(self.all().map(|counts| &counts.hosts)), estimate.count()))
    }
}
