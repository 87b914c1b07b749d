//! Why a packet gives no segment, at each boundary.

use synwatch::wire::decode::{Skip, Tunnels, VxlanPorts};
use synwatch::wire::packet::LinkType;
use synwatch::wire::segment::{Flags, Segment};

use super::decode_as;
use synwatch_testkit::packets::*;

fn raw(bytes: &[u8]) -> Result<Segment, Skip> {
    decode_as(LinkType::RAW, bytes, Tunnels::ENTER)
}

fn ether(ether_type: u16, payload: &[u8]) -> Result<Segment, Skip> {
    decode_as(LinkType::ETHERNET, &ethernet(ether_type, payload), Tunnels::ENTER)
}

#[track_caller]
fn skips(found: Result<Segment, Skip>, reason: Skip) {
    assert_eq!(found, Err(reason));
}

#[test]
fn thirteen_bytes_of_tcp_are_malformed_when_the_datagram_ends_there() {
    skips(raw(&v4(TCP, &tcp()[..13])), Skip::Malformed);
    skips(raw(&v6(TCP, &tcp()[..13])), Skip::Malformed);
    assert_eq!(raw(&v4(TCP, &tcp()[..14])).unwrap().flags, Flags::SYN);
    assert_eq!(raw(&v6(TCP, &tcp()[..15])).unwrap().flags, Flags::SYN);
    // What is captured behind the datagram's end is padding, not TCP.
    skips(raw(&join(&[&v4(TCP, &tcp()[..13]), &[0x02; 20]])), Skip::Malformed);
    skips(ether(IPV6, &join(&[&v6(TCP, &tcp()[..13]), &[0x02; 20]])), Skip::Malformed);
}

#[test]
fn odd_ports_flags_and_offsets_are_not_judged() {
    let mut odd = tcp();
    odd[..4].fill(0);
    odd[12..14].fill(0xff);
    let segment = raw(&v4(TCP, &odd)).unwrap();
    assert_eq!(
        (segment.src_port, segment.dst_port, segment.flags, segment.payload),
        (0, 0, Flags(0xff), None)
    );
}

#[test]
fn the_payload_is_what_the_datagram_leaves_for_it() {
    let payload = |offset: u8, bytes: usize| {
        let mut segment = tcp();
        segment[12] = offset << 4;
        segment.resize(bytes, 0);
        raw(&v4(TCP, &segment)).unwrap().payload
    };
    assert_eq!(payload(5, 20), Some(0));
    assert_eq!(payload(5, 21), Some(1));
    assert_eq!(payload(15, 60), Some(0));
    assert_eq!(payload(5, 19), None, "the header does not fit");
    assert_eq!(payload(4, 20), None, "no header is that short");
    assert_eq!(payload(15, 59), None, "the header does not fit");
}

#[test]
fn the_payload_counts_whether_captured_or_not() {
    let mut segment = tcp();
    segment.resize(1020, 0);
    let packet = v6(TCP, &segment);
    assert_eq!(raw(&packet[..54]).unwrap().payload, Some(1000));
}

#[test]
fn a_length_of_zero_is_left_by_offload() {
    let mut four = v4(TCP, &tcp());
    four[2..4].fill(0);
    let mut six = v6(0, &extension(TCP, 0, &tcp()));
    six[4..6].fill(0);
    for packet in [four, six] {
        let segment = raw(&packet).unwrap();
        assert_eq!((segment.flags, segment.payload), (Flags::SYN, None));
    }
}

#[test]
fn a_total_length_within_the_header_is_malformed() {
    let total = |options: u8, total: u8| {
        let mut packet = v4_with(options, 0, TCP, &tcp());
        packet[2..4].copy_from_slice(&[0, total]);
        raw(&packet)
    };
    skips(total(0, 1), Skip::Malformed);
    skips(total(0, 19), Skip::Malformed);
    skips(total(0, 33), Skip::Malformed);
    assert!(total(0, 34).is_ok());
    skips(total(10, 59), Skip::Malformed);
    assert!(total(10, 74).is_ok());
}

#[test]
fn a_header_length_below_five_words_is_malformed() {
    let mut packet = v4(TCP, &tcp());
    packet[0] = 0x44;
    skips(raw(&packet), Skip::Malformed);
}

#[test]
fn the_version_must_be_what_the_header_before_says() {
    let (four, six) = (v4(TCP, &tcp()), v6(TCP, &tcp()));
    skips(ether(IPV4, &six), Skip::Malformed);
    skips(ether(IPV6, &four), Skip::Malformed);
    skips(decode_as(LinkType::IPV4, &six, Tunnels::Skip), Skip::Malformed);
    skips(decode_as(LinkType::IPV6, &four, Tunnels::Skip), Skip::Malformed);
    skips(raw(&[0x50; 60]), Skip::Malformed);
}

