//! Which watches a segment concerns.
//!
//! A watch is a named set of ports, a way to group sources, and one or more limits; hosts on the allow list are
//! counted but never reported. How each of these is written and read back is said here too.

pub mod allow;
mod limit;
mod ports;
pub mod services;

pub use allow::AllowList;
pub use limit::{Limit, LimitError, Limits};
pub use ports::{PortSet, PortsError};

use std::net::IpAddr;

use ipnet::IpNet;

/// How sources are grouped: by the first bits of their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping {
    /// For IPv4, at most 32: 32 counts each host alone.
    pub prefix4: u8,
    /// For IPv6, at most 128: 64 counts each network of one customer as one.
    pub prefix6: u8,
}

impl Grouping {
    /// Each host alone.
    pub const HOSTS: Self = Self { prefix4: 32, prefix6: 128 };

    /// Whether an address is a group of its own.
    #[must_use]
    pub fn is_host(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.prefix4 >= 32,
            IpAddr::V6(_) => self.prefix6 >= 128,
        }
    }

    /// The group that an address is in.
    #[must_use]
    pub fn group(self, address: IpAddr) -> IpNet {
        let (prefix, longest) = match address {
            IpAddr::V4(_) => (self.prefix4, 32),
            IpAddr::V6(_) => (self.prefix6, 128),
        };
        IpNet::new_assert(address, prefix.min(longest)).trunc()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_the_first_bits_of_an_address() {
        let grouping = Grouping { prefix4: 24, prefix6: 64 };
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
}
