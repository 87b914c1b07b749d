//! The headers between the link layer and IP: Ethernet, VLAN tags, the tags of switches, LLC/SNAP, MPLS.

use super::rest::{Rest, be16, be32};
use super::{Next, Skip, Tunnel, Unread, Version};
use crate::wire::segment::Hop;

/// Maximum labels of an MPLS stack.
const MAX_LABELS: usize = 16;

/// The length of an Ethernet header: two addresses, then a type, or a length as in IEEE 802.3.
pub(super) const HEADER: usize = 14;

/// The types of IP.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;
/// That of a PPPoE session.
pub(super) const PPPOE_SESSION: u16 = 0x8864;

/// Reads an Ethernet header.
#[inline]
pub(super) fn mac(rest: &mut Rest<'_>) -> Result<(Hop, Next), Skip> {
    let header = rest.take()?;
    Ok((hop(header), type_or_length(number(header))))
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

/// Reads a VLAN tag: three bits of priority, one of drop eligibility, twelve of VLAN identifier; then the
/// next header.
#[inline]
pub(super) fn tag(rest: &mut Rest<'_>) -> Result<(u16, Next), Skip> {
    const CONTROL: usize = 0;
    const TYPE: usize = 2;
    const VLAN: u16 = 0x0fff;
    let tag: &[u8; 4] = rest.take()?;
    Ok((be16(tag, CONTROL) & VLAN, type_or_length(be16(tag, TYPE))))
}

/// A tag other than that of a VLAN, which a switch puts before the EtherType. An EtherType of its own names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SwitchTag {
    /// Cisco's metadata, mostly a TrustSec security group.
    Metadata,
    /// Cisco's and Arista's TTag: a time of 48 bits.
    Time,
    /// Cisco's VN-tag: four bytes, which name virtual interfaces.
    Vn,
    /// IEEE 802.1BR's E-tag: six bytes.
    Extended,
}

/// Reads a tag of a switch; then the next header.
pub(super) fn switch_tag(tag: SwitchTag, rest: &mut Rest<'_>) -> Result<Next, Skip> {
    match tag {
        SwitchTag::Metadata => {
            // A version, and how many times four bytes of options follow: one security group takes four.
            let [_version, words] = rest.take()?;
            rest.pass(4 * usize::from(*words))?;
        }
        SwitchTag::Time | SwitchTag::Extended => rest.pass(6)?,
        SwitchTag::Vn => rest.pass(4)?,
    }
    Ok(type_or_length(u16::from_be_bytes(*rest.take()?)))
}

/// A frame of a Marvell switch's own port (Linux: net/dsa/tag_dsa.c): four bytes between the addresses and the
/// EtherType. The outermost VLAN tag is part of them: gives its VLAN.
pub(super) fn dsa(rest: &mut Rest<'_>) -> Result<(Hop, Option<u16>, Next), Skip> {
    const IS_TAGGED: u8 = 0x20;
    const VLAN: u16 = 0x0fff;
    const ADDRESSES: usize = 12;
    let header: &[u8; HEADER] = rest.peek_at()?;
    let hop = hop(header);
    rest.pass(ADDRESSES)?;
    let tag: &[u8; 6] = rest.take()?;
    let vlan = (tag[0] & IS_TAGGED != 0).then(|| be16(tag, 2) & VLAN);
    Ok((hop, vlan, type_or_length(be16(tag, 4))))
}

/// IEEE 802.3, 3.2.6: a type is 0x0600 or more. A smaller number is a length, and an LLC header follows. The length
/// itself is not needed: IP has its own.
#[inline]
fn type_or_length(number: u16) -> Next {
    if number < SMALLEST_TYPE { Next::Llc } else { ether_type(number) }
}

