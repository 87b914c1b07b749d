//! Attempts whose SYN was not seen.

use super::*;

#[test]
fn a_hidden_syn_is_inferred_when_the_client_acknowledges_its_answer_exactly() {
    let mut connections = new(1 << 16);
    assert_eq!(follow(&mut connections, 42, &answer(SYN_ACK)), Followed::default());
    assert_eq!(follow(&mut connections, 42, &Segment { ack: 102, ..reply(ACK) }), Followed::default());
    let Followed { attempt, news } = follow(&mut connections, 42, &reply(ACK));
    let (attempt, news) = (attempt.unwrap(), news.unwrap());
    assert_eq!(
        (attempt.started, attempt.ends, attempt.has_timer),
        (Ticks(START + 500 * MS), news.ends, true)
    );
    assert_eq!((attempt.ends.client.1, attempt.ends.server.1), (40_000, 25));
    assert_eq!((news.before, news.after.outcome), (Some(ConnSummary::default()), Outcome::Open));
    // Once for each client, number and answer; a SYN that comes late is that of this attempt.
    assert_eq!(follow(&mut connections, 42, &answer(SYN_ACK)), Followed::default());
    assert_eq!(follow(&mut connections, 42, &reply(ACK)), Followed::default());
    let late = connections.plain_syn(42, Ticks(START + 600 * MS), &syn());
    assert_eq!(late.syn, Syn::Retransmission);
}

#[test]
fn a_syn_that_comes_after_its_answer_is_the_attempt() {
    let mut connections = new(1 << 16);
    let (there, back) = (Hop { from: 1, to: 2 }, Hop { from: 2, to: 1 });
    let on = |hop, segment: Segment| Segment { place: Place { hop, ..Place::default() }, ..segment };
    follow(&mut connections, 42, &on(back, answer(SYN_ACK)));
    assert_eq!(connections.plain_syn(42, Ticks(START + 500 * MS + 3), &on(there, syn())).syn, Syn::Attempt);
    let Followed { attempt, news } = follow(&mut connections, 42, &on(there, reply(ACK)));
    assert_eq!(attempt, None);
    assert_eq!(news.map(|news| (news.after.outcome, news.after.proof)), Some((Outcome::Open, Proof::Yes)));
}

#[test]
fn what_overtook_its_syn_is_told_by_the_next_segment() {
    let server_fin = Segment { seq: 101, payload: Some(24), ..answer(FIN_ACK) };
    let mut connections = new(1 << 16);
    for segment in [answer(SYN_ACK), server_fin] {
        assert_eq!(follow(&mut connections, 42, &segment), Followed::default());
    }
    let time = Ticks(START + 499 * MS);
    assert_eq!(connections.plain_syn(42, time, &syn()).syn, Syn::Attempt);
    let news = follow(&mut connections, 42, &reply(ACK)).news.unwrap();
    assert_eq!(
        (news.started, news.before, news.after.outcome),
        (time, Some(ConnSummary::default()), Outcome::Open)
    );
    let next = follow(&mut connections, 42, &Segment { ack: 126, ..reply(FIN_ACK) }).news.unwrap();
    assert_eq!((next.before, next.after.outcome), (Some(news.after), Outcome::Silent));
}

#[test]
fn a_forged_answer_does_not_hide_how_an_open_connection_ends() {
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    follow(&mut connections, 42, &answer(SYN_ACK));
    follow(&mut connections, 42, &reply(ACK));
    follow(&mut connections, 42, &Segment { ack: 70_000_000, ..answer(SYN_ACK) });
    assert_eq!(follow(&mut connections, 42, &reply(FIN_ACK)).news.unwrap().after.outcome, Outcome::Silent);
}

const CLIENT: u64 = 7 << 40;
const SERVER: u64 = 9 << 40;
const TO_CLIENT: Hosts = Hosts { from: SERVER, to: CLIENT };
const TO_SERVER: Hosts = Hosts { from: CLIENT, to: SERVER };

