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
        let (client_time, server_time) = times(client, server, round_trip);
        Self { trace, client, server, client_seq, server_seq, client_time, server_time, now: start }
    }

    /// The client's SYN with this number and this data on it (TCP Fast Open), to a server that answers with that
    /// number.
    pub(crate) fn numbered(
        trace: &'a mut Trace,
        start: Nanos,
        round_trip: Nanos,
        (client, client_seq): (SocketAddr, u32),
        (server, server_seq): (SocketAddr, u32),
        data: &[u8],
    ) -> Self {
        trace.attempts += 1;
        let syn = Segment { payload: data.to_vec(), ..Segment::syn(client, server, client_seq) };
        trace.push(start, syn);
        let client_seq = client_seq.wrapping_add(data.len() as u32);
        let (client_time, server_time) = times(client, server, round_trip);
        Self { trace, client, server, client_seq, server_seq, client_time, server_time, now: start }
    }

    /// A client of which nothing is seen.
    pub(crate) fn unseen(trace: &'a mut Trace, start: Nanos, client: SocketAddr, server: SocketAddr) -> Self {
        let (client_seq, server_seq) = (trace.random.sequence_number(), trace.random.sequence_number());
        let (client_time, server_time) = times(client, server, INSIDE_TIME);
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
        self.answer();
        self.client_sends(ACK, b"");
    }

    /// The server's SYN-ACK, and nothing of the client yet.
    pub(crate) fn answer(&mut self) {
        self.client_seq = self.client_seq.wrapping_add(1);
        self.server_sends(SYN | ACK, b"");
    }

    /// The server's SYN-ACK once more, with its number so much higher: 0 for the same one again.
    pub(crate) fn answer_again(&mut self, higher: u32) {
        let next = self.server_seq;
        self.server_seq = next.wrapping_sub(1).wrapping_add(higher);
        self.server_sends(SYN | ACK, b"");
        self.server_seq = next;
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

    /// The client resets the connection of its own accord.
    pub(crate) fn client_resets(mut self) {
        self.client_sends(RST | ACK, b"");
    }

    /// The server does.
    pub(crate) fn server_resets(mut self) {
        self.server_sends(RST | ACK, b"");
    }

    /// A client that knows nothing of the connection, or no longer: it resets what it received.
    pub(crate) fn client_denies(mut self) {
        self.now += self.client_time;
        let (from, to, seq) = (self.client, self.server, self.client_seq);
        self.trace.push(self.now, Segment { from, to, seq, ack: 0, flags: RST, payload: Vec::new() });
    }

    /// A server that does likewise.
    pub(crate) fn server_denies(mut self) {
        self.now += self.server_time;
        let (from, to, seq) = (self.server, self.client, self.server_seq);
        self.trace.push(self.now, Segment { from, to, seq, ack: 0, flags: RST, payload: Vec::new() });
    }

    /// Both close at once: neither FIN acknowledges the other.
    pub(crate) fn crossing_fins(&mut self) {
        self.client_sends(FIN | ACK, b"");
        let client_seq = self.client_seq;
        self.client_seq = client_seq.wrapping_sub(1);
        self.server_sends(FIN | ACK, b"");
        self.client_seq = client_seq;
    }

    /// The client has received what the capture does not show: the SYN-ACK.
    pub(crate) fn is_heard_by_client_only(&mut self) {
        self.client_seq = self.client_seq.wrapping_add(1);
        self.server_seq = self.server_seq.wrapping_add(1);
        self.now += self.server_time;
    }

    /// The ACK that the client sent just before its FIN.
    pub(crate) fn client_acknowledges_below_fin(&mut self) {
        self.client_seq = self.client_seq.wrapping_sub(1);
        self.client_sends(ACK, b"");
        self.client_seq = self.client_seq.wrapping_add(1);
    }

    /// The client asks whether the server is still there, which it is: one number back, nothing new.
    pub(crate) fn client_probes(&mut self) {
        self.client_seq = self.client_seq.wrapping_sub(1);
        self.client_sends(ACK, b"");
        self.client_seq = self.client_seq.wrapping_add(1);
        self.server_sends(ACK, b"");
    }

    /// The client acknowledges a number so much higher than the right one.
    pub(crate) fn client_guesses(&mut self, higher: u32) {
        self.now += self.client_time;
        let (from, to, seq) = (self.client, self.server, self.client_seq);
        let ack = self.server_seq.wrapping_add(higher);
        self.trace.push(self.now, Segment { from, to, seq, ack, flags: ACK, payload: Vec::new() });
    }

    /// What follows takes place so much earlier: what is captured out of order.
    pub(crate) fn step_back(&mut self, time: Nanos) {
        self.now -= time;
    }

    pub(crate) fn server_sends(&mut self, flags: u16, payload: &[u8]) {
        self.now += self.server_time;
        let (seq, ack) = (self.server_seq, self.client_seq);
        self.server_seq = self.server_seq.wrapping_add(length(flags, payload));
        let (from, to) = (self.server, self.client);
        self.trace.push(self.now, Segment { from, to, seq, ack, flags, payload: payload.to_vec() });
    }

    pub(crate) fn client_sends(&mut self, flags: u16, payload: &[u8]) {
        self.now += self.client_time;
        let (seq, ack) = (self.client_seq, self.server_seq);
        self.client_seq = self.client_seq.wrapping_add(length(flags, payload));
        let (from, to) = (self.client, self.server);
        self.trace.push(self.now, Segment { from, to, seq, ack, flags, payload: payload.to_vec() });
    }
}

/// How long client and server take to answer.
fn times(client: SocketAddr, server: SocketAddr, round_trip: Nanos) -> (Nanos, Nanos) {
    let time = |addr| if is_inside(addr) { INSIDE_TIME } else { round_trip };
    (time(client.ip()), time(server.ip()))
}

/// What a segment takes of the sequence numbers: its bytes, and one for SYN and FIN each.
fn length(flags: u16, payload: &[u8]) -> u32 {
    payload.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0)
}
