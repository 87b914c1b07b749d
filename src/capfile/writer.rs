//! A growing pcapng file: a section header, an interface description before each interface's first packet, packets.
//!
//! Times are in nanoseconds. The file gets whole blocks; after a failure it is cut back to the last whole block.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, Linktype, OptionCode, PcapNGOption, SectionHeaderBlock,
    ToVec,
};

use crate::base::files;
use crate::base::time::Timestamp;
use crate::wire::packet::{InterfaceId, Interfaces, LinkType, Origin};
use crate::wire::packet_copy::{KEPT_BYTES, PacketCopy};

/// Size of the buffer; it is flushed before it would exceed this.
const BUFFER: usize = 64 * 1024;

/// Maximum length of an interface's name in the file: a file name can be longer than a block should be.
const NAME_BYTES: usize = 1024;

/// `if_tsresol` for nanoseconds: a negative power of ten.
const TIME_RESOLUTION: u8 = 9;

pub(crate) struct PcapngFile {
    file: File,
    /// Whole blocks that are not flushed yet.
    buffer: Vec<u8>,
    /// Packets in the buffer.
    waiting: u64,
    /// Flushed bytes.
    written: u64,
    /// Device and inode, which identify the file after it was renamed.
    identity: (u64, u64),
    /// The interface numbers in this file. A live interface may come back with another link type.
    interfaces: HashMap<(InterfaceId, LinkType), u32>,
    /// The first interface's link type.
    link: Option<LinkType>,
}

impl PcapngFile {
    /// Creates or truncates the file and writes a section header.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = files::create(OpenOptions::new().write(true).truncate(true), path)?;
        let metadata = file.metadata()?;
        let mut pcapng = Self {
            file,
            buffer: Vec::with_capacity(BUFFER),
            waiting: 0,
            written: 0,
            identity: (metadata.dev(), metadata.ino()),
            interfaces: HashMap::new(),
            link: None,
        };
        pcapng.block(&section_header()?)?;
        pcapng.flush()?;
        Ok(pcapng)
    }

    /// Adds a packet, preceded by the description of a new interface. `false`: it would make the file larger than
    /// `max_bytes`, and nothing was added.
    pub(crate) fn packet(
        &mut self,
        packet: &PacketCopy,
        names: &Interfaces,
        max_bytes: u64,
    ) -> io::Result<bool> {
        let key = (packet.interface, packet.link);
        let known = self.interfaces.get(&key).copied();
        #[expect(clippy::cast_possible_truncation, reason = "interfaces are counted in u32")]
        let number = known.unwrap_or(self.interfaces.len() as u32);
        let description = match known {
            Some(_) => Vec::new(),
            None => interface_description(packet, names)?,
        };
        let block = enhanced_packet(packet, number)?;
        if self.bytes() + (description.len() + block.len()) as u64 > max_bytes {
            return Ok(false);
        }
        if known.is_none() {
            self.interfaces.insert(key, number);
            self.warn_of_mixed_links(packet.link);
            self.block(&description)?;
        }
        self.block(&block)?;
        self.waiting += 1;
        Ok(true)
    }

    /// Flushes the buffer. After a failure the caller must call `give_up`.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        self.waiting = 0;
        Ok(())
    }

    /// After a failed flush: discards the buffer and removes a partly written block (except in a pipe, where that is
    /// impossible). Returns the number of lost packets.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.buffer.clear();
        let _ = self.file.set_len(self.written);
        std::mem::take(&mut self.waiting)
    }

    /// The size of all blocks, flushed or buffered.
    fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Whether `path` names this file now.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity)
    }

    fn block(&mut self, block: &[u8]) -> io::Result<()> {
        if self.buffer.len() + block.len() > BUFFER {
            self.flush()?;
        }
        self.buffer.extend_from_slice(block);
        Ok(())
    }

    fn warn_of_mixed_links(&mut self, link: LinkType) {
        let first = *self.link.get_or_insert(link);
        if first != link && self.interfaces.keys().filter(|(_, known)| *known != first).count() == 1 {
            log::warn!(
                "the written packets have different link types ({first} and {link}): \
                 Wireshark reads them all, tcpdump stops at the second"
            );
        }
    }
}

