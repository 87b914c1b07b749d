//! Collections of fixed size that one thread adds to: ports and addresses of an episode.
//!
//! One thread adds, the detector reads. It may see some of what is being added at that moment; all else is there.
//! Nothing but the counters themselves is published.

use std::net::IpAddr;
use std::slice;
use std::sync::OnceLock;

use prefetch_index::prefetch_index;

use super::lone::Count;

/// Attempts by port: the first [`PortCounts::KEPT`] ports that come are kept, attempts to others are counted together.
#[derive(Debug, Default)]
pub(super) struct PortCounts {
    /// Port in the upper 16 bits, count below; 0 where there is none yet: a port that is there was counted.
    cells: [Count; Self::KEPT],
    others: Count,
}

const PORT_SHIFT: u32 = 48;

impl PortCounts {
    /// How many ports are kept.
    pub(super) const KEPT: usize = 16;

    /// Prefetches the first ports: mostly there are no others.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_index(self.cells.as_slice(), 0);
    }

    /// Adds so many attempts to a port: one at least.
    #[inline]
    pub(super) fn add(&self, port: u16, attempts: u64) {
        for cell in &self.cells {
            let value = cell.get();
            if value == 0 {
                return cell.set(u64::from(port) << PORT_SHIFT | attempts);
            }
            if value >> PORT_SHIFT == u64::from(port) {
                return cell.add(attempts);
            }
        }
        self.others.add(attempts);
    }

    /// Adds attempts to ports that are not told apart.
    pub(super) fn add_others(&self, attempts: u64) {
        self.others.add(attempts);
    }

    /// Each port with its attempts, in the order in which they came.
    fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        let values = self.cells.iter().map(Count::get).take_while(|value| *value != 0);
        values.map(|value| ((value >> PORT_SHIFT) as u16, value & ((1 << PORT_SHIFT) - 1)))
    }

    /// All attempts.
    pub(super) fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum::<u64>() + self.others.get()
    }

    /// What several of them counted together: most attempts first, then the lower port.
    #[must_use]
    pub(super) fn ports<'a>(all: impl Iterator<Item = &'a Self>) -> Ports {
        let sum = Self::default();
        for counts in all {
            counts.iter().for_each(|(port, attempts)| sum.add(port, attempts));
            sum.add_others(counts.others.get());
        }
        let mut counts: Vec<_> = sum.iter().collect();
        counts.sort_unstable_by_key(|&(port, count)| (std::cmp::Reverse(count), port));
        Ports { counts, others: sum.others.get() }
    }
}

/// Addresses that were seen: the first [`AddressSet::KEPT`] are kept, attempts that concern others are counted.
#[derive(Debug, Default)]
pub(super) struct AddressSet {
    /// The keyed hash of each address that is kept; 0 where there is none yet. One that is there stays.
    hashes: [Count; Self::KEPT],
    /// Set just after the hash.
    addresses: [OnceLock<IpAddr>; Self::KEPT],
    /// A bit for each hash that is kept, set before it: whose bit is not set is not among them.
    bits: Count,
    others: Count,
}

impl AddressSet {
    /// How many addresses are kept.
    pub(super) const KEPT: usize = 16;

    /// Prefetches what tells which addresses are kept.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_index(slice::from_ref(&self.bits), 0);
        prefetch_index(self.hashes.as_slice(), 0);
        prefetch_index(self.hashes.as_slice(), Self::KEPT - 1);
    }

    /// Adds an address, by its keyed hash, and gives whether it was kept already.
    #[inline]
    pub(super) fn add(&self, hash: u64, address: &IpAddr) -> bool {
        let hash = hash.max(1);
        let may_be_kept = self.bits.get() & bit(hash) != 0;
        // In a flood of forged sources nearly all are others.
        let is_full = self.hashes[Self::KEPT - 1].get() != 0;
        if may_be_kept || !is_full {
            for (cell, kept) in self.hashes.iter().zip(&self.addresses) {
                let value = cell.get();
                if value == hash {
                    return true;
                }
                if value == 0 {
                    self.bits.set(self.bits.get() | bit(hash));
                    cell.set(hash);
                    let _ = kept.set(*address);
                    return false;
                }
            }
        }
        self.others.add(1);
        false
    }

    /// What several of them have seen. How many attempts concern an address that there is no room for among them all is
    /// not known to all of them: one at least.
    #[must_use]
    pub(super) fn addresses<'a>(all: impl Iterator<Item = &'a Self>) -> Addresses {
        let mut sum = Addresses::default();
        for set in all {
            sum.others += set.others.get();
            for address in set.addresses.iter().filter_map(OnceLock::get) {
                if sum.kept.contains(address) {
                    continue;
                }
                if sum.kept.len() < Self::KEPT {
                    sum.kept.push(*address);
                } else {
                    sum.others += 1;
                }
            }
        }
        sum
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
        let counts = PortCounts::default();
        for (port, attempts) in [(110, 1), (25, 2), (0, 3), (110, 1), (65_535, 2)] {
            counts.add(port, attempts);
        }
        assert_eq!(
            PortCounts::ports([&counts].into_iter()),
            Ports { counts: vec![(0, 3), (25, 2), (110, 2), (65_535, 2)], others: 0 }
        );
    }

    #[test]
    fn the_sixteenth_port_is_the_last_that_is_kept() {
        let counts = PortCounts::default();
        for port in 0..16 {
            counts.add(port, 1);
        }
        assert_eq!(PortCounts::ports([&counts].into_iter()).others, 0);
        counts.add(16, 5);
        counts.add(15, 1);
        counts.add_others(2);
        let ports = PortCounts::ports([&counts].into_iter());
        assert_eq!((ports.counts.len(), ports.counts[0], ports.others), (16, (15, 2), 7));
    }

    #[test]
    fn the_sixteenth_address_is_the_last_that_is_kept() {
        let set = AddressSet::default();
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let add = |n: u8| set.add(u64::from(n) << 40, &address(n));
        for n in 0..16 {
            assert!(!add(n));
            assert!(add(0));
        }
        assert_eq!(
            AddressSet::addresses([&set].into_iter()),
            Addresses { kept: (0..16).map(address).collect(), others: 0 }
        );
        assert_eq!([add(16), add(16), add(15)], [false, false, true]);
        assert_eq!(AddressSet::addresses([&set].into_iter()).others, 2);
    }

    #[test]
    fn what_two_threads_collected_is_one_collection() {
        let (one, other) = (PortCounts::default(), PortCounts::default());
        (0..10).for_each(|port| one.add(port, 2));
        (8..20).for_each(|port| other.add(port, 1));
        other.add_others(5);
        let ports = PortCounts::ports([&one, &other].into_iter());
        assert_eq!((ports.counts.len(), &ports.counts[..3]), (16, &[(8, 3), (9, 3), (0, 2)][..]));
        assert_eq!(ports.others, 4 + 5, "the last four find no room");

        let (one, other) = (AddressSet::default(), AddressSet::default());
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let add = |set: &AddressSet, n: u8| set.add(u64::from(n) << 40, &address(n));
        (0..10).for_each(|n| assert!(!add(&one, n)));
        (8..20).for_each(|n| assert!(!add(&other, n)));
        let addresses = AddressSet::addresses([&one, &other].into_iter());
        assert_eq!(addresses, Addresses { kept: (0..16).map(address).collect(), others: 4 });
    }
}
