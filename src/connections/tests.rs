use super::set::*;
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
    syns.iter().map(|(tick, segment)| connections.syn(42, Ticks(START + tick), segment).syn).collect()
}

fn second(tick: u64, segment: Segment) -> Syn {
    judge(&[(0, syn()), (tick, segment)])[1]
}

#[test]
fn a_set_is_a_cache_line_and_one_for_each_entry() {
    assert_eq!((size_of::<Set>(), size_of::<Entry>()), (64 + 8 * 64, 64));
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
        assert_eq!(connections.syn(identity << 50, Ticks(START), &syn()).syn, Syn::Attempt);
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
    assert_eq!(connections.syn(1, Ticks(START + 5000), &syn()).syn, Syn::Attempt, "forgotten");
    assert_eq!(connections.syn(4, Ticks(START + 5000), &syn()).syn, Syn::Retransmission, "remembered");
    let evicted = connections.evicted();
    for n in 0..entries {
        connections.syn(200 + n, Ticks(START + 5000 + RETRANSMISSION_WITHIN + 1), &syn());
    }
    assert_eq!(connections.evicted(), evicted, "too old to be repeated");
}

#[test]
fn times_that_are_moved_back_go_on_and_what_is_older_is_forgotten() {
    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(1 << 60, Ticks(START), &syn());
    connections.syn(2 << 60, Ticks(START + 40 * S), &syn());
    connections.move_back(START + 1);
    let now = |tick: u64| Ticks(tick - 1);
    assert_eq!(connections.syn(1 << 60, now(41 * S), &with_id(2)).syn, Syn::Attempt, "forgotten");
    assert_eq!(connections.syn(2 << 60, now(41 * S), &with_id(2)).syn, Syn::Retransmission);
    let settled = std::iter::from_fn(|| connections.expire(now(71 * S + 1)));
    let started = settled.filter_map(|expired| expired.news).map(|news| news.started);
    assert_eq!(started.collect::<Vec<_>>(), [now(41 * S), now(40 * S)]);
}

const S: u64 = 1000 * MS;

/// The server's SYN-ACK, or whatever it sends with these flags.
fn answer(flags: u8) -> Segment {
    let syn = syn();
    let (src, src_port, dst, dst_port) = (syn.dst, syn.dst_port, syn.src, syn.src_port);
    Segment { src, src_port, dst, dst_port, seq: 100, ack: 2, flags: Flags(flags), ..syn }
}

/// The client's ACK of that, or whatever it sends with these flags.
fn reply(flags: u8) -> Segment {
    Segment { seq: 2, ack: 101, flags: Flags(flags), ..syn() }
}

const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const FIN_ACK: u8 = 0x11;

/// What is told of the SYNs whose time is over.
fn expire(connections: &mut Connections, tick: u64) -> Vec<(Option<Outcome>, Outcome)> {
    let expired = std::iter::from_fn(|| connections.expire(Ticks(START + tick)));
    let news = expired.filter_map(|expired| expired.news);
    news.map(|news| (news.before.map(|life| life.outcome), news.after.outcome)).collect()
}

#[test]
fn thirty_seconds_after_its_last_syn_an_attempt_is_unanswered() {
    let unanswered = [(Some(Outcome::Pending), Outcome::Unanswered)];
    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(42, Ticks(START), &syn());
    assert_eq!(expire(&mut connections, 30 * S - 1), []);
    assert_eq!(expire(&mut connections, 30 * S), []);
    assert_eq!(expire(&mut connections, 30 * S + 1), unanswered);
    assert_eq!(expire(&mut connections, 99 * S), []);

    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(42, Ticks(START), &syn());
    connections.syn(42, Ticks(START + 3 * S), &with_id(2));
    assert_eq!(expire(&mut connections, 33 * S), []);
    assert_eq!(expire(&mut connections, 33 * S + 1), unanswered);
}

#[test]
fn thirty_seconds_after_its_last_syn_an_answered_attempt_is_half_open() {
    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(42, Ticks(START), &syn());
    assert_eq!(connections.follow(42, &answer(SYN_ACK)), None, "still pending");
    assert_eq!(expire(&mut connections, 30 * S), []);
    assert_eq!(expire(&mut connections, 30 * S + 1), [(Some(Outcome::Pending), Outcome::HalfOpen)]);
}

