//! Addresses that must never be blocked, because this host would lose its connectivity.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;

use super::never;
use crate::engine::watch::AllowList;
use crate::report::enrich::name_servers;

/// Files that list name servers: the C library's, and systemd-resolved's if it runs on this host.
const NAME_SERVERS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// Flag of a route through a gateway (linux/route.h).
const RTF_GATEWAY: u32 = 2;

const OWN: &str = "an address of this host";
const GATEWAY: &str = "a gateway of this host";
const NAME_SERVER: &str = "a name server of this host";

/// The allow list, shared with the reloader.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed(Arc<Mutex<Numbered>>);

/// The list, and how often it was replaced.
#[derive(Debug, Default)]
struct Numbered {
    list: AllowList,
    number: u64,
}

impl Allowed {
    /// Replaces the list.
    pub(crate) fn set(&self, list: AllowList) {
        let mut allowed = self.lock();
        *allowed = Numbered { list, number: allowed.number + 1 };
    }

    /// The number of the list: another one means another list.
    pub(super) fn number(&self) -> u64 {
        self.lock().number
    }

    /// Whether a network is, or holds, something allowed.
    pub(super) fn overlaps(&self, network: IpNet) -> bool {
        self.lock().list.overlaps(network)
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The IPv4 network embedded in a network of translated addresses.
    fn embedded(&self, network: IpNet) -> Option<IpNet> {
        let IpNet::V6(network) = network else { return None };
        self.lock().list.nat64().embedded_network(network).map(IpNet::V4)
    }
}

/// Addresses that must never be blocked, with the reasons.
#[derive(Debug, Default)]
pub(crate) struct Protected {
    networks: Vec<(IpNet, &'static str)>,
    allowed: Allowed,
    has_own: bool,
}

impl Protected {
    #[cfg(test)]
    pub(super) fn new(networks: Vec<(IpNet, &'static str)>) -> Self {
        Self { networks, allowed: Allowed::default(), has_own: false }
    }

    /// This host's current gateways and name servers, its own addresses, which are kept up to date, and the allow list.
    #[must_use]
    pub(crate) fn of_this_host(allowed: Allowed) -> Self {
        let gateways = gateways4(&read("/proc/self/net/route")).into_iter().map(IpAddr::V4);
        let gateways =
            gateways.chain(gateways6(&read("/proc/self/net/ipv6_route")).into_iter().map(IpAddr::V6));
        let networks = gateways.map(|address| (address.into(), GATEWAY));
        let networks = networks.chain(servers(&NAME_SERVERS).into_iter().map(|server| (server, NAME_SERVER)));
        Self { networks: networks.collect(), allowed, has_own: true }
    }

    /// The allow list.
    pub(super) fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// The protected thing that overlaps a network, if any. A network of translated addresses is also checked as the
    /// IPv4 network that it embeds, and is refused if that is all of IPv4.
    pub(super) fn overlaps(&self, network: IpNet) -> Option<String> {
        let embedded = self.allowed.embedded(network).or_else(|| never::embedded(network));
        if embedded.is_some_and(|embedded| embedded.prefix_len() == 0) {
            return Some("all of IPv4 behind NAT64".to_owned());
        }
        let holds = |protected: &IpNet| {
            network.contains(protected) || embedded.is_some_and(|embedded| embedded.contains(protected))
        };
        let own = if self.has_own { own_addresses() } else { BTreeSet::new() };
        let own = own.into_iter().map(|address| (IpNet::from(address), OWN));
        let found = own.chain(self.networks.iter().copied()).find(|(protected, _)| holds(protected));
        match found {
            Some((protected, what)) => Some(format!("{}, {what}", protected.addr())),
            None => {
                let mut concerned = std::iter::once(network).chain(embedded);
                concerned.any(|one| self.allowed.overlaps(one)).then(|| "an allowed network".to_owned())
            }
        }
    }
}

/// The contents of a system file; empty if it is missing.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| {
        log::debug!("cannot read {path}: {error}");
        String::new()
    })
}

fn servers(paths: &[&str]) -> BTreeSet<IpNet> {
    paths.iter().flat_map(|path| name_servers(&read(path))).map(IpNet::from).collect()
}

fn own_addresses() -> BTreeSet<IpAddr> {
    let all = match getifaddrs() {
        Ok(all) => all,
        Err(error) => {
            log::warn!("the addresses of this host are not known: {error}");
            return BTreeSet::new();
        }
    };
    let address = |address: nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    all.filter_map(|interface| interface.address.and_then(address)).collect()
}

