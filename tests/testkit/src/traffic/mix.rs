//! An ordinary day at the gateway of a provider: 100,000 packets a second, 300 bytes on average.
//!
//! Of each hundred packets 3 are SYNs to mail ports, 5 are SYNs to other ports, 10 are UDP, and 82 go on with one of
//! the 4,096 connections under way: answers, data of both sides, empty acknowledgments, ends. Every connection is
//! whole. A seventh is IPv6. They come from 20,000 customers, eight in a /24 (or /48), each of whom begins nine mail
//! connections a minute; the mail goes to eight servers with seven ports each, 54 connections a second to each port. So
//! no source, network or destination is over a limit.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Traffic;
use super::floods::MAIL;
use super::frames::{Frames, Segment, SegmentKind};
use super::random::Random;

/// Packets in a second.
const RATE: u64 = 100_000;
/// What a hundred packets are.
const HUNDRED: [(usize, Turn); 4] =
    [(3, Turn::Mail), (5, Turn::Other), (10, Turn::Datagram), (82, Turn::Next)];
/// Connections under way.
const UNDER_WAY: usize = 4096;
/// Segments between handshake and end, of one connection after the other. With the five of handshake and end, eight
/// connections have 82 segments after their SYN: as many as a hundred packets have for them.
const BETWEEN: [u8; 4] = [5, 5, 5, 6];

const CUSTOMERS: u32 = 20_000;
/// Customers in a network.
const NEIGHBOURS: u32 = 8;
const MAIL_SERVERS: u32 = 8;
const OTHER_SERVERS: u32 = 200;
const OTHER: [u16; 5] = [443, 443, 443, 80, 22];
const DNS: u16 = 53;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Mail,
    Other,
    Datagram,
    Next,
}

/// See above.
#[derive(Debug)]
pub struct Mix {
    frames: Frames,
    random: Random,
    number: u64,
    turns: Vec<Turn>,
    connections: VecDeque<Connection>,
    begun: usize,
}

#[derive(Debug, Clone, Copy)]
struct Connection {
    client: SocketAddr,
    server: SocketAddr,
    /// The next sequence numbers of client and server.
    seq: [u32; 2],
    /// Segments until the end begins.
    between: u8,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Answer,
    Acknowledge,
    Between,
    ClientEnds,
    ServerEnds,
    Last,
}

impl Mix {
    pub fn new() -> Self {
        let turns = HUNDRED.iter().flat_map(|&(times, turn)| std::iter::repeat_n(turn, times)).collect();
        let mut mix = Self {
            frames: Frames::new(),
            random: Random::new(0x31),
            number: 0,
            turns,
            connections: VecDeque::with_capacity(2 * UNDER_WAY),
            begun: 0,
        };
        // A day does not begin with the capture: those under way are somewhere between their first and last segment.
        let mut unseen = Vec::new();
        while mix.connections.len() < UNDER_WAY {
            let mut connection = mix.connection(mix.begun % 8 < 3);
            let segments = mix.random.below(10);
            let goes_on = (0..segments).all(|_| mix.go_on(&mut connection, &mut unseen));
            if goes_on {
                mix.connections.push_back(connection);
            }
        }
        mix
    }

    fn turn(&mut self) -> Turn {
        let at = (self.number % self.turns.len() as u64) as usize;
        if at == 0 {
            for last in (1..self.turns.len()).rev() {
                let other = self.random.below(last as u32 + 1) as usize;
                self.turns.swap(last, other);
            }
        }
        self.turns[at]
    }

    /// A new connection, of which no segment was sent.
    fn connection(&mut self, is_mail: bool) -> Connection {
        let customer = self.random.below(CUSTOMERS);
        let is_six = customer % 7 == 0;
        let client = SocketAddr::new(client(customer, is_six), self.random.client_port());
        let (server, port) = if is_mail {
            (mail_server(self.random.below(MAIL_SERVERS), is_six), self.random.one_of(&MAIL))
        } else {
            (other_server(self.random.below(OTHER_SERVERS), is_six), self.random.one_of(&OTHER))
        };
        self.begun += 1;
        Connection {
            client,
            server: SocketAddr::new(server, port),
            seq: [self.random.word(), self.random.word()],
            between: BETWEEN[self.begun % BETWEEN.len()],
            stage: Stage::Answer,
        }
    }

    fn begin(&mut self, is_mail: bool, frame: &mut Vec<u8>) {
        let mut connection = self.connection(is_mail);
        self.send(&mut connection, true, SegmentKind::Syn, 1, frame);
        self.connections.push_back(connection);
    }

