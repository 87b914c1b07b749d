//! Recording an attempt: a place in the source's ring is taken, written, and what it held comes out. The first attempt
//! of a source waits at the door, where there is one.
//!
//! There are two ways. Where one thread alone writes, loads and stores do; where several may, a compare-and-swap takes
//! the place and a swap writes it (see the essay in `mod.rs`). What is recorded is the same.

use super::claim::{self, Claimed, Ties};
use super::door::Admitted;
use super::ring::{Entry, position};
use super::slot::Word;
use super::{Attempt, Claim, Hint, Place, Slot, Table, Writers, nonzero};
use crate::clock::Ticks;
use crate::estimate::Mark;
use crate::outcome::Code;
use crate::sync::{Ordering, spin_loop};

/// What recording an attempt found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The source's slot.
    pub slot: Slot,
    /// The attempt's time, moved up to that of the source's newest attempt.
    pub time: Ticks,
    /// The attempt's destination port.
    pub port: u16,
    /// What is known of it.
    pub code: Code,
    /// The mark of its source, where marks are kept.
    pub mark: Mark,
    /// Whether the source was flagged as having an episode.
    pub flagged: bool,
    /// Whether a slot was claimed for this attempt.
    pub claimed: Option<Claim>,
    /// Where it is.
    pub place: Place,
    /// The slot's count before this attempt.
    pub(super) count: u32,
    /// The entry that this attempt's replaced in the ring, and the mark beside it.
    pub(super) replaced: (Entry, Mark),
}

/// Where an attempt was taken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Into the slot of its source.
    Recorded(Recorded),
    /// To the door: it is the first one of its source. No limit can be met, and nobody has flagged it.
    Waits {
        /// Where.
        place: Place,
        /// Whether another source, that waited there, is forgotten for that.
        evicted: bool,
    },
}

impl Taken {
    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Recorded(recorded) => recorded.place,
            Self::Waits { place, .. } => *place,
        }
    }

    /// What recording it found, if it has got into a slot.
    #[must_use]
    pub fn recorded(&self) -> Option<&Recorded> {
        match self {
            Self::Recorded(recorded) => Some(recorded),
            Self::Waits { .. } => None,
        }
    }
}

impl Recorded {
    fn new(
        slot: Slot,
        attempt: &Attempt,
        word: Word,
        claimed: Option<Claim>,
        index: usize,
        replaced: (Entry, Mark),
    ) -> Self {
        let Attempt { time, port, code, mark } = *attempt;
        let (flagged, count) = (word.is_flagged(), word.count());
        let place = Place::in_ring(index);
        Self { slot, time, port, code, mark, flagged, claimed, place, count, replaced }
    }

    pub(super) fn entry(&self) -> Entry {
        let Self { slot, time, port, code, mark, .. } = *self;
        Entry::of_attempt(&Attempt { time, port, code, mark }, slot.generation())
    }
}

impl Table {
    /// Records an attempt of the source with this hash, of which nothing is known yet, in a slot of its own, whether it
    /// is the first one or not.
    pub fn record(&self, tag: u64, time: Ticks, port: u16, ties: &mut Ties) -> Recorded {
        let (tag, attempt) = (nonzero(tag), Attempt { time, port, ..Attempt::default() });
        match self.writers {
            Writers::One => {
                let at = self.set_of(tag);
                let found = self.way_of(at, tag).map(|way| (way, None));
                let (way, claimed) = found.unwrap_or_else(|| {
                    let (way, how) = self.claim_for((at, tag), time.second(), ties);
                    (way, Some(how))
                });
                self.add(at, way, &attempt, claimed)
            }
            Writers::Many => self.record_among_others(tag, &attempt, ties),
        }
    }

