//! Link-layer headers before an IP packet, one function per link type.
//!
//! Where a link type knows several forms, the number of the packet chooses one, so that a capture has them all.

use std::net::IpAddr;

use super::bytes::{Bytes, Order};
use super::packet::{Packet, is_inside, octets16};

// Link types as files number them (https://www.tcpdump.org/linktypes.html).
pub(crate) const NULL: u16 = 0;
pub(crate) const ETHERNET: u16 = 1;
pub(crate) const PPP: u16 = 9;
pub(crate) const RAW_LINUX: u16 = 12;
pub(crate) const RAW_OPENBSD: u16 = 14;
pub(crate) const PPP_HDLC: u16 = 50;
pub(crate) const PPP_ETHER: u16 = 51;
pub(crate) const RAW: u16 = 101;
pub(crate) const C_HDLC: u16 = 104;
pub(crate) const IEEE802_11: u16 = 105;
pub(crate) const LOOP: u16 = 108;
pub(crate) const LINUX_SLL: u16 = 113;
pub(crate) const RAW_IPV4: u16 = 228;
pub(crate) const RAW_IPV6: u16 = 229;
pub(crate) const NFLOG: u16 = 239;
pub(crate) const LINUX_SLL2: u16 = 276;
pub(crate) const PFLOG: u16 = 117;
pub(crate) const IPOIB: u16 = 242;
pub(crate) const PKTAP: u16 = 258;
pub(crate) const DSA: u16 = 284;

// Ethertypes.
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;

/// The ethertype that names the packet's IP version.
pub(crate) fn ethertype(packet: &Packet) -> u16 {
    if is_ipv6(packet) { IPV6 } else { IPV4 }
}

pub(crate) fn is_ipv6(packet: &Packet) -> bool {
    packet.bytes[0] >> 4 == 6
}

/// Big-endian 16-bit fields, then the packet.
pub(crate) fn behind(fields: &[u16], packet: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::new(Order::Big);
    for field in fields {
        bytes.u16(*field);
    }
    bytes.raw(packet);
    bytes.out
}

/// An Ethernet frame around any payload of this ethertype (or length).
pub(crate) fn ethernet_frame(packet: &Packet, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::new(Order::Big);
    bytes.raw(&mac(packet.to)).raw(&mac(packet.from)).u16(ethertype).raw(payload);
    // The shortest frame is 60 bytes long, and what fills it is no part of the packet.
    let shortest = bytes.out.len().max(60);
    bytes.out.resize(shortest, 0);
    bytes.out
}

pub(crate) fn ethernet(packet: &Packet) -> Vec<u8> {
    ethernet_frame(packet, ethertype(packet), &packet.bytes)
}

/// 802.3 with LLC and SNAP (RFC 1042): a length where Ethernet II has its type.
pub(crate) fn llc_snap(packet: &Packet) -> Vec<u8> {
    let payload = behind(&[0xaaaa, 0x0300, 0x0000, ethertype(packet)], &packet.bytes);
    ethernet_frame(packet, payload.len() as u16, &payload)
}

/// BSD loopback. IPv6's family differs from system to system: Linux 10, NetBSD and OpenBSD 24, FreeBSD 28, macOS 30.
pub(crate) fn null(order: Order, packet: &Packet, number: usize) -> Vec<u8> {
    let family = if is_ipv6(packet) { [10, 24, 28, 30][number / 2 % 4] } else { 2 };
    let mut bytes = Bytes::new(order);
    bytes.u32(family).raw(&packet.bytes);
    bytes.out
}

/// PPP, with and without address and control bytes, its protocol in two bytes or compressed to one (RFC 1661, 6.5).
pub(crate) fn ppp(packet: &Packet, number: usize) -> Vec<u8> {
    let protocol = ppp_protocol(packet);
    let header: &[u8] = match number / 2 % 4 {
        0 => &[0xff, 0x03, 0x00, protocol],
        1 => &[0x00, protocol],
        2 => &[protocol],
        _ => &[0xff, 0x03, protocol],
    };
    [header, &packet.bytes].concat()
}

/// PPP in HDLC-like framing and Cisco HDLC, unicast and broadcast, by turns.
pub(crate) fn ppp_hdlc(packet: &Packet, number: usize) -> Vec<u8> {
    let protocol = ppp_protocol(packet);
    match number / 2 % 4 {
        0 => c_hdlc(packet),
        1 => [&[0xff, 0x03, 0x00, protocol], &packet.bytes[..]].concat(),
        2 => behind(&[0x8f00, ethertype(packet)], &packet.bytes),
        _ => [&[0xff, 0x03, protocol], &packet.bytes[..]].concat(),
    }
}

/// Cisco HDLC: address, control, ethertype.
pub(crate) fn c_hdlc(packet: &Packet) -> Vec<u8> {
    behind(&[0x0f00, ethertype(packet)], &packet.bytes)
}

