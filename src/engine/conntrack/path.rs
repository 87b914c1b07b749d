//! The path of a segment, and whether an answer went the opposite way to its SYN.
//!
//! Only then did the server answer. A sender that forges a client's SYN can also forge the server's answer,
//! but all of its packets come in. Two sources of evidence exist, the better one first:
//!
//! - The kernel's packet type (in or out). If the SYN first came in, the first observation of its answer must
//!   go out, because this host sent it. An answer that comes in proves only on an interface on which the SYN
//!   went out. An answer that comes in where its SYN came in proves nothing, whatever else was seen.
//! - Link-layer addresses: the answer's sender is the station that the SYN was sent to. VRRP, HSRP and
//!   anycast gateways answer from another address than their own, so the reverse is not required. The sender
//!   can forge these addresses, so they prove less live.
//!
//! Without either, nothing is proven.
//!
//! Inside a tunnel nothing is proven: any host that reaches the tunnel can send both directions through it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::wire::links::{Kind, Links};
use crate::wire::segment::{Direction, Place, Segment};

/// The path of a segment to the capture point, small enough for an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Path {
    /// Hash of the whole path: interface, direction, VLAN, tunnels, link-layer addresses, hop limit. It
    /// distinguishes copies of one segment, and is never 0.
    pub(super) id: u32,
    pub(super) link: Link,
    /// Hashes of the link-layer addresses; 0 where they are unknown.
    pub(super) from: u32,
    pub(super) to: u32,
}

/// The interface and the direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub(super) struct Link(u32);

const DIRECTION_SHIFT: u32 = 30;
const IN: u32 = 1;
const OUT: u32 = 2;
/// Inside a tunnel, where no direction proves anything.
const TUNNEL: u32 = 3;

impl Link {
    fn of(place: &Place) -> Self {
        let direction = match place.direction {
            _ if place.tunnels > 0 => TUNNEL,
            Direction::In => IN,
            Direction::Out => OUT,
            Direction::Unknown | Direction::Hook(_) => 0,
        };
        let interface = if place.ifindex == 0 { place.interface.0 } else { place.ifindex };
        Self(direction << DIRECTION_SHIFT | interface & ((1 << DIRECTION_SHIFT) - 1))
    }

    pub(super) fn is_in(self) -> bool {
        self.0 >> DIRECTION_SHIFT == IN
    }

    pub(super) fn is_out(self) -> bool {
        self.0 >> DIRECTION_SHIFT == OUT
    }

    pub(super) fn is_directed(self) -> bool {
        self.is_in() || self.is_out()
    }

    fn is_tunnelled(self) -> bool {
        self.0 >> DIRECTION_SHIFT == TUNNEL
    }

    /// The kernel's index of the interface, if the direction is known.
    fn index(self) -> u32 {
        self.0 & ((1 << DIRECTION_SHIFT) - 1)
    }
}

impl Path {
    pub(super) fn of(segment: &Segment) -> Self {
        let place = &segment.place;
        let link = Link::of(place);
        let interface = u64::from(place.interface.0) << 32 | u64::from(link.0);
        let hops =
            u64::from(place.tunnels) << 16 | u64::from(hook_of(place)) << 8 | u64::from(segment.hop_limit);
        let id = mix([interface, place.vlan, hops, place.hop.from, place.hop.to]).max(1);
        Self { id, link, from: station(place.hop.from), to: station(place.hop.to) }
    }

    /// Whether an answer has the same path as the first one: interface and direction, or without a direction
    /// the sender's address.
    pub(super) fn is_that_of(self, first: &Self) -> bool {
        self.link == first.link && (self.link.is_directed() || self.from == first.from)
    }
}

/// The netfilter hook, if there is one. It distinguishes copies, and is not a direction.
fn hook_of(place: &Place) -> u8 {
    match place.direction {
        Direction::Hook(hook) => hook.saturating_add(1),
        Direction::Unknown | Direction::In | Direction::Out => 0,
    }
}

/// A station's address in 32 bits; 0 where there is none. A group address as sender belongs to no station.
fn station(address: u64) -> u32 {
    const GROUP: u64 = 1 << 40;
    if address == 0 || address & GROUP != 0 { 0 } else { mix([address, 0, 0, 0, 0]).max(1) }
}

