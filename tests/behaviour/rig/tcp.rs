//! A TCP segment in a frame of Ethernet, whose addresses tell which way it went.

use std::net::Ipv4Addr;
use std::time::Duration;

use synwatch::base::time::Timestamp;

use super::syn::after;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// The mail server of the stories.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 25);
/// Its initial sequence number, and that of all clients.
const SERVER_ISN: u32 = 7_000;
const CLIENT_ISN: u32 = 1_000;

/// One segment of a connection to the server, its numbers counted from the initial ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tcp {
    pub(crate) time: Timestamp,
    pub(crate) client: (Ipv4Addr, u16),
    pub(crate) port: u16,
    pub(crate) from_client: bool,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) len: u16,
}

impl Tcp {
    /// The segment and its Ethernet header.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let (inside, outside) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let (from, to) = if self.from_client { (outside, inside) } else { (inside, outside) };
        let mut bytes = Vec::with_capacity(60);
        bytes.extend(to);
        bytes.extend(from);
        bytes.extend([0x08, 0x00, 0x45, 0]);
        bytes.extend((40 + self.len).to_be_bytes());
        bytes.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        let (client, server) = (self.client, (SERVER, self.port));
        let ends = if self.from_client { [client, server] } else { [server, client] };
        ends.iter().for_each(|(addr, _)| bytes.extend(addr.octets()));
        ends.iter().for_each(|(_, port)| bytes.extend(port.to_be_bytes()));
        let (own, other) = if self.from_client { (CLIENT_ISN, SERVER_ISN) } else { (SERVER_ISN, CLIENT_ISN) };
        // A reset by an endpoint without the connection has number 0.
        let seq = if self.flags & SYN == 0 && self.seq == 0 { 0 } else { own + self.seq };
        bytes.extend(seq.to_be_bytes());
        bytes.extend(if self.flags & ACK == 0 { [0; 4] } else { (other + self.ack).to_be_bytes() });
        bytes.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.resize(bytes.len() + usize::from(self.len), b'x');
        bytes
    }

    pub(crate) fn later(self, by: Duration) -> Self {
        Self { time: self.time.after(by), ..self }
    }
}

/// A connection of which segments are made, a millisecond apart.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    next: Tcp,
    said: Vec<Tcp>,
}

impl Talk {
    /// The client's SYN, so many seconds after second 0.
    pub(crate) fn new(seconds: f64, client: (&str, u16)) -> Self {
        let client = (client.0.parse().expect("an IPv4 address"), client.1);
        let time = after(seconds);
        let next = Tcp { time, client, port: 25, from_client: true, seq: 0, ack: 0, flags: 0, len: 0 };
        Self { next, said: Vec::new() }.client(0, 0, SYN, 0)
    }

    /// A segment of the client.
    pub(crate) fn client(self, seq: u32, ack: u32, flags: u8, len: u16) -> Self {
        let next = self.next;
        self.say(Tcp { from_client: true, seq, ack, flags, len, ..next })
    }

    /// A segment of the server.
    pub(crate) fn server(self, seq: u32, ack: u32, flags: u8, len: u16) -> Self {
        let next = self.next;
        self.say(Tcp { from_client: false, seq, ack, flags, len, ..next })
    }

    fn say(mut self, tcp: Tcp) -> Self {
        self.said.push(tcp);
        self.next.time = self.next.time.after(Duration::from_millis(1));
        self
    }

    /// SYN-ACK and ACK.
    pub(crate) fn accepted(self) -> Self {
        self.server(0, 1, SYN | ACK, 0).client(1, 1, ACK, 0)
    }

    /// Nothing was said: the client leaves.
    pub(crate) fn silent(self) -> Vec<Tcp> {
        self.accepted().client(1, 1, FIN | ACK, 0).server(1, 2, FIN | ACK, 0).segments()
    }

    /// The client says so many bytes, and leaves.
    pub(crate) fn spoke(self, len: u16) -> Vec<Tcp> {
        self.accepted().client(1, 1, FIN | ACK, len).server(1, 2 + u32::from(len), FIN | ACK, 0).segments()
    }

    /// The port is closed.
    pub(crate) fn refused(self) -> Vec<Tcp> {
        self.server(0, 1, RST | ACK, 0).segments()
    }

    /// The server accepts, and the client resets.
    pub(crate) fn half_open(self) -> Vec<Tcp> {
        self.server(0, 1, SYN | ACK, 0).client(1, 0, RST, 0).segments()
    }

    pub(crate) fn segments(self) -> Vec<Tcp> {
        self.said
    }
}
