//! Decode, from the outside: packets in, segments or reasons out.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod packets;
mod reasons;
mod stacks;

use std::net::IpAddr;

use synwatch::decode::{Skip, Tunnels, decode};
use synwatch::packet::{InterfaceId, LinkType, Packet};
use synwatch::segment::{Direction, Flags, Place, Segment};
use synwatch::time::Timestamp;

use packets::*;

fn decode_as(link: LinkType, bytes: &[u8], tunnels: Tunnels) -> Result<Segment, Skip> {
    let interface = InterfaceId(3);
    decode(&Packet { time: Timestamp::default(), link, interface, bytes, wire_length: 0 }, tunnels)
}

/// Where a packet was seen.
fn place(link: LinkType, bytes: &[u8]) -> Place {
    decode_as(link, bytes, Tunnels::Enter).unwrap().place
}

#[test]
fn each_sample_gives_its_segment() {
    for (name, link, bytes) in samples() {
        let segment = decode_as(link, &bytes, Tunnels::Enter).unwrap_or_else(|skip| panic!("{name}: {skip}"));
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
        };
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
        let full = decode_as(link, &bytes, Tunnels::Enter);
        let padding = if name == "ethernet-padded" { 6 } else { 0 };
        let enough = bytes.len() - padding - tcp().len() + 14;
        for captured in 0..=bytes.len() {
            let expected = if captured < enough { Err(Skip::Truncated) } else { full };
            assert_eq!(
                decode_as(link, &bytes[..captured], Tunnels::Enter),
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
        let inside = decode_as(link, &bytes, Tunnels::Enter);
        let outside = decode_as(link, &bytes, Tunnels::Skip);
        assert!(outside == inside || outside == Err(Skip::Tunnel), "{name}: {outside:?}");
        tunnels += u32::from(outside != inside);
    }
    assert_eq!(tunnels, 14);
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
