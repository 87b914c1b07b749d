use super::*;
use crate::packet::InterfaceId;
use crate::segment::{Direction, Flags, Hop, Place};

const MS: u64 = 10;
const START: u64 = 20_000;

pub(super) fn syn() -> Segment {
    Segment {
        src: "192.0.2.1".parse().unwrap(),
        dst: "198.51.100.25".parse().unwrap(),
        src_port: 40_000,
        dst_port: 25,
        seq: 1,
        ack: 0,
        flags: Flags::SYN,
        payload: Some(0),
        ip_id: Some(1),
        place: Place::default(),
    }
}

fn with_id(ip_id: u16) -> Segment {
    Segment { ip_id: Some(ip_id), ..syn() }
}

fn elsewhere(interface: u32) -> Segment {
    Segment { place: Place { interface: InterfaceId(interface), ..Place::default() }, ..syn() }
}

/// Judges SYNs of one identity at these times in ticks after the start, one after the other.
fn judge(syns: &[(u64, Segment)]) -> Vec<Syn> {
    let mut connections = Connections::new(1 << 16).unwrap();
    syns.iter().map(|(tick, segment)| connections.syn(42, Ticks(START + tick), segment)).collect()
}

fn second(tick: u64, segment: Segment) -> Syn {
    judge(&[(0, syn()), (tick, segment)])[1]
}

#[test]
fn a_set_is_eight_cache_lines() {
    assert_eq!(size_of::<Set>(), 512);
}

#[test]
fn another_interface_within_100_ms_is_a_copy() {
    assert_eq!(second(0, elsewhere(1)), Syn::Copy);
    assert_eq!(second(100 * MS, elsewhere(1)), Syn::Copy);
    assert_eq!(second(100 * MS + 1, elsewhere(1)), Syn::Attempt);
}

#[test]
fn another_vlan_tunnel_direction_or_index_within_100_ms_is_a_copy() {
    for place in [
        Place { vlan: 7, ..Place::default() },
        Place { tunnels: 1, ..Place::default() },
        Place { direction: Direction::Out, ..Place::default() },
        Place { direction: Direction::Hook(2), ..Place::default() },
        Place { ifindex: 3, ..Place::default() },
    ] {
        assert_eq!(second(50 * MS, Segment { place, ip_id: None, ..syn() }), Syn::Copy, "{place:?}");
    }
}

#[test]
fn the_same_identification_within_1_ms_is_a_copy() {
    assert_eq!(second(0, syn()), Syn::Copy);
    assert_eq!(second(MS, syn()), Syn::Copy);
    assert_eq!(second(MS + 1, syn()), Syn::Attempt);
    assert_eq!(second(0, with_id(2)), Syn::Attempt);
    assert_eq!(
        judge(&[(0, Segment { ip_id: None, ..syn() }), (0, Segment { ip_id: None, ..syn() })])[1],
        Syn::Attempt
    );
}

#[test]
fn a_copy_may_be_the_earlier_of_the_two() {
    assert_eq!(judge(&[(100 * MS, syn()), (0, elsewhere(1))])[1], Syn::Copy);
    assert_eq!(judge(&[(100 * MS + 1, syn()), (0, elsewhere(1))])[1], Syn::Attempt);
}

#[test]
fn a_fifth_of_a_second_later_is_a_retransmission() {
    assert_eq!(second(200 * MS - 1, with_id(2)), Syn::Attempt);
    assert_eq!(second(200 * MS, with_id(2)), Syn::Retransmission);
}

#[test]
fn within_130_s_of_the_first_is_a_retransmission() {
    assert_eq!(second(130_000 * MS, with_id(2)), Syn::Retransmission);
    assert_eq!(second(130_000 * MS + 1, with_id(2)), Syn::Attempt);
    let seen = judge(&[
        (0, syn()),
        (65_000 * MS, with_id(2)),
        (130_000 * MS, with_id(3)),
        (130_201 * MS, with_id(4)),
    ]);
    assert_eq!(seen, [Syn::Attempt, Syn::Retransmission, Syn::Retransmission, Syn::Attempt]);
}

#[test]
fn the_twelfth_retransmission_is_the_last() {
    let syns: Vec<_> = (0..15u16).map(|n| (u64::from(n) * 250 * MS, with_id(n))).collect();
    let seen = judge(&syns);
    assert_eq!(seen[0], Syn::Attempt);
    assert!(seen[1..=12].iter().all(|syn| *syn == Syn::Retransmission));
    assert_eq!(seen[13], Syn::Attempt, "an attempt of its own");
    assert_eq!(seen[14], Syn::Retransmission, "of that one");
}

