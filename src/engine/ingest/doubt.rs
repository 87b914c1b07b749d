//! Packets that are older than the packet before. A single one is an outlier. Several in a row mean that the
//! clock was set back.
//!
//! A packet may arrive late with its old time (from another queue, a merged mirror, a card with hardware
//! timestamps), and must not end any episode. So an older packet is held until the next packets show whether
//! they are older, too. Only a few segments are held; everything else of their packets is counted at once.

use super::batch::Batch;
use crate::base::time::Timestamp;

/// This many packets in a row on one input are a step of the clock.
pub(in crate::engine) const BELIEVED: usize = 4;
/// The same at the end of the input, where no packet can follow.
const BELIEVED_AT_THE_END: usize = 2;

/// Held packets.
#[derive(Debug)]
pub(in crate::engine) struct Doubt {
    pub(in crate::engine) input: usize,
    /// Number of older packets; 0 without doubt.
    packets: usize,
    pub(in crate::engine) first: Timestamp,
    pub(in crate::engine) last: Timestamp,
    /// Their segments.
    pub(super) held: Batch,
}

impl Doubt {
    /// Starts without doubt. `held` is empty, with room for [`BELIEVED`].
    pub(super) fn new(held: Batch) -> Self {
        Self { input: 0, packets: 0, first: Timestamp::default(), last: Timestamp::default(), held }
    }

    #[inline]
    pub(in crate::engine) fn is_open(&self) -> bool {
        self.packets > 0
    }

    /// Whether there is doubt about this input.
    pub(in crate::engine) fn is_of(&self, input: usize) -> bool {
        self.is_open() && self.input == input
    }

    /// Adds an older packet.
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

    /// Ends the doubt.
    pub(in crate::engine) fn end(&mut self) {
        self.packets = 0;
    }
}
