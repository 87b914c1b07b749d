//! Frames of Ethernet with a TCP segment or a UDP datagram in them, lengths and checksums right.

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, PacketBuilderStep, TcpHeader};

/// The shortest frame, without its checksum.
const SHORTEST: usize = 60;
/// The two ends of the wire that is watched.
const OUTER: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
const INNER: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
/// What connections carry.
const TEXT: &[u8] = b"Received: from mx.example by mail.example; every day is the day\r\n";
/// The options of a usual SYN: maximum segment size, selective acknowledgments, timestamps, window scaling.
const SYN_OPTIONS: [u8; 20] = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
/// The options of all segments after it: timestamps.
const OPTIONS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
/// The one option of a flood's SYN: maximum segment size.
const BARE_OPTIONS: [u8; 4] = [2, 4, 5, 0xb4];

/// A TCP segment.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// Whether it goes from the outer end of the wire to the inner one.
    pub is_inward: bool,
    pub seq: u32,
    pub kind: SegmentKind,
    /// IPv4's identification.
    pub id: u16,
}

#[derive(Debug, Clone, Copy)]
pub enum SegmentKind {
    /// A SYN as programs for floods send it: in a frame of 60 bytes.
    BareSyn,
    Syn,
    SynAck {
        ack: u32,
    },
    /// With so many bytes.
    Ack {
        ack: u32,
        payload: usize,
    },
    FinAck {
        ack: u32,
    },
}

/// Makes frames.
#[derive(Debug)]
pub struct Frames {
    payload: Vec<u8>,
}

impl Frames {
    pub fn new() -> Self {
        Self { payload: TEXT.repeat(24) }
    }

    /// Writes a segment's frame in place of what was there.
    pub fn segment(&self, segment: &Segment, frame: &mut Vec<u8>) {
        let mut tcp = TcpHeader::new(segment.from.port(), segment.to.port(), segment.seq, 64_240);
        let (options, payload): (&[u8], _) = match segment.kind {
            SegmentKind::BareSyn => (&BARE_OPTIONS, 0),
            SegmentKind::Syn | SegmentKind::SynAck { .. } => (&SYN_OPTIONS, 0),
            SegmentKind::Ack { payload, .. } => (&OPTIONS, payload),
            SegmentKind::FinAck { .. } => (&OPTIONS, 0),
        };
        match segment.kind {
            SegmentKind::BareSyn | SegmentKind::Syn => tcp.syn = true,
            SegmentKind::SynAck { ack } => {
                (tcp.syn, tcp.ack, tcp.acknowledgment_number) = (true, true, ack);
            }
            SegmentKind::Ack { ack, .. } => (tcp.ack, tcp.acknowledgment_number) = (true, ack),
            SegmentKind::FinAck { ack } => {
                (tcp.fin, tcp.ack, tcp.acknowledgment_number) = (true, true, ack);
            }
        }
        tcp.psh = payload > 0;
        // All three lists are whole words, and short enough.
        let _ = tcp.set_options_raw(options);
        let packet = packet(segment.from.ip(), segment.to.ip(), segment.is_inward, IpNumber::TCP, segment.id);
        frame.clear();
        // A vector takes all that is written, and no payload is too long for IP.
        let _ = packet.tcp_header(tcp).write(frame, &self.payload[..payload]);
        pad(frame);
    }

    /// Writes a datagram's frame in place of what was there.
    pub fn datagram(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        is_inward: bool,
        payload: usize,
        frame: &mut Vec<u8>,
    ) {
        let packet = packet(from.ip(), to.ip(), is_inward, IpNumber::UDP, 0);
        frame.clear();
        let _ = packet.udp(from.port(), to.port()).write(frame, &self.payload[..payload]);
        pad(frame);
    }
}

fn packet(
    from: IpAddr,
    to: IpAddr,
    is_inward: bool,
    protocol: IpNumber,
    id: u16,
) -> PacketBuilderStep<IpHeaders> {
    let (source, destination) = if is_inward { (OUTER, INNER) } else { (INNER, OUTER) };
    let link = PacketBuilder::ethernet2(source, destination);
    match (from, to) {
        (IpAddr::V6(from), IpAddr::V6(to)) => link.ip(IpHeaders::Ipv6(
            Ipv6Header {
                source: from.octets(),
                destination: to.octets(),
                next_header: protocol,
                hop_limit: 60,
                ..Ipv6Header::default()
            },
            Default::default(),
        )),
        (from, to) => {
            let four = |address| match address {
                IpAddr::V4(address) => address.octets(),
                IpAddr::V6(_) => [0; 4],
            };
            let mut header = Ipv4Header { identification: id, dont_fragment: true, ..Ipv4Header::default() };
            (header.source, header.destination) = (four(from), four(to));
            (header.protocol, header.time_to_live) = (protocol, 60);
            link.ip(IpHeaders::Ipv4(header, Default::default()))
        }
    }
}

fn pad(frame: &mut Vec<u8>) {
    if frame.len() < SHORTEST {
        frame.resize(SHORTEST, 0);
    }
}
