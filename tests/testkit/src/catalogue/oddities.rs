//! Segments that are odd, cut short, or only quoted.

use std::net::{IpAddr, SocketAddr};

use etherparse::PacketBuilder;

use super::Capture;
use super::forms::Forms;
use super::link::{self, IPV4, IPV6, ethernet, ethernet_frame};
use super::packet::{
    ACK, CWR, ECE, FIN, MONDAY, MS, NS, PSH, Packet, RST, SYN, Segment, URG, server, server6,
};
use super::pcap::{Frame, Pcap};
use super::random::Random;

pub(crate) fn captures() -> Vec<Capture> {
    vec![odd_segments(), cut_headers(), icmp_errors()]
}

fn odd_segments() -> Capture {
    let mut tape = Tape { random: Random::new(99), frames: Vec::new() };
    let plain = |segment: &mut Segment| segment.flags = SYN;
    tape.host(111, |segment| segment.from.set_port(0));
    tape.host(112, |segment| segment.flags = SYN | FIN);
    tape.host(113, |segment| segment.flags = SYN | URG | PSH);
    tape.host(114, |segment| segment.flags = SYN | ECE | CWR);
    tape.host(115, |segment| segment.flags = SYN | RST);
    tape.host(116, |segment| segment.flags = SYN | FIN | RST | PSH | URG | ECE | CWR | NS);
    tape.host(117, |segment| segment.payload = b"EHLO early.example\r\n".to_vec());
    let before_bad = tape.frames.len();
    tape.host(118, plain);
    for frame in &mut tape.frames[before_bad..] {
        // The TCP checksum, behind the Ethernet and IPv4 headers.
        frame.bytes[14 + 20 + 16] ^= 0x5a;
    }
    let counted = tape.frames.len() as u64;
    tape.host(121, |segment| segment.to.set_port(0));
    tape.host(122, |segment| segment.flags = SYN | ACK);
    tape.host(123, |segment| segment.flags = 0);
    tape.host(124, |segment| segment.flags = ACK);
    let over = (111..=118).map(|host| format!("192.0.2.{host}")).collect();
    Capture {
        name: "odd-segments.pcap",
        story: "One host per oddity, 35 segments each. Attempts all the same: 192.0.2.111 from port 0, .112 SYN and FIN, .113 \
                SYN, URG and PSH, .114 SYN, ECE and CWR, .115 SYN and RST, .116 every flag but ACK, .117 with data, .118 \
                with a bad checksum. No attempts: .121 to port 0, .122 SYN and ACK, .123 no flag at all, .124 ACK alone.",
        attempts: counted,
        over,
        ends: Vec::new(),
        bytes: tape.file(),
    }
}

/// Captures with a snap length that ends within the TCP header.
fn cut_headers() -> Capture {
    const ETHERNET: usize = 14;
    const TO_THE_FLAGS: usize = 14;
    let mut tape = Tape { random: Random::new(100), frames: Vec::new() };
    for (host, snap_length) in [
        (131, ETHERNET + 20 + 20),
        (132, ETHERNET + 20 + TO_THE_FLAGS),
        (133, ETHERNET + 20 + TO_THE_FLAGS - 1),
        (134, ETHERNET + 12),
    ] {
        let before = tape.frames.len();
        tape.host(host, |_| ());
        cut(&mut tape.frames[before..], snap_length);
    }
    for (network, snap_length) in
        [(0x135, ETHERNET + 40 + TO_THE_FLAGS), (0x136, ETHERNET + 40 + TO_THE_FLAGS - 1)]
    {
        let before = tape.frames.len();
        tape.host6(network);
        cut(&mut tape.frames[before..], snap_length);
    }
    Capture::new(
        "cut-headers.pcap",
        "One host per length at which the capture ends, 35 SYNs each. Counted: 192.0.2.131 after 20 bytes of TCP header, .132 \
         and 2001:db8:135::1 after the 14 that reach to the flags. Truncated: .133 and 2001:db8:136::1 after 13, .134 \
         within the IPv4 header.",
        105,
        &["192.0.2.131", "192.0.2.132", "2001:db8:135::/64"],
        tape.file(),
    )
}

fn cut(frames: &mut [Frame], snap_length: usize) {
    for frame in frames {
        *frame = frame.clone().cut(snap_length);
    }
}

/// A router says that it could not deliver SYNs which claim to be from here.
fn icmp_errors() -> Capture {
    let mut forms = Forms::new(101);
    forms.four(66, false, |p| vec![ethernet_frame(p, IPV4, &unreachable(p))]);
    forms.six(0x66, false, |p| vec![ethernet_frame(p, IPV6, &unreachable(p))]);
    forms.capture(
        "icmp-errors.pcap",
        "ICMP and ICMPv6 errors that quote 35 SYNs each of 192.0.2.66 and 2001:db8:66::1: no attempts. Beside them an innocent \
         client.",
    )
}

fn unreachable(packet: &Packet) -> Vec<u8> {
    const WRITES: &str = "the quoted packet is short and a Vec takes it";
    let mut bytes = Vec::new();
    match packet.from {
        IpAddr::V4(from) => PacketBuilder::ipv4([203, 0, 113, 1], from.octets(), 60)
            .icmpv4_raw(3, 1, [0; 4])
            .write(&mut bytes, &packet.bytes)
            .expect(WRITES),
        IpAddr::V6(from) => {
            let router = [0x20, 0x01, 0x0d, 0xb8, 0x77, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
            PacketBuilder::ipv6(router, from.octets(), 60)
                .icmpv6_raw(1, 3, [0; 4])
                .write(&mut bytes, &packet.bytes)
                .expect(WRITES);
        }
    }
    bytes
}

/// Segments host by host; the file has them in order of time.
struct Tape {
    random: Random,
    frames: Vec<Frame>,
}

impl Tape {
    /// 35 segments of 192.0.2.`host` to port 25: SYNs, but for what `odd` changes.
    fn host(&mut self, host: u8, odd: impl Fn(&mut Segment)) {
        let port = self.random.client_port();
        self.segments(SocketAddr::from(([192, 0, 2, host], port)), server(25), odd);
    }

    fn host6(&mut self, network: u16) {
        let port = self.random.client_port();
        self.segments(SocketAddr::from(([0x2001, 0xdb8, network, 0, 0, 0, 0, 1], port)), server6(25), |_| ());
    }

    fn segments(&mut self, mut from: SocketAddr, to: SocketAddr, odd: impl Fn(&mut Segment)) {
        let offset = self.random.between(0, 190 * MS);
        for i in 0..35 {
            let mut segment = Segment::syn(from, to, self.random.sequence_number());
            odd(&mut segment);
            let packet = segment.packet(MONDAY + offset + i * 200 * MS, 2000 + i as u16);
            self.frames.push(Frame::new(packet.time, ethernet(&packet)));
            from.set_port(from.port() + 1);
        }
    }

    fn file(mut self) -> Vec<u8> {
        self.frames.sort_by_key(|frame| frame.time);
        Pcap::plain(link::ETHERNET).file(&self.frames)
    }
}
