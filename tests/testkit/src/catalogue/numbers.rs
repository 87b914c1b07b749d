//! Sequence numbers at their limits, and captures that show only a part.

use super::Capture;
use super::conversation::Conversation;
use super::outcomes::{GREETING, Hosts};
use super::packet::{ACK, FIN, MONDAY, MS, PSH, SECOND, SYN, server};

/// The server of these stories.
const PORT: u16 = 25;
/// A number that wraps around within a line.
const NEARLY_OVER: u32 = u32::MAX - 2;

pub(crate) fn captures() -> Vec<Capture> {
    vec![numbers(), partial()]
}

fn numbers() -> Capture {
    let mut hosts = Hosts::new(73);
    hosts.host("spoke:30 sent=180 received=1170 verified=yes", |trace, start, client| {
        let (client, server) = ((client, NEARLY_OVER), (server(PORT), NEARLY_OVER));
        let mut talk = Conversation::numbered(trace, start, 20 * MS, client, server, b"");
        talk.handshake();
        talk.server_says(GREETING);
        talk.asks("QUIT\r\n", "221 2.0.0 Bye\r\n");
        talk.client_closes();
    });
    hosts.host("silent:30 greeted=30 received=720 verified=yes", |trace, start, client| {
        let (client, server) = ((client, u32::MAX), (server(PORT), u32::MAX));
        let mut visit = Conversation::numbered(trace, start, 20 * MS, client, server, b"");
        visit.handshake();
        visit.server_says(GREETING);
        visit.client_closes();
    });
    hosts.host("spoke:30 sent=630 received=720 verified=yes", |trace, start, client| {
        let (client, server) = ((client, 1000), (server(PORT), 5000));
        let mut talk =
            Conversation::numbered(trace, start, 20 * MS, client, server, b"EHLO client.example\r\n");
        talk.handshake();
        talk.server_says(GREETING);
        talk.client_closes();
    });
    hosts.host("silent:30 verified=yes", |trace, start, client| {
        let (client, server) = ((client, 1000), (server(PORT), 5000));
        let mut visit = Conversation::numbered(trace, start, 20 * MS, client, server, b"");
        // The answer comes twice before the client's ACK does.
        visit.answer();
        visit.answer_again(0);
        visit.client_sends(ACK, b"");
        visit.client_closes();
    });
    hosts.host("silent:30 verified=yes", |trace, start, client| {
        let (client, server) = ((client, 1000), (server(PORT), 5000));
        let mut visit = Conversation::numbered(trace, start, 20 * MS, client, server, b"");
        // A second cookie, for a SYN that came again; the client has taken the first.
        visit.answer();
        visit.answer_again(1 << 24);
        visit.client_sends(ACK, b"");
        visit.client_closes();
    });
    hosts.host("silent:15,spoke:15 sent=90 verified=yes", |trace, start, client| {
        // The same ports once more, half a second after the last FIN: that is another connection.
        let is_again = client.port() % 2 == 1;
        let client = (client.ip(), client.port() & !1).into();
        let mut visit = Conversation::open(trace, start, 20 * MS, client, server(PORT));
        if is_again {
            visit.client_says(b"QUIT\r\n");
        }
        visit.client_closes();
    });
    hosts.afterwards();
    hosts.capture(
        "numbers.pcap",
        "30 connections in 8.7 s of one host after the other: numbers of both sides that wrap around within a line; \
         initial numbers of 2^32 - 1; EHLO on the SYN (TCP Fast Open); the SYN-ACK twice; a second SYN-ACK with another \
         number, as with SYN cookies; ports that are used again at once, silent and QUIT by \
         turns.",
    )
}

fn partial() -> Capture {
    let mut hosts = Hosts::new(74);
    hosts.host("unknown:30 verified=no", |trace, start, client| {
        // What the server sends takes another way.
        let mut talk = Conversation::attempt(trace, start, 20 * MS, client, server(PORT));
        talk.is_heard_by_client_only();
        talk.client_sends(ACK, b"");
        talk.client_sends(FIN | ACK, b"");
    });
    hosts.host("unknown:30 verified=no", |trace, start, client| {
        // The same, and the client waits for something.
        let mut talk = Conversation::attempt(trace, start, 20 * MS, client, server(PORT));
        talk.is_heard_by_client_only();
        talk.client_sends(ACK, b"");
    });
    hosts.host("half-open:30 verified=no", |trace, start, client| {
        // Of the client its SYN alone is seen: no ACK shows that it is there.
        let mut talk = Conversation::attempt(trace, start, 20 * MS, client, server(PORT));
        talk.answer();
        talk.server_sends(PSH | ACK, GREETING);
    });
    hosts.host("silent:30 greeted=30 received=720 verified=yes", |trace, start, client| {
        // The ACK is captured before the SYN-ACK, the client's FIN before its ACK of the greeting.
        let mut visit = Conversation::attempt(trace, start, 20 * MS, client, server(PORT));
        visit.answer();
        visit.step_back(30 * MS);
        visit.client_sends(ACK, b"");
        visit.wait(30 * MS);
        visit.server_sends(PSH | ACK, GREETING);
        visit.client_sends(FIN | ACK, b"");
        visit.step_back(30 * MS);
        visit.client_acknowledges_below_fin();
        visit.wait(30 * MS);
        visit.server_sends(FIN | ACK, b"");
        visit.client_sends(ACK, b"");
    });
    hosts.afterwards();
    // A connection of which only the server's direction is seen is no attempt at all.
    let mut half = Conversation::unseen(
        &mut hosts.trace,
        MONDAY + SECOND,
        ([203, 0, 113, 150], 40_000).into(),
        server(PORT),
    );
    half.server_sends(SYN | ACK, b"");
    half.server_sends(PSH | ACK, GREETING);
    half.server_sends(FIN | ACK, b"");
    hosts.capture(
        "partial.pcap",
        "30 connections in 8.7 s of one host after the other, of which only a part is seen: the client's direction; the \
         same, without an end; of the client its SYN alone; all of it, but ACK before SYN-ACK and FIN before ACK. And one of \
         the server's direction alone, which is no attempt.",
    )
}
