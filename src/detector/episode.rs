//! Open episodes, as capture threads see them: where to add what they count.
//!
//! This is the one lock that a capture thread takes, and only for a source whose slot is flagged: a `get` in the map,
//! held while a few counters are added to. The detector opens and closes episodes; it holds no guard while it formats
//! or sends.

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::one::Ref;

use super::collect::{AddressSet, PortCounts};
use super::event::{Crossing, Key, Keyed, Sight};
use crate::alert::Kind;
use crate::clock::Ticks;
use crate::estimate::{Estimate, Mark};
use crate::outcome::{Code, Life, Mix, Outcome};
use crate::time::Timestamp;

/// The open episodes.
#[derive(Debug, Default)]
pub struct Episodes {
    open: DashMap<Key, Arc<Episode>, BuildHasherDefault<Keyed>>,
    /// Written by the detector, read by capture threads: no further episode can be opened. It publishes nothing.
    full: AtomicBool,
    /// How often an episode was opened or closed. `Release`, partner: the `Acquire` in [`Recent::get`].
    changes: AtomicU64,
    /// How many crossings, late attempts and late changes capture threads have sent; `Relaxed`, it is compared with the next only.
    sent: AtomicU64,
    /// How many of them the detector has dealt with. `Release`, partner: the `Acquire` in [`Episodes::are_settled`].
    /// Who sees a crossing counted here finds its episode.
    handled: AtomicU64,
}

impl Episodes {
    /// The open episode of a source. Other threads cannot open or close some episodes while it is held.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Ref<'_, Key, Arc<Episode>>> {
        self.open.get(key)
    }

    /// Whether no further episode can be opened.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Whether nothing that was sent still has to be dealt with.
    #[must_use]
    pub fn are_settled(&self) -> bool {
        let handled = self.handled.load(Ordering::Acquire);
        handled == self.sent.load(Ordering::Relaxed)
    }

    /// Counts a crossing, a late attempt or a late change that is about to be sent.
    pub fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that was dealt with, or could not be sent.
    pub fn count_handled(&self) {
        self.handled.fetch_add(1, Ordering::Release);
    }

    pub(super) fn open(&self, key: Key, episode: Arc<Episode>) {
        self.open.insert(key, episode);
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(super) fn close(&self, key: &Key) {
        self.open.remove(key);
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }
}

/// Episodes that a capture thread has asked for lately: as long as none is opened or closed, it need not ask again,
/// which costs a lock.
#[derive(Debug)]
pub struct Recent(Box<[Option<Seen>]>);

/// An episode that was open, or `None` where there was none, after so many changes.
#[derive(Debug, Clone)]
struct Seen {
    key: Key,
    changes: u64,
    episode: Option<Arc<Episode>>,
}

impl Recent {
    /// How many are remembered: a power of two.
    const ROOM: usize = 1024;

    /// The open episode of a source with this tag: `is_it` tells whether a key with the tag is the one that is meant, and
    /// `key` puts that together. Most of the time it need not.
    #[inline]
    pub fn get(
        &mut self,
        episodes: &Episodes,
        tag: u64,
        is_it: impl FnOnce(&Key) -> bool,
        key: impl FnOnce() -> Key,
    ) -> Option<&Episode> {
        let changes = episodes.changes.load(Ordering::Acquire);
        #[expect(clippy::cast_possible_truncation, reason = "its lower bits are wanted")]
        let place = &mut self.0[tag as usize % Self::ROOM];
        let is_known = |seen: &Seen| seen.changes == changes && seen.key.tag == tag && is_it(&seen.key);
        if !place.as_ref().is_some_and(is_known) {
            let key = key();
            let episode = episodes.get(&key).map(|episode| Arc::clone(&episode));
            *place = Some(Seen { key, changes, episode });
        }
        place.as_ref()?.episode.as_deref()
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self(vec![None; Self::ROOM].into())
    }
}

