//! What a fleet asks of a table: whether a source made its share of a limit, what is held of it, and a slot for a source
//! that is to be followed before it comes.

use super::ring::position;
use super::slot::Word;
use super::{Attempt, Claim, Recorded, Slot, Table, Ties, nonzero};
use crate::base::hyperloglog::Mark;
use crate::base::sync::Ordering;
use crate::engine::clock::Ticks;

impl Table {
    /// Whether the newest attempt of a slot and so many before it lie within so many ticks.
    #[must_use]
    pub(crate) fn has_within(&self, newest: &Recorded, attempts: u32, window: u64) -> bool {
        let back = attempts.max(1);
        let count = self.count_of(newest.slot);
        if back > count.min(self.ring) {
            return false;
        }
        let oldest = self.attempt(newest.slot, position(count, back, self.ring));
        oldest.is_some_and(|oldest| newest.time.since(oldest.time()) <= window)
    }

    /// The time of the attempt before the newest one of a slot, if there is one.
    #[must_use]
    pub(crate) fn previous(&self, newest: &Recorded) -> Option<Ticks> {
        let count = self.count_of(newest.slot);
        let is_held = count >= 2 && self.ring >= 2;
        is_held.then(|| self.attempt(newest.slot, position(count, 2, self.ring)))?.map(|entry| entry.time())
    }

    /// The attempts since a time that a slot holds, the newest first.
    pub(crate) fn attempts_since(&self, slot: Slot, since: Ticks) -> impl Iterator<Item = Attempt> + '_ {
        let count = self.count_of(slot);
        let attempt = move |back: u32| {
            let at = position(count, back, self.ring);
            let entry = self.attempt(slot, at).filter(|entry| entry.time() >= since)?;
            let mark = self.marks.get(self.index(slot.set(), slot.way(), at));
            Some(Attempt { time: entry.time(), port: entry.port(), code: entry.code(), mark })
        };
        (1..=count.min(self.ring)).map_while(attempt)
    }

    /// The mark of the newest attempt of a slot at this time to this port, if it is held.
    #[must_use]
    pub(crate) fn mark_at(&self, slot: Slot, time: Ticks, port: u16) -> Option<Mark> {
        let mut same = self.attempts_since(slot, time).filter(|attempt| attempt.time == time);
        same.find(|attempt| attempt.port == port).map(|attempt| attempt.mark)
    }

    /// The slot of a source. One that has none gets one: with its first attempt, where that waits in the doorkeeper, or
    /// empty. Also returns how it was claimed, if it was.
    pub(crate) fn hold(&self, tag: u64, now: Ticks, ties: &mut Ties) -> (Slot, Option<Claim>) {
        if let Some((slot, _)) = self.find(tag) {
            return (slot, None);
        }
        if let Some((slot, how)) = self.let_in(tag, now, ties) {
            return (slot, Some(how));
        }
        let (set, tag) = (self.set_of(tag), nonzero(tag));
        let (way, how) = self.claim_for((set, tag), now.second(), ties);
        let word = Word(self.sets[set].slots[way].word.load(Ordering::Relaxed));
        (Slot::new(set, way, word), Some(how))
    }

    /// How many attempts a slot has counted; 0 if it has given way.
    fn count_of(&self, slot: Slot) -> u32 {
        let word = Word(self.word_of(slot).load(Ordering::Relaxed));
        if word.generation() == slot.generation() { word.count() } else { 0 }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::time::Duration;

    use super::super::{Hint, Make};
    use super::*;
    use crate::engine::watch::Limit;

    fn table() -> Table {
        let make = Make { marks: true, doorkeeper: true, whole: true, named: false };
        Table::made(make, &[Limit::new(4, Duration::from_secs(10))], 1 << 16).unwrap()
    }

    fn record(table: &Table, tag: u64, second: u64, mark: u16, ties: &mut Ties) -> Option<Recorded> {
        let attempt = Attempt { time: at(second), port: 25, mark: Mark(mark), ..Attempt::default() };
        table.record_attempt(tag, Hint::default(), &attempt, ties).recorded().copied()
    }

    fn at(second: u64) -> Ticks {
        Ticks(second * 10_000)
    }

    #[test]
    fn a_share_is_met_by_so_many_attempts_within_the_window() {
        let (table, mut ties) = (table(), Ties::new(1));
        assert!(record(&table, 7, 100, 1, &mut ties).is_none(), "the first one waits");
        for (second, mark) in [(104, 2), (109, 3), (111, 4), (112, 5)] {
            let newest = record(&table, 7, second, mark, &mut ties).unwrap();
            let within = |attempts, seconds| table.has_within(&newest, attempts, at(seconds).0);
            let expected = match second {
                104 => [true, true, false, false],
                109 => [true, false, true, false],
                111 => [true, true, true, false],
                _ => [true, true, true, true],
            };
            assert_eq!([within(1, 0), within(2, 4), within(3, 9), within(4, 9)], expected, "{second}");
        }
    }

    #[test]
    fn what_is_held_has_its_marks_the_newest_first_and_not_what_is_older() {
        let (table, mut ties) = (table(), Ties::new(1));
        for (second, mark) in [(100, 1), (101, 2), (102, 3), (103, 4), (104, 5)] {
            record(&table, 7, second, mark, &mut ties);
        }
        let (slot, _) = table.find(7).unwrap();
        let marks =
            |since| table.attempts_since(slot, at(since)).map(|attempt| attempt.mark.0).collect::<Vec<_>>();
        assert_eq!(marks(0), [5, 4, 3, 2], "as many as the limit has");
        assert_eq!(marks(103), [5, 4]);
        assert_eq!(table.mark_at(slot, at(102), 25), Some(Mark(3)));
        assert_eq!(table.mark_at(slot, at(102), 26), None);
    }

    #[test]
    fn a_source_is_held_before_it_comes_and_with_its_first_attempt_after_that() {
        let (table, mut ties) = (table(), Ties::new(1));
        let (empty, claimed) = table.hold(7, at(100), &mut ties);
        assert_eq!(claimed, Some(Claim::Free));
        assert_eq!(table.attempts_since(empty, at(0)).count(), 0);
        assert_eq!(table.hold(7, at(100), &mut ties), (empty, None));
        let newest = record(&table, 7, 101, 1, &mut ties).unwrap();
        assert_eq!((newest.slot, table.previous(&newest)), (empty, None));
        record(&table, 8, 100, 2, &mut ties);
        let (slot, _) = table.hold(8, at(101), &mut ties);
        assert_eq!(table.attempts_since(slot, at(0)).map(|attempt| attempt.mark.0).collect::<Vec<_>>(), [2]);
        let newest = record(&table, 8, 102, 3, &mut ties).unwrap();
        assert_eq!(table.previous(&newest), Some(at(100)));
    }
}
