//! On generated packets: whatever a header may say, behind every form that a link layer has.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use synwatch::wire::packet::LinkType;

use super::{EXPRESSIONS, Narrowed, Tally, filtered_links, hold_all, setups};
use synwatch_testkit::packets::*;

#[test]
fn every_generated_packet_that_is_counted_passes_and_the_plain_rest_does_not() {
    let setups = setups();
    let tally = RefCell::new(Tally::default());
    run(|link, bytes| {
        let is_counted = hold_all(&setups, link, bytes);
        tally.borrow_mut().note(link, is_counted);
    });
    tally.borrow().assert_covers(filtered_links());
}

#[test]
fn a_users_expression_narrows_ours_on_generated_packets() {
    let setups = setups();
    let narrowed: Vec<Narrowed<'_>> = EXPRESSIONS.map(|text| Narrowed::new(&setups[1], text)).into();
    let narrowed = RefCell::new(narrowed);
    run(|link, bytes| narrowed.borrow_mut().iter_mut().for_each(|narrowed| narrowed.hold(link, bytes)));
}

/// So many packets at least; `PROPTEST_CASES` gives more.
const CASES: u32 = 8192;

/// Runs `body` on generated packets; what makes it panic is made smaller and shown.
fn run(body: impl Fn(LinkType, &[u8])) {
    let config = Config::default();
    let config = Config { cases: config.cases.max(CASES), failure_persistence: None, ..config };
    let outcome = TestRunner::new(config).run(&any_packet(), |(link, bytes)| {
        body(link, &bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Without address and control, a compressed protocol moves IP to where libpcap looks for the protocol.
#[test]
fn a_compressed_ppp_header_is_not_taken_for_a_whole_one() {
    let setups = setups();
    let syn = |bytes: &[u8]| {
        for link in [LinkType::PPP, LinkType::PPP_HDLC] {
            assert!(setups[0].hold(link, bytes), "{link}: decode counts it");
        }
    };
    // What libpcap takes for the numbers of IPv4, IPv6 and ARP, in a flow label and in a length.
    for number in [0x0021, 0x0057, 0x0806_u32] {
        let six = Ip::Six { class_and_flow: number << 12, chain: Vec::new() };
        syn(&join(&[&[0x57], &six.put_before(TCP, &tcp())]));
        let [class, length] = [number >> 8, number].map(|byte| byte.to_be_bytes()[3]);
        let mut four = v4(TCP, &tcp());
        four[1..3].copy_from_slice(&[class, length]);
        syn(&join(&[&[0x21], &four]));
    }
}

/// Found by chance, one in a million: a flow label that reads as a tag on a cooked link passes, whatever its port.
#[test]
fn a_flow_label_that_reads_as_a_vlan_tag_passes_on_cooked_links() {
    let setups = setups();
    for (flow, is_tag) in [(0xa88a8, true), (0x8100, true), (0x86dd, true), (0xa88a9, false)] {
        let six = Ip::Six { class_and_flow: flow << 4, chain: Vec::new() };
        // To port 0, which is not watched.
        let packet = six.put_before(TCP, &[&[0; 12][..], &[0x50, 0x02], &[0; 6]].concat());
        for link in [LinkType::LINUX_SLL, LinkType::LINUX_SLL2] {
            let bytes = link_layer(link, 0, &Shims::default(), Version::Six, &packet);
            assert!(!setups[0].hold(link, &bytes));
            assert_eq!(setups[0].kernel[&link].filter(&bytes), is_tag, "{link}: {flow:x}");
        }
    }
}

fn any_packet() -> impl Strategy<Value = (LinkType, Vec<u8>)> {
    let inside = (any_ip(), any_tcp()).prop_map(|(ip, tcp)| (ip.version(), ip.put_before(TCP, &tcp)));
    let tunnelled = vec((any_tunnel(), any_ip()), 0..=2);
    let tunnelled = prop_oneof![3 => Just(Vec::new()), 1 => tunnelled];
    (inside, tunnelled, any_shims(), select(filtered_links().collect::<Vec<_>>()), any::<u8>(), any_damage())
        .prop_map(|((version, packet), tunnels, shims, link, form, damage)| {
            let (version, packet) =
                tunnels.iter().fold((version, packet), |(version, packet), (tunnel, ip)| {
                    (ip.version(), tunnel.put_between(ip, version, &packet))
                });
            let mut bytes = link_layer(link, form, &shims, version, &packet);
            damage.inflict(&mut bytes);
            (link, bytes)
        })
}

/// A TCP header: half of them an attempt, and half of the ports watched by someone.
fn any_tcp() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![Just(0x02), select(vec![0x12, 0x10, 0x18, 0x04, 0x11, 0xc2, 0x03]), any::<u8>()];
    let watched = select(vec![0, 24, 25, 26, 110, 143, 465, 587, 993, 995, 2525, 8000, 8010, 8011, 65535]);
    let port = prop_oneof![watched, any::<u16>()];
    (any::<u16>(), port, any::<[u8; 8]>(), 5..=15u8, flags, 0..20usize).prop_map(
        |(src_port, dst_port, numbers, offset, flags, payload)| {
            let ports = [src_port.to_be_bytes(), dst_port.to_be_bytes()].concat();
            let mut tcp = join(&[&ports, &numbers, &[offset << 4, flags]]);
            tcp.resize(4 * usize::from(offset) + payload, 0x02);
            tcp
        },
    )
}

/// An IP header, with what may be between it and what it carries.
#[derive(Debug, Clone)]
enum Ip {
    Four { class: u8, options: u8, fragment: u16 },
    Six { class_and_flow: u32, chain: Vec<(u8, u8)> },
}

fn any_ip() -> impl Strategy<Value = Ip> {
    // Whole, don't fragment, first fragment, and later ones.
    let fragment = prop_oneof![6 => select(vec![0, 0x4000, 0x2000]), 1 => 0..4u16, 1 => any::<u16>()];
    let extension = (select(vec![0u8, 43, 44, 51, 60, 135, 139, 140]), 0..4u8);
    let chain = prop_oneof![2 => Just(Vec::new()), 1 => vec(extension, 1..=3)];
    prop_oneof![
        (any::<u8>(), 0..=10u8, fragment).prop_map(|(class, options, fragment)| Ip::Four {
            class,
            options,
            fragment
        }),
        (any::<u32>(), chain).prop_map(|(class_and_flow, chain)| Ip::Six { class_and_flow, chain }),
    ]
}

impl Ip {
    fn version(&self) -> Version {
        match self {
            Self::Four { .. } => Version::Four,
            Self::Six { .. } => Version::Six,
        }
    }

    fn put_before(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Four { class, options, fragment } => {
                let mut packet = v4_with(*options, *fragment, protocol, payload);
                packet[1] = *class;
                packet
            }
            Self::Six { class_and_flow, chain } => {
                let (next, inside) =
                    chain.iter().rev().fold((protocol, payload.to_vec()), |(next, inside), &(kind, size)| {
                        let packet = match kind {
                            44 => fragment(next, 0, size > 1, &inside),
                            51 => auth(next, size, &inside),
                            _ => extension(next, size, &inside),
                        };
                        (kind, packet)
                    });
                let mut packet = v6(next, &inside);
                packet[..4].copy_from_slice(&(6 << 28 | class_and_flow >> 4).to_be_bytes());
                packet
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Four,
    Six,
}

impl Version {
    fn ether_type(self) -> u16 {
        if self == Self::Four { IPV4 } else { IPV6 }
    }
}

#[derive(Debug, Clone)]
enum Tunnel {
    Ip,
    Gre(u16),
    Vxlan,
    Geneve,
}

fn any_tunnel() -> impl Strategy<Value = Tunnel> {
    let gre = select(vec![0, 0x8000, 0xb000]).prop_map(Tunnel::Gre);
    prop_oneof![Just(Tunnel::Ip), gre, Just(Tunnel::Vxlan), Just(Tunnel::Geneve)]
}

impl Tunnel {
    fn put_between(&self, outer: &Ip, inner: Version, packet: &[u8]) -> Vec<u8> {
        match self {
            Self::Ip => outer.put_before(if inner == Version::Four { 4 } else { 41 }, packet),
            Self::Gre(flags) => outer.put_before(47, &gre(*flags, inner.ether_type(), packet)),
            Self::Vxlan => outer.put_before(UDP, &vxlan(&ethernet(inner.ether_type(), packet))),
            Self::Geneve => outer.put_before(UDP, &geneve(1, inner.ether_type(), packet)),
        }
    }
}

/// What stands between the link layer and IP.
#[derive(Debug, Clone, Default)]
struct Shims {
    tags: Vec<u16>,
    snap: bool,
    pppoe: bool,
    labels: u8,
}

fn any_shims() -> impl Strategy<Value = Shims> {
    let kinds = [VLAN, 0x88a8, 0x8200, 0x9100, 0x9200].into_iter().chain(SWITCH_TAGS);
    let tags = vec(select(kinds.collect::<Vec<_>>()), 0..=3);
    let some = (tags, any::<bool>(), any::<bool>(), 0..=2u8);
    let some = some.prop_map(|(tags, snap, pppoe, labels)| Shims { tags, snap, pppoe, labels });
    prop_oneof![Just(Shims::default()), some]
}

impl Shims {
    /// The EtherType of what comes first, or an 802.3 length, and all of it.
    fn put_before(&self, version: Version, packet: &[u8]) -> (u16, Vec<u8>) {
        let mut first = (version.ether_type(), packet.to_vec());
        if self.labels > 0 {
            first = (MPLS, mpls(self.labels, &first.1));
        }
        if self.pppoe {
            first = (PPPOE, pppoe(&join(&[&ppp_protocol(first.0), &first.1])));
        }
        if self.snap {
            first = (600, snap(first.0, &first.1));
        }
        for kind in &self.tags {
            first = (*kind, any_tag(*kind, 5, first.0, &first.1));
        }
        first
    }
}

fn ppp_protocol(ether_type: u16) -> [u8; 2] {
    match ether_type {
        IPV4 => [0x00, 0x21],
        IPV6 => [0x00, 0x57],
        _ => [0x02, 0x81],
    }
}

/// Puts a link layer before it all, in the form of that number: most have more than one. Those that carry only IP
/// leave the shims out.
fn link_layer(link: LinkType, form: u8, shims: &Shims, version: Version, packet: &[u8]) -> Vec<u8> {
    let (number, inside) = shims.put_before(version, packet);
    // Linux numbers 802.2 below the EtherTypes.
    let cooked_number = if number == 600 { 4 } else { number };
    match link {
        LinkType::ETHERNET => ethernet(number, &inside),
        LinkType::LINUX_SLL => cooked(u16::from(form % 5), cooked_number, &inside),
        LinkType::LINUX_SLL2 => cooked_v2(form % 5, 3, cooked_number, &inside),
        LinkType::C_HDLC => cisco_hdlc(form, version, packet),
        LinkType::PPP | LinkType::PPP_HDLC if form % 5 == 0 => cisco_hdlc(form, version, packet),
        LinkType::PPP | LinkType::PPP_HDLC => ppp(form, version, packet),
        LinkType::PPP_ETHER => pppoe(&join(&[&ppp_protocol(version.ether_type()), packet])),
        LinkType::NULL | LinkType::LOOP => {
            let families = if version == Version::Four { [2; 4] } else { [10, 24, 28, 30] };
            let family = families[usize::from(form % 4)];
            let header = if form & 4 == 0 { [family, 0, 0, 0] } else { [0, 0, 0, family] };
            join(&[&header, packet])
        }
        _ => packet.to_vec(),
    }
}

fn cisco_hdlc(form: u8, version: Version, packet: &[u8]) -> Vec<u8> {
    let address = if form & 1 == 0 { 0x0f } else { 0x8f };
    join(&[&[address, 0], &version.ether_type().to_be_bytes(), packet])
}

/// With or without address and control, with a protocol of two bytes or, compressed, of one.
fn ppp(form: u8, version: Version, packet: &[u8]) -> Vec<u8> {
    let framing: &[u8] = if form & 1 == 0 { &[0xff, 0x03] } else { &[] };
    let protocol = ppp_protocol(version.ether_type());
    join(&[framing, &protocol[usize::from(form >> 1 & 1)..], packet])
}

/// What a capture, or a sender, may do to a packet.
#[derive(Debug, Clone)]
enum Damage {
    None,
    Cut(Index),
    Padding(usize),
    Changed(Index, u8),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => Just(Damage::None),
        2 => any::<Index>().prop_map(Damage::Cut),
        1 => (1..20usize).prop_map(Damage::Padding),
        2 => any::<(Index, u8)>().prop_map(|(place, value)| Damage::Changed(place, value)),
    ]
}

impl Damage {
    fn inflict(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Cut(place) => bytes.truncate(place.index(bytes.len() + 1)),
            Self::Padding(count) => bytes.resize(bytes.len() + count, 0x02),
            Self::Changed(place, value) => {
                let place = place.index(bytes.len());
                bytes[place] = *value;
            }
        }
    }
}
