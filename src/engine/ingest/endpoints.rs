//! The endpoints of an attempt and their hashes, which are computed once for each segment.

use std::net::IpAddr;

use crate::base::hash::{self, Key};
use crate::base::time::Timestamp;
use crate::engine::event;
use crate::engine::event::Attempt;
use crate::engine::watch::Grouping;
use crate::wire::packet::InterfaceId;
use crate::wire::segment::Segment;

/// An address with a port.
pub(in crate::engine) type End = (IpAddr, u16);

/// The client and the server of an attempt.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Endpoints {
    pub(in crate::engine) client: End,
    pub(in crate::engine) server: End,
    /// The hash of the client's address.
    pub(in crate::engine) client_hash: u64,
    /// The hash of the client's network.
    pub(in crate::engine) network_hash: u64,
    /// The hash of the server's address.
    pub(in crate::engine) server_hash: u64,
    /// The hash of the server's address and port.
    pub(in crate::engine) end_hash: u64,
    /// Whether the client has one of this host's own addresses.
    pub(in crate::engine) is_own: bool,
}

impl Endpoints {
    /// Endpoints that are not known yet.
    pub(super) fn unknown() -> Self {
        let none = (IpAddr::from([0; 4]), 0);
        Self {
            client: none,
            server: none,
            client_hash: 0,
            network_hash: 0,
            server_hash: 0,
            end_hash: 0,
            is_own: false,
        }
    }

    /// The hash of the client's address and port.
    #[inline]
    pub(in crate::engine) fn client_end(&self) -> u64 {
        hash::end(self.client_hash, self.client.1)
    }

    /// The hash of the connection, in either direction.
    #[inline]
    pub(in crate::engine) fn connection(&self) -> u64 {
        hash::connection(self.client_end(), self.end_hash)
    }

    /// An attempt between them, in the form that the detector gets.
    pub(in crate::engine) fn attempt(
        &self,
        key: event::Key,
        interface: InterfaceId,
        time: Timestamp,
    ) -> Attempt {
        Attempt {
            key,
            time,
            src_hash: self.client_hash,
            dst_hash: self.server_hash,
            src: self.client.0,
            src_port: self.client.1,
            dst: self.server.0,
            dst_port: self.server.1,
            interface,
        }
    }
}

/// The client and the server of a segment that goes to a server, or comes from one.
#[inline]
pub(in crate::engine) fn ends(segment: &Segment, to_server: bool) -> (End, End) {
    let (src, dst) = ((segment.src, segment.src_port), (segment.dst, segment.dst_port));
    if to_server { (src, dst) } else { (dst, src) }
}

/// Hashes addresses. It caches the hashes of some servers, because nearly all segments are from or to a few
/// servers.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Hasher {
    key: Key,
    servers: [(IpAddr, u64); SERVERS],
}

/// Number of cached servers, a power of two. The last bits of the address are the index.
const SERVERS: usize = 16;

impl Hasher {
    pub(in crate::engine) fn new(key: Key) -> Self {
        let none = IpAddr::from([0; 4]);
        Self { key, servers: [(none, key.address(none)); SERVERS] }
    }

    pub(in crate::engine) fn key(&self) -> Key {
        self.key
    }

    /// The hash of an address's group, computed from the hash of its network.
    #[inline(never)]
    pub(in crate::engine) fn group(&self, grouping: &Grouping, address: &IpAddr, network: u64) -> u64 {
        let group = grouping.group(*address).addr();
        if grouping.prefix4 >= hash::PREFIX4 && grouping.prefix6 >= hash::PREFIX6 {
            // The group is a part of the network.
            return hash::in_network(network, group);
        }
        self.key.group(group)
    }

    /// The endpoints of an attempt.
    #[inline(always)] // Out of line, the call copies both endpoints once more.
    pub(in crate::engine) fn endpoints(&mut self, client: End, server: End, is_own: bool) -> Endpoints {
        let network_hash = self.key.network(client.0);
        let client_hash = hash::in_network(network_hash, client.0);
        let server_hash = self.server(server.0);
        let end_hash = hash::end(server_hash, server.1);
        Endpoints { client, server, client_hash, network_hash, server_hash, end_hash, is_own }
    }

    #[inline]
    fn server(&mut self, address: IpAddr) -> u64 {
        let last = match address {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[15],
        };
        let known = &mut self.servers[usize::from(last) % SERVERS];
        if known.0 != address {
            *known = (address, self.key.address(address));
        }
        known.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(hasher: &mut Hasher, client: End, server: End) -> u64 {
        hasher.endpoints(client, server, false).connection()
    }

    #[test]
    fn both_directions_of_a_connection_have_one_hash_whichever_end_is_remembered() {
        let mut hasher = Hasher::new(Key::fixed());
        let ends: Vec<End> = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "0.0.0.0"]
            .iter()
            .flat_map(|address| [25, 40_000].map(|port| (address.parse().unwrap(), port)))
            .collect();
        let mut seen = Vec::new();
        for (i, one) in ends.iter().enumerate() {
            for other in &ends[..i] {
                let there = connection(&mut hasher, *one, *other);
                assert_eq!(connection(&mut hasher, *other, *one), there);
                assert!(!seen.contains(&there), "{one:?} and {other:?} have the hash of others");
                seen.push(there);
            }
        }
    }

    #[test]
    fn the_hash_of_a_group_is_that_of_its_first_address_whatever_its_size() {
        let mut hasher = Hasher::new(Key::fixed());
        for client in ["198.51.100.77", "2001:db8:1:2:3:4:5:6"].map(|client| client.parse().unwrap()) {
            let endpoints = hasher.endpoints((client, 1), ("192.0.2.2".parse().unwrap(), 25), false);
            for (prefix4, prefix6) in [(32, 128), (25, 64), (24, 48), (23, 64), (25, 47), (16, 32), (0, 0)] {
                let grouping = Grouping::new(prefix4, prefix6);
                let expected = Key::fixed().address(grouping.group(client).addr());
                assert_eq!(
                    hasher.group(&grouping, &client, endpoints.network_hash),
                    expected,
                    "{client}: {grouping:?}"
                );
            }
        }
    }
}
