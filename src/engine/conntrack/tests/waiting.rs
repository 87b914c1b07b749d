//! What shows by time.

use super::*;

#[test]
fn what_is_cleared_is_neither_repeated_nor_waited_for() {
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    connections.clear();
    assert_eq!(expire(&mut connections, 31 * S), []);
    assert_eq!(connections.news(42, &answer(SYN_ACK)), None);
    assert_eq!(connections.plain_syn(42, Ticks(1), &syn()).syn, Syn::Attempt, "the clock starts anew");
}

#[test]
fn thirty_seconds_after_its_last_syn_an_attempt_is_unanswered() {
    let unanswered = [(Some(Outcome::Pending), Outcome::Unanswered)];
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    assert_eq!(expire(&mut connections, 30 * S - 1), []);
    assert_eq!(expire(&mut connections, 30 * S), []);
    assert_eq!(expire(&mut connections, 30 * S + 1), unanswered);
    assert_eq!(expire(&mut connections, 99 * S), []);

    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    connections.plain_syn(42, Ticks(START + 3 * S), &with_id(2));
    assert_eq!(expire(&mut connections, 33 * S), []);
    assert_eq!(expire(&mut connections, 33 * S + 1), unanswered);
}

#[test]
fn thirty_seconds_after_its_last_syn_an_answered_attempt_is_half_open() {
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    assert_eq!(connections.news(42, &answer(SYN_ACK)), None, "still pending");
    assert_eq!(expire(&mut connections, 30 * S), []);
    assert_eq!(expire(&mut connections, 30 * S + 1), [(Some(Outcome::Pending), Outcome::HalfOpen)]);
}

#[test]
fn syns_that_are_waited_for_are_numbered_in_order_whatever_becomes_of_them() {
    let numbers = |connections: &mut Conntrack| -> Vec<_> {
        std::iter::from_fn(|| connections.expire(Ticks(START + 99 * S)))
            .map(|expired| expired.number)
            .collect()
    };
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    connections.plain_syn(43, Ticks(START), &syn());
    assert!(!connections.plain_syn(42, Ticks(START), &syn()).waits, "a copy");
    assert!(connections.plain_syn(42, Ticks(START + 3 * S), &with_id(2)).waits, "a retransmission");
    assert_eq!((numbers(&mut connections), connections.waiting_from()), (vec![0, 1, 2], 3));
    connections.plain_syn(44, Ticks(START), &syn());
    connections.stop_waiting();
    assert_eq!(connections.waiting_from(), 4);
    connections.plain_syn(45, Ticks(START), &syn());
    assert_eq!((connections.waiting_from(), numbers(&mut connections)), (4, vec![4]));

    // Room for one.
    connections.timers = Timers::new(1);
    let waits = [46, 47].map(|connection| connections.plain_syn(connection, Ticks(START), &syn()).waits);
    assert_eq!((waits, numbers(&mut connections)), ([true, false], vec![0]));
}

#[test]
fn an_open_connection_waits_for_nothing() {
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    connections.news(42, &answer(SYN_ACK));
    let news = connections.news(42, &reply(ACK)).unwrap();
    assert_eq!((news.started, news.after.outcome), (Ticks(START), Outcome::Open));
    assert_eq!(expire(&mut connections, 40 * S), []);
}
