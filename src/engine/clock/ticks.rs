//! Ticks, and the reading that converts times to them.

use std::time::Duration;

use crate::base::time::Timestamp;

/// Nanoseconds of a tick.
const TICK: i64 = 100_000;
/// Ticks of a second.
pub(super) const SECOND: u64 = 10_000;
/// The first tick. Packets older than the first one have ticks too, as far as the clock waits for an input,
/// and a little more.
pub(super) const START: u64 = 12 * SECOND;
/// The last tick: the maximum of a ring entry.
pub(super) const END: u64 = (1 << 39) - 1;

/// A time in ticks of 0.1 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticks(pub u64);

impl Ticks {
    /// Converts ticks to a duration.
    #[must_use]
    pub const fn span(ticks: u64) -> Duration {
        Duration::from_nanos(ticks.saturating_mul(TICK.unsigned_abs()))
    }

    /// The second that contains it.
    #[must_use]
    pub const fn second(self) -> u64 {
        self.0 / SECOND
    }

    /// A window's length in whole ticks, rounded down. So two times within this many ticks, both rounded
    /// down, are within the window.
    #[must_use]
    pub(crate) fn in_window(window: Duration) -> u64 {
        u64::try_from(window.as_nanos() / TICK.unsigned_abs() as u128).unwrap_or(u64::MAX)
    }

    /// Ticks since `earlier`; 0 when it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A reading of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub(super) now: Option<Timestamp>,
    /// The time at which this stretch of ticks began, and its tick.
    pub(super) origin: Timestamp,
    pub(super) offset: u64,
    /// See [`Reading::left`].
    pub(super) left: (Timestamp, Ticks),
}

impl Default for Reading {
    /// Before the first packet.
    fn default() -> Self {
        let origin = Timestamp::default();
        Self { now: None, origin, offset: START, left: (origin, Ticks(START)) }
    }
}

impl Reading {
    /// The time: the smallest of the inputs' newest times. `None` before the first packet.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// The newest time in the second before the present one, rounded down to its tick, and that tick. From
    /// here, times and ticks advance together for as long as any code looks ahead, however far the clock
    /// jumped then.
    #[must_use]
    pub fn left(&self) -> (Timestamp, Ticks) {
        self.left
    }

    /// The tick of an observed time, which is at most a second before its input's newest.
    #[must_use]
    #[inline]
    pub fn ticks(&self, time: Timestamp) -> Ticks {
        let ticks = time.nanos().saturating_sub(self.origin.nanos()).div_euclid(TICK);
        Ticks(self.offset.saturating_add_signed(ticks).clamp(1, END))
    }

    /// The time at the beginning of the tick of a time.
    #[must_use]
    pub fn floor(&self, time: Timestamp) -> Timestamp {
        // Each modulo a tick first, because the difference of two times may overflow.
        let phase = (time.nanos().rem_euclid(TICK) - self.origin.nanos().rem_euclid(TICK)).rem_euclid(TICK);
        Timestamp::from_nanos(time.nanos().saturating_sub(phase))
    }
}
