//! What answers prove, and when they make a repeat an attempt.

use super::*;

#[test]
fn each_completed_connection_of_one_port_and_number_is_an_attempt() {
    let mut connections = new(1 << 16);
    let mut attempts = 0;
    for n in 0..5 {
        let time = Ticks(START + u64::from(n) * 250 * MS);
        let judged = connections.plain_syn(42, time, &with_id(n));
        attempts += u32::from(judged.syn == Syn::Attempt);
        let seq = 100 + 1000 * u32::from(n);
        let followed = follow(&mut connections, 42, &Segment { seq, ..answer(SYN_ACK) });
        attempts += u32::from(followed.attempt.is_some());
        if let Some(attempt) = followed.attempt {
            assert_eq!((attempt.started, n > 0), (time, true), "it counts at its SYN's time");
        }
        for flags in [ACK, FIN_ACK] {
            let news = follow(&mut connections, 42, &Segment { ack: seq + 1, ..reply(flags) }).news.unwrap();
            assert_eq!(news.started, time);
        }
    }
    assert_eq!(attempts, 5);
}

#[test]
fn an_answer_that_came_in_where_its_syn_did_proves_nothing_when_it_is_forwarded_after_the_servers_own() {
    let at = |direction| Place { ifindex: 2, direction, ..Place::default() };
    let there = |segment: Segment| Segment { place: at(Direction::In), ..segment };
    let back = |segment: Segment| Segment { place: at(Direction::Out), ..segment };
    let forged = Segment { seq: 500, ..answer(SYN_ACK) };
    for (answers, acknowledged, proof) in [
        (vec![back(answer(SYN_ACK))], 101, Proof::Yes),
        (vec![back(answer(SYN_ACK)), there(forged), back(forged)], 501, Proof::None),
        (vec![there(forged), back(forged), back(answer(SYN_ACK))], 501, Proof::None),
        (vec![there(forged), back(answer(SYN_ACK)), back(forged)], 501, Proof::None),
    ] {
        let mut connections = new(1 << 16);
        connections.plain_syn(42, Ticks(START), &there(syn()));
        for answer in &answers {
            follow(&mut connections, 42, answer);
        }
        let followed = follow(&mut connections, 42, &there(Segment { ack: acknowledged, ..reply(ACK) }));
        assert_eq!(followed.news.map_or(Proof::None, |news| news.after.proof), proof, "{answers:?}");
    }
}

/// What is known of a connection whose SYN carried so much, when the server answered, and closed having taken `taken`
/// bytes in all; the client was not seen again.
fn closed_by_the_server(syn_data: u32, taken: u32) -> ConnSummary {
    let mut connections = new(1 << 16);
    let hop = Hop { from: 1, to: 2 };
    let there = Place { hop, ..Place::default() };
    let back = Place { hop: Hop { from: 2, to: 1 }, ..Place::default() };
    let first = Segment { place: there, payload: Some(syn_data), ..syn() };
    connections.plain_syn(42, Ticks(START), &first);
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
    connections.news(42, &answer);
    let fin = Segment {
        seq: 1001,
        ack: first.seq + 1 + taken,
        flags: Flags(Flags::FIN.0 | Flags::ACK.0),
        ..answer
    };
    connections.news(42, &fin).expect("the server's FIN is news").after
}

#[test]
fn data_on_a_syn_that_a_server_takes_proves_nothing() {
    assert!(closed_by_the_server(0, 100).proof == Proof::Yes, "bytes that came after the answer");
    let sent_at_once = closed_by_the_server(100, 100);
    assert!(
        sent_at_once.proof != Proof::Yes,
        "a forger can send a SYN with data, and a server may take it unasked"
    );
    assert_eq!(sent_at_once.outcome, Outcome::Spoke);
}
