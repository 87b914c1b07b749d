//! Attacks below tags, labels, PPPoE, IPv4 options and fragments, and IPv6 extension headers.

use etherparse::{IpFragOffset, Ipv4Header};

use super::Capture;
use super::forms::Forms;
use super::link::{self, behind, ethernet, ethernet_frame, ethertype};
use super::packet::Packet;

pub(crate) fn captures() -> Vec<Capture> {
    vec![vlan(), switch_tags(), unread(), mpls(), pppoe(), ipv4(), ipv6()]
}

fn vlan() -> Capture {
    let mut forms = Forms::new(91);
    let tagged = |tpids: &'static [u16]| move |p: &Packet| vec![tagged(p, tpids, ethertype(p), &p.bytes)];
    forms.both(101, true, tagged(&[0x8100]));
    forms.both(102, true, tagged(&[0x88a8, 0x8100]));
    forms.both(103, true, tagged(&[0x9100, 0x8100]));
    forms.both(104, true, tagged(&[0x88a8, 0x8100, 0x8100]));
    forms.both(105, true, tagged(&[0x8100; 8]));
    forms.both(106, false, tagged(&[0x8100; 9]));
    forms.capture(
        "encap-vlan.pcap",
        "One attacker per form of VLAN tags, 35 SYNs each over IPv4 and IPv6. 192.0.2.101: 802.1Q. .102: 802.1ad and 802.1Q. \
         .103: 0x9100 and 802.1Q. .104: three tags. .105: eight tags. .106: nine tags, more than are read: not counted.",
    )
}

fn switch_tags() -> Capture {
    let mut forms = Forms::new(99);
    let tagged =
        |fields: &'static [u16]| move |p: &Packet| vec![switch_tagged(p, fields, ethertype(p), &p.bytes)];
    forms.both(181, true, tagged(&[0x8909, 0x0101, 0x0001, 0x0042]));
    forms.both(182, true, tagged(&[0x8988, 0x179f, 0x0102, 0x0304]));
    forms.both(183, true, tagged(&[0x8926, 0x0000, 0x0014]));
    forms.both(184, true, tagged(&[0x893f, 0x0000, 0x0001, 0x0000]));
    forms.both(185, true, tagged(&[0x8200, 0x0076]));
    forms.both(
        186,
        true,
        tagged(&[0x8926, 0x0000, 0x0014, 0x8200, 0x0076, 0x8909, 0x0101, 0x0001, 0x0042, 0x8100, 5]),
    );
    forms.capture(
        "encap-switch-tags.pcap",
        "One attacker per tag that switches put before the EtherType, 35 SYNs each over IPv4 and IPv6. 192.0.2.181: Cisco's \
         security group. .182: TTag. .183: VN-tag. .184: E-tag. .185: QinQ as 0x8200. .186: four of them in a row.",
    )
}

fn unread() -> Capture {
    let mut forms = Forms::new(100);
    // ARP is no less read than it should be.
    forms.four(187, false, |p| {
        vec![ethernet_frame(p, 0x0806, &behind(&[1, 0x0800, 0x0604, 1, 0, 0], &[0; 16]))]
    });
    forms.both(188, false, |p| vec![switch_tagged(p, &[0x9999, 7], ethertype(p), &p.bytes)]);
    forms.capture(
        "encap-unread.pcap",
        "192.0.2.188 and 2001:db8:188::1 send 35 SYNs each behind a tag of the EtherType 0x9999, which is not read: not \
         counted, and said. ARP between them is of no matter.",
    )
}

fn mpls() -> Capture {
    let mut forms = Forms::new(92);
    forms.both(111, true, |p| vec![ethernet_frame(p, 0x8847, &labelled(p, &[1000]))]);
    forms.both(112, true, |p| vec![ethernet_frame(p, 0x8847, &labelled(p, &[1000, 17, 99_999]))]);
    forms.both(113, true, |p| vec![tagged(p, &[0x8100], 0x8847, &labelled(p, &[1000]))]);
    forms.capture(
        "encap-mpls.pcap",
        "One attacker per form, 35 SYNs each over IPv4 and IPv6. 192.0.2.111: one MPLS label. .112: three labels. .113: a \
         label below a VLAN tag.",
    )
}

