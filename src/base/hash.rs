//! A keyed hash for keys that attackers choose.
//!
//! SipHash-1-3 with a secret key: without the key no sender can aim many sources at one set of a table. Two hashes of
//! 64 bits that are equal are taken for equal keys.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::base::nat64::Nat64;

/// Selects one of this many sets for a hash: its share of 2^64, in sets. It needs no division, and takes any
/// number of sets.
#[must_use]
#[inline]
pub(crate) fn set_of(hash: u64, sets: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "below the number of sets")]
    let set = ((u128::from(hash) * sets as u128) >> 64) as usize;
    set
}

/// Bits of an IPv4 address that determine the hash of its network.
pub(crate) const PREFIX4: u8 = 24;
/// Bits of an IPv6 address that do so.
pub(crate) const PREFIX6: u8 = 48;

/// The hash of a keyed hash and a number. Without the hash no sender can choose a number for a target.
#[must_use]
#[inline]
pub(crate) fn with_number(hash: u64, number: u32) -> u64 {
    with_word(hash, u64::from(number) << 32 | u64::from(number))
}

/// The hash of an address, by that of its network ([`Key::network`]).
#[must_use]
#[inline]
pub(crate) fn in_network(network: u64, address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => {
            let [_, _, _, host] = v4.octets();
            mixed(network, host.into())
        }
        IpAddr::V6(v6) => {
            let [_, _, _, subnet, ..] = v6.segments();
            #[expect(clippy::cast_possible_truncation, reason = "the interface identifier is the lower half")]
            let interface = v6.to_bits() as u64;
            mixed(with_number(network, subnet.into()), interface)
        }
    }
}

/// The hash of an endpoint: of the keyed hash of its address, and its port.
#[must_use]
#[inline]
pub fn end(address: u64, port: u16) -> u64 {
    with_number(address, port.into())
}

/// The hash of a connection, from the hashes of its two endpoints. It is the same for both directions.
#[must_use]
#[inline]
pub fn connection(one: u64, other: u64) -> u64 {
    // Sum and difference of the two identify the pair, but not which one is which.
    folded(one.wrapping_add(other), SPREAD ^ one ^ other)
}

#[inline]
fn with_word(hash: u64, word: u64) -> u64 {
    folded(hash ^ word, SPREAD ^ hash.rotate_left(32))
}

/// Applies [`with_word`] twice. Applied once, it spreads consecutive words more evenly than chance does, and
/// an estimate of their number (`hyperloglog`) would be too high.
#[inline]
fn mixed(hash: u64, word: u64) -> u64 {
    folded(with_word(hash, word) ^ hash, SPREAD)
}

/// Odd, of 2^64 over the golden ratio (Knuth, 6.4).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// One multiplication of 64 bits, whose two halves are folded together: all bits of the result depend on all
/// bits of both inputs. If both are keyed, or mixed with a keyed value, the result is practically keyed.
#[inline]
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    #[expect(clippy::cast_possible_truncation, reason = "its two halves")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

