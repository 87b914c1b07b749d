//! What the counting stage stores about attempts until their outcome is known.
//!
//! It parallels the entries of conntrack: one byte for each of its handles, and an annotation for each of its
//! timers, in their order.

use std::collections::VecDeque;

use prefetch_index::prefetch_index;

use crate::engine::conntrack::{NOTED, Place};
use crate::engine::counters;

/// For each handle, the watches in which the source had an episode when the attempt came.
#[derive(Debug)]
pub(in crate::engine) struct ReportedIn(Vec<u8>);

/// Those watches of one attempt. The first seven have a bit each, all others share one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::engine) struct Reported(u8);

impl Reported {
    const LAST: usize = 7;

    /// Whether the source had an episode in this watch.
    pub(in crate::engine) fn is_in(self, watch: usize) -> bool {
        self.0 & Self::bit(watch) != 0
    }

    pub(in crate::engine) fn add(&mut self, watch: usize) {
        self.0 |= Self::bit(watch);
    }

    fn bit(watch: usize) -> u8 {
        1 << watch.min(Self::LAST)
    }
}

impl ReportedIn {
    /// Makes room for this many handles of conntrack.
    pub(in crate::engine) fn new(places: usize) -> Self {
        // Single bytes, because zeroed memory of bytes becomes resident only where it is written.
        Self(vec![0; places])
    }

    /// Prefetches the byte of this handle.
    #[inline]
    pub(in crate::engine) fn prefetch(&self, place: Place) {
        prefetch_index(&self.0, place.number());
    }

    /// Stores the watches of the attempt that has this handle from now on.
    #[inline]
    pub(in crate::engine) fn set(&mut self, place: Place, reported: Reported) {
        if let Some(cell) = self.0.get_mut(place.number()) {
            *cell = reported.0;
        }
    }

    /// Renumbers the watches: `before` has the old index of each one, if it existed. Those beyond the first
    /// seven share one bit here, too.
    pub(in crate::engine) fn renumber(&mut self, before: &[Option<usize>]) {
        if before.iter().enumerate().all(|(now, before)| *before == Some(now)) {
            return;
        }
        let renumbered = |was: Reported| {
            let mut is = Reported::default();
            for (now, before) in before.iter().enumerate() {
                if before.is_some_and(|watch| was.is_in(watch)) {
                    is.add(now);
                }
            }
            is
        };
        // There may be millions of handles, and packets queue up meanwhile.
        let all: Vec<_> = (0..=u8::MAX).map(|was| renumbered(Reported(was))).collect();
        // The loop only reads memory that was never written.
        for cell in self.0.iter_mut().filter(|cell| **cell != 0) {
            *cell = all[usize::from(*cell)].0;
        }
    }

    /// The watches of the attempt with this handle.
    #[inline]
    pub(in crate::engine) fn get(&self, place: Place) -> Reported {
        Reported(self.0.get(place.number()).copied().unwrap_or_default())
    }
}

/// The location of an attempt in the tables of the first groups: see [`counters::Place::number`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Annotation([u32; Annotation::ROOM]);

const _: () = assert!(size_of::<Annotation>() == NOTED, "it takes what is set aside for it");

impl Annotation {
    /// Number of groups: as many as a watch has by default.
    pub(in crate::engine) const ROOM: usize = 3;

    #[inline]
    pub(in crate::engine) fn set(&mut self, row: usize, place: counters::Place) {
        if let Some(number) = self.0.get_mut(row) {
            *number = place.number();
        }
    }

    /// The location where a group recorded the attempt, if it is known.
    #[inline]
    pub(in crate::engine) fn place(self, row: usize) -> counters::Place {
        self.0.get(row).map_or(counters::Place::UNKNOWN, |number| counters::Place::of_number(*number))
    }
}

impl Default for Annotation {
    fn default() -> Self {
        Self([counters::Place::UNKNOWN.number(); Self::ROOM])
    }
}

