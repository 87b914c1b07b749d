//! Limits the number of report lines in a second.
//!
//! A flood from many sources starts as many episodes; their lines must neither bury the terminal nor fill the disk.
//! Lines over the budget are held back and counted, and one line reports their number. A part of the budget is reserved
//! for verified sources, so that forged ones cannot use it up. After an episode's first line all of its further lines
//! are written: one for each update interval, and the end.

use std::collections::HashSet;

use crate::base::time::Timestamp;
use crate::detect::Sink;
use crate::detect::alert::{Alert, State};
use crate::engine::stats::Stats;

/// A destination of report lines.
pub(crate) trait LineSink: Send {
    /// Writes one report.
    fn report(&mut self, alert: &Alert);

    /// Writes the number of reports held back.
    fn held_back(&mut self, now: Timestamp, reports: u64);

    /// Writes the counters on request.
    fn show(&mut self, _stats: &Stats) {}

    /// The number of lines that could not be written.
    fn lost(&self) -> u64;
}

/// A sink with a budget of lines.
#[derive(Debug)]
pub struct RateLimited<S> {
    sink: S,
    limiter: RateLimiter,
    /// Open episodes with a written line.
    shown: HashSet<u64>,
}

impl<S> RateLimited<S> {
    pub(super) fn new(sink: S) -> Self {
        Self { sink, limiter: RateLimiter::default(), shown: HashSet::new() }
    }
}

impl<S: LineSink> Sink for RateLimited<S> {
    fn alert(&mut self, alert: &Alert) {
        self.tick(alert.time);
        if self.shown.contains(&alert.episode) || self.limiter.grant(alert.goes_first()) {
            self.sink.report(alert);
            match alert.state {
                State::Start | State::Update => self.shown.insert(alert.episode),
                State::End(_) => self.shown.remove(&alert.episode),
            };
        }
    }

    fn show(&mut self, stats: &Stats) {
        self.sink.show(stats);
    }

    fn tick(&mut self, now: Timestamp) {
        if let Some(reports) = self.limiter.tick(now) {
            self.sink.held_back(now, reports);
        }
    }

    fn finish(&mut self, now: Timestamp) {
        if let Some(reports) = self.limiter.rest() {
            self.sink.held_back(now, reports);
        }
    }

    fn held_back(&self) -> u64 {
        self.limiter.total()
    }

    fn lost(&self) -> u64 {
        self.sink.lost()
    }
}

/// Maximum number of report lines in one second of capture time.
const LINES_A_SECOND: u32 = 100;
/// Part of that reserved for sources with priority.
const KEPT_LINES: u32 = 20;

/// Grants lines within the budget of a second.
#[derive(Debug, Default)]
struct RateLimiter {
    /// The newest second of capture time with a line.
    second: Option<i64>,
    granted: u32,
    /// Lines granted to sources without priority.
    others: u32,
    waiting: u64,
    total: u64,
}

impl RateLimiter {
    /// Ends the last second, and returns the number of lines held back since the last such notice.
    #[must_use]
    fn tick(&mut self, now: Timestamp) -> Option<u64> {
        if self.is_new(now.second()) {
            self.second = Some(now.second());
            (self.granted, self.others) = (0, 0);
            self.rest()
        } else {
            None
        }
    }

    /// Whether the budget has room for a line. If not, the line counts as held back.
    #[must_use]
    fn grant(&mut self, goes_first: bool) -> bool {
        let has_share = goes_first || self.others < LINES_A_SECOND - KEPT_LINES;
        let granted = has_share && self.granted < LINES_A_SECOND;
        if granted {
            self.granted += 1;
            self.others += u32::from(!goes_first);
        } else {
            self.waiting += 1;
            self.total += 1;
        }
        granted
    }

