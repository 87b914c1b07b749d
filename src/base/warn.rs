//! Warnings that may recur: each kind once a minute, with its count.
//!
//! A sender must not be able to fill the log. Each such warning has a [`Throttle`], which gets the time as an argument.

use std::time::Duration;

use crate::base::time::Timestamp;

/// Minimum interval between two warnings of a kind.
pub(crate) const INTERVAL: Duration = Duration::from_secs(60);

/// Lets one kind of warning through once in [`INTERVAL`], and counts occurrences in between.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Throttle {
    last: Option<Timestamp>,
    waiting: u64,
}

impl Throttle {
    /// Creates a throttle whose first occurrence passes at once.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self { last: None, waiting: 0 }
    }

    /// Counts `more` occurrences at `now`. Returns the number since the last warning if a warning is due.
    #[must_use]
    pub(crate) fn count(&mut self, now: Timestamp, more: u64) -> Option<u64> {
        self.waiting = self.waiting.saturating_add(more);
        self.due(now)
    }

    /// The number since the last warning, if a warning is due. Called at ticks, so that the last occurrences are
    /// reported even if no others follow.
    #[must_use]
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<u64> {
        match self.last {
            // If the clock was set back, the wait starts again: a minute at most.
            Some(last) if now < last => self.last = Some(now),
            Some(last) if now.since(last) < INTERVAL => {}
            _ if self.waiting > 0 => {
                self.last = Some(now);
                return self.rest();
            }
            _ => {}
        }
        None
    }

    /// The number since the last warning, due or not, for the end of the run.
    #[must_use]
    pub(crate) fn rest(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.waiting)).filter(|&waiting| waiting > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(1_000_000_000 + seconds, 0)
    }

    #[test]
    fn the_first_goes_through_and_the_next_a_minute_later() {
        let mut throttle = Throttle::new();
        assert_eq!(throttle.count(at(0), 3), Some(3));
        assert_eq!(throttle.count(at(0), 1), None);
        assert_eq!(throttle.count(at(59), 2), None);
        assert_eq!(throttle.count(at(60), 4), Some(7));
        assert_eq!(throttle.count(at(61), 1), None);
    }

    #[test]
    fn a_tick_returns_what_waits_and_nothing_else() {
        let mut throttle = Throttle::new();
        assert_eq!(throttle.due(at(0)), None);
        assert_eq!(throttle.count(at(1), 1), Some(1));
        assert_eq!(throttle.due(at(61)), None);
        assert_eq!(throttle.count(at(62), 1), Some(1));
        assert_eq!(throttle.count(at(63), 5), None);
        assert_eq!(throttle.due(at(121)), None);
        assert_eq!(throttle.due(at(122)), Some(5));
        assert_eq!(throttle.due(at(999)), None);
    }

    #[test]
    fn nothing_is_no_occurrence() {
        let mut throttle = Throttle::new();
        assert_eq!(throttle.count(at(0), 0), None);
        assert_eq!(throttle.count(at(1), 1), Some(1));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_for_a_minute_at_most() {
        let mut throttle = Throttle::new();
        assert_eq!(throttle.count(at(0), 1), Some(1));
        assert_eq!(throttle.count(at(-1_000), 1), None);
        assert_eq!(throttle.count(at(-941), 1), None);
        assert_eq!(throttle.count(at(-940), 1), Some(3));
    }

    #[test]
    fn the_end_of_the_run_returns_the_rest_once() {
        let mut throttle = Throttle::new();
        assert_eq!(throttle.count(at(0), 1), Some(1));
        assert_eq!(throttle.rest(), None);
        assert_eq!(throttle.count(at(1), 2), None);
        assert_eq!(throttle.rest(), Some(2));
        assert_eq!(throttle.rest(), None);
    }
}
