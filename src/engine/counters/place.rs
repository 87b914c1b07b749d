//! The location where an attempt was recorded. A later outcome update uses it instead of a search.
//!
//! A location is a small number, for callers with little memory. It does not identify the attempt: the caller
//! compares what it finds there with what was recorded, and searches if they differ.

use prefetch_index::prefetch_index;

use super::Table;
use super::ring::Entry;
use super::slot::{WAYS, Word};
use super::{Attempt, Slot};
use crate::base::sync::Ordering;

/// A location in the rings or in the doorkeeper of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u32);

impl Default for Place {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl Place {
    /// The location is unknown, or beyond the range of the type: the first 16 GiB of rings.
    pub(crate) const UNKNOWN: Self = Self(u32::MAX);
    const IN_DOORKEEPER: u32 = 1 << 31;

    pub(super) fn in_ring(index: usize) -> Self {
        Self::below_the_bit(index).map_or(Self::UNKNOWN, Self)
    }

    pub(super) fn in_doorkeeper(index: usize) -> Self {
        Self::below_the_bit(index).map_or(Self::UNKNOWN, |index| Self(index | Self::IN_DOORKEEPER))
    }

    /// One less, so that the highest index is not mistaken for an unknown one.
    fn below_the_bit(index: usize) -> Option<u32> {
        u32::try_from(index).ok().filter(|index| *index < Self::IN_DOORKEEPER - 1)
    }

    /// Its number, in which a caller can store it.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The location with this number.
    #[must_use]
    pub(crate) fn of_number(number: u32) -> Self {
        Self(number)
    }

    fn at(self) -> At {
        let index = (self.0 & !Self::IN_DOORKEEPER) as usize;
        match self {
            Self::UNKNOWN => At::Nowhere,
            _ if self.0 & Self::IN_DOORKEEPER == 0 => At::Ring(index),
            _ => At::Doorkeeper(index),
        }
    }
}

enum At {
    Ring(usize),
    Doorkeeper(usize),
    Nowhere,
}

/// Where an outcome was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// In a slot, with its flag.
    Slot(Slot, bool),
    /// In the doorkeeper.
    Waiting,
}

impl Table {
    /// Prefetches what [`Table::resolve_at`] needs.
    #[inline]
    pub(crate) fn prefetch_place(&self, place: Place) {
        match place.at() {
            At::Ring(index) => {
                prefetch_index(&self.rings, index);
                let (set, way) = self.slot_at(index);
                if let Some(set) = self.sets.get(set) {
                    prefetch_index(&set.slots, way);
                }
            }
            At::Doorkeeper(index) => {
                self.doorkeeper.iter().for_each(|doorkeeper| doorkeeper.prefetch_place(index))
            }
            At::Nowhere => (),
        }
    }

    /// Stores the outcome of the attempt at this location, if the entry still equals `before`. Returns where
    /// that was. The result equals that of a search by [`Table::resolve`] and [`Table::resolve_first`].
    #[inline]
    pub(crate) fn resolve_at(&self, place: Place, before: &Attempt, after: &Attempt) -> Option<Found> {
        match place.at() {
            At::Ring(index) => {
                let cell = self.rings.get(index)?;
                let (set, way) = self.slot_at(index);
                let word = Word(self.sets.get(set)?.slots[way].word.load(Ordering::Relaxed));
                let generation = word.generation();
                let [before, after] = [before, after].map(|attempt| Entry::of_attempt(attempt, generation));
                let is_there = cell.load(Ordering::Relaxed) == before.0;
                if is_there {
                    cell.store(after.0, Ordering::Relaxed);
                }
                is_there.then(|| Found::Slot(Slot::new(set, way, word), word.is_flagged()))
            }
            At::Doorkeeper(index) => {
                self.doorkeeper.as_ref()?.resolve_at(index, before, after).then_some(Found::Waiting)
            }
            At::Nowhere => None,
        }
    }

    /// The set and the way of the slot whose ring has this entry.
    #[inline]
    fn slot_at(&self, entry: usize) -> (usize, usize) {
        // A location is below 2^31. A division with fewer bits takes less time.
        let slot = (entry as u32 / self.ring) as usize;
        (slot / WAYS, slot % WAYS)
    }
}
