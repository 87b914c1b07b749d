//! What follows from which segments, as tables. Numbers are counted from the initial ones.

use super::*;
use crate::connections::tests::syn;

/// Of both sides: so that all numbers wrap around soon.
const CLIENT: u32 = u32::MAX - 1;
const SERVER: u32 = u32::MAX - 2;

#[derive(Clone, Copy)]
enum Seen {
    /// From the client or the server: sequence number, acknowledgment, flags, bytes.
    Client(u32, u32, u8, u32),
    Server(u32, u32, u8, u32),
    /// From the server's address, but the client's side.
    Forger(u32, u32, u8, u32),
    /// From the server, by a way that cannot be told.
    Somewhere(u32, u32, u8, u32),
    /// The time is over.
    Time,
    /// The SYN comes again.
    Again,
}
use Seen::{Again, Client, Forger, Server, Somewhere, Time};

const F: u8 = 0x01;
const S: u8 = 0x02;
const R: u8 = 0x04;
const A: u8 = 0x10;

fn facts(seen: &[Seen]) -> Facts {
    let mut facts = Facts::attempt(&Segment { seq: CLIENT, ..syn() });
    for from in seen {
        let segment = |seq: u32, ack: u32, flags: u8, payload: u32| Segment {
            seq,
            ack,
            flags: Flags(flags),
            payload: Some(payload),
            ..syn()
        };
        let of_client =
            |seq, ack, flags, len| segment(CLIENT.wrapping_add(seq), SERVER.wrapping_add(ack), flags, len);
        let of_server =
            |seq, ack, flags, len| segment(SERVER.wrapping_add(seq), CLIENT.wrapping_add(ack), flags, len);
        match *from {
            Client(seq, ack, flags, len) => facts.client(&of_client(seq, ack, flags, len)),
            Server(seq, ack, flags, len) => facts.server(&of_server(seq, ack, flags, len), Some(true)),
            Forger(seq, ack, flags, len) => facts.server(&of_server(seq, ack, flags, len), Some(false)),
            Somewhere(seq, ack, flags, len) => facts.server(&of_server(seq, ack, flags, len), None),
            Time => facts.expire(),
            Again => facts.repeat(),
        }
    }
    facts
}

fn life(seen: &[Seen]) -> Life {
    facts(seen).life()
}

/// SYN-ACK and ACK, and then.
fn established(then: &[Seen]) -> Life {
    life(&[&[Server(0, 1, S | A, 0), Client(1, 1, A, 0)], then].concat())
}

#[test]
fn before_the_handshake() {
    use Outcome::{HalfOpen, Open, Pending, Refused, Unanswered, Unknown};
    let answer = Server(0, 1, S | A, 0);
    for (number, (seen, outcome)) in [
        (&[][..], Pending),
        (&[Time], Unanswered),
        (&[Server(0, 1, R | A, 0)], Refused),
        (&[Time, Server(0, 1, R | A, 0)], Refused),
        // It acknowledges something else, or nothing.
        (&[Server(0, 0, R | A, 0)], Pending),
        (&[answer], Pending),
        (&[Server(0, 2, S | A, 0), Client(2, 1, A, 0)], Open),
        (&[Server(0, 0, S | A, 0)], Pending),
        (&[answer, Time], HalfOpen),
        (&[answer, Client(1, 0, R, 0)], HalfOpen),
        (&[answer, Server(1, 1, R | A, 0)], HalfOpen),
        (&[answer, Time, Client(1, 1, A, 0)], Open),
        // The answer to a SYN that came again after the time was over is waited on anew.
        (&[Time, Again, answer], Pending),
        (&[Time, Again, answer, Time], HalfOpen),
        (&[Time, answer], HalfOpen),
        (&[Time, Again], Unanswered),
        // One direction only.
        (&[Client(1, 1, A, 0)], Pending),
        (&[Client(1, 1, A, 0), Time], Unknown),
        (&[Client(1, 1, A, 0), Client(1, 1, F | A, 0)], Unknown),
        (&[Client(1, 0, R, 0), Time], Unknown),
        (&[Server(1, 1, F | A, 0)], Unknown),
        (&[Client(1, 1, A, 0), Server(1, 1, R | A, 0)], Unknown),
        (&[answer, Server(1, 1, F | A, 0)], Unknown),
        (&[answer, Client(7, 0, R, 0)], Unknown),
        (&[answer, Server(1, 7, R | A, 0)], Unknown),
        // Out of order.
        (&[Client(1, 1, A, 0), answer], Open),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(life(seen).outcome, outcome, "row {number}");
    }
}

