//! The clock of an interface of a pcapng file: units since the epoch, their size, and an offset.

use crate::base::time::Timestamp;

/// An interface's time resolution and offset (`if_tsresol` and `if_tsoffset` of the pcapng specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    offset_nanos: i128,
}

/// The size of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// This many nanoseconds.
    Nanos(u64),
    /// A nanosecond divided by this.
    PartOfNano(u128),
    /// 2 to the power of minus this, in seconds.
    BinaryFraction(u32),
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl Clock {
    /// The default resolution of an interface.
    pub(super) const MICROSECONDS: u8 = 6;

    /// The clock of an interface: `resolution` is the negative power of 10 or, with its upper bit set, of 2, `offset`
    /// is in seconds.
    pub(super) fn new(resolution: u8, offset: i64) -> Self {
        let power = u32::from(resolution & 0x7f);
        let unit = match resolution {
            0x80.. => Unit::BinaryFraction(power),
            ..=9 => Unit::Nanos(10_u64.pow(9 - power)),
            // A unit too small for 128 bits is too small for a 64-bit count to reach a nanosecond.
            _ => Unit::PartOfNano(10_u128.checked_pow(power - 9).unwrap_or(u128::MAX)),
        };
        Self { unit, offset_nanos: i128::from(offset) * i128::from(NANOS_PER_SECOND) }
    }

    /// Converts units to a time, rounded down to a nanosecond and limited to the valid range.
    #[inline]
    pub(super) fn time(&self, units: u64) -> Timestamp {
        // 2^64 units of 10^9 ns are less than 2^94 ns: 128 bits hold every sum below.
        let nanos = match self.unit {
            Unit::Nanos(size) => u128::from(units) * u128::from(size),
            Unit::PartOfNano(parts) => u128::from(units) / parts,
            Unit::BinaryFraction(power) => (u128::from(units) * u128::from(NANOS_PER_SECOND)) >> power,
        };
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX).saturating_add(self.offset_nanos);
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resolution_is_exact_and_rounds_down() {
        let second = 1_000_000_000;
        for (resolution, offset, units, nanos) in [
            (0, 0, 7, 7 * second),
            (3, 0, 7_001, 7_001_000_000),
            (6, 0, 1_385_359_896_000_001, 1_385_359_896_000_001_000),
            (9, 0, 1_385_359_896_000_000_001, 1_385_359_896_000_000_001),
            (10, 0, 19, 1),
            (12, 0, 7_000_000_000_999, 7 * second),
            (12, 0, 7_000_000_001_000, 7 * second + 1),
            (19, 0, u64::MAX, 1_844_674_407),
            (28, 0, u64::MAX, 1),
            (29, 0, u64::MAX, 0),
            (127, 0, u64::MAX, 0),
            (0x80, 0, 7, 7 * second),
            (0x80 | 10, 0, 7 * 1024 + 512, 7 * second + second / 2),
            (0x80 | 20, 0, (1 << 20) + 1, second + 953),
            (0x80 | 63, 0, 1 << 62, second / 2),
            (0x80 | 64, 0, u64::MAX, second - 1),
            (0xff, 0, u64::MAX, 0),
            (6, 10, 1, 10 * second + 1_000),
            (6, -10, 1, -10 * second + 1_000),
            (9, -1, 999_999_999, -1),
            (0, 0, u64::MAX, i64::MAX),
            (0, i64::MAX, u64::MAX, i64::MAX),
            (0, i64::MIN, 0, i64::MIN),
            (0, -9_223_372_036, 18_446_744_072, 9_223_372_036 * second),
        ] {
            let clock = Clock::new(resolution, offset);
            assert_eq!(clock.time(units).nanos(), nanos, "{resolution} {offset} {units}");
        }
    }
}
