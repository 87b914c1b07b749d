//! What is due when, in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Timestamp;

/// What may be left behind by episodes that are over before it is worth looking for.
const LEFT_BEHIND: usize = 1024;

/// Things that are due for episodes, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Schedule(BinaryHeap<Reverse<Due>>);

/// What is due for which episode. At one time, updates come before ends, and earlier episodes before later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) time: Timestamp,
    pub(super) what: What,
    pub(super) episode: EpisodeId,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// It lasts: say so.
    Update,
    /// It may be over: see whether it is.
    End,
}

/// An episode's number, in the order of their starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct EpisodeId(pub(super) u64);

impl Schedule {
    pub(super) fn push(&mut self, due: Due) {
        self.0.push(Reverse(due));
    }

    /// The next that is due by now. An end is due only after its time: at its time an attempt may still go on with it.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Due> {
        let Reverse(next) = *self.0.peek()?;
        let is_due = match next.what {
            What::Update => next.time <= now,
            What::End => next.time < now,
        };
        if is_due { self.0.pop().map(|Reverse(due)| due) } else { None }
    }

    /// Forgets what is due for episodes that are over, once that is most of it: an update may be due in a week, and in
    /// that time many episodes can begin and end.
    pub(super) fn tidy(&mut self, open: usize, is_open: impl Fn(EpisodeId) -> bool) {
        if self.0.len() > LEFT_BEHIND + 4 * open {
            self.0.retain(|Reverse(due)| is_open(due.episode));
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
        let update = Due { time: at(10), what: What::Update, episode: EpisodeId(1) };
        let end = Due { time: at(10), what: What::End, episode: EpisodeId(0) };
        schedule.push(end);
        schedule.push(update);
        assert_eq!(schedule.pop(at(9)), None);
        assert_eq!(schedule.pop(at(10)), Some(update));
        assert_eq!(schedule.pop(at(10)), None);
        assert_eq!(schedule.pop(at(11)), Some(end));
        assert_eq!(schedule.pop(at(11)), None);
    }

    #[test]
    fn what_episodes_leave_behind_is_bounded() {
        let mut schedule = Schedule::default();
        for episode in 0..10_000 {
            schedule.push(Due { time: at(1_000_000), what: What::Update, episode: EpisodeId(episode) });
            schedule.tidy(1, |open| open.0 == episode);
            assert!(schedule.0.len() <= LEFT_BEHIND + 4);
        }
        let last = std::iter::from_fn(|| schedule.pop(at(1_000_000))).last();
        assert_eq!(last.map(|due| due.episode.0), Some(9_999));
    }

    #[test]
    fn what_is_due_comes_in_order_of_time_then_of_starts() {
        let mut schedule = Schedule::default();
        for (time, episode) in [(3, 1), (1, 2), (2, 9), (2, 4)] {
            schedule.push(Due { time: at(time), what: What::Update, episode: EpisodeId(episode) });
        }
        let order: Vec<_> = std::iter::from_fn(|| schedule.pop(at(5))).map(|due| due.episode.0).collect();
        assert_eq!(order, [2, 4, 9, 1]);
    }
}
