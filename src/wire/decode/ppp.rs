//! PPP, and the PPPoE header that carries it over Ethernet.

use super::rest::Rest;
use super::{Next, Skip, Version};

/// A PPPoE header (RFC 2516, 4): version and type, both 1; a code; the session; a length. The length is not needed:
/// IP has its own.
pub(super) fn pppoe(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const VERSION_AND_TYPE: u8 = 0x11;
    const SESSION_DATA: u8 = 0x00;
    match *rest.take()? {
        [VERSION_AND_TYPE, SESSION_DATA, _, _, _, _] => Ok(Next::Ppp),
        [VERSION_AND_TYPE, ..] => Err(Skip::NotTcp),
        _ => Err(Skip::Malformed),
    }
}

/// A PPP header: address and control, where they were not left out, then the protocol, of which a first byte of zero
/// may be left out (RFC 1661, 6.5 and 6.6; RFC 1662, 3.1).
///
/// Header compression (RFC 1144) is not undone; it leaves SYNs as they are.
pub(super) fn ppp(rest: &mut Rest<'_>) -> Result<Next, Skip> {
    const ALL_STATIONS: u8 = 0xff;
    const UNNUMBERED_INFORMATION: u8 = 0x03;
    /// Set in the last byte of a protocol number, and only there.
    const LAST: u8 = 0x01;
    if rest.peek()? == ALL_STATIONS {
        let [_, control] = rest.take()?;
        if *control != UNNUMBERED_INFORMATION {
            return Err(Skip::NotTcp);
        }
    }
    let protocol = if rest.peek()? & LAST != 0 {
        let [low] = rest.take()?;
        u16::from(*low)
    } else {
        u16::from_be_bytes(*rest.take()?)
    };
    match protocol {
        0x0021 => Ok(Next::Ip(Version::Four)),
        0x0057 => Ok(Next::Ip(Version::Six)),
        0x0281 | 0x0283 => Ok(Next::Mpls),
        _ => Err(Skip::NotTcp),
    }
}
