//! Which way a segment went: whether an answer came the opposite way of what it answers.
//!
//! Only then was it the server that answered. A sender that forges a client's SYN can forge the server's answer too;
//! but its packets all come in the same way. Where the way cannot be told, nothing is proven.
//!
//! Without directions, another interface tells nothing: which of the two had the SYN first is not known, since each
//! delivers its packets when it pleases. A forged answer seen outside is not the opposite of a SYN seen inside.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::segment::{Direction, Hop, Place, Segment};

/// The way of a segment, small enough for an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Way {
    /// The interface, and the direction where it is told.
    interface: u32,
    /// The link layer's addresses, mixed; 0 where there are none.
    hop: u32,
    /// The place, VLAN included, mixed: what tells copies apart.
    place: u32,
}

const DIRECTION_SHIFT: u32 = 30;
const UNKNOWN: u32 = 0;
const IN: u32 = 1;
const OUT: u32 = 2;

impl Way {
    pub(super) fn of(segment: &Segment) -> Self {
        let place = segment.place;
        let direction = match place.direction {
            Direction::In => IN,
            Direction::Out => OUT,
            Direction::Unknown | Direction::Hook(_) => UNKNOWN,
        };
        let interface = mix([place.interface.0.into(), place.ifindex.into(), 0]) >> 2;
        Self {
            interface: direction << DIRECTION_SHIFT | interface,
            hop: hop_of(place.hop),
            place: place_of(place),
        }
    }

    /// Whether it is another place than that of `segment`.
    pub(super) fn is_elsewhere(self, segment: &Segment) -> bool {
        self.place != place_of(segment.place)
    }

    /// Whether a segment went the opposite way of this: out where this came in, in from elsewhere, or with the hop's
    /// addresses exchanged. `None` where that cannot be told.
    pub(super) fn is_opposite(self, segment: &Segment) -> Option<bool> {
        let other = Self::of(segment);
        let same_interface = (self.interface ^ other.interface) << 2 == 0;
        match (self.interface >> DIRECTION_SHIFT, other.interface >> DIRECTION_SHIFT) {
            (UNKNOWN, _) | (_, UNKNOWN) => {
                let Hop { from, to } = segment.place.hop;
                let is_exchanged =
                    from != to && self.hop != 0 && self.hop == hop_of(Hop { from: to, to: from });
                (is_exchanged || same_interface).then_some(is_exchanged)
            }
            (mine, theirs) => Some(same_interface == (mine != theirs)),
        }
    }
}

/// Works out ways, and remembers the last one: most segments come the same way as the one before.
#[derive(Debug, Default)]
pub(super) struct Ways {
    place: Place,
    way: Option<Way>,
}

impl Ways {
    #[inline]
    pub(super) fn of(&mut self, segment: &Segment) -> Way {
        match self.way {
            Some(way) if self.place == segment.place => way,
            _ => {
                let way = Way::of(segment);
                (self.place, self.way) = (segment.place, Some(way));
                way
            }
        }
    }
}

/// A hop's addresses in 32 bits; 0 where there are none.
fn hop_of(hop: Hop) -> u32 {
    if hop == Hop::default() { 0 } else { mix([hop.from, hop.to, 0]).max(1) }
}

/// A place in 32 bits. A host has few places; that two of them are mixed to the same value is as good as impossible,
/// and would count a copy as an attempt.
fn place_of(place: Place) -> u32 {
    let direction = match place.direction {
        Direction::Unknown => 0,
        Direction::In => 1,
        Direction::Out => 2,
        Direction::Hook(hook) => 3 + u64::from(hook),
    };
    let interface = u64::from(place.interface.0) << 32 | u64::from(place.ifindex);
    mix([interface, place.vlan, u64::from(place.tunnels) << 32 | direction])
}

fn mix(parts: [u64; 3]) -> u32 {
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
    use crate::connections::tests::syn;
    use crate::packet::InterfaceId;

    fn seen(interface: u32, ifindex: u32, direction: Direction, hop: Hop) -> Segment {
        Segment {
            place: Place { interface: InterfaceId(interface), ifindex, direction, hop, vlan: 0, tunnels: 0 },
            ..syn()
        }
    }

    #[test]
    fn the_way_that_is_remembered_is_that_of_the_segment() {
        let mut ways = Ways::default();
        let (there, back) = (Hop { from: 1, to: 2 }, Hop { from: 2, to: 1 });
        for hop in [there, there, back, Hop::default(), there] {
            for direction in [Direction::Unknown, Direction::In] {
                let segment = seen(0, 1, direction, hop);
                assert_eq!(ways.of(&segment), Way::of(&segment));
            }
        }
    }

    #[test]
    fn by_direction_an_answer_goes_out_where_the_syn_came_in_or_comes_in_elsewhere() {
        let hop = Hop::default();
        let syn = Way::of(&seen(0, 2, Direction::In, hop));
        for (ifindex, direction, opposite) in [
            (2, Direction::Out, true),
            (2, Direction::In, false),
            (3, Direction::In, true),
            (3, Direction::Out, false),
        ] {
            assert_eq!(
                syn.is_opposite(&seen(0, ifindex, direction, hop)),
                Some(opposite),
                "{ifindex} {direction:?}"
            );
        }
    }

    #[test]
    fn without_direction_exchanged_addresses_tell_and_another_interface_alone_does_not() {
        let (there, back) = (Hop { from: 1, to: 2 }, Hop { from: 2, to: 1 });
        let none = Hop::default();
        for (syn, answer, interface, opposite) in [
            (there, back, 0, Some(true)),
            (there, there, 0, Some(false)),
            (there, Hop { from: 2, to: 3 }, 0, Some(false)),
            (none, none, 0, Some(false)),
            (Hop { from: 1, to: 1 }, Hop { from: 1, to: 1 }, 0, Some(false)),
            (there, back, 1, Some(true)),
            (there, there, 1, None),
            (there, Hop { from: 2, to: 3 }, 1, None),
            (none, none, 1, None),
        ] {
            let way = Way::of(&seen(0, 0, Direction::Unknown, syn));
            let answer = seen(interface, 0, Direction::Unknown, answer);
            assert_eq!(way.is_opposite(&answer), opposite, "{syn:?} {answer:?}");
        }
    }
}
