//! Start times of the newest attempts of an episode that were answered with a SYN-ACK.

use crate::base::time::Timestamp;

/// Start times of the three newest answered attempts, in nanoseconds, the newest first.
#[derive(Debug)]
pub(super) struct Answered([i64; 3]);

impl Default for Answered {
    /// No attempt.
    fn default() -> Self {
        Self([i64::MIN; 3])
    }
}

impl Answered {
    /// Adds an attempt that began at this time.
    pub(super) fn add(&mut self, started: Timestamp) {
        let mut next = started.nanos();
        for newest in &mut self.0 {
            if next > *newest {
                std::mem::swap(newest, &mut next);
            }
        }
    }

    /// Start time of the third newest, if there are three.
    pub(super) fn third(&self) -> Option<Timestamp> {
        Some(self.0[2]).filter(|third| *third > i64::MIN).map(Timestamp::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_newest_is_known_in_whatever_order_they_come() {
        let time = Timestamp::from_nanos;
        for times in [[1, 2, 3, 4], [4, 3, 2, 1], [3, 1, 4, 2], [2, 4, 1, 3]] {
            let mut answered = Answered::default();
            times[..2].iter().for_each(|started| answered.add(time(*started)));
            assert_eq!(answered.third(), None);
            times[2..].iter().for_each(|started| answered.add(time(*started)));
            assert_eq!(answered.third(), Some(time(2)), "{times:?}");
        }
        let mut answered = Answered::default();
        (0..3).for_each(|_| answered.add(time(7)));
        assert_eq!(answered.third(), Some(time(7)), "several at the same time");
    }
}
