//! Tunnels: packets in packets.
//!
//! Read are IP in IP (IPv4 and IPv6, any in any), GRE, VXLAN, and Ethernet in IEEE 802.1ah, `FabricPath` and MPLS. ESP
//! is a tunnel that nobody can read; ERSPAN, PPTP and GRE with source routing are known and not read. What is carried
//! in UDP other than VXLAN on its own port cannot be told from other UDP and is not TCP.

use etherparse::{IpNumber, ip_number};

use super::rest::{Rest, be16};
use super::{Next, Skip, Version};

/// A tunnel that can be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tunnel {
    /// An IP header, with nothing before it.
    Ip(Version),
    Gre,
    Vxlan,
    /// A frame in a frame: Ethernet again, behind so many bytes of the tunnel's own.
    Frame {
        header: usize,
    },
}

/// The tunnel that an IP protocol other than TCP stands for.
pub(super) fn recognize(protocol: IpNumber, rest: &mut Rest<'_>) -> Result<Tunnel, Skip> {
    match protocol {
        ip_number::IPV4 => Ok(Tunnel::Ip(Version::Four)),
        ip_number::IPV6 => Ok(Tunnel::Ip(Version::Six)),
        ip_number::GRE => Ok(Tunnel::Gre),
        ip_number::UDP => udp(rest),
        ip_number::ENCAP_SEC => Err(Skip::Tunnel),
        _ => Err(Skip::NotTcp),
    }
}

/// VXLAN, by its port (RFC 7348, 5).
fn udp(rest: &mut Rest<'_>) -> Result<Tunnel, Skip> {
    const DST_PORT: usize = 2;
    const VXLAN_PORT: u16 = 4789;
    let header: &[u8; 8] = rest.take()?;
    if be16(header, DST_PORT) == VXLAN_PORT { Ok(Tunnel::Vxlan) } else { Err(Skip::NotTcp) }
}

impl Tunnel {
    /// Reads the tunnel's own header, and gives what is inside.
    pub(super) fn open(self, rest: &mut Rest<'_>) -> Result<Next, Skip> {
        match self {
            Self::Ip(version) => Ok(Next::Ip(version)),
            Self::Gre => gre(rest),
            Self::Vxlan => vxlan(rest),
            Self::Frame { header } => {
                rest.pass(header)?;
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
    /// Checksum, key, sequence number.
    const OPTIONAL: u16 = 0x8000 | 0x2000 | 0x1000;
    let header: &[u8; 4] = rest.take()?;
    let flags = be16(header, FLAGS);
    if flags & (ROUTING | VERSION) != 0 {
        return Err(Skip::Tunnel);
    }
    rest.pass(4 * (flags & OPTIONAL).count_ones() as usize)?;
    match be16(header, PROTOCOL_TYPE) {
        0x0800 => Ok(Next::Ip(Version::Four)),
        0x86dd => Ok(Next::Ip(Version::Six)),
        0x6558 => Ok(Next::Ethernet),
        0x8847 | 0x8848 => Ok(Next::Mpls),
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
