//! What is never blocked, whatever the request. The guard enforces it, too: a compromised main process may send any
//! request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

use crate::base::units::Span;
use crate::engine::watch::Limit;

/// The longest block.
const LONGEST: Duration = Limit::MAX_WINDOW;

/// Shortest prefixes that are blocked: a provider's usual allocation. A shorter one is a part of the Internet.
const SHORTEST4: u8 = 16;
const SHORTEST6: u8 = 32;

/// Networks without remote hosts.
const SPECIAL: [(IpNet, &str); 9] = [
    (v4([0, 0, 0, 0], 8), "unspecified"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([255, 255, 255, 255], 32), "broadcast"),
    // Includes `::`, `::1` and the deprecated IPv4-compatible addresses.
    (v6([0, 0, 0, 0, 0, 0], 96), "unspecified or loopback"),
    (v6([0, 0, 0, 0, 0, 0xffff], 96), "IPv4-mapped"),
    (v6([0xfe80, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xff00, 0, 0, 0, 0, 0], 8), "multicast"),
];

/// Networks whose addresses stand for IPv4 hosts, so that a prefix in them is a part of the IPv4 Internet: NAT64 (RFC
/// 6052), local NAT64 (RFC 8215), SIIT (RFC 2765).
const TRANSLATED: [IpNet; 3] =
    [v6([0x64, 0xff9b, 0, 0, 0, 0], 96), v6([0x64, 0xff9b, 1, 0, 0, 0], 48), v6([0, 0, 0, 0, 0xffff, 0], 96)];

/// Why a network or a time is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Never {
    /// The prefix is too short.
    #[error("network {0}: shorter than /{1}, the shortest prefix that is blocked")]
    TooShort(IpNet, u8),
    /// Its addresses stand for IPv4 hosts.
    #[error("network {0}: translated IPv4 addresses ({1}) are blocked one by one (/128)")]
    Translated(IpNet, IpNet),
    /// It overlaps a special network.
    #[error("network {0}: {2} addresses ({1}) are never blocked")]
    Special(IpNet, IpNet, &'static str),
    /// The time is too long.
    #[error("time {}: longer than {}, the longest block", Span(*.0), Span(LONGEST))]
    TooLong(Duration),
}

/// Whether a network may be blocked at all.
pub(super) fn check_network(network: IpNet) -> Result<(), Never> {
    let shortest = if network.addr().is_ipv4() { SHORTEST4 } else { SHORTEST6 };
    if network.prefix_len() < shortest {
        return Err(Never::TooShort(network, shortest));
    }
    let is_host = network.prefix_len() == network.max_prefix_len();
    if let Some(range) = TRANSLATED.iter().find(|range| !is_host && overlap(**range, network)) {
        return Err(Never::Translated(network, *range));
    }
    let concerned = std::iter::once(network).chain(embedded(network));
    for (network_or_host, (range, what)) in concerned.flat_map(|one| SPECIAL.map(|special| (one, special))) {
        if overlap(range, network_or_host) {
            return Err(Never::Special(network, range, what));
        }
    }
    Ok(())
}

/// Whether a block may last this long.
pub(super) fn check_time(time: Duration) -> Result<(), Never> {
    if time > LONGEST { Err(Never::TooLong(time)) } else { Ok(()) }
}

/// The IPv4 host that a translated address stands for, if its position in the address is known.
pub(super) fn embedded(network: IpNet) -> Option<IpNet> {
    let range = TRANSLATED.iter().find(|range| range.prefix_len() == 96 && range.contains(&network))?;
    match network.addr() {
        IpAddr::V6(address) if network.prefix_len() == range.max_prefix_len() => {
            let [.., a, b, c, d] = address.octets();
            Some(v4([a, b, c, d], 32))
        }
        _ => None,
    }
}

fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length)
}

