//! Records an attempt: it takes the next position in the source's ring and returns the entry that it
//! replaces. Where there is a doorkeeper, that keeps the first attempt of a source.

use super::claim::{self, Ties};
use super::doorkeeper::Admission;
use super::ring::{Entry, position};
use super::slot::{Word, publish};
use super::{Attempt, Claim, Hint, Place, Slot, Table, nonzero};
use crate::base::hyperloglog::Mark;
use crate::base::sync::Ordering;
use crate::engine::clock::Ticks;

/// The result of recording an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The source's slot.
    pub slot: Slot,
    /// The attempt's time, moved up to that of the source's newest attempt.
    pub time: Ticks,
    /// The mark of its source, where marks are kept.
    pub mark: Mark,
    /// Whether the source was flagged as having an episode.
    pub flagged: bool,
    /// Whether a slot was claimed for this attempt.
    pub claimed: Option<Claim>,
    /// The location of its entry.
    pub place: Place,
    /// The slot's count before this attempt.
    pub(super) count: u32,
    /// Its entry in the ring.
    pub(super) entry: Entry,
    /// The entry that was replaced in the ring, and the mark beside it.
    pub(super) replaced: (Entry, Mark),
}

/// Where an attempt was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// In the slot of its source.
    Recorded(Recorded),
    /// In the doorkeeper, as the first attempt of its source. It can meet no limit, and is not flagged.
    Waits {
        /// The location of its entry.
        place: Place,
        /// Whether this evicted another source from the doorkeeper.
        evicted: bool,
    },
}

impl Taken {
    /// The location of its entry.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Recorded(recorded) => recorded.place,
            Self::Waits { place, .. } => *place,
        }
    }

    /// Whether another source gave way that a window could still need.
    #[must_use]
    #[inline]
    pub fn evicted(&self) -> bool {
        match self {
            Self::Recorded(recorded) => recorded.claimed.is_some_and(|claim| claim != Claim::Free),
            Self::Waits { evicted, .. } => *evicted,
        }
    }

    /// The result of recording it, if it is in a slot.
    #[must_use]
    pub fn recorded(&self) -> Option<&Recorded> {
        match self {
            Self::Recorded(recorded) => Some(recorded),
            Self::Waits { .. } => None,
        }
    }
}

impl Recorded {
    /// The result that recording a slot's newest attempt would have had, without an eviction.
    pub(super) fn again(slot: Slot, entry: Entry, mark: Mark, word: Word, index: usize) -> Self {
        let (time, count, flagged) = (entry.time(), word.count().saturating_sub(1), word.is_flagged());
        let (place, replaced) = (Place::in_ring(index), (Entry::NONE, mark));
        Self { slot, time, mark, flagged, claimed: None, place, count, entry, replaced }
    }
}

impl Table {
    /// Records an attempt of the source with this hash, without an outcome. The source gets a slot even for
    /// its first attempt.
    pub fn record(&self, tag: u64, time: Ticks, port: u16, ties: &mut Ties) -> Recorded {
        let (tag, attempt) = (nonzero(tag), Attempt { time, port, ..Attempt::default() });
        let at = self.set_of(tag);
        let found = self.way_of(at, tag).map(|way| (way, None));
        let (way, claimed) = found.unwrap_or_else(|| {
            let (way, how) = self.claim_for((at, tag), time.second(), ties);
            (way, Some(how))
        });
        self.add(at, way, &attempt, claimed)
    }

    /// Records an attempt of the source, or of the group of sources, with this hash. The first one goes to
    /// the doorkeeper, if there is one.
    #[inline]
    pub fn record_attempt(&self, tag: u64, hint: Hint, attempt: &Attempt, ties: &mut Ties) -> Taken {
        let tag = nonzero(tag);
        let at = self.set_of(tag);
        if let Some(way) = hint.place(&self.sets[at], tag).or_else(|| self.way_of(at, tag)) {
            return Taken::Recorded(self.add(at, way, attempt, None));
        }
        let second = attempt.time.second();
        let admitted = self.doorkeeper.as_ref().map(|doorkeeper| doorkeeper.admit(tag, attempt));
        Taken::Recorded(match admitted {
            Some(Admission::Waits { place, evicted }) => {
                return Taken::Waits { place: Place::in_doorkeeper(place), evicted };
            }
            Some(Admission::Enters(first)) => {
                let (way, how) = self.claim_for((at, tag), second, ties);
                self.add(at, way, &first, None);
                self.add(at, way, attempt, Some(how))
            }
            None => {
                let (way, how) = self.claim_for((at, tag), second, ties);
                self.add(at, way, attempt, Some(how))
            }
        })
    }

    /// Gives a slot to a source in the doorkeeper, although it has not come again.
    pub(crate) fn let_in(&self, tag: u64, now: Ticks, ties: &mut Ties) -> Option<(Slot, Claim)> {
        let tag = nonzero(tag);
        let first = self.doorkeeper.as_ref()?.let_in(tag)?;
        let at = self.set_of(tag);
        let (way, how) = self.claim_for((at, tag), now.second(), ties);
        Some((self.add(at, way, &first, Some(how)).slot, how))
    }

    /// Claims a slot in this set for a source without a slot.
    #[inline(never)]
    pub(super) fn claim_for(&self, (at, tag): (usize, u64), second: u64, ties: &mut Ties) -> (usize, Claim) {
        let set = &self.sets[at];
        let way = claim::choose(set, second, self.idle_after, ties);
        self.fingerprints.set(at, way, tag);
        (way, claim::claim(set, way, tag, second, self.idle_after))
    }

    /// Claims a slot in this set that is empty or idle now, if there is one, for a source that came last at
    /// another time.
    pub(super) fn claim_free(&self, (at, tag): (usize, u64), last: Ticks, now: Ticks) -> Option<usize> {
        let set = &self.sets[at];
        let way = claim::free(set, now.second(), self.idle_after)?;
        self.fingerprints.set(at, way, tag);
        claim::take(set, way, tag, last.second());
        Some(way)
    }

    /// Adds an attempt to the ring of a slot. Entries that the slot's count covers are of its present claim,
    /// because only this thread writes them.
    #[inline]
    fn add(&self, at: usize, way: usize, attempt: &Attempt, claimed: Option<Claim>) -> Recorded {
        let cell = &self.sets[at].slots[way].word;
        let word = Word(cell.load(Ordering::Relaxed));
        let (slot, count) = (Slot::new(at, way, word), word.count());
        let first = self.index(at, way, 0);
        let ring = &self.rings[first..first + self.ring as usize];
        let next = position(count, 0, self.ring);
        let mut time = attempt.time;
        if count > 0 {
            let newest = ring[if next == 0 { ring.len() } else { next } - 1].load(Ordering::Relaxed);
            time = time.max(Entry(newest).time());
        }
        let index = first + next;
        // Until the ring is full, the entry here is of an earlier claim and not needed.
        let replaced = if count >= self.ring {
            (Entry(ring[next].load(Ordering::Relaxed)), self.marks.get(index))
        } else {
            (Entry::NONE, attempt.mark)
        };
        let entry = Entry::new(time, attempt.port, slot.generation()).with_code(attempt.code);
        ring[next].store(entry.0, Ordering::Relaxed);
        self.marks.set(index, attempt.mark);
        publish(cell, word.after_attempt(self.ring, attempt.time.second()));
        Recorded {
            slot,
            time,
            mark: attempt.mark,
            flagged: word.is_flagged(),
            claimed,
            place: Place::in_ring(index),
            count,
            entry,
            replaced,
        }
    }
}
