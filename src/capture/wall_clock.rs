//! Detects that the machine's clock was set back. The system does not report that, but the clock falls behind
//! a monotonic one.
//!
//! Packets show it by their times. Without packets, the clock would wait for the time of idle interfaces for
//! as long as it was set back: no episode would end, and no report would be due.

use std::time::{Duration, Instant};

use crate::base::time::Timestamp;

/// A smaller step back is mere disorder, as with the times of packets.
const STEP: i64 = 1_000_000_000;

/// The machine's clock, and a monotonic one.
#[derive(Debug)]
pub(super) struct WallClock {
    started: Instant,
    /// The machine's time at the start of the monotonic clock, in nanoseconds, as if it had not been set
    /// since.
    origin: i64,
    set_back_at: Option<Instant>,
}

impl WallClock {
    /// Starts at the present times.
    pub(super) fn new(shown: Timestamp, now: Instant) -> Self {
        Self { started: now, origin: shown.nanos(), set_back_at: None }
    }

    /// Whether the clock was set back, at least this long ago. Each step is reported once.
    pub(super) fn was_set_back(&mut self, shown: Timestamp, now: Instant, ago: Duration) -> bool {
        let elapsed =
            i64::try_from(now.saturating_duration_since(self.started).as_nanos()).unwrap_or(i64::MAX);
        let origin = shown.nanos().saturating_sub(elapsed);
        if self.origin.saturating_sub(origin) > STEP {
            self.set_back_at = Some(now);
        }
        // Slewing may take any time.
        self.origin = origin;
        self.set_back_at.take_if(|at| now.saturating_duration_since(*at) >= ago).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGO: Duration = Duration::from_millis(30);

    /// The times at which a step back is reported, for a clock that shows these milliseconds after so many.
    fn said(shows: &[(u64, i64)]) -> Vec<u64> {
        let (now, shown) = (Instant::now(), 1_700_000_000_000);
        let at = |millis: i64| Timestamp::from_nanos((shown + millis) * 1_000_000);
        let mut clock = WallClock::new(at(0), now);
        let said = |&&(passed, shows): &&(u64, i64)| {
            clock.was_set_back(at(shows), now + Duration::from_millis(passed), AGO)
        };
        shows.iter().filter(said).map(|(passed, _)| *passed).collect()
    }

    #[test]
    fn a_clock_that_runs_was_not_set() {
        assert_eq!(said(&[(10, 10), (1_000, 1_000), (9_000, 9_000)]), [0; 0]);
    }

    #[test]
    fn one_that_is_set_back_by_more_than_a_second_was_and_it_is_said_once_and_late_enough() {
        assert_eq!(said(&[(10, -990), (50, -950), (90, -910)]), [0; 0], "exactly a second");
        assert_eq!(said(&[(10, -991), (39, -962), (40, -961), (90, -911)]), [40]);
        assert_eq!(
            said(&[(10, -3_600_000), (5_000, -3_595_000), (6_000, -7_000_000), (7_000, -6_999_000)]),
            [5_000, 7_000]
        );
    }

    #[test]
    fn one_that_is_set_forward_or_slewed_was_not_set_back() {
        assert_eq!(said(&[(10, 60_000), (90, 60_080)]), [0; 0]);
        let slewed: Vec<_> = (1..100).map(|second| (second * 1_000, second as i64 * 950)).collect();
        assert_eq!(said(&slewed), [0; 0]);
    }
}
