//! Copies, retransmissions, and attempts of their own.

use super::*;

#[test]
fn a_set_is_a_cache_line_and_two_for_each_entry() {
    assert_eq!((size_of::<Set>(), size_of::<Entry>()), (64 + 8 * 128, 128));
}

#[test]
fn another_path_within_a_second_is_a_copy() {
    assert_eq!(second(0, elsewhere(1)), Syn::Copy);
    assert_eq!(second(1000 * MS, elsewhere(1)), Syn::Copy);
    assert_eq!(second(1000 * MS + 1, Segment { ip_id: Some(2), ..elsewhere(1) }), Syn::Retransmission);
    for place in [
        Place { vlan: 7, ..Place::default() },
        Place { tunnels: 1, ..Place::default() },
        Place { direction: Direction::Out, ..Place::default() },
        Place { direction: Direction::Hook(2), ..Place::default() },
        Place { ifindex: 3, ..Place::default() },
        Place { hop: Hop { from: 1, to: 2 }, ..Place::default() },
    ] {
        assert_eq!(second(500 * MS, Segment { place, ip_id: None, ..syn() }), Syn::Copy, "{place:?}");
    }
    assert_eq!(second(500 * MS, Segment { hop_limit: 63, ip_id: None, ..syn() }), Syn::Copy);
}

#[test]
fn copies_come_on_three_other_paths_at_most() {
    let syns: Vec<_> =
        (0..6u16).map(|n| (u64::from(n), Segment { ip_id: Some(n), ..elsewhere(n.into()) })).collect();
    let (copy, again) = (Syn::Copy, Syn::Retransmission);
    assert_eq!(judge(&syns), [Syn::Attempt, copy, copy, copy, again, again]);
}

#[test]
fn the_same_identification_within_100_ms_is_a_copy() {
    assert_eq!(second(0, syn()), Syn::Copy);
    assert_eq!(second(100 * MS, syn()), Syn::Copy);
    assert_eq!(second(100 * MS + 1, syn()), Syn::Retransmission);
    assert_eq!(second(0, with_id(2)), Syn::Retransmission);
}

#[test]
fn over_ipv6_the_same_bytes_within_1_ms_are_a_copy() {
    let v6 = |digest| Segment { ip_id: None, digest, ..syn() };
    for (tick, first, again, found) in [
        (0, 7, 7, Syn::Copy),
        (MS, 7, 7, Syn::Copy),
        (MS + 1, 7, 7, Syn::Retransmission),
        (0, 7, 8, Syn::Retransmission),
        (0, 0, 0, Syn::Retransmission),
    ] {
        assert_eq!(judge(&[(0, v6(first)), (tick, v6(again))])[1], found, "{tick} {first} {again}");
    }
}

#[test]
fn a_copy_may_be_the_earlier_of_the_two() {
    assert_eq!(judge(&[(1000 * MS, syn()), (0, elsewhere(1))])[1], Syn::Copy);
    assert_eq!(judge(&[(1000 * MS + 1, with_id(2)), (0, elsewhere(1))])[1], Syn::Retransmission);
}

#[test]
fn any_other_repeat_is_a_retransmission_however_soon() {
    for tick in [1, 60 * MS, 110 * MS, 200 * MS, 3000 * MS] {
        assert_eq!(second(tick, with_id(2)), Syn::Retransmission, "{tick}");
    }
}

#[test]
fn after_a_refusal_three_repeats_0_4_s_apart_are_retransmissions() {
    let seen = |ticks: &[u64]| {
        let mut connections = new(1 << 16);
        let mut id = 0;
        ticks
            .iter()
            .map(|tick| {
                id += 1;
                let syn = connections.plain_syn(42, Ticks(START + tick), &with_id(id)).syn;
                connections.news(42, &answer(0x14));
                syn
            })
            .collect::<Vec<_>>()
    };
    let (attempt, again) = (Syn::Attempt, Syn::Retransmission);
    assert_eq!(
        seen(&[0, 500 * MS, 1000 * MS, 1500 * MS, 2000 * MS]),
        [attempt, again, again, again, attempt]
    );
    assert_eq!(seen(&[0, 400 * MS]), [attempt, again]);
    assert_eq!(seen(&[0, 400 * MS - 1]), [attempt, attempt]);
}

#[test]
fn where_no_answers_are_seen_a_syn_a_second_after_the_end_is_an_attempt() {
    for (tick, found) in [(1500 * MS, Syn::Retransmission), (1500 * MS + 1, Syn::Attempt)] {
        let mut connections = new(1 << 16);
        connections.plain_syn(42, Ticks(START), &syn());
        // Half a second after the start.
        connections.news(42, &reply(FIN_ACK));
        assert_eq!(connections.plain_syn(42, Ticks(START + tick), &with_id(2)).syn, found);
    }
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
    // Two paths, each shows each SYN; the sender repeats it every 10 ms.
    let syns: Vec<_> = (0..26u16)
        .flat_map(|n| {
            let tick = u64::from(n) * 10 * MS;
            let there = Segment { ip_id: Some(n), ..elsewhere(1) };
            [(tick, with_id(n)), (tick + 1, there)]
        })
        .collect();
    let seen = judge(&syns);
    let count = |what| seen.iter().filter(|syn| **syn == what).count();
    assert_eq!([Syn::Attempt, Syn::Retransmission, Syn::Copy].map(count), [2, 24, 26]);
}

#[test]
fn the_fifteenth_copy_of_a_syn_is_the_last() {
    let syns: Vec<_> = (0..18).map(|_| (0, syn())).collect();
    let seen = judge(&syns);
    assert!(seen[1..=15].iter().all(|syn| *syn == Syn::Copy));
    assert_eq!(seen[16], Syn::Retransmission);
    assert_eq!(seen[17], Syn::Copy);
}

#[test]
fn another_identity_is_an_attempt() {
    let mut connections = new(1 << 16);
    for identity in 0..1000 {
        assert_eq!(connections.plain_syn(identity << 50, Ticks(START), &syn()).syn, Syn::Attempt);
    }
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
