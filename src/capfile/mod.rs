//! Reads a stream of capture-file bytes as packets: pcap and pcapng, detected by content.
//!
//! Memory is bounded whatever the bytes contain. Damage ends the stream: every packet before it is delivered,
//! and the error contains its position. An unsupported link type is not damage; its packets are delivered
//! unchanged.

mod buffer;
mod catalog;
mod clock;
mod order;
mod pcap;
mod pcapng;
mod piece;
mod read_ahead;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod writer;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::Arc;

use self::buffer::Buffer;
use self::pcap::Pcap;
use self::pcapng::Pcapng;
pub(crate) use self::read_ahead::ReadAhead;
pub(crate) use self::read_ahead::{Bytes, Idle};
use crate::base::time::Timestamp;
use crate::error::{Beginning, Damage, Fault, Unreadable};
use crate::wire::packet::{Interface, Interfaces, LinkType, Origin, Packet};

/// Maximum length of a record, in bytes: four times the longest that tcpdump writes. A greater length is
/// treated as damage, not as a packet.
const MAX_RECORD: usize = 1024 * 1024;

/// Reads one capture file.
pub struct Reader<R> {
    buffer: Buffer<R>,
    kind: Kind,
    /// The header of a pcap file.
    header: [u8; pcap::HEADER],
}

enum Kind {
    Pcap(Pcap),
    Pcapng(Box<Pcapng>),
}

/// The reason why [`Reader::pump`] stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pumped {
    /// The next packet is later than requested.
    Later(Timestamp),
    /// The read bytes are used up.
    Dry,
}

impl<R: Read> Reader<R> {
    /// Reads a file's header. `file` is the name that its interfaces get in `interfaces`.
    pub fn new(read: R, file: &Arc<str>, interfaces: &Interfaces) -> Result<Self, Unreadable> {
        let mut buffer = Buffer::new(read);
        buffer.fill(pcap::HEADER)?;
        let data = buffer.data();
        if data.is_empty() {
            return Err(Unreadable::Empty);
        }
        if data.starts_with(&pcapng::SECTION_HEADER) {
            let kind = Kind::Pcapng(Box::new(Pcapng::new(file.clone(), interfaces.clone())));
            return Ok(Self { buffer, kind, header: [0; pcap::HEADER] });
        }
        let Some(&header) = data.first_chunk() else {
            return Err(match Pcap::begins(data) {
                true => Unreadable::Damaged(Damage { offset: 0, fault: Fault::Cut("the file header") }),
                false => Unreadable::NotCapture(Beginning(data.to_vec())),
            });
        };
        let Some(mut pcap) = Pcap::new(&header) else {
            return Err(Unreadable::NotCapture(Beginning(header.to_vec())));
        };
        if !pcap.link.is_supported() {
            return Err(Unreadable::LinkTypes(vec![pcap.link]));
        }
        pcap.interface = interfaces.add(Interface { origin: Origin::File(file.clone()), link: pcap.link });
        buffer.consume(pcap::HEADER);
        Ok(Self { buffer, kind: Kind::Pcap(pcap), header })
    }

    /// The time of the next packet; `None` at the end of the file. It reads as many bytes as necessary.
    pub fn peek(&mut self) -> Result<Option<Timestamp>, Damage> {
        match &mut self.kind {
            Kind::Pcap(format) => peek(&mut self.buffer, format),
            Kind::Pcapng(format) => peek(&mut self.buffer, format.as_mut()),
        }
    }

    /// Delivers the packets that have been read, until one is later than `through`. It reads no bytes, so it
    /// never waits. [`Reader::peek`] reads, and reports damage.
    pub fn pump(&mut self, through: Timestamp, each: impl FnMut(&Packet<'_>)) -> Pumped {
        match &mut self.kind {
            Kind::Pcap(format) => pump(&mut self.buffer, format, through, each),
            Kind::Pcapng(format) => pump(&mut self.buffer, format.as_mut(), through, each),
        }
    }

    /// The beginning of the stream: the header of a pcap file, and the next records up to this many packets,
    /// or all of them. It reads as many bytes as necessary, and consumes none.
    pub(super) fn beginning(&mut self, packets: usize) -> Vec<u8> {
        let records = match &self.kind {
            Kind::Pcap(format) => skim(&mut self.buffer, format, packets),
            Kind::Pcapng(format) => skim(&mut self.buffer, format.as_ref(), packets),
        };
        [&self.header[..], records].concat()
    }

    /// Delivers all packets up to the end of the file, or to the damage.
    pub fn read_all(&mut self, mut each: impl FnMut(&Packet<'_>)) -> Result<(), Damage> {
        while self.peek()?.is_some() {
            self.pump(Timestamp::MAX, &mut each);
        }
        Ok(())
    }

    /// The interfaces with packets so far and an unsupported link type: their index in the file, and the link
    /// type.
    #[must_use]
    pub fn unsupported(&self) -> &[(u32, LinkType)] {
        match &self.kind {
            Kind::Pcap(_) => &[],
            Kind::Pcapng(format) => format.catalog.unsupported(),
        }
    }

    /// Whether there were packets, and no interface so far has a supported link type.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        match &self.kind {
            Kind::Pcap(_) => false,
            Kind::Pcapng(format) => format.catalog.is_unsupported(),
        }
    }
}