    /// Writes the next segment of a connection, and says whether there are more.
    fn go_on(&mut self, connection: &mut Connection, frame: &mut Vec<u8>) -> bool {
        let acknowledges = |is_client: bool| connection.seq[usize::from(is_client)];
        let (is_client, kind, grows, next) = match connection.stage {
            Stage::Answer => {
                (false, SegmentKind::SynAck { ack: acknowledges(false) }, 1, Some(Stage::Acknowledge))
            }
            Stage::Acknowledge => {
                (true, SegmentKind::Ack { ack: acknowledges(true), payload: 0 }, 0, Some(Stage::Between))
            }
            Stage::Between => {
                let is_client = self.random.below(2) == 0;
                let payload = self.payload();
                connection.between -= 1;
                let next = if connection.between == 0 { Stage::ClientEnds } else { Stage::Between };
                let ack = connection.seq[usize::from(is_client)];
                (is_client, SegmentKind::Ack { ack, payload: payload as usize }, payload, Some(next))
            }
            Stage::ClientEnds => {
                (true, SegmentKind::FinAck { ack: acknowledges(true) }, 1, Some(Stage::ServerEnds))
            }
            Stage::ServerEnds => {
                (false, SegmentKind::FinAck { ack: acknowledges(false) }, 1, Some(Stage::Last))
            }
            Stage::Last => (true, SegmentKind::Ack { ack: acknowledges(true), payload: 0 }, 0, None),
        };
        self.send(connection, is_client, kind, grows, frame);
        connection.stage = next.unwrap_or(Stage::Last);
        next.is_some()
    }

    /// Writes a segment, which takes so many of its sender's sequence numbers.
    fn send(
        &mut self,
        connection: &mut Connection,
        is_client: bool,
        kind: SegmentKind,
        grows: u32,
        frame: &mut Vec<u8>,
    ) {
        let Connection { client, server, seq, .. } = connection;
        let (from, to) = if is_client { (*client, *server) } else { (*server, *client) };
        let seq = &mut seq[usize::from(!is_client)];
        let id = self.random.word() as u16;
        self.frames.segment(&Segment { from, to, is_inward: is_client, seq: *seq, kind, id }, frame);
        *seq = seq.wrapping_add(grows);
    }

    /// A quarter acknowledges without data; the rest are commands and answers, or full segments of a mail.
    fn payload(&mut self) -> u32 {
        match self.random.below(8) {
            0 | 1 => 0,
            2..=4 => 20 + self.random.below(161),
            _ => 1136 + self.random.below(313),
        }
    }

    fn datagram(&mut self, frame: &mut Vec<u8>) {
        let customer = self.random.below(CUSTOMERS);
        let is_six = customer % 7 == 0;
        let client = SocketAddr::new(client(customer, is_six), self.random.client_port());
        let server = SocketAddr::new(other_server(self.random.below(OTHER_SERVERS), is_six), DNS);
        let is_question = self.random.below(2) == 0;
        let (from, to) = if is_question { (client, server) } else { (server, client) };
        let payload = if is_question { 40 } else { 80 + self.random.below(400) };
        self.frames.datagram(from, to, is_question, payload as usize, frame);
    }
}

impl Traffic for Mix {
    fn next(&mut self, frame: &mut Vec<u8>) -> u64 {
        match self.turn() {
            Turn::Mail => self.begin(true, frame),
            Turn::Other => self.begin(false, frame),
            Turn::Datagram => self.datagram(frame),
            Turn::Next => match self.connections.pop_front() {
                Some(mut connection) => {
                    if self.go_on(&mut connection, frame) {
                        self.connections.push_back(connection);
                    }
                }
                None => self.datagram(frame),
            },
        }
        self.number += 1;
        (self.number - 1) * 1_000_000 / RATE
    }
}

fn client(customer: u32, is_six: bool) -> IpAddr {
    let (network, host) = (customer / NEIGHBOURS, customer % NEIGHBOURS);
    if is_six {
        return IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, network as u16, host as u16, 0, 0, 0, 0x10));
    }
    let [.., high, low] = network.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, high, low, 10 + host as u8))
}

fn mail_server(number: u32, is_six: bool) -> IpAddr {
    server(25 + number as u8, [192, 0, 2], 0xff25, is_six)
}

fn other_server(number: u32, is_six: bool) -> IpAddr {
    server(1 + number as u8, [198, 51, 100], 0xff80, is_six)
}

fn server(host: u8, [a, b, c]: [u8; 3], network: u16, is_six: bool) -> IpAddr {
    if is_six {
        return IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, host.into()));
    }
    IpAddr::V4(Ipv4Addr::new(a, b, c, host))
}
