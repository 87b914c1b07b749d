//! Capture files of the pcapng format (draft-ietf-opsawg-pcapng).

use super::bytes::{Bytes, Order};
use super::packet::{Nanos, SECOND};
use super::pcap::Frame;

/// The clock of a described interface.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    /// The `if_tsresol` option: a power of ten, or of two where the top bit is set; microseconds without it.
    pub(crate) resolution: Option<u8>,
    /// The `if_tsoffset` option: seconds that are to be added to each time stamp.
    pub(crate) offset: i64,
}

impl Clock {
    pub(crate) const MICROSECONDS: Self = Self { resolution: None, offset: 0 };
    pub(crate) const NANOSECONDS: Self = Self { resolution: Some(9), offset: 0 };

    fn ticks(self, time: Nanos) -> u64 {
        let resolution = self.resolution.unwrap_or(6);
        let exponent = u32::from(resolution & 0x7f);
        let base: i128 = if resolution & 0x80 == 0 { 10 } else { 2 };
        let nanos = i128::from(time - self.offset * SECOND);
        (nanos * base.pow(exponent) / i128::from(SECOND)) as u64
    }
}

/// A file under construction: blocks are added in the order in which they stand.
pub(crate) struct Pcapng {
    bytes: Bytes,
    /// The clocks of this section's interfaces.
    clocks: Vec<Clock>,
}

impl Pcapng {
    /// A file with one section, still without interfaces.
    pub(crate) fn new(order: Order) -> Self {
        let mut file = Self { bytes: Bytes::new(order), clocks: Vec::new() };
        file.section(order);
        file
    }

    /// Begins another section.
    pub(crate) fn section(&mut self, order: Order) {
        self.bytes.order = order;
        self.clocks.clear();
        let mut body = Bytes::new(order);
        body.u32(0x1a2b_3c4d).u16(1).u16(0).u64(u64::MAX);
        self.block(0x0a0d_0d0a, &body.out);
    }

    /// Describes an interface and gives its number within the section.
    pub(crate) fn interface(&mut self, link: u16, clock: Clock) -> u32 {
        let mut body = Bytes::new(self.bytes.order);
        body.u16(link).u16(0).u32(262_144);
        if let Some(resolution) = clock.resolution {
            body.u16(9).u16(1).u8(resolution).pad();
        }
        if clock.offset != 0 {
            body.u16(14).u16(8).u64(clock.offset as u64);
        }
        if body.out.len() > 8 {
            body.u16(0).u16(0);
        }
        self.block(1, &body.out);
        self.clocks.push(clock);
        self.clocks.len() as u32 - 1
    }

    /// An enhanced packet block.
    pub(crate) fn packet(&mut self, interface: u32, frame: &Frame) {
        let body = self.enhanced(interface, frame);
        self.block(6, &body);
    }

    /// An enhanced packet block that ends with another length than it began with.
    pub(crate) fn contradictory_packet(&mut self, interface: u32, frame: &Frame) {
        let body = self.enhanced(interface, frame);
        self.block(6, &body);
        let end = self.bytes.out.len() - 4;
        self.bytes.out.truncate(end);
        self.bytes.u32(body.len() as u32 + 12 + 8);
    }

    /// A packet block, obsolete since 2004, with a count of lost packets before it.
    pub(crate) fn obsolete_packet(&mut self, interface: u32, frame: &Frame) {
        let ticks = self.ticks(interface, frame.time);
        let mut body = Bytes::new(self.bytes.order);
        body.u16(interface as u16).u16(0).u32((ticks >> 32) as u32).u32(ticks as u32);
        body.u32(frame.bytes.len() as u32).u32(frame.wire_length).raw(&frame.bytes).pad();
        self.block(2, &body.out);
    }

    /// A simple packet block: no time, the section's first interface.
    pub(crate) fn simple_packet(&mut self, frame: &Frame) {
        let mut body = Bytes::new(self.bytes.order);
        body.u32(frame.wire_length).raw(&frame.bytes).pad();
        self.block(3, &body.out);
    }

    pub(crate) fn file(self) -> Vec<u8> {
        self.bytes.out
    }

    fn enhanced(&self, interface: u32, frame: &Frame) -> Vec<u8> {
        let ticks = self.ticks(interface, frame.time);
        let mut body = Bytes::new(self.bytes.order);
        body.u32(interface).u32((ticks >> 32) as u32).u32(ticks as u32);
        body.u32(frame.bytes.len() as u32).u32(frame.wire_length).raw(&frame.bytes).pad();
        body.out
    }

    /// The time as the interface tells it; an interface that was not described has some clock all the same.
    fn ticks(&self, interface: u32, time: Nanos) -> u64 {
        self.clocks.get(interface as usize).unwrap_or(&Clock::MICROSECONDS).ticks(time)
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = body.len() as u32 + 12;
        self.bytes.u32(kind).u32(length).raw(body).u32(length);
    }
}
