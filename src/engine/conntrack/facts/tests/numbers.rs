//! Numbers that fit, and what they prove.

use super::*;

#[test]
fn only_the_next_number_of_the_server_proves_anything() {
    let answer = Server(0, 1, S | A, 0);
    for (ack, proven) in
        [(0, false), (1, true), (2, false), (65_535, false), (0x7fff_ffff, false), (u32::MAX, false)]
    {
        let proves = |seen: &[Seen]| life(seen).proof == Proof::Yes;
        assert_eq!(proves(&[answer, Client(1, ack, A, 0)]), proven, "ACK of {ack}");
        assert_eq!(proves(&[Client(1, ack, A, 0), answer]), proven, "ACK of {ack}, before the answer");
        assert_eq!(proves(&[answer, Client(1, ack, A, 6)]), proven, "data with an ACK of {ack}");
        assert!(!proves(&[answer, Client(1, ack, R | A, 0)]), "RST with ACK of {ack}");
        assert!(!proves(&[answer, Client(1, ack, R, 0)]), "RST");
        assert!(!proves(&[answer, Client(2, ack, A, 0)]), "a number that the server has not acknowledged");
    }
}

#[test]
fn more_proves_as_far_as_the_server_was_seen_to_have_sent() {
    let answer = Server(0, 1, S | A, 0);
    for (sent, ack, proven) in [(24, 24, true), (24, 25, true), (24, 26, false), (0, 2, false)] {
        let said = Server(1, 1, A, sent);
        assert_eq!(life(&[answer, said, Client(1, ack, A, 0)]).proof == Proof::Yes, proven, "{sent} {ack}");
        // The ACK comes first, and the server's own number later.
        assert_eq!(life(&[answer, Client(1, ack, A, 0), said]).proof == Proof::Yes, proven, "{sent} {ack}");
    }
    let fin = Server(1, 1, F | A, 24);
    assert_eq!(life(&[answer, fin, Client(1, 26, A, 0)]).proof, Proof::Yes, "its FIN has a number");
    let reset = Server(25, 1, R | A, 0);
    assert_eq!(life(&[answer, reset, Client(1, 25, A, 0)]).proof, Proof::None, "a reset shows nothing");
}

#[test]
fn a_reset_proves_only_exactly_and_after_data_that_was_acknowledged() {
    let (answer, taken) = (Server(0, 1, S | A, 0), Server(1, 7, A, 0));
    for (reset, proof) in [
        (Client(7, 1, R | A, 0), Proof::Yes),
        (Client(7, 2, R | A, 0), Proof::None),
        (Client(8, 1, R | A, 0), Proof::None),
        (Client(1, 1, R | A, 0), Proof::None),
        (Client(7, 1, R, 0), Proof::None),
    ] {
        assert_eq!(life(&[answer, taken, reset]).proof, proof);
    }
}

#[test]
fn wrong_acknowledgments_void_nothing_and_change_nothing() {
    let answer = Server(0, 1, S | A, 0);
    let wrong: Vec<_> = (0..40).map(|n| Client(1, 0x3000_0000 + (n << 21), A, 0)).collect();
    let seen = [&[answer][..], &wrong, &[Client(1, 1, A, 0), Client(1, 1, F | A, 0)]].concat();
    let life_after = life(&seen);
    assert_eq!((life_after.outcome, life_after.proof, life_after.received), (Outcome::Silent, Proof::Yes, 0));
    // Neither completes nor ends anything.
    assert_eq!(life(&[answer, Client(1, 0x3000_0000, F | A, 0)]).outcome, Outcome::Pending);
    assert_eq!(established(&[Client(1, 0x3000_0000, F | A, 0)]).outcome, Outcome::Open);
    assert_eq!(established(&[Client(1, 0x3000_0000, R | A, 0)]).outcome, Outcome::Open);
    // The server's reset to it repeats its number, and ends nothing; nor does it make the guess right.
    let guess = [answer, Client(1, 500, A, 0), Server(500, 0, R, 0), Client(1, 500, A, 0)];
    assert_eq!((life(&guess).outcome, life(&guess).proof), (Outcome::Pending, Proof::None));
}

#[test]
fn what_proves_nothing() {
    let answer = Server(0, 1, S | A, 0);
    for (number, seen) in [
        &[answer][..],
        // All from one side.
        &[Forger(0, 1, S | A, 0), Client(1, 1, A, 0)],
        &[answer, Client(1, 1, A, 0), Forger(0, 1, S | A, 0)],
        &[Forger(0, 1, S | A, 0), answer, Client(1, 1, A, 0)],
        // On a path without a known direction.
        &[Somewhere(0, 1, S | A, 0), Client(1, 1, A, 0)],
        // An answer that acknowledges something else is none.
        &[Server(0, 9_000_000, S | A, 0), Client(1, 1, A, 0)],
        // A SYN-ACK of the client's.
        &[answer, Client(1, 1, S | A, 0)],
        // Empty ACKs of the server without a SYN-ACK: it answers a SYN into an open connection with one.
        &[Server(1, 1, A, 0), Client(1, 1, A, 0)],
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(life(seen).proof, Proof::None, "row {number}");
    }
    // The same answer twice is one.
    assert_eq!(life(&[answer, answer, Client(1, 1, A, 0)]).proof, Proof::Yes);
}