fn pppoe() -> Capture {
    let mut forms = Forms::new(93);
    forms.both(121, true, |p| vec![ethernet_frame(p, 0x8864, &link::pppoe(p))]);
    forms.both(122, true, |p| vec![tagged(p, &[0x8100], 0x8864, &link::pppoe(p))]);
    forms.both(123, true, |p| vec![tagged(p, &[0x88a8, 0x8100], 0x8864, &link::pppoe(p))]);
    // Discovery (RFC 2516, 5.1): an initiation that asks for any service.
    forms.four(124, false, |p| vec![ethernet_frame(p, 0x8863, &behind(&[0x1109, 0, 4, 0x0101, 0], &[]))]);
    forms.capture(
        "encap-pppoe.pcap",
        "One attacker per form, 35 SYNs each over IPv4 and IPv6. 192.0.2.121: a PPPoE session. .122: below a VLAN tag. .123: \
         below two. PPPoE discovery between them.",
    )
}

fn ipv4() -> Capture {
    let mut forms = Forms::new(94);
    // Router alert, then no operation and end of options up to the most that fit.
    let router_alert = [0x94, 4, 0, 0];
    let mut most = [1; 40];
    most[36..].copy_from_slice(&router_alert);
    forms.four(131, true, move |p| vec![ethernet(&with_options(p, &router_alert))]);
    forms.four(132, true, move |p| vec![ethernet(&with_options(p, &most))]);
    forms.payload = b"sixteen bytes...";
    forms.four(133, true, |p| fragments(p, 24));
    forms.four(134, false, |p| fragments(p, 24).split_off(1));
    forms.four(135, true, |p| fragments(p, 8));
    forms.four(136, true, |p| vec![ethernet(&authenticated(p))]);
    forms.four(137, true, |p| {
        let [first, rest] = <[Packet; 2]>::try_from(parts(p, 8)).unwrap_or_else(|_| unreachable!("two"));
        let [second, third] =
            <[Packet; 2]>::try_from(parts(&rest, 8)).unwrap_or_else(|_| unreachable!("two"));
        [third, first, second].iter().map(ethernet).collect()
    });
    forms.four(138, false, |p| fragments(p, 8).into_iter().take(1).collect());
    forms.capture(
        "encap-ipv4.pcap",
        "One attacker per form, 35 SYNs each. 192.0.2.131: IPv4 with a router alert. .132: with 40 bytes of options. .133: in \
         two fragments, of which the first counts. .134: later fragments alone: not counted. .135: a first fragment of 8 \
         bytes, which has the ports, and the flags in the second. .136: an authentication header. .137: three fragments, the \
         last one first. .138: first fragments of 8 bytes alone: not counted.",
    )
}

fn ipv6() -> Capture {
    let mut forms = Forms::new(95);
    let extended = |chain: Vec<Extension>| move |p: &Packet| vec![ethernet(&with_extensions(p, &chain))];
    forms.six(0x141, true, extended(vec![hop_by_hop()]));
    forms.six(0x142, true, extended(vec![routing()]));
    forms.six(0x143, true, extended(vec![destination_options()]));
    forms.six(0x144, true, extended(vec![fragment(0, false)]));
    forms.six(0x145, true, extended(vec![authentication()]));
    let all = vec![
        hop_by_hop(),
        destination_options(),
        routing(),
        fragment(0, false),
        authentication(),
        destination_options(),
    ];
    forms.six(0x146, true, extended(all));
    forms.six(0x149, false, extended((0..40).map(|_| destination_options()).collect()));
    forms.payload = b"sixteen bytes...";
    forms.six(0x147, true, |p| fragments6(p, 24));
    forms.six(0x148, false, |p| fragments6(p, 24).split_off(1));
    forms.six(0x150, true, |p| fragments6(p, 8).into_iter().rev().collect());
    forms.capture(
        "encap-ipv6.pcap",
        "One attacker per form, 35 SYNs each. 2001:db8:141::1: hop-by-hop options. 142: a routing header. 143: destination \
         options. 144: an atomic fragment. 145: an authentication header. 146: all of them in a chain. 147: two fragments, \
         of which the first counts. 148: later fragments alone: not counted. 149: a chain of 40 headers, more than are \
         read: not counted. 150: a first fragment of 8 bytes, which comes after the second.",
    )
}

/// A frame with these tags, from the outermost on; each has a VLAN and a priority of its own.
fn tagged(packet: &Packet, tpids: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    for (i, next) in tpids[1..].iter().chain([&ethertype]).enumerate() {
        let priority = (i as u16 % 8) << 13;
        fields.extend([priority | (100 + i as u16), *next]);
    }
    ethernet_frame(packet, tpids[0], &behind(&fields, payload))
}

/// A frame with these fields, a tag's EtherType first.
fn switch_tagged(packet: &Packet, fields: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let fields = [fields, &[ethertype]].concat();
    ethernet_frame(packet, fields[0], &behind(&fields[1..], payload))
}