#[test]
fn a_retransmission_has_copies_of_its_own() {
    let seen =
        judge(&[(0, syn()), (1, elsewhere(1)), (1000 * MS, with_id(2)), (1000 * MS + 1, elsewhere(1))]);
    assert_eq!(seen, [Syn::Attempt, Syn::Copy, Syn::Retransmission, Syn::Copy]);
}

#[test]
fn a_copy_does_not_put_off_what_follows() {
    // Two places, each shows each SYN; the sender repeats it every 10 ms: every one of them is an attempt.
    let syns: Vec<_> = (0..20u16)
        .flat_map(|n| {
            let tick = u64::from(n) * 10 * MS;
            let there = Segment { ip_id: Some(n), ..elsewhere(1) };
            [(tick, with_id(n)), (tick + 1, there)]
        })
        .collect();
    let seen = judge(&syns);
    assert_eq!(seen.iter().filter(|syn| **syn == Syn::Attempt).count(), 20);
    assert_eq!(seen.iter().filter(|syn| **syn == Syn::Copy).count(), 20);
}

#[test]
fn the_fifteenth_copy_of_a_syn_is_the_last() {
    let syns: Vec<_> = (0..18).map(|_| (0, syn())).collect();
    let seen = judge(&syns);
    assert!(seen[1..=15].iter().all(|syn| *syn == Syn::Copy));
    assert_eq!(seen[16], Syn::Attempt);
    assert_eq!(seen[17], Syn::Copy);
}

#[test]
fn another_identity_is_an_attempt() {
    let mut connections = Connections::new(1 << 16).unwrap();
    for identity in 0..1000 {
        assert_eq!(connections.syn(identity << 50, Ticks(START), &syn()), Syn::Attempt);
    }
}

#[test]
fn the_oldest_gives_way_and_is_counted_while_it_could_be_repeated() {
    let mut connections = Connections::new(1).unwrap();
    let entries = WAYS as u64;
    for n in 0..entries {
        connections.syn(n + 1, Ticks(START + n), &syn());
    }
    assert_eq!(connections.evicted(), 0);
    connections.syn(100, Ticks(START + entries), &syn());
    assert_eq!(connections.evicted(), 1);
    assert_eq!(connections.syn(1, Ticks(START + 5000), &syn()), Syn::Attempt, "forgotten");
    assert_eq!(connections.syn(4, Ticks(START + 5000), &syn()), Syn::Retransmission, "remembered");
    let evicted = connections.evicted();
    for n in 0..entries {
        connections.syn(200 + n, Ticks(START + 5000 + RETRANSMISSION_WITHIN + 1), &syn());
    }
    assert_eq!(connections.evicted(), evicted, "too old to be repeated");
}

#[test]
fn a_cleared_table_knows_nothing() {
    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(42, Ticks(START), &syn());
    connections.clear();
    assert_eq!(connections.syn(42, Ticks(START), &syn()), Syn::Attempt);
}

/// What is known of a connection whose SYN carried so much, when the server answered, and closed having taken `taken`
/// bytes in all; the client was not seen again.
fn closed_by_the_server(syn_data: u32, taken: u32) -> Life {
    let mut connections = Connections::new(1 << 16).unwrap();
    let hop = Hop { from: 1, to: 2 };
    let there = Place { hop, ..Place::default() };
    let back = Place { hop: Hop { from: 2, to: 1 }, ..Place::default() };
    let first = Segment { place: there, payload: Some(syn_data), ..syn() };
    connections.syn(42, Ticks(START), &first);
    let answer = Segment {
        src: first.dst,
        dst: first.src,
        src_port: first.dst_port,
        dst_port: first.src_port,
        seq: 1000,
        ack: first.seq + 1 + syn_data,
        flags: Flags(Flags::SYN.0 | Flags::ACK.0),
        payload: Some(0),
        place: back,
        ..first
    };
    connections.follow(42, &answer);
    let fin = Segment {
        seq: 1001,
        ack: first.seq + 1 + taken,
        flags: Flags(Flags::FIN.0 | Flags::ACK.0),
        ..answer
    };
    connections.follow(42, &fin).expect("the server's FIN is news").after
}

#[test]
fn data_on_a_syn_that_a_server_takes_proves_nothing() {
    assert!(closed_by_the_server(0, 100).proven, "bytes that came after the answer");
    let sent_at_once = closed_by_the_server(100, 100);
    assert!(!sent_at_once.proven, "a forger can send a SYN with data, and a server may take it unasked");
    assert_eq!(sent_at_once.outcome, Outcome::Spoke);
}
