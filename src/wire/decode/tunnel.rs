//! Tunnels: packets in packets.
//!
//! The decoder reads IP in IP (IPv4 and IPv6, any in any), GRE, with ERSPAN in it, VXLAN, GENEVE, and
//! Ethernet in IEEE 802.1ah, `FabricPath` and MPLS. ESP is encrypted. The decoder recognises PPTP, GRE with
//! source routing, `EtherIP`, L2TP and MPLS in IP, but does not read them. Other tunnels over UDP than VXLAN
//! and GENEVE on their ports look like any UDP, and are not TCP.

use std::fmt;

use etherparse::{IpNumber, ip_number};

use super::ether::{self, Frame};
use super::rest::{Rest, be16};
use super::{Next, Skip, Unread, Version};

/// A tunnel that can be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tunnel {
    /// An IP header, with nothing before it.
    Ip(Version),
    Gre,
    Vxlan,
    Geneve,
    /// A frame in a frame.
    Frame(Frame),
}

/// The UDP ports at which VXLAN is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VxlanPorts {
    ports: [u16; Self::MOST],
    count: usize,
}

impl VxlanPorts {
    /// Maximum number of ports.
    pub const MOST: usize = 8;

    /// IANA's (RFC 7348, 5), and the one that Linux and early switches use.
    pub(crate) const DEFAULT: Self = Self { ports: [4789, 8472, 0, 0, 0, 0, 0, 0], count: 2 };

    /// These ports; `None` where they are too many, or none.
    #[must_use]
    pub fn new(ports: &[u16]) -> Option<Self> {
        let mut all = [0; Self::MOST];
        all.get_mut(..ports.len())?.copy_from_slice(ports);
        (!ports.is_empty()).then_some(Self { ports: all, count: ports.len() })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[u16] {
        &self.ports[..self.count]
    }
}

impl Default for VxlanPorts {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for VxlanPorts {
    /// As the option takes them: `4789,8472`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, port) in self.all().iter().enumerate() {
            write!(f, "{}{port}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// GENEVE's UDP port (RFC 8926, 3.3).
pub(super) const GENEVE_PORT: u16 = 6081;

/// The next header after an IP protocol other than TCP.
pub(super) fn recognize(protocol: IpNumber, vxlan: VxlanPorts, rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const ETHER_IP: IpNumber = IpNumber(97);
    const L2TP: IpNumber = IpNumber(115);
    const MPLS: IpNumber = IpNumber(137);
    Ok(match protocol {
        ip_number::IPV4 => Next::Tunnel(Tunnel::Ip(Version::Four)),
        ip_number::IPV6 => Next::Tunnel(Tunnel::Ip(Version::Six)),
        ip_number::GRE => Next::Tunnel(Tunnel::Gre),
        ip_number::UDP => udp(vxlan, rest)?,
        ip_number::ENCAP_SEC => Next::Unread(Unread::Opaque("ESP (IPsec)")),
        ETHER_IP => Next::Unread(Unread::Opaque("EtherIP")),
        L2TP => Next::Unread(Unread::Opaque("L2TP")),
        MPLS => Next::Unread(Unread::Opaque("MPLS in IP")),
        _ => Next::NotTcp,
    })
}

/// VXLAN and GENEVE, by their ports.
fn udp(vxlan: VxlanPorts, rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const DST_PORT: usize = 2;
    let header: &[u8; 8] = rest.take()?;
    Ok(match be16(header, DST_PORT) {
        port if vxlan.all().contains(&port) => Next::Tunnel(Tunnel::Vxlan),
        GENEVE_PORT => Next::Tunnel(Tunnel::Geneve),
        _ => Next::NotTcp,
    })
}

impl Tunnel {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ip(_) => "IP in IP",
            Self::Gre => "GRE",
            Self::Vxlan => "VXLAN",
            Self::Geneve => "GENEVE",
            Self::Frame(Frame::Backbone) => "IEEE 802.1ah",
            Self::Frame(Frame::FabricPath) => "FabricPath",
            Self::Frame(Frame::Pseudowire) => "Ethernet in MPLS",
        }
    }

