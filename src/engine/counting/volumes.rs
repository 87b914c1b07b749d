//! Counts the bytes of closed connections in the windows of the limits. The start report of an episode sums
//! them up.
//!
//! A ring entry has no room for bytes, and few entries need them: the sources that flood a table never send
//! one. So a separate table of fixed size holds them, and only closed connections with bytes reach it. Its
//! key consists of what is known of a ring entry: the owner, the time and the port. Attempts that agree in
//! all of these within one tick share one entry with the sum of their bytes.
//!
//! A new value is pending until there are enough of them, or some findings have been counted. Its set is not
//! in the cache, and a prefetch fetches it in the meantime.
//!
//! The oldest entry of a set of four gives way. If it is recent enough for some limit's window, the eviction
//! is counted. The table belongs to one thread.

use prefetch_index::prefetch_index;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::base::hash;
use crate::base::pages::Pages;
use crate::base::sync::OutOfMemory;
use crate::engine::clock::Ticks;
use crate::engine::outcome::{ConnSummary, Outcome};

use super::groups::GroupBy;

/// Entries of a set: two cache lines.
const WAYS: usize = 4;
/// Maximum pending values.
const WAITING: usize = 64;

/// Bytes of closed connections.
#[derive(Debug)]
pub struct Volumes {
    sets: Pages<[Entry; WAYS]>,
    /// Pending values that are not in their set yet, in order.
    waiting: Vec<Noted>,
    /// The longest window of any limit, in ticks.
    looks_back: u64,
    /// Number of windows summed so far.
    sums: u32,
    evicted: u64,
}

/// Bytes of the attempts of one source, network or destination, to one port within one tick.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Entry {
    /// 0 in an unused entry.
    tag: u64,
    sent: u64,
    received: u64,
    /// The second of the tick.
    second: u32,
    /// The last sum that includes it, because a window may contain its key twice.
    summed: u32,
}

/// Pending bytes of an attempt.
#[derive(Debug, Clone, Copy)]
struct Noted {
    tag: u64,
    /// The second of the attempt, and the first second that a window may still need.
    second: u64,
    looks_from: u64,
    /// Bytes from the client and from the server: the values stored before, and the present ones.
    before: (u32, u32),
    after: (u32, u32),
}

/// The owner of volumes: one ring of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Owner(u64);

impl Owner {
    /// The ring with this tag in a group of a watch.
    pub(in crate::engine) fn group(watch: u16, by: GroupBy, tag: u64) -> Self {
        Self::new(watch, by as u8, tag)
    }

    /// The ring of a source's attempts with this outcome.
    pub(in crate::engine) fn outcome(watch: u16, outcome: Outcome, tag: u64) -> Self {
        Self::new(watch, 0x80 | outcome as u8, tag)
    }

    fn new(watch: u16, table: u8, tag: u64) -> Self {
        Self(hash::with_number(tag, u32::from(watch) << 8 | u32::from(table)))
    }

    fn tag(self, time: Ticks, port: u16) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "ticks that are equal in 32 bits are five days apart"
        )]
        let time = time.0 as u32;
        hash::with_number(hash::end(self.0, port), time).max(1)
    }
}

