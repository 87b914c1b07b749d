//! A pcapng file that grows: a section header, a description of each interface when its first packet comes, packets.
//!
//! Times are nanoseconds. It is written in whole blocks; when that fails it is cut back to where it was.

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

use super::capture::{KEPT_BYTES, Kept};
use super::files;
use crate::packet::{InterfaceId, Interfaces, LinkType, Origin};
use crate::time::Timestamp;

/// Written out when it would grow beyond this.
const BUFFER: usize = 64 * 1024;

/// An interface's name in the file is cut here: a file's name as it was given can be longer than a block should be.
const NAME_BYTES: usize = 1024;

/// Nanoseconds: `if_tsresol` is a negative power of ten.
const TIME_RESOLUTION: u8 = 9;

pub(super) struct PcapngFile {
    file: File,
    /// Whole blocks that the system has not taken yet.
    buffer: Vec<u8>,
    /// Packets in the buffer.
    waiting: u64,
    /// Bytes that the system has taken.
    written: u64,
    /// Device and inode: what the file is, whatever it is called by now.
    identity: (u64, u64),
    /// Each interface's number in this file. A live interface may change its link type when it comes back.
    interfaces: HashMap<(InterfaceId, LinkType), u32>,
    /// The first interface's.
    link: Option<LinkType>,
}

impl PcapngFile {
    /// Creates or empties the file and begins a section in it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
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

    /// Adds a packet, and before an interface's first one its description. `false` when that would make the file
    /// larger than `max_bytes`; then nothing is added.
    pub(super) fn packet(&mut self, packet: &Kept, names: &Interfaces, max_bytes: u64) -> io::Result<bool> {
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

    /// Hands what is buffered to the system. After a failure the file is to be given up.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        self.waiting = 0;
        Ok(())
    }

    /// After a failure: drops what is buffered and cuts off what was still written of it, in the middle of a block
    /// (it stays where that cannot be done, as in a pipe). Tells how many packets are lost.
    pub(super) fn give_up(&mut self) -> u64 {
        self.buffer.clear();
        let _ = self.file.set_len(self.written);
        std::mem::take(&mut self.waiting)
    }

