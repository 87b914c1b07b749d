//! A TCP conversation whose sequence numbers add up.

use std::net::SocketAddr;

use super::packet::{ACK, FIN, MS, Nanos, PSH, RST, SYN, Segment, US, is_inside};
use super::trace::Trace;

/// A host on the captured Ethernet answers at once; the answers of one behind the router take a round trip.
const INSIDE_TIME: Nanos = 120 * US;

/// A conversation under way. Each step happens after the one before it.
pub(crate) struct Conversation<'a> {
    trace: &'a mut Trace,
    client: SocketAddr,
    server: SocketAddr,
    /// The next sequence number of each.
    client_seq: u32,
    server_seq: u32,
    /// How long each takes to answer.
    client_time: Nanos,
    server_time: Nanos,
    now: Nanos,
}

impl<'a> Conversation<'a> {
    /// The client's SYN.
    pub(crate) fn attempt(
        trace: &'a mut Trace,
        start: Nanos,
        round_trip: Nanos,
        client: SocketAddr,
        server: SocketAddr,
    ) -> Self {
        let client_seq = trace.attempt(start, client, server);
        let server_seq = trace.random.sequence_number();
        let time = |addr| if is_inside(addr) { INSIDE_TIME } else { round_trip };
        let (client_time, server_time) = (time(client.ip()), time(server.ip()));
        Self { trace, client, server, client_seq, server_seq, client_time, server_time, now: start }
    }

    /// Attempt and handshake.
    pub(crate) fn open(
        trace: &'a mut Trace,
        start: Nanos,
        round_trip: Nanos,
        client: SocketAddr,
        server: SocketAddr,
    ) -> Self {
        let mut conversation = Self::attempt(trace, start, round_trip, client, server);
        conversation.handshake();
        conversation
    }

    /// The same SYN again.
    pub(crate) fn retransmit(&mut self, after: Nanos) {
        self.now += after;
        self.trace.push(self.now, Segment::syn(self.client, self.server, self.client_seq));
    }

    pub(crate) fn handshake(&mut self) {
        self.client_seq = self.client_seq.wrapping_add(1);
        self.server_sends(SYN | ACK, b"");
        self.client_sends(ACK, b"");
    }

    /// The server's port is closed.
    pub(crate) fn refuse(&mut self) {
        self.client_seq = self.client_seq.wrapping_add(1);
        self.server_seq = 0;
        self.server_sends(RST | ACK, b"");
    }

    pub(crate) fn wait(&mut self, time: Nanos) {
        self.now += time;
    }

    pub(crate) fn server_says(&mut self, bytes: &[u8]) {
        self.server_sends(PSH | ACK, bytes);
        self.client_sends(ACK, b"");
    }

    pub(crate) fn client_says(&mut self, bytes: &[u8]) {
        self.client_sends(PSH | ACK, bytes);
        self.server_sends(ACK, b"");
    }

    /// Command and answer, the answer acknowledging the command.
    pub(crate) fn asks(&mut self, command: &str, answer: &str) {
        self.client_sends(PSH | ACK, command.as_bytes());
        self.wait(3 * MS);
        self.server_sends(PSH | ACK, answer.as_bytes());
    }

    /// The client leaves; the server, which has nothing to add, follows.
    pub(crate) fn client_closes(mut self) {
        self.client_sends(FIN | ACK, b"");
        self.server_sends(FIN | ACK, b"");
        self.client_sends(ACK, b"");
    }

    /// The server leaves first, as it does after QUIT.
    pub(crate) fn server_closes(mut self) {
        self.server_sends(FIN | ACK, b"");
        self.client_sends(FIN | ACK, b"");
        self.server_sends(ACK, b"");
    }

    fn server_sends(&mut self, flags: u16, payload: &[u8]) {
        self.now += self.server_time;
        let (seq, ack) = (self.server_seq, self.client_seq);
        self.server_seq = self.server_seq.wrapping_add(length(flags, payload));
        let (from, to) = (self.server, self.client);
        self.trace.push(self.now, Segment { from, to, seq, ack, flags, payload: payload.to_vec() });
    }

    fn client_sends(&mut self, flags: u16, payload: &[u8]) {
        self.now += self.client_time;
        let (seq, ack) = (self.client_seq, self.server_seq);
        self.client_seq = self.client_seq.wrapping_add(length(flags, payload));
        let (from, to) = (self.client, self.server);
        self.trace.push(self.now, Segment { from, to, seq, ack, flags, payload: payload.to_vec() });
    }
}

/// What a segment takes of the sequence numbers: its bytes, and one for SYN and FIN each.
fn length(flags: u16, payload: &[u8]) -> u32 {
    payload.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0)
}
