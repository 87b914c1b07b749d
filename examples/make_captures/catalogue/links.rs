//! The small story once per link type.

use std::net::{IpAddr, SocketAddr};

use super::Capture;
use super::bytes::Order;
use super::link;
use super::mail::delivery;
use super::packet::{MONDAY, MS, Packet, SECOND, server, server6};
use super::pcap::{Frame, Pcap, Variant};
use super::trace::Trace;

/// Who is over in the small story.
pub(crate) const BOTH: [&str; 2] = ["192.0.2.66", "2001:db8:66::/64"];
/// The attackers of the small story.
pub(crate) const ATTACKER: [u8; 4] = [192, 0, 2, 66];
pub(crate) const ATTACKER6: [u16; 8] = [0x2001, 0xdb8, 0x66, 0, 0, 0, 0, 0x66];

pub(crate) fn captures() -> Vec<Capture> {
    const FIRST_FORMS: &str = "The small story as PPP, with and without address and control bytes, the protocol in two \
                               bytes or in one.";
    vec![
        both("link-ethernet.pcap", "The small story on Ethernet.", 1, |p, _| link::ethernet(p)),
        both(
            "link-llc-snap.pcap",
            "The small story on Ethernet with 802.3 lengths, LLC and SNAP.",
            1,
            |p, _| link::llc_snap(p),
        ),
        both(
            "link-null-le.pcap",
            "The small story on BSD loopback as a little-endian machine writes it, with every family number that IPv6 \
             has somewhere (10, 24, 28, 30).",
            0,
            |p, i| link::null(Order::Little, p, i),
        ),
        both(
            "link-null-be.pcap",
            "The same as a big-endian machine wrote it, in a file that has been rewritten since.",
            0,
            |p, i| link::null(Order::Big, p, i),
        ),
        both("link-loop.pcap", "The small story on OpenBSD loopback.", 108, |p, i| {
            link::null(Order::Big, p, i)
        }),
        both("link-ppp.pcap", FIRST_FORMS, 9, link::ppp),
        both(
            "link-ppp-hdlc.pcap",
            "The small story on a serial line, PPP in HDLC-like framing and Cisco HDLC mixed.",
            50,
            link::ppp_hdlc,
        ),
        both("link-ppp-ether.pcap", "The small story in PPPoE, from the PPPoE header on.", 51, |p, _| {
            link::pppoe(p)
        }),
        both("link-c-hdlc.pcap", "The small story on Cisco HDLC.", 104, |p, _| link::c_hdlc(p)),
        both("link-raw12.pcap", "The small story as raw IP, numbered 12 as on Linux.", 12, raw),
        both("link-raw14.pcap", "The small story as raw IP, numbered 14 as on OpenBSD.", 14, raw),
        both("link-raw101.pcap", "The small story as raw IP, numbered 101 as in files.", link::RAW, raw),
        one("link-ipv4.pcap", "The IPv4 half of the small story, as raw IPv4.", 228, &[BOTH[0]], false),
        one("link-ipv6.pcap", "The IPv6 half of the small story, as raw IPv6.", 229, &[BOTH[1]], true),
        both("link-sll.pcap", "The small story on Linux cooked v1.", link::LINUX_SLL, |p, _| {
            link::sll(p, if is_from_server(p) { 4 } else { 0 })
        }),
        both("link-sll2.pcap", "The small story on Linux cooked v2.", link::LINUX_SLL2, |p, _| {
            link::sll2(p, if is_from_server(p) { 4 } else { 0 }, 2)
        }),
        both(
            "link-nflog.pcap",
            "The small story as netfilter logs it: hook, prefix and interfaces before the packet, IPv4 forwarded, IPv6 \
             received.",
            239,
            |p, _| link::nflog(Order::Little, p),
        ),
        nflog_big_endian(),
    ]
}

/// The packets of the small story, and how many attempts they are.
pub(crate) fn small_story() -> (Vec<Packet>, u64) {
    let mut trace = Trace::new(66);
    attack(&mut trace, false);
    attack(&mut trace, true);
    innocent(&mut trace, false);
    (trace.packets(), trace.attempts)
}

/// One half of the small story: one IP version.
fn half_story(ipv6: bool) -> (Vec<Packet>, u64) {
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

/// The whole small story behind the headers that `wrap` writes, given the packet and its number.
fn both(
    name: &'static str,
    story: &'static str,
    link: u16,
    wrap: impl Fn(&Packet, usize) -> Vec<u8>,
) -> Capture {
    let (packets, attempts) = small_story();
    Capture::new(name, story, attempts, &BOTH, Pcap::plain(link).file(&frames(&packets, wrap)))
}

fn one(name: &'static str, story: &'static str, link: u16, over: &[&str], ipv6: bool) -> Capture {
    let (packets, attempts) = half_story(ipv6);
    Capture::new(name, story, attempts, over, Pcap::plain(link).file(&frames(&packets, raw)))
}

fn nflog_big_endian() -> Capture {
    let (packets, attempts) = small_story();
    let file = Pcap { order: Order::Big, variant: Variant::Microseconds, link: 239 };
    Capture::new(
        "link-nflog-be.pcap",
        "The same on a big-endian machine: the lengths and types before the packet follow the byte order of the file.",
        attempts,
        &BOTH,
        file.file(&frames(&packets, |p, _| link::nflog(Order::Big, p))),
    )
}

fn raw(packet: &Packet, _: usize) -> Vec<u8> {
    packet.bytes.clone()
}

fn is_from_server(packet: &Packet) -> bool {
    [server(25).ip(), server6(25).ip()].contains(&packet.from)
}

pub(crate) fn frames(packets: &[Packet], wrap: impl Fn(&Packet, usize) -> Vec<u8>) -> Vec<Frame> {
    packets.iter().enumerate().map(|(i, packet)| Frame::new(packet.time, wrap(packet, i))).collect()
}