impl Reader<Bytes> {
    /// Reads the rest of the file ahead from now on, if a thread is idle.
    pub(super) fn read_ahead(&mut self, idle: &Idle) {
        self.buffer.read_ahead(idle);
    }
}

/// A capture-file format, as a parser of the next bytes.
trait Format {
    /// The name of its records.
    const RECORD: &'static str;

    /// The length of the next record, and whether it is a packet; `None` if it is incomplete.
    fn skim(&self, data: &[u8]) -> Option<(usize, bool)>;

    /// Examines the next record. The caller repeats the call after a packet, after too few bytes and after a
    /// fault. The format has consumed any other record, and must then get the bytes after it.
    fn next<'a>(&mut self, data: &'a [u8]) -> Next<'a>;
}

/// The next item of a file.
enum Next<'a> {
    /// A packet, in a record of this many bytes.
    Packet(Packet<'a>, usize),
    /// No packet, in a record of this many bytes.
    Nothing(usize),
    /// No packet, in a record of this many bytes, which need not be buffered.
    PassOver(u64),
    /// The format needs this many bytes to continue.
    Need(usize),
    /// Damage.
    Fault(Fault),
}

fn peek<R: Read, F: Format>(buffer: &mut Buffer<R>, format: &mut F) -> Result<Option<Timestamp>, Damage> {
    loop {
        let record = buffer.offset();
        let damage = |offset, fault| Err(Damage { offset, fault });
        let there = match format.next(buffer.data()) {
            Next::Packet(packet, _) => return Ok(Some(packet.time)),
            Next::Nothing(length) => {
                buffer.consume(length);
                continue;
            }
            Next::PassOver(length) => buffer.skip(length),
            Next::Need(length) => buffer.fill(length),
            Next::Fault(fault) => return damage(record, fault),
        };
        match there {
            Ok(true) => {}
            Ok(false) if buffer.read_to() == record => return Ok(None),
            Ok(false) => return damage(record, Fault::Cut(F::RECORD)),
            Err(error) => return damage(buffer.read_to(), Fault::Read(error)),
        }
    }
}

/// The next records up to so many packets, at most as much as a record may have.
fn skim<'a, R: Read, F: Format>(buffer: &'a mut Buffer<R>, format: &F, packets: usize) -> &'a [u8] {
    let (mut used, mut seen) = (0, 0);
    while seen < packets && used < MAX_RECORD {
        match format.skim(&buffer.data()[used..]) {
            Some((length, is_packet)) => {
                used += length;
                seen += usize::from(is_packet);
            }
            None => {
                let there = buffer.data().len();
                if there - used > MAX_RECORD || !buffer.fill(there + 1).unwrap_or(false) {
                    break;
                }
            }
        }
    }
    &buffer.data()[..used]
}

#[inline]
fn pump<R: Read, F: Format>(
    buffer: &mut Buffer<R>,
    format: &mut F,
    through: Timestamp,
    mut each: impl FnMut(&Packet<'_>),
) -> Pumped {
    let data = buffer.data();
    let mut used = 0;
    let pumped = loop {
        match format.next(&data[used..]) {
            Next::Packet(packet, _) if packet.time > through => break Pumped::Later(packet.time),
            Next::Packet(packet, length) => {
                each(&packet);
                used += length;
            }
            Next::Nothing(length) => used += length,
            Next::PassOver(_) | Next::Need(_) | Next::Fault(_) => break Pumped::Dry,
        }
    };
    buffer.consume(used);
    pumped
}
