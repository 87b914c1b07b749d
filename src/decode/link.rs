//! How a packet begins: the header of each link type.

use super::rest::{Rest, be16, be32};
use super::{Next, Skip, Version, ether, nflog};
use crate::packet::LinkType;
use crate::segment::{Direction, Place};

/// Reads the link-layer header, and notes what it tells of the packet's place.
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
        _ => Err(Skip::LinkType),
    }
}

/// Linux cooked capture v1, <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>.
fn cooked(rest: &mut Rest<'_>, place: &mut Place) -> Result<Next, Skip> {
    const PACKET_TYPE: usize = 0;
    const PROTOCOL: usize = 14;
    let header: &[u8; 16] = rest.take()?;
    place.direction = direction(be16(header, PACKET_TYPE));
    cooked_protocol(be16(header, PROTOCOL))
}

/// Linux cooked capture v2, <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>.
fn cooked_v2(rest: &mut Rest<'_>, place: &mut Place) -> Result<Next, Skip> {
    const PROTOCOL: usize = 0;
    const IFINDEX: usize = 4;
    const PACKET_TYPE: usize = 10;
    let header: &[u8; 20] = rest.take()?;
    place.ifindex = be32(header, IFINDEX);
    place.direction = direction(u16::from(header[PACKET_TYPE]));
    cooked_protocol(be16(header, PROTOCOL))
}

/// The direction by Linux' packet type: to us 0, broadcast 1, multicast 2, to another host 3, sent by us 4.
fn direction(packet_type: u16) -> Direction {
    const OUTGOING: u16 = 4;
    if packet_type == OUTGOING { Direction::Out } else { Direction::In }
}

/// Linux numbers what has no EtherType below 0x0600; these are no lengths.
fn cooked_protocol(protocol: u16) -> Result<Next, Skip> {
    const ETH_P_802_2: u16 = 4;
    if protocol == ETH_P_802_2 { Ok(Next::Llc) } else { ether::ether_type(protocol) }
}

/// BSD loopback: a protocol family, in the byte order of whoever captured it. Families are below 256, so the place of
/// the zeros tells the order.
fn loopback(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    match rest.take()? {
        [family, 0, 0, 0] | [0, 0, 0, family] => self::family(*family),
        _ => Err(Skip::NotTcp),
    }
}

/// What an address family means. `AF_INET` is 2 everywhere; `AF_INET6` is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on
/// FreeBSD, 30 on macOS.
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
    ether::ether_type(be16(header, PROTOCOL))
}
