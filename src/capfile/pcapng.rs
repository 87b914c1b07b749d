//! pcapng files: sections of blocks, with any number of interfaces, each with its own link type and clock.
//!
//! The reader supports both byte orders, several sections, and enhanced, simple and obsolete packet blocks;
//! it skips other blocks. A simple packet block has no time, and gets that of the packet before it in the
//! file, or 0.
//!
//! This module reads all blocks itself: `pcap_parser` does not know the obsolete packet blocks, it collects options on
//! the heap, and on a big-endian machine it recognizes no interface description.

use std::sync::Arc;

use super::catalog::Catalog;
use super::clock::Clock;
use super::order::Order;
use super::{Format, MAX_RECORD, Next};
use crate::base::time::Timestamp;
use crate::error::Fault;
use crate::wire::packet::{InterfaceId, Interfaces, LinkType, Packet};

/// The type of a section header block, which is the same in both byte orders: it begins a pcapng file.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The types of the other supported blocks.
mod kind {
    pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
    pub(super) const OBSOLETE_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const ENHANCED_PACKET: u32 = 6;
}

/// Offsets in a block, in bytes.
mod field {
    pub(super) const LENGTH: usize = 4;
    pub(super) const BODY: usize = 8;
    /// The length again, at the end.
    pub(super) const TRAILER: usize = 4;
    /// A section header's byte-order magic, and its major version.
    pub(super) const BYTE_ORDER: usize = 8;
    pub(super) const VERSION: usize = 12;
}

/// Offsets in the body of an interface description, and the codes of its supported options.
mod interface {
    pub(super) const LINK: usize = 0;
    pub(super) const SNAP_LENGTH: usize = 4;
    pub(super) const OPTIONS: usize = 8;
    pub(super) const END_OF_OPTIONS: u16 = 0;
    pub(super) const TIME_RESOLUTION: u16 = 9;
    pub(super) const TIME_OFFSET: u16 = 14;
}

/// Offsets in an option: its code, the length of its value, and the value, padded to whole words.
mod option {
    pub(super) const CODE: usize = 0;
    pub(super) const LENGTH: usize = 2;
    pub(super) const VALUE: usize = 4;
    pub(super) const WORD: usize = 4;
}

/// Offsets in the body of an enhanced packet block, and of an obsolete one.
mod packet {
    pub(super) const INTERFACE: usize = 0;
    pub(super) const TIME_HIGH: usize = 4;
    pub(super) const TIME_LOW: usize = 8;
    pub(super) const CAPTURED: usize = 12;
    pub(super) const WIRE: usize = 16;
    pub(super) const BYTES: usize = 20;
}

/// The shortest block: type, length and length again.
const MIN_BLOCK: u32 = 12;
/// The supported version of the format.
const MAJOR_VERSION: u16 = 1;

/// The state of the pcapng reader.
pub(super) struct Pcapng {
    order: Order,
    /// The interfaces of the current section, in the order of their descriptions.
    interfaces: Vec<Described>,
    pub(super) catalog: Catalog,
    /// The time of the packet before.
    last: Timestamp,
}

/// An interface of the current section.
struct Described {
    id: InterfaceId,
    link: LinkType,
    /// Maximum captured bytes of a packet; 0 means no limit.
    snap_length: u32,
    clock: Clock,
    /// Whether its link type is unsupported, and no packet has come from it yet.
    is_unmissed: bool,
}

impl Pcapng {
    pub(super) fn new(file: Arc<str>, all: Interfaces) -> Self {
        Self {
            order: Order::Little,
            interfaces: Vec::new(),
            catalog: Catalog::new(file, all),
            last: Timestamp::default(),
        }
    }

    /// Handles a complete block that is not a packet.
    fn take_up(&mut self, kind: u32, block: &[u8]) -> Result<(), Fault> {
        match kind {
            kind::SECTION_HEADER => {
                if self.order.u16(block, field::VERSION) != Some(MAJOR_VERSION) {
                    return Err(Fault::Section);
                }
                self.interfaces.clear();
                Ok(())
            }
            kind::INTERFACE_DESCRIPTION => self.describe(&block[field::BODY..block.len() - field::TRAILER]),
            _ => Ok(()),
        }
    }

    fn describe(&mut self, body: &[u8]) -> Result<(), Fault> {
        let (link, snap_length) =
            (self.order.u16(body, interface::LINK), self.order.u32(body, interface::SNAP_LENGTH));
        let (Some(link), Some(snap_length)) = (link.map(LinkType), snap_length) else {
            return Err(Fault::ShortBlock(kind::INTERFACE_DESCRIPTION));
        };
        let too_many = Fault::TooManyInterfaces(super::catalog::MAX_INTERFACES);
        let index = u32::try_from(self.interfaces.len()).map_err(|_| too_many)?;
        self.interfaces.push(Described {
            id: self.catalog.id(index, link)?,
            link,
            snap_length,
            clock: self.clock(&body[interface::OPTIONS..]),
            is_unmissed: !link.is_supported(),
        });
        Ok(())
    }

    /// The clock of an interface, from its options. A truncated option ends them.
    fn clock(&self, mut options: &[u8]) -> Clock {
        let (mut resolution, mut offset) = (Clock::MICROSECONDS, 0);
        while let (Some(code), Some(length)) =
            (self.order.u16(options, option::CODE), self.order.u16(options, option::LENGTH))
        {
            let length = usize::from(length);
            let end = option::VALUE + length.next_multiple_of(option::WORD);
            let Some(value) = options.get(option::VALUE..end) else { break };
            match (code, &value[..length]) {
                (interface::END_OF_OPTIONS, _) => break,
                (interface::TIME_RESOLUTION, &[value]) => resolution = value,
                (interface::TIME_OFFSET, bytes) => offset = self.order.i64(bytes).unwrap_or(offset),
                _ => {}
            }
            options = &options[end..];
        }
        Clock::new(resolution, offset)
    }

