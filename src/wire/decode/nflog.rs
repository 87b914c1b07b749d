//! Packets that Linux netfilter logged: a short header, then attributes, one of which is the packet.
//!
//! Described at <https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html>; the attributes are those of
//! `linux/netfilter/nfnetlink_log.h`.

use super::rest::Rest;
use super::{Next, Skip, ether, link};
use crate::wire::segment::{Direction, Place};

/// The most attributes before the packet: the kernel has some twenty, each at most once.
const MAX_ATTRIBUTES: usize = 32;

/// Bridges log frames of any EtherType, which the packet header attribute names.
const AF_BRIDGE: u8 = 7;

/// Reads up to the packet, noting hook and interface. The kernel puts the packet last.
pub(super) fn read(rest: &mut Rest<'_>, place: &mut Place) -> Result<Next, Skip> {
    const PACKET_HEADER: u8 = 1;
    const INPUT_INTERFACE: u8 = 4;
    const OUTPUT_INTERFACE: u8 = 5;
    const PACKET: u8 = 9;
    let [family, _version, _resource @ ..] = rest.take::<4>()?;
    let mut protocol = 0;
    let (mut input, mut output) = (0, 0);
    for _ in 0..MAX_ATTRIBUTES {
        match attribute(rest.take()?)? {
            (PACKET, length) => {
                rest.crop(length);
                place.ifindex = if output != 0 { output } else { input };
                return if *family == AF_BRIDGE {
                    Ok(ether::ether_type(protocol))
                } else {
                    link::family(*family)
                };
            }
            (PACKET_HEADER, 4) => {
                let [high, low, hook, _] = *rest.take()?;
                protocol = u16::from_be_bytes([high, low]);
                place.direction = Direction::Hook(hook);
            }
            (INPUT_INTERFACE, 4) => input = u32::from_be_bytes(*rest.take()?),
            (OUTPUT_INTERFACE, 4) => output = u32::from_be_bytes(*rest.take()?),
            (_, length) => rest.pass(length.next_multiple_of(4))?,
        }
    }
    Err(Skip::Malformed)
}

/// An attribute's type, and the length of its value. Both are in the byte order of the capturing host. Types
/// are below 64, apart from two flags, so the position of the zero byte shows the order.
fn attribute(header: &[u8; 4]) -> Result<(u8, usize), Skip> {
    const WITHOUT_FLAGS: u8 = 0x3f;
    let [a, b, c, d] = *header;
    let (length, kind) = match (c & WITHOUT_FLAGS, d & WITHOUT_FLAGS) {
        (_, 0) => (u16::from_le_bytes([a, b]), c),
        (0, _) => (u16::from_be_bytes([a, b]), d),
        _ => return Err(Skip::Malformed),
    };
    let value = usize::from(length).checked_sub(header.len()).ok_or(Skip::Malformed)?;
    Ok((kind, value))
}
