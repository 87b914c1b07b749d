//! Whether an attempt meets a limit, and the earlier attempts of its window.
//!
//! All queries look back from one recorded attempt. Later attempts do not matter, except for the entries that
//! they replaced in the ring.

use super::ring::{Entry, position};
use super::{Attempt, Recorded, Table};
use crate::base::hyperloglog::HyperLogLog;

impl Table {
    /// The first limit that the attempt meets, as an index into the table's limits.
    #[must_use]
    #[inline]
    pub fn met(&self, recorded: &Recorded) -> Option<usize> {
        // Most sources never have as many attempts as the lowest limit.
        if recorded.count < self.fewest {
            return None;
        }
        (0..self.limits.len()).find(|&limit| {
            let (_, window) = self.limits[limit];
            self.span(recorded, limit).is_some_and(|span| span <= window)
        })
    }

    /// Ticks from attempt i-N+1 to this attempt i, N being that of the limit; `None` if there are fewer
    /// attempts.
    #[must_use]
    pub fn span(&self, recorded: &Recorded, limit: usize) -> Option<u64> {
        let (back, _) = self.limits[limit];
        let oldest = self.earlier_entry(recorded, back)?;
        Some(recorded.time.since(oldest.time()))
    }

    /// The N attempts that end with this one, oldest first, N being that of the limit.
    pub fn window(&self, recorded: &Recorded, limit: usize) -> impl Iterator<Item = Attempt> {
        let (back, _) = self.limits[limit];
        (0..=back).rev().filter_map(|back| self.earlier(recorded, back))
    }

    /// The estimated number of sources of the N attempts that end with this one, N being that of the limit;
    /// `None` without marks.
    #[must_use]
    pub fn sources(&self, recorded: &Recorded, limit: usize) -> Option<HyperLogLog> {
        let marks = || self.window(recorded, limit).map(|attempt| attempt.mark);
        self.marks.are_kept().then(|| marks().collect())
    }

    /// The attempt that many before this one, as far as the ring reaches.
    fn earlier(&self, recorded: &Recorded, back: u32) -> Option<Attempt> {
        let entry = self.earlier_entry(recorded, back)?;
        let (set, way) = (recorded.slot.set(), recorded.slot.way());
        let mark = match back {
            0 => recorded.mark,
            _ if back == self.ring => recorded.replaced.1,
            _ => self.marks.get(self.index(set, way, position(recorded.count, back, self.ring))),
        };
        Some(Attempt { time: entry.time(), port: entry.port(), code: entry.code(), mark })
    }

    #[inline]
    fn earlier_entry(&self, recorded: &Recorded, back: u32) -> Option<Entry> {
        let Recorded { slot, count, replaced, .. } = recorded;
        match back {
            0 => Some(recorded.entry),
            _ if back > *count || back > self.ring => None,
            _ if back == self.ring => replaced.0.of(slot.generation()),
            _ => self.attempt(*slot, position(*count, back, self.ring)),
        }
    }
}
