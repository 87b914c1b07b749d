//! The counters of an open episode, and their snapshot for a report.

use std::slice;

use prefetch_index::prefetch_index;

use super::answered::Answered;
use super::collect::{AddressSet, FirstAddresses, PortCounts};
use super::limit_hit::LimitHit;
use crate::base::hyperloglog::{HyperLogLog, Mark};
use crate::base::time::Timestamp;
use crate::engine::clock::Ticks;
use crate::engine::event::{Key, Observation, Watched};
use crate::engine::outcome::{Code, ConnSummary, Outcome, OutcomeCounts, Proof};
use crate::engine::rank::Rank;
use crate::engine::stats::Losses;
use crate::engine::watch::Limit;

/// Minimum interval between two events with the provers of an episode, in nanoseconds.
const PROVERS_PAUSE: i64 = 1_000_000_000;

/// The counters of an open episode. The fields that each attempt changes come first.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Episode {
    pub(super) key: Key,
    /// The time after which it is over, if no further attempt meets a limit. In nanoseconds, as the next two.
    over_after: i64,
    /// Time of the last attempt.
    last_seen: i64,
    quiet_time: i64,
    /// The shortest span of N attempts, in ticks, N being that of the limit.
    shortest: u64,
    limit: u16,
    /// The proof with which proven attempts alone have met a limit, now and in the last report.
    verified: Proof,
    pub(super) reported: Proof,
    /// Whether it is open. After its end another episode may take its index.
    pub(super) is_open: bool,
    number: u64,
    ports: PortCounts,
    destinations: AddressSet,
    /// The hosts of the attempts.
    hosts: AddressSet,
    /// An estimate of the number of hosts, where there can be several.
    hosts_estimate: Option<HyperLogLog>,
    copies: u64,
    retransmissions: u64,
    /// The first tick whose attempts belong to the episode.
    since: Ticks,
    /// Attempts by outcome. The remainder is pending.
    outcomes: [i64; Outcome::ALL.len()],
    greeted: i64,
    proofs: i64,
    wire_proofs: i64,
    /// Bytes from clients and from servers.
    bytes: (u64, u64),
    /// Time of the last event with its provers, in nanoseconds.
    provers_told: i64,
    answered: Answered,
    /// Attempts that are missing in the evidence.
    pub(crate) not_logged: u64,
    /// The losses of the run at its start.
    losses: Losses,
}

/// An open episode in the form of a report.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its number, which no other episode of the run has.
    pub episode: u64,
    /// Time of the snapshot.
    pub time: Timestamp,
    /// Number of attempts.
    pub attempts: u64,
    /// Their outcomes.
    pub outcomes: OutcomeCounts,
    /// Copies of them.
    pub copies: u64,
    /// Retransmissions of them.
    pub retransmissions: u64,
    /// Time of the last attempt.
    pub last_seen: Timestamp,
    /// The shortest span of N attempts, in ticks, N being that of the limit.
    pub shortest: u64,
    /// Attempts by port.
    pub ports: PortCounts,
    /// Their destinations.
    pub destinations: FirstAddresses,
    /// Their hosts, where there can be several, and an estimate of the number of hosts.
    pub hosts: Option<(FirstAddresses, u64)>,
    /// The proof that verifies the source.
    pub verified: Proof,
    /// Bytes of closed attempts, from their clients and from their servers.
    pub bytes: (u64, u64),
    /// The losses since it began.
    pub losses: Losses,
    /// Start time of the third newest attempt that was answered with a SYN-ACK. Attempts in the window of the
    /// limit hit that were answered before the episode do not count.
    pub answered: Option<Timestamp>,
    /// Attempts that are missing in the evidence.
    pub not_logged: u64,
}

