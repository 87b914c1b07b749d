//! Watches: what is counted, how sources are grouped, and which are allowed.
//!
//! A watch is a named set of ports with a grouping of sources and one or more limits. Hosts on the allow list are
//! counted but never reported. The submodules also parse and display these values.

pub mod allow;
mod limit;
mod ports;
pub mod services;

pub use allow::AllowList;
pub use limit::{Limit, LimitError, Limits};
pub use ports::PortSet;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::base::hash;
use crate::base::nat64::Nat64;

/// How sources are grouped: by prefixes of their addresses; sources behind NAT64 are single hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping {
    /// For IPv4, at most 32, which counts each host separately.
    pub prefix4: u8,
    /// For IPv6, at most 128; 64 counts one customer's network as one source.
    pub prefix6: u8,
    /// The prefixes whose addresses are IPv4 hosts.
    pub nat64: Nat64,
}

impl Grouping {
    /// Groups by these prefix lengths, with the well-known prefix of NAT64 only.
    #[must_use]
    pub const fn new(prefix4: u8, prefix6: u8) -> Self {
        Self { prefix4, prefix6, nat64: Nat64::WELL_KNOWN }
    }

    /// Each host separately.
    pub const HOSTS: Self = Self::new(32, 128);

    /// Whether an address is its own group.
    #[must_use]
    #[inline]
    pub(crate) fn is_host(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.prefix4 >= 32,
            IpAddr::V6(v6) => self.prefix6 >= 128 || self.nat64.contains(v6),
        }
    }

    /// The group of an address.
    #[must_use]
    pub fn group(&self, address: IpAddr) -> IpNet {
        if self.is_host(address) {
            return IpNet::from(address);
        }
        let prefix = if address.is_ipv4() { self.prefix4 } else { self.prefix6 };
        IpNet::new_assert(address, prefix).trunc()
    }

    /// The network of an address: the size that one customer of a provider, or one small provider, holds. For a
    /// translated address it is the network of the IPv4 address. Its hash is [`hash::Key::network`].
    #[must_use]
    pub fn network(&self, address: IpAddr) -> IpNet {
        match address {
            IpAddr::V4(_) => IpNet::new_assert(address, hash::PREFIX4).trunc(),
            IpAddr::V6(v6) => match self.nat64.network(v6) {
                Some(network) => network.into(),
                None => IpNet::new_assert(address, hash::PREFIX6).trunc(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_the_first_bits_of_an_address() {
        let grouping = Grouping::new(24, 64);
        for (address, group) in
            [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
        {
            assert_eq!(grouping.group(address.parse().unwrap()), group.parse::<IpNet>().unwrap());
            let host = Grouping::HOSTS.group(address.parse().unwrap());
            assert_eq!(host, IpNet::from(address.parse::<IpAddr>().unwrap()));
            let address = address.parse().unwrap();
            assert!(Grouping::HOSTS.is_host(address) && !grouping.is_host(address));
        }
    }

    #[test]
    fn translated_sources_are_hosts_and_their_network_is_that_of_ipv4() {
        let mut grouping = Grouping::new(24, 64);
        ["64:ff9b:1::/48", "2001:db8:32::/32"].iter().for_each(|prefix| grouping.nat64.add(prefix).unwrap());
        for (address, group, network) in [
            ("192.0.2.77", "192.0.2.0/24", "192.0.2.0/24"),
            ("64:ff9b::192.0.2.77", "64:ff9b::192.0.2.77/128", "64:ff9b::192.0.2.0/120"),
            ("64:ff9b::1:0:0", "64:ff9b::/64", "64:ff9b::/48"),
            ("64:ff9b:1:c000:2:4d00::", "64:ff9b:1:c000:2:4d00::/128", "64:ff9b:1:c000:2::/80"),
            ("64:ff9b:2:c000:2:4d00::", "64:ff9b:2:c000::/64", "64:ff9b:2::/48"),
            ("2001:db8:c000:24d::", "2001:db8:c000:24d::/128", "2001:db8:c000:200::/56"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(grouping.group(address), group.parse().unwrap(), "{address}");
            assert_eq!(grouping.network(address), network.parse().unwrap(), "{address}");
        }
    }
}