#[test]
fn only_a_first_fragment_has_a_tcp_header() {
    for more in [0, 0x2000] {
        assert!(raw(&v4_with(0, more, TCP, &tcp())).is_ok());
        skips(raw(&v4_with(0, more | 1, TCP, &tcp())), Skip::Fragment);
        skips(raw(&v4_with(0, more | 0x1fff, TCP, &tcp())), Skip::Fragment);
    }
    for more in [false, true] {
        assert!(raw(&v6(44, &fragment(TCP, 0, more, &tcp()))).is_ok());
        skips(raw(&v6(44, &fragment(TCP, 1, more, &tcp()))), Skip::Fragment);
        skips(raw(&v6(44, &fragment(TCP, 0x1fff, more, &tcp()))), Skip::Fragment);
    }
}

#[test]
fn sixteen_extension_headers_are_followed_and_no_more() {
    let chain = |headers: u8| {
        let mut next = TCP;
        let mut packet = tcp();
        for _ in 0..headers {
            packet = extension(next, 0, &packet);
            next = 60;
        }
        raw(&v6(next, &packet))
    };
    assert!(chain(15).is_ok());
    assert!(chain(16).is_ok());
    skips(chain(17), Skip::Malformed);
}

#[test]
fn an_extension_header_beyond_the_datagram_is_malformed() {
    let mut packet = v6(60, &extension(TCP, 0, &tcp()));
    packet[41] = 3;
    skips(raw(&packet), Skip::Malformed);
    // An authentication header of less than its fixed part.
    skips(raw(&v6(51, &[TCP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), Skip::Malformed);
}

#[test]
fn every_other_protocol_is_not_tcp() {
    for protocol in
        (0..=u8::MAX).filter(|protocol| ![4, TCP, UDP, 41, 47, 50, 51, 97, 115, 137].contains(protocol))
    {
        skips(raw(&v4(protocol, &tcp())), Skip::NotTcp);
    }
    // ICMP errors quote the datagram that they are about.
    skips(raw(&v4(1, &join(&[&[3, 1, 0, 0, 0, 0, 0, 0], &v4(TCP, &tcp())]))), Skip::NotTcp);
    skips(raw(&v6(58, &join(&[&[1, 0, 0, 0, 0, 0, 0, 0], &v6(TCP, &tcp())]))), Skip::NotTcp);
    skips(raw(&v6(59, &tcp())), Skip::NotTcp);
}

#[test]
fn eight_tags_are_read_and_no_more() {
    let tagged = |tags: u16| {
        let mut ether_type = IPV4;
        let mut packet = v4(TCP, &tcp());
        for vlan in 0..tags {
            let kind = [VLAN, 0x88a8, 0x8909, 0x9100, 0x893f, 0x9200, 0x8926, 0x8200][usize::from(vlan % 8)];
            packet = any_tag(kind, vlan, ether_type, &packet);
            ether_type = kind;
        }
        ether(ether_type, &packet)
    };
    assert!(tagged(7).is_ok());
    assert!(tagged(8).is_ok());
    skips(tagged(9), Skip::Malformed);
}

#[test]
fn sixteen_labels_are_read_and_no_more() {
    assert!(ether(MPLS, &mpls(15, &v4(TCP, &tcp()))).is_ok());
    assert!(ether(MPLS, &mpls(16, &v4(TCP, &tcp()))).is_ok());
    skips(ether(MPLS, &mpls(17, &v4(TCP, &tcp()))), Skip::Malformed);
}

#[test]
fn below_the_labels_the_first_bits_tell() {
    let under = |first: u8| ether(MPLS, &mpls(1, &join(&[&[first], &[0; 60]])));
    skips(under(0x10), Skip::NotTcp);
    skips(under(0x20), Skip::Tunnel);
    skips(under(0xf0), Skip::Tunnel);
}

#[test]
fn four_tunnels_are_entered_and_no_more() {
    let nested = |tunnels: u8| (0..tunnels).fold(v4(TCP, &tcp()), |packet, _| v4(4, &packet));
    assert!(raw(&nested(3)).is_ok());
    assert!(raw(&nested(4)).is_ok());
    skips(raw(&nested(5)), Skip::Malformed);
    skips(decode_as(LinkType::RAW, &nested(5), Tunnels::Skip), Skip::Tunnel);
}

#[test]
fn an_endless_row_of_headers_ends() {
    // LLC in LLC, which no honest sender makes.
    let mut packet = Vec::new();
    for _ in 0..20 {
        packet.extend([&[0xaa, 0xaa, 3, 0, 0, 0][..], &VLAN.to_be_bytes(), &[0, 5, 0, 46]].concat());
    }
    skips(ether(46, &packet), Skip::Malformed);
    let labels = [0, 1, 0, 64].repeat(1000);
    skips(ether(MPLS, &labels), Skip::Malformed);
    let attributes = attribute(true, 3, &[]).repeat(1000);
    skips(decode_as(LinkType::NFLOG, &join(&[&[2, 0, 0, 0], &attributes]), Tunnels::ENTER), Skip::Malformed);
}

#[test]
fn tunnels_that_are_not_read_are_said_to_be_tunnels() {
    let inner = v4(TCP, &tcp());
    skips(raw(&v4(50, &inner)), Skip::Tunnel);
    skips(raw(&v6(50, &inner)), Skip::Tunnel);
    skips(raw(&v4(47, &gre(0x4000, IPV4, &inner))), Skip::Tunnel);
    skips(raw(&v4(47, &gre(0x0001, IPV4, &inner))), Skip::Tunnel);
    skips(raw(&v4(47, &gre(0, 0x883e, &inner))), Skip::Tunnel);
    [97, 115, 137].into_iter().for_each(|protocol| skips(raw(&v4(protocol, &inner)), Skip::Tunnel));
    skips(ether(0x88e5, &inner), Skip::Tunnel);
}

#[test]
fn udp_is_a_tunnel_only_with_the_port_and_the_flag_of_vxlan() {
    let frame = ethernet(IPV4, &v4(TCP, &tcp()));
    let mut other = vxlan(&frame);
    other[3] = other[3].wrapping_add(1);
    skips(raw(&v4(UDP, &other)), Skip::NotTcp);
    let mut unflagged = vxlan(&frame);
    unflagged[8] = 0xf7;
    skips(raw(&v4(UDP, &unflagged)), Skip::NotTcp);
    skips(raw(&v4(UDP, &vxlan(&frame)[..7])), Skip::Malformed);
}

#[test]
fn geneve_has_a_version_and_what_it_carries_a_type() {
    let frame = ethernet(IPV4, &v4(TCP, &tcp()));
    let mut other = geneve(0, 0x6558, &frame);
    other[8] = 0x40;
    skips(raw(&v4(UDP, &other)), Skip::NotTcp);
    skips(raw(&v4(UDP, &geneve(63, 0x6558, &frame)[..100])), Skip::Malformed);
    skips(raw(&v4(UDP, &geneve(0, 0x1234, &frame))), Skip::NotTcp);
}

#[test]
fn vxlan_is_at_the_ports_that_are_asked_for() {
    let packet = |port: u16| {
        v4(UDP, &udp(port, &join(&[&[0x08, 0, 0, 0, 0, 0, 7, 0], &ethernet(IPV4, &v4(TCP, &tcp()))])))
    };
    let tunnels = Tunnels::Enter(VxlanPorts::new(&[5000, 8472]).unwrap());
    let read = |port| decode_as(LinkType::RAW, &packet(port), tunnels);
    assert!(read(5000).is_ok() && read(8472).is_ok());
    skips(read(4789), Skip::NotTcp);
    assert!(raw(&packet(4789)).is_ok() && raw(&packet(8472)).is_ok());
    assert_eq!(VxlanPorts::new(&[]), None);
    assert_eq!(VxlanPorts::new(&[1; 9]), None);
}

#[test]
fn a_logs_header_must_make_sense() {
    let log = |length: u8, family: u8| {
        let bytes = join(&[&[length, family], &[0; 100], &v4(TCP, &tcp())]);
        decode_as(LinkType::PFLOG, &bytes, Tunnels::ENTER)
    };
    skips(log(44, 2), Skip::Malformed);
    skips(log(99, 3), Skip::NotTcp);
    let tap = |length: u32, link: u32| {
        let mut bytes = pktap(length.max(108), link, 1, &ethernet(IPV4, &v4(TCP, &tcp())));
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        decode_as(LinkType::PKTAP, &bytes, Tunnels::ENTER)
    };
    assert!(tap(108, 1).is_ok());
    skips(tap(107, 1), Skip::Malformed);
    skips(tap(108, 258), Skip::NotTcp);
    skips(tap(108, 105), Skip::NotTcp);
    skips(tap(108, 0x1_0001), Skip::NotTcp);
    // A length beyond what was captured.
    let mut bytes = pktap(108, 1, 1, &[]);
    bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    skips(decode_as(LinkType::PKTAP, &bytes, Tunnels::ENTER), Skip::Truncated);
}

#[test]
fn a_chain_of_authentication_headers_ends() {
    let chain = |headers: u8| {
        let inner = (1..headers).fold(auth(TCP, 0, &tcp()), |packet, _| auth(51, 0, &packet));
        raw(&v4(51, &inner))
    };
    assert!(chain(1).is_ok() && chain(16).is_ok());
    skips(chain(17), Skip::Malformed);
    skips(raw(&v4(51, &[TCP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), Skip::Malformed);
}

#[test]
fn a_first_fragment_without_the_flags_is_a_fragment() {
    for bytes in [8, 13, 15] {
        skips(raw(&v4_with(0, 0x2000, TCP, &tcp()[..bytes])), Skip::Fragment);
        skips(raw(&v6(44, &fragment(TCP, 0, true, &tcp()[..bytes]))), Skip::Fragment);
    }
    assert!(raw(&v4_with(0, 0x2000, TCP, &tcp()[..16])).is_ok());
    // What was not captured is not known.
    skips(raw(&v4_with(0, 0x2000, TCP, &tcp()[..8])[..27]), Skip::Truncated);
}

#[test]
fn an_inner_datagram_cannot_leave_the_outer_one() {
    let mut inner = v4(TCP, &tcp());
    inner.truncate(33);
    let outer = v4(4, &inner);
    skips(raw(&join(&[&outer, &[0x02; 20]])), Skip::Malformed);
}

#[test]
fn frames_that_carry_no_ip_are_not_tcp() {
    let four = v4(TCP, &tcp());
    skips(ether(0x0806, &four), Skip::NotTcp);
    skips(ether(0x8863, &four), Skip::NotTcp);
    skips(ether(0x05ff, &four), Skip::NotTcp);
    skips(ether(46, &join(&[&[0x42, 0x42, 3], &four])), Skip::NotTcp);
    skips(ether(46, &join(&[&[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x08, 0], &four])), Skip::NotTcp);
    for protocol in [0, 1, 3, 5, 0x000c] {
        skips(decode_as(LinkType::LINUX_SLL, &cooked(0, protocol, &four), Tunnels::ENTER), Skip::NotTcp);
    }
}

#[test]
fn pppoe_carries_ppp_in_sessions_only() {
    let mut packet = pppoe(&join(&[&[0, 0x21], &v4(TCP, &tcp())]));
    packet[1] = 0xa7;
    skips(ether(PPPOE, &packet), Skip::NotTcp);
    packet[0] = 0x21;
    skips(ether(PPPOE, &packet), Skip::Malformed);
}

#[test]
fn ppp_carries_more_than_ip() {
    let ppp = |start: &[u8]| decode_as(LinkType::PPP, &join(&[start, &v4(TCP, &tcp())]), Tunnels::ENTER);
    assert!(ppp(&[0x21]).is_ok());
    skips(ppp(&[0xff, 0x02, 0, 0x21]), Skip::NotTcp);
    skips(ppp(&[0xc0, 0x21]), Skip::NotTcp);
    skips(ppp(&[0x00, 0x2d]), Skip::NotTcp);
    skips(ppp(&[0x57]), Skip::Malformed);
}

#[test]
fn loopback_families_have_one_byte_order_or_the_other() {
    let null =
        |family: [u8; 4]| decode_as(LinkType::NULL, &join(&[&family, &v6(TCP, &tcp())]), Tunnels::ENTER);
    for family in [10, 24, 28, 30] {
        assert!(null([family, 0, 0, 0]).is_ok());
        assert!(null([0, 0, 0, family]).is_ok());
        skips(null([0, family, 0, 0]), Skip::NotTcp);
        skips(null([family, 0, 0, family]), Skip::NotTcp);
    }
    skips(null([2, 0, 0, 0]), Skip::Malformed);
    skips(null([7, 0, 0, 0]), Skip::NotTcp);
}

#[test]
fn netfilter_attributes_must_make_sense() {
    let nflog = |family: u8, attributes: &[u8]| {
        let packet = attribute(true, 9, &v4(TCP, &tcp()));
        decode_as(LinkType::NFLOG, &join(&[&[family, 0, 0, 0], attributes, &packet]), Tunnels::ENTER)
    };
    assert!(nflog(2, &[]).is_ok());
    assert!(nflog(2, &[4, 0, 3, 0]).is_ok());
    skips(nflog(2, &[3, 0, 3, 0]), Skip::Malformed);
    skips(nflog(2, &[4, 0, 1, 1]), Skip::Malformed);
    skips(nflog(10, &[]), Skip::Malformed);
    skips(nflog(3, &[]), Skip::NotTcp);
    skips(nflog(7, &[]), Skip::NotTcp);
    assert!(nflog(7, &attribute(true, 1, &[0x08, 0, 2, 0])).is_ok());
}

#[test]
fn netfilter_copies_less_than_the_packet_when_told_to() {
    let copied = |bytes: usize| {
        let packet = attribute(true, 9, &v4(TCP, &tcp())[..bytes]);
        let log = join(&[&[2, 0, 0, 0], &packet, &attribute(true, 3, &[0x02; 20])]);
        decode_as(LinkType::NFLOG, &log, Tunnels::ENTER)
    };
    skips(copied(33), Skip::Truncated);
    assert!(copied(34).is_ok());
}
