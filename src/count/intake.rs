//! Packets in, batches of segments out: what each packet says, and whom it concerns.
//!
//! The first half of counting. It knows the clock, ports and hashes, and no table: so it can run ahead of the second
//! half (`ledger.rs`) on a thread of its own. Everything that half has to know goes with a batch, in order.

use std::net::IpAddr;
use std::time::Duration;

use super::batch::{Batch, Now, Pending, Turn};
use super::parties::Hasher;
use super::plan::Plan;
use crate::clock::{Clock, Seen};
use crate::decode::{Skip, Tunnels, decode, is_data};
use crate::hash;
use crate::packet::{InterfaceId, Packet};
use crate::segment::{Flags, Segment};
use crate::sink::Kept;
use crate::source::{Expression, Received};
use crate::time::Timestamp;

/// Who takes batches, and leaves them empty.
pub(super) trait Hand {
    /// Takes what a batch holds.
    fn hand(&mut self, batch: &mut Batch);
}

/// The first half of counting.
#[derive(Debug)]
pub(super) struct Intake {
    lanes: usize,
    clock: Clock,
    tunnels: Tunnels,
    expression: Option<Expression>,
    plan: Plan,
    own: Vec<IpAddr>,
    hasher: Hasher,
    keeps: bool,
    batch: Batch,
}

/// What an [`Intake`] is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) lanes: usize,
    pub(super) looks_back: Duration,
    pub(super) tunnels: Tunnels,
    pub(super) expression: Option<Expression>,
    pub(super) plan: Plan,
    pub(super) key: hash::Key,
    /// Whether packets are kept beside their segments.
    pub(super) keeps: bool,
    /// How many segments go with a batch.
    pub(super) room: usize,
}

