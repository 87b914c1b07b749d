//! Floods: SYNs to mail ports, and nothing else, in frames of 60 bytes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Traffic;
use super::frames::{Frames, Segment, SegmentKind};
use super::random::Random;

/// The mail ports.
pub const MAIL: [u16; 7] = [25, 110, 143, 465, 587, 993, 995];

/// SYNs in a second of flood.
const RATE: u64 = 100_000;

/// Sources of [`Few`].
const SOURCES: u32 = 1000;
/// Servers of [`Few`]: so many that none of their ports is over the limit of destinations before the flood.
const SERVERS: u32 = 4;
/// SYNs in a second, of all sources together, before the flood: 0.5 of each, half of what 60/60s allows.
const CALM_RATE: u64 = 500;
/// The episodes that [`Few`] leads to: one of each source, and one of each port of each server.
pub const FEW_EPISODES: u64 = SOURCES as u64 + (SERVERS as u64) * MAIL.len() as u64;
/// Packets that [`Few`] needs for that: half of them last a second and a half.
pub const FEW_ENOUGH: u64 = 300_000;

/// A thousand sources, each in a network of its own, by turns. For the first half of the packets they stay below all
/// limits; in the second half each of them makes 100 attempts a second, far more than any limit allows.
#[derive(Debug)]
pub struct Few {
    frames: Frames,
    random: Random,
    number: u64,
    /// Packets before the flood.
    calm: u64,
}

impl Few {
    /// So many packets, half of them flood.
    pub fn new(packets: u64) -> Self {
        Self { frames: Frames::new(), random: Random::new(0xfe3), number: 0, calm: packets / 2 }
    }
}

impl Traffic for Few {
    fn next(&mut self, frame: &mut Vec<u8>) -> u64 {
        let number = self.number;
        self.number += 1;
        let source = (number % u64::from(SOURCES)) as u32;
        let server = 25 + self.random.below(SERVERS) as u8;
        let to = SocketAddr::from(([192, 0, 2, server], self.random.one_of(&MAIL)));
        syn(&self.frames, client(source), to, &mut self.random, frame);
        let calm = number.min(self.calm);
        calm * 1_000_000 / CALM_RATE + (number - calm) * 1_000_000 / RATE
    }
}

/// Sources of [`Many`].
const MANY_SOURCES: u32 = 30_000;
/// Servers of [`Many`]: each of their ports is over the limit of destinations.
const MANY_SERVERS: u32 = 16;
/// SYNs of [`Many`] in a second: 50 of each source in a minute on average, ten below what 60/60s allows.
const MANY_RATE: u64 = 25_000;
/// The episodes that [`Many`] leads to at least: as many as may be open at once. Chance has more sources over the limit.
pub const MANY_EPISODES: u64 = 4096;
/// Packets that [`Many`] needs for that: eighty seconds.
pub const MANY_ENOUGH: u64 = 2_000_000;

/// SYNs from 30,000 sources in random order, each in a network of its own. Their state fits into no cache, and more and
/// more of them have an episode.
#[derive(Debug)]
pub struct Many {
    frames: Frames,
    random: Random,
    number: u64,
}

impl Many {
    pub fn new() -> Self {
        Self { frames: Frames::new(), random: Random::new(0x3a7), number: 0 }
    }
}

impl Traffic for Many {
    fn next(&mut self, frame: &mut Vec<u8>) -> u64 {
        let source = self.random.below(MANY_SOURCES);
        let server = 25 + self.random.below(MANY_SERVERS) as u8;
        let to = SocketAddr::from(([192, 0, 2, server], self.random.one_of(&MAIL)));
        syn(&self.frames, client(source), to, &mut self.random, frame);
        self.number += 1;
        (self.number - 1) * 1_000_000 / MANY_RATE
    }
}

/// An address in a /24 of its own.
fn client(source: u32) -> Ipv4Addr {
    let [.., high, low] = source.to_be_bytes();
    Ipv4Addr::new(10, high, low, 25)
}

