//! Decode, from the outside: packets in, segments or reasons out.

mod reasons;
mod stacks;

use std::net::IpAddr;

use synwatch::base::time::Timestamp;
use synwatch::wire::decode::{Skip, Tunnels, decode};
use synwatch::wire::packet::{InterfaceId, LinkType, Packet};
use synwatch::wire::segment::{Checksum, Direction, Flags, Place, Segment};

use synwatch_testkit::packets::*;

fn decode_as(link: LinkType, bytes: &[u8], tunnels: Tunnels) -> Result<Segment, Skip> {
    let interface = InterfaceId(3);
    decode(&Packet { time: Timestamp::default(), link, interface, bytes, wire_length: 0 }, tunnels)
}

/// What a shorter capture of the segment says, too.
fn cut(segment: Segment) -> Segment {
    Segment { checksum: Checksum::Unknown, fast_open: false, digest: 0, ..segment }
}

/// Where a packet was seen.
fn place(link: LinkType, bytes: &[u8]) -> Place {
    decode_as(link, bytes, Tunnels::ENTER).unwrap().place
}

#[test]
fn each_sample_gives_its_segment() {
    for (name, link, bytes) in samples() {
        let segment = decode_as(link, &bytes, Tunnels::ENTER).unwrap_or_else(|skip| panic!("{name}: {skip}"));
        let (src, dst, ip_id) = match segment.src {
            IpAddr::V4(_) => (SRC4.into(), DST4.into(), Some(IP_ID)),
            IpAddr::V6(_) => (SRC6.into(), DST6.into(), None),
        };
        let payload = if name.starts_with("first-fragment") { None } else { Some(0) };
        let expected = Segment {
            src,
            dst,
            src_port: 49152,
            dst_port: 25,
            seq: 0x0102_0304,
            ack: 0x0506_0708,
            flags: Flags::SYN,
            payload,
            ip_id,
            place: Place { interface: InterfaceId(3), ..segment.place },
            ..segment
        };
        assert_eq!(segment.hop_limit, 64, "{name}");
        assert_eq!(segment, expected, "{name}");
    }
}

#[test]
fn every_link_type_that_is_said_to_be_supported_has_a_sample() {
    for (link, _) in LinkType::SUPPORTED {
        assert!(samples().iter().any(|sample| sample.1 == *link), "{link}");
    }
}

#[test]
fn every_other_link_type_is_a_reason_of_its_own() {
    let bytes = ethernet(IPV4, &v4(TCP, &tcp()));
    for link in (0..=u16::MAX).map(LinkType) {
        let skipped = decode_as(link, &bytes, Tunnels::Skip) == Err(Skip::LinkType);
        assert_eq!(skipped, !link.is_supported(), "{link}");
    }
}

#[test]
fn each_sample_is_truncated_until_the_flags_are_captured() {
    for (name, link, bytes) in samples() {
        let full = decode_as(link, &bytes, Tunnels::ENTER);
        let padding = if name == "ethernet-padded" { 6 } else { 0 };
        let enough = bytes.len() - padding - tcp().len() + 14;
        for captured in 0..=bytes.len() {
            let expected = if captured < enough { Err(Skip::Truncated) } else { full.map(cut) };
            assert_eq!(
                decode_as(link, &bytes[..captured], Tunnels::ENTER).map(cut),
                expected,
                "{name} cut to {captured}"
            );
        }
    }
}

#[test]
fn tags_are_noted_outermost_first() {
    assert_eq!(place(LinkType::ETHERNET, &ethernet(VLAN, &tag(5, IPV4, &v4(TCP, &tcp())))).vlan, 5);
    let mut ether_type = IPV4;
    let mut bytes = v4(TCP, &tcp());
    for vlan in [5, 4, 3, 2, 1] {
        bytes = tag(vlan, ether_type, &bytes);
        ether_type = VLAN;
    }
    assert_eq!(place(LinkType::ETHERNET, &ethernet(VLAN, &bytes)).vlan, 0x0001_0020_0300_4005);
    // A sixth has no room left, but makes a difference.
    let six = place(LinkType::ETHERNET, &ethernet(VLAN, &tag(0xabc, VLAN, &bytes))).vlan;
    assert_eq!(six, 0x0001_0020_0300_4005 ^ 0xc000_0000_0000_0000 ^ 0xab);
}

#[test]
fn a_tunnel_is_part_of_the_place_and_tags_inside_it_are_not() {
    let inner = ethernet(VLAN, &tag(6, IPV4, &v4(TCP, &tcp())));
    let bytes = ethernet(VLAN, &tag(5, IPV4, &v4(UDP, &vxlan(&inner))));
    let seen = place(LinkType::ETHERNET, &bytes);
    assert_eq!((seen.vlan, seen.tunnels), (5, 1));
    assert_eq!(place(LinkType::ETHERNET, &inner).tunnels, 0);
}

