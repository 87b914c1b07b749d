//! A forwarding gateway captured with `-i any`: each packet once on its way in, once on its way out.

use std::net::{Ipv4Addr, SocketAddr};

use etherparse::Ipv4Header;

use super::Capture;
use super::conversation::Conversation;
use super::link;
use super::packet::{MONDAY, MS, Nanos, Packet, US, server};
use super::pcap::{Frame, Pcap};
use super::trace::Trace;

/// The interface towards the world, and that towards the server.
const OUTSIDE: u32 = 2;
const INSIDE: u32 = 3;

/// How long forwarding takes.
const FORWARDING: Nanos = 28 * US;

pub(crate) fn captures() -> Vec<Capture> {
    let mut trace = Trace::new(7);
    for i in 0..29 {
        silent(&mut trace, MONDAY + i * 200 * MS, [192, 0, 2, 66]);
    }
    for i in 0..40 {
        silent(&mut trace, MONDAY + 70 * MS + i * 200 * MS, [203, 0, 113, 66]);
    }
    let packets = trace.packets();
    let over = &["203.0.113.66"];
    let v1 = Pcap::plain(link::LINUX_SLL)
        .file(&seen_twice(&packets, |p, outgoing, _| link::sll(p, if outgoing { 4 } else { 0 })));
    let v2 = Pcap::plain(link::LINUX_SLL2).file(&seen_twice(&packets, |p, outgoing, ifindex| {
        link::sll2(p, if outgoing { 4 } else { 0 }, ifindex)
    }));
    vec![
        Capture::new(
            "gateway-any-sll.pcap",
            "A forwarding gateway's `any` shows each packet twice, in on eth0 and out on eth1. 192.0.2.66 makes 29 silent \
             connections in 5.6 s and must stay quiet, 203.0.113.66 makes 40 in 7.8 s.",
            trace.attempts,
            over,
            v1,
        ),
        Capture::new(
            "gateway-any-sll2.pcap",
            "The same as Linux cooked v2, which tells the interface too.",
            trace.attempts,
            over,
            v2,
        ),
    ]
}

/// A connection of which the client makes nothing.
fn silent(trace: &mut Trace, start: Nanos, addr: [u8; 4]) {
    let client = SocketAddr::from((addr, trace.random.client_port()));
    let mut session = Conversation::open(trace, start, 20 * MS, client, server(25));
    session.wait(100 * MS);
    session.client_closes();
}

fn seen_twice(packets: &[Packet], wrap: impl Fn(&Packet, bool, u32) -> Vec<u8>) -> Vec<Frame> {
    let mut frames = Vec::new();
    for packet in packets {
        let (arrives, leaves) =
            if packet.to == server(25).ip() { (OUTSIDE, INSIDE) } else { (INSIDE, OUTSIDE) };
        frames.push(Frame::new(packet.time, wrap(packet, false, arrives)));
        frames.push(Frame::new(packet.time + FORWARDING, wrap(&forwarded(packet), true, leaves)));
    }
    // Forwarding may overlap with the next packet's arrival.
    frames.sort_by_key(|frame| frame.time);
    frames
}

/// The IPv4 packet after one hop: a lower time to live, and the checksum that goes with it.
fn forwarded(packet: &Packet) -> Packet {
    let (mut header, rest) = Ipv4Header::from_slice(&packet.bytes).expect("the trace makes good headers");
    header.time_to_live -= 1;
    header.header_checksum = header.calc_header_checksum();
    // The link layer's sender is now the gateway, which has the address of the router.
    let from = Ipv4Addr::UNSPECIFIED.into();
    Packet { from, ..packet.with([&header.to_bytes()[..], rest].concat()) }
}
