//! What is sent: made from ready frames, so that making a packet takes less than sending it.
//!
//! Addresses and sequence number are written over in a frame that is there already. Its checksums are wrong then, which
//! nobody looks at: neither who captures, nor the kernel, for which the frame is addressed to another host.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use synwatch_testkit::traffic::Traffic;
use synwatch_testkit::traffic::floods::{MAIL, syn};
use synwatch_testkit::traffic::frames::{Frames, Segment, SegmentKind};
use synwatch_testkit::traffic::random::Random;

/// Where IPv4's source address and TCP's sequence number stand in a frame of Ethernet without IP options.
const SOURCE: std::ops::Range<usize> = 26..30;
const SEQ: std::ops::Range<usize> = 38..42;

/// Whose SYNs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    /// Any of 10.0.0.0/8.
    Random,
    /// A thousand, each in a network of its own.
    Few,
}

/// SYNs to a mail server, none of them a repeat.
pub(crate) struct Syns {
    sources: Sources,
    random: Random,
    template: Vec<u8>,
}

impl Syns {
    pub(crate) fn from(sources: Sources) -> Self {
        let mut random = Random::new(0x5eed);
        let mut template = Vec::new();
        syn(&Frames::new(), Ipv4Addr::LOCALHOST, server(), &mut random, &mut template);
        Self { sources, random, template }
    }
}

impl Traffic for Syns {
    fn next(&mut self, frame: &mut Vec<u8>) -> u64 {
        if frame.len() != self.template.len() {
            frame.clone_from(&self.template);
        }
        let [_, a, b, c] = match self.sources {
            Sources::Random => self.random.word(),
            Sources::Few => self.random.below(1000) << 8,
        }
        .to_be_bytes();
        frame[SOURCE].copy_from_slice(&[10, a, b, c]);
        frame[SEQ].copy_from_slice(&self.random.word().to_be_bytes());
        0
    }
}

/// 3 % SYNs from random sources, and 97 % data segments to and from the mail server.
pub(crate) struct Data {
    random: Random,
    syns: Syns,
    segments: Vec<Vec<u8>>,
}

impl Data {
    /// 300 bytes on average.
    pub(crate) fn new() -> Self {
        let frames = Frames::new();
        let mut random = Random::new(0xda7a);
        let segments = (0..1024).map(|_| {
            let [.., a, b] = random.word().to_be_bytes();
            let client = SocketAddr::from(([10, 200, a, b], random.client_port()));
            let is_inward = random.below(2) == 0;
            let (from, to) = if is_inward { (client, server()) } else { (server(), client) };
            let (seq, id) = (random.word(), random.word() as u16);
            // 66 bytes of headers; SYNs, which are shorter, are few.
            let kind = SegmentKind::Ack { ack: random.word(), payload: 1 + random.below(483) as usize };
            let mut frame = Vec::new();
            frames.segment(&Segment { from, to, is_inward, seq, kind, id }, &mut frame);
            frame
        });
        let segments = segments.collect();
        Self { random, syns: Syns::from(Sources::Random), segments }
    }
}

impl Traffic for Data {
    fn next(&mut self, frame: &mut Vec<u8>) -> u64 {
        if self.random.below(100) < 3 {
            frame.clear();
            return self.syns.next(frame);
        }
        let segment = &self.segments[self.random.below(self.segments.len() as u32) as usize];
        frame.clone_from(segment);
        0
    }
}

/// A source, and so many attempts of it.
pub(crate) fn attack(number: u32, attempts: usize, random: &mut Random) -> (IpAddr, Vec<Vec<u8>>) {
    let frames = Frames::new();
    // A network of its own, a destination of its own: only the source is over a limit.
    let [.., high, low] = number.to_be_bytes();
    let source = Ipv4Addr::new(172, 16 + high % 16, low, 1);
    let to = SocketAddr::from(([192, 0, 2, low], MAIL[usize::from(high) % MAIL.len()]));
    let syns = (0..attempts).map(|_| {
        let mut frame = Vec::new();
        syn(&frames, source, to, random, &mut frame);
        frame
    });
    (source.into(), syns.collect())
}

fn server() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 25], 25))
}