    /// Reads the tunnel's own header. Returns the next header.
    pub(super) fn open(self, rest: &mut Rest<'_>) -> Result<Next, Skip> {
        match self {
            Self::Ip(version) => Ok(Next::Ip(version)),
            Self::Gre => gre(rest),
            Self::Vxlan => self::vxlan(rest),
            Self::Geneve => geneve(rest),
            Self::Frame(frame) => {
                rest.pass(frame.header())?;
                Ok(Next::Ethernet)
            }
        }
    }
}

/// A GRE header: flags and a protocol type, then four bytes for each of checksum, key and sequence number whose flag
/// is set (RFC 2784, RFC 2890). Version 1 is PPTP's; routing is long deprecated.
fn gre(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const FLAGS: usize = 0;
    const PROTOCOL_TYPE: usize = 2;
    const ROUTING: u16 = 0x4000;
    const VERSION: u16 = 0x0007;
    const SEQUENCE: u16 = 0x1000;
    /// Checksum, key, sequence number.
    const OPTIONAL: u16 = 0x8000 | 0x2000 | SEQUENCE;
    const ERSPAN: u16 = 0x88be;
    const ERSPAN_3: u16 = 0x22eb;
    let header: &[u8; 4] = rest.take()?;
    let flags = be16(header, FLAGS);
    if flags & VERSION == 1 {
        return Ok(Next::Unread(Unread::Opaque("PPTP")));
    }
    if flags & (ROUTING | VERSION) != 0 {
        return Err(Skip::Tunnel);
    }
    rest.pass(4 * (flags & OPTIONAL).count_ones() as usize)?;
    match be16(header, PROTOCOL_TYPE) {
        0x0800 => Ok(Next::Ip(Version::Four)),
        0x86dd => Ok(Next::Ip(Version::Six)),
        0x6558 => Ok(Next::Ethernet),
        0x8847 | 0x8848 => Ok(Next::Mpls),
        ERSPAN => erspan(flags & SEQUENCE != 0, rest),
        ERSPAN_3 => erspan_3(rest),
        other => Ok(Next::Unread(Unread::InGre(other))),
    }
}

/// ERSPAN, a mirror port's frames (draft-foschiano-erspan): of type I nothing stands before the frame, and GRE has no
/// sequence number; of type II a header of eight bytes does.
fn erspan(is_type_2: bool, rest: &mut Rest<'_>) -> Result<Next, Skip> {
    rest.pass(if is_type_2 { 8 } else { 0 })?;
    Ok(Next::Ethernet)
}

/// ERSPAN of type III: twelve bytes, eight more where the last bit says so. The frame's type is Ethernet or IP.
fn erspan_3(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const TYPE: usize = 10;
    const LAST: usize = 11;
    const HAS_MORE: u8 = 0x01;
    let header: &[u8; 12] = rest.take()?;
    rest.pass(if header[LAST] & HAS_MORE != 0 { 8 } else { 0 })?;
    match header[TYPE] >> 2 & 0x1f {
        0 => Ok(Next::Ethernet),
        2 => Ok(Next::Ip(Version::Any)),
        _ => Err(Skip::Tunnel),
    }
}

/// A VXLAN header (RFC 7348, 5), of which only the flag matters that says there is a network identifier. Without it,
/// it is other UDP that happens to use the port.
fn vxlan(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const HAS_IDENTIFIER: u8 = 0x08;
    let [flags, ..]: &[u8; 8] = rest.take()?;
    if flags & HAS_IDENTIFIER != 0 { Ok(Next::Ethernet) } else { Err(Skip::NotTcp) }
}

/// A GENEVE header (RFC 8926, 3.4): version 0, the options' length in four bytes, an EtherType.
fn geneve(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const PROTOCOL_TYPE: usize = 2;
    const BRIDGED: u16 = 0x6558;
    let header: &[u8; 8] = rest.take()?;
    let (version, options) = (header[0] >> 6, header[0] & 0x3f);
    if version != 0 {
        return Err(Skip::NotTcp);
    }
    rest.pass(4 * usize::from(options))?;
    Ok(match be16(header, PROTOCOL_TYPE) {
        BRIDGED => Next::Ethernet,
        other => ether::ether_type(other),
    })
}
