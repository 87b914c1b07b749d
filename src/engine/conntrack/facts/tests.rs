//! What follows from which segments, as tables. Numbers are counted from the initial ones.
mod numbers;
mod outcomes;

use super::*;
use crate::engine::conntrack::path::{OPPOSITE, SAME};
use crate::engine::conntrack::tests::syn;
use crate::engine::outcome::{ConnSummary, Outcome, Proof};

/// Of both sides: so that all numbers wrap around soon.
const CLIENT: u32 = u32::MAX - 1;
const SERVER: u32 = u32::MAX - 2;

#[derive(Clone, Copy)]
enum Seen {
    /// From the client or the server: sequence number, acknowledgment, flags, bytes.
    Client(u32, u32, u8, u32),
    Server(u32, u32, u8, u32),
    /// From the server's address, but on the client's side.
    Forger(u32, u32, u8, u32),
    /// From the server, on a path without a known direction.
    Somewhere(u32, u32, u8, u32),
    /// The timer expires.
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
            Client(seq, ack, flags, len) => {
                facts.client(&of_client(seq, ack, flags, len));
            }
            Server(seq, ack, flags, len) => {
                from_server(&mut facts, &of_server(seq, ack, flags, len), OPPOSITE)
            }
            Forger(seq, ack, flags, len) => from_server(&mut facts, &of_server(seq, ack, flags, len), SAME),
            Somewhere(seq, ack, flags, len) => from_server(&mut facts, &of_server(seq, ack, flags, len), 0),
            Time => facts.expire(),
            Again => facts.repeat(),
        }
    }
    facts
}

/// A segment from the server's address, on a path that shows this.
fn from_server(facts: &mut Facts, segment: &Segment, shown: u32) {
    if !segment.flags.has(Flags::SYN) {
        facts.server(segment, shown == OPPOSITE);
    } else if facts.answer(segment, true) != Answer::No {
        facts.show(shown);
    }
}

fn life(seen: &[Seen]) -> ConnSummary {
    facts(seen).life(Proof::None)
}

/// SYN-ACK and ACK, and then.
fn established(then: &[Seen]) -> ConnSummary {
    life(&[&[Server(0, 1, S | A, 0), Client(1, 1, A, 0)], then].concat())
}