/// The annotations of SYNs with a running timer, in the order of the timers.
#[derive(Debug, Default)]
pub(in crate::engine) struct Annotations(VecDeque<Annotation>);

impl Annotations {
    /// Makes room for this many timers.
    pub(in crate::engine) fn new(room: usize) -> Self {
        Self(VecDeque::with_capacity(room))
    }

    /// Adds the annotation of the next timer. That of a retransmission has no location of its attempt.
    #[inline]
    pub(in crate::engine) fn push(&mut self, annotation: Annotation) {
        self.0.push_back(annotation);
    }

    /// Removes and returns the annotation of the timer that expires next.
    #[inline]
    pub(in crate::engine) fn pop(&mut self) -> Annotation {
        self.0.pop_front().unwrap_or_default()
    }

    /// The annotations of the next timers.
    pub(in crate::engine) fn next(&self, count: usize) -> impl Iterator<Item = &Annotation> {
        self.0.iter().take(count)
    }

    /// Removes all of them, because no timer runs any more.
    pub(in crate::engine) fn clear(&mut self) {
        self.0.clear();
    }

    /// Drops all locations, because the tables have changed.
    pub(in crate::engine) fn forget(&mut self) {
        self.0.iter_mut().for_each(|annotation| *annotation = Annotation::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(number: u32) -> Annotation {
        let mut annotation = Annotation::default();
        annotation.set(0, counters::Place::of_number(number));
        annotation.set(Annotation::ROOM, counters::Place::of_number(99));
        annotation
    }

    #[test]
    fn annotations_are_taken_in_order_and_forget_their_places() {
        let mut annotations = Annotations::new(10);
        (0..4).for_each(|number| annotations.push(annotation(number)));
        assert_eq!([(); 2].map(|()| annotations.pop()), [0, 1].map(annotation));
        assert_eq!(annotations.next(9).copied().collect::<Vec<_>>(), [2, 3].map(annotation));
        annotations.forget();
        annotations.push(annotation(4));
        assert_eq!([(); 2].map(|()| annotations.pop()), [Annotation::default(); 2]);
        assert_eq!(annotations.pop(), annotation(4));
        annotations.push(annotation(5));
        annotations.clear();
        assert_eq!(annotations.pop(), Annotation::default());
    }

    #[test]
    fn the_first_groups_have_a_place_and_others_have_none() {
        let annotation = annotation(7);
        assert_eq!(annotation.place(0).number(), 7);
        assert_eq!([1, Annotation::ROOM].map(|row| annotation.place(row)), [counters::Place::UNKNOWN; 2]);
    }

    #[test]
    fn watches_that_stand_elsewhere_are_known_by_their_new_numbers() {
        let place = Place::default();
        let after = |watches: &[usize], before: &[Option<usize>]| {
            let mut reported = Reported::default();
            watches.iter().for_each(|watch| reported.add(*watch));
            let mut all = ReportedIn::new(1);
            all.set(place, reported);
            all.renumber(before);
            (0..before.len()).filter(|watch| all.get(place).is_in(*watch)).collect::<Vec<_>>()
        };
        assert_eq!(after(&[0, 2], &[Some(0), Some(1), Some(2)]), [0, 2]);
        assert_eq!(after(&[0, 2], &[Some(2), Some(0), Some(1)]), [0, 1]);
        assert_eq!(after(&[0, 2], &[None, Some(2)]), [1], "the first one is new, and that of before gone");
        assert!(after(&[0, 2], &[Some(1)]).is_empty());
        assert_eq!(after(&[8], &[Some(8), Some(0)]), [0]);
    }

    #[test]
    fn the_first_seven_watches_are_told_apart() {
        let mut reported = Reported::default();
        reported.add(1);
        assert_eq!([0, 1, 2].map(|watch| reported.is_in(watch)), [false, true, false]);
        assert_eq!(Reported::bit(7), Reported::bit(77), "the last ones share a bit");
        assert_ne!(Reported::bit(6), Reported::bit(7));
    }
}
