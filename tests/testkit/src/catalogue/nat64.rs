//! IPv4 hosts behind a translator, as an IPv6 server sees them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Capture;
use super::conversation::Conversation;
use super::packet::{MONDAY, MS, Nanos, SECOND, server6};
use super::trace::Trace;

pub(crate) fn captures() -> Vec<Capture> {
    vec![hosts(), network(), configured()]
}

/// In the well-known prefix, 64:ff9b::/96.
fn well_known(v4: [u8; 4]) -> Ipv6Addr {
    let [a, b, c, d] = v4;
    Ipv6Addr::from([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d])
}

/// In 64:ff9b:1::/48: around the octet of zeros at bits 64 to 71.
fn local_use(v4: [u8; 4]) -> Ipv6Addr {
    let [a, b, c, d] = v4;
    Ipv6Addr::from([0, 0x64, 0xff, 0x9b, 0, 1, a, b, 0, c, d, 0, 0, 0, 0, 0])
}

/// The server accepts and greets, nothing is said.
fn visit(trace: &mut Trace, time: Nanos, host: Ipv6Addr) {
    let client = SocketAddr::new(IpAddr::V6(host), trace.random.client_port());
    let mut visit = Conversation::open(trace, time, 20 * MS, client, server6(25));
    visit.server_says(b"220 mail.example.com ESMTP\r\n");
    visit.wait(50 * MS);
    visit.client_closes();
}

/// 64 hosts of three networks, one attempt each in 20 s.
fn many(trace: &mut Trace, embed: fn([u8; 4]) -> Ipv6Addr) {
    for i in 0..64_u8 {
        let [a, b, c] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]][usize::from(i % 3)];
        visit(trace, MONDAY + i64::from(i) * 300 * MS, embed([a, b, c, 10 + i]));
    }
}

fn hosts() -> Capture {
    let mut trace = Trace::new(63);
    many(&mut trace, well_known);
    for (host, attempts) in [(129, 29), (130, 30), (131, 31)] {
        for i in 0..attempts {
            visit(&mut trace, MONDAY + i * 300 * MS + i64::from(host) * MS, well_known([192, 0, 2, host]));
        }
    }
    Capture::ethernet(
        "nat64.pcap",
        "64 IPv4 hosts behind NAT64 (64:ff9b::/96), one attempt each in 20 s; three more, with 29, 30 and 31 attempts in \
         10 s.",
        &mut trace,
        &[well_known([192, 0, 2, 130]), well_known([192, 0, 2, 131])]
            .map(|host| host.to_string())
            .each_ref()
            .map(String::as_str),
    )
}

fn network() -> Capture {
    let mut trace = Trace::new(64);
    for i in 0..300_i64 {
        let host = Ipv4Addr::new(198, 51, 100, 10 + (i % 20) as u8);
        visit(&mut trace, MONDAY + i * 10 * SECOND / 300, well_known(host.octets()));
    }
    Capture::ethernet(
        "nat64-network.pcap",
        "20 IPv4 hosts of one /24 behind NAT64, each 15 visits, together 300 in 10 s.",
        &mut trace,
        &["64:ff9b::c633:6400/120"],
    )
}

fn configured() -> Capture {
    let mut trace = Trace::new(65);
    many(&mut trace, local_use);
    for i in 0..40_i64 {
        visit(&mut trace, MONDAY + i * 250 * MS, local_use([198, 51, 100, 200]));
    }
    Capture::ethernet(
        "nat64-local-use.pcap",
        "64 IPv4 hosts behind NAT64 with 64:ff9b:1::/48, which has to be configured, one attempt each in 20 s; another one \
         with 40 in 10 s. Without configuration each IPv4 /16 is one source.",
        &mut trace,
        &["64:ff9b:1:c633::/64"],
    )
}
