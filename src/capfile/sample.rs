//! Small capture files for tests, byte by byte.

use crate::wire::packet::LinkType;

/// A pcap file's kind: its first bytes, in the order in which the rest is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Magic {
    pub(crate) bytes: [u8; 4],
    pub(crate) nanos_per_unit: u32,
}

impl Magic {
    const MICROS: u32 = 0xa1b2_c3d4;
    const NANOS: u32 = 0xa1b2_3c4d;
    const KUZNETZOV: u32 = 0xa1b2_cd34;

    pub(crate) const LITTLE: Self = Self { bytes: Self::MICROS.to_le_bytes(), nanos_per_unit: 1000 };

    pub(crate) const ALL: [Self; 6] = [
        Self::LITTLE,
        Self { bytes: Self::MICROS.to_be_bytes(), nanos_per_unit: 1000 },
        Self { bytes: Self::NANOS.to_le_bytes(), nanos_per_unit: 1 },
        Self { bytes: Self::NANOS.to_be_bytes(), nanos_per_unit: 1 },
        Self { bytes: Self::KUZNETZOV.to_le_bytes(), nanos_per_unit: 1000 },
        Self { bytes: Self::KUZNETZOV.to_be_bytes(), nanos_per_unit: 1000 },
    ];

    fn word(self, word: u32) -> [u8; 4] {
        if self.bytes[0] == 0xa1 { word.to_be_bytes() } else { word.to_le_bytes() }
    }
}

/// A pcap file that is being written.
pub(crate) struct Pcap {
    magic: Magic,
    pub(crate) bytes: Vec<u8>,
}

impl Pcap {
    pub(crate) fn new(magic: Magic, link: u32) -> Self {
        let mut bytes = magic.bytes.to_vec();
        let version = match magic.bytes[0] {
            0xa1 => [0, 2, 0, 4],
            _ => [2, 0, 4, 0],
        };
        bytes.extend(version);
        for word in [0, 0, 96, link] {
            bytes.extend(magic.word(word));
        }
        Self { magic, bytes }
    }

    pub(crate) fn ethernet() -> Self {
        Self::new(Magic::LITTLE, LinkType::ETHERNET.0.into())
    }

    pub(crate) fn record(mut self, seconds: u32, units: u32, wire: u32, packet: &[u8]) -> Self {
        for word in [seconds, units, packet.len() as u32, wire] {
            self.bytes.extend(self.magic.word(word));
        }
        if [self.magic.word(Magic::KUZNETZOV)].contains(&self.magic.bytes) {
            self.bytes.extend([0; 8]);
        }
        self.bytes.extend(packet);
        self
    }
}

/// A pcapng file that is being written.
#[derive(Default)]
pub(crate) struct Pcapng {
    is_big: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Pcapng {
    pub(crate) fn u16(&self, value: u16) -> [u8; 2] {
        if self.is_big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(crate) fn u32(&self, value: u32) -> [u8; 4] {
        if self.is_big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(crate) fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = self.u32((12 + body.len() + padding) as u32);
        self.bytes.extend(self.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(&[0; 3][..padding]);
        self.bytes.extend(length);
        self
    }

    pub(crate) fn section(mut self, is_big: bool) -> Self {
        self.is_big = is_big;
        let mut body = self.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.u16(1));
        body.extend(self.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    /// `options` are code and value.
    pub(crate) fn interface(self, link: LinkType, snap_length: u32, options: &[(u16, &[u8])]) -> Self {
        let mut body = self.u16(link.0).to_vec();
        body.extend([0; 2]);
        body.extend(self.u32(snap_length));
        for (code, value) in options {
            body.extend(self.u16(*code));
            body.extend(self.u16(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    pub(crate) fn enhanced(self, interface: u32, units: u64, wire: u32, packet: &[u8]) -> Self {
        let head = self.u32(interface);
        self.packet(6, head, units, wire, packet)
    }

    pub(crate) fn obsolete(self, interface: u16, units: u64, wire: u32, packet: &[u8]) -> Self {
        let drops = 0xffff;
        let [a, b] = self.u16(interface);
        let [c, d] = self.u16(drops);
        self.packet(2, [a, b, c, d], units, wire, packet)
    }

    pub(crate) fn simple(self, wire: u32, packet: &[u8]) -> Self {
        let mut body = self.u32(wire).to_vec();
        body.extend(packet);
        self.block(3, &body)
    }

    fn packet(self, kind: u32, head: [u8; 4], units: u64, wire: u32, packet: &[u8]) -> Self {
        let mut body = head.to_vec();
        for word in [(units >> 32) as u32, units as u32, packet.len() as u32, wire] {
            body.extend(self.u32(word));
        }
        body.extend(packet);
        self.block(kind, &body)
    }
}