/// What is counted of an open episode. Capture threads add, the detector reads; each counter stands for itself, so
/// all are `Relaxed`: in replay the two take turns, live a report may miss what is being counted at that moment.
#[derive(Debug)]
pub struct Episode {
    number: u64,
    limit: u16,
    /// In nanoseconds.
    quiet_time: i64,
    copies: AtomicU64,
    retransmissions: AtomicU64,
    /// The last attempt that met no limit.
    last_seen: AtomicI64,
    /// The last attempt that met one.
    last_over: AtomicI64,
    /// The last time that a limit by outcome was met.
    last_met: AtomicI64,
    /// The shortest span of N attempts, in ticks, N being that of the limit.
    shortest: AtomicU64,
    /// The tick from which on attempts are the episode's, and how often the range of ticks had been used up before it.
    since: (u32, Ticks),
    /// Attempts by outcome; those that are pending are the rest.
    outcomes: [AtomicI64; Outcome::ALL.len()],
    greeted: AtomicI64,
    proofs: AtomicI64,
    sent: AtomicU64,
    received: AtomicU64,
    /// Attempts by port.
    pub(super) ports: PortCounts,
    /// Where they went.
    pub(super) destinations: AddressSet,
    /// The hosts that they came from.
    pub(super) hosts: AddressSet,
    /// How many hosts that were, where there can be several.
    pub(super) hosts_estimate: Option<Arc<Estimate>>,
}

