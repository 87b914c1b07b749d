//! The small story in every file format.

use std::io::Write as _;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

use super::Capture;
use super::bytes::Order;
use super::link;
use super::packet::Packet;
use super::pcap::{Frame, Pcap, Variant};
use super::pcapng::{Clock, Pcapng};
use super::small_story::{BOTH, frames, small_story};

pub(crate) fn captures() -> Vec<Capture> {
    let pcap = |order, variant| Pcap { order, variant, link: link::ETHERNET.into() }.file(&on_ethernet());
    let plain = pcap(Order::Little, Variant::Microseconds);
    vec![
        told("format-pcap-be.pcap", "The small story, big-endian.", pcap(Order::Big, Variant::Microseconds)),
        told(
            "format-pcap-ns-le.pcap",
            "The small story in nanoseconds.",
            pcap(Order::Little, Variant::Nanoseconds),
        ),
        told(
            "format-pcap-ns-be.pcap",
            "The small story in nanoseconds, big-endian.",
            pcap(Order::Big, Variant::Nanoseconds),
        ),
        told(
            "format-pcap-kuznetzov.pcap",
            "The small story in Kuznetzov's variant of the format, with 24 bytes before each packet.",
            pcap(Order::Little, Variant::Kuznetzov),
        ),
        told(
            "format-pcap-fcs.pcap",
            "The small story with frame check sequences, which the upper half of the link type tells of.",
            with_frame_check(),
        ),
        told("format-gzip.pcap.gz", "The small story, compressed with gzip.", gzip(&plain)),
        told("format-zstd.pcap.zst", "The small story, compressed with zstd.", zstandard(&plain)),
        told(
            "format-pcapng-le.pcapng",
            "The small story on two interfaces: IPv4 on Ethernet in microseconds, IPv6 as raw IP in nanoseconds after an \
             offset of an hour.",
            two_interfaces(
                Order::Little,
                (link::ETHERNET, Clock::MICROSECONDS),
                (link::RAW, Clock { offset: 3600, ..Clock::NANOSECONDS }),
            ),
        ),
        told(
            "format-pcapng-be.pcapng",
            "The same, big-endian, with Linux cooked v2 in units of 2^-10 s and Ethernet in nanoseconds.",
            two_interfaces(
                Order::Big,
                (link::LINUX_SLL2, Clock { resolution: Some(0x80 | 10), offset: 0 }),
                (link::ETHERNET, Clock::NANOSECONDS),
            ),
        ),
        told(
            "format-pcapng-sections.pcapng",
            "The small story in two sections, the second of the other byte order, with another link type and resolution \
             for the same interface number.",
            two_sections(),
        ),
        told(
            "format-pcapng-obsolete.pcapng",
            "The small story in obsolete packet blocks.",
            obsolete_blocks(),
        ),
        simple_blocks(),
    ]
}

fn told(name: &'static str, story: &'static str, bytes: Vec<u8>) -> Capture {
    Capture::new(name, story, small_story().1, &BOTH, bytes)
}

fn on_ethernet() -> Vec<Frame> {
    frames(&small_story().0, |packet, _| link::ethernet(packet))
}

fn with_frame_check() -> Vec<u8> {
    // Two 16-bit words of FCS, and the bit that says so.
    const TWO_WORDS: u32 = 2 << 28 | 1 << 26;
    let checked = frames(&small_story().0, |packet, _| {
        let mut frame = link::ethernet(packet);
        let mut crc = Crc::new();
        crc.update(&frame);
        frame.extend(crc.sum().to_le_bytes());
        frame
    });
    Pcap { link: TWO_WORDS | u32::from(link::ETHERNET), ..Pcap::plain(link::ETHERNET) }.file(&checked)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes everything")
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    const LEVEL: i32 = 19;
    zstd::encode_all(bytes, LEVEL).expect("a Vec takes everything")
}

/// IPv4 on the first interface, IPv6 on the second.
fn two_interfaces(order: Order, first: (u16, Clock), second: (u16, Clock)) -> Vec<u8> {
    let mut file = Pcapng::new(order);
    file.interface(first.0, first.1);
    file.interface(second.0, second.1);
    for packet in &small_story().0 {
        let (interface, link) = if link::is_ipv6(packet) { (1, second.0) } else { (0, first.0) };
        file.packet(interface, &frame(packet, link));
    }
    file.file()
}

fn two_sections() -> Vec<u8> {
    let packets = small_story().0;
    let (before, after) = packets.split_at(packets.len() / 2);
    let mut file = Pcapng::new(Order::Little);
    let first = file.interface(link::ETHERNET, Clock::MICROSECONDS);
    before.iter().for_each(|packet| file.packet(first, &frame(packet, link::ETHERNET)));
    file.section(Order::Big);
    let second = file.interface(link::RAW, Clock::NANOSECONDS);
    after.iter().for_each(|packet| file.packet(second, &frame(packet, link::RAW)));
    file.file()
}

fn obsolete_blocks() -> Vec<u8> {
    let mut file = Pcapng::new(Order::Little);
    let interface = file.interface(link::ETHERNET, Clock::MICROSECONDS);
    on_ethernet().iter().for_each(|frame| file.obsolete_packet(interface, frame));
    file.file()
}

/// The story's attacks bear times; the innocent client's packets are in blocks without.
fn simple_blocks() -> Capture {
    let mut file = Pcapng::new(Order::Little);
    let interface = file.interface(link::ETHERNET, Clock::MICROSECONDS);
    let (packets, attempts) = small_story();
    for packet in &packets {
        let innocent = [packet.from, packet.to].contains(&[198, 51, 100, 3].into());
        if innocent {
            file.simple_packet(&frame(packet, link::ETHERNET));
        } else {
            file.packet(interface, &frame(packet, link::ETHERNET));
        }
    }
    Capture::new(
        "format-pcapng-simple.pcapng",
        "The small story with the innocent client's packets in simple packet blocks, which bear no time.",
        attempts,
        &BOTH,
        file.file(),
    )
}

fn frame(packet: &Packet, link: u16) -> Frame {
    let bytes = match link {
        link::RAW => packet.bytes.clone(),
        link::LINUX_SLL2 => link::sll2(packet, 0, 2),
        _ => link::ethernet(packet),
    };
    Frame::new(packet.time, bytes)
}
