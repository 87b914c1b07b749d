//! Stores the outcome of an attempt where the attempt was recorded.
//!
//! This file searches by time and port. Where the location is known, `place.rs` looks there first.

use super::ring::{Entry, position};
use super::slot::Word;
use super::{Attempt, Slot, Table, nonzero};
use crate::base::hyperloglog::Mark;
use crate::base::sync::Ordering;
use crate::engine::clock::Ticks;
use crate::engine::outcome::Code;

/// Maximum attempts within one tick that a search for one of them compares.
const MOST_IN_A_TICK: usize = 64;

impl Table {
    /// Stores the outcome of an attempt of the slot's source, if the ring still holds the attempt as
    /// `before`. Returns whether it does. Attempts to one port within one tick are interchangeable: the
    /// search takes any that equals `before`.
    pub fn resolve(&self, slot: Slot, time: Ticks, port: u16, before: Code, after: Code) -> bool {
        let count = Word(self.word_of(slot).load(Ordering::Relaxed)).count();
        let held = count.min(self.ring);
        let place = |back: u32| self.entry(slot.set(), slot.way(), position(count, back, self.ring));
        let entry = |back: u32| Entry(place(back).load(Ordering::Relaxed)).of(slot.generation());
        // In a flood, an attempt has often left the ring before its timer expires. The oldest entry is beside
        // the newest.
        if held == self.ring && entry(held).is_some_and(|oldest| oldest.time() > time) {
            return false;
        }
        // Times fall with the distance from the newest. The search looks for the newest that is not after
        // `time`. It starts at the near end in doubling steps, because most updates concern late attempts.
        let (mut near, mut far) = (1, 1);
        while far <= held && entry(far).is_some_and(|entry| entry.time() > time) {
            (near, far) = (far + 1, far * 2);
        }
        far = far.min(held + 1);
        while near < far {
            let middle = near.midpoint(far);
            if entry(middle).is_some_and(|entry| entry.time() > time) {
                near = middle + 1;
            } else {
                far = middle;
            }
        }
        let same = (near..=held)
            .map_while(|back| entry(back).filter(|entry| entry.time() == time).map(|e| (back, e)));
        let found =
            same.take(MOST_IN_A_TICK).find(|(_, entry)| entry.port() == port && entry.code() == before);
        if let Some((back, found)) = found {
            place(back).store(found.with_code(after).0, Ordering::Relaxed);
        }
        found.is_some()
    }

    /// The same for a source without a slot: its first attempt may be in the doorkeeper.
    pub(crate) fn resolve_first(&self, tag: u64, time: Ticks, port: u16, before: Code, after: Code) -> bool {
        let attempt = |code| Attempt { time, port, code, mark: Mark::default() };
        let doorkeeper = self.doorkeeper.as_ref();
        doorkeeper
            .is_some_and(|doorkeeper| doorkeeper.resolve(nonzero(tag), &attempt(before), &attempt(after)))
    }
}