#[test]
fn syns_that_are_waited_for_are_numbered_in_order_whatever_becomes_of_them() {
    let numbers = |connections: &mut Connections| -> Vec<_> {
        std::iter::from_fn(|| connections.expire(Ticks(START + 99 * S)))
            .map(|expired| expired.number)
            .collect()
    };
    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(42, Ticks(START), &syn());
    connections.syn(43, Ticks(START), &syn());
    assert!(!connections.syn(42, Ticks(START), &syn()).waits, "a copy");
    assert!(connections.syn(42, Ticks(START + 3 * S), &with_id(2)).waits, "a retransmission");
    assert_eq!((numbers(&mut connections), connections.waiting_from()), (vec![0, 1, 2], 3));
    connections.syn(44, Ticks(START), &syn());
    connections.stop_waiting();
    assert_eq!(connections.waiting_from(), 4);
    connections.syn(45, Ticks(START), &syn());
    assert_eq!((connections.waiting_from(), numbers(&mut connections)), (4, vec![4]));

    // Room for one.
    connections.timers = Timers::new(1);
    let waits = [46, 47].map(|connection| connections.syn(connection, Ticks(START), &syn()).waits);
    assert_eq!((waits, numbers(&mut connections)), ([true, false], vec![0]));
}

#[test]
fn an_open_connection_waits_for_nothing() {
    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(42, Ticks(START), &syn());
    connections.follow(42, &answer(SYN_ACK));
    let news = connections.follow(42, &reply(ACK)).unwrap();
    assert_eq!((news.started, news.after.outcome), (Ticks(START), Outcome::Open));
    assert_eq!(expire(&mut connections, 40 * S), []);
}

#[test]
fn what_had_to_give_way_or_was_an_attempt_once_more_is_unknown() {
    // Eight entries; the ninth attempt takes that of the first.
    let mut connections = Connections::new(1 << 10).unwrap();
    assert_eq!(connections.sets.length(), 1);
    for n in 0..9 {
        connections.syn(n + 1, Ticks(START + n), &syn());
    }
    let told = expire(&mut connections, 31 * S);
    assert_eq!(told[0], (None, Outcome::Unknown));
    assert!(told[1..].iter().all(|told| *told == (Some(Outcome::Pending), Outcome::Unanswered)));

    // No stack repeats a SYN after 0.1 s.
    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(42, Ticks(START), &syn());
    assert_eq!(connections.syn(42, Ticks(START + 100 * MS), &with_id(2)).syn, Syn::Attempt);
    let unanswered = (Some(Outcome::Pending), Outcome::Unanswered);
    assert_eq!(expire(&mut connections, 31 * S), [(None, Outcome::Unknown), unanswered]);
}

#[test]
fn open_connections_give_way_last_and_closed_ones_like_all_else() {
    for (closes, is_kept) in [(false, true), (true, false)] {
        let mut connections = Connections::new(1).unwrap();
        connections.syn(1, Ticks(START), &syn());
        connections.follow(1, &answer(SYN_ACK));
        connections.follow(1, &reply(ACK));
        if closes {
            connections.follow(1, &reply(FIN_ACK));
        }
        for n in 0..100 {
            connections.syn(n + 2, Ticks(START + 1 + n), &syn());
        }
        assert_eq!(connections.sets[0].find_latest(1, true).is_some(), is_kept, "closed: {closes}");
    }
    // Where all are open, the oldest of them.
    let mut connections = Connections::new(1).unwrap();
    for n in 0..9 {
        connections.syn(n + 1, Ticks(START + n), &syn());
        connections.follow(n + 1, &answer(SYN_ACK));
        connections.follow(n + 1, &reply(ACK));
    }
    assert_eq!((connections.sets[0].find_latest(1, true), connections.evicted()), (None, 1));
}

#[test]
fn a_queue_that_is_full_takes_no_more_and_counts_them() {
    let memory = TIMERS_SHARE * 10 * timers::EACH;
    let mut connections = Connections::new(memory).unwrap();
    for n in 0..12 {
        connections.syn(n << 56, Ticks(START + n), &syn());
    }
    assert_eq!(connections.untimed(), 2);
    assert_eq!(expire(&mut connections, 40 * S).len(), 10);
    connections.syn(99 << 56, Ticks(START + 41 * S), &syn());
    assert_eq!(connections.untimed(), 2, "there is room again");
}

#[test]
fn of_ports_that_are_used_again_the_newest_attempt_is_told_of() {
    let mut connections = Connections::new(1 << 16).unwrap();
    connections.syn(42, Ticks(START), &syn());
    connections.follow(42, &answer(SYN_ACK));
    connections.follow(42, &reply(ACK));
    let again = Segment { seq: 5_000_000, ..syn() };
    assert_eq!(connections.syn(42, Ticks(START + S), &again).syn, Syn::Attempt);
    // What is left of the first says nothing of the second.
    assert_eq!(connections.follow(42, &Segment { seq: 700, ..reply(FIN_ACK) }), None);
    let news = connections.follow(42, &reply(FIN_ACK)).unwrap();
    assert_eq!((news.started, news.after.outcome), (Ticks(START), Outcome::Silent));
    let refused = Segment { seq: 0, ack: 5_000_001, ..answer(0x14) };
    let news = connections.follow(42, &refused).unwrap();
    assert_eq!((news.started, news.after.outcome), (Ticks(START + S), Outcome::Refused));
}

