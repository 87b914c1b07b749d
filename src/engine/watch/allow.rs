//! The allow list: networks whose hosts are never reported.
//!
//! Each attempt costs one binary search in sorted, disjoint ranges; an empty list costs nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::base::nat64::Nat64;
use crate::error::Quoted;

/// The longest time for which a person can allow a network.
pub(crate) const LONGEST: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A set of networks for lookups of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AllowList {
    /// First and last addresses, ascending and disjoint.
    v4: Box<[(Ipv4Addr, Ipv4Addr)]>,
    v6: Box<[(Ipv6Addr, Ipv6Addr)]>,
    /// The prefixes whose embedded IPv4 addresses are looked up, too.
    nat64: Nat64,
}

impl AllowList {
    /// The same networks with these prefixes.
    #[must_use]
    pub(crate) fn with_nat64(self, nat64: Nat64) -> Self {
        Self { nat64, ..self }
    }

    /// The same networks and prefixes, and these networks.
    #[must_use]
    pub(crate) fn with(&self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        let Self { v4, v6, .. } = networks.into_iter().collect();
        let all4 = self.v4.iter().copied().chain(v4).collect();
        let all6 = self.v6.iter().copied().chain(v6).collect();
        Self { v4: disjoint(all4), v6: disjoint(all6), nat64: self.nat64 }
    }

    /// The prefixes with embedded IPv4 addresses.
    #[must_use]
    pub fn nat64(&self) -> &Nat64 {
        &self.nat64
    }

    /// Whether an address, or the IPv4 address embedded in it, is in one of the networks.
    ///
    /// IPv4-mapped addresses are not converted: an IPv6 packet from `::ffff:192.0.2.1`, which no honest host sends,
    /// does not count as 192.0.2.1.
    #[must_use]
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        !self.is_empty() && self.is_within_one(address)
    }

    fn is_within_one(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => is_within(&self.v4, address),
            IpAddr::V6(address) => {
                is_within(&self.v6, address)
                    || !self.v4.is_empty()
                        && self.nat64.embedded(address).is_some_and(|embedded| is_within(&self.v4, embedded))
            }
        }
    }

    /// Whether a network, or the IPv4 network embedded in it, overlaps one of the networks.
    #[must_use]
    pub(crate) fn overlaps(&self, network: IpNet) -> bool {
        match network {
            IpNet::V4(network) => has_some_of(&self.v4, network.network(), network.broadcast()),
            IpNet::V6(network) => {
                let embedded = self.nat64.embedded_network(network);
                has_some_of(&self.v6, network.network(), network.broadcast())
                    || embedded.is_some_and(|network| self.overlaps(network.into()))
            }
        }
    }

    /// The number of networks, without those inside others.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether the set is empty.
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
        Self { v4: disjoint(v4), v6: disjoint(v6), nat64: Nat64::default() }
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

/// Sorts ranges and merges overlapping ones.
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

/// Parses a network (`192.0.2.0/24`, `2001:db8::/32`) or an address, which becomes a network with one host.
///
/// `192.0.2.7/24` is the network around this address, and `::ffff:192.0.2.7` the IPv4 address.
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

/// Converts an IPv4-mapped network to IPv4.
fn unmapped(network: IpNet) -> IpNet {
    /// `::ffff:0:0/96` holds the mapped addresses.
    const MAPPED_PREFIX: u8 = 96;
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped();
    let v4 = v4.zip(v6.prefix_len().checked_sub(MAPPED_PREFIX));
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

/// Parses a list of networks, one for each line. A `#` begins a comment; blank lines are skipped.
///
/// # Errors
/// The first invalid line, with its number.
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

/// Why a text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The text (before the slash) is not an address.
    #[error("no address or network (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)")]
    Form,
    /// The text after the slash is not a valid prefix length.
    #[error("{} is no prefix length from 0 to {longest}", Quoted(prefix))]
    Prefix {
        /// That text.
        prefix: String,
        /// The longest prefix of this address family.
        longest: u8,
    },
}

/// An invalid line of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}: {cause}", Quoted(value))]
pub struct LineError {
    /// Its number, from 1.
    pub line: usize,
    /// Its text without the comment.
    pub value: String,
    /// The cause.
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
    fn an_invalid_network_is_refused_with_its_cause() {
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
    fn entries_of_ipv4_hold_for_translated_addresses() {
        let mut nat64 = Nat64::default();
        nat64.add("64:ff9b:1::/48").unwrap();
        let list = list(&["192.0.2.0/24", "2001:db8::/64"]).with_nat64(nat64);
        for (network, expected) in [
            ("64:ff9b::192.0.1.255/128", false),
            ("64:ff9b::192.0.2.0/128", true),
            ("64:ff9b::192.0.2.255/128", true),
            ("64:ff9b::192.0.3.0/128", false),
            ("64:ff9b::1:192.0.2.1/128", false),
            ("64:ff9b:1:c000:1:ff00::/128", false),
            ("64:ff9b:1:c000:2::/128", true),
            ("64:ff9b:1:c000:2:ff00::/128", true),
            ("64:ff9b:1:c000:3::/128", false),
            ("64:ff9b:2:c000:2::/128", false),
        ] {
            let network: IpNet = network.parse().unwrap();
            assert_eq!(list.contains(network.addr()), expected, "{network}");
            assert_eq!(list.overlaps(network), expected, "{network}");
        }
        for (network, expected) in [
            ("64:ff9b::192.0.0.0/119", false),
            ("64:ff9b::192.0.2.0/119", true),
            ("64:ff9b::/96", true),
            ("64:ff9b::/64", true),
            ("64:ff9b:1:c000:2:8000::/81", true),
            ("64:ff9b:1:c000::/71", true),
            ("64:ff9b:1:c001::/71", false),
        ] {
            assert_eq!(list.overlaps(network.parse().unwrap()), expected, "{network}");
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
    fn networks_are_added_and_the_prefixes_stay() {
        let mut nat64 = Nat64::default();
        nat64.add("64:ff9b:1::/48").unwrap();
        let all = list(&["192.0.2.0/24"]).with_nat64(nat64);
        let more =
            all.with(["192.0.2.128/25", "198.51.100.7", "2001:db8::/32"].map(|text| network(text).unwrap()));
        assert_eq!(more, list(&["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]).with_nat64(nat64));
        assert_eq!(all.with([]), all);
    }

    #[test]
    fn an_empty_list_allows_nothing() {
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
