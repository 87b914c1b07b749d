//! Files that are damaged, empty, or of a link type that is not read.
//!
//! The flood before the damage is over the limit in all of them: what comes before the damage counts.

use std::net::IpAddr;

use super::Capture;
use super::bytes::Order;
use super::link;
use super::packet::{MONDAY, MS, server};
use super::pcap::{Frame, Pcap};
use super::pcapng::{Clock, Pcapng};
use super::small_story::{ATTACKER, BOTH, frames};
use super::trace::Trace;

/// How many of the flood's 35 SYNs lie before the damage.
const GOOD: usize = 33;

pub(crate) fn captures() -> Vec<Capture> {
    vec![
        damaged(
            "damaged-cut-in-packet.pcap",
            "A flood; the file ends within the packet of its 34th SYN.",
            cut_in_record(16 + 20),
        ),
        damaged(
            "damaged-cut-in-header.pcap",
            "A flood; the file ends within the record header before its 34th SYN.",
            cut_in_record(9),
        ),
        damaged(
            "damaged-record-length.pcap",
            "A flood; its 34th record claims to hold 4 GiB less one byte, and two good ones follow.",
            absurd_length(),
        ),
        damaged(
            "damaged-block-length.pcapng",
            "A flood; its 34th block ends with another length than it begins with, and two good ones follow.",
            contradictory_block(),
        ),
        damaged(
            "damaged-interface.pcapng",
            "A flood of 33 SYNs, then a packet of an interface that the file does not describe.",
            undescribed_interface(),
        ),
        Capture::new(
            "unknown-link.pcap",
            "A flood on IEEE 802.11, a link type that is not read.",
            0,
            &[],
            Pcap::plain(link::IEEE802_11).file(&wireless()),
        ),
        Capture::new(
            "unknown-link-beside.pcapng",
            "A flood on IEEE 802.11, which is not read, beside the same flood on Ethernet.",
            35,
            &BOTH[..1],
            unknown_beside_known(),
        ),
        Capture::new(
            "unused-link.pcapng",
            "A flood on Ethernet, and the description of an IEEE 802.11 interface from which nothing came.",
            35,
            &BOTH[..1],
            unused_beside_known(),
        ),
        Capture::new("empty-file.pcap", "No byte at all.", 0, &[], Vec::new()),
        Capture::new(
            "empty.pcap",
            "A file header and no packet, as after a quiet hour.",
            0,
            &[],
            Pcap::plain(link::ETHERNET).header(),
        ),
        Capture::new("empty.pcapng", "A section, an interface and no packet.", 0, &[], {
            let mut file = Pcapng::new(Order::Little);
            file.interface(link::ETHERNET, Clock::MICROSECONDS);
            file.file()
        }),
    ]
}

fn damaged(name: &'static str, story: &'static str, bytes: Vec<u8>) -> Capture {
    Capture::new(name, story, GOOD as u64, &BOTH[..1], bytes)
}

/// 35 SYNs in 6.8 s.
fn flood() -> Vec<Frame> {
    let mut trace = Trace::new(110);
    trace.syns(MONDAY, 200 * MS, 35, IpAddr::from(ATTACKER), server(25));
    frames(&trace.packets(), |packet, _| link::ethernet(packet))
}

/// The flood in a file that ends so many bytes into the first record that is not good.
fn cut_in_record(bytes: usize) -> Vec<u8> {
    let flood = flood();
    let file = Pcap::plain(link::ETHERNET);
    let mut cut = file.file(&flood[..GOOD]);
    cut.extend(&file.record(&flood[GOOD], flood[GOOD].bytes.len() as u32)[..bytes]);
    cut
}

fn absurd_length() -> Vec<u8> {
    let flood = flood();
    let file = Pcap::plain(link::ETHERNET);
    let mut bytes = file.file(&flood[..GOOD]);
    bytes.extend(file.record(&flood[GOOD], u32::MAX));
    for frame in &flood[GOOD..] {
        bytes.extend(file.record(frame, frame.bytes.len() as u32));
    }
    bytes
}

fn contradictory_block() -> Vec<u8> {
    let mut file = Pcapng::new(Order::Little);
    let interface = file.interface(link::ETHERNET, Clock::MICROSECONDS);
    for (i, frame) in flood().iter().enumerate() {
        if i == GOOD {
            file.contradictory_packet(interface, frame);
        } else {
            file.packet(interface, frame);
        }
    }
    file.file()
}

fn undescribed_interface() -> Vec<u8> {
    let mut file = Pcapng::new(Order::Little);
    let interface = file.interface(link::ETHERNET, Clock::MICROSECONDS);
    let flood = flood();
    flood[..GOOD].iter().for_each(|frame| file.packet(interface, frame));
    file.packet(interface + 7, &flood[GOOD]);
    file.file()
}

fn unknown_beside_known() -> Vec<u8> {
    let mut file = Pcapng::new(Order::Little);
    let unknown = file.interface(link::IEEE802_11, Clock::MICROSECONDS);
    let known = file.interface(link::ETHERNET, Clock::MICROSECONDS);
    for (wireless, wired) in wireless().iter().zip(&flood()) {
        file.packet(unknown, wireless);
        file.packet(known, wired);
    }
    file.file()
}

fn unused_beside_known() -> Vec<u8> {
    let mut file = Pcapng::new(Order::Little);
    file.interface(link::IEEE802_11, Clock::MICROSECONDS);
    let known = file.interface(link::ETHERNET, Clock::MICROSECONDS);
    flood().iter().for_each(|wired| file.packet(known, wired));
    file.file()
}

/// The flood in 802.11 data frames from a station to its access point.
fn wireless() -> Vec<Frame> {
    let mut trace = Trace::new(110);
    trace.syns(MONDAY, 200 * MS, 35, IpAddr::from(ATTACKER), server(25));
    frames(&trace.packets(), |packet, number| {
        let mut frame = vec![0x08, 0x01, 0, 0];
        for last in [1, 2, 3] {
            frame.extend([2, 0, 0, 0, 0x80, last]);
        }
        frame.extend((number as u16 * 16).to_le_bytes());
        frame.extend(link::behind(&[0xaaaa, 0x0300, 0x0000, link::ethertype(packet)], &packet.bytes));
        frame
    })
}
