//! Whose a slot is: the address of an attempt of its source, so that a source below its limits can be named.
//!
//! It is 16 bytes beside the sets, written once for each claim, after it. So it may still be that of the claim before,
//! or half of each: a reader checks it against the tag, which is the keyed hash of the source.

use std::net::{IpAddr, Ipv6Addr};

use super::slot::WAYS;
use super::{Look, Slot, Table};
use crate::base::sync::{AtomicU64, Ordering, OutOfMemory, zeroed};

/// The halves of an address.
const HALVES: usize = 2;

/// The addresses of all slots; none where no source is to be named.
#[derive(Debug)]
pub(super) struct Holders {
    /// Written by the thread that records, read by any. `Relaxed`: readers check what they get.
    halves: Box<[AtomicU64]>,
}

impl Holders {
    /// The bytes for a set.
    pub(super) const OF_SET: usize = WAYS * HALVES * size_of::<AtomicU64>();

    /// Room for the slots of so many sets.
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
    /// Records whose a slot is that was claimed just now.
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

    /// What a slot's address names, if `name` finds that it is of the slot's source: of the one with this tag. Any
    /// thread may ask. There is none for a moment after each claim.
    pub fn holder<T>(&self, look: &Look, name: impl Fn(u64, IpAddr) -> Option<T>) -> Option<T> {
        let (upper, lower) = self.holders.cells(look.slot)?;
        let [upper, lower] = [upper, lower].map(|half| u128::from(half.load(Ordering::Relaxed)));
        let address = Ipv6Addr::from_bits(upper << 64 | lower);
        // No honest host has an IPv6 address that maps one of IPv4, but packets may say so.
        name(look.tag, address.to_canonical()).or_else(|| name(look.tag, address.into()))
    }
}