/// By the kernel's packet type, the answer went the opposite way to the SYN.
pub(super) const OPPOSITE: u32 = 1 << 0;
/// By the kernel's packet type, the answer came in where its SYN came in.
pub(super) const SAME: u32 = 1 << 1;
/// The same two facts by link-layer addresses.
pub(super) const MAC_OPPOSITE: u32 = 1 << 2;
pub(super) const MAC_SAME: u32 = 1 << 3;

/// What the path of an answer shows, as bits. `syn` is the first path of the SYN, `links` are all links on
/// which it was seen, and `is_first` says that this is the first observation of the answer.
pub(super) fn judge(syn: &Path, links: &[Link], answer: &Path, is_first: bool, known: &Links) -> u32 {
    if syn.link.is_tunnelled() || answer.link.is_tunnelled() {
        return 0;
    }
    if !syn.link.is_directed() || !answer.link.is_directed() {
        return by_addresses(syn, answer);
    }
    let kind = known.kind(answer.link.index());
    if kind == Kind::Loopback {
        return OPPOSITE;
    }
    if answer.link.is_out() {
        return if is_first && syn.link.is_in() { OPPOSITE } else { 0 };
    }
    if kind == Kind::Tunnel {
        return 0;
    }
    let is_one = |link: &&Link| known.are_one(link.index(), answer.link.index());
    let went_out = links.iter().filter(|link| link.is_out()).any(|link| is_one(&link));
    let came_in = links.iter().filter(|link| link.is_in()).any(|link| is_one(&link));
    // A router with one interface: each packet comes in and goes out on it, and the stations differ.
    let is_another = syn.from != 0 && answer.from != 0 && syn.from != answer.from;
    match (went_out, came_in) {
        (true, false) => OPPOSITE,
        (true, true) if is_another => SAME | MAC_OPPOSITE,
        (_, true) => SAME,
        (false, false) => 0,
    }
}

fn by_addresses(syn: &Path, answer: &Path) -> u32 {
    match answer.from {
        0 => 0,
        from if from == syn.from => MAC_SAME,
        from if from == syn.to => MAC_OPPOSITE,
        _ => 0,
    }
}

/// Computes paths and caches the last one, because most segments have the same path as the one before.
#[derive(Debug, Default)]
pub(super) struct Paths {
    of: Option<(Place, u8)>,
    path: Path,
}

impl Paths {
    /// The path of a segment. It is returned where it is kept: returned by value, it was written in parts and then read
    /// as one, which waits until all earlier writes have reached the cache.
    #[inline]
    pub(super) fn of(&mut self, segment: &Segment) -> &Path {
        let of = Some((segment.place, segment.hop_limit));
        if self.of != of {
            (self.of, self.path) = (of, Path::of(segment));
        }
        &self.path
    }
}

