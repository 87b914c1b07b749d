//! Keeps attempts that come out of order in the order of their times. These are proven attempts, whose proofs
//! take different times.
//!
//! It works with a table whose rings hold all N attempts of the largest limit ([`Make::whole`]), so that a
//! query at any time finds the limits that its newest attempts meet.
//!
//! [`Make::whole`]: super::Make::whole

use super::doorkeeper::Admission;
use super::record::Recorded;
use super::ring::{Entry, position};
use super::slot::{Word, publish};
use super::{Attempt, Claim, Slot, Table, Ties, nonzero};
use crate::base::hyperloglog::Mark;
use crate::base::sync::Ordering;
use crate::engine::clock::Ticks;

impl Table {
    /// Inserts an attempt by its time. Returns whether it evicted a live source. An attempt that is older
    /// than the newest one by more than the longest window is dropped, because it can meet no limit any more.
    ///
    /// A source that gives way in the doorkeeper gets a slot that is free, if there is one. Only completed
    /// handshakes come here, and none of their sources is to be forgotten while there is room.
    pub fn insert(&self, tag: u64, attempt: &Attempt, ties: &mut Ties) -> bool {
        let tag = nonzero(tag);
        let at = self.set_of(tag);
        if let Some(way) = self.way_of(at, tag) {
            self.insert_into(at, way, attempt);
            return false;
        }
        let mut first = None;
        if let Some(doorkeeper) = &self.doorkeeper {
            let displaced = doorkeeper.displaced_by(tag, attempt.time);
            match doorkeeper.admit(tag, attempt) {
                Admission::Waits { .. } => {
                    return displaced
                        .is_some_and(|(tag, first)| !self.insert_if_free(tag, &first, attempt.time));
                }
                Admission::Enters(held) => first = Some(held),
            }
        }
        let (way, how) = self.claim_for((at, tag), attempt.time.second(), ties);
        for attempt in first.iter().chain([attempt]) {
            self.insert_into(at, way, attempt);
        }
        how == Claim::Evicted
    }

    /// Inserts the first attempt of a source into a free slot. Returns whether there is one.
    fn insert_if_free(&self, tag: u64, first: &Attempt, now: Ticks) -> bool {
        let at = self.set_of(tag);
        let Some(way) = self.claim_free((at, tag), first.time, now) else { return false };
        self.insert_into(at, way, first);
        true
    }

    /// Removes an attempt of this time and port, if it is there.
    pub(crate) fn withdraw(&self, tag: u64, time: Ticks, port: u16) {
        let tag = nonzero(tag);
        let at = self.set_of(tag);
        let Some(way) = self.way_of(at, tag) else {
            if let Some(doorkeeper) = &self.doorkeeper {
                doorkeeper.withdraw(tag, time, port);
            }
            return;
        };
        let (word, held) = self.held(at, way);
        let is_it = |entry: Entry| entry.time() == time && entry.port() == port;
        let Some(found) = (1..=held).find(|back| self.own(at, way, word, *back).is_some_and(is_it)) else {
            return;
        };
        // The older ones move up, so that the gap is at the end.
        for back in found..held {
            self.copy(at, way, word, (back + 1, back));
        }
        self.put(at, way, word, (held, Entry::NONE, Mark::default()));
    }

    /// The newest attempt of a source with a slot, as input for [`Table::met`], [`Table::span`] and
    /// [`Table::window`].
    pub(crate) fn newest_of(&self, tag: u64) -> Option<Recorded> {
        let tag = nonzero(tag);
        let at = self.set_of(tag);
        let way = self.way_of(at, tag)?;
        let (word, held) = self.held(at, way);
        let entry = self.own(at, way, word, 1).filter(|_| held > 0)?;
        let index = self.index(at, way, position(word.count(), 1, self.ring));
        Some(Recorded::again(Slot::new(at, way, word), entry, self.marks.get(index), word, index))
    }

    /// The first limit that these newest attempts meet with all of them inside the limit's window before this
    /// time.
    #[must_use]
    pub(crate) fn still_met(&self, newest: &Recorded, until: Ticks) -> Option<usize> {
        (0..self.limits.len()).find(|&limit| {
            let window = self.limits[limit].1;
            let oldest = self.span(newest, limit).map(|span| Ticks(newest.time.0 - span));
            oldest.is_some_and(|oldest| newest.time.since(oldest).max(until.since(oldest)) <= window)
        })
    }

    fn insert_into(&self, at: usize, way: usize, attempt: &Attempt) {
        let (word, held) = self.held(at, way);
        let entry = Entry::of_attempt(attempt, word.generation());
        let newest = self.own(at, way, word, 1).map(Entry::time);
        let is_beyond = newest.is_some_and(|newest| newest.since(attempt.time) > self.longest_window());
        let later =
            |back: &u32| self.own(at, way, word, *back).is_some_and(|other| other.time() > attempt.time);
        let newer = (1..=held).take_while(later).count();
        #[expect(clippy::cast_possible_truncation, reason = "no more than the ring has")]
        let newer = newer as u32;
        // A full ring of newer attempts meets every limit that can be met.
        if is_beyond || newer == self.ring {
            return;
        }
        // The oldest is at the position of the next entry, so it is copied first.
        for back in 1..=newer {
            self.copy(at, way, word, (back, back - 1));
        }
        self.put(at, way, word, (newer, entry, attempt.mark));
        let second = attempt.time.second();
        publish(&self.sets[at].slots[way].word, word.after_attempt(self.ring, second));
    }

    /// A slot's word, and how many entries its ring holds.
    fn held(&self, at: usize, way: usize) -> (Word, u32) {
        let word = Word(self.sets[at].slots[way].word.load(Ordering::Relaxed));
        (word, word.count().min(self.ring))
    }

