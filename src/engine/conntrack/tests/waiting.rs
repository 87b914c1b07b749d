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
fn each_syn_but_a_copy_has_a_timer_where_there_is_room() {
    let mut connections = new(1 << 16);
    let mut has_timer = |connection, tick, syn: &Segment| {
        connections.plain_syn(connection, Ticks(START + tick), syn).has_timer
    };
    assert!(has_timer(42, 0, &syn()));
    assert!(has_timer(43, 0, &syn()));
    assert!(!has_timer(42, 0, &syn()), "a copy");
    assert!(has_timer(42, 3 * S, &with_id(2)), "a retransmission");
    let expired = std::iter::from_fn(|| connections.expire(Ticks(START + 99 * S)));
    assert_eq!(expired.map(|expired| expired.due.0 - START).collect::<Vec<_>>(), [30 * S, 30 * S, 33 * S]);

    // Room for one.
    connections.timers = Timers::new(1);
    let has_timer =
        [46, 47].map(|connection| connections.plain_syn(connection, Ticks(START), &syn()).has_timer);
    assert_eq!(has_timer, [true, false]);
}

#[test]
fn stopped_timers_do_not_expire() {
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    connections.stop_timers();
    assert_eq!(expire(&mut connections, 31 * S), []);
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
