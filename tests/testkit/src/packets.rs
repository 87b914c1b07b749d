//! Headers to build packets from, inside out: each function puts one header before what it carries.

use std::net::{Ipv4Addr, Ipv6Addr};

use synwatch::wire::packet::LinkType;

pub const SRC4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub const DST4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
pub const SRC6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0x31);
pub const DST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 0x25);
pub const IP_ID: u16 = 0x4321;

pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
pub const VLAN: u16 = 0x8100;
pub const MPLS: u16 = 0x8847;
pub const PPPOE: u16 = 0x8864;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

/// The segment that the samples carry: a SYN from port 49152 to port 25.
pub fn tcp() -> Vec<u8> {
    let mut tcp = vec![0xc0, 0x00, 0, 25, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x02];
    tcp.extend([0xff, 0xff, 0, 0, 0, 0]);
    tcp
}

pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An IPv4 header, with so many words of options.
pub fn v4_with(options: u8, fragment: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = 20 + 4 * usize::from(options);
    let total = u16::try_from(header + payload.len()).unwrap().to_be_bytes();
    let mut ip = vec![0x45 + options, 0, total[0], total[1]];
    ip.extend(IP_ID.to_be_bytes());
    ip.extend(fragment.to_be_bytes());
    ip.extend([64, protocol, 0, 0]);
    ip.extend(SRC4.octets());
    ip.extend(DST4.octets());
    ip.resize(header, 1);
    join(&[&ip, payload])
}

pub fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    v4_with(0, 0, protocol, payload)
}

pub fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x60, 0, 0, 0];
    ip.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    ip.extend([next, 64]);
    ip.extend(SRC6.octets());
    ip.extend(DST6.octets());
    join(&[&ip, payload])
}

/// An IPv6 extension header of the usual form, with so many times 8 bytes beyond the first 8.
pub fn extension(next: u8, more: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![next, more];
    header.resize(8 + 8 * usize::from(more), 0);
    join(&[&header, payload])
}

pub fn fragment(next: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
    join(&[&[next, 0, high, low, 0, 0, 0, 1], payload])
}

/// An authentication header with so many words of check value.
pub fn auth(next: u8, words: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![next, words + 1];
    header.resize(12 + 4 * usize::from(words), 0);
    join(&[&header, payload])
}

pub fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &ether_type.to_be_bytes(), payload])
}

/// What follows the number of a VLAN tag: priority 5, and the number of what is tagged.
pub fn tag(vlan: u16, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&(0xa000 | vlan).to_be_bytes(), &ether_type.to_be_bytes(), payload])
}

/// The tags of switches that are none of VLANs: security group, time, virtual interface, E-tag.
pub const SWITCH_TAGS: [u16; 4] = [0x8909, 0x8988, 0x8926, 0x893f];

/// What follows the number of a tag: that of a VLAN, or what a switch puts there.
pub fn any_tag(kind: u16, vlan: u16, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let body: &[u8] = match kind {
        0x8909 => &[1, 1, 0, 1, 0, 0x42],
        0x8988 => &[0x17, 0x9f, 1, 2, 3, 4],
        0x8926 => &[0, 0, 0, 0x14],
        0x893f => &[0, 0, 0, 1, 0, 0],
        _ => return tag(vlan, ether_type, payload),
    };
    join(&[body, &ether_type.to_be_bytes(), payload])
}

pub fn snap(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[0xaa, 0xaa, 3, 0, 0, 0], &ether_type.to_be_bytes(), payload])
}

pub fn mpls(labels: u8, payload: &[u8]) -> Vec<u8> {
    let mut stack = Vec::new();
    for left in (0..labels).rev() {
        stack.extend([0, 1, u8::from(left == 0), 64]);
    }
    join(&[&stack, payload])
}

pub fn pppoe(ppp: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(ppp.len()).unwrap().to_be_bytes();
    join(&[&[0x11, 0, 0, 1, high, low], ppp])
}