    /// The entry that many before the next one of this word, if it is of the present claim.
    fn own(&self, at: usize, way: usize, word: Word, back: u32) -> Option<Entry> {
        let cell = self.entry(at, way, position(word.count(), back, self.ring));
        Entry(cell.load(Ordering::Relaxed)).of(word.generation())
    }

    fn put(&self, at: usize, way: usize, word: Word, (back, entry, mark): (u32, Entry, Mark)) {
        let index = self.index(at, way, position(word.count(), back, self.ring));
        self.rings[index].store(entry.0, Ordering::Relaxed);
        self.marks.set(index, mark);
    }

    fn copy(&self, at: usize, way: usize, word: Word, (from, to): (u32, u32)) {
        let index = self.index(at, way, position(word.count(), from, self.ring));
        let entry = Entry(self.rings[index].load(Ordering::Relaxed));
        self.put(at, way, word, (to, entry, self.marks.get(index)));
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::counters::Make;
    use crate::engine::watch::Limit;

    const MAKE: Make = Make { marks: true, doorkeeper: true, whole: true, named: false };
    const TAG: u64 = 0x9e37_79b9_7f4a_7c15;

    fn table(limits: &[&str]) -> Table {
        let limits: Vec<Limit> = limits.iter().map(|limit| limit.parse().unwrap()).collect();
        Table::made(MAKE, &limits, 1 << 14).unwrap()
    }

    fn attempt(tick: u64) -> Attempt {
        #[expect(clippy::cast_possible_truncation, reason = "any will do, so that each is known again")]
        let (port, mark) = (tick as u16, Mark(tick as u16));
        Attempt { time: Ticks(tick), port, mark, ..Attempt::default() }
    }

    /// Whether N of these times lie within so many ticks, the newest among them.
    fn meets(times: &[u64], attempts: usize, window: u64) -> bool {
        let newest = times.iter().rev().take(attempts);
        newest.clone().count() == attempts && times.last().unwrap() - newest.min().unwrap() <= window
    }

    proptest! {
        #[test]
        fn what_comes_in_any_order_meets_what_it_would_meet_in_order(
            steps in proptest::collection::vec((0..4_000u64, 0..60_000u64, 0..8u8), 1..200),
        ) {
            let table = table(&["3/1s", "7/5s"]);
            let mut ties = Ties::new(1);
            let (mut now, mut held) = (100_000, Vec::<u64>::new());
            for (later, late, kind) in steps {
                now += later;
                if kind == 0 && !held.is_empty() {
                    let gone = held.remove(usize::try_from(late).unwrap() % held.len());
                    table.withdraw(TAG, Ticks(gone), attempt(gone).port);
                } else {
                    let time = if kind < 3 { now - late } else { now };
                    let newest = held.last().copied().unwrap_or(0);
                    let newer = held.iter().filter(|other| **other > time).count();
                    table.insert(TAG, &attempt(time), &mut ties);
                    if newest.saturating_sub(time) <= 50_000 && newer < 7 {
                        held.push(time);
                        held.sort_unstable();
                    }
                }
                // An entry that is gone does not return when later ones are removed.
                if held.len() > 7 {
                    held.remove(0);
                }
                let found = table.newest_of(TAG);
                if let Some(found) = found {
                    prop_assert_eq!(Some(&found.time.0), held.last());
                    let expected = [(3, 10_000), (7, 50_000)].iter().position(|(n, w)| meets(&held, *n, *w));
                    prop_assert_eq!(table.met(&found), expected, "{:?}", held);
                    if let Some(limit) = expected {
                        let window: Vec<_> = table.window(&found, limit).collect();
                        let newest = &held[held.len() - window.len()..];
                        prop_assert!(window.iter().map(|a| a.time.0).eq(newest.iter().copied()));
                        prop_assert!(window.iter().all(|a| *a == attempt(a.time.0)), "each keeps what is its own");
                    }
                } else {
                    // One waits in the doorkeeper, which forgets what is beyond its window, or a slot has lost its
                    // last one.
                    let newest = held.last().copied().unwrap_or(0);
                    held.retain(|time| newest - time <= 50_000);
                    prop_assert!(held.len() < 3, "{:?}", held);
                }
            }
        }
    }

    #[test]
    fn late_attempts_count_at_their_own_times() {
        let table = table(&["3/10s"]);
        let mut ties = Ties::new(1);
        for (second, meets) in [(20, false), (29, false), (15, false), (18, false), (24, true)] {
            table.insert(TAG, &attempt(second * 10_000), &mut ties);
            let met = table.newest_of(TAG).and_then(|newest| table.met(&newest));
            assert_eq!(met.is_some(), meets, "{second} s");
        }
    }

    #[test]
    fn sources_that_are_proven_by_turns_lose_nothing_while_slots_are_free() {
        let limits: Vec<Limit> = vec!["3/1h".parse().unwrap()];
        // The doorkeeper has 68 places.
        let table = Table::made(MAKE, &limits, 20_000).unwrap();
        let (mut ties, sources) = (Ties::new(1), table.slots() as u64 / 4);
        assert!(sources > 80, "{sources}");
        for round in 0..3 {
            for source in 0..sources {
                let attempt = attempt(100_000 + round * 10_000 + source);
                assert!(!table.insert(TAG.wrapping_mul(2 * source + 1), &attempt, &mut ties));
            }
        }
        let is_met = |source| {
            let newest = table.newest_of(TAG.wrapping_mul(2 * source + 1)).unwrap();
            table.met(&newest) == Some(0)
        };
        assert!((0..sources).all(is_met));
    }
}