    /// Records an attempt of the source, or of the group of sources, with this hash; at the door, if it is the first
    /// one and there is one.
    #[inline]
    pub fn record_attempt(&self, tag: u64, hint: Hint, attempt: &Attempt, ties: &mut Ties) -> Taken {
        let tag = nonzero(tag);
        if self.writers == Writers::Many {
            return Taken::Recorded(self.record_among_others(tag, attempt, ties));
        }
        let at = self.set_of(tag);
        if let Some(way) = hint.place(&self.sets[at], tag).or_else(|| self.way_of(at, tag)) {
            return Taken::Recorded(self.add(at, way, attempt, None));
        }
        let second = attempt.time.second();
        let admitted = self.door.as_ref().map(|door| door.admit(tag, attempt));
        Taken::Recorded(match admitted {
            Some(Admitted::Waits { place, evicted }) => {
                return Taken::Waits { place: Place::at_the_door(place), evicted };
            }
            Some(Admitted::Enters(first)) => {
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

    /// Gives a source a slot that waits at the door, although it has not come again.
    pub fn let_in(&self, tag: u64, now: Ticks, ties: &mut Ties) -> Option<Slot> {
        let tag = nonzero(tag);
        let first = self.door.as_ref()?.let_in(tag)?;
        let at = self.set_of(tag);
        let (way, how) = self.claim_for((at, tag), now.second(), ties);
        Some(self.add(at, way, &first, Some(how)).slot)
    }

    /// Claims a slot in this set for a source that has none, where no other thread writes.
    #[inline(never)]
    fn claim_for(&self, (at, tag): (usize, u64), second: u64, ties: &mut Ties) -> (usize, Claim) {
        let set = &self.sets[at];
        let way = claim::choose_alone(set, second, self.idle_after, ties);
        self.fingerprints.set(at, way, tag);
        (way, claim::claim_alone(set, way, tag, second, self.idle_after))
    }

    /// Adds an attempt to those of a slot, where no other thread writes.
    #[inline]
    fn add(&self, at: usize, way: usize, attempt: &Attempt, claimed: Option<Claim>) -> Recorded {
        let set = &self.sets[at];
        let second = attempt.time.second();
        let word = Word(set.words[way].load(Ordering::Relaxed));
        set.words[way].store(word.after_attempt(self.ring, second).0, Ordering::Relaxed);
        let slot = Slot::new(at, way, word);
        let mut attempt = *attempt;
        attempt.time =
            self.newest(slot, word.count()).map_or(attempt.time, |newest| newest.max(attempt.time));
        let index = self.index(at, way, position(word.count(), 0, self.ring));
        let entry = Entry::of_attempt(&attempt, slot.generation());
        // Until the ring is full, what is there is of an earlier claim, and not waited for.
        let mut replaced = (Entry::NONE, attempt.mark);
        if word.count() >= self.ring {
            replaced = (Entry(self.rings[index].load(Ordering::Relaxed)), self.marks.get(index));
        }
        self.rings[index].store(entry.0, Ordering::Relaxed);
        self.marks.set(index, attempt.mark);
        Recorded::new(slot, &attempt, word, claimed, index, replaced)
    }

    #[inline(never)]
    fn record_among_others(&self, tag: u64, attempt: &Attempt, ties: &mut Ties) -> Recorded {
        let at = self.set_of(tag);
        let set = &self.sets[at];
        let second = attempt.time.second();
        let mut claimed = None;
        loop {
            let way = match set.find(tag) {
                Some(way) => way,
                None => match claim::claim(set, tag, second, self.idle_after, ties) {
                    Claimed::Won { way, how } => {
                        claimed = Some(how);
                        way
                    }
                    // The source that gave way for it is forgotten all the same.
                    Claimed::GivenUp { how } => {
                        claimed = Some(how);
                        continue;
                    }
                    Claimed::Lost => {
                        spin_loop();
                        continue;
                    }
                },
            };
            let word = Word(set.words[way].load(Ordering::Acquire));
            // The word may be of a later claim than the tag that was found. If the tag is still ours after the word
            // was read, the word is of our claim, and a swap that succeeds finds it unchanged: a claim changes it.
            if set.tags[way].load(Ordering::Acquire) != tag {
                continue;
            }
            let advanced = word.after_attempt(self.ring, second);
            if set.words[way]
                .compare_exchange(word.0, advanced.0, Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
            {
                continue;
            }
            let slot = Slot::new(at, way, word);
            let mut attempt = *attempt;
            attempt.time =
                self.newest(slot, word.count()).map_or(attempt.time, |newest| newest.max(attempt.time));
            let entry = Entry::of_attempt(&attempt, slot.generation());
            let index = self.index(at, way, position(word.count(), 0, self.ring));
            let place = &self.rings[index];
            let replaced = (Entry(place.swap(entry.0, Ordering::AcqRel)), self.marks.get(index));
            self.marks.set(index, attempt.mark);
            let mut recorded = Recorded::new(slot, &attempt, word, claimed, index, replaced);
            // Overtaken by a claim, the ring is another source's by now. Generations tell whose an entry is until they
            // come round; so whoever was overtaken judges nothing, and puts back what is not its own. If what came out
            // is the next owner's, the tag is too: this swap acquires what that owner's swap released. There remains
            // an owner of the same generation that looks just between the swap and the putting back.
            if set.tags[way].load(Ordering::Acquire) != tag {
                let _ = place.compare_exchange(entry.0, replaced.0.0, Ordering::AcqRel, Ordering::Relaxed);
                (recorded.count, recorded.replaced) = (0, (Entry::NONE, attempt.mark));
            }
            return recorded;
        }
    }
}