const fn v6([a, b, c, d, e, f]: [u16; 6], length: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, 0, 0)), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(network: &str) -> Option<String> {
        check_network(network.parse().unwrap()).err().map(|why| why.to_string())
    }

    #[test]
    fn hosts_and_networks_of_usual_size_may_be_blocked() {
        for network in [
            "192.0.2.1/32",
            "198.51.0.0/16",
            "223.255.255.255/32",
            "2001:db8::/32",
            "2001:db8::1/128",
            "64:ff9b::c000:201/128",
            "64:ff9b:1::c000:201/128",
            "64:ff9b:2::/48",
        ] {
            assert_eq!(refused(network), None, "{network}");
        }
    }

    #[test]
    fn parts_of_the_internet_are_never_blocked() {
        for (network, shortest) in [
            ("0.0.0.0/0", 16),
            ("128.0.0.0/1", 16),
            ("198.50.0.0/15", 16),
            ("::/0", 32),
            ("2000::/3", 32),
            ("2001:db8::/31", 32),
            ("64:ff9b::/31", 32),
        ] {
            let why =
                format!("network {network}: shorter than /{shortest}, the shortest prefix that is blocked");
            assert_eq!(refused(network), Some(why));
        }
        for (network, range) in [
            ("64:ff9b::/96", "64:ff9b::/96"),
            ("64:ff9b::/64", "64:ff9b::/96"),
            ("64:ff9b::c000:200/127", "64:ff9b::/96"),
            ("64:ff9b::/32", "64:ff9b::/96"),
            ("64:ff9b:1:2::/64", "64:ff9b:1::/48"),
            ("::ffff:0:192.0.2.0/120", "::ffff:0:0:0/96"),
        ] {
            let network: IpNet = network.parse().unwrap();
            let why = format!(
                "network {network}: translated IPv4 addresses ({range}) are blocked one by one (/128)"
            );
            assert_eq!(refused(&network.to_string()), Some(why));
        }
    }

    #[test]
    fn special_addresses_are_never_blocked_however_they_are_written() {
        for (network, what) in [
            ("0.0.0.0/32", "unspecified addresses (0.0.0.0/8)"),
            ("127.0.0.1/32", "loopback addresses (127.0.0.0/8)"),
            ("127.255.0.0/16", "loopback addresses (127.0.0.0/8)"),
            ("169.254.169.254/32", "link-local addresses (169.254.0.0/16)"),
            ("239.1.2.3/32", "multicast addresses (224.0.0.0/4)"),
            ("255.255.255.255/32", "broadcast addresses (255.255.255.255/32)"),
            ("255.255.0.0/16", "broadcast addresses (255.255.255.255/32)"),
            ("::/128", "unspecified or loopback addresses (::/96)"),
            ("::1/128", "unspecified or loopback addresses (::/96)"),
            ("::192.0.2.1/128", "unspecified or loopback addresses (::/96)"),
            ("::ffff:127.0.0.1/128", "IPv4-mapped addresses (::ffff:0.0.0.0/96)"),
            ("::ffff:192.0.2.0/120", "IPv4-mapped addresses (::ffff:0.0.0.0/96)"),
            ("fe80::1/128", "link-local addresses (fe80::/10)"),
            ("febf:ffff::/64", "link-local addresses (fe80::/10)"),
            ("ff02::1/128", "multicast addresses (ff00::/8)"),
            ("64:ff9b::7f00:1/128", "loopback addresses (127.0.0.0/8)"),
            ("64:ff9b::/128", "unspecified addresses (0.0.0.0/8)"),
        ] {
            let network: IpNet = network.parse().unwrap();
            let why = refused(&network.to_string()).unwrap_or_default();
            assert_eq!(why, format!("network {network}: {what} are never blocked"));
        }
    }

    #[test]
    fn nothing_is_blocked_for_longer_than_a_week() {
        assert_eq!(check_time(LONGEST), Ok(()));
        let why = check_time(LONGEST + Duration::from_secs(1)).unwrap_err().to_string();
        assert_eq!(why, "time 604801s: longer than 7d, the longest block");
    }
}
