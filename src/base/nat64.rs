//! IPv4 addresses within IPv6 addresses, as translators (NAT64, SIIT) write them: RFC 6052.
//!
//! ```text
//!   length   0        32   40   48   56   64   72   80   88   96  104       120  128
//!     /32    | prefix | v4                | u | suffix                            |
//!     /40    | prefix      | v4 (24)      | u | (8) | suffix                      |
//!     /48    | prefix           | v4 (16) | u | (16)     | suffix                 |
//!     /56    | prefix                | (8)| u | v4 (24)       | suffix            |
//!     /64    | prefix                     | u | v4                 | suffix       |
//!     /96    | prefix                                    | v4                     |
//! ```
//!
//! Octet u is zero. As RFC 6052, 2.2 and 2.3, requires of translators, octet u and the suffix are ignored
//! when an IPv4 address is read.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// The lengths that a prefix can have (RFC 6052, 2.2).
const LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];

/// The first 96 bits of 64:ff9b::/96.
const WELL_KNOWN: u128 = 0x0064_ff9b_0000_0000_0000_0000;

/// Where octet u begins, and how many bits it and an IPv4 address have.
const U: u8 = 64;
const U_BITS: u8 = 8;
const V4_BITS: u8 = 32;

/// Bits of an IPv4 address that identify its network.
const V4_NETWORK: u8 = 24;

/// The prefixes within which IPv4 addresses are embedded: the well-known one, and a few more by configuration.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nat64 {
    further: [Prefix; Self::MOST],
    count: u8,
}

/// A prefix that is not the well-known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Prefix {
    bits: u128,
    length: u8,
}

impl Nat64 {
    /// Maximum number of prefixes beside the well-known one: each costs every IPv6 packet a comparison.
    pub const MOST: usize = 8;

    /// 64:ff9b::/96 alone.
    pub(crate) const WELL_KNOWN: Self =
        Self { further: [Prefix { bits: 0, length: 128 }; Self::MOST], count: 0 };

    /// Adds a prefix (64:ff9b:1::/48, 2001:db8:64::/96).
    ///
    /// # Errors
    /// The text is no prefix, has a length that RFC 6052 does not know, overlaps another prefix, or is one too many.
    pub fn add(&mut self, text: &str) -> Result<(), Nat64Error> {
        let prefix: Ipv6Net = text.trim().parse().map_err(|_| Nat64Error::Form)?;
        let (prefix, length) = (prefix.trunc(), prefix.prefix_len());
        if !LENGTHS.contains(&length) {
            return Err(Nat64Error::Length(length));
        }
        let known = self.prefixes().find(|known| known.contains(&prefix) || prefix.contains(known));
        match known {
            Some(known) if known == prefix => return Ok(()),
            Some(known) => return Err(Nat64Error::Overlap(known)),
            None => {}
        }
        let free = self.further.get_mut(usize::from(self.count)).ok_or(Nat64Error::Count)?;
        *free = Prefix { bits: prefix.addr().to_bits(), length };
        self.count += 1;
        Ok(())
    }

    /// Whether an IPv4 address is embedded in an address.
    #[must_use]
    #[inline]
    pub fn contains(&self, address: Ipv6Addr) -> bool {
        self.length(address.to_bits()).is_some()
    }

    /// The IPv4 address that is embedded in an address.
    #[must_use]
    #[inline]
    pub(crate) fn embedded(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let bits = address.to_bits();
        self.length(bits).map(|length| extracted(bits, length))
    }

    /// The prefix of a translated address that the embedded IPv4 /24 has.
    #[must_use]
    #[inline]
    pub fn network(&self, address: Ipv6Addr) -> Option<Ipv6Net> {
        let length = self.length(address.to_bits())?;
        Some(Ipv6Net::new_assert(address, past_u(length, V4_NETWORK)).trunc())
    }

    /// The IPv4 network that is embedded in a network: all of IPv4, if that is a prefix or holds one.
    #[must_use]
    pub(crate) fn embedded_network(&self, network: Ipv6Net) -> Option<Ipv4Net> {
        let prefix = self.prefixes().find(|prefix| prefix.contains(&network) || network.contains(prefix))?;
        let known = network.prefix_len();
        let length = match prefix.prefix_len() {
            96 => known.saturating_sub(96),
            length => known.min(U).saturating_sub(length) + known.saturating_sub(U + U_BITS),
        };
        let address = extracted(network.addr().to_bits(), prefix.prefix_len());
        Some(match length {
            0 => Ipv4Net::default(),
            length => Ipv4Net::new_assert(address, length.min(V4_BITS)).trunc(),
        })
    }

    /// The length of the prefix that an address is in. No two overlap.
    #[inline]
    fn length(&self, bits: u128) -> Option<u8> {
        if bits >> V4_BITS == WELL_KNOWN {
            return Some(96);
        }
        let further = self.further.iter().take(self.count.into());
        further
            .filter(|prefix| (bits ^ prefix.bits) >> (128 - prefix.length) == 0)
            .map(|prefix| prefix.length)
            .next()
    }

    fn prefixes(&self) -> impl Iterator<Item = Ipv6Net> {
        let well_known = Ipv6Net::new_assert(Ipv6Addr::from_bits(WELL_KNOWN << V4_BITS), 96);
        let further = self.further.iter().take(self.count.into());
        std::iter::once(well_known)
            .chain(further.map(|prefix| Ipv6Net::new_assert(Ipv6Addr::from_bits(prefix.bits), prefix.length)))
    }
}

impl Default for Nat64 {
    fn default() -> Self {
        Self::WELL_KNOWN
    }
}

impl fmt::Debug for Nat64 {
    /// The prefixes, without unused entries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.prefixes().map(IpNet::V6)).finish()
    }
}

/// How many bits of an address a prefix of this length and that many bits of IPv4 take, octet u among them where it
/// lies before the last.
#[inline]
fn past_u(length: u8, v4: u8) -> u8 {
    let end = length + v4;
    if length <= U && end > U { end + U_BITS } else { end }
}

/// The 32 bits that follow a prefix of this length, octet u taken out (RFC 6052, 2.3).
#[inline]
fn extracted(bits: u128, length: u8) -> Ipv4Addr {
    let bits = if length > U {
        bits
    } else {
        let after = (1 << (128 - U - U_BITS)) - 1;
        bits & !(u128::MAX >> U) | (bits & after) << U_BITS
    };
    #[expect(clippy::cast_possible_truncation, reason = "what is above is the prefix")]
    let v4 = (bits >> (128 - V4_BITS - length)) as u32;
    Ipv4Addr::from_bits(v4)
}

/// The reason why a text is not a prefix for embedded IPv4 addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nat64Error {
    /// It is no IPv6 prefix.
    #[error("no IPv6 prefix (64:ff9b:1::/48, 2001:db8:64::/96)")]
    Form,
    /// No translator has a prefix of this length.
    #[error("a prefix of {0} bits (RFC 6052 has 32, 40, 48, 56, 64 and 96)")]
    Length(u8),
    /// It has addresses in common with another one.
    #[error("overlaps {0}")]
    Overlap(Ipv6Net),
    /// The maximum number of prefixes is reached.
    #[error("more than {} prefixes", Nat64::MOST)]
    Count,
}

// Found from the packages of models and fuzzing, too, which take this file by its path.
#[cfg(test)]
#[path = "nat64/tests.rs"]
mod tests;
