//! Any stack of headers that the parts allow decodes to exactly what was put in, and any cut of it to that or to
//! truncated.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use synwatch::wire::decode::{Skip, Tunnels};
use synwatch::wire::packet::LinkType;
use synwatch::wire::segment::Flags;

use super::{cut, decode_as};
use synwatch_testkit::packets::*;

/// The TCP header, and what follows it.
#[derive(Debug, Clone)]
struct Tcp {
    src_port: u16,
    dst_port: u16,
    seq: u32,
    ack: u32,
    flags: u8,
    options: u8,
    payload: u8,
}

impl Tcp {
    fn bytes(&self) -> Vec<u8> {
        let mut tcp = [self.src_port.to_be_bytes(), self.dst_port.to_be_bytes()].concat();
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([(5 + self.options) << 4, self.flags]);
        tcp.resize(20 + 4 * usize::from(self.options) + usize::from(self.payload), 0xdd);
        tcp
    }
}

fn any_tcp() -> impl Strategy<Value = Tcp> {
    (any::<(u16, u16, u32, u32, u8)>(), 0..=10u8, 0..40u8).prop_map(
        |((src_port, dst_port, seq, ack, flags), options, payload)| Tcp {
            src_port,
            dst_port,
            seq,
            ack,
            flags,
            options,
            payload,
        },
    )
}

/// An IP header with what may be between it and what it carries.
#[derive(Debug, Clone)]
enum Ip {
    Four { options: u8, auth: Option<u8> },
    Six { chain: Vec<(u8, u8)> },
}

impl Ip {
    fn put_before(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Four { options, auth: None } => v4_with(*options, 0, protocol, payload),
            Self::Four { options, auth: Some(words) } => {
                v4_with(*options, 0, 51, &auth(protocol, *words, payload))
            }
            Self::Six { chain } => {
                let mut next = protocol;
                let mut packet = payload.to_vec();
                for &(kind, size) in chain.iter().rev() {
                    packet = match kind {
                        44 => fragment(next, 0, false, &packet),
                        51 => auth(next, size, &packet),
                        _ => extension(next, size, &packet),
                    };
                    next = kind;
                }
                v6(next, &packet)
            }
        }
    }

    fn is_four(&self) -> bool {
        matches!(self, Self::Four { .. })
    }

    fn ether_type(&self) -> u16 {
        if self.is_four() { IPV4 } else { IPV6 }
    }
}

fn any_ip() -> impl Strategy<Value = Ip> {
    let extension = (select(vec![0u8, 43, 44, 51, 60, 135, 139, 140]), 0..4u8);
    prop_oneof![
        (0..=10u8, proptest::option::of(0..4u8)).prop_map(|(options, auth)| Ip::Four { options, auth }),
        vec(extension, 0..=16).prop_map(|chain| Ip::Six { chain })
    ]
}

/// What a tunnel puts between two IP headers.
#[derive(Debug, Clone)]
enum Between {
    Nothing,
    Gre(u16),
    GreEthernet(u16),
    Vxlan,
    Geneve(u8),
    Erspan,
}

fn any_between() -> impl Strategy<Value = Between> {
    let flags = || (0..8u16).prop_map(|bits| (bits & 4) << 13 | (bits & 3) << 12);
    prop_oneof![
        Just(Between::Nothing),
        flags().prop_map(Between::Gre),
        flags().prop_map(Between::GreEthernet),
        Just(Between::Vxlan),
        (0..4u8).prop_map(Between::Geneve),
        Just(Between::Erspan)
    ]
}

/// What stands between the link layer and IP.
#[derive(Debug, Clone)]
struct Shims {
    tags: Vec<(u16, u16)>,
    snap: bool,
    pppoe: bool,
    labels: u8,
}

impl Shims {
    /// The number of what comes first, and all of it.
    fn put_before(&self, ip: &Ip, packet: &[u8]) -> (u16, Vec<u8>) {
        let mut ether_type = ip.ether_type();
        let mut packet = packet.to_vec();
        if self.labels > 0 {
            packet = mpls(self.labels, &packet);
            ether_type = MPLS;
        }
        if self.pppoe {
            packet = pppoe(&join(&[&ppp_protocol(ether_type).to_be_bytes(), &packet]));
            ether_type = PPPOE;
        }
        if self.snap {
            packet = snap(ether_type, &packet);
            ether_type = 1500;
        }
        for &(kind, vlan) in self.tags.iter().rev() {
            packet = any_tag(kind, vlan, ether_type, &packet);
            ether_type = kind;
        }
        (ether_type, packet)
    }
}

fn ppp_protocol(ether_type: u16) -> u16 {
    match ether_type {
        IPV4 => 0x0021,
        IPV6 => 0x0057,
        _ => 0x0281,
    }
}

fn any_shims() -> impl Strategy<Value = Shims> {
    let kinds = [VLAN, 0x88a8, 0x8200, 0x9100, 0x9200].into_iter().chain(SWITCH_TAGS);
    let tag = (select(kinds.collect::<Vec<_>>()), 0..4096u16);
    (vec(tag, 0..=5), any::<bool>(), any::<bool>(), 0..=16u8).prop_map(|(tags, snap, pppoe, labels)| Shims {
        tags,
        snap,
        pppoe,
        labels,
    })
}

