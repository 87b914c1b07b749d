//! Maps the tag of a source to its episode: an open-addressed table of fixed size, whose values are indexes
//! of episodes.
//!
//! It is at most half full, so a search reads one or two cells, which a batch prefetches. A cell holds the
//! upper half of the tag. The episode at that index has the whole key.
//! upper half of the tag; the episode at its place has the whole key.

use prefetch_index::prefetch_index;

/// Indexes of episodes by tag.
#[derive(Debug)]
pub(super) struct Index {
    /// The upper half of a tag, and below it the index plus one; 0 in an unused cell.
    cells: Box<[u64]>,
}

const PLACE: u64 = u32::MAX as u64;

impl Index {
    /// Makes a table for this many episodes.
    pub(super) fn new(places: usize) -> Self {
        Self { cells: vec![0; (2 * places).next_power_of_two()].into() }
    }

    /// Prefetches the cells for this tag.
    #[inline]
    pub(super) fn prefetch(&self, tag: u64) {
        prefetch_index(&self.cells, self.home(tag));
    }

    /// The first index of this tag that `is_it` accepts.
    #[inline]
    pub(super) fn find(&self, tag: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = self.home(tag);
        loop {
            let cell = self.cells[at];
            if cell == 0 {
                return None;
            }
            if (cell ^ tag) >> 32 == 0 && is_it(place(cell)) {
                return Some(place(cell));
            }
            at = self.after(at);
        }
    }

    /// Adds the index of a tag that is not in the table.
    pub(super) fn insert(&mut self, tag: u64, place: usize) {
        let mut at = self.home(tag);
        while self.cells[at] != 0 {
            at = self.after(at);
        }
        self.cells[at] = tag & !PLACE | (place as u64 + 1);
    }

    /// Removes the index of a tag. Later cells of the row close the gap, so that each stays reachable from
    /// its home cell.
    pub(super) fn remove(&mut self, tag: u64, removed: usize) {
        let mut gap = self.home(tag);
        while self.cells[gap] != 0 && place(self.cells[gap]) != removed {
            gap = self.after(gap);
        }
        let mut at = self.after(gap);
        while self.cells[gap] != 0 && self.cells[at] != 0 {
            let distance = |from: usize| at.wrapping_sub(from) & (self.cells.len() - 1);
            if distance(self.home(self.cells[at])) >= distance(gap) {
                self.cells[gap] = self.cells[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.cells[gap] = 0;
    }

    /// The cell where the search for a tag, or for the part of it in a cell, begins.
    #[inline]
    fn home(&self, tag: u64) -> usize {
        (tag >> 32) as usize & (self.cells.len() - 1)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.cells.len() - 1)
    }
}

fn place(cell: u64) -> usize {
    ((cell & PLACE) - 1) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_finds_what_a_map_finds_whatever_comes_and_goes() {
        let mut index = Index::new(64);
        let mut map = HashMap::new();
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Many share a home, and the last one's row goes on at the first cell.
            let tag = ((random >> 40) % 100) << 32 | 0xffff_ffff;
            let place = (tag >> 32) as usize;
            if map.remove(&tag).is_some() {
                index.remove(tag, place);
            } else if map.len() < 64 {
                map.insert(tag, place);
                index.insert(tag, place);
            }
            for tag in (0..128).map(|n| n << 32 | 0xffff_ffff) {
                assert_eq!(index.find(tag, |_| true), map.get(&tag).copied());
            }
        }
        assert!(!map.is_empty());
    }

    #[test]
    fn tags_that_agree_in_their_upper_half_are_told_apart() {
        let mut index = Index::new(2);
        index.insert(7 << 32, 0);
        index.insert(7 << 32 | 1, 1);
        assert_eq!(
            [0, 1, 2].map(|place| index.find(7 << 32, |other| other == place)),
            [Some(0), Some(1), None]
        );
        index.remove(7 << 32, 0);
        assert_eq!([0, 1].map(|place| index.find(7 << 32, |other| other == place)), [None, Some(1)]);
        index.remove(7 << 32, 5);
        assert_eq!(index.find(7 << 32, |_| true), Some(1), "a place that is not there is not removed");
    }
}
