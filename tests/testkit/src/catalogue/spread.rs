//! Floods that are spread: over the hosts of a network, over forged sources.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Capture;
use super::conversation::Conversation;
use super::packet::{MONDAY, MS, SECOND, server};
use super::trace::Trace;

pub(crate) fn captures() -> Vec<Capture> {
    vec![network_flood(), network_below(), destination_flood()]
}

/// Each host of the network by turns, `count` attempts in 10 s; the server accepts and greets, nothing is said.
fn from_network(trace: &mut Trace, count: i64) {
    for i in 0..count {
        let host = [198, 51, 100, 10 + (i % 20) as u8];
        let client = SocketAddr::from((host, trace.random.client_port()));
        let mut visit =
            Conversation::open(trace, MONDAY + i * 10 * SECOND / 300, 20 * MS, client, server(25));
        visit.server_says(b"220 mail.example.com ESMTP\r\n");
        visit.wait(50 * MS);
        visit.client_closes();
    }
}

fn network_flood() -> Capture {
    let mut trace = Trace::new(60);
    from_network(&mut trace, 400);
    // One of them is over a limit by itself: from then on what it does is not its network's.
    for i in 0..100_i64 {
        let client = SocketAddr::from(([198, 51, 100, 99], trace.random.client_port()));
        Conversation::attempt(&mut trace, MONDAY + i * 100 * MS, 20 * MS, client, server(25)).refuse();
    }
    Capture::ethernet(
        "network-flood.pcap",
        "20 hosts of one /24, each 20 visits in 13 s, together over 300 in 10 s; another host of it is over a limit by \
         itself and is refused; from then on it does not count for its network.",
        &mut trace,
        &["198.51.100.0/24", "198.51.100.99"],
    )
}

fn network_below() -> Capture {
    let mut trace = Trace::new(61);
    from_network(&mut trace, 299);
    Capture::ethernet(
        "network-below.pcap",
        "The same hosts, 299 visits in 10 s: one less than the limit of their network.",
        &mut trace,
        &[],
    )
}

fn destination_flood() -> Capture {
    let mut trace = Trace::new(62);
    for i in 0..2500_i64 {
        let forged = 0xc612_0000 | (trace.random.bits() as u32 & 0x0001_ffff);
        let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(forged)), trace.random.client_port());
        trace.attempt(MONDAY + i * 4 * MS, from, server(25));
    }
    Capture::ethernet(
        "destination-flood.pcap",
        "2,500 SYNs in 10 s to one server, each from a forged source of its own: one flood, and not thousands.",
        &mut trace,
        &["192.0.2.25:25"],
    )
}
