//! Randomness that is the same each time: splitmix64, seeded per story.

/// A seeded generator. Stories that do not share one do not disturb each other.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, `high` excluded. The bias of the remainder does not matter here.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.bits() % high.abs_diff(low)) as i64
    }

    /// An initial sequence number.
    pub(crate) fn sequence_number(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// A port such as a system gives to a connecting client.
    pub(crate) fn client_port(&mut self) -> u16 {
        self.between(32_768, 61_000) as u16
    }
}
