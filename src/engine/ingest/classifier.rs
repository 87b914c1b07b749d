//! Classifies packets: decodes the bytes of each, and adds the segments of watched ports to a batch.

use std::net::IpAddr;

use super::batch::{Batch, Now, Pending};
use super::endpoints::{self, Hasher};
use crate::base::hash;
use crate::capture::{Expression, MOST_PAYLOAD};
use crate::engine::clock::Reading;
use crate::engine::watch::PortSet;
use crate::wire::decode::{Decoder, FastPath, Hidden, Skip, Tunnels};
use crate::wire::packet::Packet;
use crate::wire::packet_copy::PacketCopy;
use crate::wire::segment::{Flags, Place, Segment, TcpSummary};

/// Selects the segments that later stages need.
#[derive(Debug)]
pub(in crate::engine) struct Classifier {
    decoder: Decoder,
    expression: Option<Expression>,
    /// The ports of all watches.
    ports: PortSet,
    own: Vec<IpAddr>,
    hasher: Hasher,
    keeps: bool,
}

/// The role of a segment for the watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An attempt at a watched port.
    Attempt,
    /// No attempt, but from a server that opens or refuses a connection. Its destination may be a watched
    /// port, too.
    Answer { to_server: bool },
    /// Another segment that may change the outcome of an attempt.
    More { to_server: bool },
}

impl Classifier {
    /// `keeps` says whether packets are kept beside their segments.
    pub(in crate::engine) fn new(
        tunnels: Tunnels,
        expression: Option<Expression>,
        ports: PortSet,
        key: hash::Key,
        keeps: bool,
    ) -> Self {
        let (decoder, hasher) = (Decoder::new(tunnels, key), Hasher::new(key));
        Self { decoder, expression, ports, own: Vec::new(), hasher, keeps }
    }

    /// Makes an empty batch for this many segments.
    pub(super) fn batch(&self, room: usize) -> Batch {
        Batch::new(room, self.keeps)
    }

    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Sets the watched ports from now on.
    pub(in crate::engine) fn watch(&mut self, ports: PortSet, tunnels: Tunnels) {
        self.ports = ports;
        self.decoder.set_tunnels(tunnels);
    }

    pub(in crate::engine) fn set_own(&mut self, own: Vec<IpAddr>) {
        self.own = own;
    }

    #[inline]
    fn is_own(&self, address: &IpAddr) -> bool {
        !self.own.is_empty() && self.own.contains(address)
    }

    /// The same as [`Classifier::classify`], out of line.
    #[inline(never)]
    pub(super) fn classify_held(
        &mut self,
        packet: &Packet<'_>,
        clock: &Reading,
        batch: &mut Batch,
    ) -> Result<(), Skip> {
        self.classify(packet, clock, batch)
    }

    /// Adds the segment of a packet to the batch, or returns the reason why the packet does not count.
    #[inline(always)]
    pub(super) fn classify(
        &mut self,
        packet: &Packet<'_>,
        clock: &Reading,
        batch: &mut Batch,
    ) -> Result<(), Skip> {
        if self.expression.as_mut().is_some_and(|expression| !expression.matches(packet)) {
            return Err(Skip::Filtered);
        }
        // Ports and flags alone decide on most packets, and the decoder reads no more of them.
        let (role, pending) = match FastPath::of(packet) {
            Some(plain) => {
                self.decoder.pass();
                let role = self.role(plain.summary())?;
                let pending = batch.add();
                plain.write(packet, &mut pending.segment);
                (role, pending)
            }
            None => {
                let read = self.decoder.read(packet, &mut batch.skipped);
                if let Some(hidden) = self.decoder.hidden() {
                    self.take_hidden(packet, hidden, clock, batch);
                }
                let segment = read?;
                let role = self.role(segment.summary())?;
                let pending = batch.add();
                pending.segment = segment;
                (role, pending)
            }
        };
        (pending.to_server, pending.is_answer) = match role {
            Role::Attempt => (true, false),
            Role::Answer { to_server } => (to_server, true),
            Role::More { to_server } => (to_server, false),
        };
        pending.is_hidden = false;
        pending.now = Now { time: packet.time, ticks: clock.ticks(packet.time) };
        if self.keeps {
            batch.kept.push(PacketCopy::new(packet));
        }
        if role == Role::Attempt { Ok(()) } else { Err(Skip::OtherFlags) }
    }

    /// The role of a segment, or the reason why it does not count. The watched ports need attempts. For
    /// outcomes, they need SYN-ACK, FIN and RST, empty ACKs, and client segments with PSH or few bytes,
    /// because some clients never send an empty ACK. The kernel's filter passes the same segments, so that
    /// live capture and replay give equal results.
    #[inline]
    fn role(&self, summary: TcpSummary) -> Result<Role, Skip> {
        let TcpSummary { flags, src_port, dst_port, payload } = summary;
        let to_server = self.ports.contains(dst_port);
        if flags.is_attempt() {
            return if to_server { Ok(Role::Attempt) } else { Err(Skip::PortNotWatched) };
        }
        let from_server = || self.ports.contains(src_port);
        let says_more = if flags.0 & (Flags::SYN.0 | Flags::RST.0) != 0 {
            if from_server() {
                return Ok(Role::Answer { to_server });
            }
            to_server
        } else if flags.has(Flags::FIN) {
            to_server || from_server()
        } else {
            let is_small = |most: u32| payload.is_some_and(|payload| payload <= most);
            flags.has(Flags::ACK)
                && (to_server && (flags.has(Flags::PSH) || is_small(MOST_PAYLOAD))
                    || from_server() && is_small(0))
        };
        if says_more { Ok(Role::More { to_server }) } else { Err(Skip::OtherFlags) }
    }

    /// Adds an unreadable packet to the batch, because it may have been the SYN of an answer that follows.
    #[cold]
    fn take_hidden(&self, packet: &Packet<'_>, hidden: Hidden, clock: &Reading, batch: &mut Batch) {
        let place = Place { interface: packet.interface, ..Place::default() };
        *batch.add() = Pending {
            segment: Segment::hidden(hidden.src, hidden.dst, place),
            now: Now { time: packet.time, ticks: clock.ticks(packet.time) },
            to_server: true,
            is_answer: false,
            is_hidden: true,
            ..Pending::default()
        };
        if self.keeps {
            batch.kept.push(PacketCopy::new(packet));
        }
    }

    /// Hashes the endpoints and the connections of a batch. `prefetch` gets each connection at once, so that its
    /// memory comes while the next ones are hashed.
    #[inline]
    pub(super) fn hash(&mut self, batch: &mut Batch, prefetch: impl Fn(u64)) {
        for pending in batch.all_mut() {
            let (client, server) = endpoints::ends(&pending.segment, pending.to_server);
            let is_own = self.is_own(&client.0);
            pending.endpoints = self.hasher.endpoints(client, server, is_own);
            pending.connection = pending.endpoints.connection();
            prefetch(pending.connection);
        }
    }
}
