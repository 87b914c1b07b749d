//! All the ways in which a connection can end: one host each.

use super::Capture;
use super::conversation::Conversation;
use super::outcomes::{GREETING, Hosts};
use super::packet::{ACK, FIN, MS, PSH, server};

pub(crate) fn captures() -> Vec<Capture> {
    let mut hosts = Hosts::new(72);
    hosts.host("silent:30 greeted=30 received=720 verified=yes", |trace, start, client| {
        let mut visit = Conversation::open(trace, start, 20 * MS, client, server(25));
        visit.server_says(GREETING);
        // Nothing was said when the server had enough of it.
        visit.server_closes();
    });
    hosts.host("spoke:30 sent=180 received=720 verified=yes", |trace, start, client| {
        let mut talk = Conversation::open(trace, start, 20 * MS, client, server(25));
        // The server closes at once; what the client says crosses that on its way.
        talk.server_sends(FIN | PSH | ACK, GREETING);
        talk.client_sends(PSH | ACK, b"QUIT\r\n");
        talk.client_sends(FIN | ACK, b"");
        talk.server_sends(ACK, b"");
    });
    hosts.host("silent:30 verified=yes", |trace, start, client| {
        let mut visit = Conversation::open(trace, start, 20 * MS, client, server(25));
        // Both FINs are under way at once: neither acknowledges the other.
        visit.crossing_fins();
        visit.client_sends(ACK, b"");
        visit.server_sends(ACK, b"");
    });
    hosts.host("silent:30 greeted=30 received=720 verified=yes", |trace, start, client| {
        let mut visit = Conversation::open(trace, start, 20 * MS, client, server(25));
        visit.server_says(GREETING);
        visit.client_resets();
    });
    hosts.host("silent:30 greeted=30 received=720 verified=yes", |trace, start, client| {
        let mut visit = Conversation::open(trace, start, 20 * MS, client, server(25));
        visit.server_says(GREETING);
        visit.server_resets();
    });
    hosts.host("spoke:30 sent=180 received=720 verified=yes", |trace, start, client| {
        let mut talk = Conversation::open(trace, start, 20 * MS, client, server(25));
        talk.server_says(GREETING);
        talk.client_says(b"QUIT\r\n");
        talk.server_resets();
    });
    hosts.host("spoke:30 sent=180 received=1170 verified=yes", |trace, start, client| {
        let mut talk = Conversation::open(trace, start, 20 * MS, client, server(25));
        talk.server_says(GREETING);
        // The client closes its direction and listens on.
        talk.client_sends(FIN | PSH | ACK, b"QUIT\r\n");
        talk.server_says(b"221 2.0.0 Bye\r\n");
        talk.server_sends(FIN | ACK, b"");
        talk.client_sends(ACK, b"");
    });
    hosts.host("silent:30 verified=yes", |trace, start, client| {
        let mut visit = Conversation::open(trace, start, 20 * MS, client, server(25));
        // Gone when the greeting comes: that is reset, by number of the server's acknowledgment.
        visit.client_sends(FIN | ACK, b"");
        visit.server_sends(PSH | ACK, GREETING);
        visit.client_denies();
    });
    hosts.host("unknown:30 verified=yes", |trace, start, client| {
        let mut talk = Conversation::open(trace, start, 20 * MS, client, server(25));
        // A server that is gone resets what is said to it: what that was cannot be told.
        talk.server_sends(FIN | PSH | ACK, GREETING);
        talk.client_sends(PSH | ACK, b"QUIT\r\n");
        talk.server_denies();
    });
    hosts.afterwards();
    vec![hosts.capture(
        "closings.pcap",
        "30 connections in 8.7 s of one host after the other, one for each way to end: the server closes first; it closes \
         before the client says QUIT; both close at once; the client resets; the server resets; it resets after QUIT; the \
         client closes its direction with QUIT on the FIN and listens on; it is gone when the greeting comes and resets \
         that; the server is gone when QUIT comes and resets that (unknown).",
    )]
}