fn numbered(client_isn: u32) -> Segment {
    Segment { seq: client_isn, ip_id: None, ..syn() }
}

#[test]
fn every_attempt_of_a_flood_from_one_port_is_followed() {
    let mut connections = Connections::new(1 << 18).unwrap();
    for n in 0..100 {
        let time = Ticks(START + u64::from(n) * 100 * MS);
        assert_eq!(connections.syn(42, time, &numbered(n * 1000)).syn, Syn::Attempt);
    }
    assert_eq!(connections.evicted(), 0, "spread over the table");
    let told = expire(&mut connections, 41 * S);
    assert_eq!(told, vec![(Some(Outcome::Pending), Outcome::Unanswered); 100]);
}

#[test]
fn of_ports_that_are_used_again_each_attempt_has_its_answer_and_its_retransmission() {
    let mut connections = Connections::new(1 << 16).unwrap();
    for n in [1, 2, 3] {
        connections.syn(42, Ticks(START + u64::from(n) * S), &numbered(n * 1000));
    }
    let told = |news: Option<News>| news.map(|news| (news.started.0 - START, news.after.outcome));
    let answer = |n: u32, flags| Segment { ack: n * 1000 + 1, ..answer(flags) };
    assert_eq!(connections.follow(42, &answer(1, SYN_ACK)), None);
    let ack = Segment { seq: 1001, ..reply(ACK) };
    assert_eq!(told(connections.follow(42, &ack)), Some((S, Outcome::Open)));
    assert_eq!(told(connections.follow(42, &answer(2, 0x14))), Some((2 * S, Outcome::Refused)));
    assert_eq!(told(connections.follow(42, &answer(3, 0x14))), Some((3 * S, Outcome::Refused)));
    assert_eq!(connections.syn(42, Ticks(START + 4 * S), &numbered(1000)).syn, Syn::Retransmission);
    assert_eq!(connections.syn(42, Ticks(START + 5 * S), &numbered(4000)).syn, Syn::Attempt);
}

#[test]
fn what_is_too_old_to_be_told_of_does_not_move_when_its_ports_are_used_again() {
    let mut connections = Connections::new(1 << 16).unwrap();
    for (n, later) in [(1, 0), (2, RETRANSMISSION_WITHIN), (3, 2 * RETRANSMISSION_WITHIN + 1)] {
        connections.syn(42, Ticks(START + later), &numbered(n));
    }
    let moved = |n| connections.find_moved(42, is_from_lower(&syn()), n).is_some();
    assert_eq!((moved(1), moved(2)), (true, false));
}

#[test]
fn an_attempt_is_told_of_by_its_place_which_the_next_one_of_its_ports_takes() {
    let mut connections = Connections::new(1 << 16).unwrap();
    let first = connections.syn(42, Ticks(START), &syn());
    assert!(first.place.number() < connections.places());
    assert_eq!(connections.syn(42, Ticks(START + S), &with_id(2)).place, first.place, "its retransmission");
    let second = connections.syn(42, Ticks(START + 2 * S), &numbered(9));
    assert_eq!((second.place, first.moved), (first.place, None));
    let refused = |ack| Segment { ack, ..answer(0x14) };
    let mut place = |ack| connections.follow(42, &refused(ack)).and_then(|news| news.place);
    assert_eq!(place(2), second.moved, "the first one, where it is now");
    assert_eq!(place(10), Some(second.place));
    assert_ne!(second.moved, Some(second.place));
    // One that is forgotten has no place.
    connections.syn(1 << 60, Ticks(START), &syn());
    connections.sets.all_mut().iter_mut().for_each(|set| (0..WAYS).for_each(|way| set.forget(way)));
    let places = std::iter::from_fn(|| connections.expire(Ticks(START + 99 * S)));
    assert_eq!(places.map(|expired| expired.news.unwrap().place).collect::<Vec<_>>(), [None; 4]);
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

#[test]
fn the_same_number_the_other_way_is_an_attempt_of_its_own() {
    let there = syn();
    let (src, src_port, dst, dst_port) = (there.dst, there.dst_port, there.src, there.src_port);
    let back = Segment { src, src_port, dst, dst_port, ..there };
    assert_eq!(
        judge(&[(0, there), (1, back), (2, there), (3, back)]),
        [Syn::Attempt, Syn::Attempt, Syn::Copy, Syn::Copy]
    );
}
