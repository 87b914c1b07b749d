//! Packets whose time is behind that of the one before: one is an outlier, several in a row are a clock that was set
//! back.
//!
//! A packet comes late with its old time (from another queue, a merged mirror, a card that stamps by itself), and
//! nothing is to be ended for that. So what is behind waits until the packets that follow are behind, too, or are not.
//! Only the segments wait, a few of them; everything else of their packets is counted at once.

use super::batch::Batch;
use crate::base::time::Timestamp;

/// So many packets in a row, of one input, are a step.
pub(in crate::engine) const BELIEVED: usize = 4;
/// At the end, where none can follow, so many are.
const BELIEVED_AT_THE_END: usize = 2;

/// What waits.
#[derive(Debug)]
pub(in crate::engine) struct Doubt {
    pub(in crate::engine) input: usize,
    /// How many packets are behind, none if there is no doubt.
    packets: usize,
    pub(in crate::engine) first: Timestamp,
    pub(in crate::engine) last: Timestamp,
    /// Their segments.
    pub(in crate::engine) batch: Batch,
}

impl Doubt {
    /// None. The batch has room for [`BELIEVED`].
    pub(in crate::engine) fn new(batch: Batch) -> Self {
        Self { input: 0, packets: 0, first: Timestamp::default(), last: Timestamp::default(), batch }
    }

    #[inline]
    pub(in crate::engine) fn is_open(&self) -> bool {
        self.packets > 0
    }

    /// Whether there is one about this input.
    pub(in crate::engine) fn is_of(&self, input: usize) -> bool {
        self.is_open() && self.input == input
    }

    /// Adds a packet that is behind.
    pub(in crate::engine) fn add(&mut self, input: usize, time: Timestamp) {
        if !self.is_open() {
            (self.input, self.first) = (input, time);
        }
        self.last = time;
        self.packets += 1;
    }

    pub(in crate::engine) fn is_believed(&self) -> bool {
        self.packets >= BELIEVED
    }

    pub(in crate::engine) fn is_believed_at_the_end(&self) -> bool {
        self.packets >= BELIEVED_AT_THE_END
    }

    /// Ends it. What waited is taken.
    pub(in crate::engine) fn take(&mut self) -> Batch {
        self.packets = 0;
        std::mem::take(&mut self.batch)
    }
}
