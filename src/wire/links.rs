//! The relations between a host's interfaces: which ones count as one, and which one ends a tunnel.
//!
//! The source reads them from the system. Conntrack uses them to decide whether an answer came in where its
//! SYN went out. For this, an interface and its master or lower interface count as one, because a packet
//! appears on both.

/// The interfaces of a host, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links(Vec<Interface>);

/// One interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's index of it.
    pub index: u32,
    /// The bridge, bond or team that it is a port of; 0 where there is none.
    pub master: u32,
    /// The interface that it is built on (VLAN, macvlan); 0 where there is none.
    pub lower: u32,
    /// Its kind.
    pub kind: Kind,
}

/// The kind of an interface, as far as the path of an answer depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// An incoming packet was sent by a station of that network.
    #[default]
    Plain,
    /// Every outgoing packet comes in again.
    Loopback,
    /// The end of a tunnel that anyone can send into: IPIP, SIT, GRE, IPv6 tunnels, VXLAN, GENEVE, FOU. Not
    /// WireGuard, which knows its peers.
    Tunnel,
    /// Several interfaces as one: an answer may come in on another port than the one on which its SYN went
    /// out.
    Bond,
}

impl Links {
    /// These interfaces.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = Interface>) -> Self {
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_unstable_by_key(|interface| interface.index);
        Self(all)
    }

    /// The kind of an interface.
    #[must_use]
    pub fn kind(&self, index: u32) -> Kind {
        self.get(index).map_or(Kind::Plain, |interface| interface.kind)
    }

    /// Whether two interfaces count as one: they are the same, one is above the other, or both are ports of
    /// one bond.
    #[must_use]
    pub(crate) fn are_one(&self, one: u32, other: u32) -> bool {
        one == other || self.is_above(one, other) || self.is_above(other, one) || self.are_bonded(one, other)
    }

    /// Whether one interface stands above another, at most [`DEPTH`] steps away.
    fn is_above(&self, above: u32, below: u32) -> bool {
        let mut at = below;
        let by_master = (0..DEPTH).any(|_| {
            at = self.get(at).map_or(0, |interface| interface.master);
            at != 0 && at == above
        });
        let mut at = above;
        let by_lower = (0..DEPTH).any(|_| {
            at = self.get(at).map_or(0, |interface| interface.lower);
            at != 0 && at == below
        });
        by_master || by_lower
    }

    fn are_bonded(&self, one: u32, other: u32) -> bool {
        let master = |index| self.get(index).map_or(0, |interface| interface.master);
        let bond = master(one);
        bond != 0 && bond == master(other) && self.kind(bond) == Kind::Bond
    }

    fn get(&self, index: u32) -> Option<&Interface> {
        self.0.binary_search_by_key(&index, |interface| interface.index).ok().map(|at| &self.0[at])
    }
}

/// Maximum height of a stack of interfaces: a bridge over VLANs over a bond has three.
const DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_above_and_ports_of_a_bond_are_one_and_ports_of_a_bridge_are_not() {
        let (plain, bond) = (Interface::default(), Interface { kind: Kind::Bond, ..Interface::default() });
        let links = Links::new([
            Interface { index: 2, master: 10, ..plain },
            Interface { index: 3, master: 10, ..plain },
            Interface { index: 10, master: 20, ..bond },
            Interface { index: 20, ..plain },
            Interface { index: 4, master: 20, ..plain },
            Interface { index: 21, lower: 20, ..plain },
            Interface { index: 22, lower: 20, ..plain },
        ]);
        for (one, other, are_one) in [
            (2, 2, true),
            (2, 10, true),
            (2, 3, true),
            (2, 20, true),
            (4, 20, true),
            (2, 4, false),
            (21, 20, true),
            (21, 22, false),
            (99, 98, false),
            (99, 99, true),
        ] {
            assert_eq!(links.are_one(one, other), are_one, "{one} {other}");
            assert_eq!(links.are_one(other, one), are_one, "{other} {one}");
        }
        let loop_of_masters = Links::new([
            Interface { index: 1, master: 2, ..plain },
            Interface { index: 2, master: 1, ..plain },
        ]);
        assert!(!loop_of_masters.are_one(1, 3));
    }
}
