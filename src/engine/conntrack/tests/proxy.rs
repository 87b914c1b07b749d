//! The second legs of transparent proxies.

use super::*;

const CLIENT: u64 = 7 << 40;
const LEG: u64 = 1 << 60;

fn ends(source: u64) -> EndpointHashes {
    EndpointHashes { client: 3 << 40, server: 4 << 40, source }
}

fn at(direction: Direction, segment: Segment) -> Segment {
    Segment { place: Place { ifindex: 2, direction, ..Place::default() }, ..segment }
}

/// A connection that came in, and its handshake as far as the client's ACK, which comes half a second after the start.
fn first_leg(connections: &mut Conntrack, connection: u64, acknowledges: bool) {
    let judged = connections.syn(connection, ends(CLIENT), Ticks(START), &at(Direction::In, syn()));
    assert_eq!(judged.syn, Syn::Attempt);
    connections.news(connection, &at(Direction::Out, answer(SYN_ACK)));
    if acknowledges {
        let hosts = Hosts { from: CLIENT, to: 1 };
        let time = Ticks(START + 500 * MS);
        let news = connections.follow(connection, hosts, time, &at(Direction::In, reply(ACK))).news;
        assert_eq!(news.unwrap().after.proof, Proof::Yes);
    }
}

fn second_leg(connections: &mut Conntrack, tick: u64, source: u64, direction: Direction) -> Syn {
    let syn = Segment { seq: 777, src_port: 50_000, ip_id: None, ..syn() };
    connections.syn(LEG, ends(source), Ticks(START + tick), &at(direction, syn)).syn
}

#[test]
fn a_syn_that_goes_out_with_the_address_of_a_client_whose_connection_was_completed_is_a_second_leg() {
    use Direction::{In, Out, Unknown};
    for (number, (acknowledges, tick, source, direction, found)) in [
        (true, 500 * MS, CLIENT, Out, Syn::SecondLeg),
        (true, 1500 * MS - 1, CLIENT, Out, Syn::SecondLeg),
        (true, 1500 * MS, CLIENT, Out, Syn::SecondLeg),
        (true, 1500 * MS + 1, CLIENT, Out, Syn::Attempt),
        // A SYN alone can be forged.
        (false, 500 * MS, CLIENT, Out, Syn::Attempt),
        // Another address, or this host's own.
        (true, 500 * MS, 8 << 40, Out, Syn::Attempt),
        (true, 500 * MS, 0, Out, Syn::Attempt),
        (true, 500 * MS, CLIENT, In, Syn::Attempt),
        (true, 500 * MS, CLIENT, Unknown, Syn::Attempt),
    ]
    .into_iter()
    .enumerate()
    {
        let mut connections = new(1 << 20);
        first_leg(&mut connections, 42, acknowledges);
        assert_eq!(second_leg(&mut connections, tick, source, direction), found, "row {number}");
        assert_eq!(connections.counts().second_legs, u64::from(found == Syn::SecondLeg));
    }
}

#[test]
fn a_completed_connection_explains_one_second_leg() {
    let mut connections = new(1 << 20);
    for n in [1, 2, 3] {
        first_leg(&mut connections, n << 50, true);
    }
    let legs: Vec<_> = (0..5)
        .map(|n| {
            let syn = Segment { seq: 100_000 * n, ip_id: None, ..syn() };
            let ends = ends(CLIENT);
            connections.syn(LEG + (u64::from(n) << 40), ends, Ticks(START + S), &at(Direction::Out, syn)).syn
        })
        .collect();
    assert_eq!(legs, [&[Syn::SecondLeg; 3][..], &[Syn::Attempt; 2]].concat());
}

#[test]
fn a_second_leg_proves_nothing_and_its_answers_are_no_attempts() {
    let mut connections = new(1 << 20);
    first_leg(&mut connections, 42, true);
    second_leg(&mut connections, 600 * MS, CLIENT, Direction::Out);
    let back = Segment { dst_port: 50_000, ack: 778, ..answer(SYN_ACK) };
    let there = Segment { src_port: 50_000, seq: 778, ..reply(ACK) };
    for segment in [at(Direction::In, back), at(Direction::Out, there)] {
        assert_eq!(follow(&mut connections, LEG, &segment), Followed::default());
    }
}

#[test]
fn repeats_of_a_second_leg_are_copies_or_attempts() {
    use Direction::Out;
    let mut connections = new(1 << 20);
    first_leg(&mut connections, 42, true);
    assert_eq!(second_leg(&mut connections, 600 * MS, CLIENT, Out), Syn::SecondLeg);
    // On the device below, in the same moment.
    let mut below = at(Out, Segment { seq: 777, src_port: 50_000, ip_id: None, ..syn() });
    below.place.ifindex = 3;
    assert_eq!(connections.syn(LEG, ends(CLIENT), Ticks(START + 600 * MS), &below).syn, Syn::Copy);
    // Sent again, it is an attempt, and then a retransmission of that.
    assert_eq!(second_leg(&mut connections, 1400 * MS, CLIENT, Out), Syn::Attempt);
    assert_eq!(second_leg(&mut connections, 1600 * MS, CLIENT, Out), Syn::Retransmission);
}

#[test]
fn a_second_leg_from_the_clients_own_port_leaves_the_first_one_as_it_was() {
    let mut connections = new(1 << 20);
    first_leg(&mut connections, 42, true);
    let leg = Segment { seq: 90_000_000, ip_id: None, ..syn() };
    let judged = connections.syn(42, ends(CLIENT), Ticks(START + 600 * MS), &at(Direction::Out, leg));
    assert_eq!((judged.syn, judged.moved), (Syn::SecondLeg, None));
    let back = Segment { seq: 70_000_000, ack: 90_000_001, ..answer(SYN_ACK) };
    let there = Segment { seq: 90_000_001, ack: 70_000_001, ..reply(ACK) };
    let said = Segment { seq: 90_000_300, ack: 70_000_001, ..reply(FIN_ACK) };
    for segment in [at(Direction::In, back), at(Direction::Out, there), at(Direction::Out, said)] {
        assert_eq!(connections.news(42, &segment), None);
    }
    assert_eq!(connections.counts().wrong_numbers, 0);
    let news = connections.news(42, &at(Direction::In, reply(FIN_ACK))).unwrap();
    assert_eq!(
        (news.started, news.after.outcome, news.after.proof),
        (Ticks(START), Outcome::Silent, Proof::Yes)
    );
}

#[test]
fn the_same_numbers_again_behind_a_second_leg_are_attempts() {
    // A host that floods outwards with one port and number, and has completed one connection to the proxy.
    let mut connections = new(1 << 20);
    first_leg(&mut connections, 42, true);
    let attempts = (0..260u64).filter(|n| {
        let syn = Segment { seq: 777, src_port: 50_000, ip_id: Some(*n as u16), ..syn() };
        let tick = 600 * MS + n * 500 * MS;
        connections.syn(LEG, ends(CLIENT), Ticks(START + tick), &at(Direction::Out, syn)).syn == Syn::Attempt
    });
    assert!(attempts.count() >= 260 / 13, "as without a proxy");
}
