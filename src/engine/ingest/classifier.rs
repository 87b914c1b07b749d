//! Classifies packets: decodes the bytes of each, and selects the segments of watched ports.

use std::net::IpAddr;

use super::batch::{Batch, Now, Pending};
use super::endpoints::{self, Hasher};
use super::selection::{Selected, Selection};
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

    /// Makes an empty selection of this many segments.
    pub(super) fn selection(&self, room: usize) -> Selection {
        Selection::new(room, self.keeps)
    }

    /// Makes an empty batch of this many segments.
    pub(in crate::engine) fn batch(&self, room: usize) -> Batch {
        Batch::new(room, self.keeps)
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
        to: &mut Selection,
    ) -> Result<(), Skip> {
        self.classify(packet, clock, to)
    }

    /// Selects the segment of a packet, or returns the reason why the packet does not count.
    #[inline(always)]
    pub(super) fn classify(
        &mut self,
        packet: &Packet<'_>,
        clock: &Reading,
        to: &mut Selection,
    ) -> Result<(), Skip> {
        if self.expression.as_mut().is_some_and(|expression| !expression.matches(packet)) {
            return Err(Skip::Filtered);
        }
        // Ports and flags alone decide on most packets, and the decoder reads no more of them.
        let (role, selected) = match FastPath::of(packet) {
            Some(plain) => {
                self.decoder.pass();
                let role = self.role(plain.summary())?;
                let selected = to.add();
                plain.write(packet, &mut selected.segment);
                (role, selected)
            }
            None => {
                let read = self.decoder.read(packet, &mut to.skipped);
                if let Some(hidden) = self.decoder.hidden() {
                    self.take_hidden(packet, hidden, clock, to);
                }
                let segment = read?;
                let role = self.role(segment.summary())?;
                let selected = to.add();
                selected.segment = segment;
                (role, selected)
            }
        };
        (selected.to_server, selected.is_answer) = match role {
            Role::Attempt => (true, false),
            Role::Answer { to_server } => (to_server, true),
            Role::More { to_server } => (to_server, false),
        };
        selected.is_hidden = false;
        selected.now = Now { time: packet.time, ticks: clock.ticks(packet.time) };
        if self.keeps {
            to.kept.push(PacketCopy::new(packet));
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

    /// Selects an unreadable packet, because it may have been the SYN of an answer that follows.
    #[cold]
    fn take_hidden(&self, packet: &Packet<'_>, hidden: Hidden, clock: &Reading, to: &mut Selection) {
        let place = Place { interface: packet.interface, ..Place::default() };
        *to.add() = Selected {
            segment: Segment::hidden(hidden.src, hidden.dst, place),
            now: Now { time: packet.time, ticks: clock.ticks(packet.time) },
            to_server: true,
            is_answer: false,
            is_hidden: true,
        };
        if self.keeps {
            to.kept.push(PacketCopy::new(packet));
        }
    }

    /// Moves a selection to an empty batch, with the hashes that later stages need.
    #[inline(never)] // A loop of its own has the registers to itself.
    pub(super) fn complete(&mut self, selection: &mut Selection, batch: &mut Batch) {
        for selected in selection.all() {
            let Selected { segment, now, to_server, is_answer, is_hidden } = *selected;
            let (client, server) = endpoints::ends(&segment, to_server);
            let is_own = self.is_own(&client.0);
            let endpoints = self.hasher.endpoints(client, server, is_own);
            let connection = endpoints.connection();
            batch.push(|| Pending { segment, now, endpoints, connection, to_server, is_answer, is_hidden });
        }
        std::mem::swap(&mut selection.kept, &mut batch.kept);
        batch.packets = std::mem::take(&mut selection.packets);
        batch.skipped = std::mem::take(&mut selection.skipped);
        selection.clear();
    }
}
