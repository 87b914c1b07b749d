//! SYNs that a host translates.

use super::*;

/// What a translation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changes {
    Destination,
    Source,
    Both,
}

/// A SYN to a published port, and behind it to a container; or from a host, and behind it from the gateway.
fn translated(changes: Changes, first: (u32, Direction), then: (u32, Direction), isn: u32) -> (Syn, Syn) {
    let mut connections = new(1 << 20);
    let at = |(ifindex, direction), seq| Segment {
        seq,
        place: Place { ifindex, direction, ..Place::default() },
        ..syn()
    };
    let outer = EndpointHashes { client: 7 << 40, server: 8 << 40, source: 0 };
    let inner = match changes {
        Changes::Destination => EndpointHashes { server: 9 << 40, ..outer },
        Changes::Source => EndpointHashes { client: 9 << 40, ..outer },
        Changes::Both => EndpointHashes { client: 9 << 40, server: 10 << 40, ..outer },
    };
    let one = connections.syn(1 << 60, outer, Ticks(START), &at(first, 1)).syn;
    (one, connections.syn(2 << 60, inner, Ticks(START + 1), &at(then, isn)).syn)
}

#[test]
fn a_syn_that_came_in_and_goes_out_translated_is_a_copy() {
    use Direction::{In, Out, Unknown};
    for changes in [Changes::Destination, Changes::Source, Changes::Both] {
        for (first, then, isn, found) in [
            ((2, In), (3, Out), 1, Syn::Copy),
            ((2, In), (2, Out), 1, Syn::Copy),
            // A scan comes in, with one port and number for all.
            ((2, In), (2, In), 1, Syn::Attempt),
            ((2, In), (3, In), 1, Syn::Attempt),
            ((2, Out), (3, Out), 1, Syn::Attempt),
            ((2, In), (3, Out), 2, Syn::Attempt),
        ] {
            assert_eq!(
                translated(changes, first, then, isn),
                (Syn::Attempt, found),
                "{changes:?} {first:?} {then:?}"
            );
        }
    }
    // Without directions, another interface and the same identification only show another destination.
    assert_eq!(translated(Changes::Destination, (2, Unknown), (3, Unknown), 1).1, Syn::Copy);
    assert_eq!(translated(Changes::Source, (2, Unknown), (3, Unknown), 1).1, Syn::Attempt);
    assert_eq!(translated(Changes::Destination, (2, Unknown), (2, Unknown), 1).1, Syn::Attempt);
}

#[test]
fn behind_a_translation_neither_answers_nor_repeats_are_attempts() {
    let mut connections = new(1 << 20);
    let at = |ifindex, direction| Place { ifindex, direction, ..Place::default() };
    let (outer, inner) = (
        EndpointHashes { client: 7 << 40, server: 8 << 40, source: 0 },
        EndpointHashes { client: 7 << 40, server: 9 << 40, source: 0 },
    );
    let inside = Segment { place: at(3, Direction::Out), ..syn() };
    connections.syn(1 << 60, outer, Ticks(START), &Segment { place: at(2, Direction::In), ..syn() });
    assert_eq!(connections.syn(2 << 60, inner, Ticks(START + 1), &inside).syn, Syn::Copy);
    for segment in [answer(SYN_ACK), reply(ACK)] {
        assert_eq!(follow(&mut connections, 2 << 60, &segment), Followed::default());
    }
    let again = Segment { ip_id: Some(2), ..inside };
    assert_eq!(connections.syn(2 << 60, inner, Ticks(START + S), &again).syn, Syn::Copy);
    // A SYN that comes in between these endpoints is none of them.
    let comes_in = Segment { place: at(3, Direction::In), ..inside };
    assert_eq!(connections.syn(2 << 60, inner, Ticks(START + S), &comes_in).syn, Syn::Attempt);
}
