//! Counters of fixed size that several threads add to: ports and addresses of an episode.
//!
//! Capture threads add, the detector reads. A reader may see some of what is being added at that moment; all else is
//! there. Nothing but the counters themselves is published, so everything is `Relaxed`.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::alert::{Addresses, Ports};

/// Attempts by port: the first [`PortCounts::KEPT`] ports that come are kept, attempts to others are counted together.
#[derive(Debug, Default)]
pub(super) struct PortCounts {
    /// Port in the upper 16 bits, count below; 0 where there is none yet: a port that is there was counted.
    cells: [AtomicU64; Self::KEPT],
    others: AtomicU64,
}

const PORT_SHIFT: u32 = 48;

impl PortCounts {
    /// How many ports are kept.
    pub(super) const KEPT: usize = 16;

    /// Adds so many attempts to a port.
    pub(super) fn add(&self, port: u16, attempts: u64) {
        let first = u64::from(port) << PORT_SHIFT | attempts;
        for cell in &self.cells {
            let mut value = cell.load(Ordering::Relaxed);
            if value == 0 {
                match cell.compare_exchange(0, first, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return,
                    Err(taken) => value = taken,
                }
            }
            if value >> PORT_SHIFT == u64::from(port) {
                cell.fetch_add(attempts, Ordering::Relaxed);
                return;
            }
        }
        self.others.fetch_add(attempts, Ordering::Relaxed);
    }

    /// Adds attempts to ports that are not told apart.
    pub(super) fn add_others(&self, attempts: u64) {
        self.others.fetch_add(attempts, Ordering::Relaxed);
    }

    /// All attempts.
    pub(super) fn total(&self) -> u64 {
        let count = |cell: &AtomicU64| cell.load(Ordering::Relaxed) & ((1 << PORT_SHIFT) - 1);
        self.cells.iter().map(count).sum::<u64>() + self.others.load(Ordering::Relaxed)
    }

    /// What was counted: most attempts first, then the lower port.
    #[must_use]
    pub(super) fn ports(&self) -> Ports {
        let mut counts: Vec<_> = self
            .cells
            .iter()
            .map(|cell| cell.load(Ordering::Relaxed))
            .filter(|value| *value != 0)
            .map(|value| {
                let port = (value >> PORT_SHIFT) as u16;
                (port, value & ((1 << PORT_SHIFT) - 1))
            })
            .collect();
        counts.sort_unstable_by_key(|&(port, count)| (std::cmp::Reverse(count), port));
        Ports { counts, others: self.others.load(Ordering::Relaxed) }
    }
}

/// Addresses that were seen: the first [`AddressSet::KEPT`] are kept, attempts that concern others are counted.
#[derive(Debug, Default)]
pub(super) struct AddressSet {
    /// The keyed hash of each address that is kept; 0 where there is none yet. One that is there stays.
    hashes: [AtomicU64; Self::KEPT],
    /// Set just after the hash.
    addresses: [OnceLock<IpAddr>; Self::KEPT],
    /// A bit for each hash that is kept, set before it: whose bit is not set is not among them.
    bits: AtomicU64,
    others: AtomicU64,
}

impl AddressSet {
    /// How many addresses are kept.
    pub(super) const KEPT: usize = 16;

    /// Takes note of an address, by its keyed hash, and says whether it was kept already.
    pub(super) fn add(&self, hash: u64, address: &IpAddr) -> bool {
        let hash = hash.max(1);
        // In a flood of forged sources nearly all are others.
        let is_full = self.hashes[Self::KEPT - 1].load(Ordering::Relaxed) != 0;
        if is_full && self.bits.load(Ordering::Relaxed) & bit(hash) == 0 {
            self.others.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        for (cell, kept) in self.hashes.iter().zip(&self.addresses) {
            let mut value = cell.load(Ordering::Relaxed);
            if value == 0 {
                self.bits.fetch_or(bit(hash), Ordering::Relaxed);
                match cell.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        let _ = kept.set(*address);
                        return false;
                    }
                    Err(taken) => value = taken,
                }
            }
            if value == hash {
                return true;
            }
        }
        self.others.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// What was seen.
    #[must_use]
    pub(super) fn addresses(&self) -> Addresses {
        Addresses {
            kept: self.addresses.iter().filter_map(|kept| kept.get().copied()).collect(),
            others: self.others.load(Ordering::Relaxed),
        }
    }
}

/// One of 64 bits for a hash.
fn bit(hash: u64) -> u64 {
    1 << (hash >> 58)
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
        assert_eq!(counts.ports(), Ports { counts: vec![(0, 3), (25, 2), (110, 2), (65_535, 2)], others: 0 });
    }

    #[test]
    fn the_sixteenth_port_is_the_last_that_is_kept() {
        let counts = PortCounts::default();
        for port in 0..16 {
            counts.add(port, 1);
        }
        assert_eq!(counts.ports().others, 0);
        counts.add(16, 5);
        counts.add(15, 1);
        counts.add_others(2);
        let ports = counts.ports();
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
        assert_eq!(set.addresses(), Addresses { kept: (0..16).map(address).collect(), others: 0 });
        assert_eq!([add(16), add(16), add(15)], [false, false, true]);
        assert_eq!(set.addresses().others, 2);
    }
}