/// The true attackers of `spoof`: in three networks, so that none of these is over a limit before they have episodes.
pub const TEN: [IpAddr; 10] = [
    documentation([192, 0, 2, 1]),
    documentation([192, 0, 2, 2]),
    documentation([192, 0, 2, 3]),
    documentation([198, 51, 100, 1]),
    documentation([198, 51, 100, 2]),
    documentation([198, 51, 100, 3]),
    documentation([198, 51, 100, 4]),
    documentation([203, 0, 113, 1]),
    documentation([203, 0, 113, 2]),
    documentation([203, 0, 113, 3]),
];
/// The true attacker of `slow`.
pub const ONE: [IpAddr; 1] = [documentation([203, 0, 113, 66])];
/// Packets until the ten are over 30/10s, with room for chance: a second.
pub const SPOOF_ENOUGH: u64 = 100_000;
/// Packets until the one is over it, by far: ten seconds.
pub const SLOW_ENOUGH: u64 = 1_000_000;

/// One SYN in so many is from an attacker of `spoof`: each has 0.1 % of all.
const ATTACKS_OF_TEN: u32 = 100;
/// One SYN in so many is from the attacker of `slow`: 5 a second.
const EVERY: u64 = RATE / 5;

/// SYNs from sources that are forged, each a different one as far as chance has it, and true attackers among them.
#[derive(Debug)]
pub struct Spoof {
    frames: Frames,
    random: Random,
    number: u64,
    attackers: Attackers,
}

#[derive(Debug, Clone, Copy)]
enum Attackers {
    Ten,
    One,
}

impl Spoof {
    /// With ten true attackers of 0.1 % each.
    pub fn ten() -> Self {
        Self { frames: Frames::new(), random: Random::new(0x5b0f), number: 0, attackers: Attackers::Ten }
    }

    /// With one true attacker of 5 a second.
    pub fn one() -> Self {
        Self { frames: Frames::new(), random: Random::new(0x510), number: 0, attackers: Attackers::One }
    }

    fn source(&mut self) -> Ipv4Addr {
        let attacker = match self.attackers {
            Attackers::Ten if self.random.below(ATTACKS_OF_TEN) == 0 => Some(self.random.one_of(&TEN)),
            Attackers::One if self.number % EVERY == EVERY / 2 => Some(ONE[0]),
            Attackers::Ten | Attackers::One => None,
        };
        match attacker {
            Some(IpAddr::V4(attacker)) => attacker,
            _ => forged(&mut self.random),
        }
    }
}

impl Traffic for Spoof {
    fn next(&mut self, frame: &mut Vec<u8>) -> u64 {
        let source = self.source();
        let to = SocketAddr::from(([192, 0, 2, 25], self.random.one_of(&MAIL)));
        syn(&self.frames, source, to, &mut self.random, frame);
        self.number += 1;
        (self.number - 1) * 1_000_000 / RATE
    }
}

/// Any address that a packet from outside could have, and none of documentation.
pub fn forged(random: &mut Random) -> Ipv4Addr {
    loop {
        let address = Ipv4Addr::from(random.word());
        let [first, second, ..] = address.octets();
        let is_reserved = matches!(first, 0 | 10 | 127 | 224..)
            || (first, second & 0xc0) == (100, 64)
            || (first, second & 0xfe) == (198, 18)
            || address.is_private()
            || address.is_link_local()
            || address.is_documentation();
        if !is_reserved {
            return address;
        }
    }
}

/// A SYN that is no repeat of any other.
pub fn syn(frames: &Frames, from: Ipv4Addr, to: SocketAddr, random: &mut Random, frame: &mut Vec<u8>) {
    let id = random.word() as u16;
    let from = SocketAddr::from((from, random.client_port()));
    let seq = random.word();
    let kind = SegmentKind::BareSyn;
    frames.segment(&Segment { from, to, is_inward: true, seq, kind, id }, frame);
}

const fn documentation(octets: [u8; 4]) -> IpAddr {
    let [a, b, c, d] = octets;
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}
