//! Which entries give way, and which news follow.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

proptest! {
    #[test]
    fn the_first_cache_line_tells_whether_an_entry_is_of_use_as_the_entry_does(
        tag in select(vec![0, 7_u64]),
        marks in select(vec![0, NO_SYN, BEHIND_NAT]),
        established: bool,
        newest in select(vec![0, 1, 511, 512, 1023, 1024, 1 << 20, (1 << 38) - 3]),
        apart in select(vec![0, 1, RETRANSMISSION_WITHIN, 1 << 39]),
        more in 0..1100_u64,
        is_before: bool,
    ) {
        let time = Ticks(if is_before { (newest + apart).saturating_sub(more) } else { newest + apart + more });
        // An entry without a tag or a SYN is not established.
        let established = established && tag != 0 && marks == 0;
        let newest = Newest(newest).with_established(established);
        let mut set = Set::default();
        if tag != 0 {
            set.put(3, Entry { tag, newest, marks, ..Entry::default() });
        }
        prop_assert_eq!(set.is_of_use(3, time), set.entry(3).is_of_use(time));
        prop_assert_eq!((set.has(3, 7), set.has(3, 8)), (tag == 7, false));
    }
}

#[test]
fn the_oldest_gives_way_and_is_counted_while_it_could_be_repeated() {
    let mut connections = new(1);
    let entries = WAYS as u64;
    for n in 0..entries {
        connections.plain_syn(n + 1, Ticks(START + n), &syn());
    }
    assert_eq!(connections.counts().evicted, 0);
    connections.plain_syn(100, Ticks(START + entries), &syn());
    assert_eq!(connections.counts().evicted, 1);
    assert_eq!(connections.plain_syn(1, Ticks(START + 5000), &syn()).syn, Syn::Attempt, "forgotten");
    assert_eq!(connections.plain_syn(4, Ticks(START + 5000), &syn()).syn, Syn::Retransmission, "remembered");
    let evicted = connections.counts().evicted;
    for n in 0..entries {
        connections.plain_syn(200 + n, Ticks(START + 5000 + RETRANSMISSION_WITHIN + 1), &syn());
    }
    assert_eq!(connections.counts().evicted, evicted, "too old to be repeated");
}

#[test]
fn what_had_to_give_way_or_was_an_attempt_once_more_is_unknown() {
    // Eight entries; the ninth attempt takes that of the first.
    let mut connections = new(1 << 10);
    assert_eq!(connections.sets.length(), 1);
    for n in 0..9 {
        connections.plain_syn(n + 1, Ticks(START + n), &syn());
    }
    let told = expire(&mut connections, 31 * S);
    assert_eq!(told[0], (None, Outcome::Unknown));
    assert!(told[1..].iter().all(|told| *told == (Some(Outcome::Pending), Outcome::Unanswered)));

    // More repeats than a stack sends.
    let mut connections = new(1 << 16);
    let seen: Vec<_> =
        (0..14).map(|n| connections.plain_syn(42, Ticks(START + u64::from(n)), &with_id(n)).syn).collect();
    assert_eq!((seen[12], seen[13]), (Syn::Retransmission, Syn::Attempt));
    let told = expire(&mut connections, 31 * S);
    assert!(told[..13].iter().all(|told| *told == (None, Outcome::Unknown)), "{told:?}");
    assert_eq!(told[13..], [(Some(Outcome::Pending), Outcome::Unanswered)]);
}

#[test]
fn answers_without_a_syn_push_out_no_attempt_and_give_way_first() {
    let mut connections = new(1);
    for n in 0..WAYS as u64 {
        connections.plain_syn(n + 1, Ticks(START), &syn());
    }
    follow(&mut connections, 99, &answer(SYN_ACK));
    assert_eq!(connections.sets[0].find_newest(99), None);
    let mut connections = new(1);
    for n in 0..WAYS as u64 - 1 {
        connections.plain_syn(n + 1, Ticks(START), &syn());
    }
    follow(&mut connections, 99, &answer(SYN_ACK));
    assert!(connections.sets[0].find_newest(99).is_some());
    connections.plain_syn(100, Ticks(START + S), &syn());
    assert_eq!((connections.sets[0].find_newest(99), connections.counts().evicted), (None, 0));
}

#[test]
fn open_connections_give_way_last_and_closed_ones_like_all_else() {
    for (closes, is_kept) in [(false, true), (true, false)] {
        let mut connections = new(1);
        connections.plain_syn(1, Ticks(START), &syn());
        connections.news(1, &answer(SYN_ACK));
        connections.news(1, &reply(ACK));
        if closes {
            connections.news(1, &reply(FIN_ACK));
        }
        for n in 0..100 {
            connections.plain_syn(n + 2, Ticks(START + 1 + n), &syn());
        }
        assert_eq!(connections.sets[0].find_newest(1).is_some(), is_kept, "closed: {closes}");
    }
    // Where all are open, the oldest of them.
    let mut connections = new(1);
    for n in 0..9 {
        connections.plain_syn(n + 1, Ticks(START + n), &syn());
        connections.news(n + 1, &answer(SYN_ACK));
        connections.news(n + 1, &reply(ACK));
    }
    assert_eq!((connections.sets[0].find_newest(1), connections.counts().evicted), (None, 1));
}

#[test]
fn a_queue_that_is_full_takes_no_more_and_counts_them() {
    // With the 64th part that the newest SYNs get.
    let memory = TIMERS_SHARE * 10 * timers::EACH * 64 / 63 + 64;
    let mut connections = new(memory);
    for n in 0..12 {
        connections.plain_syn(n << 56, Ticks(START + n), &syn());
    }
    assert_eq!(connections.untimed(), 2);
    assert_eq!(expire(&mut connections, 40 * S).len(), 10);
    connections.plain_syn(99 << 56, Ticks(START + 41 * S), &syn());
    assert_eq!(connections.untimed(), 2, "there is room again");
}
