//! Outcomes and bytes.

use super::*;

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
        // Of data that the SYN did not have.
        (&[Server(0, 2, S | A, 0), Client(2, 1, A, 0)], Pending),
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
        // A server closes only what was completed.
        (&[answer, Server(1, 1, F | A, 0)], Open),
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
        // One that answers something is the server's last word no more; the client's names what it had said.
        (&[Client(1, 0, R, 0)], Silent, 0, 0),
        (&[Client(2, 0, R, 0)], Unknown, 0, 0),
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
        assert!(life.proof == Proof::Yes, "row {number}");
    }
}

#[test]
fn what_was_sent_on_the_syn_counts() {
    let mut facts = Facts::attempt(&Segment { seq: CLIENT, payload: Some(5), ..syn() });
    let number = |of: u32, offset: u32| of.wrapping_add(offset);
    let answer = Segment { seq: SERVER, ack: number(CLIENT, 6), flags: Flags(S | A), ..syn() };
    from_server(&mut facts, &answer, OPPOSITE);
    for flags in [A, F | A] {
        let (seq, ack) = (number(CLIENT, 6), number(SERVER, 1));
        facts.client(&Segment { seq, ack, flags: Flags(flags), ..syn() });
    }
    let life = facts.life(Proof::None);
    assert_eq!((life.outcome, life.sent, life.proof), (Outcome::Spoke, 5, Proof::Yes));
}

#[test]
fn a_greeting_is_more_than_the_number_of_a_fin() {
    for (ack, greeted) in [(1, false), (2, false), (3, true)] {
        assert_eq!(established(&[Client(1, ack, F | A, 0)]).greeted, greeted, "acknowledged {ack}");
    }
    assert!(established(&[Client(1, 1, F | A, 0), Server(1, 2, F | A, 1)]).greeted, "one byte, and the FIN");
    assert!(!life(&[Server(0, 1, S | A, 0), Client(1, 0x7000_0000, A, 0)]).greeted, "of another answer");
}
