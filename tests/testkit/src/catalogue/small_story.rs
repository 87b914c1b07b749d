//! The story that is told once per link type and once per file format: two attackers and an innocent client.

use std::net::{IpAddr, SocketAddr};

use super::mail::delivery;
use super::packet::{MONDAY, MS, Packet, SECOND, server, server6};
use super::pcap::Frame;
use super::trace::Trace;

/// Who is over in the small story.
pub(crate) const BOTH: [&str; 2] = ["192.0.2.66", "2001:db8:66::/64"];
/// The attackers of the small story.
pub(crate) const ATTACKER: [u8; 4] = [192, 0, 2, 66];
pub(crate) const ATTACKER6: [u16; 8] = [0x2001, 0xdb8, 0x66, 0, 0, 0, 0, 0x66];

/// The packets of the small story, and how many attempts they are.
pub(crate) fn small_story() -> (Vec<Packet>, u64) {
    let mut trace = Trace::new(66);
    attack(&mut trace, false);
    attack(&mut trace, true);
    innocent(&mut trace, false);
    (trace.packets(), trace.attempts)
}

/// One half of the small story: one IP version.
pub(crate) fn half_story(ipv6: bool) -> (Vec<Packet>, u64) {
    let mut trace = Trace::new(66);
    attack(&mut trace, ipv6);
    innocent(&mut trace, ipv6);
    (trace.packets(), trace.attempts)
}

fn attack(trace: &mut Trace, ipv6: bool) {
    if ipv6 {
        trace.syns(MONDAY + 100 * MS, 200 * MS, 35, IpAddr::from(ATTACKER6), server6(25));
    } else {
        trace.syns(MONDAY, 200 * MS, 35, IpAddr::from(ATTACKER), server(25));
    }
}

fn innocent(trace: &mut Trace, ipv6: bool) {
    for i in 0..3 {
        let start = MONDAY + (1 + 2 * i) * SECOND + 50 * MS;
        let port = trace.random.client_port();
        if ipv6 {
            let client = SocketAddr::from(([0x2001, 0xdb8, 3, 0, 0, 0, 0, 3], port));
            delivery(trace, start, client, server6(25));
        } else {
            delivery(trace, start, SocketAddr::from(([198, 51, 100, 3], port)), server(25));
        }
    }
}

/// The packets as frames, behind the headers that `wrap` writes, given the packet and its number.
pub(crate) fn frames(packets: &[Packet], wrap: impl Fn(&Packet, usize) -> Vec<u8>) -> Vec<Frame> {
    packets.iter().enumerate().map(|(i, packet)| Frame::new(packet.time, wrap(packet, i))).collect()
}
