//! A limit: N attempts in any W.

use std::fmt;
use std::time::Duration;

/// N attempts in any window of W: met when an attempt and the N-1 before it from the same source lie within W,
/// both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// N, from 1 to [`Limit::MAX_ATTEMPTS`].
    pub attempts: u16,
    /// W, from 1 ms to [`Limit::MAX_WINDOW`].
    pub window: Duration,
}

impl Limit {
    /// The largest N. A higher rate is said with a shorter window: each source keeps a ring of N-1 attempts.
    pub const MAX_ATTEMPTS: u16 = 4096;
    /// The largest W: 7 days.
    pub const MAX_WINDOW: Duration = Duration::from_secs(7 * 24 * 60 * 60);
}

impl fmt::Display for Limit {
    /// As it is given on the command line, in the largest unit that is whole: `30/10s`, `60/1m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}ms", self.attempts, self.window.as_millis())
    }
}
