//! Attacks inside tunnels: counted with `--tunnels` only, because anyone can send a packet that claims to hold one.

use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, Ipv4Header, Ipv6Header, PacketBuilder};

use super::Capture;
use super::forms::Forms;
use super::link::{IPV6, ethernet, ethernet_frame, ethertype};
use super::packet::{Packet, octets16, server6};

/// The tunnel's ends: the far one is in the documentation's third network, the near one is the server.
const FAR: [u8; 4] = [203, 0, 113, 1];
const NEAR: [u8; 4] = [192, 0, 2, 25];
const FAR6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0x77, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

const IPIP: u8 = 4;
const IPV6_IN: u8 = 41;
const GRE: u8 = 47;

pub(crate) fn captures() -> Vec<Capture> {
    vec![ip(), gre(), vxlan(), erspan(), geneve()]
}

fn ip() -> Capture {
    let mut forms = Forms::new(96);
    forms.four(151, false, |p| vec![in_ipv4(p, IPIP, &p.bytes)]);
    forms.six(0x152, false, |p| vec![in_ipv4(p, IPV6_IN, &p.bytes)]);
    forms.four(153, false, |p| vec![in_ipv6(p, IPIP, &p.bytes)]);
    forms.six(0x154, false, |p| vec![in_ipv6(p, IPV6_IN, &p.bytes)]);
    forms.capture(
        "tunnel-ip.pcap",
        "One attacker per form, 35 SYNs each. 192.0.2.151: IPv4 in IPv4. 2001:db8:152::1: IPv6 in IPv4. 192.0.2.153: IPv4 in \
         IPv6. 2001:db8:154::1: IPv6 in IPv6. Only the innocent client counts; with `--tunnels` there are 143 attempts and \
         all four are over.",
    )
}

fn gre() -> Capture {
    let mut forms = Forms::new(97);
    forms.both(161, false, |p| vec![in_ipv4(p, GRE, &gre_packet(0, ethertype(p), &p.bytes))]);
    forms.both(162, false, |p| vec![in_ipv4(p, GRE, &gre_packet(KEY, ethertype(p), &p.bytes))]);
    forms.both(163, false, |p| {
        vec![in_ipv4(p, GRE, &gre_packet(CHECKSUM | KEY | SEQUENCE, ethertype(p), &p.bytes))]
    });
    forms.both(164, false, |p| vec![in_ipv4(p, GRE, &gre_packet(0, BRIDGED, &ethernet(p)))]);
    forms.both(165, false, |p| vec![in_ipv6(p, GRE, &gre_packet(0, ethertype(p), &p.bytes))]);
    forms.capture(
        "tunnel-gre.pcap",
        "One attacker per form, 35 SYNs each over IPv4 and IPv6. 192.0.2.161: plain GRE. .162: with a key. .163: with \
         checksum, key and sequence number. .164: carrying Ethernet. .165: over IPv6. Only the innocent client counts; with \
         `--tunnels` there are 353 attempts and all ten are over.",
    )
}

fn vxlan() -> Capture {
    let mut forms = Forms::new(98);
    forms.both(171, false, |p| vec![ethernet_frame(p, 0x0800, &vxlan_packet(&ethernet(p)))]);
    // A tunnel within: the innermost segment is the one that counts.
    forms.four(172, false, |p| {
        let inner = in_ipv4(p, IPIP, &p.bytes);
        vec![ethernet_frame(p, 0x0800, &vxlan_packet(&inner))]
    });
    forms.capture(
        "tunnel-vxlan.pcap",
        "192.0.2.171 and 2001:db8:171::1 send 35 SYNs each within VXLAN; 192.0.2.172 does so within IPv4 in IPv4 in VXLAN. \
         Only the innocent client counts; with `--tunnels` there are 108 attempts and all three are over.",
    )
}

