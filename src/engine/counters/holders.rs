//! The address of an attempt of each slot's source, so that a source below its limits can be named.
//!
//! It takes 16 bytes beside the sets and is written once for each claim, after the claim. So it may still be
//! the address of the claim before, or half of each. A reader checks it against the tag, which is the keyed
//! hash of the source.

use std::net::{IpAddr, Ipv6Addr};

use super::slot::WAYS;
use super::{Look, Slot, Table};
use crate::base::sync::{AtomicU64, Ordering, OutOfMemory, zeroed};

/// The halves of an address.
const HALVES: usize = 2;

/// The addresses of all slots; empty where sources need no names.
#[derive(Debug)]
pub(super) struct Holders {
    /// Written by the recording thread, read by any. `Relaxed`: readers check the value.
    halves: Box<[AtomicU64]>,
}

impl Holders {
    /// The bytes for a set.
    pub(super) const OF_SET: usize = WAYS * HALVES * size_of::<AtomicU64>();

    /// Makes room for the slots of this many sets.
    pub(super) fn new(sets: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { halves: zeroed(sets * WAYS * HALVES)? })
    }

    /// Whether they are kept.
    pub(super) fn are_kept(&self) -> bool {
        !self.halves.is_empty()
    }

    fn cells(&self, slot: Slot) -> Option<(&AtomicU64, &AtomicU64)> {
        let at = (slot.set() * WAYS + slot.way()) * HALVES;
        self.halves.get(at).zip(self.halves.get(at + 1))
    }
}

impl Table {
    /// Stores the address of the source that has just claimed a slot.
    pub fn name_holder(&self, slot: Slot, address: IpAddr) {
        let Some((upper, lower)) = self.holders.cells(slot) else { return };
        let bits = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        #[expect(clippy::cast_possible_truncation, reason = "its two halves")]
        let (high, low) = ((bits.to_bits() >> 64) as u64, bits.to_bits() as u64);
        upper.store(high, Ordering::Relaxed);
        lower.store(low, Ordering::Relaxed);
    }

    /// The name that `name` gives to a slot's address, if it finds that the address belongs to the source
    /// with this tag. Any thread may call it. For a moment after each claim there is none.
    pub fn holder<T>(&self, look: &Look, name: impl Fn(u64, IpAddr) -> Option<T>) -> Option<T> {
        let (upper, lower) = self.holders.cells(look.slot)?;
        let [upper, lower] = [upper, lower].map(|half| u128::from(half.load(Ordering::Relaxed)));
        let address = Ipv6Addr::from_bits(upper << 64 | lower);
        // No honest host has an IPv6 address that maps an IPv4 address, but packets may contain one.
        name(look.tag, address.to_canonical()).or_else(|| name(look.tag, address.into()))
    }
}
