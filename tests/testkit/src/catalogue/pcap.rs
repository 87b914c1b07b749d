//! Capture files of the pcap format, in all its variants.

use super::bytes::{Bytes, Order};
use super::packet::{Nanos, SECOND, US};

/// One captured frame.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) time: Nanos,
    pub(crate) bytes: Vec<u8>,
    /// Its length on the wire, where the capture holds less.
    pub(crate) wire_length: u32,
}

impl Frame {
    pub(crate) fn new(time: Nanos, bytes: Vec<u8>) -> Self {
        let wire_length = bytes.len() as u32;
        Self { time, bytes, wire_length }
    }

    /// What a capture of this snap length holds of it.
    pub(crate) fn cut(mut self, snap_length: usize) -> Self {
        self.bytes.truncate(snap_length);
        self
    }
}

/// Which of the formats that the magic number tells apart.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Variant {
    Microseconds,
    Nanoseconds,
    /// Alexey Kuznetzov's patched libpcap of 1998: eight more bytes before each packet.
    Kuznetzov,
}

/// A file header.
#[derive(Clone, Copy)]
pub(crate) struct Pcap {
    pub(crate) order: Order,
    pub(crate) variant: Variant,
    /// The link type, with the frame check sequence's length in its upper bits where there is one.
    pub(crate) link: u32,
}

impl Pcap {
    /// The common kind: little-endian, microseconds.
    pub(crate) fn plain(link: u16) -> Self {
        Self { order: Order::Little, variant: Variant::Microseconds, link: link.into() }
    }

    pub(crate) fn file(self, frames: &[Frame]) -> Vec<u8> {
        let mut file = self.header();
        for frame in frames {
            file.extend(self.record(frame, frame.bytes.len() as u32));
        }
        file
    }

    pub(crate) fn header(self) -> Vec<u8> {
        let magic = match self.variant {
            Variant::Microseconds => 0xa1b2_c3d4,
            Variant::Nanoseconds => 0xa1b2_3c4d,
            Variant::Kuznetzov => 0xa1b2_cd34,
        };
        let mut bytes = Bytes::new(self.order);
        bytes.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(262_144).u32(self.link);
        bytes.out
    }

    /// A record that claims to hold `captured_length` bytes.
    pub(crate) fn record(self, frame: &Frame, captured_length: u32) -> Vec<u8> {
        let unit = if self.variant == Variant::Nanoseconds { 1 } else { US };
        let mut bytes = Bytes::new(self.order);
        bytes.u32((frame.time / SECOND) as u32).u32((frame.time % SECOND / unit) as u32);
        bytes.u32(captured_length).u32(frame.wire_length);
        if self.variant == Variant::Kuznetzov {
            // Interface index, protocol as the kernel saw it, packet type, padding.
            bytes.u32(2).u16(0x0800).u8(0).u8(0);
        }
        bytes.raw(&frame.bytes);
        bytes.out
    }
}
