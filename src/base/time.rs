//! Capture time.

use std::time::Duration;

/// A moment of capture time: nanoseconds since the Unix epoch. Damaged files may contain any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest possible time, in the year 1677.
    pub(crate) const MIN: Self = Self(i64::MIN);
    /// The latest possible time, in the year 2262.
    pub const MAX: Self = Self(i64::MAX);

    /// So many nanoseconds after (or before) the Unix epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Seconds and nanoseconds since the Unix epoch. Out of range is the nearest there is; the nanoseconds may be more
    /// than a second.
    #[must_use]
    pub const fn new(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn second(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// The time from `earlier` to this; zero when it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        if self.0 <= earlier.0 { Duration::ZERO } else { Duration::from_nanos(self.0.abs_diff(earlier.0)) }
    }

    /// This much later, or the latest possible time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// This much earlier, or the earliest possible time.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// The latest of `first`, `first + step`, … that is not after `by`, or `first` itself.
#[must_use]
pub(crate) fn latest(first: Timestamp, step: Duration, by: Timestamp) -> Timestamp {
    let steps = by.since(first).as_nanos() / step.as_nanos().max(1);
    first.after(step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)))
}