    /// The size of all blocks, written or buffered.
    fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Whether this is the file that `path` names now.
    pub(super) fn is_at(&self, path: &Path) -> bool {
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

/// A whole file of these packets. Interfaces have no names in it: they are nobody's business elsewhere.
///
/// # Errors
///
/// When a packet cannot be written as a block, which none is too large for.
pub(crate) fn file(packets: &[Kept]) -> io::Result<Vec<u8>> {
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

fn interface_description(packet: &Kept, names: &Interfaces) -> io::Result<Vec<u8>> {
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

fn enhanced_packet(packet: &Kept, interface: u32) -> io::Result<Vec<u8>> {
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

/// pcapng cannot say a time before 1970; only a damaged file brings one.
fn unsigned(time: Timestamp) -> u64 {
    u64::try_from(time.nanos()).unwrap_or(0)
}

/// The longest beginning of `text` that has at most `length` bytes.
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
pub(crate) mod tests {
    use super::*;

    use std::fs;
    use std::sync::Arc;

    use pcap_parser::traits::PcapReaderIterator as _;
    use pcap_parser::{Block, PcapBlockOwned, PcapError, PcapNGReader};

    use crate::packet::{Interface, Packet};

    /// What a reader finds in a file: interfaces (link type, name, snap length, units a second), then packets
    /// (interface, time, bytes, length on the wire).
    #[derive(Debug, Default, PartialEq)]
    pub(crate) struct Found {
        pub(in crate::sink) interfaces: Vec<(i32, String, u32, u64)>,
        pub(crate) packets: Vec<(u32, u64, Vec<u8>, u32)>,
    }

    pub(crate) fn read(path: &Path) -> Found {
        let mut reader = PcapNGReader::new(1 << 16, File::open(path).unwrap()).unwrap();
        let mut found = Found::default();
        loop {
            match reader.next() {
                Ok((offset, PcapBlockOwned::NG(block))) => {
                    match block {
                        Block::InterfaceDescription(block) => found.interfaces.push((
                            block.linktype.0,
                            block.if_name().map(|name| name.unwrap().to_owned()).unwrap_or_default(),
                            block.snaplen,
                            block.ts_resolution().unwrap(),
                        )),
                        Block::EnhancedPacket(block) => {
                            let time = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                            let bytes = block.data[..block.caplen as usize].to_vec();
                            found.packets.push((block.if_id, time, bytes, block.origlen));
                        }
                        Block::SectionHeader(_) => {}
                        other => panic!("{other:?}"),
                    }
                    reader.consume(offset);
                }
                Err(PcapError::Eof) => return found,
                Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
                Ok(_) => panic!("not pcapng"),
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    /// Interfaces 0 and 1: eth0 with Ethernet, and a file with raw IP.
    pub(in crate::sink) fn interfaces() -> Interfaces {
        let interfaces = Interfaces::default();
        interfaces.add(Interface { origin: Origin::Interface(Arc::from("eth0")), link: LinkType::ETHERNET });
        interfaces.add(Interface { origin: Origin::File(Arc::from("x.pcap")), link: LinkType::RAW });
        interfaces
    }

    pub(in crate::sink) fn packet(bytes: &[u8]) -> Kept {
        Kept::new(&Packet {
            time: Timestamp::from_nanos(1_385_359_902_310_999_999),
            link: LinkType::ETHERNET,
            interface: InterfaceId(0),
            bytes,
            wire_length: 1500,
        })
    }

    #[test]
    fn packets_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let mut file = PcapngFile::create(&path).unwrap();
        let mut expected = Vec::new();
        for length in [0, 1, 2, 3, 4, 54, KEPT_BYTES - 1, KEPT_BYTES, KEPT_BYTES + 1] {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            assert!(file.packet(&packet(&bytes), &interfaces(), u64::MAX).unwrap());
            let kept = bytes[..length.min(KEPT_BYTES)].to_vec();
            expected.push((0, 1_385_359_902_310_999_999, kept, 1500));
        }
        file.flush().unwrap();
        let found = read(&path);
        assert_eq!(found.interfaces, [(1, "eth0".to_owned(), 256, 1_000_000_000)]);
        assert_eq!(found.packets, expected);
    }

    #[test]
    fn libpcap_and_so_tcpdump_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let mut file = PcapngFile::create(&path).unwrap();
        assert!(file.packet(&packet(&[7; 54]), &interfaces(), u64::MAX).unwrap());
        assert!(file.packet(&packet(&[8; 300]), &interfaces(), u64::MAX).unwrap());
        file.flush().unwrap();
        let mut capture = pcap::Capture::from_file(&path).unwrap();
        assert_eq!(capture.get_datalink(), pcap::Linktype::ETHERNET);
        let first = capture.next_packet().unwrap();
        assert_eq!((first.header.caplen, first.header.len), (54, 1500));
        assert_eq!((first.header.ts.tv_sec, first.header.ts.tv_usec), (1_385_359_902, 310_999));
        assert_eq!(capture.next_packet().unwrap().data, [8; KEPT_BYTES]);
        assert_eq!(capture.next_packet().err(), Some(pcap::Error::NoMorePackets));
    }

    #[test]
    fn each_interface_is_described_once_and_again_when_its_link_type_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let mut file = PcapngFile::create(&path).unwrap();
        let ethernet = packet(b"a");
        let (mut raw, mut changed, mut unknown) = (ethernet, ethernet, ethernet);
        (raw.interface, raw.link) = (InterfaceId(1), LinkType::RAW);
        changed.link = LinkType::PPP;
        unknown.interface = InterfaceId(7);
        for packet in [ethernet, raw, ethernet, changed, raw, unknown] {
            assert!(file.packet(&packet, &interfaces(), u64::MAX).unwrap());
        }
        file.flush().unwrap();
        let found = read(&path);
        let described: Vec<_> = found.interfaces.iter().map(|(link, name, ..)| (*link, &**name)).collect();
        assert_eq!(described, [(1, "eth0"), (101, "x.pcap"), (9, "eth0"), (1, "")]);
        let numbers: Vec<_> = found.packets.iter().map(|(interface, ..)| *interface).collect();
        assert_eq!(numbers, [0, 1, 0, 2, 1, 3]);
    }

    #[test]
    fn the_size_is_never_exceeded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let mut file = PcapngFile::create(&path).unwrap();
        assert!(file.packet(&packet(&[0; 60]), &interfaces(), u64::MAX).unwrap());
        file.flush().unwrap();
        let block = 32 + 60;
        let size = fs::metadata(&path).unwrap().len();
        for (max, written) in [(size - 1, false), (size, true), (size + 1, true), (size + block, true)] {
            let mut file = PcapngFile::create(&path).unwrap();
            assert_eq!(file.packet(&packet(&[0; 60]), &interfaces(), max).unwrap(), written);
            let more = file.packet(&packet(&[0; 60]), &interfaces(), max).unwrap();
            assert_eq!(more, written && max == size + block);
            file.flush().unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= max);
            assert_eq!(read(&path).packets.len(), usize::from(written) + usize::from(more));
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        for (text, length, cut) in
            [("aé", 0, ""), ("aé", 1, "a"), ("aé", 2, "a"), ("aé", 3, "aé"), ("aé", 4, "aé")]
        {
            assert_eq!(prefix(text, length), cut);
        }
        let names = Interfaces::default();
        let origin = Origin::File(Arc::from("é".repeat(40_000)));
        names.add(Interface { origin, link: LinkType::ETHERNET });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pcapng");
        let mut file = PcapngFile::create(&path).unwrap();
        assert!(file.packet(&packet(b"a"), &names, u64::MAX).unwrap());
        file.flush().unwrap();
        assert_eq!(read(&path).interfaces[0].1, "é".repeat(NAME_BYTES / 2));
    }

    #[test]
    fn a_time_before_1970_is_1970() {
        assert_eq!(unsigned(Timestamp::from_nanos(-1)), 0);
        assert_eq!(unsigned(Timestamp::from_nanos(1)), 1);
        assert_eq!(unsigned(Timestamp::MAX), i64::MAX as u64);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        assert_eq!(PcapngFile::create(Path::new("/dev/full")).err().unwrap().raw_os_error(), Some(28));
    }
}