impl Volumes {
    /// Makes a table of at most `memory` bytes, with at least one set.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(memory: usize) -> Result<Self, OutOfMemory> {
        let sets = Pages::zeroed(memory / size_of::<[Entry; WAYS]>())?;
        Ok(Self { sets, waiting: Vec::with_capacity(WAITING), looks_back: 0, sums: 0, evicted: 0 })
    }

    /// Entries that were evicted while a window could still need them, without the pending ones.
    pub(in crate::engine) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Sets the longest window, in ticks.
    pub(in crate::engine) fn look_back(&mut self, longest: u64) {
        self.looks_back = longest;
    }

    /// Adds the bytes of an attempt at this time to this port. Those of `before` were added earlier.
    pub(in crate::engine) fn note(
        &mut self,
        owner: Owner,
        (time, port): (Ticks, u16),
        before: ConnSummary,
        after: ConnSummary,
        now: Ticks,
    ) {
        let looks_from = Ticks(now.0.saturating_sub(self.looks_back)).second();
        let is_same = (before.sent, before.received) == (after.sent, after.received);
        if is_same || time.second() < looks_from {
            return;
        }
        if self.waiting.len() == WAITING {
            self.flush();
        }
        let (before, after) = ((before.sent, before.received), (after.sent, after.received));
        let tag = owner.tag(time, port);
        let set = &self.sets[self.place(tag)];
        prefetch_index(set, 0);
        prefetch_index(set, WAYS / 2);
        self.waiting.push(Noted { tag, second: time.second(), looks_from, before, after });
    }

    /// Stores the pending values in their sets.
    pub(in crate::engine) fn flush(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.drain(..).for_each(|noted| self.put(noted));
        self.waiting = waiting;
    }

    fn put(&mut self, noted: Noted) {
        let Noted { tag, second, looks_from, before, after } = noted;
        let at = self.place(tag);
        let set = &mut self.sets[at];
        if let Some(entry) = set.iter_mut().find(|entry| entry.tag == tag) {
            let change = |noted: u64, before: u32, after: u32| {
                (noted + u64::from(after)).saturating_sub(before.into())
            };
            entry.sent = change(entry.sent, before.0, after.0);
            entry.received = change(entry.received, before.1, after.1);
            return;
        }
        // An unused entry is older than any other.
        let Some(oldest) = set.iter_mut().min_by_key(|entry| (entry.tag != 0, entry.second)) else { return };
        self.evicted += u64::from(oldest.tag != 0 && u64::from(oldest.second) >= looks_from);
        *oldest = Entry {
            tag,
            sent: after.0.into(),
            received: after.1.into(),
            second: u32::try_from(second).unwrap_or(u32::MAX),
            summed: 0,
        };
    }

    /// The set for this tag.
    fn place(&self, tag: u64) -> usize {
        hash::set_of(tag, self.sets.length())
    }

    /// Bytes of these attempts, from their clients and from their servers.
    pub(in crate::engine) fn sum(
        &mut self,
        owner: Owner,
        attempts: impl Iterator<Item = (Ticks, u16)>,
    ) -> (u64, u64) {
        self.flush();
        self.sums = self.sums.wrapping_add(1).max(1);
        let (mut sent, mut received) = (0, 0);
        for (time, port) in attempts {
            let tag = owner.tag(time, port);
            let at = self.place(tag);
            let known = self.sets[at].iter_mut().find(|entry| entry.tag == tag);
            if let Some(entry) = known.filter(|entry| entry.summed != self.sums) {
                entry.summed = self.sums;
                sent += entry.sent;
                received += entry.received;
            }
        }
        (sent, received)
    }

    /// Clears the table, because the range of ticks starts again.
    pub(in crate::engine) fn clear(&mut self) {
        self.waiting.clear();
        for set in self.sets.all_mut() {
            // The loop only reads memory that was never written.
            if set.iter().any(|entry| entry.tag != 0) {
                *set = [Entry::default(); WAYS];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::Proof;

    const NONE: ConnSummary = CLOSED;
    const CLOSED: ConnSummary =
        ConnSummary { outcome: Outcome::Spoke, greeted: true, proof: Proof::Yes, sent: 0, received: 0 };
    const NOW: Ticks = Ticks(1_000_000);

    fn bytes(sent: u32, received: u32) -> ConnSummary {
        ConnSummary { sent, received, ..CLOSED }
    }

    fn owner(tag: u64) -> Owner {
        Owner::group(0, GroupBy::Source, tag)
    }

    /// Room for so many sets, with windows of a minute.
    fn volumes(sets: usize) -> Volumes {
        let mut volumes = Volumes::new(sets * size_of::<[Entry; WAYS]>()).unwrap();
        volumes.look_back(600_000);
        volumes
    }

    #[test]
    fn a_window_sums_what_its_own_attempts_carried() {
        let mut volumes = volumes(64);
        volumes.note(owner(7), (NOW, 25), NONE, bytes(10, 200), NOW);
        volumes.note(owner(7), (NOW, 110), NONE, bytes(1, 20), NOW);
        volumes.note(owner(7), (Ticks(NOW.0 + 1), 25), NONE, bytes(0, 3), NOW);
        volumes.note(owner(8), (NOW, 25), NONE, bytes(5000, 5000), NOW);
        volumes.note(Owner::group(0, GroupBy::Network, 7), (NOW, 25), NONE, bytes(5000, 5000), NOW);
        volumes.note(Owner::group(1, GroupBy::Source, 7), (NOW, 25), NONE, bytes(5000, 5000), NOW);
        volumes.note(Owner::outcome(0, Outcome::Silent, 7), (NOW, 25), NONE, bytes(5000, 5000), NOW);
        let window = [(NOW, 25), (NOW, 110), (Ticks(NOW.0 + 1), 25), (Ticks(NOW.0 + 2), 25)];
        assert_eq!(volumes.sum(owner(7), window.into_iter()), (11, 223));
        // Once more, and a part of it.
        assert_eq!(volumes.sum(owner(7), window.into_iter()), (11, 223));
        assert_eq!(volumes.sum(owner(7), window.into_iter().skip(2)), (0, 3));
    }

    #[test]
    fn attempts_of_one_tick_are_summed_and_count_once() {
        let mut volumes = volumes(64);
        volumes.note(owner(7), (NOW, 25), NONE, bytes(1, 20), NOW);
        volumes.note(owner(7), (NOW, 25), NONE, bytes(2, 40), NOW);
        let window = [(NOW, 25), (NOW, 110), (NOW, 25)];
        assert_eq!(volumes.sum(owner(7), window.into_iter()), (3, 60));
    }

    #[test]
    fn what_is_known_better_later_replaces_what_was_noted() {
        let mut volumes = volumes(64);
        volumes.note(owner(7), (NOW, 25), NONE, bytes(u32::MAX, u32::MAX), NOW);
        volumes.note(owner(7), (NOW, 25), bytes(u32::MAX, u32::MAX), bytes(100, 20), NOW);
        assert_eq!(volumes.sum(owner(7), [(NOW, 25)].into_iter()), (100, 20));
    }

    #[test]
    fn the_oldest_gives_way_and_is_counted_while_a_window_may_need_it() {
        let mut volumes = volumes(1);
        let second = 10_000;
        for n in 0..5 {
            volumes.note(owner(n), (Ticks(NOW.0 + n * second), 25), NONE, bytes(1, 1), NOW);
        }
        volumes.flush();
        assert_eq!(volumes.evicted(), 1);
        assert_eq!(volumes.sum(owner(0), [(NOW, 25)].into_iter()), (0, 0));
        assert_eq!(volumes.sum(owner(1), [(Ticks(NOW.0 + second), 25)].into_iter()), (1, 1));
        // The next one is too old by then: by a second.
        for (late, evicted) in [(61, 2), (63, 2)] {
            let now = Ticks(NOW.0 + late * second);
            volumes.note(owner(late), (now, 25), NONE, bytes(1, 1), now);
            volumes.flush();
            assert_eq!(volumes.evicted(), evicted, "{late} s later");
        }
    }

    #[test]
    fn what_no_window_can_hold_any_more_is_not_noted() {
        for (seconds, sum) in [(60, (1, 1)), (61, (0, 0))] {
            let mut volumes = volumes(64);
            volumes.note(owner(7), (NOW, 25), NONE, bytes(1, 1), Ticks(NOW.0 + seconds * 10_000));
            assert_eq!(volumes.sum(owner(7), [(NOW, 25)].into_iter()), sum, "{seconds} s later");
        }
    }

    #[test]
    fn what_waits_is_summed_with_the_rest_in_the_order_in_which_it_was_noted() {
        for settled_at in [0, 1, WAITING, WAITING + 1, 2 * WAITING + 1] {
            let mut volumes = volumes(64);
            for n in 0..2 * WAITING + 2 {
                if n == settled_at {
                    volumes.flush();
                }
                // Each corrects the one before.
                let before = if n == 0 { NONE } else { bytes(n as u32, 1) };
                volumes.note(owner(7), (NOW, 25), before, bytes(n as u32 + 1, 1), NOW);
            }
            let sum = volumes.sum(owner(7), [(NOW, 25)].into_iter());
            assert_eq!(sum, (2 * WAITING as u64 + 2, 1), "settled at {settled_at}");
        }
    }

    #[test]
    fn nothing_is_left_where_ticks_begin_anew() {
        let mut volumes = volumes(64);
        volumes.note(owner(7), (NOW, 25), NONE, bytes(1, 1), NOW);
        volumes.clear();
        assert_eq!(volumes.sum(owner(7), [(NOW, 25)].into_iter()), (0, 0));
    }
}
