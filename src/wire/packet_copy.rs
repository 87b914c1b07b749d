//! Copies of packets, of a fixed size.

use crate::base::time::Timestamp;
use crate::wire::packet::{InterfaceId, LinkType, Packet};
/// Number of bytes kept of a packet: enough for its headers in any encapsulation, without the payload.
pub(crate) const KEPT_BYTES: usize = 256;

/// A packet in the queue. It owns its bytes in a fixed array, so that the packet path does not allocate.
#[derive(Debug, Clone, Copy)]
pub struct PacketCopy {
    /// The capture time.
    pub time: Timestamp,
    /// The capture interface.
    pub interface: InterfaceId,
    /// The link type of its bytes.
    pub link: LinkType,
    /// The packet's length on the wire.
    pub wire_length: u32,
    length: u16,
    bytes: [u8; KEPT_BYTES],
}

impl PacketCopy {
    /// The first `KEPT_BYTES` of a packet, or all of it.
    #[must_use]
    pub fn new(packet: &Packet<'_>) -> Self {
        let length = packet.bytes.len().min(KEPT_BYTES);
        let mut bytes = [0; KEPT_BYTES];
        bytes[..length].copy_from_slice(&packet.bytes[..length]);
        let Packet { time, interface, link, wire_length, .. } = *packet;
        #[expect(clippy::cast_possible_truncation, reason = "at most KEPT_BYTES")]
        Self { time, interface, link, wire_length, length: length as u16, bytes }
    }

    /// The same without the payload, whose length comes from the IP header. A link layer's trailer looks like payload,
    /// so that number of bytes stays.
    #[must_use]
    pub fn headers(mut self, payload: Option<u32>) -> Self {
        if let Some(payload @ 1..) = payload {
            let headers = u16::try_from(self.wire_length.saturating_sub(payload)).unwrap_or(u16::MAX);
            self.length = self.length.min(headers);
        }
        self
    }

    /// The kept bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length).min(KEPT_BYTES)]
    }
}
