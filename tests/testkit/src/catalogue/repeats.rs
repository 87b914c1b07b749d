//! SYNs that come again: which are copies, which retransmissions, and which attempts of their own.

use std::net::SocketAddr;

use super::Capture;
use super::link;
use super::packet::{MONDAY, MS, Nanos, Packet, SECOND, Segment, server};
use super::pcap::{Frame, Pcap};
use super::random::Random;
use super::small_story::frames;

pub(crate) fn captures() -> Vec<Capture> {
    vec![copies_and_retransmissions(), mirrored()]
}

/// One host per rule; the comments say what each counts as.
fn copies_and_retransmissions() -> Capture {
    let mut scene = Scene { random: Random::new(13), frames: Vec::new() };
    // 1 attempt, 6 retransmissions: what Linux sends to a host that does not answer.
    let syn = scene.syn(101);
    for (i, second) in [0, 1, 3, 7, 15, 31, 63].into_iter().enumerate() {
        scene.see(&syn, second * SECOND, 100 + i as u16, None);
    }
    // 3 attempts, 3 copies: the same packet twice, as a mirror port shows it.
    for i in 0..3_u16 {
        let syn = scene.syn(102);
        scene.see(&syn, i64::from(i) * 2 * SECOND, 200 + i, None);
        scene.see(&syn, i64::from(i) * 2 * SECOND + 3 * MS / 10, 200 + i, None);
    }
    // 3 attempts, 3 copies: seen again on another VLAN.
    for i in 0..3_u16 {
        let syn = scene.syn(103);
        scene.see(&syn, i64::from(i) * 2 * SECOND, 300 + i, Some(10));
        scene.see(&syn, i64::from(i) * 2 * SECOND + 40 * MS, 300 + i, Some(20));
    }
    // 1 attempt, 9 retransmissions: a low initial timer.
    let syn = scene.syn(104);
    for i in 0..10_u16 {
        scene.see(&syn, i64::from(i) * 150 * MS, 400 + i, None);
    }
    // 4 attempts, 46 retransmissions: after 12 of them the next is an attempt of its own.
    let syn = scene.syn(105);
    for i in 0..50_u16 {
        scene.see(&syn, i64::from(i) * 250 * MS, 500 + i, None);
    }
    // 1 attempt, 1 copy: on another VLAN, behind a queue.
    let syn = scene.syn(106);
    scene.see(&syn, 0, 600, Some(10));
    scene.see(&syn, 99 * MS, 600, Some(20));
    // 1 attempt, 1 copy: a busy one.
    let syn = scene.syn(109);
    scene.see(&syn, 0, 900, Some(10));
    scene.see(&syn, 120 * MS, 900, Some(20));
    // 2 attempts: after more than 130 s it is a new one.
    let syn = scene.syn(107);
    scene.see(&syn, 0, 700, None);
    scene.see(&syn, 131 * SECOND, 701, None);
    Capture::new(
        "copies-and-retransmissions.pcap",
        "One host per rule of what a repeated SYN is. 192.0.2.101: sent again after 1, 3, 7, 15, 31 and 63 s (1 attempt, 6 \
         retransmissions). .102: seen again 0.3 ms later with the same IPv4 identification (3 attempts, 3 copies). .103: \
         seen again on another VLAN after 40 ms (3, 3 copies). .104: the same SYN ten times, 0.15 s apart (1, 9 retransmissions). .105: the \
         same SYN 50 times, 0.25 s apart (4, 46 retransmissions). .106: on another VLAN after 99 ms (1, 1 copy). .109: on \
         another VLAN after 120 ms (1, 1 copy). .107: again after 131 s (2).",
        16,
        &[],
        scene.file(),
    )
}

/// Twenty attempts that would be over the limit if their copies were counted.
fn mirrored() -> Capture {
    let mut scene = Scene { random: Random::new(14), frames: Vec::new() };
    for i in 0..20_u16 {
        let syn = scene.syn(108);
        scene.see(&syn, i64::from(i) * 200 * MS, 800 + i, None);
        scene.see(&syn, i64::from(i) * 200 * MS + MS / 5, 800 + i, None);
    }
    Capture::new(
        "mirror-port.pcap",
        "A mirror port that shows each packet twice, 0.2 ms apart: 20 attempts in 3.8 s that must stay quiet.",
        20,
        &[],
        scene.file(),
    )
}

struct Scene {
    random: Random,
    frames: Vec<Frame>,
}

impl Scene {
    /// A new SYN of the host 192.0.2.`host`.
    fn syn(&mut self, host: u8) -> Segment {
        let client = SocketAddr::from(([192, 0, 2, host], self.random.client_port()));
        Segment::syn(client, server(25), self.random.sequence_number())
    }

    /// The SYN passes, with this IPv4 identification, on this VLAN.
    fn see(&mut self, syn: &Segment, after: Nanos, ip_id: u16, vlan: Option<u16>) {
        let packet = syn.packet(MONDAY + after, ip_id);
        let wrap = |packet: &Packet, _| match vlan {
            Some(vlan) => {
                link::ethernet_frame(packet, 0x8100, &link::behind(&[vlan, link::IPV4], &packet.bytes))
            }
            None => link::ethernet(packet),
        };
        self.frames.extend(frames(&[packet], wrap));
    }

    fn file(mut self) -> Vec<u8> {
        self.frames.sort_by_key(|frame| frame.time);
        Pcap::plain(link::ETHERNET).file(&self.frames)
    }
}