fn on(from: u64, to: u64, segment: Segment) -> Segment {
    Segment { place: Place { hop: Hop { from, to }, ..Place::default() }, ..segment }
}

#[test]
fn an_answer_within_a_second_after_an_unreadable_packet_is_an_unproven_attempt() {
    for (hosts, later, is_attempt) in [
        (TO_SERVER, 0, true),
        (TO_SERVER, S - 1, true),
        (TO_SERVER, S, true),
        (TO_SERVER, S + 1, false),
        (TO_CLIENT, 0, false),
        (Hosts { from: 1, ..TO_SERVER }, 0, false),
    ] {
        let mut connections = new(1 << 16);
        connections.note_unreadable(hosts, Ticks(START));
        let time = Ticks(START + later);
        let Followed { attempt, news } = connections.follow(42, TO_CLIENT, time, &answer(SYN_ACK));
        assert_eq!((attempt.is_some(), news), (is_attempt, None), "{hosts:?} {later}");
        if let Some(attempt) = attempt {
            assert_eq!((attempt.started, attempt.has_timer), (time, true));
            assert_eq!((attempt.ends.client.1, attempt.ends.server.1), (40_000, 25));
            assert_eq!(expire(&mut connections, later + 30 * S), []);
            let told = expire(&mut connections, later + 30 * S + 1);
            assert_eq!(told, [(Some(Outcome::Pending), Outcome::HalfOpen)]);
        }
    }
}

#[test]
fn of_an_unreadable_packet_one_client_number_is_one_attempt_however_often_it_is_answered() {
    let mut connections = new(1 << 16);
    let mut attempts = 0;
    for n in 0..12 {
        connections.note_unreadable(TO_SERVER, Ticks(START + n * S));
        for number in [100, 100, 5_000_000 + n as u32] {
            let again = Segment { seq: number, ..answer(SYN_ACK) };
            let followed = connections.follow(42, TO_CLIENT, Ticks(START + n * S), &again);
            attempts += u32::from(followed.attempt.is_some());
        }
    }
    assert_eq!(attempts, 1);
    // Its SYN, if it comes after all, is that of this attempt; another number is another one.
    assert_eq!(connections.plain_syn(42, Ticks(START + 12 * S), &syn()).syn, Syn::Copy);
    connections.note_unreadable(TO_SERVER, Ticks(START + 13 * S));
    let other = Segment { ack: 9_000_000, ..answer(SYN_ACK) };
    assert!(connections.follow(42, TO_CLIENT, Ticks(START + 13 * S), &other).attempt.is_some());
}

#[test]
fn what_was_inferred_from_an_answer_is_proven_by_its_exact_acknowledgment_alone() {
    let fin = Segment { seq: 101, ..answer(FIN_ACK) };
    for (there, acknowledgment, proof) in [
        (1, reply(ACK), Proof::Yes),
        (1, Segment { ack: 102, ..reply(ACK) }, Proof::None),
        (2, reply(ACK), Proof::None),
        (1, on(2, 1, fin), Proof::None),
    ] {
        let mut connections = new(1 << 16);
        connections.note_unreadable(TO_SERVER, Ticks(START));
        let attempt = connections.follow(42, TO_CLIENT, Ticks(START), &on(2, 1, answer(SYN_ACK))).attempt;
        assert!(attempt.is_some());
        let segment =
            if acknowledgment.dst_port == 25 { on(there, 3 - there, acknowledgment) } else { acknowledgment };
        let news = connections.news(42, &segment);
        assert_eq!(news.map_or(Proof::None, |news| news.after.proof), proof, "{there} {acknowledgment:?}");
    }
}

