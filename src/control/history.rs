//! Attempts of each of the last seconds, for the graph of `top`.

use std::collections::VecDeque;

/// How many seconds are kept.
pub(super) const SECONDS: usize = 300;

/// Attempts by second, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    seconds: VecDeque<u32>,
    /// The last second, and all attempts by then.
    last: Option<(i64, u64)>,
}

impl History {
    /// Adds that there were so many attempts in all at some moment of this second. A second that is earlier than the
    /// last one follows it: the clock was set back.
    pub(super) fn add(&mut self, second: i64, attempts: u64) {
        let (last, before) = self.last.unwrap_or((second.saturating_sub(1), 0));
        let passed = if second < last { 1 } else { second.abs_diff(last) };
        for _ in 0..passed.min(SECONDS as u64) {
            self.seconds.push_back(0);
        }
        self.seconds.drain(..self.seconds.len().saturating_sub(SECONDS));
        let new = u32::try_from(attempts.saturating_sub(before)).unwrap_or(u32::MAX);
        if let Some(newest) = self.seconds.back_mut() {
            *newest = newest.saturating_add(new);
        }
        self.last = Some((second, attempts));
    }

    /// The last second that was added.
    pub(super) fn last(&self) -> Option<i64> {
        self.last.map(|(second, _)| second)
    }

    /// The attempts of each second, the oldest first; without those of the last one, if that is not over.
    pub(super) fn seconds(&self, is_over: bool) -> Vec<u32> {
        let whole = self.seconds.len().saturating_sub(usize::from(!is_over));
        self.seconds.iter().take(whole).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_go_to_their_seconds_and_seconds_without_any_are_there() {
        let mut history = History::default();
        for (second, attempts) in [(10, 3), (10, 4), (11, 4), (14, 9), (13, 10)] {
            history.add(second, attempts);
        }
        assert_eq!(history.seconds(true), [4, 0, 0, 0, 5, 1], "a clock that is set back goes on");
        assert_eq!(history.seconds(false), [4, 0, 0, 0, 5]);
        assert_eq!((History::default().seconds(true), History::default().seconds(false)), (vec![], vec![]));
    }

    #[test]
    fn the_oldest_seconds_give_way() {
        for (seconds, length) in [(299, 299), (300, 300), (301, 300)] {
            let mut history = History::default();
            (1..=seconds).for_each(|second| history.add(second, second.unsigned_abs()));
            assert_eq!(history.seconds(true), vec![1; length], "{seconds}");
        }
        let mut history = History::default();
        history.add(0, 7);
        history.add(i64::MAX, 8);
        assert_eq!(history.seconds(true).iter().map(|n| u64::from(*n)).sum::<u64>(), 1);
        history.add(i64::MIN, 9);
        assert_eq!(history.seconds(true)[SECONDS - 2..], [1, 1]);
    }
}