#[test]
fn cooked_captures_tell_direction_and_interface() {
    let packet = v4(TCP, &tcp());
    for (packet_type, direction) in
        [(0, Direction::In), (1, Direction::In), (2, Direction::In), (3, Direction::In), (4, Direction::Out)]
    {
        let seen = place(LinkType::LINUX_SLL, &cooked(packet_type, IPV4, &packet));
        assert_eq!((seen.direction, seen.ifindex), (direction, 0));
        let seen = place(LinkType::LINUX_SLL2, &cooked_v2(packet_type as u8, 0x0102_0304, IPV4, &packet));
        assert_eq!((seen.direction, seen.ifindex), (direction, 0x0102_0304));
    }
}

#[test]
fn of_packets_with_several_tags_linux_tells_the_innermost_protocol_and_leaves_the_tags() {
    const SEVERAL: u16 = 0x88a8;
    let (four, six) = (v4(TCP, &tcp()), v6(TCP, &tcp()));
    let session = pppoe(&join(&[&[0, 0x21], &four]));
    for (number, inside) in [(IPV4, &four), (IPV6, &six), (PPPOE, &session)] {
        // What the kernel took off is not told.
        let one = tag(6, number, inside);
        let mut tags = (one.clone(), 1);
        while tags.1 <= 7 {
            for link in [LinkType::LINUX_SLL, LinkType::LINUX_SLL2] {
                let bytes = match link {
                    LinkType::LINUX_SLL => cooked(0, number, &tags.0),
                    _ => cooked_v2(0, 2, number, &tags.0),
                };
                assert_ne!(place(link, &bytes).vlan, 0, "{number:#x} behind {} tags", tags.1);
            }
            tags = (tag(0x5aa, if tags.1 % 2 == 0 { VLAN } else { SEVERAL }, &tags.0), tags.1 + 1);
        }
        let bytes = cooked_v2(0, 2, number, &tags.0);
        assert!(decode_as(LinkType::LINUX_SLL2, &bytes, Tunnels::ENTER).is_err(), "one too many");
    }
}

#[test]
fn logs_and_taps_of_bsd_tell_the_direction() {
    let packet = v4(TCP, &tcp());
    for (number, direction) in [(0, Direction::Unknown), (1, Direction::In), (2, Direction::Out)] {
        for length in [45, 48, 61, 64, 69, 72, 100] {
            let log = pflog(length, 2, number, &packet);
            assert_eq!(place(LinkType::PFLOG, &log).direction, direction, "{length}");
        }
        let tap = pktap(108, 101, number.into(), &packet);
        assert_eq!(place(LinkType::PKTAP, &tap).direction, direction);
    }
}

#[test]
fn the_tag_of_a_switchs_port_tells_the_vlan_and_no_other_tag_of_a_switch_does() {
    let packet = v4(TCP, &tcp());
    let seen = place(LinkType::DSA, &dsa(Some(7), VLAN, &tag(5, IPV4, &packet)));
    assert_eq!((seen.vlan, seen.hop), (0x7005, place(LinkType::ETHERNET, &ethernet(IPV4, &packet)).hop));
    assert_eq!(place(LinkType::DSA, &dsa(None, IPV4, &packet)).vlan, 0);
    for kind in SWITCH_TAGS {
        let seen =
            place(LinkType::ETHERNET, &ethernet(kind, &any_tag(kind, 0, VLAN, &tag(5, IPV4, &packet))));
        assert_eq!(seen.vlan, 5, "{kind:#x}");
    }
}

#[test]
fn netfilter_tells_hook_and_interface() {
    let packet = attribute(true, 9, &v4(TCP, &tcp()));
    let hook = attribute(true, 1, &[0x08, 0, 3, 0]);
    let input = attribute(true, 4, &[0, 0, 0, 7]);
    let output = attribute(true, 5, &[0, 0, 0, 8]);
    let seen = |attributes: &[&[u8]]| {
        let seen = place(LinkType::NFLOG, &join(&[&[2, 0, 0, 0], &attributes.concat(), &packet]));
        (seen.direction, seen.ifindex)
    };
    assert_eq!(seen(&[]), (Direction::Unknown, 0));
    assert_eq!(seen(&[&hook, &input]), (Direction::Hook(3), 7));
    assert_eq!(seen(&[&output, &input]), (Direction::Unknown, 8));
}

#[test]
fn without_being_asked_no_tunnel_is_entered() {
    let mut tunnels = 0;
    for (name, link, bytes) in samples() {
        let inside = decode_as(link, &bytes, Tunnels::ENTER);
        let outside = decode_as(link, &bytes, Tunnels::Skip);
        assert!(outside == inside || outside == Err(Skip::Tunnel), "{name}: {outside:?}");
        tunnels += u32::from(outside != inside);
    }
    assert_eq!(tunnels, 21);
}

/// The fuzz target starts from the samples. `SYNWATCH_WRITE_SEEDS=1` writes them anew.
#[test]
fn the_seeds_of_the_fuzz_target_are_the_samples() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/decode");
    for (name, link, bytes) in samples() {
        let index = LinkType::SUPPORTED.iter().position(|known| known.0 == link).unwrap();
        let seed = join(&[&[index as u8], &bytes]);
        if std::env::var_os("SYNWATCH_WRITE_SEEDS").is_some() {
            std::fs::write(folder.join(name), &seed).unwrap();
        }
        assert_eq!(std::fs::read(folder.join(name)).ok(), Some(seed), "{name}");
    }
}
