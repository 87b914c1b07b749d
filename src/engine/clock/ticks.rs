//! Ticks, and the reading that converts times to them.

use std::time::Duration;

use crate::base::time::Timestamp;

/// Nanoseconds of a tick.
const TICK: i64 = 100_000;
/// Ticks of a second.
pub(super) const SECOND: u64 = 10_000;
/// Where ticks start: packets older than the first have ticks too, as far as an input is waited for, and a little more.
pub(super) const START: u64 = 12 * SECOND;
/// Where ticks end: what a ring entry can tell.
pub(super) const END: u64 = (1 << 39) - 1;

/// A time in ticks of 0.1 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticks(pub u64);

impl Ticks {
    /// So many ticks as time.
    #[must_use]
    pub const fn span(ticks: u64) -> Duration {
        Duration::from_nanos(ticks.saturating_mul(TICK.unsigned_abs()))
    }

    /// The second that it lies in.
    #[must_use]
    pub const fn second(self) -> u64 {
        self.0 / SECOND
    }

    /// A window's length in ticks: whole windows only, so that two times within so many ticks lie within the window,
    /// both rounded down.
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

/// What can be read off the clock, as it stands at a moment.
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

    /// The newest time in the second before the present one, rounded down to its tick, and that tick: from here, times
    /// and ticks went on together for as long as anything looks ahead, however far the clock jumped then.
    #[must_use]
    pub fn left(&self) -> (Timestamp, Ticks) {
        self.left
    }

    /// The tick of a time that was observed: at most a second before its input's newest.
    #[must_use]
    #[inline]
    pub fn ticks(&self, time: Timestamp) -> Ticks {
        let ticks = time.nanos().saturating_sub(self.origin.nanos()).div_euclid(TICK);
        Ticks(self.offset.saturating_add_signed(ticks).clamp(1, END))
    }

    /// The time at the beginning of the tick of a time.
    #[must_use]
    pub fn floor(&self, time: Timestamp) -> Timestamp {
        // Each modulo a tick first: the difference of two times may be more than there is room for.
        let phase = (time.nanos().rem_euclid(TICK) - self.origin.nanos().rem_euclid(TICK)).rem_euclid(TICK);
        Timestamp::from_nanos(time.nanos().saturating_sub(phase))
    }
}
