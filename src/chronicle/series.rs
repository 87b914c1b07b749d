//! The growth of an episode's attempts: at most 120 points. When they are full, every other point is dropped.

use std::time::Duration;

use crate::base::time::Timestamp;

/// Maximum number of points.
const MOST: usize = 120;
/// Minimum distance between points: over less, a rate has no meaning.
const APART: Duration = Duration::from_secs(1);

/// Attempts so far, over time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Series(Vec<(Timestamp, u64)>);

impl Series {
    /// Adds a point. A point less than a second after the last one replaces it, unless that is the first.
    pub(super) fn add(&mut self, time: Timestamp, attempts: u64) {
        let is_first = self.0.len() == 1;
        match self.0.last_mut() {
            Some(last) if time <= last.0 => last.1 = last.1.max(attempts),
            Some(last) if !is_first && time.since(last.0) < APART => *last = (time, attempts),
            _ => self.0.push((time, attempts)),
        }
        if self.0.len() > MOST {
            let last = self.0.len() - 1;
            let mut place = 0;
            self.0.retain(|_| {
                place += 1;
                place % 2 == 1 || place > last
            });
        }
    }

    /// All points, in order.
    pub(crate) fn points(&self) -> &[(Timestamp, u64)] {
        &self.0
    }

    /// Attempts per second between each two neighbours: begin, end, rate.
    pub(crate) fn rates(&self) -> impl Iterator<Item = (Timestamp, Timestamp, f64)> + '_ {
        self.0.windows(2).filter_map(|pair| {
            let [(from, before), (to, after)] = *pair else { return None };
            #[expect(clippy::cast_precision_loss, reason = "a rate is shown with one decimal")]
            let attempts = after.saturating_sub(before) as f64;
            let seconds = to.since(from).as_secs_f64();
            (seconds > 0.0).then(|| (from, to, attempts / seconds))
        })
    }
}
