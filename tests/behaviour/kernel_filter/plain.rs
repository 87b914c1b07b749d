//! Which packets the kernel can judge by itself, said without the filter's own words.

use synwatch::wire::decode::Tunnels;
use synwatch::wire::packet::LinkType;

/// Whether the packet is IPv4, or IPv6 without extension headers, right behind a link-layer header of the usual form,
/// and carries none of the tunnels that are to be entered. ARP is plain too.
pub(crate) fn is_plain(link: LinkType, bytes: &[u8], tunnels: Tunnels) -> bool {
    const EXTENSIONS: [u8; 8] = [0, 43, 44, 51, 60, 135, 139, 140];
    const TUNNELS: [u8; 4] = [4, 41, 47, 17];
    let is_tunnel = |protocol| tunnels != Tunnels::Skip && TUNNELS.contains(&protocol);
    match behind_link_layer(link, bytes) {
        Some(Behind::Arp) => true,
        Some(Behind::Ip(version, ip)) if is_cooked(link) && may_be_tag(version, ip) => false,
        Some(Behind::Ip(4, ip)) => {
            ip.get(9).is_some_and(|protocol| !is_tunnel(*protocol) && *protocol != AUTHENTICATION)
                && !is_part_of_a_header(ip)
        }
        Some(Behind::Ip(6, ip)) => {
            ip.get(6).is_some_and(|next| !EXTENSIONS.contains(next) && !is_tunnel(*next))
        }
        _ => false,
    }
}

const AUTHENTICATION: u8 = 51;

fn is_cooked(link: LinkType) -> bool {
    matches!(link, LinkType::LINUX_SLL | LinkType::LINUX_SLL2)
}

/// Whether the length of an IPv4 packet, or the flow label of an IPv6 one, reads as the type behind a VLAN tag, which Linux
/// leaves there on cooked links.
fn may_be_tag(version: u8, ip: &[u8]) -> bool {
    const TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];
    let own = if version == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    ip.get(2..4).is_some_and(|word| word == own || TAGS.iter().any(|tag| word == tag))
}

/// Whether it is a fragment that a TCP header may be put together from.
fn is_part_of_a_header(ip: &[u8]) -> bool {
    let [high, low] = [ip[6], ip[7]];
    let (more, offset) = (high & 0x20 != 0, u16::from_be_bytes([high & 0x1f, low]));
    (offset == 0 && more) || offset == 1 || offset == 2
}

enum Behind<'a> {
    Arp,
    /// A version that link layer and IP header agree on, and the packet from there.
    Ip(u8, &'a [u8]),
}

fn behind_link_layer(link: LinkType, bytes: &[u8]) -> Option<Behind<'_>> {
    let (header, version) = match link {
        LinkType::ETHERNET => (14, ether_type(bytes, 12)?),
        LinkType::LINUX_SLL => (16, ether_type(bytes, 14)?),
        LinkType::LINUX_SLL2 => (20, ether_type(bytes, 0)?),
        LinkType::C_HDLC => (4, ether_type(bytes, 2)?),
        LinkType::PPP | LinkType::PPP_HDLC if bytes.starts_with(&[0xff, 0x03]) => (4, ppp(bytes, 2)?),
        LinkType::PPP_ETHER if bytes.starts_with(&[0x11, 0x00]) => (8, ppp(bytes, 6)?),
        LinkType::NULL => (4, family(u32::from_ne_bytes(*bytes.first_chunk()?))?),
        LinkType::LOOP => (4, family(u32::from_be_bytes(*bytes.first_chunk()?))?),
        LinkType::RAW | LinkType::RAW_LINUX | LinkType::RAW_OPENBSD => (0, bytes.first()? >> 4),
        LinkType::IPV4 => (0, 4),
        LinkType::IPV6 => (0, 6),
        _ => return None,
    };
    if version == ARP {
        return Some(Behind::Arp);
    }
    let ip = bytes.get(header..)?;
    (ip.first()? >> 4 == version).then_some(Behind::Ip(version, ip))
}

/// Stands in for a version.
const ARP: u8 = 0xff;

fn ether_type(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 2)? {
        [0x08, 0x00] => Some(4),
        [0x86, 0xdd] => Some(6),
        [0x08, 0x06] => Some(ARP),
        _ => None,
    }
}

fn ppp(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 2)? {
        [0, 0x21] => Some(4),
        [0, 0x57] => Some(6),
        _ => None,
    }
}

/// As Linux numbers them: the number of another system's IPv6 is not `ip6` to this one's libpcap.
fn family(family: u32) -> Option<u8> {
    match family {
        2 => Some(4),
        10 => Some(6),
        _ => None,
    }
}
