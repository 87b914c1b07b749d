//! Bytes in, a TCP segment out, or the reason why not.
//!
//! Decode observes and does not judge: port 0, odd flags and bad checksums (offload makes them) are segments all
//! the same. It allocates nothing, never panics, and looks at each byte only after checking that it was captured.
//!
//! A packet is a row of headers, each of which says what comes next. Each kind of header is read by one small
//! function that gives the next one; the loop in `walk` goes from header to header until it stands before
//! TCP:
//!
//! ```text
//! link ─▶ Ethernet ─▶ tag ─▶ MPLS ─▶ IP ─▶ TCP         a segment
//!              ▲  ╰▶ PPPoE ─▶ PPP ─▶ ▲ ╰─▶ tunnel       IP in IP, GRE, VXLAN
//!              ╰─────────────────────┴────────╯
//! ```
//!
//! Nearly all packets need no such walk (`plain`): their headers always stand at the same places.
//!
//! The longer of two captures of one packet never changes what the shorter one said, unless that was
//! [`Skip::Truncated`].

mod ether;
mod ip;
mod link;
mod nflog;
mod plain;
mod ppp;
mod rest;
mod skip;
mod tcp;
mod tunnel;

pub use plain::Plain;
pub use skip::{Skip, Skipped};

use etherparse::ip_number;

use crate::packet::Packet;
use crate::segment::{Place, Segment};
use ip::Version;
use rest::Rest;
use tunnel::Tunnel;

/// The most VLAN tags in a packet. Two are common, three exist; the rest is room.
const MAX_TAGS: u8 = 8;

/// The most tunnels in a tunnel.
const MAX_TUNNELS: u8 = 4;

/// The most headers that are followed from the link layer to TCP: more than the caps above allow for in earnest. It
/// bounds the work that a crafted packet can cause.
const MAX_HEADERS: usize = 32;

/// Whether the inside of a tunnel is looked at. Anyone can send an encapsulated packet that names someone else as
/// its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tunnels {
    /// It is not: such a packet is skipped as [`Skip::Tunnel`].
    #[default]
    Skip,
    /// The innermost segment is read.
    Enter,
}

/// What the next header is, as the one before it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Ethernet,
    Tag,
    Llc,
    Pppoe,
    Ppp,
    Mpls,
    Ip(Version),
    Tunnel(Tunnel),
}

/// Reads the TCP segment in `packet`, whatever its ports and flags.
///
/// The segment's [`Place`] is that of the whole packet: tags inside a tunnel are not part of it.
///
/// # Errors
///
/// The reason why there is none to read: [`Skip::Truncated`], [`Skip::Fragment`], [`Skip::NotTcp`],
/// [`Skip::Tunnel`], [`Skip::Malformed`] or [`Skip::LinkType`].
#[inline]
pub fn decode(packet: &Packet<'_>, tunnels: Tunnels) -> Result<Segment, Skip> {
    match Plain::of(packet) {
        Some(plain) => Ok(plain.segment(packet)),
        None => walk(packet, tunnels),
    }
}

/// Goes from header to header, whatever they are.
#[inline(never)]
fn walk(packet: &Packet<'_>, tunnels: Tunnels) -> Result<Segment, Skip> {
    let mut rest = Rest::new(packet.bytes);
    let mut place = Place { interface: packet.interface, ..Place::default() };
    let mut tags = 0;
    let mut next = link::read(packet.link, &mut rest, &mut place)?;
    for _ in 0..MAX_HEADERS {
        next = match next {
            Next::Ip(version) => {
                let header = ip::read(version, &mut rest)?;
                if header.protocol == ip_number::TCP {
                    return tcp::read(&header, rest, place);
                }
                Next::Tunnel(tunnel::recognize(header.protocol, &mut rest)?)
            }
            Next::Tunnel(tunnel) => {
                if tunnels == Tunnels::Skip {
                    return Err(Skip::Tunnel);
                }
                place.tunnels += 1;
                if place.tunnels > MAX_TUNNELS {
                    return Err(Skip::Malformed);
                }
                tunnel.open(&mut rest)?
            }
            Next::Tag => {
                tags += 1;
                if tags > MAX_TAGS {
                    return Err(Skip::Malformed);
                }
                let (vlan, inner) = ether::tag(&mut rest)?;
                if place.tunnels == 0 {
                    place.vlan = place.vlan.rotate_left(12) ^ u64::from(vlan);
                }
                inner
            }
            Next::Ethernet => {
                let (hop, inner) = ether::mac(&mut rest)?;
                if place.tunnels == 0 {
                    place.hop = hop;
                }
                inner
            }
            Next::Llc => ether::llc(&mut rest)?,
            Next::Mpls => ether::mpls(&mut rest)?,
            Next::Pppoe => ppp::pppoe(&mut rest)?,
            Next::Ppp => ppp::ppp(&mut rest)?,
        };
    }
    Err(Skip::Malformed)
}