/// The secret key of the tables' hashes.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    hasher: SipHasher13,
    /// The IPv6 addresses that belong to the network of an IPv4 address.
    nat64: Nat64,
}

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
        Self::new(word(0), word(1))
    }

    /// Derives a key from these bytes. It is the same each time, so that a replay gives the same result each
    /// time. A sender who does not know all of the bytes does not know the key.
    #[must_use]
    pub(crate) fn derived(bytes: &[u8]) -> Self {
        let word = |n: u64| {
            let mut hasher = SipHasher13::new_with_keys(n, 0);
            hasher.write(bytes);
            hasher.finish()
        };
        Self::new(word(0), word(1))
    }

    /// A public key, for tests and benchmarks.
    #[must_use]
    pub fn fixed() -> Self {
        Self::new(0, 0)
    }

    fn new(key0: u64, key1: u64) -> Self {
        Self { hasher: SipHasher13::new_with_keys(key0, key1), nat64: Nat64::default() }
    }

    /// The same key with these prefixes.
    #[must_use]
    pub(crate) fn with_nat64(self, nat64: Nat64) -> Self {
        Self { nat64, ..self }
    }

    /// The hash of the network that an address is in, by its first `PREFIX4` or `PREFIX6` bits, or those up to the
    /// embedded /24 of a translated address. Those of all its addresses follow from it without the key, which costs a
    /// tenth of hashing them.
    #[must_use]
    #[inline]
    pub fn network(&self, address: IpAddr) -> u64 {
        if let IpAddr::V6(v6) = address {
            if let Some(network) = self.nat64.network(v6) {
                return self.translated(network.addr().to_bits());
            }
        }
        self.prefix(address)
    }

    /// As [`network`](Self::network), for addresses of the first bits alone.
    #[inline]
    fn prefix(&self, address: IpAddr) -> u64 {
        match address {
            IpAddr::V4(v4) => self.hasher.hash(&(v4.to_bits() & 0xffff_ff00).to_be_bytes()),
            IpAddr::V6(v6) => {
                let prefix = (v6.to_bits() >> 80) as u64;
                self.hasher.hash(&prefix.to_be_bytes()[2..])
            }
        }
    }

    /// The hash of the network of translated addresses that begins here. Its length distinguishes it from
    /// others: the input has 16 octets, not 6.
    #[cold]
    fn translated(&self, bits: u128) -> u64 {
        let mut hasher = self.hasher;
        hasher.write_u128(bits);
        hasher.finish()
    }

    /// The hash of an address.
    #[must_use]
    #[inline]
    pub fn address(&self, address: IpAddr) -> u64 {
        in_network(self.network(address), address)
    }

    /// The hash of a group of addresses that are not translated, by the first one, which may look so.
    #[must_use]
    pub fn group(&self, first: IpAddr) -> u64 {
        in_network(self.prefix(first), first)
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
    fn addresses_of_a_network_spread_over_the_sets() {
        let v6 = |bits: u128| IpAddr::from((0x2001_0db8 << 96 | bits).to_be_bytes());
        let v4 = |n: u32| IpAddr::from((0xc633_0000 | n).to_be_bytes());
        let counted_from = |start: u32| (start..start + 6400).map(u128::from);
        for (name, addresses) in [
            ("hosts", (0..6400).map(v4).collect::<Vec<_>>()),
            ("interfaces", counted_from(0).map(v6).collect()),
            ("interfaces, at the other end", counted_from(0).map(|n| v6(n << 44)).collect()),
            ("subnets", counted_from(0).map(|n| v6(n << 64)).collect()),
            ("networks", counted_from(0).map(|n| v6(n << 80)).collect()),
            ("networks and hosts alike", counted_from(1).map(|n| v6(n << 80 | n)).collect()),
        ] {
            let mut sets = [0; 64];
            for address in addresses {
                sets[set_of(Key::fixed().address(address), 64)] += 1;
            }
            assert!(sets.iter().all(|count| (50..200).contains(count)), "{name}: {sets:?}");
        }
    }

    #[test]
    fn every_bit_of_an_address_changes_about_half_of_the_bits() {
        let key = Key::fixed();
        let hash = |address: u128| key.address(IpAddr::from(address.to_be_bytes()));
        for bit in 0..128 {
            let address = |n: u128| 0x2001_0db8 << 96 | n << 64 | n;
            let changed: u32 =
                (0..64).map(|n| (hash(address(n)) ^ hash(address(n) ^ 1 << bit)).count_ones()).sum();
            assert!((64 * 24..64 * 40).contains(&changed), "bit {bit}: {changed} of {}", 64 * 64);
        }
    }

    #[test]
    fn addresses_of_one_network_have_its_hash_and_others_another() {
        let key = Key::fixed();
        let network = |address: &str| key.network(address.parse().unwrap());
        assert_eq!(network("192.0.2.1"), network("192.0.2.255"));
        assert_eq!(network("2001:db8:1::1"), network("2001:db8:1:ffff:ffff:ffff:ffff:ffff"));
        let all = ["192.0.2.1", "192.0.3.1", "2001:db8:1::1", "2001:db8:2::1", "c000:200::"].map(network);
        assert!((1..all.len()).all(|i| !all[..i].contains(&all[i])), "{all:x?}");
    }

    #[test]
    fn translated_addresses_are_of_the_network_of_their_ipv4_address() {
        let mut nat64 = Nat64::default();
        ["64:ff9b:1::/48", "2001:db8:64::/96"].iter().for_each(|prefix| nat64.add(prefix).unwrap());
        let key = Key::fixed().with_nat64(nat64);
        let network = |address: &str| key.network(address.parse().unwrap());
        assert_eq!(network("64:ff9b::192.0.2.0"), network("64:ff9b::192.0.2.255"));
        assert_eq!(network("64:ff9b:1:c000:2:100::"), network("64:ff9b:1:c000:2:ff00::"));
        let all = [
            "192.0.2.1",
            "64:ff9b::192.0.2.1",
            "64:ff9b::192.0.1.255",
            "64:ff9b::192.0.3.0",
            "64:ff9b::1:0:0",
            "64:ff9b:1:c000:2:100::",
            "64:ff9b:1:c000:1:ff00::",
            "2001:db8:64::192.0.2.1",
            "2001:db8:64:1::192.0.2.1",
        ];
        let all = all.map(network);
        assert!((1..all.len()).all(|i| !all[..i].contains(&all[i])), "{all:x?}");
    }

    #[test]
    fn keys_differ_between_processes_and_not_between_replays() {
        let address = "192.0.2.1".parse().unwrap();
        assert_ne!(Key::random().address(address), Key::random().address(address));
        assert_eq!(Key::fixed().address(address), Key::fixed().address(address));
        let derived = |bytes| Key::derived(bytes).address(address);
        assert_eq!(derived(b"a capture"), derived(b"a capture"));
        assert_ne!(derived(b"a capture"), derived(b"another one"));
        assert_ne!(derived(b""), Key::fixed().address(address));
    }
}
