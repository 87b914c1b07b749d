//! Who takes part in an attempt, and the hashes of that: worked out once for each segment.

use std::net::IpAddr;

use crate::detector::{self, Attempt};
use crate::hash::{self, Key};
use crate::packet::InterfaceId;
use crate::segment::Segment;
use crate::time::Timestamp;
use crate::watch::Grouping;

/// An address or an end of a connection, with its port.
pub(super) type End = (IpAddr, u16);

/// The client and the server of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parties {
    pub(super) client: End,
    pub(super) server: End,
    /// The hash of the client's address.
    pub(super) client_hash: u64,
    /// The hash of the network that it is in.
    pub(super) network_hash: u64,
    /// The hash of the server's address.
    pub(super) server_hash: u64,
    /// The hash of that and its port.
    pub(super) end_hash: u64,
    /// Whether the client's is an own address.
    pub(super) is_own: bool,
}

impl Parties {
    /// Those of a segment that goes to a server, or comes from one, with its hashes.
    #[inline]
    pub(super) fn of(segment: &Segment, to_server: bool, hashes: &Hashes, is_own: bool) -> Self {
        let (client, server) = ends(segment, to_server);
        Self {
            client,
            server,
            client_hash: hashes.client,
            network_hash: hashes.network,
            server_hash: hashes.server,
            end_hash: hashes.server_end,
            is_own,
        }
    }

    /// An attempt between them, as the detector is told of it.
    pub(super) fn attempt(&self, key: detector::Key, interface: InterfaceId, time: Timestamp) -> Attempt {
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

/// What a segment's addresses and ports are hashed to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hashes {
    /// The client's address.
    pub(super) client: u64,
    /// The network that it is in: see [`Key::network`].
    pub(super) network: u64,
    /// The server's address.
    pub(super) server: u64,
    /// The server's address and port.
    pub(super) server_end: u64,
    /// The connection, in either direction.
    pub(super) connection: u64,
}

/// The client's end and the server's of a segment that goes to a server, or comes from one.
#[inline]
pub(super) fn ends(segment: &Segment, to_server: bool) -> (End, End) {
    let (src, dst) = ((segment.src, segment.src_port), (segment.dst, segment.dst_port));
    if to_server { (src, dst) } else { (dst, src) }
}

/// Hashes addresses, and remembers the hashes of some servers: nearly all segments are from or to one of a few.
#[derive(Debug, Clone)]
pub(super) struct Hasher {
    key: Key,
    servers: [(IpAddr, u64); SERVERS],
}

/// How many servers are remembered, each at the place that the last bits of its address say: a power of two.
const SERVERS: usize = 16;

impl Hasher {
    pub(super) fn new(key: Key) -> Self {
        let none = IpAddr::from([0; 4]);
        Self { key, servers: [(none, key.address(none)); SERVERS] }
    }

    /// The hashes of a segment that goes to a server, or comes from one.
    #[inline]
    pub(super) fn segment(&mut self, segment: &Segment, to_server: bool) -> Hashes {
        let Segment { src, dst, src_port, dst_port, .. } = segment;
        let (client, client_port, server, server_port) =
            if to_server { (src, src_port, dst, dst_port) } else { (dst, dst_port, src, src_port) };
        let network = self.key.network(*client);
        let client = hash::in_network(network, *client);
        let server = self.server(*server);
        let server_end = hash::end(server, *server_port);
        let connection = hash::connection(hash::end(client, *client_port), server_end);
        Hashes { client, network, server, server_end, connection }
    }

    /// The hash of the group that an address is in, by that of its network.
    #[inline(never)]
    pub(super) fn group(&self, grouping: Grouping, address: &IpAddr, network: u64) -> u64 {
        let group = grouping.group(*address).addr();
        if grouping.prefix4 >= hash::PREFIX4 && grouping.prefix6 >= hash::PREFIX6 {
            // It is a part of the network.
            return hash::in_network(network, group);
        }
        self.key.address(group)
    }

    /// The parties to an attempt.
    pub(super) fn parties(&mut self, client: End, server: End, is_own: bool) -> Parties {
        let network_hash = self.key.network(client.0);
        let client_hash = hash::in_network(network_hash, client.0);
        let server_hash = self.server(server.0);
        let end_hash = hash::end(server_hash, server.1);
        Parties { client, server, client_hash, network_hash, server_hash, end_hash, is_own }
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
    use crate::segment::Flags;

    fn segment(src: End, dst: End) -> Segment {
        Segment::between(src, dst, Flags::SYN)
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
                let there = hasher.segment(&segment(*one, *other), true).connection;
                for to_server in [true, false] {
                    assert_eq!(hasher.segment(&segment(*one, *other), to_server).connection, there);
                    assert_eq!(hasher.segment(&segment(*other, *one), to_server).connection, there);
                }
                assert!(!seen.contains(&there), "{one:?} and {other:?} have the hash of others");
                seen.push(there);
            }
        }
    }

    #[test]
    fn the_parties_have_the_hashes_of_the_segment() {
        let mut hasher = Hasher::new(Key::fixed());
        let (client, server) = (("192.0.2.1".parse().unwrap(), 1), ("192.0.2.2".parse().unwrap(), 25));
        let parties = hasher.parties(client, server, false);
        for (segment, to_server) in [(segment(client, server), true), (segment(server, client), false)] {
            let hashes = hasher.segment(&segment, to_server);
            assert_eq!(
                (parties.client_hash, parties.network_hash, parties.server_hash, parties.end_hash),
                (hashes.client, hashes.network, hashes.server, hashes.server_end)
            );
        }
    }

    #[test]
    fn the_hash_of_a_group_is_that_of_its_first_address_whatever_its_size() {
        let mut hasher = Hasher::new(Key::fixed());
        for client in ["198.51.100.77", "2001:db8:1:2:3:4:5:6"].map(|client| client.parse().unwrap()) {
            let parties = hasher.parties((client, 1), ("192.0.2.2".parse().unwrap(), 25), false);
            for (prefix4, prefix6) in [(32, 128), (25, 64), (24, 48), (23, 64), (25, 47), (16, 32), (0, 0)] {
                let grouping = Grouping { prefix4, prefix6 };
                let expected = Key::fixed().address(grouping.group(client).addr());
                assert_eq!(
                    hasher.group(grouping, &client, parties.network_hash),
                    expected,
                    "{client}: {grouping:?}"
                );
            }
        }
    }
}
