//! The snapshots of the last minutes, to walk back in.

use std::collections::VecDeque;

use crate::control::TopSnapshot;

/// Maximum number of snapshots: five minutes, where one comes each second.
const MOST: usize = 300;

/// Maximum number of sources and episodes in all of them. With some 200 bytes for each they take 12 MiB at most.
const MOST_ROWS: usize = 60_000;

/// The newest snapshots. It always keeps the newest one.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    snapshots: VecDeque<TopSnapshot>,
    /// Sources and episodes in all of them.
    rows: usize,
}

impl Past {
    /// Adds the newest snapshot. The oldest make room for it.
    pub(super) fn push(&mut self, snapshot: TopSnapshot) {
        self.rows += rows(&snapshot);
        self.snapshots.push_back(snapshot);
        while self.snapshots.len() > MOST || (self.rows > MOST_ROWS && self.snapshots.len() > 1) {
            self.rows -= self.snapshots.pop_front().as_ref().map_or(0, rows);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.snapshots.len()
    }

    /// The one that came so many before the newest.
    pub(super) fn before_newest(&self, steps: usize) -> Option<&TopSnapshot> {
        self.snapshots.get(self.snapshots.len().checked_sub(steps + 1)?)
    }
}

fn rows(snapshot: &TopSnapshot) -> usize {
    snapshot.watches.iter().map(|watch| watch.sources.len()).sum::<usize>() + snapshot.episodes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::control::{TopSource, TopWatch};

    fn snapshot(sources: usize) -> TopSnapshot {
        let watch = TopWatch { sources: vec![TopSource::default(); sources], ..TopWatch::default() };
        TopSnapshot { watches: vec![watch], ..TopSnapshot::default() }
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many_or_too_large_ones() {
        let mut past = Past::default();
        assert_eq!((past.len(), past.before_newest(0)), (0, None));
        for number in 1..=301 {
            past.push(snapshot(1));
            assert_eq!(past.len(), number.min(300));
        }
        // 299 of one source stay beside the newest.
        for (sources, left) in [(59_700, 300), (59_701, 300), (59_702, 299), (60_000, 1)] {
            let mut past = past.clone();
            past.push(snapshot(sources));
            assert_eq!(past.len(), left, "{sources}");
        }
        past.push(snapshot(60_001));
        assert_eq!(past.len(), 1, "the newest stays");
        past.push(snapshot(2));
        assert_eq!((past.len(), past.before_newest(0)), (1, Some(&snapshot(2))));
        assert_eq!(past.before_newest(1), None);
    }
}