#[test]
fn a_hidden_syn_of_ports_in_use_is_an_attempt_and_hides_no_end_of_the_open_connection() {
    let mut connections = new(1 << 16);
    connections.plain_syn(42, Ticks(START), &syn());
    connections.news(42, &answer(SYN_ACK));
    connections.news(42, &reply(ACK));
    connections.note_unreadable(TO_SERVER, Ticks(START + S));
    let hidden = Segment { ack: 70_000_001, ..answer(SYN_ACK) };
    let followed = connections.follow(42, TO_CLIENT, Ticks(START + S), &hidden);
    assert!(followed.attempt.is_some_and(|attempt| attempt.moved.is_some()));
    let news = connections.news(42, &reply(FIN_ACK)).unwrap();
    assert_eq!((news.started, news.after.outcome), (Ticks(START), Outcome::Silent));
    let news = connections.news(42, &Segment { seq: 70_000_001, ..reply(ACK) }).unwrap();
    assert_eq!((news.started, news.after.outcome), (Ticks(START + S), Outcome::Open));
}

/// How many of so many SYN-ACKs of one server, so many ticks apart, are attempts; after the first of them so many
/// segments of clients to a server come.
fn one_sided(answers: u64, apart: u64, (clients, server): (u64, u64)) -> (Conntrack, u64) {
    let mut connections = new(1 << 21);
    let attempts = (0..answers).filter(|n| {
        let time = Ticks(START + n * apart);
        let hosts = Hosts { to: CLIENT + n, ..TO_CLIENT };
        let is_attempt = connections.follow((n + 1) << 54, hosts, time, &answer(SYN_ACK)).attempt.is_some();
        (0..clients).filter(|_| *n == 0).for_each(|_| connections.note_client(server));
        is_attempt
    });
    let attempts = attempts.count() as u64;
    (connections, attempts)
}

#[test]
fn from_the_twentieth_answer_of_a_server_whose_clients_are_not_seen_each_is_an_attempt() {
    for (answers, apart, clients, attempts) in [
        (19, MS, (0, SERVER), 0),
        (20, MS, (0, SERVER), 1),
        (21, MS, (0, SERVER), 2),
        (500, MS, (0, SERVER), 481),
        // Fewer than twenty in any minute.
        (100, 4 * S, (0, SERVER), 0),
        // Those of the watched route do not hide the others: one in 16 is both directions.
        (100, MS, (1, SERVER), 81),
        (100, MS, (6, SERVER), 4),
        (100, MS, (7, SERVER), 0),
        (100, MS, (7, CLIENT), 81),
    ] {
        let (connections, found) = one_sided(answers, apart, clients);
        assert_eq!(
            (found, connections.counts().one_sided),
            (attempts, attempts),
            "{answers} {apart} {clients:?}"
        );
    }
}

#[test]
fn what_is_seen_from_the_servers_side_alone_is_unknown_and_proves_nothing() {
    let (mut connections, _) = one_sided(21, MS, (0, SERVER));
    let fin = Segment { seq: 101, ..answer(FIN_ACK) };
    let news = connections.follow(20 << 54, TO_CLIENT, Ticks(START + S), &fin).news.unwrap();
    assert_eq!((news.after.outcome, news.after.proof), (Outcome::Unknown, Proof::None));
    assert_eq!(expire(&mut connections, 31 * S), [(Some(Outcome::Pending), Outcome::Unknown)]);
}

#[test]
fn nothing_is_inferred_from_an_answer_while_attempts_of_five_seconds_have_to_give_way() {
    for (age, is_attempt) in [(5 * S - 1, false), (5 * S, true), (5 * S + 1, true)] {
        let mut connections = new(1);
        for n in 0..WAYS as u64 {
            connections.plain_syn(n + 1, Ticks(START), &syn());
        }
        connections.note_unreadable(TO_SERVER, Ticks(START + age));
        let followed = connections.follow(99, TO_CLIENT, Ticks(START + age), &answer(SYN_ACK));
        assert_eq!(followed.attempt.is_some(), is_attempt, "{age}");
        assert_eq!(connections.counts().evicted, u64::from(is_attempt));
    }
    // There is room.
    let mut connections = new(1);
    (1..WAYS as u64).for_each(|n| _ = connections.plain_syn(n, Ticks(START), &syn()));
    connections.note_unreadable(TO_SERVER, Ticks(START));
    assert!(connections.follow(99, TO_CLIENT, Ticks(START), &answer(SYN_ACK)).attempt.is_some());
}
