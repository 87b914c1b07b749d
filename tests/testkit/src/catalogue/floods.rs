//! Floods of several shapes, as a mail server or its gateway sees them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Capture;
use super::conversation::Conversation;
use super::mail::delivery;
use super::packet::{MONDAY, MS, SECOND, server, server6};
use super::trace::Trace;

pub(crate) fn captures() -> Vec<Capture> {
    vec![spoofed_flood(), ipv6_one_slash64(), ipv6_customers(), outbound_spam_run()]
}

fn spoofed_flood() -> Capture {
    let mut trace = Trace::new(3);
    for i in 0..3000_i64 {
        let bits = trace.random.bits() as u32;
        let forged =
            if i % 2 == 0 { 0x0a00_0000 | (bits & 0x00ff_ffff) } else { 0xc612_0000 | (bits & 0x0001_ffff) };
        let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(forged)), (bits >> 16) as u16 | 1024);
        let time = MONDAY + i * 20 * SECOND / 3000 + trace.random.between(0, 6 * MS);
        trace.attempt(time, from, server(25));
    }
    trace.syns(MONDAY + 37 * MS, 200 * MS, 100, IpAddr::from([203, 0, 113, 66]), server(25));
    Capture::ethernet(
        "spoofed-flood.pcap",
        "3,000 SYNs in 20 s from nearly as many forged sources, and one true attacker at five a second among them.",
        &mut trace,
        &["203.0.113.66"],
    )
}

fn ipv6_one_slash64() -> Capture {
    let mut trace = Trace::new(4);
    for i in 0..100_i64 {
        let host = 0x1000 + (i * 7 % 40) as u16;
        let from = ([0x2001, 0xdb8, 1, 2, 0xa11, 0xbee, 0, host], trace.random.client_port());
        trace.attempt(MONDAY + i * 125 * MS, SocketAddr::from(from), server6(25));
    }
    for i in 0..20_i64 {
        let from = ([0x2001, 0xdb8, 9, 9, 0, 0, 0, 1 + (i % 10) as u16], trace.random.client_port());
        trace.attempt(MONDAY + i * 610 * MS, SocketAddr::from(from), server6(25));
    }
    Capture::ethernet(
        "ipv6-one-slash64.pcap",
        "40 hosts of one /64, two or three attempts each, together eight a second; and ten hosts of another /64 that stay \
         under every limit.",
        &mut trace,
        &["2001:db8:1:2::/64"],
    )
}

/// Completed floods, which blocks follow.
fn ipv6_customers() -> Capture {
    let mut trace = Trace::new(6);
    let mut visit = |number: i64, network: u16, host: u16| {
        let address = [0x2001, 0xdb8, network, 0, 0, 0, 0, host];
        let client = SocketAddr::from((address, trace.random.client_port()));
        let mut visit =
            Conversation::open(&mut trace, MONDAY + number * 200 * MS, 20 * MS, client, server6(25));
        visit.server_says(b"220 mail.example.com ESMTP\r\n");
        visit.wait(50 * MS);
        visit.client_closes();
    };
    for number in 0..40 {
        visit(number, 0x66, 0x66);
        visit(number, 0x67, if number % 10 == 5 { 0x10 } else { 0x66 });
        visit(number, 0x68, number as u16);
    }
    Capture::ethernet(
        "ipv6-customers.pcap",
        "Three /64, each with 40 silent connections in 8 s. One host makes all of 2001:db8:66::/64; one makes nine of ten \
         of 2001:db8:67::/64, a client the others; of 2001:db8:68::/64 each comes from another host.",
        &mut trace,
        &["2001:db8:66::/64", "2001:db8:67::/64", "2001:db8:68::/64"],
    )
}

/// An infected host inside. Most of the world does not answer it.
fn outbound_spam_run() -> Capture {
    const SPAMMER: [u8; 4] = [192, 0, 2, 77];
    let mut trace = Trace::new(5);
    for i in 0..400_u16 {
        let start = MONDAY + i64::from(i) * 180 * MS;
        let victim = if i % 2 == 0 { [198, 51, 100] } else { [203, 0, 113] };
        let victim = SocketAddr::from(([victim[0], victim[1], victim[2], 1 + (i / 2) as u8], 25));
        let client = SocketAddr::from((SPAMMER, trace.random.client_port()));
        match i % 5 {
            0 => delivery(&mut trace, start, client, victim),
            1 => Conversation::attempt(&mut trace, start, 40 * MS, client, victim).refuse(),
            _ => {
                let mut unanswered = Conversation::attempt(&mut trace, start, 40 * MS, client, victim);
                unanswered.retransmit(SECOND);
                unanswered.retransmit(2 * SECOND);
                unanswered.retransmit(4 * SECOND);
            }
        }
    }
    Capture::ethernet(
        "outbound-spam-run.pcap",
        "A host inside opens a connection to port 25 of 400 hosts outside within 72 s. One in five takes its mail, one \
         refuses, three do not answer and get the SYN again after 1, 3 and 7 s.",
        &mut trace,
        &["192.0.2.77"],
    )
}
