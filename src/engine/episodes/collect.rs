//! Collections of fixed size: ports and addresses of an episode.

use std::net::{IpAddr, Ipv4Addr};
use std::slice;

use prefetch_index::prefetch_index;

/// Attempts by port. The first `KEPT` ports have a counter each, and all others share one.
#[derive(Debug, Clone, Copy, Default)]
pub struct PortCounts {
    /// Port in the upper 16 bits, count below. 0 means unused, because the count of a used one is at least 1.
    cells: [u64; Self::KEPT],
    others: u64,
}

const PORT_SHIFT: u32 = 48;

impl PortCounts {
    /// Number of ports with a counter.
    const KEPT: usize = 16;

    /// Adds an attempt to a port.
    #[inline]
    pub(super) fn add(&mut self, port: u16) {
        for cell in &mut self.cells {
            if *cell == 0 {
                *cell = u64::from(port) << PORT_SHIFT;
            }
            if *cell >> PORT_SHIFT == u64::from(port) {
                *cell += 1;
                return;
            }
        }
        self.others += 1;
    }

    /// Each port with its attempts, in the order of first appearance.
    fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        let values = self.cells.iter().take_while(|value| **value != 0);
        values.map(|value| ((value >> PORT_SHIFT) as u16, value & ((1 << PORT_SHIFT) - 1)))
    }

    /// All attempts.
    pub(super) fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum::<u64>() + self.others
    }

    /// The ports in the form of a report.
    #[must_use]
    pub(crate) fn ports(&self) -> Ports {
        let mut counts: Vec<_> = self.iter().collect();
        counts.sort_unstable_by_key(|&(port, count)| (std::cmp::Reverse(count), port));
        Ports { counts, others: self.others }
    }
}

impl FromIterator<u16> for PortCounts {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        let mut counts = Self::default();
        ports.into_iter().for_each(|port| counts.add(port));
        counts
    }
}

/// Addresses in the order of appearance: the first `KEPT` are stored, attempts with others are counted.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct FirstAddresses {
    count: usize,
    others: u64,
    kept: [IpAddr; Self::KEPT],
}

impl FirstAddresses {
    /// Number of stored addresses.
    const KEPT: usize = 16;

    /// The addresses in the form of a report.
    #[must_use]
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses { kept: self.kept[..self.count].to_vec(), others: self.others }
    }
}

impl Default for FirstAddresses {
    fn default() -> Self {
        Self { kept: [IpAddr::V4(Ipv4Addr::UNSPECIFIED); Self::KEPT], count: 0, others: 0 }
    }
}

/// The same with the keyed hashes of the addresses, which identify the stored ones.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct AddressSet {
    /// A bit for each stored hash: a hash whose bit is clear is not stored.
    bits: u64,
    pub(super) first: FirstAddresses,
    hashes: [u64; FirstAddresses::KEPT],
}

impl AddressSet {
    /// Prefetches the fields that identify the stored addresses.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_index(slice::from_ref(&self.bits), 0);
        prefetch_index(self.hashes.as_slice(), 0);
    }

    /// Adds an address by its keyed hash. Returns whether it was already stored.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, address: &IpAddr) -> bool {
        let count = self.first.count;
        // In a flood of forged sources, nearly all addresses are not stored.
        if self.bits & bit(hash) != 0 && self.hashes[..count].contains(&hash) {
            return true;
        }
        if let Some(cell) = self.hashes.get_mut(count) {
            *cell = hash;
            self.bits |= bit(hash);
            self.first.kept[count] = *address;
            self.first.count += 1;
        } else {
            self.first.others += 1;
        }
        false
    }
}

/// One of 64 bits for a hash.
fn bit(hash: u64) -> u64 {
    1 << (hash >> 58)
}

/// Attempts by destination port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ports {
    /// Port and attempts: most attempts first, then the lower port.
    pub counts: Vec<(u16, u64)>,
    /// Attempts to ports that are not listed.
    pub others: u64,
}

/// Addresses, of which the first few are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// The first ones, in the order of their first attempts.
    pub kept: Vec<IpAddr>,
    /// Attempts of addresses that are not listed. If 0, `kept` is complete.
    pub others: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_shown_most_attempts_first() {
        let counts: PortCounts = [110, 25, 25, 0, 0, 0, 110, 65_535, 65_535].into_iter().collect();
        assert_eq!(counts.ports(), Ports { counts: vec![(0, 3), (25, 2), (110, 2), (65_535, 2)], others: 0 });
    }

    #[test]
    fn the_sixteenth_port_is_the_last_that_is_kept() {
        let mut counts: PortCounts = (0..16).collect();
        assert_eq!(counts.ports().others, 0);
        [16, 15, 17].into_iter().for_each(|port| counts.add(port));
        let ports = counts.ports();
        assert_eq!((ports.counts.len(), ports.counts[0], ports.others, counts.total()), (16, (15, 2), 2, 19));
    }

    #[test]
    fn the_sixteenth_address_is_the_last_that_is_kept() {
        let mut set = AddressSet::default();
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let mut add = |n: u8| set.add(u64::from(n) << 40, &address(n));
        for n in 0..16 {
            assert!(!add(n));
            assert!(add(0));
        }
        assert_eq!([add(16), add(16), add(15)], [false, false, true]);
        assert_eq!(set.first.addresses(), Addresses { kept: (0..16).map(address).collect(), others: 2 });
    }
}