impl Intake {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            lanes: parts.lanes,
            clock: Clock::new(parts.lanes, parts.looks_back),
            tunnels: parts.tunnels,
            expression: parts.expression,
            batch: Batch::new(parts.room, parts.plan.rows(), parts.keeps),
            plan: parts.plan,
            own: Vec::new(),
            hasher: Hasher::new(parts.key),
            keeps: parts.keeps,
        }
    }

    /// Another batch like the one that it fills.
    pub(super) fn spare(&self) -> Batch {
        Batch::new(self.batch.room(), self.plan.rows(), self.keeps)
    }

    /// Has batches be as large as this, from the next one on.
    pub(super) fn set_room(&mut self, room: usize) {
        self.batch = Batch::new(room, self.plan.rows(), self.keeps);
    }

    /// Looks at packets by another plan from now on. What waits has been handed over.
    pub(super) fn replan(&mut self, plan: Plan, looks_back: Duration, tunnels: Tunnels) {
        self.batch = Batch::new(self.batch.room(), plan.rows(), self.keeps);
        self.plan = plan;
        self.tunnels = tunnels;
        self.clock.look_back(looks_back);
    }

    pub(super) fn set_own(&mut self, own: Vec<IpAddr>) {
        self.batch.orders.own = Some(own.clone());
        self.own = own;
    }

    pub(super) fn note(&mut self, received: Received) {
        self.batch.orders.received = Some(received);
    }

    pub(super) fn reopen(&mut self, to: &mut impl Hand) {
        self.batch.orders.reopen = true;
        self.flush(to);
    }

    pub(super) fn show(&mut self, to: &mut impl Hand) {
        self.batch.orders.show = true;
        self.flush(to);
    }

    /// Hands over what waits.
    pub(super) fn flush(&mut self, to: &mut impl Hand) {
        if !self.batch.is_idle() {
            self.batch.reading = *self.clock.reading();
            to.hand(&mut self.batch);
        }
    }

    /// Hands over what waits, and all that was counted, for the last time.
    pub(super) fn finish(&mut self, to: &mut impl Hand) {
        self.batch.reading = *self.clock.reading();
        to.hand(&mut self.batch);
    }

    #[inline]
    pub(super) fn packet(&mut self, packet: &Packet<'_>, to: &mut impl Hand) {
        let before = self.clock.now();
        let seen = self.clock.observe(self.lane(packet.interface), packet.time);
        if seen != Seen::SameSecond {
            self.turn(seen, before, to);
        }
        self.batch.packets += 1;
        if let Err(skip) = self.examine(packet) {
            self.batch.skipped.count(skip);
        }
        if self.batch.is_full() {
            self.flush(to);
        }
    }

    pub(super) fn idle(&mut self, interface: InterfaceId, now: Timestamp, to: &mut impl Hand) {
        self.flush(to);
        let before = self.clock.now();
        let lane = self.lane(interface);
        // A time that a packet was newer than says nothing new, and is no step back.
        if self.clock.newest(lane).is_none_or(|newest| now > newest) {
            let seen = self.clock.observe(lane, now);
            if seen != Seen::SameSecond {
                self.turn(seen, before, to);
            }
        }
    }

    pub(super) fn set_back(&mut self, interface: InterfaceId, now: Timestamp, to: &mut impl Hand) {
        self.flush(to);
        let before = self.clock.now();
        let lane = self.lane(interface);
        // Where a packet or another interface has told so already, it is no step any more.
        let is_back = self.clock.newest(lane).is_some_and(|newest| now < newest);
        if is_back && self.clock.observe(lane, now) == Seen::SteppedBack {
            self.turn(Seen::SteppedBack, before, to);
        }
    }

    /// Another second has begun. What waits happened before, and carries the ticks of before.
    fn turn(&mut self, seen: Seen, before: Option<Timestamp>, to: &mut impl Hand) {
        let Some(now) = self.clock.now() else { return };
        // The ticks of the turn are those of before a restart.
        let reading = *self.clock.reading();
        let moved_back = self.clock.is_used_up().then(|| self.clock.restart());
        let stepped_from = (seen == Seen::SteppedBack).then(|| before.unwrap_or(now));
        self.batch.turn = Some(Turn { now, stepped_from, reading, moved_back });
        self.flush(to);
    }

    /// What a packet says, or why it does not count.
    #[inline]
    fn examine(&mut self, packet: &Packet<'_>) -> Result<(), Skip> {
        if self.expression.as_mut().is_some_and(|expression| !expression.matches(packet)) {
            return Err(Skip::Filtered);
        }
        // Most of what passes: no SYN, and no end or empty ACK that tells of one.
        if is_data(packet) {
            return Err(Skip::OtherFlags);
        }
        let segment = decode(packet, self.tunnels)?;
        if segment.flags.is_attempt() {
            if !self.plan.is_watched(segment.dst_port) {
                return Err(Skip::PortNotWatched);
            }
            self.take(packet, &segment, true);
            return Ok(());
        }
        if self.tells_of_an_attempt(&segment) {
            let to_server = self.plan.is_watched(segment.dst_port);
            self.take(packet, &segment, to_server);
        }
        Err(Skip::OtherFlags)
    }

    /// Whether a segment that is no attempt tells what became of one: SYN-ACK, FIN and RST of the watched ports, and
    /// the client's empty ACKs. The kernel's filter passes no others, so that live and replay say the same.
    #[inline]
    fn tells_of_an_attempt(&self, segment: &Segment) -> bool {
        let Segment { flags, src_port, dst_port, .. } = *segment;
        if flags.0 & (Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0) != 0 {
            return self.plan.is_watched(src_port) || self.plan.is_watched(dst_port);
        }
        flags.has(Flags::ACK) && segment.payload == Some(0) && self.plan.is_watched(dst_port)
    }

    /// Whether a segment that is no attempt came from a server and opens or refuses a connection.
    fn is_answer(&self, segment: &Segment) -> bool {
        segment.flags.0 & (Flags::SYN.0 | Flags::RST.0) != 0 && self.plan.is_watched(segment.src_port)
    }

    /// Has a segment wait in the batch, with a tag for each tally that counts its connection.
    #[inline]
    fn take(&mut self, packet: &Packet<'_>, segment: &Segment, to_server: bool) {
        let now = Now { time: packet.time, ticks: self.clock.ticks(packet.time) };
        let hashes = self.hasher.segment(segment, to_server);
        let is_attempt = segment.flags.is_attempt();
        let client = if to_server { segment.src } else { segment.dst };
        let is_own = !self.own.is_empty() && self.own.contains(&client);
        let is_answer = !is_attempt && self.is_answer(segment);
        let pending = Pending { segment: *segment, now, hashes, to_server, is_own, is_answer };
        let batch = &mut self.batch;
        self.plan.tags(&pending.parties(), &self.hasher, |row, tag| batch.set_tag_of_next(row, tag));
        self.batch.push(pending);
        if self.keeps {
            self.batch.kept.push(Kept::new(packet));
        }
    }

    fn lane(&self, interface: InterfaceId) -> usize {
        if self.lanes == 1 { 0 } else { (interface.0 as usize).min(self.lanes - 1) }
    }
}
