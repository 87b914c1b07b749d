//! Numbers that look random and are the same each time (splitmix64, Steele et al. 2014).

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ number >> 31
    }

    /// Any number of 32 bits.
    pub fn word(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    /// A number below this one.
    pub fn below(&mut self, bound: u32) -> u32 {
        // The upper half of a product: even but for one part in 2^32 (Lemire 2019).
        ((u64::from(self.word()) * u64::from(bound)) >> 32) as u32
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(u32::try_from(all.len()).unwrap_or(u32::MAX)) as usize]
    }

    /// A port that a client calls from.
    pub fn client_port(&mut self) -> u16 {
        // Below 65,536 by the bound.
        (32_768 + self.below(28_232)) as u16
    }
}