    /// The number of lines held back since the last notice.
    #[must_use]
    fn rest(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.waiting)).filter(|&waiting| waiting > 0)
    }

    /// The number of lines held back since the start.
    #[must_use]
    fn total(&self) -> u64 {
        self.total
    }

    /// Whether this second has a new budget: time that jitters between two seconds gives none; a clock that was set
    /// back does.
    fn is_new(&self, second: i64) -> bool {
        self.second.is_none_or(|newest| second > newest || second < newest.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::detect::alert::Ended;
    use crate::engine::outcome::{OutcomeCounts, Proof};
    use crate::report::sample::start;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(1_000_000_000 + seconds, 0)
    }

    fn granted(limiter: &mut RateLimiter, asked: u32) -> u32 {
        (0..asked).map(|_| u32::from(limiter.grant(true))).sum()
    }

    #[test]
    fn twenty_lines_a_second_are_reserved_for_verified_sources() {
        for (others, first, expected) in [
            (79, 20, (79, 20)),
            (80, 20, (80, 20)),
            (81, 21, (80, 20)),
            (300, 0, (80, 0)),
            (0, 101, (0, 100)),
        ] {
            let mut limiter = RateLimiter::default();
            assert_eq!(limiter.tick(at(0)), None);
            let others = (0..others).filter(|_| limiter.grant(false)).count();
            let first = (0..first).filter(|_| limiter.grant(true)).count();
            assert_eq!((others, first), expected);
        }
        let mut limiter = RateLimiter::default();
        let first = (0..50).filter(|_| limiter.grant(true)).count();
        let others = (0..100).filter(|_| limiter.grant(false)).count();
        assert_eq!((first, others), (50, 50), "those that go first take of the rest, too");
    }

    /// Records the reports that were written.
    #[derive(Default)]
    struct Said(Vec<(u64, &'static str)>);

    impl LineSink for Said {
        fn report(&mut self, alert: &Alert) {
            self.0.push((alert.episode, alert.state.name()));
        }

        fn held_back(&mut self, _: Timestamp, _: u64) {}

        fn lost(&self) -> u64 {
            0
        }
    }

    #[test]
    fn an_episode_with_a_line_keeps_its_updates_and_its_end() {
        let mut limited = RateLimited::new(Said::default());
        let forged = |episode, state| Alert {
            verified: Proof::None,
            outcomes: OutcomeCounts::default(),
            episode,
            state,
            time: at(0),
            ..start()
        };
        let verified = |state| Alert { episode: 999, state, time: at(0), ..start() };
        (0..200).for_each(|episode| limited.alert(&forged(episode, State::Start)));
        limited.alert(&verified(State::Update));
        (0..200).for_each(|episode| limited.alert(&forged(episode, State::Update)));
        (0..200).for_each(|episode| limited.alert(&forged(episode, State::End(Ended::Quiet))));
        limited.alert(&verified(State::End(Ended::Quiet)));
        let said = &limited.sink.0;
        for episode in 0..200 {
            let states: Vec<_> =
                said.iter().filter(|(of, _)| *of == episode).map(|(_, state)| *state).collect();
            let all = ["start", "update", "end"];
            assert_eq!(states, if episode < 80 { &all[..] } else { &[][..] }, "{episode}");
        }
        assert_eq!(said.iter().filter(|(of, _)| *of == 999).count(), 2);
        assert!(limited.shown.is_empty());
        assert_eq!(Sink::held_back(&limited), 3 * 120);
    }

    #[test]
    fn grants_a_hundred_lines_a_second() {
        for (asked, expected, held_back) in [(99, 99, None), (100, 100, None), (101, 100, Some(1))] {
            let mut limiter = RateLimiter::default();
            assert_eq!(limiter.tick(at(0)), None);
            assert_eq!(granted(&mut limiter, asked), expected);
            assert_eq!(limiter.tick(at(0)), None, "the second is not over");
            assert_eq!(limiter.tick(at(1)), held_back);
            assert_eq!(limiter.tick(at(2)), None, "it is said once");
            assert_eq!(limiter.total(), held_back.unwrap_or(0));
        }
    }

    #[test]
    fn each_second_has_its_own_budget() {
        let mut limiter = RateLimiter::default();
        for second in 0..3 {
            let held_back = limiter.tick(at(second));
            assert_eq!(held_back, (second > 0).then_some(50));
            assert_eq!(granted(&mut limiter, 150), 100);
        }
        assert_eq!(limiter.rest(), Some(50));
        assert_eq!(limiter.total(), 150);
    }

    #[test]
    fn jitter_between_two_seconds_gives_no_new_budget() {
        let mut limiter = RateLimiter::default();
        assert_eq!(limiter.tick(at(1)), None);
        assert_eq!(granted(&mut limiter, 100), 100);
        assert_eq!(limiter.tick(at(0)), None);
        assert_eq!(granted(&mut limiter, 1), 0);
        assert_eq!(limiter.tick(at(1)), None);
        assert_eq!(granted(&mut limiter, 1), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_no_lines() {
        let mut limiter = RateLimiter::default();
        assert_eq!(limiter.tick(at(1_000)), None);
        assert_eq!(granted(&mut limiter, 101), 100);
        assert_eq!(limiter.tick(at(998)), Some(1));
        assert_eq!(granted(&mut limiter, 1), 1);
    }
}