pub fn cooked(packet_type: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = packet_type.to_be_bytes().to_vec();
    header.extend([0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
    header.extend(protocol.to_be_bytes());
    join(&[&header, payload])
}

pub fn cooked_v2(packet_type: u8, ifindex: u32, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = protocol.to_be_bytes().to_vec();
    header.extend([0, 0]);
    header.extend(ifindex.to_be_bytes());
    header.extend([0, 1, packet_type, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
    join(&[&header, payload])
}

/// One NFLOG attribute in the byte order of a little-endian machine, or of a big-endian one.
pub fn attribute(little: bool, kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let bytes = if little { u16::to_le_bytes } else { u16::to_be_bytes };
    let mut attribute = join(&[&bytes(length), &bytes(kind), value]);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

pub fn nflog(little: bool, family: u8, payload: &[u8]) -> Vec<u8> {
    let mut log = join(&[
        &[family, 0, 0, 42],
        &attribute(little, 1, &[0x08, 0x00, 2, 0]),
        &attribute(little, 10, b"dropped\0\0"),
        &attribute(little, 4, &[0, 0, 0, 3]),
        &attribute(little, 0x8000 | 20, &[0; 12]),
        &attribute(little, 9, payload),
    ]);
    // Nothing follows, so that the last attribute needs no padding.
    log.truncate(log.len() - (payload.len().next_multiple_of(4) - payload.len()));
    log
}

/// A GRE header of these flags, checksum, key and sequence number as they say.
pub fn gre(flags: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let optional = vec![0x77; 4 * (flags & 0xb000).count_ones() as usize];
    join(&[&flags.to_be_bytes(), &protocol.to_be_bytes(), &optional, payload])
}

pub fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    join(&[&[0x30, 0x39], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload])
}

pub fn vxlan(frame: &[u8]) -> Vec<u8> {
    udp(4789, &join(&[&[0x08, 0, 0, 0, 0, 0, 7, 0], frame]))
}

/// A GENEVE header with so many words of options, at its port.
pub fn geneve(options: u8, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = protocol.to_be_bytes();
    let options_bytes = vec![0x33; 4 * usize::from(options)];
    udp(6081, &join(&[&[options, 0, high, low, 0, 0, 9, 0], &options_bytes, payload]))
}

/// The frame of a Marvell switch's own port: untagged, or with the VLAN in its tag.
pub fn dsa(vlan: Option<u16>, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = vlan.unwrap_or(0).to_be_bytes();
    let tag = [if vlan.is_some() { 0x20 } else { 0 }, 0x08, high, low];
    join(&[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &tag, &ether_type.to_be_bytes(), payload])
}

/// What BSD's packet filter logs, with a header of this length.
pub fn pflog(length: u8, family: u8, direction: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x55; usize::from(length).next_multiple_of(4)];
    (header[0], header[1]) = (length, family);
    header[if length > 60 { 60 } else { 44 }] = direction;
    join(&[&header, payload])
}

/// Behind a global routing header.
pub fn infiniband(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[0; 40], &ether_type.to_be_bytes(), &[0, 0], payload])
}

/// macOS' packet tap, before a packet of this link type.
pub fn pktap(length: u32, link: u32, flags: u32, payload: &[u8]) -> Vec<u8> {
    let mut header = join(&[&length.to_le_bytes(), &1_u32.to_le_bytes(), &link.to_le_bytes(), &[0x66; 24]]);
    header.extend(flags.to_le_bytes());
    header.resize(length as usize, 0x66);
    join(&[&header, payload])
}

/// One packet of each link type and each encapsulation. Each carries [`tcp`]; with tunnels entered it is found.
pub fn samples() -> Vec<(&'static str, LinkType, Vec<u8>)> {
    let four = v4(TCP, &tcp());
    let six = v6(TCP, &tcp());
    let frame = ethernet(IPV4, &four);
    let ether = |name, ether_type, payload: &[u8]| (name, LinkType::ETHERNET, ethernet(ether_type, payload));
    let raw = |name, packet: Vec<u8>| (name, LinkType::RAW, packet);
    vec![
        ether("ethernet-ipv4", IPV4, &four),
        ether("ethernet-ipv6", IPV6, &six),
        ether("ethernet-padded", IPV4, &join(&[&four, &[0; 6]])),
        ether("llc-snap", 48, &snap(IPV4, &four)),
        ether("llc-snap-802.1h", 48, &join(&[&[0xaa, 0xaa, 3, 0, 0, 0xf8, 0x08, 0], &four])),
        ether("llc-snap-tag", 48, &snap(VLAN, &tag(5, IPV4, &four))),
        ether("tag-llc-snap", VLAN, &tag(5, 48, &snap(IPV6, &six))),
        ether("tag", VLAN, &tag(5, IPV4, &four)),
        ether("qinq", 0x88a8, &tag(100, VLAN, &tag(5, IPV6, &six))),
        ether("qinqinq", 0x9200, &tag(7, 0x9100, &tag(100, VLAN, &tag(5, IPV4, &four)))),
        ether("mpls", MPLS, &mpls(1, &four)),
        ether("mpls-stack", 0x8848, &mpls(3, &six)),
        ether("tag-mpls", VLAN, &tag(5, MPLS, &mpls(2, &four))),
        ether("pppoe", PPPOE, &pppoe(&join(&[&[0, 0x21], &four]))),
        ether(
            "qinq-pppoe-mpls",
            0x88a8,
            &tag(9, VLAN, &tag(8, PPPOE, &pppoe(&join(&[&[2, 0x81], &mpls(1, &six)])))),
        ),
        ("raw-12", LinkType::RAW_LINUX, four.clone()),
        ("raw-14", LinkType::RAW_OPENBSD, six.clone()),
        ("ipv4", LinkType::IPV4, four.clone()),
        ("ipv6", LinkType::IPV6, six.clone()),
        ("cooked", LinkType::LINUX_SLL, cooked(0, IPV4, &four)),
        ("cooked-tag", LinkType::LINUX_SLL, cooked(4, VLAN, &tag(5, IPV6, &six))),
        ("cooked-llc", LinkType::LINUX_SLL, cooked(0, 4, &snap(IPV4, &four))),
        ("cooked-v2", LinkType::LINUX_SLL2, cooked_v2(3, 2, IPV6, &six)),
        ("cooked-v2-pppoe", LinkType::LINUX_SLL2, cooked_v2(4, 2, PPPOE, &pppoe(&join(&[&[0, 0x57], &six])))),
        ("null-little", LinkType::NULL, join(&[&[2, 0, 0, 0], &four])),
        ("null-big", LinkType::NULL, join(&[&[0, 0, 0, 24], &six])),
        ("loop", LinkType::LOOP, join(&[&[0, 0, 0, 28], &six])),
        ("ppp", LinkType::PPP, join(&[&[0xff, 3, 0, 0x21], &four])),
        ("ppp-compressed", LinkType::PPP, join(&[&[0x57], &six])),
        ("ppp-cisco", LinkType::PPP, join(&[&[0x0f, 0, 8, 0], &four])),
        ("serial-ppp", LinkType::PPP_HDLC, join(&[&[0xff, 3, 0x21], &four])),
        ("serial-cisco", LinkType::PPP_HDLC, join(&[&[0x8f, 0, 0x86, 0xdd], &six])),
        ("pppoe-session", LinkType::PPP_ETHER, pppoe(&join(&[&[2, 0x83], &mpls(2, &four)]))),
        ("cisco-hdlc", LinkType::C_HDLC, join(&[&[0x0f, 0, 8, 0], &four])),
        ("cisco-hdlc-mpls", LinkType::C_HDLC, join(&[&[0x0f, 0, 0x88, 0x47], &mpls(1, &four)])),
        ("nflog-little", LinkType::NFLOG, nflog(true, 2, &four)),
        ("nflog-big", LinkType::NFLOG, nflog(false, 10, &six)),
        ("nflog-bridge", LinkType::NFLOG, nflog(true, 7, &four)),
        raw("options", v4_with(10, 0, TCP, &tcp())),
        raw("first-fragment", v4_with(0, 0x2000, TCP, &tcp())),
        raw("hop-by-hop", v6(0, &extension(TCP, 1, &tcp()))),
        raw("first-fragment-ipv6", v6(60, &extension(44, 0, &fragment(TCP, 0, true, &tcp())))),
        raw("chain", v6(0, &extension(43, 0, &extension(51, 2, &auth(60, 3, &extension(TCP, 0, &tcp())))))),
        raw("ip-in-ip", v4(4, &four)),
        raw("6in4", v4(41, &six)),
        raw("4in6", v6(4, &four)),
        raw("6in6", v6(60, &extension(41, 0, &six))),
        raw("gre", v4(47, &gre(0, IPV4, &four))),
        raw("gre-options", v6(47, &gre(0xb000, IPV6, &six))),
        raw("gre-ethernet", v4(47, &gre(0x2000, 0x6558, &frame))),
        raw("gre-mpls", v4(47, &gre(0, MPLS, &mpls(1, &four)))),
        raw("vxlan", v4(UDP, &vxlan(&frame))),
        raw("vxlan-tag-ipv6", v6(UDP, &vxlan(&ethernet(VLAN, &tag(5, IPV6, &six))))),
        raw("four-deep", v4(4, &v4(47, &gre(0, 0x86dd, &v6(UDP, &vxlan(&ethernet(IPV4, &v4(41, &six)))))))),
        ether("pseudowire", MPLS, &mpls(2, &join(&[&[0; 4], &frame]))),
        ether("backbone", 0x88e7, &join(&[&[0; 4], &frame])),
        ether("fabric-path", 0x8903, &join(&[&[0; 2], &frame])),
        ether("security-group", 0x8909, &any_tag(0x8909, 0, IPV4, &four)),
        ether("security-groups", 0x8909, &join(&[&[1, 2, 0, 1, 0, 0x42, 0, 2, 0, 1, 0x86, 0xdd], &six])),
        ether("time-tag", 0x8988, &any_tag(0x8988, 0, IPV6, &six)),
        ether("vn-tag", 0x8926, &any_tag(0x8926, 0, VLAN, &tag(5, IPV4, &four))),
        ether("e-tag", 0x893f, &any_tag(0x893f, 0, IPV4, &four)),
        ether("qinq-8200", 0x8200, &tag(100, 0x8909, &any_tag(0x8909, 0, VLAN, &tag(5, IPV4, &four)))),
        raw("authentication-ipv4", v4(51, &auth(TCP, 3, &tcp()))),
        raw("vxlan-8472", v4(UDP, &udp(8472, &join(&[&[0x08, 0, 0, 0, 0, 0, 7, 0], &frame])))),
        raw("geneve", v4(UDP, &geneve(0, 0x6558, &frame))),
        raw("geneve-options-ipv6", v6(UDP, &geneve(3, IPV6, &six))),
        raw("erspan-1", v4(47, &gre(0, 0x88be, &frame))),
        raw("erspan-2", v4(47, &gre(0x1000, 0x88be, &join(&[&[0x10, 1, 0, 2, 0, 0, 0, 3], &frame])))),
        raw(
            "erspan-3",
            v4(47, &gre(0x1000, 0x22eb, &join(&[&[0x20, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0], &frame]))),
        ),
        raw(
            "erspan-3-more",
            v4(47, &gre(0x1000, 0x22eb, &join(&[&[0x20, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1], &[9; 8], &frame]))),
        ),
        ("dsa", LinkType::DSA, dsa(None, IPV4, &four)),
        ("dsa-tag", LinkType::DSA, dsa(Some(5), IPV6, &six)),
        ("pflog", LinkType::PFLOG, pflog(61, 2, 1, &four)),
        ("pflog-long", LinkType::PFLOG, pflog(100, 24, 2, &six)),
        ("pflog-short", LinkType::PFLOG, pflog(45, 2, 1, &four)),
        ("infiniband", LinkType::IPOIB, infiniband(IPV6, &six)),
        ("pktap-ethernet", LinkType::PKTAP, pktap(108, 1, 2, &frame)),
        ("pktap-raw", LinkType::PKTAP, pktap(156, 12, 1, &six)),
    ]
}
