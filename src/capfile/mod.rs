//! A stream of capture-file bytes in, packets out: pcap and pcapng, told by content.
//!
//! Memory is bounded whatever the bytes say. Damage ends the stream: every packet before it has been handed over, and
//! it is told where it is. A link type that is not read is no damage; its packets are handed over as they are.

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

/// The longest record, in bytes: four times the longest that tcpdump writes. Beyond it, a length is taken for damage,
/// not for a packet.
const MAX_RECORD: usize = 1024 * 1024;

/// Reads one capture file.
pub struct Reader<R> {
    buffer: Buffer<R>,
    kind: Kind,
    /// How a pcap file begins.
    header: [u8; pcap::HEADER],
}

enum Kind {
    Pcap(Pcap),
    Pcapng(Box<Pcapng>),
}

/// Why [`Reader::pump`] handed over no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pumped {
    /// The next packet is of this time, later than was asked for.
    Later(Timestamp),
    /// What has been read is used up.
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

    /// The time of the next packet; `None` at the end of the file. It reads as far as it must.
    pub fn peek(&mut self) -> Result<Option<Timestamp>, Damage> {
        match &mut self.kind {
            Kind::Pcap(format) => peek(&mut self.buffer, format),
            Kind::Pcapng(format) => peek(&mut self.buffer, format.as_mut()),
        }
    }

    /// Hands over the packets that have been read, until one is later than `through`. It reads no further, so that it
    /// never waits: [`Reader::peek`] does that, and tells of damage.
    pub fn pump(&mut self, through: Timestamp, each: impl FnMut(&Packet<'_>)) -> Pumped {
        match &mut self.kind {
            Kind::Pcap(format) => pump(&mut self.buffer, format, through, each),
            Kind::Pcapng(format) => pump(&mut self.buffer, format.as_mut(), through, each),
        }
    }

    /// How the stream begins: the header of a pcap file, and the next records up to so many packets, or as many as
    /// there are. It reads as far as it must, and uses up nothing.
    pub(super) fn beginning(&mut self, packets: usize) -> Vec<u8> {
        let records = match &self.kind {
            Kind::Pcap(format) => skim(&mut self.buffer, format, packets),
            Kind::Pcapng(format) => skim(&mut self.buffer, format.as_ref(), packets),
        };
        [&self.header[..], records].concat()
    }

    /// Hands over all packets up to the end of the file, or to the damage.
    pub fn read_all(&mut self, mut each: impl FnMut(&Packet<'_>)) -> Result<(), Damage> {
        while self.peek()?.is_some() {
            self.pump(Timestamp::MAX, &mut each);
        }
        Ok(())
    }

    /// The interfaces whose link type is not read, and from which packets came so far: their index in the file, and the
    /// link type.
    #[must_use]
    pub fn unsupported(&self) -> &[(u32, LinkType)] {
        match &self.kind {
            Kind::Pcap(_) => &[],
            Kind::Pcapng(format) => format.catalog.unsupported(),
        }
    }

    /// Whether packets came, and no interface described so far has a link type that is read.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        match &self.kind {
            Kind::Pcap(_) => false,
            Kind::Pcapng(format) => format.catalog.is_unsupported(),
        }
    }
}

impl Reader<Bytes> {
    /// Has what is still to be read of the file read ahead from now on, if a thread is idle.
    pub(super) fn read_ahead(&mut self, idle: &Idle) {
        self.buffer.read_ahead(idle);
    }
}

/// A capture-file format: what stands at the beginning of some bytes.
trait Format {
    /// What its records are called.
    const RECORD: &'static str;

    /// The length of the record that stands at the beginning, and whether it is a packet; `None` if it is not whole.
    fn skim(&self, data: &[u8]) -> Option<(usize, bool)>;

    /// Looks at the next record. It is asked again about a packet, about too few bytes and about a fault; it has
    /// taken up the rest, and must then be given what follows.
    fn next<'a>(&mut self, data: &'a [u8]) -> Next<'a>;
}

/// What comes next in a file.
enum Next<'a> {
    /// A packet, in a record of so many bytes.
    Packet(Packet<'a>, usize),
    /// No packet, in a record of so many bytes.
    Nothing(usize),
    /// No packet, in a record of so many bytes, which need not be held.
    PassOver(u64),
    /// So many bytes are needed to tell.
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