    /// The packet of an enhanced or an obsolete packet block.
    #[inline]
    fn timed_packet<'a>(&mut self, kind: u32, body: &'a [u8]) -> Result<Packet<'a>, Fault> {
        let order = self.order;
        let interface = match kind {
            kind::OBSOLETE_PACKET => order.u16(body, packet::INTERFACE).map(u32::from),
            _ => order.u32(body, packet::INTERFACE),
        };
        let word = |at| order.u32(body, at);
        let (Some(interface), Some(high), Some(low), Some(captured), Some(wire_length)) = (
            interface,
            word(packet::TIME_HIGH),
            word(packet::TIME_LOW),
            word(packet::CAPTURED),
            word(packet::WIRE),
        ) else {
            return Err(Fault::ShortBlock(kind));
        };
        let described = self.used(interface)?;
        let time = described.clock.time(u64::from(high) << 32 | u64::from(low));
        let (link, interface) = (described.link, described.id);
        let bytes = cut(&body[packet::BYTES..], captured)?;
        self.last = time;
        Ok(Packet { time, link, interface, bytes, wire_length })
    }

    /// The packet of a simple packet block: it belongs to the section's first interface, and is cut at that
    /// interface's snap length.
    fn simple_packet<'a>(&mut self, body: &'a [u8]) -> Result<Packet<'a>, Fault> {
        let Some((_, rest)) = body.split_first_chunk::<4>() else {
            return Err(Fault::ShortBlock(kind::SIMPLE_PACKET));
        };
        let wire_length = self.order.u32(body, 0).unwrap_or_default();
        let time = self.last;
        let &mut Described { id, link, snap_length, .. } = self.used(0)?;
        let captured = match snap_length {
            0 => wire_length,
            most => wire_length.min(most),
        };
        let bytes = cut(rest, captured)?;
        Ok(Packet { time, link, interface: id, bytes, wire_length })
    }

    /// The interface of a packet.
    #[inline]
    fn used(&mut self, index: u32) -> Result<&mut Described, Fault> {
        let described = self.interfaces.get_mut(index as usize).ok_or(Fault::UnknownInterface(index))?;
        if described.is_unmissed {
            described.is_unmissed = false;
            self.catalog.miss(index, described.link);
        }
        Ok(described)
    }
}

/// The first `captured` bytes of the rest of a block.
#[inline]
fn cut(rest: &[u8], captured: u32) -> Result<&[u8], Fault> {
    rest.get(..captured as usize).ok_or(Fault::PacketLength { captured, room: rest.len() })
}

impl Format for Pcapng {
    const RECORD: &'static str = "a block";

    fn skim(&self, data: &[u8]) -> Option<(usize, bool)> {
        let order = match data.starts_with(&SECTION_HEADER) {
            true => Order::of_section(data.get(field::BYTE_ORDER..)?)?,
            false => self.order,
        };
        let kind = order.u32(data, 0)?;
        let length = order.u32(data, field::LENGTH)?;
        let whole = usize::try_from(length.max(MIN_BLOCK)).ok()?;
        let is_packet = matches!(kind, kind::ENHANCED_PACKET | kind::OBSOLETE_PACKET | kind::SIMPLE_PACKET);
        (data.len() >= whole).then_some((whole, is_packet))
    }

    #[inline]
    fn next<'a>(&mut self, data: &'a [u8]) -> Next<'a> {
        if data.len() < MIN_BLOCK as usize {
            return Next::Need(MIN_BLOCK as usize);
        }
        if data.starts_with(&SECTION_HEADER) {
            match Order::of_section(&data[field::BYTE_ORDER..]) {
                Some(order) => self.order = order,
                None => return Next::Fault(Fault::Section),
            }
        }
        let kind = self.order.u32(data, 0).unwrap_or_default();
        let length = self.order.u32(data, field::LENGTH).unwrap_or_default();
        if length < MIN_BLOCK || length % 4 != 0 {
            return Next::Fault(Fault::BlockLength(length));
        }
        let whole = length as usize;
        let is_packet = matches!(kind, kind::ENHANCED_PACKET | kind::OBSOLETE_PACKET | kind::SIMPLE_PACKET);
        if whole > MAX_RECORD {
            return match kind {
                kind::SECTION_HEADER | kind::INTERFACE_DESCRIPTION => Next::Fault(Fault::BlockLength(length)),
                _ if is_packet => Next::Fault(Fault::BlockLength(length)),
                _ => Next::PassOver(length.into()),
            };
        }
        let Some(block) = data.get(..whole) else {
            return Next::Need(whole);
        };
        let end = whole - field::TRAILER;
        let last = self.order.u32(block, end).unwrap_or_default();
        if last != length {
            return Next::Fault(Fault::BlockTrailer { first: length, last });
        }
        if !is_packet {
            return self.take_up(kind, block).map_or_else(Next::Fault, |()| Next::Nothing(whole));
        }
        let body = &block[field::BODY..end];
        let packet = match kind {
            kind::SIMPLE_PACKET => self.simple_packet(body),
            _ => self.timed_packet(kind, body),
        };
        packet.map_or_else(Next::Fault, |packet| Next::Packet(packet, whole))
    }
}
