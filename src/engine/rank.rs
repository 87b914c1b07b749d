//! Which source goes first where room is scarce: open episodes, report lines, folders of evidence, queues of actions.
//!
//! Proven attempts in relation to the limit come first, then attempts in relation to the limit, then age: the oldest
//! stays. When something is full, a neighbourhood (a /24, or a /48) that holds more than an eighth of it gives way
//! first. So forged sources never take the room of proven ones, and the holder of a network does not take it all.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::engine::outcome::Proof;

/// A neighbourhood that holds more than this part of something full gives way first.
const NEIGHBOURS_SHARE: usize = 8;

/// The value for as many attempts as the limit has.
const LIMIT: u64 = 1_000;

/// How a source is ranked: the higher one goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// Proven attempts in thousandths of the limit's N; [`LIMIT`] if they have verified the source, less
    /// otherwise.
    proven: u64,
    /// Attempts in thousandths of N.
    attempts: u64,
}

impl Rank {
    /// The rank of a source with these numbers of proven attempts and attempts, under a limit of N = `limit`.
    #[must_use]
    pub(crate) fn new(verified: Proof, proven: u64, attempts: u64, limit: u16) -> Self {
        let part = |count: u64| count.saturating_mul(LIMIT) / u64::from(limit.max(1));
        let proven = match verified {
            Proof::None => part(proven).clamp(u64::from(proven > 0), LIMIT - 1),
            Proof::Wire | Proof::Yes => LIMIT,
        };
        Self { proven, attempts: part(attempts) }
    }

    /// Whether any of the attempts is proven.
    #[must_use]
    pub(crate) fn has_proof(self) -> bool {
        self.proven > 0
    }

    /// Whether half as many attempts are proven as the limit has: a forged source may borrow those few of an honest
    /// host.
    #[must_use]
    pub(crate) fn is_mostly_proven(self) -> bool {
        self.proven >= LIMIT / 2
    }
}

/// The /24 or /48 that contains a network; a larger network is its own neighbourhood. For a translated IPv4
/// address (64:ff9b::/96) it is that of the IPv4 address's /24.
#[must_use]
pub(crate) fn neighbourhood(network: IpNet) -> IpNet {
    let prefix = match network.addr() {
        IpAddr::V4(_) => 24,
        IpAddr::V6(address) if matches!(address.segments(), [0x64, 0xff9b, 0, 0, 0, 0, ..]) => 96 + 24,
        IpAddr::V6(_) => 48,
    };
    IpNet::new_assert(network.addr(), prefix.min(network.prefix_len())).trunc()
}

/// How many entries each neighbourhood holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Neighbours {
    held: HashMap<IpNet, usize>,
    room: usize,
}

impl Neighbours {
    /// Counts these networks in a room of this size.
    pub(crate) fn new(networks: impl IntoIterator<Item = IpNet>, room: usize) -> Self {
        let mut neighbours = Self::default();
        neighbours.hold(networks, room);
        neighbours
    }

    /// Replaces the counts by those of these networks, in a room of this size.
    pub(crate) fn hold(&mut self, networks: impl IntoIterator<Item = IpNet>, room: usize) {
        self.held.clear();
        self.room = room;
        networks.into_iter().for_each(|network| self.add(network));
    }

    /// Adds an entry.
    pub(crate) fn add(&mut self, network: IpNet) {
        *self.held.entry(neighbourhood(network)).or_default() += 1;
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, network: IpNet) {
        if let Some(held) = self.held.get_mut(&neighbourhood(network)) {
            *held = held.saturating_sub(1);
        }
    }

    /// Whether this network's neighbourhood holds more than an eighth.
    #[must_use]
    pub(crate) fn is_crowded(&self, network: IpNet) -> bool {
        let held = self.held.get(&neighbourhood(network)).copied().unwrap_or_default();
        held > (self.room / NEIGHBOURS_SHARE).max(1)
    }

    /// Whether the new entry replaces the present one.
    #[must_use]
    pub(crate) fn gives_way(&self, (there, its): (IpNet, Rank), (comes, rank): (IpNet, Rank)) -> bool {
        match (rank.has_proof(), its.has_proof()) {
            (true, false) => true,
            (false, true) => false,
            _ if neighbourhood(there) == neighbourhood(comes) => rank > its,
            _ if self.is_crowded(there) => true,
            _ => !self.is_crowded(comes) && rank > its,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn proven_attempts_come_before_any_number_of_attempts() {
        let order = [
            Rank::new(Proof::None, 0, 0, 30),
            Rank::new(Proof::None, 0, 30, 30),
            Rank::new(Proof::None, 0, 1_000_000, 30),
            Rank::new(Proof::None, 1, 30, 30_000),
            Rank::new(Proof::None, 14, 30, 30),
            Rank::new(Proof::None, 15, 30, 30),
            Rank::new(Proof::None, u64::MAX, 30, 30),
            Rank::new(Proof::Yes, 30, 30, 30),
        ];
        assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(order.map(Rank::has_proof), [false, false, false, true, true, true, true, true]);
        assert_eq!(order.map(Rank::is_mostly_proven), [false, false, false, false, false, true, true, true]);
    }

    #[test]
    fn a_neighbourhood_with_more_than_an_eighth_gives_way_first() {
        let (proven, forged) = (Rank::new(Proof::Yes, 9, 9, 9), Rank::new(Proof::None, 0, 9, 9));
        let [here, near, far] = ["192.0.2.1/32", "192.0.2.200/32", "198.51.100.1/32"].map(net);
        for (held, is_crowded) in [(1, false), (2, false), (3, true)] {
            let neighbours = Neighbours::new(vec![here; held], 16);
            assert_eq!(neighbours.is_crowded(near), is_crowded, "{held} of 16");
            for rank in [proven, forged] {
                assert_eq!(neighbours.gives_way((here, rank), (far, rank)), is_crowded);
                assert!(!neighbours.gives_way((here, rank), (near, rank)), "the oldest stays");
            }
            assert!(!neighbours.gives_way((here, proven), (far, forged)));
            assert!(neighbours.gives_way((far, forged), (here, proven)));
            let weak = Rank::new(Proof::None, 0, 0, 9);
            assert_eq!(neighbours.gives_way((far, weak), (near, forged)), !is_crowded);
        }
        let mut six = Neighbours::new(["2001:db8:1::1/128", "2001:db8:1:2::/64"].map(net), 8);
        assert!(six.is_crowded(net("2001:db8:1:ffff::1/128")) && !six.is_crowded(net("2001:db8:2::1/128")));
        assert!(!six.is_crowded(net("64:ff9b::c000:201/128")));
        assert_eq!(neighbourhood(net("64:ff9b::c000:201/128")), net("64:ff9b::c000:200/120"));
        six.remove(net("2001:db8:1::1/128"));
        assert!(!six.is_crowded(net("2001:db8:1::/48")));
    }
}
