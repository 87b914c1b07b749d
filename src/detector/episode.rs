//! Open episodes, as the counting thread sees them: where to add what they count.
//!
//! This is the one lock that the counting thread takes, and only for a source whose slot is flagged: a `get` in the
//! map, held while a few counters are added to. The detector opens and closes episodes; it holds no guard while it
//! formats or sends.

use std::hash::BuildHasherDefault;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::one::Ref;
use prefetch_index::prefetch_index;

use super::collect::{AddressSet, PortCounts};
use super::counts::Counts;
use super::event::{Crossing, Key, Keyed, Sight};
use crate::alert::{Addresses, Kind, Ports};
use crate::clock::Ticks;
use crate::estimate::{Estimate, Mark};
use crate::outcome::{Life, Mix, Outcome};
use crate::time::Timestamp;

/// The open episodes.
#[derive(Debug, Default)]
pub struct Episodes {
    open: DashMap<Key, Arc<Episode>, BuildHasherDefault<Keyed>>,
    /// Written by the detector, read by the counting thread: no further episode can be opened. It publishes nothing.
    full: AtomicBool,
    /// How often an episode was opened or closed. `Release`, partner: the `Acquire` in [`Recent::get`].
    changes: AtomicU64,
    /// How many crossings, late attempts and late changes the counting thread has sent; `Relaxed`, it is compared with
    /// the next only.
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

/// Episodes that the counting thread has asked for lately: as long as none is opened or closed, it need not ask again,
/// which costs a lock.
#[derive(Debug)]
pub struct Recent(Box<[Option<Seen>]>);

/// An episode that was open, or `None` where there was none, after so many changes: in one cache line.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Seen {
    key: Key,
    changes: u64,
    episode: Option<Arc<Episode>>,
}

impl Recent {
    /// How many are remembered, a power of two: as many as there may be by default.
    const ROOM: usize = 4096;

    /// The open episode of a source with this tag: `is_it` tells whether a key with the tag is the one that is meant,
    /// and `key` puts that together. Most of the time it need not.
    #[inline]
    pub fn get(
        &mut self,
        episodes: &Episodes,
        tag: u64,
        is_it: impl FnOnce(&Key) -> bool,
        key: impl FnOnce() -> Key,
    ) -> Option<&Episode> {
        let changes = episodes.changes.load(Ordering::Acquire);
        let place = &mut self.0[Self::place(tag)];
        let is_known = |seen: &Seen| seen.changes == changes && seen.key.tag == tag && is_it(&seen.key);
        if !place.as_ref().is_some_and(is_known) {
            let key = key();
            let episode = episodes.get(&key).map(|episode| Arc::clone(&episode));
            *place = Some(Seen { key, changes, episode });
        }
        place.as_ref()?.episode.as_deref()
    }

    /// Has what is remembered of this tag brought into the cache.
    #[inline]
    pub fn prefetch(&self, tag: u64) {
        prefetch_index(&self.0, Self::place(tag));
    }

    /// Has the episode brought in that is remembered of this tag.
    #[inline]
    pub fn prefetch_episode(&self, tag: u64) {
        let seen = self.0[Self::place(tag)].as_ref().filter(|seen| seen.key.tag == tag);
        if let Some(episode) = seen.and_then(|seen| seen.episode.as_ref()) {
            episode.prefetch();
        }
    }

    fn place(tag: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "its lower bits are wanted")]
        let tag = tag as usize;
        tag % Self::ROOM
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self(vec![None; Self::ROOM].into())
    }
}

/// What is counted of an open episode.
#[derive(Debug)]
pub struct Episode {
    number: u64,
    limit: u16,
    /// In nanoseconds.
    quiet_time: i64,
    /// The tick from which on attempts are the episode's, and how often the range of ticks had been used up before it.
    since: (u32, Ticks),
    /// What the thread that counts has counted.
    counted: Counts,
    /// What the detector has: attempts that were on their way to it when the episode began.
    late: OnceLock<Box<Counts>>,
    /// How many hosts the attempts came from, where there can be several.
    hosts_estimate: Option<Arc<Estimate>>,
}

