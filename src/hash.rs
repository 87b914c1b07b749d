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

/// A keyed hash, and a number of which its key is not told: the hash of both. One multiplication of 64 bits, whose two
/// halves are folded into one another, spreads either over the whole; without the hash nobody can aim a number.
#[must_use]
pub fn with_number(hash: u64, number: u32) -> u64 {
    /// Odd, of 2^64 over the golden ratio (Knuth, 6.4).
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let product = u128::from(hash ^ u64::from(number) << 32 ^ u64::from(number))
        * u128::from(SPREAD ^ hash.rotate_left(32));
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

    /// The hash of an address and a port.
    #[must_use]
    pub fn end(&self, (address, port): (IpAddr, u16)) -> u64 {
        let mut bytes = [0; 16 + 2];
        let used = match address {
            IpAddr::V4(v4) => {
                bytes[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                bytes[..16].copy_from_slice(&v6.octets());
                16
            }
        };
        bytes[used..used + 2].copy_from_slice(&port.to_be_bytes());
        self.0.hash(&bytes[..used + 2])
    }

    /// The hash of a connection: both addresses and both ports, the same for both directions.
    #[must_use]
    pub fn connection(&self, one: (IpAddr, u16), other: (IpAddr, u16)) -> u64 {
        let mut bytes = [0; 2 * (16 + 2)];
        let mut used = 0;
        let mut put = |part: &[u8]| {
            bytes[used..used + part.len()].copy_from_slice(part);
            used += part.len();
        };
        for (address, port) in [one.min(other), one.max(other)] {
            match address {
                IpAddr::V4(v4) => put(&v4.octets()),
                IpAddr::V6(v6) => put(&v6.octets()),
            }
            put(&port.to_be_bytes());
        }
        self.0.hash(&bytes[..used])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_connection_changes_its_hash_and_its_direction_does_not() {
        let key = Key::fixed();
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let (c, d): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        let hashes = [
            key.connection((a, 1), (b, 25)),
            key.connection((a, 25), (b, 1)),
            key.connection((a, 2), (b, 25)),
            key.connection((a, 1), (b, 26)),
            key.connection((c, 1), (d, 25)),
            key.connection((c, 25), (d, 1)),
        ];
        for (i, one) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(one), "connection {i} has the hash of another");
        }
        assert_eq!(key.connection((b, 25), (a, 1)), hashes[0]);
    }

    #[test]
    fn keys_differ_between_processes_and_not_between_replays() {
        let address = "192.0.2.1".parse().unwrap();
        assert_ne!(Key::random().address(address), Key::random().address(address));
        assert_eq!(Key::fixed().address(address), Key::fixed().address(address));
    }
}