/// The next header after an EtherType.
#[inline]
pub(super) fn ether_type(ether_type: u16) -> Next {
    /// IEEE 802.1Q, IEEE 802.1ad, and three numbers that switches used before it.
    const TAGS: [u16; 5] = [0x8100, 0x88a8, 0x8200, 0x9100, 0x9200];
    const METADATA: u16 = 0x8909;
    const TIME: u16 = 0x8988;
    const VN: u16 = 0x8926;
    const EXTENDED: u16 = 0x893f;
    const MPLS_UNICAST: u16 = 0x8847;
    const MPLS_MULTICAST: u16 = 0x8848;
    match ether_type {
        IPV4 => Next::Ip(Version::Four),
        IPV6 => Next::Ip(Version::Six),
        MPLS_UNICAST | MPLS_MULTICAST => Next::Mpls,
        PPPOE_SESSION => Next::Pppoe,
        tag if TAGS.contains(&tag) => Next::Tag,
        METADATA => Next::SwitchTag(SwitchTag::Metadata),
        TIME => Next::SwitchTag(SwitchTag::Time),
        VN => Next::SwitchTag(SwitchTag::Vn),
        EXTENDED => Next::SwitchTag(SwitchTag::Extended),
        BACKBONE => Next::Tunnel(Tunnel::Frame(Frame::Backbone)),
        FABRIC_PATH => Next::Tunnel(Tunnel::Frame(Frame::FabricPath)),
        // The protocols that Linux numbers below the EtherTypes carry no IP either.
        _ if ether_type < SMALLEST_TYPE || CARRY_NO_IP.contains(&ether_type) => Next::NotTcp,
        _ => Next::Unread(Unread::EtherType(ether_type)),
    }
}

/// IEEE 802.3, 3.2.6: smaller numbers are lengths.
const SMALLEST_TYPE: u16 = 0x0600;

/// IEEE 802.1ah: a provider backbone's service instance tag, then a frame.
const BACKBONE: u16 = 0x88e7;
const FABRIC_PATH: u16 = 0x8903;

/// EtherTypes that are common and never lead to TCP: not to read them loses nothing. ARP, RARP, wake-on-LAN, DEC's, IPX
/// and AppleTalk, pause, slow protocols, PPPoE discovery, EAPOL, PROFINET, `EtherCAT`, LLDP, HomePlug, MRP, CFM, PTP,
/// FCoE and its initialization, RoCE, loopback tests, GOOSE.
const CARRY_NO_IP: [u16; 25] = [
    0x0806, 0x8035, 0x0842, 0x6002, 0x6003, 0x6004, 0x8137, 0x809b, 0x80f3, 0x8808, 0x8809, 0x8863, 0x888e,
    0x8892, 0x88a4, 0x88cc, 0x88e1, 0x88e3, 0x8902, 0x88f7, 0x8906, 0x8914, 0x8915, 0x9000, 0x88b8,
];

/// A frame in a frame: Ethernet again, behind some bytes of the tunnel's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// IEEE 802.1ah: the service instance, four bytes.
    Backbone,
    /// Cisco's `FabricPath`.
    FabricPath,
    /// Ethernet in MPLS (RFC 4448): a control word.
    Pseudowire,
}

impl Frame {
    /// The length of the bytes before the inner frame.
    pub(super) fn header(self) -> usize {
        match self {
            Self::Backbone | Self::Pseudowire => 4,
            Self::FabricPath => 2,
        }
    }
}

/// IEEE 802.2 LLC, of which only SNAP carries IP (RFC 1042): both service access points 0xaa, unnumbered
/// information, an organisation, an EtherType.
pub(super) fn llc(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    match *rest.take()? {
        // The second organisation is that of IEEE 802.1H, for bridged frames.
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low] => Ok(ether_type(u16::from_be_bytes([high, low]))),
        _ => Err(Skip::NotTcp),
    }
}

/// Reads an MPLS label stack (RFC 3032) and finds its payload.
///
/// The stack does not name the payload. The first four bits of the payload do (RFC 4385): an IP version, or 0
/// for the control word of a pseudowire, which is assumed to carry Ethernet (RFC 4448), or 1 for its
/// associated channel. Any other value may be a pseudowire without a control word.
pub(super) fn mpls(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const BOTTOM_OF_STACK: u8 = 0x01;
    for _ in 0..MAX_LABELS {
        let [_, _, label, _] = rest.take()?;
        if label & BOTTOM_OF_STACK != 0 {
            return match rest.peek()? >> 4 {
                4 => Ok(Next::Ip(Version::Four)),
                6 => Ok(Next::Ip(Version::Six)),
                0 => Ok(Next::Tunnel(Tunnel::Frame(Frame::Pseudowire))),
                1 => Err(Skip::NotTcp),
                _ => Ok(Next::Unread(Unread::MPLS)),
            };
        }
    }
    Err(Skip::Malformed)
}