/// Hashes numbers to 32 bits. A host has few paths. Two of them are extremely unlikely to collide; a
/// collision would count a copy as an attempt.
fn mix(parts: [u64; 5]) -> u32 {
    let mut mixed = 0u64;
    for part in parts {
        // Odd constant of 2^64 over the golden ratio (Knuth, 6.4): spreads small numbers over all bits.
        mixed = (mixed ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    #[expect(clippy::cast_possible_truncation, reason = "32 bits of it are wanted")]
    let mixed = (mixed >> 16) as u32;
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::conntrack::tests::syn;
    use crate::wire::links::Interface;
    use crate::wire::segment::Hop;

    fn path(ifindex: u32, direction: Direction, from: u64, to: u64) -> Path {
        let place = Place { ifindex, direction, hop: Hop { from, to }, ..Place::default() };
        Path::of(&Segment { place, ..syn() })
    }

    #[test]
    fn the_path_that_is_remembered_is_that_of_the_segment() {
        let mut paths = Paths::default();
        for (from, to) in [(1, 2), (1, 2), (2, 1), (0, 0), (1, 2)] {
            for (direction, hop_limit) in [(Direction::Unknown, 64), (Direction::In, 64), (Direction::In, 63)]
            {
                let place = Place { direction, hop: Hop { from, to }, ..Place::default() };
                let segment = Segment { place, hop_limit, ..syn() };
                assert_eq!(*paths.of(&segment), Path::of(&segment));
            }
        }
    }

    #[test]
    fn by_packet_type_the_first_sighting_of_an_answer_goes_out_or_comes_in_where_the_syn_went_out() {
        use Direction::{In, Out};
        let known = Links::default();
        let ways = |all: &[(u32, Direction)]| all.iter().map(|(i, d)| path(*i, *d, 0, 0)).collect::<Vec<_>>();
        for (number, (syn, answer, is_first, shown)) in [
            // To this host, or through it where one interface is watched.
            (ways(&[(2, In)]), (2, Out), true, OPPOSITE),
            (ways(&[(2, In)]), (3, Out), true, OPPOSITE),
            // It came in elsewhere before.
            (ways(&[(2, In)]), (2, Out), false, 0),
            // Through a gateway.
            (ways(&[(2, In), (3, Out)]), (3, In), true, OPPOSITE),
            (ways(&[(2, In), (3, Out)]), (4, In), true, 0),
            // Both from one network.
            (ways(&[(2, In)]), (2, In), true, SAME),
            (ways(&[(2, In), (3, Out)]), (2, In), true, SAME),
            // From this host.
            (ways(&[(2, Out)]), (2, In), true, OPPOSITE),
            (ways(&[(2, Out)]), (2, Out), true, 0),
        ]
        .into_iter()
        .enumerate()
        {
            let links: Vec<_> = syn.iter().map(|path| path.link).collect();
            let found = judge(&syn[0], &links, &path(answer.0, answer.1, 0, 0), is_first, &known);
            assert_eq!(found, shown, "row {number}");
        }
    }

    #[test]
    fn a_router_with_one_interface_is_told_by_the_stations() {
        use Direction::{In, Out};
        let (there, on) = (path(2, In, 7, 0), path(2, Out, 8, 0));
        let judged =
            |from| judge(&there, &[there.link, on.link], &path(2, In, from, 0), true, &Links::default());
        assert_eq!(judged(9), SAME | MAC_OPPOSITE);
        assert_eq!([judged(7), judged(0)], [SAME; 2]);
    }

    #[test]
    fn loopback_proves_by_the_number_alone_and_a_tunnel_never() {
        let known = Links::new([
            Interface { index: 1, kind: Kind::Loopback, ..Interface::default() },
            Interface { index: 9, kind: Kind::Tunnel, ..Interface::default() },
        ]);
        let lo = path(1, Direction::In, 0, 0);
        assert_eq!(judge(&lo, &[lo.link], &lo, true, &known), OPPOSITE);
        let out = path(9, Direction::Out, 0, 0);
        assert_eq!(judge(&out, &[out.link], &path(9, Direction::In, 0, 0), true, &known), 0);
        let place = Place { tunnels: 1, hop: Hop { from: 2, to: 1 }, ..Place::default() };
        let inside = Path::of(&Segment { place, ..syn() });
        let outside = path(0, Direction::Unknown, 1, 2);
        assert_eq!(judge(&outside, &[], &inside, true, &known), 0);
        assert_eq!(judge(&inside, &[], &outside, true, &known), 0);
    }

    #[test]
    fn by_addresses_the_station_that_was_addressed_answers() {
        const GROUP: u64 = 0x0100_0000_0001;
        let none = Direction::Unknown;
        for (syn, answer, shown) in [
            ((1, 2), (2, 1), MAC_OPPOSITE),
            // To a virtual router.
            ((1, 2), (2, 9), MAC_OPPOSITE),
            ((1, 2), (1, 2), MAC_SAME),
            ((1, 2), (3, 1), 0),
            ((0, 0), (0, 0), 0),
            ((1, GROUP), (GROUP, 1), 0),
        ] {
            let (syn, answer) = (path(0, none, syn.0, syn.1), path(0, none, answer.0, answer.1));
            assert_eq!(judge(&syn, &[syn.link], &answer, true, &Links::default()), shown);
        }
    }
}
