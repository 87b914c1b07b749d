//! The allow list: networks whose hosts are never reported.
//!
//! Looked up once per attempt, by binary search in sorted ranges that do not overlap; an empty list costs nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::error::Quoted;

/// A set of networks to look addresses up in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    /// First and last addresses, ascending and disjoint.
    v4: Box<[(Ipv4Addr, Ipv4Addr)]>,
    v6: Box<[(Ipv6Addr, Ipv6Addr)]>,
}

impl AllowList {
    /// Whether an address lies in one of the networks.
    ///
    /// Addresses are compared as they stand in the packet: an IPv6 packet from `::ffff:192.0.2.1`, which no honest
    /// host sends, does not pass for 192.0.2.1.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => is_within(&self.v4, address),
            IpAddr::V6(address) => is_within(&self.v6, address),
        }
    }

    /// Whether a network has an address in common with one of the networks.
    #[must_use]
    pub fn overlaps(&self, network: IpNet) -> bool {
        match network {
            IpNet::V4(network) => has_some_of(&self.v4, network.network(), network.broadcast()),
            IpNet::V6(network) => has_some_of(&self.v6, network.network(), network.broadcast()),
        }
    }

    /// How many networks there are, those within others not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is no network in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

impl FromIterator<IpNet> for AllowList {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(network) => v4.push((network.network(), network.broadcast())),
                IpNet::V6(network) => v6.push((network.network(), network.broadcast())),
            }
        }
        Self { v4: disjoint(v4), v6: disjoint(v6) }
    }
}

fn is_within<A: Ord>(ranges: &[(A, A)], address: A) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    ranges[..after].last().is_some_and(|(_, last)| address <= *last)
}

fn has_some_of<A: Ord>(ranges: &[(A, A)], first: A, last: A) -> bool {
    let before = ranges.partition_point(|range| range.1 < first);
    ranges.get(before).is_some_and(|range| range.0 <= last)
}

/// Sorts ranges and joins those that overlap.
fn disjoint<A: Ord + Copy>(mut ranges: Vec<(A, A)>) -> Box<[(A, A)]> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let overlaps = next.0 <= kept.1;
        if overlaps {
            kept.1 = kept.1.max(next.1);
        }
        overlaps
    });
    ranges.into_boxed_slice()
}

/// Reads a network (`192.0.2.0/24`, `2001:db8::/32`) or an address, which is a network of its own.
///
/// `192.0.2.7/24` is the network that this address lies in, `::ffff:192.0.2.7` the IPv4 address that it stands for.
///
/// # Errors
/// The text is neither.
pub fn network(text: &str) -> Result<IpNet, NetworkError> {
    let text = text.trim();
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
    let host = IpNet::from(address);
    let Some(prefix) = prefix else { return Ok(unmapped(host)) };
    let network = prefix.parse().ok().and_then(|length| IpNet::new(address, length).ok());
    match network {
        Some(network) => Ok(unmapped(network.trunc())),
        None => Err(NetworkError::Prefix { prefix: prefix.to_owned(), longest: host.max_prefix_len() }),
    }
}

/// The IPv4 network that an IPv4-mapped one stands for; any other as it is.
fn unmapped(network: IpNet) -> IpNet {
    /// `::ffff:0:0/96` holds the mapped addresses.
    const MAPPED_PREFIX: u8 = 96;
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped();
    let v4 = v4.zip(v6.prefix_len().checked_sub(MAPPED_PREFIX));
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

/// Reads a list of networks, one a line. What follows a `#` is a comment; blank lines are skipped.
///
/// # Errors
/// The first line that is no network, with its number.
pub fn networks(text: &str) -> Result<Vec<IpNet>, LineError> {
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        let network =
            network(entry).map_err(|cause| LineError { line: index + 1, value: entry.to_owned(), cause })?;
        all.push(network);
    }
    Ok(all)
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// What stands before the slash, or all of it, is no address.
    #[error("no address or network (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)")]
    Form,
    /// What stands after the slash is no prefix length.
    #[error("{} is no prefix length from 0 to {longest}", Quoted(prefix))]
    Prefix {
        /// What stands there.
        prefix: String,
        /// The longest that there is for this kind of address.
        longest: u8,
    },
}

