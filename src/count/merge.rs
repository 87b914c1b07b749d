//! What several sockets have handed over, put in order of time again.
//!
//! ```text
//!   lane 0  ──▶ │ 5.1 5.3 5.6 │               through 5.6
//!   lane 1  ──▶ │ 5.2         │               through 5.2     next: 5.1, 5.2, and no more:
//!   lane 2  ──▶ │             │               through 5.4     lane 1 may still bring a 5.25
//! ```
//!
//! Each lane is in order; its packets, and what it says while it has none, tell through which time it has handed over
//! all. What is first of all lanes is next, unless a lane that has nothing may still bring something earlier. A lane is
//! waited for within reach only: one that is further behind, or whose clock was set, holds up nobody. Then the order is
//! that of coming, which costs exactness and nothing else.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Timestamp;

/// What comes from a lane at once: in order of time.
pub(super) trait Sheaf {
    /// The time of the one at this place; `None` behind the last.
    fn time(&self, place: usize) -> Option<Timestamp>;
}

/// The lanes.
#[derive(Debug)]
pub(super) struct Merge<S> {
    lanes: Vec<Lane<S>>,
    reach: Duration,
}

#[derive(Debug)]
struct Lane<S> {
    waiting: VecDeque<S>,
    /// How many of the first sheaf are gone.
    gone: usize,
    /// The time through which all has come; `None` before the lane has said anything.
    through: Option<Timestamp>,
}

/// Who is next, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) lane: usize,
    /// All that the lane has up to this time may go, one after the other.
    pub(super) until: Timestamp,
}

impl<S: Sheaf> Merge<S> {
    /// For so many lanes, each of which may have room for so many sheaves. A lane is waited for that is no further
    /// behind than `reach`.
    pub(super) fn new(lanes: usize, room: usize, reach: Duration) -> Self {
        let lane = || Lane { waiting: VecDeque::with_capacity(room), gone: 0, through: None };
        Self { lanes: std::iter::repeat_with(lane).take(lanes).collect(), reach }
    }

    /// Takes what has come from a lane, which has handed over all through this time. There is something in it.
    pub(super) fn add(&mut self, lane: usize, sheaf: S, through: Timestamp) {
        self.lanes[lane].waiting.push_back(sheaf);
        self.pass(lane, through);
    }

    /// A lane has handed over all through this time.
    pub(super) fn pass(&mut self, lane: usize, through: Timestamp) {
        self.lanes[lane].through = Some(through);
    }

    /// Nothing more comes from a lane, or not before it begins again: nobody waits for it.
    pub(super) fn end(&mut self, lane: usize) {
        self.lanes[lane].through = Some(Timestamp::MAX);
    }

    /// A lane will say something: it is waited for.
    pub(super) fn begin(&mut self, lane: usize) {
        self.lanes[lane].through = None;
    }

    /// Who is next, if nothing earlier may come.
    pub(super) fn next(&self) -> Option<Run> {
        let next = self.first()?;
        let (head, newest) = (self.lanes[next.lane].head()?, self.lanes[next.lane].through?);
        let mut until = next.until;
        for lane in self.lanes.iter().filter(|lane| lane.waiting.is_empty()) {
            let through = lane.through?;
            let is_near = through.since(newest).max(newest.since(through)) <= self.reach;
            if is_near && head.since(through) <= self.reach {
                until = until.min(through);
            }
        }
        (head <= until).then_some(Run { until, ..next })
    }

    /// Who is first of what has come, whatever may come.
    pub(super) fn first(&self) -> Option<Run> {
        let mut first: Option<(Timestamp, usize)> = None;
        let mut until = Timestamp::MAX;
        for (number, lane) in self.lanes.iter().enumerate() {
            let Some(head) = lane.head() else { continue };
            match first {
                Some((earliest, _)) if head >= earliest => until = until.min(head),
                _ => {
                    until = first.map_or(until, |(earliest, _)| until.min(earliest));
                    first = Some((head, number));
                }
            }
        }
        first.map(|(_, lane)| Run { lane, until })
    }

    /// The first sheaf of a lane, and the place of what is next in it.
    pub(super) fn front(&self, lane: usize) -> Option<(&S, usize)> {
        let lane = &self.lanes[lane];
        lane.waiting.front().map(|sheaf| (sheaf, lane.gone))
    }

    /// So many of a lane's first sheaf are gone. Gives the sheaf back when that was all.
    pub(super) fn advance(&mut self, lane: usize, gone: usize) -> Option<S> {
        let lane = &mut self.lanes[lane];
        lane.gone = gone;
        if lane.head().is_some() {
            return None;
        }
        lane.gone = 0;
        lane.waiting.pop_front()
    }