impl Episode {
    /// The episode of this number that a crossing opens: the window's attempts are counted.
    #[must_use]
    pub fn new(number: u64, crossing: &Crossing, quiet_time: Duration) -> Self {
        let Crossing { attempt, limit, span, ports: window, .. } = crossing;
        let time = attempt.time.nanos();
        let ports = PortCounts::default();
        window.iter().for_each(|(port, attempts)| ports.add(port, attempts));
        ports.add_others(window.others());
        let (destinations, hosts) = (AddressSet::default(), AddressSet::default());
        destinations.add(attempt.dst_hash, &attempt.dst);
        hosts.add(attempt.src_hash, &attempt.src);
        let key = attempt.key;
        let has_several = key.kind != Kind::Source || key.source.is_network();
        let hosts_estimate = has_several.then(|| crossing.hosts.clone().unwrap_or_default());
        if let Some(estimate) = &hosts_estimate {
            estimate.add(Mark::of(attempt.src_hash));
        }
        Self {
            number,
            limit: *limit,
            quiet_time: i64::try_from(quiet_time.as_nanos()).unwrap_or(i64::MAX),
            copies: AtomicU64::new(0),
            retransmissions: AtomicU64::new(0),
            last_seen: AtomicI64::new(time),
            last_over: AtomicI64::new(time),
            last_met: AtomicI64::new(time),
            shortest: AtomicU64::new(*span),
            since: crossing.since,
            outcomes: Outcome::BY_NUMBER.map(|outcome| signed(crossing.outcomes.count(outcome))),
            greeted: signed(crossing.outcomes.greeted),
            proofs: signed(crossing.outcomes.proofs),
            sent: AtomicU64::new(crossing.bytes.0),
            received: AtomicU64::new(crossing.bytes.1),
            ports,
            destinations,
            hosts,
            hosts_estimate,
        }
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
    pub fn lasts_at(&self, time: Timestamp) -> bool {
        time <= self.over_after()
    }

    /// Counts one more attempt: the span of the N attempts that it ends, if there are that many, and whether it met
    /// a limit.
    pub fn count(&self, sight: &Sight<'_>, span: Option<u64>, met: bool) {
        let Sight { time, src, dst, dst_port } = *sight;
        let last = if met { &self.last_over } else { &self.last_seen };
        last.fetch_max(time.nanos(), Ordering::Relaxed);
        self.shorten(span);
        self.ports.add(dst_port, 1);
        self.destinations.add(dst.0, dst.1);
        if let Some(estimate) = &self.hosts_estimate {
            // What is kept has been estimated.
            if !self.hosts.add(src.0, src.1) {
                estimate.add(Mark::of(src.0));
            }
        }
    }

    fn shorten(&self, span: Option<u64>) {
        // It seldom is the shortest: a look is cheaper than a swap.
        if let Some(span) = span.filter(|span| *span < self.shortest.load(Ordering::Relaxed)) {
            self.shortest.fetch_min(span, Ordering::Relaxed);
        }
    }

    /// Whether an attempt whose first SYN came at this tick is the episode's.
    #[must_use]
    pub fn has(&self, started: (u32, Ticks)) -> bool {
        // An era later everything is.
        started >= self.since
    }

    /// Takes note of what became of an attempt that began at this tick, if it is one of its own.
    pub fn change(&self, started: (u32, Ticks), before: Life, after: Life) {
        if self.has(started) {
            self.add(before, after);
        }
    }

    /// Takes note of what an attempt is that counts from now on.
    pub fn settle(&self, life: Life) {
        self.add(Life::default(), life);
    }

    fn add(&self, before: Life, after: Life) {
        if before.outcome != after.outcome {
            self.outcomes[before.outcome as usize].fetch_sub(1, Ordering::Relaxed);
            // `Release`, partner: the `Acquire` in `unsigned`. Who sees this sees that the attempt was counted.
            self.outcomes[after.outcome as usize].fetch_add(1, Ordering::Release);
        }
        let greeted = |life| i64::from(Code::from(life).life().1);
        self.greeted.fetch_add(greeted(after) - greeted(before), Ordering::Relaxed);
        self.proofs.fetch_add(i64::from(after.proven) - i64::from(before.proven), Ordering::Relaxed);
        // Wrapping is how a smaller number is added.
        self.sent.fetch_add(u64::from(after.sent).wrapping_sub(before.sent.into()), Ordering::Relaxed);
        self.received
            .fetch_add(u64::from(after.received).wrapping_sub(before.received.into()), Ordering::Relaxed);
    }

    /// Takes note that a limit by outcome was met at this time, and in what span if it is the episode's own.
    pub fn meet(&self, time: Timestamp, span: Option<u64>) {
        self.last_met.fetch_max(time.nanos(), Ordering::Relaxed);
        self.shorten(span);
    }

    /// Counts a copy of an attempt.
    pub fn count_copy(&self) {
        self.copies.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a retransmission of an attempt.
    pub fn count_retransmission(&self) {
        self.retransmissions.fetch_add(1, Ordering::Relaxed);
    }

    /// The time after which it is over, if no further attempt meets a limit.
    pub(super) fn over_after(&self) -> Timestamp {
        let [over, met] = [&self.last_over, &self.last_met].map(|last| last.load(Ordering::Relaxed));
        Timestamp::from_nanos(over.max(met).saturating_add(self.quiet_time))
    }

    /// How many attempts there were, and what became of them.
    ///
    /// Live, this goes on while it is read. What comes later in an attempt's life is read first: one that moves on
    /// meanwhile is missed, and is pending here, rather than counted twice.
    pub(super) fn attempts(&self) -> (u64, Mix) {
        let (greeted, proofs) = (unsigned(&self.greeted), unsigned(&self.proofs));
        let mut mix = Mix::default();
        let settled = Outcome::ALL.into_iter().filter(|outcome| outcome.is_settled());
        let counts: Vec<_> = settled
            .chain([Outcome::Open])
            .map(|outcome| (outcome, unsigned(&self.outcomes[outcome as usize])))
            .collect();
        let attempts = self.ports.total();
        // Of attempts within one tick, one before the episode is not told from one that is the episode's. They sum to
        // the attempts all the same.
        let mut rest = attempts;
        for (outcome, count) in counts {
            let count = count.min(rest);
            rest -= count;
            mix.set(outcome, count);
        }
        mix.set(Outcome::Pending, rest);
        (mix.greeted, mix.proofs) = (greeted.min(mix.count(Outcome::Silent)), proofs.min(attempts));
        (attempts, mix)
    }

    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    pub(super) fn copies(&self) -> u64 {
        self.copies.load(Ordering::Relaxed)
    }

    pub(super) fn retransmissions(&self) -> u64 {
        self.retransmissions.load(Ordering::Relaxed)
    }

    pub(super) fn last_seen(&self) -> Timestamp {
        let [seen, over] = [&self.last_seen, &self.last_over].map(|last| last.load(Ordering::Relaxed));
        Timestamp::from_nanos(seen.max(over))
    }

    pub(super) fn shortest(&self) -> u64 {
        self.shortest.load(Ordering::Relaxed)
    }
}

fn signed(count: u64) -> AtomicI64 {
    AtomicI64::new(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A count of what came and went. Where an attempt's ring entry did not tell of a change before the episode (it was
/// out of order), one more may have gone than came.
fn unsigned(count: &AtomicI64) -> u64 {
    u64::try_from(count.load(Ordering::Acquire)).unwrap_or(0)
}