#[test]
fn the_servers_fin_proves_unless_the_syn_may_have_been_taken_without_a_handshake() {
    let closed = [Server(0, 1, S | A, 0), Server(1, 1, F | A, 0)];
    assert_eq!((life(&closed).outcome, life(&closed).proof), (Outcome::Open, Proof::Yes));
    for (payload, fast_open) in [(Some(5), false), (None, false), (Some(0), true)] {
        let mut facts = Facts::attempt(&Segment { seq: CLIENT, payload, fast_open, ..syn() });
        for (seq, flags) in [(0, S | A), (1, F | A)] {
            let (seq, ack) = (SERVER.wrapping_add(seq), CLIENT.wrapping_add(1));
            from_server(&mut facts, &Segment { seq, ack, flags: Flags(flags), ..syn() }, OPPOSITE);
        }
        assert_eq!(facts.life(Proof::None).proof, Proof::None, "{payload:?} {fast_open}");
    }
}

#[test]
fn a_side_is_held_to_right_checksums_once_its_syn_had_one() {
    let with = |checksum| Segment { checksum, ..syn() };
    use Checksum::{Right, Unknown, Wrong};
    for (of_syn, of_segment, is_spoilt) in [
        (Right, Wrong, true),
        (Right, Right, false),
        (Right, Unknown, false),
        (Wrong, Wrong, false),
        (Unknown, Wrong, false),
    ] {
        let facts = Facts::attempt(&with(of_syn));
        assert_eq!(facts.is_spoilt(&with(of_segment), true), is_spoilt, "{of_syn:?} {of_segment:?}");
        assert!(!facts.is_spoilt(&with(of_segment), false), "the other side");
    }
}

#[test]
fn an_answer_with_another_number_is_another_connection_once_the_first_was_completed_and_its_syn_came_again() {
    let answer = |seq: u32| Segment {
        seq: SERVER.wrapping_add(seq),
        ack: CLIENT.wrapping_add(1),
        flags: Flags(S | A),
        ..syn()
    };
    let handshake = [Server(0, 1, S | A, 0), Client(1, 1, A, 0)];
    let closed = [handshake[0], handshake[1], Client(1, 1, F | A, 0)];
    for (number, (seen, repeats, sent_anew, seq, on_first_path, found)) in [
        (&handshake[..1], true, true, 5, true, Answer::Again),
        (&handshake[..], true, true, 5, true, Answer::Renewal),
        (&handshake, true, false, 5, true, Answer::Renewal),
        (&handshake, false, false, 5, true, Answer::No),
        (&handshake, true, true, 0, true, Answer::Again),
        // The second leg of a proxy.
        (&handshake, true, true, 5, false, Answer::Elsewhere),
        // With SYN cookies the number may be the same.
        (&closed, true, true, 0, true, Answer::Renewal),
        (&closed, true, false, 0, true, Answer::Again),
        (&closed, true, true, 5, true, Answer::Renewal),
    ]
    .into_iter()
    .enumerate()
    {
        let mut facts = facts(seen);
        if repeats {
            facts.note_repeat(sent_anew);
        }
        assert_eq!(facts.answer(&answer(seq), on_first_path), found, "row {number}");
    }
}

#[test]
fn of_two_answers_the_one_that_the_client_took_counts() {
    const OTHER: u32 = 1 << 24;
    let (first, second) = (Server(0, 1, S | A, 0), Server(OTHER, 1, S | A, 0));
    for (isn, seen) in [
        (0, [first, second, Client(1, 1, A, 0)]),
        (OTHER, [first, second, Client(1, OTHER + 1, A, 0)]),
        (0, [first, Client(1, 1, A, 0), second]),
        (0, [Client(1, 1, A, 0), first, second]),
        (OTHER, [Client(1, OTHER + 1, A, 0), first, second]),
    ] {
        let end = [Client(1, isn + 25, F | A, 0), Server(isn + 1, 2, F | A, 24)];
        let life = life(&[&seen[..], &end].concat());
        assert_eq!((life.outcome, life.received), (Outcome::Silent, 24), "{isn}");
    }
}

