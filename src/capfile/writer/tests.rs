use super::*;

use std::fs;
use std::sync::Arc;

use crate::wire::packet::{Interface, Packet};

/// The contents of a file: interfaces (link type, name, snap length, units a second), then packets (interface, time,
/// bytes, length on the wire).
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) interfaces: Vec<(i32, String, u32, u64)>,
    pub(crate) packets: Vec<(u32, u64, Vec<u8>, u32)>,
}

/// Reads a little-endian file at the offsets of the format's description: `pcap_parser` would not find its own mistakes,
/// and on a big-endian machine it recognizes no interface description.
pub(crate) fn read(path: &Path) -> Found {
    let bytes = fs::read(path).unwrap();
    let (mut found, mut at) = (Found::default(), 0);
    while at < bytes.len() {
        let length = word(&bytes, at + 4) as usize;
        let block = &bytes[at..at + length];
        assert_eq!(word(block, length - 4) as usize, length);
        match word(block, 0) {
            0x0a0d_0d0a => assert_eq!(word(block, 8), 0x1a2b_3c4d),
            1 => {
                let mut interface = (i32::from(half(block, 8)), String::new(), word(block, 12), 1_000_000);
                for (code, value) in options(&block[16..length - 4]) {
                    match code {
                        2 => interface.1 = String::from_utf8(value.to_vec()).unwrap(),
                        9 => interface.3 = 10_u64.pow(value[0].into()),
                        14 => assert_eq!(value, [0; 8]),
                        other => panic!("option {other}"),
                    }
                }
                found.interfaces.push(interface);
            }
            6 => {
                let time = u64::from(word(block, 12)) << 32 | u64::from(word(block, 16));
                let packet = block[28..28 + word(block, 20) as usize].to_vec();
                found.packets.push((word(block, 8), time, packet, word(block, 24)));
            }
            other => panic!("block {other}"),
        }
        at += length;
    }
    found
}

/// Codes and values, up to the end of the options.
fn options(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while half(bytes, 0) != 0 {
        let length = usize::from(half(bytes, 2));
        found.push((half(bytes, 0), &bytes[4..4 + length]));
        bytes = &bytes[4 + length.next_multiple_of(4)..];
    }
    found
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
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
