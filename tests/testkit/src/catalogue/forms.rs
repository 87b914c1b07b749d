//! Captures of many forms of one thing, such as VLAN tags.
//!
//! Each form has an attacker of its own, so that a report that is missing says which form was not read.

use std::net::{IpAddr, SocketAddr};

use super::Capture;
use super::link::{self, ethernet};
use super::mail::delivery;
use super::packet::{MONDAY, MS, Packet, SECOND, Segment, US, server, server6};
use super::pcap::{Frame, Pcap};
use super::trace::Trace;

/// A capture in which each attacker has a form of its own, and one innocent client has none.
pub(crate) struct Forms {
    trace: Trace,
    frames: Vec<Frame>,
    attempts: u64,
    over: Vec<String>,
    /// What the SYNs carry, from the next form on.
    pub(crate) payload: &'static [u8],
}

impl Forms {
    pub(crate) fn new(seed: u64) -> Self {
        Self { trace: Trace::new(seed), frames: Vec::new(), attempts: 0, over: Vec::new(), payload: b"" }
    }

    /// 35 SYNs of 192.0.2.`host` and as many of 2001:db8:0x`host`::1, as `wrap` makes them; `counts` says whether they
    /// are attempts.
    pub(crate) fn both(&mut self, host: u8, counts: bool, wrap: impl Fn(&Packet) -> Vec<Vec<u8>>) {
        self.four(host, counts, &wrap);
        // The same digits in the IPv6 address: 101 is 0x101 there.
        let digits = format!("{host}");
        self.six(
            u16::from_str_radix(&digits, 16).expect("decimal digits are hexadecimal ones"),
            counts,
            &wrap,
        );
    }

    pub(crate) fn four(&mut self, host: u8, counts: bool, wrap: impl Fn(&Packet) -> Vec<Vec<u8>>) {
        let name = format!("192.0.2.{host}");
        self.form(IpAddr::from([192, 0, 2, host]), name, counts, wrap);
    }

    pub(crate) fn six(&mut self, network: u16, counts: bool, wrap: impl Fn(&Packet) -> Vec<Vec<u8>>) {
        let name = format!("2001:db8:{network:x}::/64");
        self.form(IpAddr::from([0x2001, 0xdb8, network, 0, 0, 0, 0, 1]), name, counts, wrap);
    }

    fn form(&mut self, addr: IpAddr, name: String, counts: bool, wrap: impl Fn(&Packet) -> Vec<Vec<u8>>) {
        let to = if addr.is_ipv4() { server(25) } else { server6(25) };
        let offset = self.trace.random.between(0, 180 * MS);
        for i in 0..35 {
            let from = SocketAddr::new(addr, self.trace.random.client_port());
            let mut syn = Segment::syn(from, to, self.trace.random.sequence_number());
            syn.payload = self.payload.to_vec();
            let packet = syn.packet(MONDAY + offset + i * 200 * MS, 1000 + i as u16);
            for (frame, after) in wrap(&packet).into_iter().zip(0..) {
                self.frames.push(Frame::new(packet.time + after * 10 * US, frame));
            }
        }
        if counts {
            self.attempts += 35;
            self.over.push(name);
        }
    }

    pub(crate) fn capture(mut self, name: &'static str, story: &'static str) -> Capture {
        for i in 0..3 {
            let client = SocketAddr::from(([198, 51, 100, 3], self.trace.random.client_port()));
            delivery(&mut self.trace, MONDAY + (1 + 2 * i) * SECOND, client, server(25));
        }
        self.frames.extend(self.trace.packets().iter().map(|p| Frame::new(p.time, ethernet(p))));
        self.frames.sort_by_key(|frame| frame.time);
        let attempts = self.attempts + self.trace.attempts;
        Capture {
            name,
            story,
            attempts,
            over: self.over,
            ends: Vec::new(),
            bytes: Pcap::plain(link::ETHERNET).file(&self.frames),
        }
    }
}