/// A complete file of these packets. Interfaces have no names: they mean nothing to readers elsewhere.
///
/// # Errors
///
/// A packet is too large for a block, which none is.
pub(crate) fn file(packets: &[PacketCopy]) -> io::Result<Vec<u8>> {
    let names = Interfaces::default();
    let mut bytes = section_header()?;
    let mut interfaces: Vec<(InterfaceId, LinkType)> = Vec::new();
    for packet in packets {
        let key = (packet.interface, packet.link);
        let known = interfaces.iter().position(|known| *known == key);
        if known.is_none() {
            bytes.extend(interface_description(packet, &names)?);
            interfaces.push(key);
        }
        let number = known.unwrap_or(interfaces.len() - 1);
        bytes.extend(enhanced_packet(packet, u32::try_from(number).unwrap_or(u32::MAX))?);
    }
    Ok(bytes)
}

fn section_header() -> io::Result<Vec<u8>> {
    let program = concat!("synwatch ", env!("CARGO_PKG_VERSION")).as_bytes();
    let mut block = SectionHeaderBlock {
        block_type: 0,
        block_len1: 0,
        bom: 0,
        major_version: 1,
        minor_version: 0,
        section_len: -1,
        options: vec![option(OptionCode::ShbUserAppl, program)],
        block_len2: 0,
    };
    block.to_vec().map_err(serialization)
}

fn interface_description(packet: &PacketCopy, names: &Interfaces) -> io::Result<Vec<u8>> {
    let name = names.interface(packet.interface).map(|interface| match interface.origin {
        Origin::Interface(name) | Origin::File(name) => name,
    });
    let name = name.as_deref().map(|name| prefix(name, NAME_BYTES).as_bytes());
    let mut block = InterfaceDescriptionBlock {
        block_type: 0,
        block_len1: 0,
        linktype: Linktype(i32::from(packet.link.0)),
        reserved: 0,
        snaplen: KEPT_BYTES as u32,
        options: name.map(|name| option(OptionCode::IfName, name)).into_iter().collect(),
        block_len2: 0,
        if_tsresol: TIME_RESOLUTION,
        if_tsoffset: 0,
    };
    block.to_vec().map_err(serialization)
}

fn enhanced_packet(packet: &PacketCopy, interface: u32) -> io::Result<Vec<u8>> {
    let time = unsigned(packet.time);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves, and at most KEPT_BYTES")]
    let (ts_high, ts_low, caplen) = ((time >> 32) as u32, time as u32, packet.bytes().len() as u32);
    let mut block = EnhancedPacketBlock {
        block_type: 0,
        block_len1: 0,
        if_id: interface,
        ts_high,
        ts_low,
        caplen,
        origlen: packet.wire_length,
        data: packet.bytes(),
        options: Vec::new(),
        block_len2: 0,
    };
    block.to_vec().map_err(serialization)
}

/// pcapng has no times before 1970; only damaged files contain them.
fn unsigned(time: Timestamp) -> u64 {
    u64::try_from(time.nanos()).unwrap_or(0)
}

/// The longest prefix of `text` with at most `length` bytes.
fn prefix(text: &str, length: usize) -> &str {
    let ends = text.char_indices().map(|(start, c)| start + c.len_utf8());
    &text[..ends.take_while(|&end| end <= length).last().unwrap_or(0)]
}

fn option(code: OptionCode, value: &[u8]) -> PcapNGOption<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "at most NAME_BYTES")]
    PcapNGOption { code, len: value.len() as u16, value: Cow::Borrowed(value) }
}

fn serialization(error: impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("{error:?}"))
}

#[cfg(test)]
pub(crate) mod tests;
