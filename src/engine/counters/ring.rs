//! A slot's ring: its last N-1 attempts, one 64-bit entry each.
//!
//! ```text
//!   63                    25 24         9 8    4 3    0
//!  ┌────────────────────────┬────────────┬──────┬──────┐
//!  │      time in ticks     │    port    │ code │ gen  │
//!  └────────────────────────┴────────────┴──────┴──────┘
//! ```
//!
//! The code is the outcome of the attempt, as far as it is known. An entry contains the generation of the
//! slot's claim. So an entry that a writer left under an earlier claim, late or long ago, never counts as an
//! attempt of the present source. 39 bits of 0.1 ms are 636 days; the clock starts again before they end.

use super::Attempt;
use crate::engine::clock::Ticks;
use crate::engine::outcome::Code;

/// A ring entry. 0 means none, because no claim has generation 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(pub(super) u64);

const CODE_SHIFT: u32 = 4;
const PORT_SHIFT: u32 = CODE_SHIFT + Code::BITS;
const CODE: u64 = (1 << Code::BITS) - 1;
const TIME_SHIFT: u32 = PORT_SHIFT + 16;

impl Entry {
    /// No entry.
    pub(super) const NONE: Self = Self(0);

    /// The entry of an attempt without an outcome.
    pub(super) fn new(time: Ticks, port: u16, generation: u64) -> Self {
        Self(time.0 << TIME_SHIFT | u64::from(port) << PORT_SHIFT | generation)
    }

    /// The entry of an attempt.
    #[inline]
    pub(super) fn of_attempt(attempt: &Attempt, generation: u64) -> Self {
        Self::new(attempt.time, attempt.port, generation).with_code(attempt.code)
    }

    pub(super) fn with_code(self, code: Code) -> Self {
        Self(self.0 & !(CODE << CODE_SHIFT) | code.bits() << CODE_SHIFT)
    }

    pub(super) fn time(self) -> Ticks {
        Ticks(self.0 >> TIME_SHIFT)
    }

    pub(super) fn port(self) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "the port's 16 bits")]
        let port = (self.0 >> PORT_SHIFT) as u16;
        port
    }

    pub(super) fn code(self) -> Code {
        Code::from_bits(self.0 >> CODE_SHIFT & CODE)
    }

    /// The entry itself, if it was written under this claim of the slot.
    pub(super) fn of(self, generation: u64) -> Option<Self> {
        (self.0 & ((1 << CODE_SHIFT) - 1) == generation).then_some(self)
    }
}

/// Ring index of the attempt `back` before the one that goes to `count`.
///
/// `back` is at most the ring's length: that attempt is the one that the new entry replaces.
#[inline]
pub(super) fn position(count: u32, back: u32, ring: u32) -> usize {
    // The count is less than twice the ring's length, so no division is needed.
    let at = if count >= ring { count - ring } else { count };
    (if at >= back { at - back } else { at + ring - back }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_its_parts_apart() {
        let entry = Entry::new(Ticks((1 << 39) - 1), u16::MAX, 15);
        assert_eq!(entry.0, !0x1f0);
        let entry = Entry::new(Ticks(123_456_789), 25, 9)
            .with_code(Code::from_bits(12))
            .with_code(Code::from_bits(5));
        assert_eq!((entry.time(), entry.port(), entry.code()), (Ticks(123_456_789), 25, Code::from_bits(5)));
        assert_eq!(entry.of(9), Some(entry));
        assert_eq!(entry.of(10), None);
        assert_eq!(Entry(0).of(1), None);
    }

    #[test]
    fn going_back_a_whole_ring_is_the_entry_to_be_replaced() {
        for ring in [1, 2, 59, 4095] {
            for count in 0..2 * ring {
                assert_eq!(position(count, ring, ring), position(count, 0, ring));
                assert_eq!(position(count, 1, ring), ((count + ring - 1) % ring) as usize);
            }
        }
    }
}
