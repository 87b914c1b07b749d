//! A keyed hash for keys that attackers choose.
//!
//! SipHash-1-3 with a secret key: without the key nobody can aim many sources at one set of a table. Two hashes of
//! 64 bits that are equal are taken for equal keys.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

/// Which of so many sets a hash belongs to: its share of 2^64, in sets. No division, any number of sets.
#[must_use]
pub fn set_of(hash: u64, sets: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "below the number of sets")]
    let set = ((u128::from(hash) * sets as u128) >> 64) as usize;
    set
}

/// The hash of a keyed hash and a number. Without the hash nobody can aim a number at anything.
#[must_use]
#[inline]
pub fn with_number(hash: u64, number: u32) -> u64 {
    folded(hash ^ (u64::from(number) << 32 | u64::from(number)), SPREAD ^ hash.rotate_left(32))
}

/// The hash of an end of a connection: of its address, by the keyed hash of that, and its port.
#[must_use]
#[inline]
pub fn end(address: u64, port: u16) -> u64 {
    with_number(address, port.into())
}

/// The hash of a connection, by the hashes of its two ends: the same for both directions.
#[must_use]
#[inline]
pub fn connection(one: u64, other: u64) -> u64 {
    // Sum and difference of the two tell which two they are, and not which is which.
    folded(one.wrapping_add(other), SPREAD ^ one ^ other)
}

/// Odd, of 2^64 over the golden ratio (Knuth, 6.4).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// One multiplication of 64 bits, whose two halves are folded into one another: all bits of the result depend on all of
/// both. Where both are keyed, or mixed with what is, the result is as good as keyed.
#[inline]
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    #[expect(clippy::cast_possible_truncation, reason = "its two halves")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

/// The secret that the tables' hashes are keyed with.
#[derive(Debug, Clone, Copy)]
pub struct Key(SipHasher13);

impl Key {
    /// A key that is random per process.
    #[must_use]
    pub fn random() -> Self {
        let state = RandomState::new();
        let word = |n: u64| {
            let mut hasher = state.build_hasher();
            hasher.write_u64(n);
            hasher.finish()
        };
        Self(SipHasher13::new_with_keys(word(0), word(1)))
    }

    /// The key of replays: the same each time, so that a replay gives the same result each time.
    #[must_use]
    pub fn fixed() -> Self {
        Self(SipHasher13::new_with_keys(0, 0))
    }

    /// The hash of an address.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> u64 {
        match address {
            IpAddr::V4(v4) => self.0.hash(&v4.octets()),
            IpAddr::V6(v6) => self.0.hash(&v6.octets()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_a_number_changes_about_half_of_the_bits() {
        let hash = Key::fixed().address("192.0.2.1".parse().unwrap());
        for bit in 0..32 {
            let changed: u32 =
                (0..64).map(|n| (with_number(hash, n) ^ with_number(hash, n ^ 1 << bit)).count_ones()).sum();
            assert!((64 * 24..64 * 40).contains(&changed), "bit {bit}: {changed} of {}", 64 * 64);
        }
    }

    #[test]
    fn numbers_spread_over_the_sets() {
        let hash = Key::fixed().address("192.0.2.1".parse().unwrap());
        for step in [1, 256, 65_536] {
            let mut sets = [0; 64];
            (0..6400u32).for_each(|n| sets[set_of(with_number(hash, n.wrapping_mul(step)), 64)] += 1);
            assert!(sets.iter().all(|count| (50..200).contains(count)), "{step}: {sets:?}");
        }
    }

    #[test]
    fn keys_differ_between_processes_and_not_between_replays() {
        let address = "192.0.2.1".parse().unwrap();
        assert_ne!(Key::random().address(address), Key::random().address(address));
        assert_eq!(Key::fixed().address(address), Key::fixed().address(address));
    }
}