fn erspan() -> Capture {
    const TYPE_2: u16 = 0x88be;
    const TYPE_3: u16 = 0x22eb;
    let mut forms = Forms::new(88);
    let with = |header: &'static [u8]| move |p: &Packet| [header, &ethernet(p)].concat();
    let mirrored = |flags, protocol, inner: Vec<u8>, p: &Packet| {
        vec![in_ipv4(p, GRE, &gre_packet(flags, protocol, &inner))]
    };
    forms.both(173, false, |p| mirrored(0, TYPE_2, ethernet(p), p));
    forms.both(174, false, |p| mirrored(SEQUENCE, TYPE_2, with(&[0x10, 1, 0, 2, 0, 0, 0, 3])(p), p));
    let third = with(&[0x20, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0]);
    forms.both(175, false, |p| mirrored(SEQUENCE, TYPE_3, third(p), p));
    forms.capture(
        "tunnel-erspan.pcap",
        "One attacker per type of ERSPAN, a mirror port's frames in GRE, 35 SYNs each over IPv4 and IPv6. 192.0.2.173: type \
         I. .174: type II. .175: type III. Only the innocent client counts; with `--tunnels` there are 213 attempts and all \
         six are over.",
    )
}

fn geneve() -> Capture {
    let mut forms = Forms::new(89);
    let frame = |header: &'static [u8], port| {
        move |p: &Packet| vec![ethernet_frame(p, 0x0800, &udp(port, &[header, &ethernet(p)].concat()))]
    };
    forms.both(176, false, frame(&[0, 0, 0x65, 0x58, 0, 0, 9, 0], 6081));
    forms.both(177, false, frame(&[2, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 2, 3, 1, 0, 0, 0, 0], 6081));
    forms.both(178, false, frame(&[8, 0, 0, 0, 0, 0, 42, 0], 8472));
    forms.capture(
        "tunnel-udp.pcap",
        "One attacker per form, 35 SYNs each over IPv4 and IPv6. 192.0.2.176: GENEVE. .177: with options. .178: VXLAN at port \
         8472. Only the innocent client counts; with `--tunnels` there are 213 attempts and all six are over.",
    )
}

/// An Ethernet frame with an IPv4 packet from the tunnel's far end.
fn in_ipv4(packet: &Packet, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = Ipv4Header::new(payload.len() as u16, 60, IpNumber(protocol), FAR, NEAR)
        .expect("the payload is short");
    header.header_checksum = header.calc_header_checksum();
    ethernet_frame(packet, 0x0800, &[&header.to_bytes()[..], payload].concat())
}

fn in_ipv6(packet: &Packet, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let header = Ipv6Header {
        payload_length: payload.len() as u16,
        next_header: IpNumber(next_header),
        hop_limit: 60,
        source: FAR6,
        destination: octets16(server6(0).ip()),
        ..Default::default()
    };
    ethernet_frame(packet, IPV6, &[&header.to_bytes()[..], payload].concat())
}

/// GRE's flags (RFC 2784, RFC 2890), and its protocol for bridged Ethernet.
const CHECKSUM: u16 = 0x8000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const BRIDGED: u16 = 0x6558;

fn gre_packet(flags: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [flags.to_be_bytes(), protocol.to_be_bytes()].concat();
    if flags & CHECKSUM != 0 {
        bytes.extend([0; 4]);
    }
    if flags & KEY != 0 {
        bytes.extend(0xbeef_u32.to_be_bytes());
    }
    if flags & SEQUENCE != 0 {
        bytes.extend(1_u32.to_be_bytes());
    }
    bytes.extend(payload);
    if flags & CHECKSUM != 0 {
        let checksum = Sum16BitWords::new().add_slice(&bytes).ones_complement();
        // The sum is of the words as they lie in memory.
        bytes[4..6].copy_from_slice(&checksum.to_ne_bytes());
    }
    bytes
}

fn vxlan_packet(frame: &[u8]) -> Vec<u8> {
    udp(4789, &[&[0x08, 0, 0, 0, 0, 0, 42, 0], frame].concat())
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(FAR, NEAR, 60)
        .udp(50_123, port)
        .write(&mut bytes, payload)
        .expect("the payload is short and a Vec takes it");
    bytes
}
