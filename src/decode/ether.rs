//! What stands between the link layer and IP: Ethernet, VLAN tags, LLC/SNAP, MPLS.

use super::rest::{Rest, be16, be32};
use super::{Next, Skip, Tunnel, Version};
use crate::segment::Hop;

/// The most labels in an MPLS stack.
const MAX_LABELS: usize = 16;

/// The length of an Ethernet header: two addresses, then a type, or a length as in IEEE 802.3.
pub(super) const HEADER: usize = 14;

/// The types of IP.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;

/// Reads an Ethernet header.
#[inline]
pub(super) fn mac(rest: &mut Rest<'_>) -> Result<(Hop, Next), Skip> {
    let header = rest.take()?;
    Ok((hop(header), type_or_length(number(header))?))
}

/// The two addresses of an Ethernet header.
#[inline]
pub(super) fn hop(header: &[u8; HEADER]) -> Hop {
    const TO: usize = 0;
    const FROM: usize = 6;
    Hop { from: be48(header, FROM), to: be48(header, TO) }
}

/// The type that an Ethernet header ends with, or the length.
#[inline]
pub(super) fn number(header: &[u8; HEADER]) -> u16 {
    const TYPE: usize = 12;
    be16(header, TYPE)
}

/// A link-layer address.
#[inline]
fn be48(bytes: &[u8; HEADER], at: usize) -> u64 {
    u64::from(be32(bytes, at)) << 16 | u64::from(be16(bytes, at + 4))
}

/// A VLAN tag: three bits of priority, one of drop eligibility, twelve of VLAN identifier; then what follows.
#[inline]
pub(super) fn tag(rest: &mut Rest<'_>) -> Result<(u16, Next), Skip> {
    const CONTROL: usize = 0;
    const TYPE: usize = 2;
    const VLAN: u16 = 0x0fff;
    let tag: &[u8; 4] = rest.take()?;
    Ok((be16(tag, CONTROL) & VLAN, type_or_length(be16(tag, TYPE))?))
}

/// IEEE 802.3, 3.2.6: a type is 0x0600 or more. A smaller number is a length, and an LLC header follows. The length
/// itself is not needed: IP has its own.
#[inline]
fn type_or_length(number: u16) -> Result<Next, Skip> {
    const SMALLEST_TYPE: u16 = 0x0600;
    if number < SMALLEST_TYPE { Ok(Next::Llc) } else { ether_type(number) }
}

/// What follows an EtherType.
#[inline]
pub(super) fn ether_type(ether_type: u16) -> Result<Next, Skip> {
    /// IEEE 802.1Q, IEEE 802.1ad, and two numbers that switches used before it.
    const TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
    const MPLS_UNICAST: u16 = 0x8847;
    const MPLS_MULTICAST: u16 = 0x8848;
    const PPPOE_SESSION: u16 = 0x8864;
    /// IEEE 802.1ah: a provider backbone's service tag.
    const BACKBONE: u16 = 0x88e7;
    const FABRIC_PATH: u16 = 0x8903;
    /// `MACsec`, TRILL, NSH: not read.
    const OTHER_TUNNELS: [u16; 3] = [0x88e5, 0x22f3, 0x894f];
    match ether_type {
        IPV4 => Ok(Next::Ip(Version::Four)),
        IPV6 => Ok(Next::Ip(Version::Six)),
        MPLS_UNICAST | MPLS_MULTICAST => Ok(Next::Mpls),
        PPPOE_SESSION => Ok(Next::Pppoe),
        tag if TAGS.contains(&tag) => Ok(Next::Tag),
        BACKBONE => Ok(Next::Tunnel(Tunnel::Frame { header: 4 })),
        FABRIC_PATH => Ok(Next::Tunnel(Tunnel::Frame { header: 2 })),
        tunnel if OTHER_TUNNELS.contains(&tunnel) => Err(Skip::Tunnel),
        _ => Err(Skip::NotTcp),
    }
}

/// IEEE 802.2 LLC, of which only SNAP carries IP (RFC 1042): both service access points 0xaa, unnumbered
/// information, an organisation, an EtherType.
pub(super) fn llc(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    match *rest.take()? {
        // The second organisation is that of IEEE 802.1H, for what is bridged.
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low] => ether_type(u16::from_be_bytes([high, low])),
        _ => Err(Skip::NotTcp),
    }
}

/// An MPLS label stack (RFC 3032), and what is under it.
///
/// Nothing in the stack names that; its first four bits tell (RFC 4385): an IP version, or 0 for the control word of a
/// pseudowire, taken for one that carries Ethernet (RFC 4448), or 1 for its associated channel. Anything else may be a
/// pseudowire without a control word.
pub(super) fn mpls(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const BOTTOM_OF_STACK: u8 = 0x01;
    for _ in 0..MAX_LABELS {
        let [_, _, label, _] = rest.take()?;
        if label & BOTTOM_OF_STACK != 0 {
            return match rest.peek()? >> 4 {
                4 => Ok(Next::Ip(Version::Four)),
                6 => Ok(Next::Ip(Version::Six)),
                0 => Ok(Next::Tunnel(Tunnel::Frame { header: 4 })),
                1 => Err(Skip::NotTcp),
                _ => Err(Skip::Tunnel),
            };
        }
    }
    Err(Skip::Malformed)
}
