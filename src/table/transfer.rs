//! What a table holds, moved to one of another size.
//!
//! For one thread alone: nobody records in either table meanwhile. It takes a time that grows with the slots in use.

use super::claim::is_idle;
use super::slot::{BUSY, EMPTY, Word};
use super::{Table, WAYS};
use crate::clock::Ticks;
use crate::sync::Ordering;

impl Table {
    /// Takes over what another table for the same limits holds: of each source its attempts with their marks, its
    /// priority and its flag. This table is new. Gives how many live sources found no room: in a full set those with an
    /// episode stay, then those with the highest priority.
    pub fn take_over(&self, old: &Self, now: Ticks) -> u64 {
        let mut lost = 0;
        for (at, set) in old.sets.iter().enumerate() {
            for way in 0..WAYS {
                let tag = set.tags[way].load(Ordering::Relaxed);
                let word = Word(set.words[way].load(Ordering::Relaxed));
                if tag == EMPTY || tag == BUSY {
                    continue;
                }
                let is_live = !is_idle(word, now.second(), old.idle_after);
                if is_live || word.is_flagged() {
                    lost += u64::from(!self.place(tag, word, old, (at, way)));
                }
            }
        }
        let waiting = self.door.as_ref().zip(old.door.as_ref());
        lost + waiting.map_or(0, |(door, old)| door.take_over(old, now))
    }

    /// Gives a slot of another table a place here, and says whether nobody is lost for that.
    fn place(&self, tag: u64, word: Word, old: &Self, (from, from_way): (usize, usize)) -> bool {
        let at = self.set_of(tag);
        let set = &self.sets[at];
        let rank = |word: Word| (word.is_flagged(), word.priority());
        let in_use = |way: usize| set.tags[way].load(Ordering::Relaxed) != EMPTY;
        let held = |way: usize| Word(set.words[way].load(Ordering::Relaxed));
        let is_full = (0..WAYS).all(in_use);
        let way = if is_full {
            (0..WAYS).min_by_key(|way| rank(held(*way)))
        } else {
            (0..WAYS).find(|way| !in_use(*way))
        };
        let Some(way) = way.filter(|way| !is_full || rank(held(*way)) < rank(word)) else { return false };
        for position in 0..self.ring.min(old.ring) as usize {
            let entry = old.entry(from, from_way, position).load(Ordering::Relaxed);
            // Memory that was never written stays as it is.
            if is_full || entry != 0 {
                self.entry(at, way, position).store(entry, Ordering::Relaxed);
                let mark = old.marks.get(old.index(from, from_way, position));
                self.marks.set(self.index(at, way, position), mark);
            }
        }
        set.words[way].store(word.0, Ordering::Relaxed);
        // As a claim does. Partner: the `Acquire` in `Set::find`.
        set.tags[way].store(tag, Ordering::Release);
        self.fingerprints.set(at, way, tag);
        !is_full
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::Mark;
    use crate::table::{Attempt, Hint, Make, Taken, Ties, Writers};
    use crate::watch::Limit;

    fn table(limits: &[&str], sources: usize) -> Table {
        let limits: Vec<Limit> = limits.iter().map(|limit| limit.parse().unwrap()).collect();
        let most = limits.iter().map(|limit| limit.attempts).max().unwrap();
        // With more memory for the marks.
        let make = Make { marks: true, writers: Writers::One, door: true };
        Table::made(make, &limits, Table::memory_for(sources, most) * 5 / 4).unwrap()
    }

    /// A hash for each source, spread over all sets.
    fn tag(source: u64) -> u64 {
        (source + 2).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    proptest! {
        #[test]
        fn a_table_that_took_over_goes_on_as_if_it_had_counted_all_itself(
            attempts in proptest::collection::vec((0..40u64, 0..5000u64), 0..400),
            moved_at in 0..400usize,
            sizes in prop_oneof![Just((512, 2048)), Just((2048, 512)), Just((512, 513))],
        ) {
            let limits = ["3/1s", "7/20s"];
            let (mut counting, whole) = (table(&limits, sizes.0), table(&limits, sizes.0));
            let mut ties = Ties::new(1);
            let mut now = 20_000;
            for (at, (source, later)) in attempts.into_iter().enumerate() {
                now += later;
                if at == moved_at {
                    let other = table(&limits, sizes.1);
                    prop_assert_eq!(other.take_over(&counting, Ticks(now)), 0);
                    counting = other;
                }
                let tables = [&counting, &whole];
                let taken = tables.map(|table| {
                    #[expect(clippy::cast_possible_truncation, reason = "any mark will do")]
                    let attempt = Attempt { time: Ticks(now), port: 25, mark: Mark(now as u16), ..Attempt::default() };
                    table.record_attempt(tag(source), Hint::default(), &attempt, &mut ties)
                });
                let [one, other] = [0, 1].map(|n| {
                    let recorded = taken[n].recorded()?;
                    let met = tables[n].met(recorded)?;
                    Some((met, tables[n].window(recorded, met).collect::<Vec<_>>()))
                });
                prop_assert_eq!(one, other);
                // Who was idle may wait at the door of one and have a slot in the other.
                if let (Taken::Recorded(one), Taken::Recorded(other)) = (taken[0], taken[1]) {
                    prop_assert_eq!(one.flagged, other.flagged);
                    if later % 7 == 0 {
                        tables[0].flag(one.slot, true);
                        tables[1].flag(other.slot, true);
                    }
                }
            }
        }
    }

    #[test]
    fn without_room_those_with_an_episode_stay_then_the_most_active() {
        let old = table(&["3/1s"], 64);
        let mut ties = Ties::new(1);
        for source in 0..40 {
            // The later, the more active; the least active one has an episode.
            for _ in 0..=source {
                let recorded = old.record(tag(source), Ticks(20_000), 25, &mut ties);
                old.flag(recorded.slot, source == 0);
            }
        }
        let new = table(&["3/1s"], 8);
        assert_eq!(new.take_over(&old, Ticks(20_000)), 32);
        let stayed: Vec<_> = (0..40).filter(|source| new.find(tag(*source)).is_some()).collect();
        assert_eq!(stayed, [0, 33, 34, 35, 36, 37, 38, 39]);
    }

    #[test]
    fn who_is_idle_is_left_behind() {
        let old = table(&["3/1s"], 64);
        let mut ties = Ties::new(1);
        old.record(tag(1), Ticks(20_000), 25, &mut ties);
        let flagged = old.record(tag(2), Ticks(20_000), 25, &mut ties);
        old.flag(flagged.slot, true);
        old.record(tag(3), Ticks(80_000), 25, &mut ties);
        let new = table(&["3/1s"], 64);
        assert_eq!(new.take_over(&old, Ticks(80_000)), 0);
        let found: Vec<_> = (1..4).filter_map(|source| new.find(tag(source))).map(|(_, flag)| flag).collect();
        assert_eq!(found, [true, false]);
    }
}