/// A line of a list that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}: {cause}", Quoted(value))]
pub struct LineError {
    /// Its number, from 1.
    pub line: usize,
    /// What it holds, without its comment.
    pub value: String,
    /// Why that is no network.
    pub cause: NetworkError,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(networks: &[&str]) -> AllowList {
        networks.iter().map(|text| network(text).unwrap()).collect()
    }

    #[test]
    fn an_address_is_a_network_of_its_own() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1/32"),
            (" 192.0.2.0/24 ", "192.0.2.0/24"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("::ffff:0.0.0.0/95", "::fffe:0:0/95"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(network(text).map(|network| network.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_network_says_why() {
        let form = "no address or network (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)";
        for (text, cause) in [
            ("", form),
            ("mail.example.org", form),
            ("192.0.2", form),
            ("192.0.2.256", form),
            ("fe80::1%eth0", form),
            ("/24", form),
            ("192.0.2.0/33", r#""33" is no prefix length from 0 to 32"#),
            ("192.0.2.0/255.255.255.0", r#""255.255.255.0" is no prefix length from 0 to 32"#),
            ("192.0.2.0/", r#""" is no prefix length from 0 to 32"#),
            ("2001:db8::/129", r#""129" is no prefix length from 0 to 128"#),
        ] {
            assert_eq!(network(text).unwrap_err().to_string(), cause, "{text}");
        }
    }

    #[test]
    fn a_network_ends_where_its_prefix_says() {
        let list = list(&["192.0.2.0/24", "198.51.100.7", "2001:db8::/64"]);
        for (address, expected) in [
            ("192.0.1.255", false),
            ("192.0.2.0", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("198.51.100.6", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("2001:db8::", true),
            ("2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::", false),
            ("::ffff:192.0.2.1", false),
        ] {
            assert_eq!(list.contains(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn networks_within_networks_are_joined() {
        let nested = list(&["10.1.0.0/16", "10.0.0.0/8", "10.200.3.4", "10.0.0.0/8"]);
        assert_eq!(nested, list(&["10.0.0.0/8"]));
        assert!(list(&["0.0.0.0/0"]).contains(Ipv4Addr::BROADCAST.into()));
        assert!(!list(&["0.0.0.0/0"]).contains(Ipv6Addr::LOCALHOST.into()));
    }

    #[test]
    fn an_empty_list_allows_nobody() {
        assert!(AllowList::default().is_empty());
        assert!(!AllowList::default().contains(Ipv4Addr::UNSPECIFIED.into()));
        assert!(!list(&["2001:db8::/32"]).is_empty());
    }

    #[test]
    fn a_list_has_comments_and_blank_lines() {
        let text = "# monitors\n\n192.0.2.1 # the first\r\n  2001:db8::/32\n\t\n";
        assert_eq!(
            networks(text),
            Ok(vec![network("192.0.2.1").unwrap(), network("2001:db8::/32").unwrap()])
        );
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = networks("192.0.2.1\n\n198.51.100.0/40 # typo\n").unwrap_err();
        assert_eq!(error.to_string(), r#"line 3: "198.51.100.0/40": "40" is no prefix length from 0 to 32"#);
    }

    proptest! {
        #[test]
        fn it_agrees_with_asking_each_network(
            networks in proptest::collection::vec((any::<u32>(), 0..=32_u8), 0..20),
            addresses in proptest::collection::vec(any::<u32>(), 1..50),
        ) {
            let networks: Vec<IpNet> = networks
                .into_iter()
                .map(|(bits, length)| IpNet::new(Ipv4Addr::from(bits).into(), length).unwrap())
                .collect();
            let list: AllowList = networks.iter().copied().collect();
            let edges = networks.iter().flat_map(|network| [network.network(), network.broadcast()]);
            for address in addresses.into_iter().map(|bits| Ipv4Addr::from(bits).into()).chain(edges) {
                let expected = networks.iter().any(|network| network.contains(&address));
                prop_assert_eq!(list.contains(address), expected);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(?s).*") {
            let _ = networks(&text);
        }
    }
}
