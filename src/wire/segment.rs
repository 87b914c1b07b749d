//! One TCP segment, with the fields that synwatch needs.

use std::net::IpAddr;

use crate::wire::packet::InterfaceId;

/// A TCP segment's addresses, ports, flags and numbers (RFC 9293, 3.1), and where it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The sender, by the IP header nearest to the TCP header.
    pub src: IpAddr,
    /// The receiver.
    pub dst: IpAddr,
    /// The sender's port. 0 is a port like any other.
    pub src_port: u16,
    /// The receiver's port.
    pub dst_port: u16,
    /// The sequence number.
    pub seq: u32,
    /// The acknowledgment number, whatever the ACK flag says.
    pub ack: u32,
    /// The control bits.
    pub flags: Flags,
    /// Bytes of payload by the IP header's length, whether captured or not; `None` if unknown.
    pub payload: Option<u32>,
    /// The IPv4 identification; IPv6 has none.
    pub ip_id: Option<u16>,
    /// IPv4's time to live, or IPv6's hop limit.
    pub hop_limit: u8,
    /// Whether the TCP checksum is right.
    pub checksum: Checksum,
    /// Whether it is a SYN whose options ask for TCP Fast Open (RFC 7413), or were not captured whole.
    pub fast_open: bool,
    /// The TCP checksum and the window. They distinguish a repeated segment from a new one where IP has no
    /// identification. 0 if they were not captured.
    pub digest: u32,
    /// Where it was seen.
    pub place: Place,
}

/// The fields that decide whether a segment matters. Most segments do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpSummary {
    /// See [`Segment::src_port`].
    pub src_port: u16,
    /// See [`Segment::dst_port`].
    pub dst_port: u16,
    /// See [`Segment::flags`].
    pub flags: Flags,
    /// See [`Segment::payload`].
    pub payload: Option<u32>,
}

impl Segment {
    /// The fields that decide whether it matters.
    #[must_use]
    #[inline]
    pub(crate) fn summary(&self) -> TcpSummary {
        let Self { src_port, dst_port, flags, payload, .. } = *self;
        TcpSummary { src_port, dst_port, flags, payload }
    }

    /// Stands for an unreadable packet between these addresses.
    #[must_use]
    pub fn hidden(src: IpAddr, dst: IpAddr, place: Place) -> Self {
        Self {
            src,
            dst,
            src_port: 0,
            dst_port: 0,
            seq: 0,
            ack: 0,
            flags: Flags::default(),
            payload: None,
            ip_id: None,
            hop_limit: 0,
            checksum: Checksum::Unknown,
            fast_open: false,
            digest: 0,
            place,
        }
    }
}

#[cfg(test)]
impl Segment {
    /// A segment without payload between these endpoints, with number 1, for tests.
    pub(crate) fn between(src: (IpAddr, u16), dst: (IpAddr, u16), flags: Flags) -> Self {
        Self {
            src: src.0,
            dst: dst.0,
            src_port: src.1,
            dst_port: dst.1,
            seq: 1,
            ack: 1,
            flags,
            payload: Some(0),
            ip_id: None,
            hop_limit: 64,
            checksum: Checksum::Unknown,
            fast_open: false,
            digest: 0,
            place: Place::default(),
        }
    }
}

/// The link-layer addresses of a frame: one hop of a segment's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hop {
    /// The sender's, in the lower 48 bits.
    pub from: u64,
    /// The receiver's, in the lower 48 bits.
    pub to: u64,
}

/// Where a packet was seen. A copy of a segment at another point is the same segment, forwarded or mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// The capture interface.
    pub interface: InterfaceId,
    /// The kernel's interface index, if the link layer contains it (Linux cooked v2, NFLOG); else 0.
    pub ifindex: u32,
    /// The VLAN identifiers, 12 bits each: the innermost lowest, the outer ones above it (from the sixth tag on, the
    /// outermost wrap around and are folded in by XOR). 0 without tags.
    pub vlan: u64,
    /// Number of enclosing tunnels. At the end of a tunnel, a packet is seen with and without it.
    pub tunnels: u8,
    /// The direction, if the link layer contains it.
    pub direction: Direction,
    /// The link-layer addresses, if there are two; else zero. They show the path of a segment, but do not
    /// identify copies.
    pub hop: Hop,
}

/// The direction of a packet according to its link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// The link layer does not contain it.
    #[default]
    Unknown,
    /// Received by the capturing host (to it, broadcast, multicast, or to another host).
    In,
    /// Sent by the capturing host.
    Out,
    /// At this netfilter hook (NFLOG): prerouting 0, input 1, forward 2, output 3, postrouting 4.
    Hook(u8),
}

/// The result of checking a segment's TCP checksum (RFC 9293, 3.1).
///
/// Offload leaves checksums to the hardware, so a wrong one alone shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksum {
    /// The segment was not captured whole.
    #[default]
    Unknown,
    /// It fits addresses, header and payload.
    Right,
    /// It does not.
    Wrong,
}

/// TCP's control bits (RFC 9293, 3.1): the 14th byte of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment number is significant.
    pub const ACK: Self = Self(0x10);

    /// Whether all bits of `other` are set.
    #[must_use]
    #[inline]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether SYN is set and ACK clear, whatever the other bits: synwatch counts such segments.
    #[must_use]
    #[inline]
    pub fn is_attempt(self) -> bool {
        self.has(Self::SYN) && !self.has(Self::ACK)
    }
}