#[test]
fn a_syn_that_came_late_and_is_refused_resets_nothing() {
    let refusal = Server(0u32.wrapping_sub(SERVER), 1, R | A, 0);
    // Its number happens to be one of the server's own here, three after its initial one: that is a reset.
    assert_eq!(established(&[refusal]).outcome, Outcome::Silent);
    let far = Facts {
        server_isn: 0x1234_5678,
        server_end: 0x1234_5679,
        client_ack: 0x1234_5679,
        seen: ANSWERED | CLIENT_KNOWS | CLIENT_ACK,
        client_isn: CLIENT,
        ..Facts::default()
    };
    let mut facts = far;
    let segment = Segment { seq: 0, ack: CLIENT.wrapping_add(1), flags: Flags(R | A), ..syn() };
    facts.server(&segment, true);
    assert_eq!(facts, far);
}

#[test]
fn an_ack_of_a_syn_with_data_may_come_before_its_answer() {
    let seen = |said: u32, syn_data: u32| {
        let mut facts = Facts::attempt(&Segment { seq: CLIENT, payload: Some(syn_data), ..syn() });
        let segment = Segment { flags: Flags::ACK, payload: Some(0), ..syn() };
        facts.client(&Segment { seq: CLIENT.wrapping_add(1 + said), ack: SERVER.wrapping_add(1), ..segment });
        let flags = Flags(S | A);
        let answer = Segment { seq: SERVER, ack: CLIENT.wrapping_add(1 + said), flags, ..segment };
        from_server(&mut facts, &answer, OPPOSITE);
        facts.life(Proof::None)
    };
    for (said, syn_data, outcome, proof) in [
        (0, 0, Outcome::Open, Proof::Yes),
        (5, 5, Outcome::Open, Proof::Yes),
        (5, 0, Outcome::Pending, Proof::None),
    ] {
        let life = seen(said, syn_data);
        assert_eq!((life.outcome, life.proof), (outcome, proof), "{said} of {syn_data}");
    }
}

#[test]
fn an_acknowledgment_of_unseen_data_is_neither_half_open_nor_proven() {
    let answered = Server(0, 1, S | A, 0);
    for (then, outcome) in [
        // Of the server's greeting; of the answer, after data of the client; in a probe, one number back.
        (Client(1, 200, A, 0), Outcome::Unknown),
        (Client(300, 1, A, 0), Outcome::Unknown),
        (Client(0, 1, A, 0), Outcome::Unknown),
        // Of nothing that the server can have sent; a reset of the answer.
        (Client(1, 0, A, 0), Outcome::HalfOpen),
        (Client(1, 1 << 21, A, 0), Outcome::HalfOpen),
        (Client(1, 1, R | A, 0), Outcome::HalfOpen),
    ] {
        let life = life(&[answered, then, Time]);
        assert_eq!((life.outcome, life.proof), (outcome, Proof::None));
    }
}

#[test]
fn a_fin_or_an_ack_of_the_server_from_the_clients_side_proves_nothing() {
    let answered = Server(0, 1, S | A, 0);
    for forged in [F | A, A] {
        let life = life(&[answered, Client(1, 700, A, 0), Forger(700, 1, forged, 0), Client(1, 700, A, 0)]);
        assert_eq!(life.proof, Proof::None, "{forged}");
    }
}

#[test]
fn an_ack_of_another_number_may_come_before_that_answer() {
    let life = life(&[Server(0, 1, S | A, 0), Client(1, 1 << 24 | 1, A, 0), Server(1 << 24, 1, S | A, 0)]);
    assert_eq!((life.outcome, life.proof), (Outcome::Open, Proof::Yes));
}

#[test]
fn an_ack_near_one_number_does_not_replace_the_one_that_is_kept_for_another() {
    const OTHER: u32 = 1 << 24;
    let (first, second) = (Server(0, 1, S | A, 0), Server(OTHER, 1, S | A, 0));
    // Each alone, and both: what proves is whichever fits in the end.
    let (far, near) = (Client(1, OTHER | 1, A, 0), Client(1, 30, A, 0));
    for (seen, proof) in [
        (&[first, far, second][..], Proof::Yes),
        (&[first, far, near, second], Proof::Yes),
        (&[first, near, far, second], Proof::Yes),
        (&[first, near, Server(30, 1, A, 0)], Proof::Yes),
        (&[first, far, near, Server(30, 1, A, 0)], Proof::Yes),
        (&[first, near, far, Server(30, 1, A, 0)], Proof::Yes),
        (&[first, near, Server(29, 1, A, 0)], Proof::None),
    ] {
        assert_eq!(life(seen).proof, proof);
    }
}