    /// The lanes that have nothing, with the time through which they have handed over all.
    pub(super) fn passed(&self) -> impl Iterator<Item = (usize, Timestamp)> {
        let idle = self.lanes.iter().enumerate().filter(|(_, lane)| lane.waiting.is_empty());
        idle.filter_map(|(number, lane)| Some((number, lane.through?)))
    }
}

impl<S: Sheaf> Lane<S> {
    fn head(&self) -> Option<Timestamp> {
        self.waiting.front()?.time(self.gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Sheaf for Vec<i64> {
        fn time(&self, place: usize) -> Option<Timestamp> {
            self.get(place).map(|&millis| at(millis))
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::new(0, millis * 1_000_000)
    }

    fn merge(lanes: usize) -> Merge<Vec<i64>> {
        Merge::new(lanes, 4, Duration::from_secs(1))
    }

    /// All that may go now, with the lane it came from.
    fn going(merge: &mut Merge<Vec<i64>>) -> Vec<(usize, i64)> {
        let mut gone = Vec::new();
        while let Some(Run { lane, until }) = merge.next() {
            let (sheaf, mut place) = merge.front(lane).unwrap();
            let before = gone.len();
            while let Some(&millis) = sheaf.get(place).filter(|&&millis| at(millis) <= until) {
                gone.push((lane, millis));
                place += 1;
            }
            assert!(gone.len() > before, "who is next has something");
            merge.advance(lane, place);
        }
        gone
    }

    #[test]
    fn what_is_first_of_all_lanes_is_next() {
        let mut merge = merge(2);
        merge.add(0, vec![1, 4, 5], at(5));
        merge.add(1, vec![2, 3, 6], at(6));
        assert_eq!(going(&mut merge), [(0, 1), (1, 2), (1, 3), (0, 4), (0, 5)]);
        merge.add(0, vec![6, 7], at(7));
        assert_eq!(going(&mut merge), [(0, 6), (1, 6)], "at one time, the lower lane first");
    }

    #[test]
    fn a_lane_that_has_nothing_is_waited_for() {
        let mut merge = merge(2);
        merge.add(0, vec![10, 20, 30], at(30));
        assert_eq!(going(&mut merge), [], "nobody knows what it will say first");
        merge.pass(1, at(9));
        assert_eq!(going(&mut merge), []);
        merge.pass(1, at(20));
        assert_eq!(going(&mut merge), [(0, 10), (0, 20)]);
        merge.add(1, vec![25], at(25));
        assert_eq!(going(&mut merge), [(1, 25)]);
        merge.end(1);
        assert_eq!(going(&mut merge), [(0, 30)]);
        merge.begin(1);
        merge.add(0, vec![40], at(40));
        assert_eq!(going(&mut merge), []);
    }

    #[test]
    fn a_lane_that_is_out_of_reach_holds_up_nobody() {
        let mut merge = merge(2);
        merge.pass(1, at(0));
        merge.add(0, vec![500, 1000], at(1000));
        assert_eq!(going(&mut merge), []);
        merge.add(0, vec![1001], at(1001));
        assert_eq!(going(&mut merge), [(0, 500), (0, 1000), (0, 1001)]);
        merge.add(1, vec![1], at(1));
        assert_eq!(going(&mut merge), [(1, 1)], "it comes late, and goes at once");
    }

    #[test]
    fn a_clock_that_is_set_stops_nothing() {
        const HOUR: i64 = 3_600_000;
        for [before, after] in [[2 * HOUR, HOUR], [HOUR, 2 * HOUR]] {
            let mut merge = merge(2);
            merge.pass(1, at(before));
            // The one lane tells of it before the other one.
            merge.add(0, vec![before + 1, after, after + 40], at(after + 40));
            let mut gone = going(&mut merge);
            merge.pass(1, at(after + 10));
            gone.extend(going(&mut merge));
            merge.pass(1, at(after + 50));
            gone.extend(going(&mut merge));
            assert_eq!(gone, [(0, before + 1), (0, after), (0, after + 40)]);
        }
    }

    #[test]
    fn sheaves_are_given_back_when_all_of_them_is_gone() {
        let mut merge = merge(1);
        merge.add(0, vec![1, 2], at(2));
        merge.add(0, vec![3], at(3));
        assert_eq!(merge.advance(0, 1), None);
        assert_eq!(merge.front(0), Some((&vec![1, 2], 1)));
        assert_eq!(merge.advance(0, 2), Some(vec![1, 2]));
        assert_eq!(merge.front(0), Some((&vec![3], 0)));
        assert_eq!(merge.advance(0, 1), Some(vec![3]));
        assert_eq!(merge.passed().collect::<Vec<_>>(), [(0, at(3))]);
    }
}
