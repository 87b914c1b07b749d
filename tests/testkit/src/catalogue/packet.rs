//! An IP packet at a moment, and the TCP segments that most of them carry.

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader, TcpOptionElement};

use super::random::Random;

/// Nanoseconds: a moment since the Unix epoch, or a stretch of time.
pub(crate) type Nanos = i64;

pub(crate) const SECOND: Nanos = 1_000_000_000;
pub(crate) const MS: Nanos = 1_000_000;
pub(crate) const US: Nanos = 1_000;

/// When the stories begin unless they say otherwise: 2024-05-06 07:00:00 UTC, a Monday morning.
pub(crate) const MONDAY: Nanos = 1_714_978_800 * SECOND;

pub(crate) const FIN: u16 = 0x01;
pub(crate) const SYN: u16 = 0x02;
pub(crate) const RST: u16 = 0x04;
pub(crate) const PSH: u16 = 0x08;
pub(crate) const ACK: u16 = 0x10;
pub(crate) const URG: u16 = 0x20;
pub(crate) const ECE: u16 = 0x40;
pub(crate) const CWR: u16 = 0x80;
/// The bit before CWR, once called NS.
pub(crate) const NS: u16 = 0x100;

/// An IP packet, from its first header on, and when it passes.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) time: Nanos,
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Packet {
    /// The same addresses and time around other bytes.
    pub(crate) fn with(&self, bytes: Vec<u8>) -> Self {
        Self { bytes, ..self.clone() }
    }
}

/// A TCP segment before it is on the wire.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u16,
    pub(crate) payload: Vec<u8>,
}

impl Segment {
    pub(crate) fn syn(from: SocketAddr, to: SocketAddr, seq: u32) -> Self {
        Self { from, to, seq, ack: 0, flags: SYN, payload: Vec::new() }
    }

    /// The segment in an IP packet, with right lengths and checksums, and with an MSS option when it is a SYN.
    pub(crate) fn packet(&self, time: Nanos, ip_id: u16) -> Packet {
        let mut tcp = TcpHeader::new(self.from.port(), self.to.port(), self.seq, 64_240);
        tcp.acknowledgment_number = self.ack;
        tcp.ns = self.flags & NS != 0;
        tcp.cwr = self.flags & CWR != 0;
        tcp.ece = self.flags & ECE != 0;
        tcp.urg = self.flags & URG != 0;
        tcp.ack = self.flags & ACK != 0;
        tcp.psh = self.flags & PSH != 0;
        tcp.rst = self.flags & RST != 0;
        tcp.syn = self.flags & SYN != 0;
        tcp.fin = self.flags & FIN != 0;
        if tcp.syn {
            let mss = if self.from.is_ipv4() { 1460 } else { 1440 };
            tcp.set_options(&[TcpOptionElement::MaximumSegmentSize(mss)]).expect("four bytes of options fit");
        }
        let mut bytes = Vec::new();
        PacketBuilder::ip(ip_headers(self.from.ip(), self.to.ip(), ip_id))
            .tcp_header(tcp)
            .write(&mut bytes, &self.payload)
            .expect("the payload is short and a Vec takes it");
        Packet { time, from: self.from.ip(), to: self.to.ip(), bytes }
    }
}

/// Plain IP headers without extensions; the builder sets length, protocol and checksum.
fn ip_headers(from: IpAddr, to: IpAddr, ip_id: u16) -> IpHeaders {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header =
                Ipv4Header::new(0, time_to_live(from.into()), IpNumber::TCP, from.octets(), to.octets())
                    .expect("no payload is short enough");
            header.identification = ip_id;
            header.dont_fragment = true;
            IpHeaders::Ipv4(header, Default::default())
        }
        _ => IpHeaders::Ipv6(
            Ipv6Header {
                hop_limit: time_to_live(from),
                source: octets16(from),
                destination: octets16(to),
                ..Default::default()
            },
            Default::default(),
        ),
    }
}

/// An address as IPv6 carries it.
pub(crate) fn octets16(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(addr) => addr.to_ipv6_mapped().octets(),
        IpAddr::V6(addr) => addr.octets(),
    }
}

/// Bits that belong to an address and look like chance: for what differs from host to host and stays.
pub(crate) fn trait_of(addr: IpAddr) -> u64 {
    Random::new(
        u128::from_be_bytes(octets16(addr)) as u64 ^ (u128::from_be_bytes(octets16(addr)) >> 64) as u64,
    )
    .bits()
}

/// 64 where the network of the captures begins, a few hops fewer for the rest of the world.
fn time_to_live(addr: IpAddr) -> u8 {
    if is_inside(addr) { 64 } else { 44 + (trait_of(addr) % 14) as u8 }
}

/// Whether the address stands on the captured Ethernet; all others are behind its router.
pub(crate) fn is_inside(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => matches!(addr.octets(), [192, 0, 2, 10 | 25 | 77] | [116, 58, 172, 107]),
        IpAddr::V6(addr) => addr.segments()[..4] == [0x2001, 0xdb8, 0, 0],
    }
}

/// The mail server of the stories: `192.0.2.25` at this port.
pub(crate) fn server(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 25], port))
}

/// The mail server's other address: `2001:db8::25` at this port.
pub(crate) fn server6(port: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x25], port))
}