/// Parses the kernel's IPv4 route table: `Iface Destination Gateway Flags …`, addresses in memory order.
fn gateways4(table: &str) -> BTreeSet<Ipv4Addr> {
    let gateway = |line: &str| {
        let mut fields = line.split_whitespace().skip(2);
        let address = u32::from_str_radix(fields.next()?, 16).ok()?;
        let flags = u32::from_str_radix(fields.next()?, 16).ok()?;
        (flags & RTF_GATEWAY != 0).then(|| Ipv4Addr::from(address.to_ne_bytes()))
    };
    table.lines().skip(1).filter_map(gateway).collect()
}

/// Parses the IPv6 route table: destination and source with prefix lengths, next hop, metric, two counters, flags.
fn gateways6(table: &str) -> BTreeSet<Ipv6Addr> {
    let gateway = |line: &str| {
        let mut fields = line.split_whitespace().skip(4);
        let address = u128::from_str_radix(fields.next()?, 16).ok()?;
        let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
        (flags & RTF_GATEWAY != 0).then(|| Ipv6Addr::from(address))
    };
    table.lines().filter_map(gateway).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_read_from_the_tables_of_routes() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
                     eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n\
                     eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\nrubbish\n";
        let expected = Ipv4Addr::from(0x0102_00c0_u32.to_ne_bytes());
        assert_eq!(gateways4(table), BTreeSet::from([expected]));
        if cfg!(target_endian = "little") {
            assert_eq!(expected, Ipv4Addr::new(192, 0, 2, 1));
        }
        let table = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                     20010db8000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
                     20010db8000000000000000000000000 40 00000000000000000000000000000000 00 \
                     00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n";
        assert_eq!(gateways6(table), BTreeSet::from(["2001:db8::1".parse().unwrap()]));
    }

    #[test]
    fn name_servers_behind_a_resolver_of_this_host_are_protected_too() {
        let folder = tempfile::tempdir().unwrap();
        let [stub, real, missing] =
            ["stub", "real", "missing"].map(|name| folder.path().join(name).display().to_string());
        fs::write(&stub, "nameserver 127.0.0.53\n").unwrap();
        fs::write(&real, "nameserver 192.0.2.53\nnameserver 2001:db8::53\n").unwrap();
        let expected =
            ["127.0.0.53/32", "192.0.2.53/32", "2001:db8::53/128"].map(|server| server.parse().unwrap());
        assert_eq!(servers(&[&stub, &real, &missing]), BTreeSet::from(expected));
    }

    #[test]
    fn own_addresses_and_what_is_allowed_are_protected_as_they_are_now() {
        let allowed = Allowed::default();
        let protected = Protected::of_this_host(allowed.clone());
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let own = Some("127.0.0.1, an address of this host".to_owned());
        assert_eq!(protected.overlaps(net("127.0.0.1/32")), own);
        assert_eq!(protected.overlaps(net("127.0.0.0/24")), own);
        let stranger = net("203.0.113.0/24");
        assert_eq!(protected.overlaps(stranger), None);
        for list in ["203.0.113.7/32", "203.0.0.0/16", "203.0.113.0/24"] {
            allowed.set([net(list)].into_iter().collect());
            assert_eq!(protected.overlaps(stranger), Some("an allowed network".to_owned()), "{list}");
        }
    }

    #[test]
    fn what_is_protected_in_ipv4_is_so_behind_nat64() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let protected = Protected::new(vec![(net("192.0.2.53/32"), NAME_SERVER)]);
        let server = Some("192.0.2.53, a name server of this host".to_owned());
        let all = Some("all of IPv4 behind NAT64".to_owned());
        for (network, expected) in [
            ("64:ff9b::192.0.2.52/128", &None),
            ("64:ff9b::192.0.2.53/128", &server),
            ("64:ff9b::192.0.2.54/128", &None),
            ("64:ff9b::192.0.1.0/120", &None),
            ("64:ff9b::192.0.2.0/120", &server),
            ("64:ff9b::1:0:0/128", &None),
            ("64:ff9b::/97", &None),
            ("64:ff9b::/96", &all),
            ("64:ff9b::/64", &all),
            ("64:ff9b::/48", &all),
            ("64:ff9b:1::/48", &None),
        ] {
            assert_eq!(&protected.overlaps(net(network)), expected, "{network}");
        }
        let list: AllowList = [net("198.51.100.0/24")].into_iter().collect();
        protected.allowed.set(list);
        let allowed = Some("an allowed network".to_owned());
        assert_eq!(protected.overlaps(net("64:ff9b::198.51.100.7/128")), allowed);
        // SIIT, which is among no prefixes for NAT64 unless it is named.
        assert_eq!(protected.overlaps(net("::ffff:0:198.51.100.7/128")), allowed);
        assert_eq!(protected.overlaps(net("::ffff:0:192.0.2.53/128")), server);
        assert_eq!(protected.overlaps(net("::ffff:0:192.0.2.54/128")), None);
    }
}
