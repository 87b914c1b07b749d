//! Ports that are used again.

use super::*;

#[test]
fn of_ports_that_are_used_again_the_newest_attempt_is_told_of() {
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    connections.news(42, &answer(SYN_ACK));
    connections.news(42, &reply(ACK));
    let again = Segment { seq: 5_000_000, ..syn() };
    assert_eq!(connections.plain_syn(42, Ticks(START + S), &again).syn, Syn::Attempt);
    let news = connections.news(42, &reply(FIN_ACK)).unwrap();
    assert_eq!((news.started, news.after.outcome), (Ticks(START), Outcome::Silent));
    // What is left of the first says nothing of the second.
    assert_eq!(connections.news(42, &Segment { seq: 700, ..answer(0x04) }), None);
    let refused = Segment { seq: 0, ack: 5_000_001, ..answer(0x14) };
    let news = connections.news(42, &refused).unwrap();
    assert_eq!((news.started, news.after.outcome), (Ticks(START + S), Outcome::Refused));
}

#[test]
fn a_forged_syn_does_not_hide_how_an_open_connection_ends() {
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    connections.news(42, &answer(SYN_ACK));
    connections.news(42, &reply(ACK));
    for isn in [5_000_000, 3_000_000_000] {
        let forged = Segment { seq: isn, ..syn() };
        assert_eq!(connections.plain_syn(42, Ticks(START + S), &forged).syn, Syn::Attempt);
    }
    // An ACK after data names no number of a SYN.
    let news = connections.news(42, &Segment { seq: 700, ..reply(FIN_ACK) }).unwrap();
    assert_eq!((news.started, news.after.outcome, news.after.sent), (Ticks(START), Outcome::Spoke, 698));
}

#[test]
fn every_attempt_of_a_flood_from_one_port_is_followed() {
    let mut connections = new(1 << 18);
    for n in 0..100 {
        let time = Ticks(START + u64::from(n) * 100 * MS);
        assert_eq!(connections.plain_syn(42, time, &numbered(n * 1000)).syn, Syn::Attempt);
    }
    assert_eq!(connections.counts().evicted, 0, "spread over the table");
    let told = expire(&mut connections, 41 * S);
    assert_eq!(told, vec![(Some(Outcome::Pending), Outcome::Unanswered); 100]);
}

#[test]
fn of_ports_that_are_used_again_each_attempt_has_its_answer_and_its_retransmission() {
    let mut connections = new(1 << 16);
    for n in [1, 2, 3] {
        connections.plain_syn(42, Ticks(START + u64::from(n) * S), &numbered(n * 1000));
    }
    let told = |news: Option<OutcomeUpdate>| news.map(|news| (news.started.0 - START, news.after.outcome));
    let answer = |n: u32, flags| Segment { ack: n * 1000 + 1, ..answer(flags) };
    assert_eq!(connections.news(42, &answer(1, SYN_ACK)), None);
    let ack = Segment { seq: 1001, ..reply(ACK) };
    assert_eq!(told(connections.news(42, &ack)), Some((S, Outcome::Open)));
    assert_eq!(told(connections.news(42, &answer(2, 0x14))), Some((2 * S, Outcome::Refused)));
    assert_eq!(told(connections.news(42, &answer(3, 0x14))), Some((3 * S, Outcome::Refused)));
    assert_eq!(connections.plain_syn(42, Ticks(START + 4 * S), &numbered(1000)).syn, Syn::Retransmission);
    assert_eq!(connections.plain_syn(42, Ticks(START + 5 * S), &numbered(4000)).syn, Syn::Attempt);
}

#[test]
fn what_is_too_old_to_be_told_of_does_not_move_when_its_ports_are_used_again() {
    let mut connections = new(1 << 16);
    for (n, later) in [(1, 0), (2, RETRANSMISSION_WITHIN), (3, 2 * RETRANSMISSION_WITHIN + 1)] {
        connections.plain_syn(42, Ticks(START + later), &numbered(n));
    }
    let moved = |n| connections.find_moved(42, is_from_lower(&syn()), n).is_some();
    assert_eq!((moved(1), moved(2)), (true, false));
}

#[test]
fn an_attempt_is_told_of_by_its_place_which_the_next_one_of_its_ports_takes() {
    let mut connections = new(1 << 16);
    let first = connections.plain_syn(42, Ticks(START), &syn());
    assert!(first.place.number() < connections.places());
    assert_eq!(
        connections.plain_syn(42, Ticks(START + S), &with_id(2)).place,
        first.place,
        "its retransmission"
    );
    let second = connections.plain_syn(42, Ticks(START + 2 * S), &numbered(9));
    assert_eq!((second.place, first.moved), (first.place, None));
    let refused = |ack| Segment { ack, ..answer(0x14) };
    let mut place = |ack| connections.news(42, &refused(ack)).and_then(|news| news.place);
    assert_eq!(place(2), second.moved, "the first one, where it is now");
    assert_eq!(place(10), Some(second.place));
    assert_ne!(second.moved, Some(second.place));
    // One that is forgotten has no place.
    connections.plain_syn(1 << 60, Ticks(START), &syn());
    connections.sets.all_mut().iter_mut().for_each(|set| (0..WAYS).for_each(|way| set.forget(way)));
    let places = std::iter::from_fn(|| connections.expire(Ticks(START + 99 * S)));
    assert_eq!(places.map(|expired| expired.news.unwrap().place).collect::<Vec<_>>(), [None; 4]);
}
