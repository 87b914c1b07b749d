//! Whether what is captured can show what is asked for: said once each, with its remedy.

use std::time::Duration;

use crate::stats::Stats;
use crate::time::Timestamp;

/// Fewer attempts than this say nothing about where they were captured.
const ENOUGH: u64 = 100;
/// Without a watched packet for this long, something is wrong with the capture, or nobody wants anything.
const SILENCE: Duration = Duration::from_secs(600);

/// Watches over the vantage point.
#[derive(Debug, Default)]
pub(super) struct Vantage {
    /// Nobody waits for packets in a replay.
    is_live: bool,
    since: Option<Timestamp>,
    has_said_one_way: bool,
    has_said_twice: bool,
    has_said_silence: bool,
}

impl Vantage {
    pub(super) fn new(is_live: bool) -> Self {
        Self { is_live, ..Self::default() }
    }

    /// Warns of what can be told by now.
    pub(super) fn look(&mut self, now: Timestamp, stats: &Stats) {
        for warning in self.warnings(now, stats) {
            log::warn!("{warning}");
        }
    }

    fn warnings(&mut self, now: Timestamp, stats: &Stats) -> Vec<&'static str> {
        let Stats { attempts, copies, answers, last_watched, .. } = *stats;
        let since = *self.since.get_or_insert(now);
        let last = last_watched.map_or(since, |last| last.max(since));
        let found = [
            (
                attempts >= ENOUGH && answers == 0,
                &mut self.has_said_one_way,
                "SYNs are seen, but no answer to any: one direction only (mirror both, or outcomes stay unknown)",
            ),
            (
                attempts >= ENOUGH && copies >= attempts,
                &mut self.has_said_twice,
                "every packet is seen twice (watch one interface, or one side of the mirror, to halve the work)",
            ),
            (
                self.is_live && now.since(last) >= SILENCE,
                &mut self.has_said_silence,
                "no packet of the watched ports for 10 minutes (is it the right interface, is the mirror on?)",
            ),
        ];
        let mut due = Vec::new();
        for (is_so, has_said, warning) in found {
            if is_so && !std::mem::replace(has_said, true) {
                due.push(warning);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(seconds, 0)
    }

    fn seen(attempts: u64, copies: u64, answers: u64) -> Stats {
        Stats { attempts, copies, answers, last_watched: Some(at(0)), ..Stats::default() }
    }

    #[test]
    fn a_hundred_attempts_without_an_answer_are_one_direction_and_it_is_said_once() {
        let mut vantage = Vantage::new(false);
        assert!(vantage.warnings(at(0), &seen(99, 0, 0)).is_empty());
        assert!(vantage.warnings(at(0), &seen(100, 0, 1)).is_empty());
        assert!(vantage.warnings(at(0), &seen(100, 0, 0))[0].contains("one direction only"));
        assert!(vantage.warnings(at(0), &seen(200, 0, 0)).is_empty());
    }

    #[test]
    fn as_many_copies_as_attempts_are_everything_twice() {
        let mut vantage = Vantage::new(false);
        assert!(vantage.warnings(at(0), &seen(100, 99, 1)).is_empty());
        assert!(vantage.warnings(at(0), &seen(100, 100, 1))[0].contains("twice"));
        assert!(vantage.warnings(at(0), &seen(100, 100, 1)).is_empty());
    }

    #[test]
    fn ten_minutes_without_a_watched_packet_are_said_once_and_live_only() {
        let mut vantage = Vantage::new(true);
        assert!(vantage.warnings(at(0), &Stats::default()).is_empty());
        assert!(vantage.warnings(at(599), &Stats::default()).is_empty());
        assert!(vantage.warnings(at(600), &Stats::default())[0].contains("10 minutes"));
        assert!(vantage.warnings(at(1200), &Stats::default()).is_empty());
        let mut vantage = Vantage::new(true);
        let watched = Stats { last_watched: Some(at(100)), ..Stats::default() };
        assert!(vantage.warnings(at(0), &watched).is_empty());
        assert!(vantage.warnings(at(699), &watched).is_empty());
        assert_eq!(vantage.warnings(at(700), &watched).len(), 1);
        let mut vantage = Vantage::new(false);
        assert!(vantage.warnings(at(0), &watched).is_empty());
        assert!(vantage.warnings(at(5000), &watched).is_empty());
    }
}
