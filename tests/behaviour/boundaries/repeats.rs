//! Copies and retransmissions: what repeats an attempt is no attempt, and what only looks like it is.

use std::time::Duration;

use super::{HOST, OTHER};
use crate::rig::Setup;
use crate::rig::syn::{Syn, syn};

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// What becomes of a SYN and its repeat: attempts, copies, retransmissions.
fn judged(first: Syn, again: Syn) -> (u64, u64, u64) {
    let stats = Setup::with(&["30/10s"]).run([first, again]).stats;
    (stats.attempts, stats.copies, stats.retransmissions)
}

#[test]
fn a_repeat_is_what_its_distance_makes_it() {
    let first = syn(10.0, HOST).numbered(77);
    let anew = |ip_id| Syn { ip_id: Some(ip_id), ..first };
    let (attempt, copy, retransmission) = ((2, 0, 0), (1, 1, 0), (1, 0, 1));
    // After so many microseconds: with the same identification, with another one, with that on another interface.
    for (after, same, other, elsewhere) in [
        (0, copy, retransmission, copy),
        (100_000, copy, retransmission, copy),
        (100_100, retransmission, retransmission, copy),
        (1_000_000, retransmission, retransmission, copy),
        (1_000_100, retransmission, retransmission, retransmission),
        (130_000_000, retransmission, retransmission, retransmission),
        (130_000_100, attempt, attempt, attempt),
    ] {
        let after = micros(after);
        assert_eq!(judged(first, first.later(after)), same, "{after:?} later");
        assert_eq!(judged(first, anew(78).later(after)), other, "{after:?} later, sent anew");
        assert_eq!(
            judged(first, anew(78).later(after).interface(1)),
            elsewhere,
            "{after:?} later, elsewhere"
        );
    }
}

#[test]
fn another_identity_is_another_attempt() {
    let first = syn(10.0, HOST).numbered(77);
    assert_eq!(judged(first, first.interface(1)), (1, 1, 0));
    for other in [
        Syn { seq: Some(78), ..first },
        Syn { src_port: 40_001, ..first },
        first.port(110),
        Syn { src: OTHER.parse().unwrap(), ..first },
    ] {
        assert_eq!(judged(first, other), (2, 0, 0));
    }
}

#[test]
fn repeats_take_no_source_over_a_limit() {
    let twice = |at: f64, number| {
        let first = syn(at, HOST).numbered(number);
        [first, first.interface(1).later(micros(30)), first.later(micros(250_000))]
    };
    let mut syns: Vec<_> = (0..29).flat_map(|i| twice(0.3 * f64::from(i), i)).collect();
    syns.sort_by_key(|syn| syn.time);
    let found = Setup::with(&["30/10s"]).run(syns);
    assert!(found.alerts.is_empty());
    assert_eq!((found.stats.attempts, found.stats.copies, found.stats.retransmissions), (29, 29, 29));
}

#[test]
fn repeats_are_shown_in_reports_from_the_start_on() {
    let at = |second: f64, number| syn(second, HOST).numbered(number);
    let copy = |syn: Syn| syn.interface(1).later(micros(50));
    let syns = [
        // A copy before the start is none of the episode's.
        at(0.0, 0),
        copy(at(0.0, 0)),
        at(0.1, 1),
        copy(at(0.1, 1)),
        at(0.2, 2),
        copy(at(0.2, 2)),
        at(0.5, 2),
        at(1.5, 2),
    ];
    let found = Setup::with(&["2/1s"]).run(syns);
    let (start, end) = (found.only("start"), found.only("end"));
    assert_eq!((start.attempts, start.copies, start.retransmissions), (2, 0, 0));
    assert_eq!((end.attempts, end.copies, end.retransmissions), (3, 2, 2));
    assert_eq!(found.stats.copies, 3);
}

#[test]
fn after_the_twelfth_retransmission_it_is_an_attempt() {
    for (again, attempts) in [(11, 1), (12, 1), (13, 2), (14, 2)] {
        let first = syn(0.0, HOST).numbered(5);
        let found = Setup::with(&["30/10s"]).run((0..=again).map(|i| first.later(micros(500_000) * i)));
        assert_eq!(found.stats.attempts, attempts, "{again} repeats");
    }
}

#[test]
fn a_flood_cannot_hide_behind_repeats() {
    // The same SYN over and over, every 5 ms, each sent anew: one in thirteen is an attempt.
    let first = syn(0.0, HOST).numbered(5);
    let syns = (0..400u16).map(|i| Syn { ip_id: Some(i), ..first.later(micros(5000) * i.into()) });
    let found = Setup::with(&["30/10s"]).run(syns);
    assert_eq!((found.only("end").attempts, found.stats.attempts), (31, 31));
}
