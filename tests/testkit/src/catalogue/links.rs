//! The small story once per link type.

use super::Capture;
use super::bytes::Order;
use super::link;
use super::packet::{Packet, server, server6};
use super::pcap::{Pcap, Variant};
use super::small_story::{BOTH, frames, half_story, small_story};

pub(crate) fn captures() -> Vec<Capture> {
    const PPP_FORMS: &str = "The small story as PPP, with and without address and control bytes, the protocol in two \
                               bytes or in one.";
    vec![
        both("link-ethernet.pcap", "The small story on Ethernet.", link::ETHERNET, |p, _| link::ethernet(p)),
        both(
            "link-llc-snap.pcap",
            "The small story on Ethernet with 802.3 lengths, LLC and SNAP.",
            link::ETHERNET,
            |p, _| link::llc_snap(p),
        ),
        both(
            "link-null-le.pcap",
            "The small story on BSD loopback as a little-endian machine writes it, with every family number that IPv6 \
             has somewhere (10, 24, 28, 30).",
            link::NULL,
            |p, i| link::null(Order::Little, p, i),
        ),
        both(
            "link-null-be.pcap",
            "The same as a big-endian machine wrote it, in a file that has been rewritten since.",
            link::NULL,
            |p, i| link::null(Order::Big, p, i),
        ),
        both("link-loop.pcap", "The small story on OpenBSD loopback.", link::LOOP, |p, i| {
            link::null(Order::Big, p, i)
        }),
        both("link-ppp.pcap", PPP_FORMS, link::PPP, link::ppp),
        both(
            "link-ppp-hdlc.pcap",
            "The small story on a serial line, PPP in HDLC-like framing and Cisco HDLC mixed.",
            link::PPP_HDLC,
            link::ppp_hdlc,
        ),
        both(
            "link-ppp-ether.pcap",
            "The small story in PPPoE, from the PPPoE header on.",
            link::PPP_ETHER,
            |p, _| link::pppoe(p),
        ),
        both("link-c-hdlc.pcap", "The small story on Cisco HDLC.", link::C_HDLC, |p, _| link::c_hdlc(p)),
        both("link-raw12.pcap", "The small story as raw IP, numbered 12 as on Linux.", link::RAW_LINUX, raw),
        both(
            "link-raw14.pcap",
            "The small story as raw IP, numbered 14 as on OpenBSD.",
            link::RAW_OPENBSD,
            raw,
        ),
        both("link-raw101.pcap", "The small story as raw IP, numbered 101 as in files.", link::RAW, raw),
        one(
            "link-ipv4.pcap",
            "The IPv4 half of the small story, as raw IPv4.",
            link::RAW_IPV4,
            &[BOTH[0]],
            false,
        ),
        one(
            "link-ipv6.pcap",
            "The IPv6 half of the small story, as raw IPv6.",
            link::RAW_IPV6,
            &[BOTH[1]],
            true,
        ),
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
            link::NFLOG,
            |p, _| link::nflog(Order::Little, p),
        ),
        nflog_big_endian(),
        both(
            "link-pflog.pcap",
            "The small story as BSD's packet filter logs it, with headers of two lengths.",
            link::PFLOG,
            link::pflog,
        ),
        both("link-ipoib.pcap", "The small story as IP over InfiniBand.", link::IPOIB, |p, _| {
            link::infiniband(p)
        }),
        both(
            "link-pktap.pcap",
            "The small story from macOS' packet tap, on Ethernet and as raw IP by turns.",
            link::PKTAP,
            link::packet_tap,
        ),
        both(
            "link-dsa.pcap",
            "The small story at the port of a switch (DSA), IPv6 in a VLAN.",
            link::DSA,
            |p, _| link::dsa(p),
        ),
    ]
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
    let file = Pcap { order: Order::Big, variant: Variant::Microseconds, link: link::NFLOG.into() };
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
