//! The highest number of attempts of one source in any window, computed online.
//!
//! One queue has the times of the last attempts as far back as the longest window; each window has an index into it. A
//! window is that of a limit: attempts within W, both ends included, with times in ticks that never decrease.

use std::collections::VecDeque;
use std::fmt;

use crate::engine::clock::Ticks;
use crate::engine::watch::Limit;

use super::Budget;

/// The highest count in any window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Most {
    /// The count, up to [`Limit::MAX_ATTEMPTS`].
    pub attempts: u16,
    /// Whether there were more: beyond the largest limit, or beyond the memory.
    pub and_more: bool,
}

impl fmt::Display for Most {
    /// `55`, or `4096+`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.attempts, if self.and_more { "+" } else { "" })
    }
}

/// The attempts of one source.
#[derive(Debug)]
pub(super) struct Windows {
    times: VecDeque<Ticks>,
    all: Box<[Window]>,
}

/// A window of one length.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// The index in the queue of the first attempt in the window.
    start: u16,
    most: Most,
}

impl Windows {
    /// Maximum length of the queue: no limit counts more.
    const LONGEST: usize = Limit::MAX_ATTEMPTS as usize;
    /// Size of a time in bytes.
    const TIME: usize = size_of::<Ticks>();

    /// Minimum size on the heap for one source with this many windows, including the allocator's overhead.
    pub(super) const fn least_size(lengths: usize) -> usize {
        const ALLOCATION: usize = 16;
        lengths * size_of::<Window>() + Self::TIME + 2 * ALLOCATION
    }

    /// Creates empty windows of this many lengths.
    pub(super) fn new(lengths: usize) -> Self {
        Self { times: VecDeque::with_capacity(1), all: vec![Window::default(); lengths].into() }
    }

    /// Counts an attempt in windows of these lengths, in ticks.
    pub(super) fn count(&mut self, time: Ticks, lengths: &[u64], budget: &mut Budget) {
        let time = self.times.back().map_or(time, |newest| time.max(*newest));
        for (window, length) in self.all.iter_mut().zip(lengths) {
            let is_before =
                |at: &u16| self.times.get(usize::from(*at)).is_some_and(|t| time.since(*t) > *length);
            while is_before(&window.start) {
                window.start += 1;
            }
        }
        let past = self.all.iter().map(|window| window.start).min().unwrap_or(0);
        self.forget(past);
        if !self.has_room(budget) {
            // A window that begins at the dropped time had one attempt more.
            self.all.iter_mut().filter(|window| window.start == 0).for_each(|w| w.most.and_more = true);
            self.forget(1);
        }
        self.times.push_back(time);
        for window in &mut self.all {
            // At most the longest queue, which fits a u16.
            #[expect(clippy::cast_possible_truncation, reason = "the queue is no longer than a u16 counts")]
            let attempts = self.times.len() as u16 - window.start;
            window.most.attempts = window.most.attempts.max(attempts);
        }
    }

    /// The highest count in the window with this index.
    pub(super) fn most(&self, place: usize) -> Most {
        self.all.get(place).map_or_else(Most::default, |window| window.most)
    }

    /// Drops the first attempts of the queue.
    pub(super) fn forget(&mut self, attempts: u16) {
        self.times.drain(..usize::from(attempts).min(self.times.len()));
        self.all.iter_mut().for_each(|window| window.start = window.start.saturating_sub(attempts));
    }