/// Puts a link layer before it all. Those that carry only IP leave the shims out; gives the tags that were put in.
fn link_layer(link: LinkType, shims: &Shims, ip: &Ip, packet: &[u8]) -> (Vec<u8>, u64) {
    let vlans = shims.tags.iter().filter(|(kind, _)| !SWITCH_TAGS.contains(kind));
    let vlan = vlans.fold(0, |all, &(_, vlan)| all << 12 | u64::from(vlan));
    let (number, inside) = shims.put_before(ip, packet);
    let family = if ip.is_four() { 2 } else { 10 };
    match link {
        LinkType::ETHERNET => (ethernet(number, &inside), vlan),
        LinkType::LINUX_SLL | LinkType::LINUX_SLL2 => {
            let number = if number == 1500 { 4 } else { number };
            let packet = match link {
                LinkType::LINUX_SLL => cooked(0, number, &inside),
                _ => cooked_v2(0, 0, number, &inside),
            };
            (packet, vlan)
        }
        LinkType::NULL => (join(&[&[family, 0, 0, 0], packet]), 0),
        LinkType::LOOP => (join(&[&[0, 0, 0, family], packet]), 0),
        LinkType::PPP => (join(&[&ppp_protocol(ip.ether_type()).to_be_bytes(), packet]), 0),
        LinkType::C_HDLC => (join(&[&[0x0f, 0], &ip.ether_type().to_be_bytes(), packet]), 0),
        LinkType::NFLOG => (nflog(true, family, packet), 0),
        LinkType::PFLOG => (pflog(61, family, 1, packet), 0),
        LinkType::IPOIB => (infiniband(ip.ether_type(), packet), 0),
        LinkType::PKTAP => (pktap(108, 1, 1, &ethernet(number, &inside)), vlan),
        LinkType::DSA => (dsa(None, number, &inside), vlan),
        _ => (packet.to_vec(), 0),
    }
}

fn any_link() -> impl Strategy<Value = LinkType> {
    select(vec![
        LinkType::ETHERNET,
        LinkType::LINUX_SLL,
        LinkType::LINUX_SLL2,
        LinkType::NULL,
        LinkType::LOOP,
        LinkType::PPP,
        LinkType::C_HDLC,
        LinkType::NFLOG,
        LinkType::RAW,
        LinkType::PFLOG,
        LinkType::IPOIB,
        LinkType::PKTAP,
        LinkType::DSA,
    ])
}

proptest! {
    #[test]
    fn a_stack_of_headers_decodes_to_what_was_put_in(
        tcp in any_tcp(),
        ip in any_ip(),
        tunnels in vec((any_between(), any_ip()), 0..=4),
        shims in any_shims(),
        link in any_link(),
        padding in prop_oneof![Just(0), 0..20usize],
    ) {
        let segment = tcp.bytes();
        let mut packet = ip.put_before(TCP, &segment);
        let mut outermost = ip.clone();
        for (between, outer) in &tunnels {
            let frame = ethernet(outermost.ether_type(), &packet);
            packet = match between {
                Between::Nothing => outer.put_before(if outermost.is_four() { 4 } else { 41 }, &packet),
                Between::Gre(flags) => outer.put_before(47, &gre(*flags, outermost.ether_type(), &packet)),
                Between::GreEthernet(flags) => outer.put_before(47, &gre(*flags, 0x6558, &frame)),
                Between::Vxlan => outer.put_before(UDP, &vxlan(&frame)),
                Between::Geneve(options) => outer.put_before(UDP, &geneve(*options, 0x6558, &frame)),
                Between::Erspan => outer.put_before(47, &gre(0x1000, 0x88be, &join(&[&[0x10; 8], &frame]))),
            };
            outermost = outer.clone();
        }
        let (mut bytes, vlan) = link_layer(link, &shims, &outermost, &packet);
        let before = bytes.len() - segment.len();
        bytes.resize(bytes.len() + padding, 0x02);

        let found = decode_as(link, &bytes, Tunnels::ENTER);
        let is_four = ip.is_four();
        let found_segment = found.expect("a segment");
        prop_assert_eq!(found_segment.src, if is_four { SRC4.into() } else { std::net::IpAddr::from(SRC6) });
        prop_assert_eq!(found_segment.dst, if is_four { DST4.into() } else { std::net::IpAddr::from(DST6) });
        prop_assert_eq!(found_segment.src_port, tcp.src_port);
        prop_assert_eq!(found_segment.dst_port, tcp.dst_port);
        prop_assert_eq!(found_segment.seq, tcp.seq);
        prop_assert_eq!(found_segment.ack, tcp.ack);
        prop_assert_eq!(found_segment.flags, Flags(tcp.flags));
        prop_assert_eq!(found_segment.payload, Some(u32::from(tcp.payload)));
        prop_assert_eq!(found_segment.ip_id, is_four.then_some(IP_ID));
        prop_assert_eq!(found_segment.place.vlan, vlan);

        let outside = if tunnels.is_empty() { found } else { Err(Skip::Tunnel) };
        prop_assert_eq!(decode_as(link, &bytes, Tunnels::Skip), outside);
        for captured in [before + 13, before + 14, before / 2, before, bytes.len() - 1] {
            let expected = if captured < before + 14 { Err(Skip::Truncated) } else { found.map(cut) };
            let shorter = decode_as(link, &bytes[..captured], Tunnels::ENTER).map(cut);
            prop_assert_eq!(shorter, expected, "cut to {}", captured);
        }
    }

    #[test]
    fn any_bytes_give_a_segment_or_a_reason(bytes in vec(any::<u8>(), 0..200), choice in any::<prop::sample::Index>()) {
        let (link, _) = LinkType::SUPPORTED[choice.index(LinkType::SUPPORTED.len())];
        let outcome = decode_as(link, &bytes, Tunnels::ENTER);
        prop_assert!(!matches!(
            outcome,
            Err(Skip::LinkType | Skip::OtherFlags | Skip::PortNotWatched | Skip::Filtered)
        ));
    }
}
