//! SYNs that are not seen: behind fragments, and where only the server's direction passes.

use std::net::SocketAddr;

use super::Capture;
use super::conversation::Conversation;
use super::encapsulation::parts;
use super::link;
use super::packet::{MONDAY, MS, Packet, server};
use super::pcap::{Frame, Pcap};
use super::trace::Trace;

pub(crate) fn captures() -> Vec<Capture> {
    vec![hidden_half_open(), fragmented_acknowledgments(), one_direction()]
}

/// The client's packets are first fragments of 8 bytes, whose rest is not seen.
fn hidden_half_open() -> Capture {
    let mut trace = Trace::new(78);
    for i in 0..40 {
        let client = SocketAddr::from(([192, 0, 2, 66], trace.random.client_port()));
        Conversation::attempt(&mut trace, MONDAY + i * 200 * MS, 20 * MS, client, server(25)).answer();
    }
    let frame = |packet: &Packet| {
        let is_hidden = packet.from != server(25).ip();
        let bytes = if is_hidden { link::ethernet(&parts(packet, 8)[0]) } else { link::ethernet(packet) };
        Frame::new(packet.time, bytes)
    };
    let frames: Vec<_> = trace.packets().iter().map(frame).collect();
    Capture::new(
        "hidden-half-open.pcap",
        "40 half-open attempts in 7.8 s whose SYNs cannot be read: of each only a first fragment of 8 bytes is seen, and \
         the SYN-ACK.",
        40,
        &["192.0.2.66"],
        Pcap::plain(link::ETHERNET).file(&frames),
    )
}

/// What completes the handshake is cut behind its flags, and how the client ends is not seen.
fn fragmented_acknowledgments() -> Capture {
    let mut trace = Trace::new(80);
    for i in 0..40 {
        let client = SocketAddr::from(([192, 0, 2, 66], trace.random.client_port()));
        Conversation::open(&mut trace, MONDAY + i * 200 * MS, 20 * MS, client, server(25));
    }
    let cut = |packet: &Packet| match packet.from == server(25).ip() || is_syn(packet) {
        true => vec![packet.clone()],
        false => parts(packet, 16),
    };
    let frames: Vec<_> = trace
        .packets()
        .iter()
        .flat_map(|packet| cut(packet).into_iter().map(|part| Frame::new(packet.time, link::ethernet(&part))))
        .collect();
    Capture::new(
        "fragmented-acknowledgments.pcap",
        "40 connections in 7.8 s that are left open; the ACK of each handshake comes in two fragments, the first one of 16 \
         bytes.",
        40,
        &["192.0.2.66"],
        Pcap::plain(link::ETHERNET).file(&frames),
    )
}

fn is_syn(packet: &Packet) -> bool {
    const FLAGS: usize = 20 + 13;
    packet.bytes[FLAGS] & 0x12 == 0x02
}

/// Asymmetric routing: the first 19 of 60 SYN-ACKs show nothing yet.
fn one_direction() -> Capture {
    let mut trace = Trace::new(79);
    for i in 0..60 {
        let client = SocketAddr::from(([192, 0, 2, 66], trace.random.client_port()));
        Conversation::open(&mut trace, MONDAY + i * 150 * MS, 20 * MS, client, server(25)).client_closes();
    }
    let packets = trace.packets();
    let from_server = packets.iter().filter(|packet| packet.from == server(25).ip());
    let frames: Vec<_> = from_server.map(|packet| Frame::new(packet.time, link::ethernet(packet))).collect();
    Capture::new(
        "server-direction.pcap",
        "60 silent connections in 8.9 s, of which only what the server sends is seen: from the twentieth SYN-ACK on each is \
         an attempt.",
        41,
        &["192.0.2.66"],
        Pcap::plain(link::ETHERNET).file(&frames),
    )
}
