//! Estimates the number of distinct values from their hashes, in fixed memory.

/// An estimate (`HyperLogLog`, Flajolet et al. 2007): one kilobyte, accurate to a few percent.
#[derive(Debug, Clone)]
pub struct HyperLogLog(hyperloglockless::HyperLogLog);

/// 2^10 registers of a byte each: a standard error of 3 %.
const PRECISION: u8 = 10;
/// Bits of a hash that do not choose a register.
const REST: u32 = u64::BITS - PRECISION as u32;
/// Bits of a mark that count zeros.
const ZEROS: u32 = u16::BITS - PRECISION as u32;

/// The part of a hash that an estimate uses, in 16 bits: its register, and the number of zeros at the end of
/// its other bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark(pub u16);

impl Mark {
    /// The mark of a hash whose bits are practically random.
    #[must_use]
    pub fn of(hash: u64) -> Self {
        let zeros = u64::from(hash.trailing_zeros().min(REST - 1));
        #[expect(clippy::cast_possible_truncation, reason = "10 bits and 6 bits")]
        Self((hash >> REST << ZEROS | zeros) as u16)
    }

    fn register(self) -> usize {
        usize::from(self.0 >> ZEROS)
    }

    fn zeros(self) -> u32 {
        (u32::from(self.0) & ((1 << ZEROS) - 1)).min(REST - 1)
    }

    /// A hash with this mark.
    fn hash(self) -> u64 {
        (self.register() as u64) << REST | 1 << self.zeros()
    }
}

impl HyperLogLog {
    /// Makes an empty estimate.
    #[must_use]
    pub fn new() -> Self {
        // The input is already a keyed hash.
        Self(hyperloglockless::HyperLogLog::seeded(PRECISION, 0))
    }

    /// Adds a value by its mark.
    #[inline]
    pub fn add(&mut self, mark: Mark) {
        // A mark seldom changes the estimate.
        let (registers, ..) = self.0.parts();
        let is_known = |register: &u8| u32::from(*register) > mark.zeros();
        if !registers.get(mark.register()).is_some_and(is_known) {
            self.0.insert_hash(mark.hash());
        }
    }

    /// The estimated number of distinct values.
    #[must_use]
    pub fn count(&self) -> u64 {
        // Rounded, not truncated: for one value the raw estimate is 0.9995 or 1.0005, depending on its hash.
        self.0.raw_count().round() as u64
    }
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<Mark> for HyperLogLog {
    fn from_iter<I: IntoIterator<Item = Mark>>(marks: I) -> Self {
        let mut estimate = Self::new();
        marks.into_iter().for_each(|mark| estimate.add(mark));
        estimate
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::base::hash::Key;

    #[test]
    fn an_estimate_is_within_a_tenth_and_counts_each_once() {
        let key = Key::fixed();
        for addresses in [1u32, 16, 100, 1_000, 100_000] {
            let mut estimate = HyperLogLog::new();
            for _ in 0..2 {
                (0..addresses)
                    .for_each(|n| estimate.add(Mark::of(key.address(IpAddr::from(n.to_be_bytes())))));
            }
            let off = estimate.count().abs_diff(addresses.into());
            assert!(off * 10 <= addresses.into(), "{} of {addresses}", estimate.count());
        }
    }

    #[test]
    fn one_is_one_whatever_its_mark() {
        for bits in 0..=u16::MAX {
            assert_eq!(HyperLogLog::from_iter([Mark(bits)]).count(), 1, "{bits:#x}");
        }
    }

    #[test]
    fn estimates_err_as_if_addresses_that_follow_each_other_were_random() {
        let key = Key::fixed();
        let v4 = |start: u32, n: u32| IpAddr::from((start * 4096 + n).to_be_bytes());
        let interface =
            |start: u32, n: u32| IpAddr::from((u128::from(start) << 64 | u128::from(n)).to_be_bytes());
        let subnet = |start: u32, n: u32| {
            IpAddr::from((u128::from(start) << 80 | u128::from(n) << 64 | 1).to_be_bytes())
        };
        type Address<'a> = &'a dyn Fn(u32, u32) -> IpAddr;
        for (name, address) in [("v4", &v4 as Address), ("interface", &interface), ("subnet", &subnet)] {
            for count in [100, 250, 1_000, 4_000] {
                let errors: Vec<f64> = (0..100)
                    .map(|start| {
                        let marks = (0..count).map(|n| Mark::of(key.address(address(start, n))));
                        HyperLogLog::from_iter(marks).count() as f64 / f64::from(count) - 1.0
                    })
                    .collect();
                let mean = errors.iter().sum::<f64>() / 100.0;
                let deviation = (errors.iter().map(|error| error * error).sum::<f64>() / 100.0).sqrt();
                assert!(mean.abs() < 0.012 && deviation < 0.045, "{name}, {count}: {mean}, {deviation}");
            }
        }
    }

    #[test]
    fn a_hash_with_a_mark_has_that_mark() {
        for hash in [0, 1, u64::MAX, 1 << 53, 1 << 54, 1 << 63, 0x8000_0000_0000_0400, 0x7fc0_0000_0000_1000]
        {
            let mark = Mark::of(hash);
            assert_eq!(Mark::of(mark.hash()), mark, "{hash:x}");
        }
        // Whatever is in a mark, it is one.
        for bits in 0..=u16::MAX {
            assert_eq!(Mark::of(Mark(bits).hash()).0 >> ZEROS, bits >> ZEROS);
        }
    }

    #[test]
    fn the_mark_of_a_hash_counts_as_the_hash() {
        let key = Key::fixed();
        let mut marks = HyperLogLog::new();
        let mut hashes = HyperLogLog::new();
        for n in 0..10_000u32 {
            let hash = key.address(IpAddr::from(n.to_be_bytes()));
            marks.add(Mark::of(hash));
            hashes.0.insert_hash(hash);
        }
        assert_eq!(marks.count(), hashes.count());
    }
}
