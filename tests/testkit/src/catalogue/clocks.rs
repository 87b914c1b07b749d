//! Time that steps, jumps, stands still, or goes on for long.

use std::net::{IpAddr, SocketAddr};

use super::Capture;
use super::bytes::Order;
use super::link;
use super::packet::{MONDAY, MS, Nanos, SECOND, Segment, server};
use super::pcap::{Frame, Pcap};
use super::pcapng::{Clock, Pcapng};
use super::random::Random;
use super::trace::Trace;

const HOUR: Nanos = 3600 * SECOND;
const FLOODER: [u8; 4] = [192, 0, 2, 66];
const BELOW: [u8; 4] = [198, 51, 100, 20];

pub(crate) fn captures() -> Vec<Capture> {
    vec![step_back(), disorder(), stale(), in_turns(), jump(), stopped(), steady(), pauses()]
}

fn step_back() -> Capture {
    let mut tape = Tape::new(121);
    for start in [MONDAY, MONDAY - HOUR] {
        for i in 0..40 {
            tape.syn(start + i * 200 * MS, FLOODER);
            if i % 2 == 0 {
                tape.syn(start + i * 200 * MS + 50 * MS, BELOW);
            }
        }
    }
    tape.capture(
        "clock-step-back.pcap",
        "The clock is set back by an hour in the middle of a flood: 40 SYNs of 192.0.2.66 before and 40 after, two episodes. \
         198.51.100.20 sends 20 before and 20 after, and must stay quiet.",
        &["192.0.2.66"],
    )
}

fn disorder() -> Capture {
    let mut tape = Tape::new(122);
    for i in 0..35 {
        let back = if i % 5 == 4 { 400 * MS } else { 0 };
        tape.syn(MONDAY + i * 200 * MS - back, FLOODER);
        if i < 29 {
            tape.syn(MONDAY + i * 200 * MS + 50 * MS - back, BELOW);
        }
    }
    tape.capture(
        "clock-disorder.pcap",
        "Every fifth packet bears a time 0.4 s too early. 192.0.2.66 sends 35 SYNs in 6.8 s, 198.51.100.20 sends 29 and must \
         stay quiet.",
        &["192.0.2.66"],
    )
}

fn stale() -> Capture {
    let mut tape = Tape::new(127);
    for i in 0..60 {
        tape.syn(MONDAY + i * 200 * MS, FLOODER);
        let stale = if i % 15 == 14 { 1 + i / 15 % 3 } else { 0 };
        for n in 0..stale {
            tape.syn(MONDAY + i * 200 * MS - 2 * SECOND + n * MS, BELOW);
        }
    }
    tape.capture(
        "clock-stale.pcap",
        "Now and then one to three packets of 198.51.100.20 come two seconds late with their old times, amid 60 SYNs of \
         192.0.2.66 in 11.8 s: no step of the clock.",
        &["192.0.2.66"],
    )
}

/// As dumpcap writes what several interfaces have.
fn in_turns() -> Capture {
    let mut trace = Trace::new(128);
    trace.syns(MONDAY, 250 * MS, 40, IpAddr::from(FLOODER), server(25));
    let mut file = Pcapng::new(Order::Little);
    let interfaces = [0; 2].map(|_| file.interface(link::ETHERNET, Clock::MICROSECONDS));
    let frames: Vec<_> = trace.packets().iter().map(|p| Frame::new(p.time, link::ethernet(p))).collect();
    // Two seconds of the one, then the same two seconds of the other.
    for some in frames.chunks(8) {
        for (interface, number) in interfaces.into_iter().zip(0..) {
            some.iter().skip(number).step_by(2).for_each(|frame| file.packet(interface, frame));
        }
    }
    Capture::new(
        "clock-interfaces.pcapng",
        "40 SYNs of 192.0.2.66 in 9.8 s, every other one on the second of two interfaces, which are written in turns of two \
         seconds.",
        40,
        &["192.0.2.66"],
        file.file(),
    )
}

fn jump() -> Capture {
    const DECADES: Nanos = 40 * 365 * 24 * HOUR;
    let mut tape = Tape::new(123);
    for i in 0..35 {
        tape.syn(MONDAY + i * 200 * MS, FLOODER);
        if i < 20 {
            tape.syn(MONDAY + i * 200 * MS + 50 * MS, BELOW);
        }
    }
    for i in 0..20 {
        tape.syn(MONDAY + DECADES + i * 200 * MS, BELOW);
    }
    tape.capture(
        "clock-jump.pcap",
        "Time jumps by 40 years after a flood of 35 SYNs by 192.0.2.66. 198.51.100.20 sends 20 before and 20 after, and must \
         stay quiet.",
        &["192.0.2.66"],
    )
}

fn stopped() -> Capture {
    let mut tape = Tape::new(124);
    for _ in 0..35 {
        tape.syn(MONDAY, FLOODER);
    }
    for _ in 0..29 {
        tape.syn(MONDAY, BELOW);
    }
    tape.capture(
        "clock-stopped.pcap",
        "All packets bear the same time: 35 SYNs of 192.0.2.66, 29 of 198.51.100.20.",
        &["192.0.2.66"],
    )
}

fn steady() -> Capture {
    let mut trace = Trace::new(125);
    trace.syns(MONDAY, 5 * SECOND, 2400, IpAddr::from(BELOW), server(110));
    Capture::ethernet(
        "steady-5s.pcap",
        "One SYN every 5 s for 3 hours and 20 minutes: never over, however long it lasts.",
        &mut trace,
        &[],
    )
}

/// The last pause is 2^32 steps of 0.1 ms: a clock of 32 bits would take its two bursts for one.
fn pauses() -> Capture {
    let mut trace = Trace::new(126);
    let wrap = (1 << 32) * 100_000;
    for start in [0, HOUR, 7 * HOUR, 31 * HOUR, 31 * HOUR + wrap] {
        trace.syns(MONDAY + start, 280 * MS, 29, IpAddr::from(BELOW), server(25));
    }
    Capture::ethernet(
        "pauses.pcap",
        "Bursts of 29 SYNs in 7.8 s with pauses of 1, 6 and 24 hours between them, and one of 2^32 times 0.1 ms (five days).",
        &mut trace,
        &[],
    )
}

/// SYNs in the order in which the file has them, whatever their times.
struct Tape {
    random: Random,
    frames: Vec<Frame>,
}

impl Tape {
    fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), frames: Vec::new() }
    }

    fn syn(&mut self, time: Nanos, addr: [u8; 4]) {
        let client = SocketAddr::from((addr, self.random.client_port()));
        let syn = Segment::syn(client, server(25), self.random.sequence_number());
        let packet = syn.packet(time, self.frames.len() as u16);
        self.frames.push(Frame::new(time, link::ethernet(&packet)));
    }

    fn capture(self, name: &'static str, story: &'static str, over: &[&str]) -> Capture {
        let attempts = self.frames.len() as u64;
        Capture::new(name, story, attempts, over, Pcap::plain(link::ETHERNET).file(&self.frames))
    }
}