    /// Whether the queue has room for one more time; it grows while memory is left.
    fn has_room(&mut self, budget: &mut Budget) -> bool {
        let (length, capacity) = (self.times.len(), self.times.capacity());
        if length < capacity.min(Self::LONGEST) {
            return true;
        }
        let more = capacity.min(Self::LONGEST.saturating_sub(capacity));
        if more == 0 || !budget.take(more * Self::TIME) {
            return false;
        }
        self.times.reserve_exact(more + capacity - length);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A budget that is never used up.
    fn ample() -> Budget {
        Budget::of(usize::MAX)
    }

    fn most(times: &[u64], lengths: &[u64], mut budget: Budget) -> Vec<Most> {
        let mut windows = Windows::new(lengths.len());
        times.iter().for_each(|time| windows.count(Ticks(*time), lengths, &mut budget));
        (0..lengths.len()).map(|place| windows.most(place)).collect()
    }

    fn exactly(attempts: u16) -> Most {
        Most { attempts, and_more: false }
    }

    #[test]
    fn both_ends_of_a_window_count() {
        let times = [10, 20, 30, 131];
        assert_eq!(most(&times, &[20, 19, 0, 121, 120], ample()), [3, 2, 1, 4, 3].map(exactly));
    }

    #[test]
    fn an_attempt_out_of_order_counts_at_the_newest_time() {
        assert_eq!(most(&[100, 90, 110, 100], &[10, 9], ample()), [4, 2].map(exactly));
    }

    #[test]
    fn counts_beyond_the_largest_limit_are_marked() {
        let together = vec![5; 4096];
        assert_eq!(most(&together, &[1], ample()), [exactly(4096)]);
        // At the last attempt the others have left the short window only.
        let times: Vec<_> = together.into_iter().chain([10]).collect();
        let found = most(&times, &[1, 5], ample());
        assert_eq!(found, [exactly(4096), Most { attempts: 4096, and_more: true }]);
        assert_eq!(format!("{} {}", found[0], found[1]), "4096 4096+");
    }

    #[test]
    fn without_memory_the_count_is_marked() {
        let budget = Budget::of(3 * Windows::TIME);
        let found = most(&[1, 2, 3, 4, 5, 6], &[10, 2], budget);
        assert_eq!(found, [Most { attempts: 4, and_more: true }, exactly(3)]);
    }

    #[test]
    fn dropped_attempts_are_in_no_window_and_the_highest_count_stays() {
        let (mut windows, mut budget) = (Windows::new(1), ample());
        let mut count = |windows: &mut Windows, time| windows.count(Ticks(time), &[10], &mut budget);
        [1_000_000, 1_000_001].into_iter().for_each(|time| count(&mut windows, time));
        windows.forget(u16::MAX);
        [20, 21].into_iter().for_each(|time| count(&mut windows, time));
        assert_eq!(windows.most(0), exactly(2));
        count(&mut windows, 29);
        assert_eq!(windows.most(0), exactly(3));
    }

    proptest! {
        #[test]
        fn it_is_what_counting_all_windows_finds(
            steps in prop::collection::vec((0..50_u64, prop::bool::weighted(0.1)), 1..300),
            lengths in prop::collection::vec(0..400_u64, 1..4),
        ) {
            let mut now = 1000;
            let times: Vec<_> = steps
                .iter()
                .map(|(step, is_disorder)| {
                    now += step;
                    if *is_disorder { now - 40 } else { now }
                })
                .collect();
            let expected: Vec<_> = lengths.iter().map(|length| exactly(plain(&times, *length))).collect();
            prop_assert_eq!(most(&times, &lengths, ample()), expected);
        }

        #[test]
        fn with_little_memory_it_is_never_too_high_and_says_when_it_may_be_too_low(
            times in prop::collection::vec(0..3000_u64, 1..200),
            lengths in prop::collection::vec(0..400_u64, 1..4),
            room in 0..40_usize,
        ) {
            let mut times = times;
            times.sort_unstable();
            let found = most(&times, &lengths, Budget::of(room * Windows::TIME));
            for (found, length) in found.into_iter().zip(&lengths) {
                let expected = plain(&times, *length);
                prop_assert!(found.attempts <= expected);
                prop_assert_eq!(found.and_more, found.attempts < expected);
            }
        }
    }

    /// The highest number of attempts within any window of this length, by comparing all pairs.
    fn plain(times: &[u64], length: u64) -> u16 {
        let mut newest = 0;
        let counted: Vec<_> = times
            .iter()
            .map(|time| {
                newest = newest.max(*time);
                newest
            })
            .collect();
        let until = |i: usize| counted[..=i].iter().filter(|time| counted[i] - **time <= length).count();
        (0..counted.len()).map(until).max().unwrap_or(0).try_into().unwrap()
    }
}