impl Episode {
    /// The episode of this number that a crossing opens: the window's attempts are counted.
    #[must_use]
    pub fn new(number: u64, crossing: &Crossing, quiet_time: Duration) -> Self {
        let Crossing { attempt, limit, .. } = crossing;
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
            since: crossing.since,
            counted: Counts::of(crossing),
            late: OnceLock::new(),
            hosts_estimate,
        }
    }

    /// Has what one more attempt changes brought into the cache.
    #[inline]
    fn prefetch(&self) {
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
    pub fn lasts_at(&self, time: Timestamp) -> bool {
        time <= self.over_after()
    }

    /// Whether an attempt whose first SYN came at this tick is the episode's.
    #[must_use]
    pub fn has(&self, started: (u32, Ticks)) -> bool {
        // An era later everything is.
        started >= self.since
    }

    /// Counts one more attempt: the span of the N attempts that it ends, if there are that many, and whether it met
    /// a limit. This and what follows is for the one thread that counts.
    #[inline]
    pub fn count(&self, sight: &Sight<'_>, span: Option<u64>, met: bool) {
        self.counted.count(sight, span, met, self.hosts_estimate.as_deref());
    }

    /// Takes note of what became of an attempt that began at this tick, if it is one of its own.
    pub fn change(&self, started: (u32, Ticks), before: Life, after: Life) {
        if self.has(started) {
            self.counted.change(before, after);
        }
    }

    /// Takes note of what an attempt is that counts from now on.
    pub fn settle(&self, life: Life) {
        self.counted.change(Life::default(), life);
    }

    /// Takes note that a limit by outcome was met at this time, and in what span if it is the episode's own.
    pub fn meet(&self, time: Timestamp, span: Option<u64>) {
        self.counted.meet(time, span);
    }

    /// Counts a copy of an attempt.
    pub fn count_copy(&self) {
        self.counted.copies.add(1);
    }

    /// Counts a retransmission of an attempt.
    pub fn count_retransmission(&self) {
        self.counted.retransmissions.add(1);
    }

    /// Counts an attempt, as [`Episode::count`] does. This and the next two are for the detector.
    pub(super) fn count_late(&self, sight: &Sight<'_>, span: Option<u64>, met: bool) {
        self.late().count(sight, span, met, self.hosts_estimate.as_deref());
    }

    /// The same as [`Episode::change`].
    pub(super) fn change_late(&self, started: (u32, Ticks), before: Life, after: Life) {
        if self.has(started) {
            self.late().change(before, after);
        }
    }

    /// The same as [`Episode::meet`].
    pub(super) fn meet_late(&self, time: Timestamp, span: Option<u64>) {
        self.late().meet(time, span);
    }

    fn late(&self) -> &Counts {
        self.late.get_or_init(Box::default)
    }

    /// All that was counted, by whom ever.
    #[inline]
    fn all(&self) -> impl Iterator<Item = &Counts> {
        std::iter::once(&self.counted).chain(self.late.get().map(|late| &**late))
    }

    /// The time after which it is over, if no further attempt meets a limit.
    #[inline]
    pub(super) fn over_after(&self) -> Timestamp {
        let last = self.all().map(Counts::last_over).fold(i64::MIN, i64::max);
        Timestamp::from_nanos(last.saturating_add(self.quiet_time))
    }

    /// How many attempts there were, and what became of them.
    ///
    /// Live, this goes on while it is read. What comes later in an attempt's life is read first: one that moves on
    /// meanwhile is missed, and is pending here, rather than counted twice.
    pub(super) fn attempts(&self) -> (u64, Mix) {
        // Of what came and went. Where an attempt's ring entry did not tell of a change before the episode (it was out
        // of order), one more may have gone than came.
        let sum = |of: &dyn Fn(&Counts) -> i64| u64::try_from(self.all().map(of).sum::<i64>()).unwrap_or(0);
        let (greeted, proofs) = (sum(&|counts| counts.greeted.get()), sum(&|counts| counts.proofs.get()));
        let mut mix = Mix::default();
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
        (mix.greeted, mix.proofs) = (greeted.min(mix.count(Outcome::Silent)), proofs.min(attempts));
        (attempts, mix)
    }

    pub(super) fn bytes(&self) -> (u64, u64) {
        // One that is told late may have been told before as more: that is taken away here.
        let sum = |of: &dyn Fn(&Counts) -> u64| self.all().map(of).fold(0, u64::wrapping_add);
        (sum(&|counts| counts.sent.get()), sum(&|counts| counts.received.get()))
    }

    pub(super) fn copies(&self) -> u64 {
        self.all().map(|counts| counts.copies.get()).sum()
    }

    pub(super) fn retransmissions(&self) -> u64 {
        self.all().map(|counts| counts.retransmissions.get()).sum()
    }

    pub(super) fn last_seen(&self) -> Timestamp {
        Timestamp::from_nanos(self.all().map(Counts::last_seen).fold(i64::MIN, i64::max))
    }

    /// The shortest span of N attempts, in ticks, N being that of the limit.
    pub(super) fn shortest(&self) -> u64 {
        self.all().map(|counts| counts.shortest.get()).fold(u64::MAX, u64::min)
    }

    /// Attempts by port.
    pub(super) fn ports(&self) -> Ports {
        PortCounts::ports(self.all().map(|counts| &counts.ports))
    }

    /// Where they went.
    pub(super) fn destinations(&self) -> Addresses {
        AddressSet::addresses(self.all().map(|counts| &counts.destinations))
    }

    /// The hosts that they came from, where there can be several, and an estimate of how many that were.
    pub(super) fn hosts(&self) -> Option<(Addresses, u64)> {
        let estimate = self.hosts_estimate.as_deref()?;
        Some((AddressSet::addresses(self.all().map(|counts| &counts.hosts)), estimate.count()))
    }
}
