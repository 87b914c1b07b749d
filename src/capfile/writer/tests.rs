use super::*;

use std::fs;
use std::sync::Arc;

use pcap_parser::traits::PcapReaderIterator as _;
use pcap_parser::{Block, PcapBlockOwned, PcapError, PcapNGReader};

use crate::wire::packet::{Interface, Packet};

/// The contents of a file: interfaces (link type, name, snap length, units a second), then packets (interface, time,
/// bytes, length on the wire).
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) interfaces: Vec<(i32, String, u32, u64)>,
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

/// Interface 0 is eth0 with Ethernet, interface 1 a file with raw IP.
pub(crate) fn interfaces() -> Interfaces {
    let interfaces = Interfaces::default();
    interfaces.add(Interface { origin: Origin::Interface(Arc::from("eth0")), link: LinkType::ETHERNET });
    interfaces.add(Interface { origin: Origin::File(Arc::from("x.pcap")), link: LinkType::RAW });
    interfaces
}

pub(crate) fn packet(bytes: &[u8]) -> PacketCopy {
    PacketCopy::new(&Packet {
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