impl Episode {
    /// Makes the episode with this number for a limit hit. The attempts of the window are counted.
    #[must_use]
    pub(super) fn new(number: u64, limit_hit: &mut LimitHit, watch: &Watched, losses: Losses) -> Self {
        let LimitHit { attempt, limit, outcomes, ports, .. } = limit_hit;
        let time = attempt.time.nanos();
        let quiet_time = i64::try_from(watch.quiet_time.as_nanos()).unwrap_or(i64::MAX);
        let (mut destinations, mut hosts) = (AddressSet::default(), AddressSet::default());
        destinations.add(attempt.dst_hash, &attempt.dst);
        hosts.add(attempt.src_hash, &attempt.src);
        let mut hosts_estimate =
            attempt.key.has_several_hosts().then(|| limit_hit.hosts.take().unwrap_or_default());
        hosts_estimate.iter_mut().for_each(|estimate| estimate.add(Mark::of(attempt.src_hash)));
        Self {
            key: attempt.key,
            over_after: time.saturating_add(quiet_time),
            last_seen: time,
            quiet_time,
            shortest: limit_hit.span,
            limit: *limit,
            verified: limit_hit.verified,
            reported: limit_hit.verified,
            is_open: true,
            number,
            ports: *ports,
            destinations,
            hosts,
            hosts_estimate,
            copies: 0,
            retransmissions: 0,
            since: limit_hit.since,
            outcomes: Outcome::BY_NUMBER.map(|outcome| signed(outcomes.count(outcome))),
            greeted: signed(outcomes.greeted),
            proofs: signed(outcomes.proofs),
            wire_proofs: signed(outcomes.wire_proofs),
            bytes: limit_hit.bytes,
            provers_told: time,
            answered: Answered::default(),
            not_logged: 0,
            losses,
        }
    }