#[test]
fn after_the_handshake() {
    use Outcome::{Open, Silent, Spoke, Unknown};
    for (number, (then, outcome, sent, received)) in [
        (&[][..], Open, 0, 0),
        // The client closes first, with and without bytes on the FIN.
        (&[Client(1, 1, F | A, 0)], Silent, 0, 0),
        (&[Client(1, 1, F | A, 5)], Spoke, 5, 0),
        (&[Client(6, 1, F | A, 0)], Spoke, 5, 0),
        (&[Client(1, 25, A, 0), Client(1, 25, F | A, 0)], Silent, 0, 24),
        (&[Client(1, 1, F | A, 0), Server(1, 2, F | A, 24)], Silent, 0, 24),
        (&[Client(1, 1, F | A, 5), Server(1, 7, F | A, 3), Client(7, 5, A, 0)], Spoke, 5, 3),
        // The server closes first: what the client says may still come.
        (&[Server(1, 1, F | A, 0)], Open, 0, 0),
        (&[Server(1, 1, F | A, 0), Client(1, 2, F | A, 0)], Silent, 0, 0),
        (&[Server(1, 1, F | A, 0), Client(7, 2, F | A, 0)], Spoke, 6, 0),
        (&[Server(1, 7, F | A, 3)], Spoke, 6, 3),
        // A byte, or a FIN that was not seen.
        (&[Server(1, 2, F | A, 3)], Open, 0, 0),
        (&[Server(1, 2, F | A, 3), Client(2, 5, F | A, 0)], Spoke, 1, 3),
        (&[Server(1, 2, F | A, 3), Client(1, 5, F | A, 0)], Silent, 0, 3),
        (&[Server(1, 3, F | A, 3)], Spoke, 2, 3),
        // Both at once.
        (&[Client(1, 1, F | A, 0), Server(1, 1, F | A, 0), Client(2, 2, A, 0)], Silent, 0, 0),
        // A reset of one's own accord is a last word.
        (&[Client(1, 1, R | A, 0)], Silent, 0, 0),
        (&[Client(2, 1, R | A, 0)], Unknown, 0, 0),
        (&[Client(3, 1, R | A, 0)], Spoke, 2, 0),
        (&[Server(1, 1, R | A, 0)], Silent, 0, 0),
        (&[Server(1, 2, R | A, 0)], Unknown, 0, 0),
        (&[Server(1, 3, R | A, 0)], Spoke, 2, 0),
        // One that answers something is not.
        (&[Client(1, 0, R, 0)], Unknown, 0, 0),
        (&[Client(3, 0, R, 0)], Spoke, 2, 0),
        (&[Server(1, 0, R, 0)], Unknown, 0, 0),
        (&[Server(1, 1, F | A, 0), Server(2, 0, R, 0)], Unknown, 0, 0),
        (&[Server(1, 1, R | A, 0), Server(1, 0, R, 0)], Unknown, 0, 0),
        (&[Client(1, 1, F | A, 0), Client(2, 0, R, 0)], Silent, 0, 0),
        (&[Client(1, 0, R, 0), Client(1, 1, F | A, 0)], Silent, 0, 0),
        (&[Client(1, 1, R | A, 0), Client(9, 0, R, 0)], Silent, 0, 0),
        // From an earlier connection of the same ports.
        (&[Client(0x9000_0000, 1, F | A, 0)], Open, 0, 0),
        (&[Server(0x9000_0000, 1, F | A, 0)], Open, 0, 0),
        (&[Server(1, 0x9000_0000, F | A, 0)], Open, 0, 0),
        // A probe says nothing new.
        (&[Client(0, 1, A, 0)], Open, 0, 0),
        // What was acknowledged last may come last but one.
        (&[Client(1, 25, A, 0), Client(1, 9, A, 0), Client(1, 25, F | A, 0)], Silent, 0, 24),
        (&[Server(1, 9, F | A, 0), Server(1, 7, F | A, 0)], Spoke, 8, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let life = established(then);
        assert_eq!((life.outcome, life.sent, life.received), (outcome, sent, received), "row {number}");
        assert!(life.proven, "row {number}");
    }
}

#[test]
fn what_was_sent_on_the_syn_counts() {
    let fast_open = [Server(0, 6, S | A, 0), Client(6, 1, A, 0), Client(6, 1, F | A, 0)];
    let life = life(&fast_open);
    assert_eq!((life.outcome, life.sent), (Outcome::Spoke, 5));
}

#[test]
fn a_greeting_is_more_than_the_number_of_a_fin() {
    for (ack, greeted) in [(1, false), (2, false), (3, true)] {
        assert_eq!(established(&[Client(1, ack, F | A, 0)]).greeted, greeted, "acknowledged {ack}");
    }
    assert!(established(&[Client(1, 1, F | A, 0), Server(1, 2, F | A, 1)]).greeted, "one byte, and the FIN");
    assert!(!life(&[Server(0, 1, S | A, 0), Client(1, 0x7000_0000, A, 0)]).greeted, "of another answer");
}

#[test]
fn a_proof_lies_within_the_smallest_window() {
    let answer = Server(0, 1, S | A, 0);
    for (ack, proven) in [
        (0, false),
        (1, true),
        (2, true),
        (65_535, true),
        (65_536, false),
        (0x7fff_ffff, false),
        (u32::MAX, false),
    ] {
        assert_eq!(life(&[answer, Client(1, ack, A, 0)]).proven, proven, "ACK of {ack}");
        assert_eq!(life(&[Client(1, ack, A, 0), answer]).proven, proven, "ACK of {ack}, before the answer");
        assert_eq!(life(&[answer, Client(1, ack, R | A, 0)]).proven, proven, "RST with ACK of {ack}");
    }
    // The window is asked while numbers are near it: later ones do not take the proof away.
    assert!(established(&[Client(1, 70_000, A, 0), Client(1, 0x5000_0000, A, 0)]).proven);
}

#[test]
fn what_proves_nothing() {
    let answer = Server(0, 1, S | A, 0);
    for (number, seen) in [
        &[answer][..],
        &[answer, Client(1, 1, R, 0)],
        // Guesses, of which one hits in the end.
        &[answer, Client(1, 0x3000_0000, A, 0), Client(1, 1, A, 0)],
        // All from one side.
        &[Forger(0, 1, S | A, 0), Client(1, 1, A, 0)],
        &[answer, Client(1, 1, A, 0), Forger(1, 1, F | A, 0)],
        // From nobody knows where.
        &[Somewhere(0, 1, S | A, 0), Client(1, 1, A, 0)],
        // Two answers: the client knows one of them.
        &[answer, Server(5, 1, S | A, 0), Client(1, 1, A, 0)],
        &[answer, Client(1, 1, A, 0), Server(5, 1, S | A, 0)],
        // An answer that acknowledges something else is none.
        &[Server(0, 9_000_000, S | A, 0), Client(1, 1, A, 0)],
        // A SYN-ACK of the client's.
        &[answer, Client(1, 1, S | A, 0)],
    ]
    .into_iter()
    .enumerate()
    {
        assert!(!life(seen).proven, "row {number}");
    }
    // The same answer twice is one.
    assert!(life(&[answer, answer, Client(1, 1, A, 0)]).proven);
    // A server that takes bytes has had the ACK.
    assert!(life(&[answer, Server(1, 3, F | A, 0)]).proven);
    assert!(!life(&[answer, Server(1, 1, F | A, 0)]).proven);
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
        seen: ANSWERED | CLIENT_KNOWS | CLIENT_ACK,
        client_isn: CLIENT,
        ..Facts::default()
    };
    let mut facts = far;
    let segment = Segment { seq: 0, ack: CLIENT.wrapping_add(1), flags: Flags(R | A), ..syn() };
    facts.server(&segment, Some(true));
    assert_eq!(facts, far);
}
