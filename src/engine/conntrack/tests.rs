//! What the tests of conntrack share.

mod answers;
mod inferred;
mod nat;
mod proxy;
mod repeats;
mod reuse;
mod room;
mod waiting;

use super::repeats::RETRANSMISSION_WITHIN;
use super::set::*;
use super::*;
use crate::engine::outcome::Proof;
use crate::wire::packet::InterfaceId;
use crate::wire::segment::{Checksum, Direction, Flags, Hop, Place, Segment};

const MS: u64 = 10;
const START: u64 = 20_000;

pub(super) fn syn() -> Segment {
    Segment {
        src: "192.0.2.1".parse().unwrap(),
        dst: "198.51.100.25".parse().unwrap(),
        src_port: 40_000,
        dst_port: 25,
        seq: 1,
        ack: 0,
        flags: Flags::SYN,
        payload: Some(0),
        ip_id: Some(1),
        hop_limit: 64,
        checksum: Checksum::Unknown,
        fast_open: false,
        digest: 0,
        place: Place::default(),
    }
}

fn new(memory: usize) -> Conntrack {
    Conntrack::new(memory, Proof::Yes).unwrap()
}

impl Conntrack {
    /// A SYN that no other one is a translation of.
    fn plain_syn(&mut self, connection: u64, time: Ticks, segment: &Segment) -> SynVerdict {
        self.syn(connection, EndpointHashes::default(), time, segment)
    }

    /// What a segment half a second after the start changes.
    fn news(&mut self, connection: u64, segment: &Segment) -> Option<OutcomeUpdate> {
        let followed = self.follow(connection, Hosts::default(), Ticks(START + 500 * MS), segment);
        assert_eq!(followed.attempt, None);
        followed.news
    }
}

fn with_id(ip_id: u16) -> Segment {
    Segment { ip_id: Some(ip_id), ..syn() }
}

fn elsewhere(interface: u32) -> Segment {
    Segment { place: Place { interface: InterfaceId(interface), ..Place::default() }, ..syn() }
}

/// Judges SYNs of one identity at these times in ticks after the start, one after the other.
fn judge(syns: &[(u64, Segment)]) -> Vec<Syn> {
    let mut connections = new(1 << 16);
    syns.iter().map(|(tick, segment)| connections.plain_syn(42, Ticks(START + tick), segment).syn).collect()
}

fn second(tick: u64, segment: Segment) -> Syn {
    judge(&[(0, syn()), (tick, segment)])[1]
}

const S: u64 = 1000 * MS;

/// The server's SYN-ACK, or whatever it sends with these flags.
fn answer(flags: u8) -> Segment {
    let syn = syn();
    let (src, src_port, dst, dst_port) = (syn.dst, syn.dst_port, syn.src, syn.src_port);
    Segment { src, src_port, dst, dst_port, seq: 100, ack: 2, flags: Flags(flags), ..syn }
}

/// The client's ACK of that, or whatever it sends with these flags.
fn reply(flags: u8) -> Segment {
    Segment { seq: 2, ack: 101, flags: Flags(flags), ..syn() }
}

const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const FIN_ACK: u8 = 0x11;

/// The outcomes of the SYNs whose time is over.
fn expire(connections: &mut Conntrack, tick: u64) -> Vec<(Option<Outcome>, Outcome)> {
    let expired = std::iter::from_fn(|| connections.expire(Ticks(START + tick)));
    let news = expired.filter_map(|expired| expired.news);
    news.map(|news| (news.before.map(|life| life.outcome), news.after.outcome)).collect()
}

/// What follows half a second after the start.
fn follow(connections: &mut Conntrack, connection: u64, segment: &Segment) -> Followed {
    connections.follow(connection, Hosts::default(), Ticks(START + 500 * MS), segment)
}

fn numbered(client_isn: u32) -> Segment {
    Segment { seq: client_isn, ip_id: None, ..syn() }
}