    /// Prefetches the fields that one more attempt changes, except for the hosts.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_index(slice::from_ref(self), 0);
        prefetch_index(slice::from_ref(&self.number), 0);
        self.destinations.prefetch();
    }

    /// Its number, which no other episode of the run has.
    #[must_use]
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The limit that opened it, as an index among the watch's limits.
    #[must_use]
    pub(crate) fn limit(&self) -> usize {
        self.limit.into()
    }

    /// Whether it is still open at this time: the quiet time has not passed since the last limit hit.
    #[must_use]
    #[inline]
    pub(crate) fn lasts_at(&self, time: Timestamp) -> bool {
        time.nanos() <= self.over_after
    }

    /// The time after which it is over, if no further attempt meets a limit.
    #[must_use]
    pub(super) fn over_after(&self) -> Timestamp {
        Timestamp::from_nanos(self.over_after)
    }

    /// Whether an attempt whose first SYN came at this tick belongs to the episode.
    #[must_use]
    pub(crate) fn has(&self, started: Ticks) -> bool {
        started >= self.since
    }

    /// Counts one more attempt. `span` is that of the N attempts that end with it, if there are N. `met` says
    /// whether it met a limit.
    #[inline]
    pub(crate) fn count(&mut self, sight: &Observation<'_>, span: Option<u64>, met: bool) {
        let Observation { time, src, dst, dst_port } = *sight;
        self.last_seen = self.last_seen.max(time.nanos());
        if met {
            self.prolong(time);
        }
        self.shorten(span);
        self.ports.add(dst_port);
        self.destinations.add(dst.0, dst.1);
        if let Some(estimate) = &mut self.hosts_estimate {
            // The estimate already includes a stored host.
            if !self.hosts.add(src.0, src.1) {
                estimate.add(Mark::of(src.0));
            }
        }
    }

    /// Counts a copy of an attempt.
    pub(crate) fn count_copy(&mut self) {
        self.copies += 1;
    }

    /// Counts a retransmission of an attempt.
    pub(crate) fn count_retransmission(&mut self) {
        self.retransmissions += 1;
    }

    /// Applies a changed outcome of an attempt that began at this tick, if the attempt belongs to the
    /// episode.
    pub(crate) fn change(&mut self, started: Ticks, before: ConnSummary, after: ConnSummary) {
        if self.has(started) {
            self.replace(before, after);
        }
    }

    /// Notes that an attempt that began at this time was answered with a SYN-ACK.
    pub(crate) fn note_answered(&mut self, started: Timestamp) {
        self.answered.add(started);
    }

    /// Adds the summary of an attempt that counts from now on.
    pub(crate) fn resolve(&mut self, life: ConnSummary) {
        self.replace(ConnSummary::default(), life);
    }

    fn replace(&mut self, before: ConnSummary, after: ConnSummary) {
        if before.outcome != after.outcome {
            self.outcomes[before.outcome as usize] -= 1;
            self.outcomes[after.outcome as usize] += 1;
        }
        let greeted = |life| i64::from(Code::from(life).life().1);
        self.greeted += greeted(after) - greeted(before);
        let is = |life: ConnSummary, proof| i64::from(life.proof == proof);
        self.proofs += is(after, Proof::Yes) - is(before, Proof::Yes);
        self.wire_proofs += is(after, Proof::Wire) - is(before, Proof::Wire);
        // Wrapping arithmetic also adds a decrease.
        let (sent, received) = &mut self.bytes;
        *sent = sent.wrapping_add(after.sent.into()).wrapping_sub(before.sent.into());
        *received = received.wrapping_add(after.received.into()).wrapping_sub(before.received.into());
    }

    /// Notes that a limit by outcome was met at this time. `span` is set if it is the episode's own limit.
    pub(crate) fn meet(&mut self, time: Timestamp, span: Option<u64>) {
        self.prolong(time);
        self.shorten(span);
    }

    fn prolong(&mut self, time: Timestamp) {
        self.over_after = self.over_after.max(time.nanos().saturating_add(self.quiet_time));
    }

    fn shorten(&mut self, span: Option<u64>) {
        self.shortest = self.shortest.min(span.unwrap_or(u64::MAX));
    }

    /// Notes that proven attempts alone have met a limit. Returns whether that is new.
    pub(crate) fn verify(&mut self, proof: Proof) -> bool {
        let is_new = self.verified < proof;
        self.verified = self.verified.max(proof);
        is_new
    }

    /// The proof that verifies its source.
    pub(super) fn verified(&self) -> Proof {
        self.verified
    }

    /// Whether its source has become verified since the last report.
    pub(super) fn is_news(&self) -> bool {
        self.reported < self.verified
    }

    /// Whether to send the provers now, at most once a second.
    pub(crate) fn tells_provers(&mut self, now: Timestamp) -> bool {
        let is_due = now.nanos().saturating_sub(self.provers_told) >= PROVERS_PAUSE;
        if is_due {
            self.provers_told = now.nanos();
        }
        is_due
    }

    /// The number of attempts, and their outcomes.
    fn attempts(&self) -> (u64, OutcomeCounts) {
        // The sum of increases and decreases. If an attempt's ring entry missed a change before the episode
        // (out of order), there may be one more decrease than increases.
        let count = |sum: i64| u64::try_from(sum).unwrap_or(0);
        let attempts = self.ports.total();
        // Within one tick, an attempt from before the episode cannot be distinguished from one of the
        // episode. The sum still equals the number of attempts.
        let mut rest = attempts;
        let mut mix = OutcomeCounts::default();
        let settled = Outcome::ALL.into_iter().filter(|outcome| outcome.is_final());
        for outcome in settled.chain([Outcome::Open]) {
            let count = count(self.outcomes[outcome as usize]).min(rest);
            rest -= count;
            mix.set(outcome, count);
        }
        mix.set(Outcome::Pending, rest);
        mix.greeted = count(self.greeted).min(mix.count(Outcome::Silent));
        mix.proofs = count(self.proofs).min(attempts);
        mix.wire_proofs = count(self.wire_proofs).min(attempts - mix.proofs);
        (attempts, mix)
    }

    /// Its rank at this time, under its limit. An episode without a limit hit for the length of a window
    /// ranks as one without attempts.
    pub(super) fn rank(&self, limit: Limit, now: Timestamp) -> Rank {
        let proven = u64::try_from(self.proofs + self.wire_proofs).unwrap_or(0);
        let last_over = Timestamp::from_nanos(self.over_after.saturating_sub(self.quiet_time));
        let is_over = now.since(last_over) <= limit.window;
        Rank::new(self.verified, proven, if is_over { self.ports.total() } else { 0 }, limit.attempts)
    }

    /// Its snapshot at this time, with the losses of the run so far.
    pub(super) fn snapshot(&self, time: Timestamp, losses: &Losses) -> Snapshot {
        let (attempts, outcomes) = self.attempts();
        Snapshot {
            episode: self.number,
            time,
            attempts,
            outcomes,
            copies: self.copies,
            retransmissions: self.retransmissions,
            last_seen: Timestamp::from_nanos(self.last_seen),
            shortest: self.shortest,
            ports: self.ports,
            destinations: self.destinations.first,
            hosts: self.hosts_estimate.as_ref().map(|estimate| (self.hosts.first, estimate.count())),
            verified: self.verified,
            bytes: self.bytes,
            losses: losses.since(&self.losses),
            answered: self.answered.third(),
            not_logged: self.not_logged,
        }
    }

    /// Frees the memory that it holds outside the array.
    pub(super) fn close(&mut self) {
        self.is_open = false;
        self.hosts_estimate = None;
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