#[test]
fn the_end_of_a_client_that_took_another_number_may_come_before_that_answer() {
    let (answer, ack) = (Server(0, 1, S | A, 0), Client(1, 1 << 24 | 1, A, 0));
    let (other, fin) = (Server(1 << 24, 1, S | A, 0), Client(1, 1 << 24 | 1, F | A, 0));
    for (number, (seen, outcome, sent)) in [
        (&[answer, ack, fin, other][..], Outcome::Silent, 0),
        (&[answer, fin, other], Outcome::Silent, 0),
        (&[answer, ack, Client(1, 1 << 24 | 1, F | A, 7), other], Outcome::Spoke, 7),
        // Some data was sent before it.
        (&[answer, ack, Client(8, 1 << 24 | 1, F | A, 0), other], Outcome::Spoke, 7),
        (&[answer, ack, Client(8, 1 << 24 | 1, R | A, 0), other], Outcome::Spoke, 7),
        // With a reset after it.
        (
            &[answer, ack, Client(1, 1 << 24 | 1, F | A, 1), Client(3, 1 << 24 | 1, R | A, 0), other],
            Outcome::Spoke,
            1,
        ),
        // With a guessed number, or another than the one that is kept.
        (&[answer, Client(1, 7 << 24, F | A, 0), other, ack], Outcome::Open, 0),
        (&[answer, Client(1, 7 << 24, F | A, 0), ack, other], Outcome::Open, 0),
        (&[answer, ack, Client(8, 7 << 24, F | A, 0), other], Outcome::Open, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let life = life(seen);
        assert_eq!((life.outcome, life.sent), (outcome, sent), "row {number}");
    }
}

#[test]
fn bytes_that_are_acknowledged_after_the_handshake_count_whatever_the_server_has_acknowledged() {
    let acked = [Client(1, 1, A, 0), Client(1, 2, A, 0), Client(9, 3, A, 0), Client(9, 3, R | A, 0)];
    let again = [acked[0], acked[1], acked[0], acked[2], acked[3]];
    for acked in [&acked[..], &again] {
        assert_eq!(established(acked).received, 2, "{}", acked.len());
    }
}

#[test]
fn a_bare_reset_of_the_server_may_come_before_the_acknowledgment_that_it_answers() {
    let answered = Server(0, 1, S | A, 0);
    let (reset, other) =
        (Server(25, 0u32.wrapping_sub(CLIENT), R, 0), Server(26, 0u32.wrapping_sub(CLIENT), R, 0));
    let (ack, fin) = (Client(1, 25, A, 0), Server(25, 1, F | A, 0));
    for (seen, outcome) in [
        ([answered, ack, fin], Outcome::Open),
        ([answered, reset, ack], Outcome::Pending),
        ([answered, other, ack], Outcome::Pending),
    ] {
        assert_eq!(life(&seen).outcome, outcome);
    }
    // What is established then was reset.
    assert_eq!(life(&[answered, reset, ack, fin]).outcome, Outcome::Unknown);
    assert_eq!(life(&[answered, other, ack, fin]).outcome, Outcome::Open);
}

#[test]
fn what_was_acknowledged_of_a_number_adds_no_bytes_to_another() {
    let another = Server(1 << 31 | 1 << 24, 1, S | A, 0);
    let ack = Client(1, (1 << 31 | 1 << 24) + 1, A, 0);
    let seen = [
        Server(0, 1, S | A, 0),
        Client(1, 5, A, 0),
        another,
        ack,
        Client(1, (1 << 31 | 1 << 24) + 1, F | A, 0),
    ];
    let told = life(&seen);
    assert_eq!((told.outcome, told.received, told.greeted), (Outcome::Silent, 0, false));
}

#[test]
fn how_much_a_server_sent_is_not_told_where_another_number_may_have_gone_by_unseen() {
    // 1 MiB beyond what is known: its acknowledgments went by unseen. More may be the number of a new answer.
    let answer = Server(0, 1, S | A, 0);
    for (end, received) in
        [(UNSEEN_DATA, UNSEEN_DATA - 1), (UNSEEN_DATA + 1, UNSEEN_DATA), (UNSEEN_DATA + 2, 0)]
    {
        let fin = Server(end, 1, F | A, 0);
        let client = [Client(1, end, A, 1), Client(2, end + 1, F | A, 0)];
        for seen in [vec![answer, fin, client[0], client[1]], vec![answer, client[0], fin, client[1]]] {
            let life = life(&seen);
            assert_eq!(
                (life.outcome, life.received, life.greeted),
                (Outcome::Spoke, received, received > 0),
                "{end}"
            );
        }
    }
    // Once the client is proven, the number is the server's own.
    let proven =
        [Client(1, UNSEEN_DATA + 1, A, 0), Server(UNSEEN_DATA + 2, 1, F | A, 0), Client(1, 1, F | A, 0)];
    assert_eq!(established(&proven).received, UNSEEN_DATA + 1);
}
