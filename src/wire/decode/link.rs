//! The first header of a packet, for each link type.

use super::rest::{Rest, be16, be32};
use super::{Next, Skip, Version, ether, nflog};
use crate::wire::packet::LinkType;
use crate::wire::segment::{Direction, Place};

/// Reads the link-layer header, and stores its facts in the packet's place.
#[inline]
pub(super) fn read(link: LinkType, rest: &mut Rest<'_>, place: &mut Place) -> Result<Next, Skip> {
    match link {
        LinkType::ETHERNET => Ok(Next::Ethernet),
        LinkType::RAW | LinkType::RAW_LINUX | LinkType::RAW_OPENBSD => Ok(Next::Ip(Version::Any)),
        LinkType::IPV4 => Ok(Next::Ip(Version::Four)),
        LinkType::IPV6 => Ok(Next::Ip(Version::Six)),
        LinkType::LINUX_SLL => cooked(rest, place),
        LinkType::LINUX_SLL2 => cooked_v2(rest, place),
        LinkType::NULL | LinkType::LOOP => loopback(rest),
        LinkType::PPP | LinkType::PPP_HDLC => serial(rest),
        LinkType::PPP_ETHER => Ok(Next::Pppoe),
        LinkType::C_HDLC => cisco_hdlc(rest),
        LinkType::NFLOG => nflog::read(rest, place),
        LinkType::DSA => Ok(Next::Dsa),
        LinkType::PFLOG => packet_filter_log(rest, place),
        LinkType::IPOIB => infiniband(rest),
        LinkType::PKTAP => packet_tap(rest, place),
        _ => Err(Skip::LinkType),
    }
}

/// Reads a packet that BSD's packet filter logged. The header begins with its length, which differs between
/// systems, and is padded to four bytes. An IP packet of the family in the header follows
/// (<https://www.tcpdump.org/linktypes/LINKTYPE_PFLOG.html>; libpcap's `gen_load_pflog_llprefixlen`).
fn packet_filter_log(rest: &mut Rest<'_>, place: &mut Place) -> Result<Next, Skip> {
    /// The header of the first systems. Later ones have users and processes before the direction.
    const SHORTEST: usize = 45;
    const DIRECTION: usize = 44;
    const LATER_DIRECTION: usize = 60;
    let header: &[u8; SHORTEST] = rest.peek_at()?;
    let length = usize::from(header[0]);
    if length < SHORTEST {
        return Err(Skip::Malformed);
    }
    let direction = if length > LATER_DIRECTION {
        let header: &[u8; LATER_DIRECTION + 1] = rest.peek_at()?;
        header[LATER_DIRECTION]
    } else {
        header[DIRECTION]
    };
    place.direction = match direction {
        1 => Direction::In,
        2 => Direction::Out,
        _ => Direction::Unknown,
    };
    rest.pass(length.next_multiple_of(4))?;
    family(header[1])
}

/// IP over `InfiniBand` (RFC 4391, 6): 40 bytes of a global routing header, or of zeros, then an EtherType and two
/// bytes that are reserved.
fn infiniband(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const TYPE: usize = 40;
    let header: &[u8; 44] = rest.take()?;
    Ok(ether::ether_type(be16(header, TYPE)))
}

/// macOS' packet tap: a header in little-endian order with its own length and the link type of the next
/// header.
fn packet_tap(rest: &mut Rest<'_>, place: &mut Place) -> Result<Next, Skip> {
    const LENGTH: usize = 0;
    const RECORD: usize = 4;
    const LINK: usize = 8;
    const FLAGS: usize = 36;
    /// The shortest that exists.
    const SHORTEST: usize = 108;
    const PACKET: u32 = 1;
    const IN: u32 = 1;
    const OUT: u32 = 2;
    let header: &[u8; SHORTEST] = rest.peek_at()?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = usize::try_from(word(LENGTH)).map_err(|_| Skip::Malformed)?;
    if length < SHORTEST {
        return Err(Skip::Malformed);
    }
    if word(RECORD) != PACKET {
        return Err(Skip::NotTcp);
    }
    rest.pass(length)?;
    let direction = match word(FLAGS) & (IN | OUT) {
        IN => Direction::In,
        OUT => Direction::Out,
        _ => Direction::Unknown,
    };
    let next = match u16::try_from(word(LINK)).map(LinkType) {
        Ok(LinkType::PKTAP) | Err(_) => return Err(Skip::NotTcp),
        // As BSD numbers raw IP.
        Ok(LinkType::RAW_LINUX) => Next::Ip(Version::Any),
        // One that is not read inside of one that is: its packets are none.
        Ok(link) => read(link, rest, place).map_err(|skip| match skip {
            Skip::LinkType => Skip::NotTcp,
            skip => skip,
        })?,
    };
    place.direction = direction;
    Ok(next)
}

/// Linux cooked capture v1, <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>.
fn cooked(rest: &mut Rest<'_>, place: &mut Place) -> Result<Next, Skip> {
    const PACKET_TYPE: usize = 0;
    const PROTOCOL: usize = 14;
    let header: &[u8; 16] = rest.take()?;
    place.direction = direction(be16(header, PACKET_TYPE));
    place.hop.from = sender(be16(header, 4), header[6..12].first_chunk());
    Ok(cooked_protocol(be16(header, PROTOCOL), rest))
}

