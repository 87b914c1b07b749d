//! The speed of a replay. The viewer sets it, and the capture thread keeps to it.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The speed of a replay as a multiple of the packets' own. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Speed(Arc<AtomicU64>);

impl Speed {
    /// As fast as it can be read.
    pub(crate) const MAX: f64 = f64::INFINITY;

    /// Minimum and maximum, apart from [`Speed::MAX`].
    const RANGE: (f64, f64) = (0.1, 1_000_000.0);

    /// Makes a speed, limited to the valid range.
    #[must_use]
    pub(crate) fn new(times: f64) -> Self {
        let speed = Self(Arc::default());
        speed.set(times);
        speed
    }

    /// The multiple; [`Speed::MAX`] means without waiting.
    #[must_use]
    pub(crate) fn times(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Sets the speed during the replay, limited to the valid range.
    pub(crate) fn set(&self, times: f64) {
        let (slowest, fastest) = Self::RANGE;
        let times = if times == Self::MAX { times } else { times.clamp(slowest, fastest) };
        // It publishes no other memory. A value that is not a number becomes the minimum.
        self.0.store(if times.is_nan() { slowest } else { times }.to_bits(), Ordering::Relaxed);
    }
}

impl FromStr for Speed {
    type Err = String;

    /// `10`, `0.5`, `max`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (slowest, fastest) = Self::RANGE;
        let times = text.parse().ok().filter(|times| (slowest..=fastest).contains(times));
        let times = if text == "max" { Some(Self::MAX) } else { times };
        times.map(Self::new).ok_or_else(|| format!("not from {slowest} to {fastest}, and not max (10)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_of_times_or_max() {
        let read = |text: &str| text.parse().map(|speed: Speed| speed.times());
        for (text, times) in
            [("10", 10.0), ("0.1", 0.1), ("1000000", 1e6), ("1e3", 1e3), ("max", f64::INFINITY)]
        {
            assert_eq!(read(text), Ok(times), "{text}");
        }
        for text in ["", "0", "0.09", "1000001", "-1", "inf", "NaN", "fast", "10x"] {
            assert_eq!(read(text), Err("not from 0.1 to 1000000, and not max (10)".to_owned()), "{text}");
        }
    }

    #[test]
    fn clones_share_it_and_what_is_out_of_range_is_the_nearest() {
        let speed = Speed::new(1.0);
        let other = speed.clone();
        for (set, times) in
            [(2.0, 2.0), (0.0, 0.1), (1e9, 1e6), (f64::INFINITY, f64::INFINITY), (f64::NAN, 0.1)]
        {
            speed.set(set);
            assert_eq!(other.times(), times);
        }
    }
}
