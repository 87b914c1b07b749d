//! Scheduled updates and ends of episodes, in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::time::Timestamp;

/// Number of entries of ended episodes that are tolerated before a clean-up.
const LEFT_BEHIND: usize = 1024;

/// Scheduled events, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Schedule(BinaryHeap<Reverse<Due>>);

/// An event of an episode. At the same time, updates come before ends, and older episodes before newer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) time: Timestamp,
    pub(super) what: What,
    pub(super) episode: EpisodeId,
    /// Its index.
    pub(super) place: usize,
}

/// The kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Report an update if the episode is open.
    Update,
    /// End the episode if its quiet time has passed.
    End,
}

/// An episode's number, in the order of their starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct EpisodeId(pub(super) u64);

impl Schedule {
    /// Makes room for what so many open episodes need.
    pub(super) fn reserve(&mut self, most: usize) {
        self.0.reserve(LEFT_BEHIND + 4 * most);
    }

    pub(super) fn push(&mut self, due: Due) {
        self.0.push(Reverse(due));
    }

    /// The next event due by now. An end is due only after its time: an attempt at exactly that time continues the
    /// episode.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Due> {
        let Reverse(next) = *self.0.peek()?;
        let is_due = match next.what {
            What::Update => next.time <= now,
            What::End => next.time < now,
        };
        if is_due { self.0.pop().map(|Reverse(due)| due) } else { None }
    }

    /// Removes events of ended episodes when they are the majority: an update may be due in a week, and many episodes
    /// may begin and end in that time.
    pub(super) fn tidy(&mut self, open: usize, is_open: impl Fn(&Due) -> bool) {
        if self.0.len() > LEFT_BEHIND + 4 * open {
            self.0.retain(|Reverse(due)| is_open(due));
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(seconds, 0)
    }

    #[test]
    fn an_update_is_due_at_its_time_and_an_end_after_it() {
        let mut schedule = Schedule::default();
        let update = Due { time: at(10), what: What::Update, episode: EpisodeId(1), place: 0 };
        let end = Due { time: at(10), what: What::End, episode: EpisodeId(0), place: 0 };
        schedule.push(end);
        schedule.push(update);
        assert_eq!(schedule.pop(at(9)), None);
        assert_eq!(schedule.pop(at(10)), Some(update));
        assert_eq!(schedule.pop(at(10)), None);
        assert_eq!(schedule.pop(at(11)), Some(end));
        assert_eq!(schedule.pop(at(11)), None);
    }

    #[test]
    fn entries_of_ended_episodes_are_bounded() {
        let mut schedule = Schedule::default();
        for episode in 0..10_000 {
            schedule.push(Due {
                time: at(1_000_000),
                what: What::Update,
                episode: EpisodeId(episode),
                place: 0,
            });
            schedule.tidy(1, |due| due.episode.0 == episode);
            assert!(schedule.0.len() <= LEFT_BEHIND + 4);
        }
        let last = std::iter::from_fn(|| schedule.pop(at(1_000_000))).last();
        assert_eq!(last.map(|due| due.episode.0), Some(9_999));
    }

    #[test]
    fn what_is_due_comes_in_order_of_time_then_of_starts() {
        let mut schedule = Schedule::default();
        for (time, episode) in [(3, 1), (1, 2), (2, 9), (2, 4)] {
            schedule.push(Due { time: at(time), what: What::Update, episode: EpisodeId(episode), place: 0 });
        }
        let order: Vec<_> = std::iter::from_fn(|| schedule.pop(at(5))).map(|due| due.episode.0).collect();
        assert_eq!(order, [2, 4, 9, 1]);
    }
}
