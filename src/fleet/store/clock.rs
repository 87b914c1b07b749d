//! How far a server's clock is from this gateway's.
//!
//! Attempts are judged by the server's time, so that no gateway's clock need be right. A reading asks the server for its
//! time: it is right within half the time that the answer took. The best reading stands until a better one comes; it
//! loses with the time, as clocks drift, and it is dropped as soon as a new reading contradicts it: a clock was set.

use std::time::{Duration, Instant, SystemTime};

use redis::Connection;

use super::error::StoreFault;
use crate::base::time::Timestamp;

/// How many readings are taken first.
const FIRST: u32 = 8;
/// For how long at most: over a long way fewer do.
const FIRST_TIME: Duration = Duration::from_millis(250);
/// Pause between two readings after that.
pub(super) const PAUSE: Duration = Duration::from_secs(2);
/// By how much two clocks may drift apart: 1 µs in so many. Crystals are five times better.
const DRIFT: u128 = 10_000;

/// One look at a server's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// The server's time less that of this gateway, in microseconds.
    pub(super) ahead: i64,
    /// Half the time of the answer, in microseconds.
    pub(super) error: u64,
    pub(super) at: Instant,
}

impl Reading {
    /// How far off it may be by now, in microseconds.
    pub(super) fn error(&self, now: Instant) -> u64 {
        let drift = now.saturating_duration_since(self.at).as_micros() / DRIFT;
        self.error.saturating_add(u64::try_from(drift).unwrap_or(u64::MAX))
    }

    /// The better of this and a new one.
    fn or(self, new: Self) -> Self {
        let error = self.error(new.at);
        let contradicts = self.ahead.abs_diff(new.ahead) > error.saturating_add(new.error);
        if contradicts || new.error <= error { new } else { self }
    }

    /// As if the clocks were the same.
    pub(super) fn level(self) -> Self {
        Self { ahead: 0, ..self }
    }

    /// The server's time of a moment, in microseconds.
    pub(super) fn to_server(self, time: Timestamp) -> u64 {
        let micros = (time.nanos() / 1_000).saturating_add(self.ahead);
        u64::try_from(micros).unwrap_or(0)
    }

    /// The moment of a time of the server's.
    pub(super) fn to_local(self, micros: u64) -> Timestamp {
        let micros = i64::try_from(micros).unwrap_or(i64::MAX).saturating_sub(self.ahead);
        Timestamp::from_nanos(micros.saturating_mul(1_000))
    }
}

/// A time of this gateway's clock, in microseconds.
pub(super) fn micros_of(time: Timestamp) -> u64 {
    u64::try_from(time.nanos() / 1_000).unwrap_or(0)
}

/// Reads a server's clock: several times if it was not read before.
pub(super) fn read(
    connection: &mut Connection,
    old: Option<Reading>,
    skew: i64,
) -> Result<Reading, StoreFault> {
    let start = Instant::now();
    let mut best = once(connection, skew)?;
    if let Some(old) = old {
        return Ok(old.or(best));
    }
    for _ in 1..FIRST {
        if start.elapsed() > FIRST_TIME {
            break;
        }
        best = best.or(once(connection, skew)?);
    }
    Ok(best)
}

fn once(connection: &mut Connection, skew: i64) -> Result<Reading, StoreFault> {
    let (asked, start) = (micros().saturating_add(skew), Instant::now());
    let (seconds, rest): (i64, i64) =
        redis::cmd("TIME").query(connection).map_err(|error| StoreFault::from(&error))?;
    let took = start.elapsed();
    let error = u64::try_from(took.as_micros() / 2).unwrap_or(u64::MAX);
    let middle = asked.saturating_add_unsigned(error);
    let server = seconds.saturating_mul(1_000_000).saturating_add(rest);
    Ok(Reading { ahead: server.saturating_sub(middle), error, at: Instant::now() })
}

/// The time of this gateway, as the kernel stamps packets, in microseconds.
pub(super) fn micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(ahead: i64, error: u64, at: Instant) -> Reading {
        Reading { ahead, error, at }
    }

    #[test]
    fn the_better_reading_stands_until_it_has_drifted_or_is_contradicted() {
        let start = Instant::now();
        let good = reading(1_000, 50, start);
        let later = |seconds| start + Duration::from_secs(seconds);
        // Worse, and agreeing.
        assert_eq!(good.or(reading(1_040, 80, later(0))).ahead, 1_000);
        // After two seconds the good one is off by up to 250 µs.
        assert_eq!(good.error(later(2)), 250);
        assert_eq!(good.or(reading(1_040, 80, later(2))).ahead, 1_040);
        // An hour off: a clock was set.
        assert_eq!(good.or(reading(3_600_000_000, 90_000, later(0))).ahead, 3_600_000_000);
    }

    #[test]
    fn times_are_converted_to_the_server_and_back() {
        let time = Timestamp::from_nanos(1_700_000_000_000_000_000);
        for ahead in [0, 3_600_000_000, -3_600_000_000] {
            let reading = reading(ahead, 0, Instant::now());
            let server = reading.to_server(time);
            assert_eq!(i128::from(server), 1_700_000_000_000_000 + i128::from(ahead));
            assert_eq!(reading.to_local(server), time);
        }
        let extreme = reading(i64::MAX, 0, Instant::now());
        assert_eq!(extreme.to_local(0).nanos(), i64::MIN);
        assert_eq!(reading(i64::MIN, 0, Instant::now()).to_server(time), 0);
    }
}
