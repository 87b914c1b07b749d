//! Warnings that may recur: each kind once a minute, with its count.
//!
//! What a sender can enlarge must not fill the log. A [`Throttle`] stands beside each such warning; it is told the
//! time.

use std::time::Duration;

use crate::time::Timestamp;

/// How long a warning waits before it is given again.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// Lets one kind of warning through once in [`INTERVAL`], and counts what it stands for in between.
#[derive(Debug, Clone, Copy, Default)]
pub struct Throttle {
    last: Option<Timestamp>,
    waiting: u64,
}

impl Throttle {
    /// One that has not warned yet: the first occurrence goes through at once.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None, waiting: 0 }
    }

    /// Counts `more` occurrences at `now`. What is given back is to be warned of: all that occurred since the last
    /// warning.
    #[must_use]
    pub fn count(&mut self, now: Timestamp, more: u64) -> Option<u64> {
        self.waiting = self.waiting.saturating_add(more);
        self.due(now)
    }

    /// What occurred since the last warning, if it is time to say so. To be asked at ticks, so that the last
    /// occurrences are not kept back when no others follow.
    #[must_use]
    pub fn due(&mut self, now: Timestamp) -> Option<u64> {
        match self.last {
            // A clock that was set back is waited for no longer than a minute from here.
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

    /// What occurred since the last warning, due or not: to be said when the run ends.
    #[must_use]
    pub fn rest(&mut self) -> Option<u64> {
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
    fn a_tick_brings_what_waits_and_nothing_else() {
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
    fn the_end_of_the_run_brings_the_rest_once() {
        let mut throttle = Throttle::new();
        assert_eq!(throttle.count(at(0), 1), Some(1));
        assert_eq!(throttle.rest(), None);
        assert_eq!(throttle.count(at(1), 2), None);
        assert_eq!(throttle.rest(), Some(2));
        assert_eq!(throttle.rest(), None);
    }
}
