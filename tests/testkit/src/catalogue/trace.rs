//! What happens on the wire, in order of time: TCP segments gathered conversation by conversation.
//!
//! A trace knows how many of them are attempts, because its stories say so, not because it decodes them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::packet::{Nanos, Packet, Segment, trait_of};
use super::random::Random;

/// The segments of one story.
pub(crate) struct Trace {
    pub(crate) random: Random,
    /// How many attempts the story has told so far.
    pub(crate) attempts: u64,
    segments: Vec<(Nanos, Segment)>,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), attempts: 0, segments: Vec::new() }
    }

    /// A SYN of a new connection; gives the client's initial sequence number.
    pub(crate) fn attempt(&mut self, time: Nanos, from: SocketAddr, to: SocketAddr) -> u32 {
        let isn = self.random.sequence_number();
        self.attempts += 1;
        self.push(time, Segment::syn(from, to, isn));
        isn
    }

    /// As many SYNs from one address as said, `every` so often, each from a port of its own.
    pub(crate) fn syns(&mut self, start: Nanos, every: Nanos, count: i64, from: IpAddr, to: SocketAddr) {
        for i in 0..count {
            let port = self.random.client_port();
            self.attempt(start + i * every, SocketAddr::new(from, port), to);
        }
    }

    /// Any segment that is no attempt.
    pub(crate) fn push(&mut self, time: Nanos, segment: Segment) {
        self.segments.push((time, segment));
    }

    /// Everything in order of time, each host's IPv4 identifications counting up.
    pub(crate) fn packets(&mut self) -> Vec<Packet> {
        self.segments.sort_by_key(|(time, _)| *time);
        let mut ids: BTreeMap<IpAddr, u16> = BTreeMap::new();
        let segments = self.segments.iter();
        segments
            .map(|(time, segment)| {
                let from = segment.from.ip();
                let id = ids.entry(from).or_insert_with(|| trait_of(from) as u16);
                *id = id.wrapping_add(1);
                segment.packet(*time, *id)
            })
            .collect()
    }
}