/// Linux cooked capture v2, <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>.
fn cooked_v2(rest: &mut Rest<'_>, place: &mut Place) -> Result<Next, Skip> {
    let header = rest.take()?;
    note_cooked_v2(header, place);
    Ok(cooked_protocol(protocol_v2(header), rest))
}

/// The length of a header of Linux cooked capture v2.
pub(super) const COOKED_V2: usize = 20;

/// Stores the facts of the header in the packet's place.
#[inline]
pub(super) fn note_cooked_v2(header: &[u8; COOKED_V2], place: &mut Place) {
    const IFINDEX: usize = 4;
    const PACKET_TYPE: usize = 10;
    const LENGTH: usize = 11;
    place.ifindex = be32(header, IFINDEX);
    place.direction = direction(u16::from(header[PACKET_TYPE]));
    place.hop.from = sender(u16::from(header[LENGTH]), header[12..18].first_chunk());
}

/// The protocol in the header.
#[inline]
pub(super) fn protocol_v2(header: &[u8; COOKED_V2]) -> u16 {
    be16(header, 0)
}

/// The sender's address, if it is as long as one of Ethernet. The header does not contain the receiver's.
fn sender(length: u16, address: Option<&[u8; 6]>) -> u64 {
    const ETHERNET: u16 = 6;
    let address = address.filter(|_| length == ETHERNET);
    address.map_or(0, |octets| octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
}

/// The direction by Linux' packet type: to us 0, broadcast 1, multicast 2, to another host 3, sent by us 4.
fn direction(packet_type: u16) -> Direction {
    const OUTGOING: u16 = 4;
    if packet_type == OUTGOING { Direction::Out } else { Direction::In }
}

/// Linux gives protocols without an EtherType numbers below 0x0600; these are not lengths.
fn cooked_protocol(protocol: u16, rest: &Rest<'_>) -> Next {
    const ETH_P_802_2: u16 = 4;
    match protocol {
        ETH_P_802_2 => Next::Llc,
        _ if is_behind_tags(protocol, rest.captured()) => Next::Tag,
        _ => ether::ether_type(protocol),
    }
}

/// The types of VLAN tags.
const TAGS: [u16; 2] = [0x8100, 0x88a8];

/// Whether VLAN tags may come before the IP header that begins so: where none do, these are its length or flow label.
#[inline]
pub(super) fn may_be_tags(second: u16) -> bool {
    TAGS.contains(&second) || second == ether::IPV4 || second == ether::IPV6
}

/// Whether VLAN tags come first, and the protocol after them. Linux takes the outermost tag off; of a packet that has
/// more it names the innermost protocol since version 6.10, and leaves the tags where they are
/// (`vlan_get_protocol_dgram`, net/packet/af_packet.c). So it does with a packet that it sends itself, tagged.
fn is_behind_tags(protocol: u16, bytes: &[u8]) -> bool {
    /// Without the one that was taken off.
    const MOST: usize = super::MAX_TAGS as usize - 1;
    let first = match protocol {
        ether::IPV4 => 0x40..=0x4f,
        ether::IPV6 => 0x60..=0x6f,
        ether::PPPOE_SESSION => 0x11..=0x11,
        _ => return false,
    };
    let mut tags = bytes.chunks_exact(4).take(MOST).enumerate();
    let last = tags.find(|(_, tag)| !TAGS.contains(&u16::from_be_bytes([tag[2], tag[3]])));
    last.is_some_and(|(number, tag)| {
        let behind = bytes.get(4 * (number + 1));
        u16::from_be_bytes([tag[2], tag[3]]) == protocol && behind.is_some_and(|byte| first.contains(byte))
    })
}

/// BSD loopback: a protocol family, in the byte order of the capturing host. Families are below 256, so the
/// position of the zero bytes shows the order.
fn loopback(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    match rest.take()? {
        [family, 0, 0, 0] | [0, 0, 0, family] => self::family(*family),
        _ => Err(Skip::NotTcp),
    }
}

/// The next header for an address family. `AF_INET` is 2 everywhere; `AF_INET6` is 10 on Linux, 24 on NetBSD
/// and OpenBSD, 28 on FreeBSD, 30 on macOS.
pub(super) fn family(family: u8) -> Result<Next, Skip> {
    match family {
        2 => Ok(Next::Ip(Version::Four)),
        10 | 24 | 28 | 30 => Ok(Next::Ip(Version::Six)),
        _ => Err(Skip::NotTcp),
    }
}

/// A serial line: Cisco HDLC by its first byte, else PPP. Captures of either are found under both PPP link types.
fn serial(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const CISCO_UNICAST: u8 = 0x0f;
    const CISCO_BROADCAST: u8 = 0x8f;
    match rest.peek()? {
        CISCO_UNICAST | CISCO_BROADCAST => cisco_hdlc(rest),
        _ => Ok(Next::Ppp),
    }
}

/// Cisco HDLC: address, control, and an EtherType.
fn cisco_hdlc(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const PROTOCOL: usize = 2;
    let header: &[u8; 4] = rest.take()?;
    Ok(ether::ether_type(be16(header, PROTOCOL)))
}