/// A PPPoE session packet from its own header on (RFC 2516).
pub(crate) fn pppoe(packet: &Packet) -> Vec<u8> {
    let length = packet.bytes.len() as u16 + 2;
    behind(&[0x1100, 0x0042, length, ppp_protocol(packet).into()], &packet.bytes)
}

/// Linux cooked v1. `packet_type` is 0 for a packet to this host, 4 for one that it sent.
pub(crate) fn sll(packet: &Packet, packet_type: u16) -> Vec<u8> {
    let mut bytes = Bytes::new(Order::Big);
    bytes
        .u16(packet_type)
        .u16(1)
        .u16(6)
        .raw(&mac(packet.from))
        .u16(0)
        .u16(ethertype(packet))
        .raw(&packet.bytes);
    bytes.out
}

/// Linux cooked v2, which also tells the interface.
pub(crate) fn sll2(packet: &Packet, packet_type: u8, ifindex: u32) -> Vec<u8> {
    let mut bytes = Bytes::new(Order::Big);
    bytes.u16(ethertype(packet)).u16(0).u32(ifindex).u16(1).u8(packet_type).u8(6);
    bytes.raw(&mac(packet.from)).u16(0).raw(&packet.bytes);
    bytes.out
}

/// Netfilter's log: TLVs in the byte order of the host (which is that of the file), the packet in one of them.
pub(crate) fn nflog(order: Order, packet: &Packet) -> Vec<u8> {
    let mut bytes = Bytes::new(order);
    let (family, hook) = if is_ipv6(packet) { (10, 1) } else { (2, 2) };
    // Family, version, and the resource id, which is big-endian whatever the host.
    bytes.u8(family).u8(0).raw(&5_u16.to_be_bytes());
    // The packet header: the hardware protocol, the hook (1 input, 2 forward), padding.
    tlv(&mut bytes, 1, &behind(&[ethertype(packet), hook << 8], &[]));
    tlv(&mut bytes, 10, b"mail\0");
    tlv(&mut bytes, 4, &2_u32.to_be_bytes());
    if hook == 2 {
        tlv(&mut bytes, 5, &3_u32.to_be_bytes());
    }
    tlv(&mut bytes, 9, &packet.bytes);
    bytes.out
}

/// Length (without the padding), type, value, padding.
fn tlv(bytes: &mut Bytes, kind: u16, value: &[u8]) {
    bytes.u16(value.len() as u16 + 4).u16(kind).raw(value).pad();
}

/// BSD's packet filter log, with the header of OpenBSD and of FreeBSD by turns.
pub(crate) fn pflog(packet: &Packet, number: usize) -> Vec<u8> {
    let (length, family6) = [(100, 24), (61, 28)][number / 2 % 2];
    let mut bytes = vec![0; usize::from(length).next_multiple_of(4)];
    bytes[0] = length;
    bytes[1] = if is_ipv6(packet) { family6 } else { 2 };
    bytes[4..8].copy_from_slice(b"em0\0");
    bytes[60] = if is_inside(packet.from) { 2 } else { 1 };
    [&bytes, &packet.bytes[..]].concat()
}

/// IP over InfiniBand: a global routing header that is not valid, EtherType, two reserved bytes.
pub(crate) fn infiniband(packet: &Packet) -> Vec<u8> {
    [&[0; 40][..], &behind(&[ethertype(packet), 0], &packet.bytes)].concat()
}

/// macOS' packet tap, before Ethernet and before raw IP by turns.
pub(crate) fn packet_tap(packet: &Packet, number: usize) -> Vec<u8> {
    const HEADER: u32 = 156;
    let (link, inner) = if number / 2 % 2 == 0 { (1, ethernet(packet)) } else { (12, packet.bytes.clone()) };
    let direction = if is_inside(packet.from) { 2 } else { 1 };
    let mut bytes = Bytes::new(Order::Little);
    bytes.u32(HEADER).u32(1).u32(link).raw(b"en0").raw(&[0; 21]).u32(direction);
    bytes.out.resize(HEADER as usize, 0);
    bytes.raw(&inner);
    bytes.out
}

/// A frame of a Marvell switch's own port; IPv6 is in a VLAN.
pub(crate) fn dsa(packet: &Packet) -> Vec<u8> {
    let mut bytes = Bytes::new(Order::Big);
    let tag = if is_ipv6(packet) { [0x2008, 7] } else { [0x0008, 0] };
    bytes.raw(&mac(packet.to)).raw(&mac(packet.from)).u16(tag[0]).u16(tag[1]).u16(ethertype(packet));
    bytes.raw(&packet.bytes);
    bytes.out
}

fn ppp_protocol(packet: &Packet) -> u8 {
    if is_ipv6(packet) { 0x57 } else { 0x21 }
}

/// Locally administered: the host's own inside, the router's for all others.
fn mac(addr: IpAddr) -> [u8; 6] {
    [2, 0, 0, 0, 0, if is_inside(addr) { octets16(addr)[15] } else { 1 }]
}
