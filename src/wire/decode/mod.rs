//! Bytes in, a TCP segment out, or the reason why not.
//!
//! Decode observes and does not judge: port 0, odd flags and bad checksums (offload makes them) are segments all
//! the same. It allocates nothing, never panics, and looks at each byte only after checking that it was captured.
//!
//! A packet is a sequence of headers, each of which names the next one. One small function per kind of header
//! reads it and returns the next one. The loop in `walk` goes from header to header until it reaches TCP:
//!
//! ```text
//! link ─▶ Ethernet ─▶ tag ─▶ MPLS ─▶ IP ─▶ TCP         a segment
//!              ▲  ╰▶ PPPoE ─▶ PPP ─▶ ▲ ╰─▶ tunnel       IP in IP, GRE, VXLAN
//!              ╰─────────────────────┴────────╯
//! ```
//!
//! Nearly all packets need no walk (`fast_path`): their headers are always at the same offsets.
//!
//! [`decode`] reads one packet without state. A [`Decoder`] has state: it reassembles TCP headers from
//! fragments, and counts the share of unread packets.
//!
//! The longer of two captures of one packet never changes the result of the shorter one, unless that was
//! [`Skip::Truncated`]. It may add the checksum, the digest, and the options of a SYN.

mod checksum;
mod decoder;
mod ether;
mod ip;
mod link;
mod nflog;
mod fast_path;
mod ppp;
mod reassembly;
mod rest;
mod skip;
mod tcp;
mod tunnel;
mod unread;

pub use decoder::Decoder;
pub use fast_path::FastPath;
pub use skip::{Skip, Skipped};
pub use tunnel::VxlanPorts;
pub(crate) use unread::Unread;

use std::net::IpAddr;

use etherparse::ip_number;

use crate::wire::packet::Packet;
use crate::wire::segment::{Place, Segment};
use ether::SwitchTag;
use ip::Version;
use reassembly::Part;
use rest::Rest;
use tunnel::Tunnel;

/// Maximum tags of a packet. Two are common, three exist; the rest is reserve.
const MAX_TAGS: u8 = 8;

/// Maximum depth of nested tunnels.
const MAX_TUNNELS: u8 = 4;

/// Maximum headers from the link layer to TCP: more than real packets with the caps above have. It limits the
/// work for a crafted packet.
const MAX_HEADERS: usize = 32;

/// Whether the inside of a tunnel is read. Any host can send an encapsulated packet with another host's
/// address as its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tunnels {
    /// The inside is not read: such a packet is skipped as [`Skip::Tunnel`].
    #[default]
    Skip,
    /// The innermost segment is read. VXLAN uses these ports.
    Enter(VxlanPorts),
}

impl Tunnels {
    /// The innermost segment is read. VXLAN uses its default ports.
    pub const ENTER: Self = Self::Enter(VxlanPorts::DEFAULT);

    /// The UDP ports that identify tunnels, if tunnels are entered.
    #[must_use]
    pub fn udp_ports(self) -> Option<Vec<u16>> {
        match self {
            Self::Skip => None,
            Self::Enter(vxlan) => Some(vxlan.all().iter().copied().chain([tunnel::GENEVE_PORT]).collect()),
        }
    }

    /// The ports of VXLAN.
    fn vxlan(self) -> VxlanPorts {
        match self {
            Self::Skip => VxlanPorts::DEFAULT,
            Self::Enter(ports) => ports,
        }
    }
}

/// The next header, as the one before it names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Ethernet,
    Tag,
    SwitchTag(SwitchTag),
    /// Ethernet of a switch's own port.
    Dsa,
    Llc,
    Pppoe,
    Ppp,
    Mpls,
    Ip(Version),
    Tunnel(Tunnel),
    /// Nothing that leads to TCP.
    NotTcp,
    /// An unread protocol that may lead to TCP.
    Unread(Unread),
}

/// Notes of a walk, beside its result.
#[derive(Debug, Default)]
struct Notes<'a> {
    /// The unread protocol.
    unread: Option<Unread>,
    /// A part of a TCP header.
    part: Option<Part<'a>>,
    /// The hosts of an unreadable TCP header.
    hidden: Option<Hidden>,
}

/// The sender and the receiver of a packet that may hide a TCP header: a fragment, or a chain of headers that was cut
/// or has an unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// The sender, by the last IP header that was read.
    pub src: IpAddr,
    /// The receiver.
    pub dst: IpAddr,
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
    match FastPath::of(packet) {
        Some(plain) => Ok(plain.segment(packet)),
        None => walk(packet, tunnels, &mut Notes::default()),
    }
}

/// Goes from header to header, whatever they are.
#[inline(never)]
fn walk<'a>(packet: &Packet<'a>, tunnels: Tunnels, notes: &mut Notes<'a>) -> Result<Segment, Skip> {
    let mut rest = Rest::new(packet.bytes);
    let mut place = Place { interface: packet.interface, ..Place::default() };
    let mut tags = 0;
    let mut next = link::read(packet.link, &mut rest, &mut place)?;
    for _ in 0..MAX_HEADERS {
        next = match next {
            Next::Ip(version) => {
                let whole = rest;
                let header =
                    ip::read(version, &mut rest).inspect_err(|_| notes.hidden = ip::hidden(&whole))?;
                let hidden = Some(Hidden { src: header.src, dst: header.dst });
                if header.protocol == ip_number::TCP {
                    let found = tcp::read(&header, rest, place, notes);
                    notes.hidden = hidden.filter(|_| matches!(found, Err(Skip::Fragment | Skip::Truncated)));
                    return found;
                }
                if ip::may_lead_to_tcp(&header) {
                    notes.hidden = hidden;
                }
                if header.fragment.is_some_and(|fragment| fragment.offset != 0) {
                    return Err(Skip::Fragment);
                }
                tunnel::recognize(header.protocol, tunnels.vxlan(), &mut rest)?
            }
            Next::Tunnel(tunnel) => {
                if tunnels == Tunnels::Skip {
                    notes.unread = Some(Unread::Closed(tunnel.name()));
                    return Err(Skip::Tunnel);
                }
                place.tunnels += 1;
                if place.tunnels > MAX_TUNNELS {
                    return Err(Skip::Malformed);
                }
                tunnel.open(&mut rest)?
            }
            Next::Tag | Next::SwitchTag(_) if tags == MAX_TAGS => return Err(Skip::Malformed),
            Next::SwitchTag(tag) => {
                tags += 1;
                ether::switch_tag(tag, &mut rest)?
            }
            Next::Tag => {
                tags += 1;
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
            Next::Dsa => {
                let (hop, vlan, inner) = ether::dsa(&mut rest)?;
                (place.hop, place.vlan) = (hop, vlan.map_or(0, u64::from));
                inner
            }
            Next::NotTcp => return Err(Skip::NotTcp),
            Next::Unread(what) => {
                notes.unread = Some(what);
                return Err(if what.is_tunnel() { Skip::Tunnel } else { Skip::NotTcp });
            }
            Next::Llc => ether::llc(&mut rest)?,
            Next::Mpls => ether::mpls(&mut rest)?,
            Next::Pppoe => ppp::pppoe(&mut rest)?,
            Next::Ppp => ppp::ppp(&mut rest)?,
        };
    }
    Err(Skip::Malformed)
}
