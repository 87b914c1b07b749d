//! What can become of an attempt: one host for each outcome, 30 attempts each.

use std::net::SocketAddr;

use super::Capture;
use super::conversation::Conversation;
use super::mail::delivery;
use super::packet::{MONDAY, MS, Nanos, SECOND, server};
use super::trace::Trace;

pub(crate) const GREETING: &[u8] = b"220 mail.example ESMTP\r\n";

/// Attempts of each host: as many as the limit allows in 10 s.
const ATTEMPTS: i64 = 30;
const EVERY: Nanos = 300 * MS;
/// From one host's first attempt to the next one's: together they stay under the limit of their network.
const APART: Nanos = 11 * SECOND;

/// Hosts that come one after the other, each with what it does and what becomes of it.
pub(crate) struct Hosts {
    pub(crate) trace: Trace,
    pub(crate) ends: Vec<(String, &'static str)>,
}

impl Hosts {
    pub(crate) fn new(seed: u64) -> Self {
        Self { trace: Trace::new(seed), ends: Vec::new() }
    }

    /// The next host, with what its last report says: bytes are counted from the first report on, which the last of the
    /// attempts brings about, so they are those of one connection. From a moment, `act` makes an attempt and what
    /// follows. Its address is 203.0.113.101 and so on.
    pub(crate) fn host(&mut self, end: &'static str, act: impl Fn(&mut Trace, Nanos, SocketAddr)) {
        let number = self.ends.len() as i64;
        let addr = [203, 0, 113, 101 + number as u8];
        for i in 0..ATTEMPTS {
            let client = SocketAddr::from((addr, 40_000 + i as u16));
            act(&mut self.trace, MONDAY + number * APART + i * EVERY, client);
        }
        self.ends.push((SocketAddr::from((addr, 0)).ip().to_string(), end));
    }

    /// A mail long after all that, so that time goes on and every episode ends.
    pub(crate) fn afterwards(&mut self) {
        let late = MONDAY + self.ends.len() as i64 * APART + 120 * SECOND;
        delivery(&mut self.trace, late, SocketAddr::from(([198, 51, 100, 20], 41_000)), server(25));
    }

    pub(crate) fn capture(mut self, name: &'static str, story: &'static str) -> Capture {
        Capture::ethernet(name, story, &mut self.trace, &[]).ending(self.ends)
    }
}

pub(crate) fn captures() -> Vec<Capture> {
    vec![outcomes(), one_port(), pending()]
}

fn outcomes() -> Capture {
    let mut hosts = Hosts::new(70);
    hosts.host("refused:30 verified=no", |trace, start, client| {
        Conversation::attempt(trace, start, 20 * MS, client, server(995)).refuse();
    });
    hosts.host("unanswered:30 verified=no", |trace, start, client| {
        let mut silence = Conversation::attempt(trace, start, 20 * MS, client, server(25));
        silence.retransmit(SECOND);
        silence.retransmit(2 * SECOND);
    });
    hosts.host("half-open:30 verified=no", |trace, start, client| {
        let mut half = Conversation::attempt(trace, start, 20 * MS, client, server(25));
        half.answer();
        half.wait(SECOND);
        half.answer_again(0);
    });
    hosts.host("silent:30 verified=yes", |trace, start, client| {
        Conversation::open(trace, start, 20 * MS, client, server(25)).client_closes();
    });
    hosts.host("silent:30 greeted=30 received=720 verified=yes", |trace, start, client| {
        let mut visit = Conversation::open(trace, start, 20 * MS, client, server(25));
        visit.server_says(GREETING);
        visit.client_closes();
    });
    hosts.host("spoke:30 sent=180 received=1170 verified=yes", |trace, start, client| {
        let mut talk = Conversation::open(trace, start, 20 * MS, client, server(25));
        talk.server_says(GREETING);
        talk.asks("QUIT\r\n", "221 2.0.0 Bye\r\n");
        talk.server_closes();
    });
    hosts.host("open:30 verified=yes", |trace, start, client| {
        let mut idle = Conversation::open(trace, start, 20 * MS, client, server(143));
        idle.server_says(b"* OK IMAP4rev1 ready\r\n");
        idle.asks("a1 LOGIN user secret\r\n", "a1 OK LOGIN completed\r\n");
        idle.asks("a2 IDLE\r\n", "+ idling\r\n");
        for _ in 0..3 {
            idle.wait(10 * SECOND);
            idle.client_probes();
        }
        idle.wait(10 * SECOND);
        idle.server_says(b"* OK Still here\r\n");
    });
    hosts.afterwards();
    hosts.capture(
        "outcomes.pcap",
        "30 attempts in 8.7 s of one host after the other, one for each outcome: refused; unanswered, with two \
         retransmissions; accepted, but the client does not go on; silent at a server that does not greet; silent at one \
         that does; QUIT and goodbye; IMAP IDLE that stays open, with keep-alive probes.",
    )
}

fn one_port() -> Capture {
    let one_port = |client: SocketAddr| SocketAddr::new(client.ip(), 40_000);
    let mut hosts = Hosts::new(72);
    hosts.host("refused:30 verified=no", |trace, start, client| {
        Conversation::attempt(trace, start, 20 * MS, one_port(client), server(995)).refuse();
    });
    hosts.host("unanswered:30 verified=no", |trace, start, client| {
        Conversation::attempt(trace, start, 20 * MS, one_port(client), server(25)).retransmit(SECOND);
    });
    hosts.host("half-open:30 verified=no", |trace, start, client| {
        let mut half = Conversation::attempt(trace, start, 400 * MS, one_port(client), server(25));
        half.answer();
    });
    hosts.host("silent:30 verified=yes", |trace, start, client| {
        Conversation::open(trace, start, 20 * MS, one_port(client), server(25)).client_closes();
    });
    hosts.afterwards();
    hosts.capture(
        "outcomes-one-port.pcap",
        "As outcomes.pcap, but each host uses one source port for all its attempts, and the next SYN may come before the \
         answer to the last: refused; unanswered, with a retransmission; half-open; silent.",
    )
}

fn pending() -> Capture {
    let mut hosts = Hosts::new(71);
    hosts.host("pending:30 verified=no", |trace, start, client| {
        Conversation::attempt(trace, start, 20 * MS, client, server(25));
    });
    hosts.capture(
        "outcomes-pending.pcap",
        "30 SYNs without an answer, and the capture ends: too early to say what becomes of them.",
    )
}
