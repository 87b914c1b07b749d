//! How many report lines a second may have.
//!
//! A flood from many sources starts as many episodes; their lines must not bury the terminal or fill the disk. What is
//! over the budget is held back and counted, and one line says how many there were. Where lines go is a [`Voice`], and
//! a [`Governed`] one is a sink.

use super::Sink;
use crate::alert::Alert;
use crate::stats::Stats;
use crate::time::Timestamp;

/// Where report lines go.
pub trait Voice: Send {
    /// Says one report.
    fn report(&mut self, alert: &Alert);

    /// Says that so many reports were held back.
    fn held_back(&mut self, now: Timestamp, reports: u64);

    /// Shows the counters, because somebody asked.
    fn show(&mut self, _stats: &Stats) {}

    /// Lines that could not be written.
    fn lost(&self) -> u64;
}

/// A voice that is held to the budget.
#[derive(Debug)]
pub struct Governed<V> {
    voice: V,
    governor: Governor,
}

impl<V> Governed<V> {
    pub(super) fn new(voice: V) -> Self {
        Self { voice, governor: Governor::default() }
    }
}

impl<V: Voice> Sink for Governed<V> {
    fn alert(&mut self, alert: &Alert) {
        self.tick(alert.time);
        if self.governor.grant() {
            self.voice.report(alert);
        }
    }

    fn show(&mut self, stats: &Stats) {
        self.voice.show(stats);
    }

    fn tick(&mut self, now: Timestamp) {
        if let Some(reports) = self.governor.tick(now) {
            self.voice.held_back(now, reports);
        }
    }

    fn finish(&mut self, now: Timestamp) {
        if let Some(reports) = self.governor.rest() {
            self.voice.held_back(now, reports);
        }
    }

    fn held_back(&self) -> u64 {
        self.governor.total()
    }

    fn lost(&self) -> u64 {
        self.voice.lost()
    }
}

/// Report lines in one second of capture time, over all.
const LINES_A_SECOND: u32 = 100;

/// Grants lines while the budget of the second lasts.
#[derive(Debug, Default)]
struct Governor {
    /// The newest second of capture time that had a line.
    second: Option<i64>,
    granted: u32,
    waiting: u64,
    total: u64,
}

impl Governor {
    /// How many lines were held back and have not been spoken of, once their second is over.
    #[must_use]
    fn tick(&mut self, now: Timestamp) -> Option<u64> {
        if self.is_new(now.second()) {
            self.second = Some(now.second());
            self.granted = 0;
            self.rest()
        } else {
            None
        }
    }

    /// Whether one more line may be written in the second of the last tick. If not, it counts as held back.
    #[must_use]
    fn grant(&mut self) -> bool {
        let granted = self.granted < LINES_A_SECOND;
        if granted {
            self.granted += 1;
        } else {
            self.waiting += 1;
            self.total += 1;
        }
        granted
    }

    /// How many lines were held back and have not been spoken of.
    #[must_use]
    fn rest(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.waiting)).filter(|&waiting| waiting > 0)
    }

    /// How many lines were held back since the start.
    #[must_use]
    fn total(&self) -> u64 {
        self.total
    }

    /// Time that goes to and fro between two seconds gives no new budget; a clock that was set back does.
    fn is_new(&self, second: i64) -> bool {
        self.second.is_none_or(|newest| second > newest || second < newest.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(1_000_000_000 + seconds, 0)
    }

    fn granted(governor: &mut Governor, asked: u32) -> u32 {
        (0..asked).map(|_| u32::from(governor.grant())).sum()
    }

    #[test]
    fn grants_a_hundred_lines_a_second() {
        for (asked, expected, held_back) in [(99, 99, None), (100, 100, None), (101, 100, Some(1))] {
            let mut governor = Governor::default();
            assert_eq!(governor.tick(at(0)), None);
            assert_eq!(granted(&mut governor, asked), expected);
            assert_eq!(governor.tick(at(0)), None, "the second is not over");
            assert_eq!(governor.tick(at(1)), held_back);
            assert_eq!(governor.tick(at(2)), None, "it is said once");
            assert_eq!(governor.total(), held_back.unwrap_or(0));
        }
    }

    #[test]
    fn each_second_has_its_own_budget() {
        let mut governor = Governor::default();
        for second in 0..3 {
            let held_back = governor.tick(at(second));
            assert_eq!(held_back, (second > 0).then_some(50));
            assert_eq!(granted(&mut governor, 150), 100);
        }
        assert_eq!(governor.rest(), Some(50));
        assert_eq!(governor.total(), 150);
    }

    #[test]
    fn time_to_and_fro_gives_no_new_budget() {
        let mut governor = Governor::default();
        assert_eq!(governor.tick(at(1)), None);
        assert_eq!(granted(&mut governor, 100), 100);
        assert_eq!(governor.tick(at(0)), None);
        assert_eq!(granted(&mut governor, 1), 0);
        assert_eq!(governor.tick(at(1)), None);
        assert_eq!(granted(&mut governor, 1), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_silence() {
        let mut governor = Governor::default();
        assert_eq!(governor.tick(at(1_000)), None);
        assert_eq!(granted(&mut governor, 101), 100);
        assert_eq!(governor.tick(at(998)), Some(1));
        assert_eq!(granted(&mut governor, 1), 1);
    }
}