fn labelled(packet: &Packet, labels: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, label) in labels.iter().enumerate() {
        let bottom = u32::from(i + 1 == labels.len());
        bytes.extend((label << 12 | bottom << 8 | 63).to_be_bytes());
    }
    bytes.extend(&packet.bytes);
    bytes
}

fn with_options(packet: &Packet, options: &[u8]) -> Packet {
    let (mut header, payload) = ipv4_parts(packet);
    header.options = options.try_into().expect("a multiple of four, at most 40 bytes");
    ipv4_packet(packet, header, payload)
}

/// With an authentication header (RFC 4302) before TCP.
fn authenticated(packet: &Packet) -> Packet {
    const TCP: u8 = 6;
    let (mut header, payload) = ipv4_parts(packet);
    let (number, authentication) = authentication();
    header.protocol = number.into();
    ipv4_packet(packet, header, &[&[TCP], &authentication[1..], payload].concat())
}

/// The frames of an IPv4 packet whose payload is cut in two.
fn fragments(packet: &Packet, at: usize) -> Vec<Vec<u8>> {
    parts(packet, at).iter().map(ethernet).collect()
}

/// An IPv4 packet, or a part of one, cut in two.
pub(crate) fn parts(packet: &Packet, at: usize) -> Vec<Packet> {
    let (mut header, payload) = ipv4_parts(packet);
    let offset = header.fragment_offset.value();
    let is_last = !header.more_fragments;
    header.dont_fragment = false;
    header.more_fragments = true;
    let first = ipv4_packet(packet, header.clone(), &payload[..at]);
    header.more_fragments = !is_last;
    header.fragment_offset = IpFragOffset::try_new(offset + at as u16 / 8).expect("the packet is short");
    let second = ipv4_packet(packet, header, &payload[at..]);
    vec![first, second]
}

fn ipv4_parts(packet: &Packet) -> (Ipv4Header, &[u8]) {
    Ipv4Header::from_slice(&packet.bytes).expect("segments are in good packets")
}

fn ipv4_packet(packet: &Packet, mut header: Ipv4Header, payload: &[u8]) -> Packet {
    header.set_payload_len(payload.len()).expect("the packet is short");
    header.header_checksum = header.calc_header_checksum();
    packet.with([&header.to_bytes()[..], payload].concat())
}

/// An extension header: its number, and its bytes, the first of which will name the next header.
type Extension = (u8, Vec<u8>);

/// A router alert (RFC 2711) and padding.
fn hop_by_hop() -> Extension {
    (0, vec![0, 0, 5, 2, 0, 0, 1, 0])
}

/// Type 2 with no segments left: the destination is the last one.
fn routing() -> Extension {
    (43, [&[0, 2, 2, 0, 0, 0, 0, 0][..], &[0xfd; 16]].concat())
}

/// Nothing but padding.
fn destination_options() -> Extension {
    (60, vec![0, 0, 1, 4, 0, 0, 0, 0])
}

fn fragment(offset: usize, more: bool) -> Extension {
    let [high, low] = (offset as u16 & 0xfff8 | u16::from(more)).to_be_bytes();
    (44, vec![0, 0, high, low, 0, 0, 0x12, 0x34])
}

/// 24 bytes, of which 12 authenticate (not truly).
fn authentication() -> Extension {
    (51, [&[0, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1][..], &[0xa5; 12]].concat())
}

fn with_extensions(packet: &Packet, chain: &[Extension]) -> Packet {
    extended(packet, chain, &packet.bytes[40..])
}

fn fragments6(packet: &Packet, at: usize) -> Vec<Vec<u8>> {
    let payload = &packet.bytes[40..];
    let first = extended(packet, &[fragment(0, true)], &payload[..at]);
    let second = extended(packet, &[fragment(at, false)], &payload[at..]);
    vec![ethernet(&first), ethernet(&second)]
}

/// The IPv6 packet with this chain and payload in place of its own payload.
fn extended(packet: &Packet, chain: &[Extension], payload: &[u8]) -> Packet {
    const TCP: u8 = 6;
    let mut bytes = packet.bytes[..40].to_vec();
    bytes[6] = chain[0].0;
    for (i, (_, extension)) in chain.iter().enumerate() {
        bytes.push(chain.get(i + 1).map_or(TCP, |(next, _)| *next));
        bytes.extend(&extension[1..]);
    }
    bytes.extend(payload);
    let length = bytes.len() as u16 - 40;
    bytes[4..6].copy_from_slice(&length.to_be_bytes());
    packet.with(bytes)
}
